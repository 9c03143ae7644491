"""What is missing before a school year can be called: which rows each line counts, and which not."""

import datetime as dt

import pytest

from conventions.findings import unagreed_schools
from conventions.models import Convention, Paper
from conventions.readiness import FINDINGS, counts, schedules_not_adopted
from members.models import ConfirmedDebtor, Member, Membership
from tests.conventions.world import (
    PER_PUPIL,
    PER_SCHOOL,
    PER_USER,
    YEAR,
    a_member,
    a_schedule,
    a_school,
    enrol,
    scope_of,
)
from tests.factories import (
    ConventionFactory,
    DeliveredUnitsFactory,
    EnrolmentFactory,
    HeadcountFactory,
    HeadcountSourceFactory,
    IssuerFactory,
    PaperFactory,
    ScheduleFactory,
    SubscriptionFactory,
    UsageFactory,
    VersionFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def schedule():
    return a_schedule(PER_SCHOOL)


@pytest.fixture
def by_pupil():
    return a_schedule(PER_PUPIL)


@pytest.fixture
def by_user():
    return a_schedule(PER_USER)


def found(schedule, code, year=YEAR):
    """Return the rows of a line, after checking that the number of the page is theirs."""
    scope = scope_of(schedule, year)
    rows = list(FINDINGS[code].rows(scope))
    assert counts(scope)[code] == len(rows)
    return rows


def test_it_works(by_pupil):
    counted, missing = enrol(by_pupil), enrol(by_pupil)
    HeadcountFactory(school=counted)
    assert found(by_pupil, "sans-effectif") == [missing]


def test_a_world_without_fault_has_nothing_to_mend(by_pupil):
    HeadcountFactory(school=enrol(by_pupil))
    PaperFactory(convention=Convention.objects.get(), role=Paper.Role.SIGNED, text=None)
    assert set(counts(scope_of(by_pupil)).values()) == {0}


def test_every_line_is_counted_in_few_queries(schedule, django_assert_max_num_queries):
    for _ in range(20):
        enrol(schedule)
    with django_assert_max_num_queries(10):
        assert counts(scope_of(schedule)).keys() == FINDINGS.keys()


# Counts.


def test_a_tariff_by_school_asks_for_no_count(schedule):
    enrol(schedule)
    assert found(schedule, "sans-effectif") == []


def test_bands_by_size_of_school_ask_for_the_pupils():
    banded = a_schedule({**PER_SCHOOL, "model": "banded", "unit_price": None})
    school = enrol(banded)
    assert found(banded, "sans-effectif") == [school]


def test_without_adopted_tariff_every_enrolled_school_is_asked_for_its_count(schedule):
    school = enrol(schedule, last_year=2025)
    assert found(schedule, "sans-effectif", year=2025) == [school]


def test_the_count_of_another_year_does_not_do(by_pupil):
    school = enrol(by_pupil)
    HeadcountFactory(school=school, school_year=2023)
    assert found(by_pupil, "sans-effectif") == [school]


def test_a_count_withdrawn_does_not_do(by_pupil):
    school = enrol(by_pupil)
    HeadcountFactory(school=school, superseded_at=dt.datetime(2024, 10, 1, tzinfo=dt.UTC))
    assert found(by_pupil, "sans-effectif") == [school]


@pytest.mark.parametrize(
    "scope",
    [{"degree": "college"}, {"sector": "prive"}, {"subscription": "OPTION"}],
)
def test_a_charge_of_another_scope_reads_nothing(scope):
    narrow = a_schedule({**PER_PUPIL, **scope})
    enrol(narrow)
    assert found(narrow, "sans-effectif") == []


def test_a_charge_by_option_reads_the_schools_of_those_who_subscribed():
    narrow = a_schedule({**PER_PUPIL, "subscription": "OPTION"})
    subscribed = ConventionFactory(schedule=narrow)
    SubscriptionFactory(convention=subscribed, code="OPTION")
    school = EnrolmentFactory(convention=subscribed, school=a_school()).school
    enrol(narrow)
    assert found(narrow, "sans-effectif") == [school]


def test_a_private_school_counts_where_the_agreement_says_so():
    for_all = a_schedule({**PER_PUPIL, "sector": ""})
    included = enrol(for_all, a_school(sector="prive"), private_included=True)
    enrol(for_all, a_school(sector="prive"))
    assert found(for_all, "sans-effectif") == [included]


@pytest.mark.parametrize(
    "facts",
    [{"status": Convention.Status.DRAFT}, {"first_year": 2022, "last_year": 2023}],
)
def test_only_agreements_in_force_that_cover_the_year_enrol_a_school(by_pupil, facts):
    enrol(by_pupil, **facts)
    assert found(by_pupil, "sans-effectif") == []


def test_an_enrolment_that_ended_no_longer_counts(by_pupil):
    convention = ConventionFactory(schedule=by_pupil, first_year=2022)
    EnrolmentFactory(convention=convention, school=a_school(), first_year=2022, last_year=2023)
    assert found(by_pupil, "sans-effectif") == []


def test_the_schools_of_another_issuer_are_not_counted(by_pupil):
    enrol(a_schedule(PER_PUPIL, issuer=IssuerFactory(code="AUTRE", departements="31")))
    assert found(by_pupil, "sans-effectif") == []


def test_a_count_that_may_not_be_billed_is_told_unless_a_better_one_is_known(by_pupil):
    ips = HeadcountSourceFactory(code="IPS", label="IPS", rank=9, billable=False)
    approximate, known = enrol(by_pupil), enrol(by_pupil)
    for school in (approximate, known):
        HeadcountFactory(school=school, source=ips)
    HeadcountFactory(school=known)
    assert found(by_pupil, "non-facturable") == [approximate]
    assert found(by_pupil, "sans-effectif") == []


def test_an_usage_that_may_not_be_billed_is_told(by_user):
    ips = HeadcountSourceFactory(code="IPS", label="IPS", rank=9, billable=False)
    school = enrol(by_user)
    UsageFactory(school=school, source=ips)
    assert found(by_user, "non-facturable") == [school]


def test_a_school_without_usage_is_told_where_a_charge_reads_it(by_user):
    known, missing = enrol(by_user), enrol(by_user)
    UsageFactory(school=known)
    assert found(by_user, "sans-usage") == [missing]
    assert found(by_user, "sans-effectif") == []


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (100, 120, False),
        (100, 121, True),
        (100, 80, False),
        (100, 79, True),
        (0, 1, True),
        (0, 0, False),
    ],
)
def test_a_count_that_moves_beyond_twenty_per_cent_is_told(by_pupil, before, now, told):
    school = enrol(by_pupil)
    HeadcountFactory(school=school, school_year=2023, pupils=before)
    HeadcountFactory(school=school, pupils=now)
    assert found(by_pupil, "variation") == ([school] if told else [])


