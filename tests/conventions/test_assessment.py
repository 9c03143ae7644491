"""What agreements cost in a school year: which ones count, which figures are read, and the total."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conventions.assessment import Decisions, read_basis
from conventions.models import Convention
from invoicing.calculation import compute_run
from members.models import Member
from tariffs.adoption import NotAdopted
from tariffs.engine import Acceptance, Deduction
from tests.conventions.tariff import adopt, per_pupil, per_school
from tests.factories import (
    ActFactory,
    ConventionFactory,
    DeliveredUnitsFactory,
    EnrolmentFactory,
    HeadcountFactory,
    HeadcountSourceFactory,
    IssuerFactory,
    MemberFactory,
    ScheduleFactory,
    SchoolFactory,
    SubscriptionFactory,
    UsageFactory,
    valid_siret,
)
from tests.tariffs.bases import SITETV_BANDS

pytestmark = pytest.mark.django_db


@pytest.fixture
def schedule():
    return adopt(ScheduleFactory(code="ENT"), per_school(), years=(2023, 2024, 2025))


@pytest.fixture
def by_pupil():
    return adopt(ScheduleFactory(code="ELEVES"), per_pupil())


def enrolled(schedule, count=1, school=None, enrolment=None, **values):
    """Return an agreement in force naming some schools."""
    convention = ConventionFactory(schedule=schedule, **values)
    for _ in range(count):
        chosen = school or SchoolFactory()
        EnrolmentFactory(convention=convention, school=chosen, **(enrolment or {}))
    return convention


def total(schedule, year=2024):
    return sum(result.total for result in read_basis(schedule, year).assess())


def billed_schools(schedule, year=2024):
    results = read_basis(schedule, year).assess()
    return {line.uai for result in results for line in result.lines}


def anomalies(schedule, year=2024):
    results = read_basis(schedule, year).assess()
    return [(a.code, a.uai) for result in results for a in result.anomalies]


# Which agreements and schools count.


def test_it_works(schedule):
    convention = enrolled(schedule, 2)
    basis = read_basis(schedule, 2024)

    [result] = basis.assess()

    assert result.total == Decimal("90.00")
    assert (result.member.siret, result.member.name) == (
        convention.debtor.siret,
        convention.debtor.name,
    )
    assert basis.facts["schedule"] == "ENT"
    assert basis.facts["subject"] == "Participation d'essai, année scolaire 2024-2025"
    assert basis.facts["version"] == "v2023"
    assert "Délibération" in basis.facts["act"]


def test_without_agreement_there_is_nobody_to_bill(schedule):
    assert read_basis(schedule, 2024).members == ()


@pytest.mark.parametrize(
    ("first", "last", "year", "billed"),
    [
        (2024, 2024, 2023, False),
        (2024, 2024, 2024, True),
        (2024, 2024, 2025, False),
        (2023, 2025, 2024, True),
        (2023, None, 2025, True),
        (2025, None, 2024, False),
    ],
)
def test_the_declared_years_decide(schedule, first, last, year, billed):
    enrolled(schedule, first_year=first, last_year=last)
    assert total(schedule, year) == (Decimal("45.00") if billed else 0)
    assert len(read_basis(schedule, year).members) == billed


def test_an_agreement_that_ends_weeks_into_the_next_year_owes_nothing_of_it(schedule):
    enrolled(
        schedule,
        first_year=2024,
        last_year=2024,
        signed_on=dt.date(2024, 9, 2),
        ends_on=dt.date(2025, 10, 31),
    )
    assert total(schedule, 2024) == Decimal("45.00")
    assert total(schedule, 2025) == 0


def test_a_year_declared_is_due_in_full_whatever_the_dates(schedule):
    enrolled(schedule, signed_on=dt.date(2025, 6, 30), ends_on=dt.date(2025, 7, 1))
    enrolled(schedule, signed_on=None)
    assert total(schedule) == Decimal("90.00")


def test_only_agreements_in_force_count(schedule):
    enrolled(schedule, status=Convention.Status.DRAFT)
    assert read_basis(schedule, 2024).members == ()


def test_agreements_of_another_schedule_do_not_count(schedule):
    other = adopt(ScheduleFactory(code="AUTRE"), per_school("50.00"))
    enrolled(other)
    assert total(schedule) == 0
    assert total(other) == Decimal("50.00")


@pytest.mark.parametrize(
    ("first", "last", "billed"), [(2023, None, True), (2023, 2023, False), (2025, None, False)]
)
def test_a_school_counts_in_the_years_of_its_enrolment(schedule, first, last, billed):
    school = SchoolFactory()
    enrolled(
        schedule,
        school=school,
        first_year=2023,
        last_year=None,
        enrolment={"first_year": first, "last_year": last},
    )
    assert billed_schools(schedule) == ({school.uai} if billed else set())


def test_an_enrolment_does_not_outlive_its_agreement(schedule):
    enrolled(schedule, first_year=2023, last_year=2023, enrolment={"last_year": None})
    assert total(schedule, 2024) == 0


def test_only_the_schools_named_count(schedule):
    saubens = enrolled(schedule)
    SchoolFactory(commune_name="Saubens", name="Non inscrite")
    assert billed_schools(schedule) == {saubens.enrolments.get().school.uai}


def test_a_school_with_two_enrolments_of_one_year_is_reported(schedule):
    school = SchoolFactory()
    convention = enrolled(schedule, school=school, first_year=2023, last_year=None)
    EnrolmentFactory(convention=convention, school=school, first_year=2024)
    assert set(anomalies(schedule)) == {("school_twice", school.uai)}
    assert anomalies(schedule, 2023) == []


# Who pays.


def test_the_debtor_is_called_not_the_party(schedule):
    rpi, commune = MemberFactory(name="RPI des Deux Vallées"), MemberFactory(name="Saubens")
    enrolled(schedule, party=rpi, debtor=commune)

    [member] = read_basis(schedule, 2024).members

    assert (member.siret, member.name) == (commune.siret, "Saubens")
    assert member.agreements[0].party == "RPI des Deux Vallées"
    assert "RPI des Deux Vallées" in member.agreements[0].title


def test_who_signs_for_itself_is_not_named_twice(schedule):
    enrolled(schedule)
    assert read_basis(schedule, 2024).members[0].agreements[0].party == ""


def test_a_debtor_of_two_agreements_is_called_once_with_both(schedule):
    commune = MemberFactory()
    enrolled(schedule, 2, party=commune, reference="B")
    enrolled(schedule, 1, party=MemberFactory(), debtor=commune, reference="A")

    [result] = read_basis(schedule, 2024).assess()

    assert [a.reference for a in result.member.agreements] == ["A", "B"]
    assert result.total == Decimal("135.00")


def test_a_member_not_described_yet_is_called_by_its_siret(schedule):
    pending = Member.objects.create(siret=valid_siret(77))
    enrolled(schedule, party=pending)
    assert valid_siret(77) in read_basis(schedule, 2024).members[0].name


# The tariff of the year.


def test_a_year_without_adoption_can_not_be_called(schedule):
    with pytest.raises(NotAdopted, match="Aucun tarif ENT n'est adopté pour 2022-2023"):
        read_basis(schedule, 2022)


def test_each_year_has_the_price_voted_for_it():
    occitanie = ScheduleFactory(code="OCC-ENT-ECOLE")
    adopt(occitanie, per_school("50.00"), years=(2020,))
    adopt(occitanie, per_school("45.00"), years=(2024,))
    enrolled(occitanie, first_year=2020, last_year=None)

    assert total(occitanie, 2020) == Decimal("50.00")
    assert total(occitanie, 2024) == Decimal("45.00")
    for year in (2019, 2021, 2022, 2023, 2025):
        with pytest.raises(NotAdopted):
            read_basis(occitanie, year)


def test_the_charges_come_in_the_order_of_the_tariff():
    schedule = adopt(
        ScheduleFactory(),
        per_pupil(code="ZETA"),
        {"code": "BANDES", "model": "banded", "unit_price": None, "bands": SITETV_BANDS[::-1]},
        {"code": "ALPHA", "model": "allocation", "unit_price": None, "pool": Decimal("2000.00")},
    )
    charges = read_basis(schedule, 2024).charges
    assert [charge.code for charge in charges] == ["ZETA", "BANDES", "ALPHA"]
    assert charges[1].bands == SITETV_BANDS
    assert charges[2].pool == Decimal("2000.00")


# Counts and usages.


def sources():
    return {
        code: HeadcountSourceFactory(code=code, rank=rank, billable=billable)
        for code, rank, billable in [
            ("IPS", 1, False),
            ("MANUEL", 3, True),
            ("DEPP", 2, True),
            ("ANNUAIRE", 4, False),
        ]
    }


@pytest.mark.parametrize(
    ("known", "retained"),
    [
        (["DEPP"], "DEPP"),
        (["MANUEL", "DEPP"], "DEPP"),
        (["DEPP", "MANUEL"], "DEPP"),
        (["IPS", "MANUEL"], "MANUEL"),
        (["ANNUAIRE", "IPS"], "IPS"),
        (["ANNUAIRE", "IPS", "MANUEL", "DEPP"], "DEPP"),
    ],
)
def test_the_billable_count_of_smallest_rank_is_retained(by_pupil, known, retained):
    school, by_code = SchoolFactory(), sources()
    pupils = {"DEPP": 100, "MANUEL": 101, "IPS": 102, "ANNUAIRE": 103}
    for code in known:
        HeadcountFactory(school=school, source=by_code[code], pupils=pupils[code])
    enrolled(by_pupil, school=school)

    kept = read_basis(by_pupil, 2024).members[0].agreements[0].schools[0]

    assert (kept.pupils, kept.pupils_source) == (pupils[retained], retained)
    assert kept.pupils_billable == (retained in ("DEPP", "MANUEL"))


@pytest.mark.parametrize("turned", [False, True])
def test_the_usage_retained_follows_the_same_ranks(by_pupil, turned):
    school, by_code = SchoolFactory(), sources()
    figures = [("ANNUAIRE", 53), ("DEPP", 50), ("MANUEL", 51), ("IPS", 52)]
    for code, active in reversed(figures) if turned else figures:
        UsageFactory(school=school, source=by_code[code], active_pupils=active)
    enrolled(by_pupil, school=school)
    assert read_basis(by_pupil, 2024).members[0].agreements[0].schools[0].active_pupils == 50


def test_counts_are_those_of_the_year_called(by_pupil):
    school = SchoolFactory()
    HeadcountFactory(school=school, school_year=2023, pupils=400)
    UsageFactory(school=school, school_year=2025)
    enrolled(by_pupil, school=school)
    assert anomalies(by_pupil) == [("missing_count", school.uai)]


def test_approximations_block_a_tariff_that_reads_counts_and_no_other(schedule, by_pupil):
    school = SchoolFactory()
    HeadcountFactory(school=school, source=sources()["IPS"])
    enrolled(schedule, school=school)
    enrolled(by_pupil, school=school)
    assert anomalies(schedule) == []
    assert anomalies(by_pupil) == [("count_not_billable", school.uai)]


def test_a_missing_count_blocks_a_tariff_that_reads_counts_and_no_other(schedule, by_pupil):
    school = SchoolFactory()
    enrolled(schedule, school=school)
    enrolled(by_pupil, school=school)
    assert anomalies(schedule) == []
    assert anomalies(by_pupil) == [("missing_count", school.uai)]


def test_a_school_that_no_annuaire_describes_blocks(schedule):
    school = SchoolFactory(name="", degree="", sector="", commune_name="")
    enrolled(schedule, school=school)
    assert anomalies(schedule) == [("school_unknown", school.uai)]


def test_a_private_school_counts_where_the_agreement_says_so():
    schedule = adopt(ScheduleFactory(), {**per_school(), "sector": ""})
    enrolled(schedule, school=SchoolFactory(sector="prive"), private_included=True)
    other = SchoolFactory(sector="prive")
    enrolled(schedule, school=other)
    assert total(schedule) == Decimal("45.00")
    assert anomalies(schedule) == [("out_of_scope", other.uai)]


# Options and units.


def test_options_and_units_are_those_of_the_year():
    schedule = adopt(
        ScheduleFactory(),
        per_school(),
        per_pupil(code="OPTION", subscription="OPTION"),
        {"code": "DEMIJOURNEE", "metric": "units", "unit_price": Decimal("150.00")},
        years=(2024, 2025),
    )
    convention = enrolled(schedule, last_year=None)
    SubscriptionFactory(convention=convention, first_year=2024, last_year=2024)
    SubscriptionFactory(convention=convention, code="AUTRE", first_year=2025)
    DeliveredUnitsFactory(convention=convention, school_year=2024, quantity=3)
    DeliveredUnitsFactory(convention=convention, school_year=2025, quantity=5)

    [of_2024], [of_2025] = (read_basis(schedule, year).members[0].agreements for year in (2024, 2025))

    assert of_2024.subscriptions == ("OPTION",)
    assert of_2024.units == (("DEMIJOURNEE", 3),)
    assert of_2025.subscriptions == ("AUTRE",)
    assert of_2025.units == (("DEMIJOURNEE", 5),)


# Decisions of the room above.


def test_the_pool_of_the_year_goes_to_the_allocation_that_has_none():
    allocation = {"model": "allocation", "unit_price": None}
    schedule = adopt(
        ScheduleFactory(),
        {"code": "ANNUELLE", **allocation},
        {"code": "FIXE", "pool": Decimal("2000.00"), **allocation},
    )
    enrolled(schedule)
    pools = {"ANNUELLE": (Decimal("6500.00"), "état"), "FIXE": (Decimal("1.00"), "état")}

    with_pools = read_basis(schedule, 2024, Decisions(pools=pools))

    assert {c.code: str(c.pool) for c in with_pools.charges} == {
        "ANNUELLE": "6500.00",
        "FIXE": "2000.00",
    }
    assert [a.code for r in read_basis(schedule, 2024).assess() for a in r.anomalies] == ["missing_pool"]


def test_deductions_go_to_the_debtor_they_name(schedule):
    one, two = (enrolled(schedule).debtor.siret for _ in range(2))
    subsidy = (Deduction("Subvention", Decimal("5.00")),)
    results = read_basis(schedule, 2024, Decisions(deductions={one: subsidy})).assess()
    assert {r.member.siret: str(r.total) for r in results} == {one: "40.00", two: "45.00"}


def test_a_school_left_out_is_kept_in_the_basis_with_its_reason(schedule):
    convention = enrolled(schedule, 2)
    out = convention.enrolments.first().school.uai
    basis = read_basis(schedule, 2024, Decisions(exclusions={out: "Effectif contesté."}))
    reasons = {s.uai: s.excluded for s in basis.members[0].agreements[0].schools}
    assert reasons.pop(out) == "Effectif contesté."
    assert set(reasons.values()) == {""}
    assert basis.assess()[0].total == Decimal("45.00")


def test_an_accepted_approximation_no_longer_blocks(by_pupil):
    school = SchoolFactory()
    HeadcountFactory(school=school, source=sources()["IPS"])
    enrolled(by_pupil, school=school)
    accepted = (Acceptance("count_not_billable", "démonstration", uai=school.uai),)
    [result] = read_basis(by_pupil, 2024, Decisions(acceptances=accepted)).assess()
    assert not result.blocked
    assert result.anomalies[0].accepted == "démonstration"


# Volume.


def test_the_number_of_queries_does_not_grow_with_the_members(
    by_pupil, django_assert_num_queries, django_assert_max_num_queries
):
    def add(count):
        for _ in range(count):
            issuer = IssuerFactory()
            convention = enrolled(by_pupil, 2, debtor=MemberFactory(), act=ActFactory(issuer=issuer))
            SubscriptionFactory(convention=convention)
            DeliveredUnitsFactory(convention=convention)
            for enrolment in convention.enrolments.all():
                HeadcountFactory(school=enrolment.school)
                UsageFactory(school=enrolment.school)

    add(2)
    with django_assert_max_num_queries(12) as few:
        assert len(read_basis(by_pupil, 2024).assess()) == 2
    add(28)
    with django_assert_num_queries(len(few.captured_queries)):
        assert len(read_basis(by_pupil, 2024).assess()) == 30


def test_the_queries_of_a_run_do_not_grow_with_the_members(by_pupil, django_assert_num_queries):
    for _ in range(2):
        enrolled(by_pupil)
    compute_run(schedule=by_pupil, year=2024, actor="essai")  # the campaign exists from now on
    with CaptureQueriesContext(connection) as few:
        compute_run(schedule=by_pupil, year=2024, actor="essai")
    for _ in range(28):
        enrolled(by_pupil)
    with django_assert_num_queries(len(few)):
        run_of_30 = compute_run(schedule=by_pupil, year=2024, actor="essai")
    assert run_of_30.calls.count() == 30