def test_a_variation_compares_the_best_sources(by_pupil):
    school = enrol(by_pupil)
    second = HeadcountSourceFactory(code="ANNUAIRE", label="Annuaire", rank=2, billable=True)
    HeadcountFactory(school=school, school_year=2023, pupils=100)
    HeadcountFactory(school=school, pupils=100)
    HeadcountFactory(school=school, pupils=500, source=second)
    assert found(by_pupil, "variation") == []


def test_an_approximation_compares_with_nothing(by_pupil):
    school = enrol(by_pupil)
    ips = HeadcountSourceFactory(code="IPS", label="IPS", rank=9, billable=False)
    HeadcountFactory(school=school, school_year=2023, pupils=100, source=ips)
    HeadcountFactory(school=school, pupils=500)
    assert found(by_pupil, "variation") == []


# Schools.


@pytest.mark.parametrize(
    ("code", "facts"),
    [
        ("absentes", {"absent_since": dt.date(2024, 9, 1)}),
        ("non-decrites", {"name": ""}),
        ("non-decrites", {"degree": ""}),
        ("sans-secteur", {"sector": ""}),
        ("a-fermer", {"state": "A FERMER"}),
    ],
)
def test_an_enrolled_school_that_the_annuaire_doubts_is_told(schedule, code, facts):
    school = enrol(schedule, a_school(**facts))
    enrol(schedule)
    a_school(**facts)
    assert found(schedule, code) == [school]


@pytest.mark.parametrize(("gone", "told"), [(dt.date(2025, 8, 31), True), (dt.date(2025, 9, 1), False)])
def test_a_school_that_closed_after_the_year_was_there_that_year(schedule, gone, told):
    school = enrol(schedule, a_school(absent_since=gone))
    assert found(schedule, "absentes") == ([school] if told else [])


def test_a_school_that_no_agreement_names_has_no_payer_until_confirmed(schedule):
    enrol(schedule)
    confirmed, missing = a_school(), a_school()
    ConfirmedDebtor.objects.create(school=confirmed, member=a_member(), reason="x", confirmed_by="y")
    assert found(schedule, "sans-payeur") == [missing]
    assert set(unagreed_schools(scope_of(schedule))) == {confirmed, missing}


@pytest.mark.parametrize(
    "facts",
    [
        {"departement_code": "80"},
        {"sector": "prive"},
        {"degree": "college"},
        {"absent_since": dt.date(2024, 9, 1)},
    ],
)
def test_a_school_out_of_the_territory_or_of_the_tariff_needs_no_payer(schedule, facts):
    a_school(**facts)
    assert found(schedule, "sans-payeur") == []


def test_a_tariff_for_every_degree_asks_for_the_payer_of_every_school():
    for_all = a_schedule({**PER_SCHOOL, "degree": ""})
    assert found(for_all, "sans-payeur", year=2030) == []
    college = a_school(degree="college")
    assert found(for_all, "sans-payeur") == [college]
    assert found(for_all, "sans-payeur", year=2030) == [college]


# Members.


@pytest.mark.parametrize(
    ("code", "facts"),
    [
        ("sans-siret", {"siret": None, "siren": "213105331"}),
        ("siret-a-verifier", {"siret_to_verify": True}),
        ("sans-courriel", {"email": ""}),
        ("adresse", {"name": ""}),
        ("adresse", {"address": ""}),
        ("adresse", {"postal_code": ""}),
        ("adresse", {"city": ""}),
        ("chorus", {"service_code_required": True}),
        ("chorus", {"engagement_required": True}),
    ],
)
def test_a_member_that_lacks_something_is_told_when_an_agreement_names_it(schedule, code, facts):
    member = a_member(**facts)
    assert found(schedule, code) == []
    enrol(schedule, party=a_member(), debtor=member)
    assert found(schedule, code) == [member]


def test_what_is_required_and_given_lacks_nothing(schedule):
    member = a_member(
        service_code_required=True,
        service_code="S",
        engagement_required=True,
        engagement_number="E",
    )
    enrol(schedule, party=member)
    assert found(schedule, "chorus") == []


@pytest.mark.parametrize("code", ["sans-siret", "sans-courriel", "adresse"])
def test_a_rpi_signs_and_lacks_nothing_that_a_payer_needs(schedule, code):
    rpi = Member.objects.create(kind="rpi", name="RPI 29")
    enrol(schedule, party=rpi, debtor=a_member())
    assert found(schedule, code) == []


def test_a_member_taken_over_is_told(schedule):
    old = a_member(successor=a_member())
    enrol(schedule, party=old)
    assert found(schedule, "repris") == [old]


def test_a_commune_with_an_ecole_and_no_agreement_is_told(schedule):
    a_school(commune_code="31001")
    missing = a_member(insee_code="31001")
    a_member(insee_code="31002")  # no école
    signed = a_member(insee_code="31003")
    enrol(schedule, party=signed)
    a_school(commune_code="31003")
    assert found(schedule, "communes-sans-convention") == [missing]


def test_a_commune_whose_ecoles_are_all_named_needs_no_agreement_of_its_own(schedule):
    a_member(insee_code="31001")
    enrol(schedule, a_school(commune_code="31001"), party=a_member(kind="syndicat"))
    assert found(schedule, "communes-sans-convention") == []


def test_a_draft_is_no_agreement_yet(schedule):
    commune = a_member(insee_code="31003")
    enrol(schedule, a_school(commune_code="31003"), party=commune, status=Convention.Status.DRAFT)
    assert found(schedule, "communes-sans-convention") == [commune]
    [draft] = found(schedule, "projets")
    assert draft.party == commune


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        (dt.date(2020, 1, 1), None, False),
        (dt.date(2020, 1, 1), dt.date(2024, 8, 31), True),
        (dt.date(2025, 9, 1), None, True),
    ],
)
def test_a_commune_is_covered_by_the_body_it_is_part_of_that_year(schedule, first, last, told):
    epci, commune = a_member(kind="epci"), a_member(insee_code="31001")
    Membership.objects.create(body=epci, commune=commune, valid_from=first, valid_to=last)
    enrol(schedule, party=epci)
    a_school(commune_code="31001")
    assert found(schedule, "communes-sans-convention") == ([commune] if told else [])


def test_a_tariff_of_colleges_asks_communes_for_nothing():
    colleges = a_schedule({**PER_SCHOOL, "degree": "college"})
    a_school(commune_code="31001")
    a_member(insee_code="31001")
    assert found(colleges, "communes-sans-convention") == []


def test_a_member_that_signed_before_and_not_this_year_is_told(schedule):
    gone, back = a_member(), a_member()
    enrol(schedule, party=gone, first_year=2022, last_year=2023)
    enrol(schedule, party=back, first_year=2022, last_year=2023)
    enrol(schedule, party=back)
    enrol(schedule, party=a_member(), first_year=2025, last_year=2025)
    assert found(schedule, "non-reconduites") == [gone]


def test_a_usage_above_the_pupils_retained_is_told_where_a_charge_reads_it(by_user):
    above, equal, unknown = enrol(by_user), enrol(by_user), enrol(by_user)
    for school, active in ((above, 101), (equal, 100), (unknown, 500)):
        UsageFactory(school=school, active_pupils=active)
    for school in (above, equal):
        HeadcountFactory(school=school, pupils=100)
    assert found(by_user, "usage-superieur") == [above]


def test_a_usage_is_measured_against_the_counts_that_the_calculation_retains(by_user):
    manual = HeadcountSourceFactory(code="MANUEL", rank=2)
    rough = HeadcountSourceFactory(code="IPS", rank=0, billable=False)
    school = enrol(by_user)
    for source, pupils, active in ((rough, 10, 900), (manual, 500, 900)):
        HeadcountFactory(school=school, source=source, pupils=pupils)
        UsageFactory(school=school, source=source, active_pupils=active)
    HeadcountFactory(school=school, pupils=100)
    UsageFactory(school=school, active_pupils=100)
    assert found(by_user, "usage-superieur") == []
    UsageFactory(school=school, school_year=2023, active_pupils=101)
    assert found(by_user, "usage-superieur") == []


def test_a_usage_that_no_charge_reads_is_not_told(by_pupil):
    school = enrol(by_pupil)
    HeadcountFactory(school=school, pupils=100)
    UsageFactory(school=school, active_pupils=101)
    assert found(by_pupil, "usage-superieur") == []


# Agreements.


def test_an_agreement_without_school_nor_unit_is_told(schedule):
    empty = ConventionFactory(schedule=schedule)
    DeliveredUnitsFactory(convention=ConventionFactory(schedule=schedule))
    enrol(schedule)
    assert found(schedule, "sans-ecole") == [empty]


def test_a_schedule_that_no_act_adopted_is_named(schedule):
    assert schedules_not_adopted(scope_of(schedule)) == []
    assert schedules_not_adopted(scope_of(schedule, 2025)) == [schedule.code]


def test_a_schedule_billed_by_quotes_alone_has_no_tariff_to_adopt(schedule):
    billed_by_quotes = ScheduleFactory(issuer=schedule.issuer)
    assert schedules_not_adopted(scope_of(schedule)) == []
    VersionFactory(schedule=billed_by_quotes)
    assert schedules_not_adopted(scope_of(schedule)) == [billed_by_quotes.code]


def test_of_two_schedules_only_the_one_adopted_says_which_degrees_are_billed(schedule):
    a_schedule({**PER_SCHOOL, "degree": "college"}, issuer=schedule.issuer, years=(2023,))
    a_school(degree="college")
    assert found(schedule, "sans-payeur") == []
