"""Two agreements for a same commune, and schools of another one: told, never refused."""

import datetime as dt

import pytest

from conventions import states
from conventions.assessment import read_basis
from conventions.policies import FRAMEWORK, PARTNERSHIP_2024
from conventions.readiness import FINDINGS
from conventions.territories import warnings
from members.models import Commune, GroupedSchool, Member, Membership
from tests.conventions.world import PER_SCHOOL, a_member, a_schedule, a_school, account, scope_of
from tests.factories import ConventionFactory, EnrolmentFactory

pytestmark = pytest.mark.django_db

TODAY = dt.date(2024, 11, 4)
SINCE = dt.date(2020, 9, 1)


@pytest.fixture
def schedule():
    return a_schedule(PER_SCHOOL)


def an_agreement(schedule, party, **facts):
    given = {"policy": PARTNERSHIP_2024.code, **facts}
    payer = given.pop("debtor", party if party.siret else a_member())
    return ConventionFactory(schedule=schedule, party=party, debtor=payer, **given)


def a_body(*communes, kind=Member.Kind.RPI, **facts):
    siret = {"siret": None} if kind == Member.Kind.RPI else {}
    body = a_member(kind=kind, **siret, **facts)
    for commune in communes:
        Membership.objects.create(body=body, commune=commune, valid_from=SINCE)
    return body


def found(schedule, code):
    return list(FINDINGS[code].rows(scope_of(schedule)).order_by("pk"))


def told(convention):
    return " ".join(warnings(convention, TODAY)).replace("\u00a0", " ")


# --- Two agreements for a same commune --------------------------------------------------------


def test_two_agreements_of_a_same_signatory_are_told_on_both(schedule):
    commune = a_member()
    first, second = an_agreement(schedule, commune), an_agreement(schedule, commune)
    assert found(schedule, "deux-conventions") == [first, second]
    assert f"La convention {second.reference}" in told(first)
    assert f"La convention {first.reference}" in told(second)


@pytest.mark.parametrize("kind", [Member.Kind.RPI, Member.Kind.EPCI])
def test_a_commune_and_its_grouping_are_told(schedule, kind):
    commune = a_member()
    alone = an_agreement(schedule, commune)
    grouped = an_agreement(schedule, a_body(commune, kind=kind))
    assert found(schedule, "deux-conventions") == [alone, grouped]
    assert told(alone)
    assert told(grouped)


def test_two_groupings_that_share_a_commune_are_told(schedule):
    shared = a_member()
    bodies = [a_body(shared, a_member()), a_body(shared, kind=Member.Kind.EPCI)]
    assert len([an_agreement(schedule, body) for body in bodies]) == 2
    assert len(found(schedule, "deux-conventions")) == 2


def test_what_is_no_second_agreement_is_not_told(schedule):
    """Another tariff, another year, given up, the framework, a commune that left, who only pays."""
    commune = a_member()
    one = an_agreement(schedule, commune)
    an_agreement(a_schedule(PER_SCHOOL), commune)
    an_agreement(schedule, commune, first_year=2023, last_year=2023)
    an_agreement(schedule, commune, status=states.ABANDONED)
    an_agreement(schedule, commune, policy=FRAMEWORK.code)
    left = a_body(commune)
    Membership.objects.update(valid_to=dt.date(2024, 8, 31))
    an_agreement(schedule, left)
    an_agreement(schedule, a_body(a_member()), debtor=commune)
    assert not found(schedule, "deux-conventions")
    assert not told(one)


def test_a_school_that_two_agreements_name_is_billed_by_none(schedule):
    """What is told above is a doubt; this is an error, and blocks both calls."""
    school = a_school()
    for _ in range(2):
        EnrolmentFactory(convention=an_agreement(schedule, a_member()), school=school)
    results = read_basis(schedule, 2024).assess()
    blocking = [[a.code for a in result.anomalies if a.blocking] for result in results]
    assert blocking == [["school_twice"], ["school_twice"]]


# --- Schools of another commune ---------------------------------------------------------------


def enrolled(schedule, party, school):
    convention = an_agreement(schedule, party)
    EnrolmentFactory(convention=convention, school=school)
    return convention


def test_a_school_of_another_commune_is_told(schedule):
    school = a_school(commune_code="31002", commune_name="Ailleurs")
    convention = enrolled(schedule, a_member(insee_code="31001"), school)
    assert found(schedule, "hors-commune") == [school]
    assert f"{school} (Ailleurs)" in told(convention)


def test_a_school_outside_the_communes_of_the_body_is_told(schedule):
    body = a_body(a_member(insee_code="31001"), kind=Member.Kind.EPCI)
    school = a_school(commune_code="31002")
    enrolled(schedule, body, school)
    assert found(schedule, "hors-commune") == [school]


def own_commune(school):
    return a_member(insee_code="31002")


def its_body(school):
    return a_body(a_member(insee_code="31001"), a_member(insee_code="31002"))


def a_commune_of_its_rpi(school):
    first = a_member(insee_code="31001")
    a_body(first, a_member(insee_code="31002"))
    return first


def who_stands_for_its_rpi(school):
    first = a_member(insee_code="31001")
    a_body(a_member(insee_code="31002"), representative=first)
    return first


def the_rpi_that_lists_it(school):
    body = a_body(a_member(insee_code="31001"))
    GroupedSchool.objects.create(body=body, school=school, valid_from=SINCE)
    return body


def the_commune_it_became_part_of(school):
    today = Commune.objects.create(code="31003", name="Nouvelle")
    Commune.objects.create(code="31002", name="Ancienne", kind=Commune.Kind.DELEGATED, today=today)
    return a_member(insee_code="31003")


def a_body_of_unknown_communes(school):
    return a_member(kind=Member.Kind.EPCI)


def a_commune_of_unknown_code(school):
    return a_member(insee_code="")


def a_departement(school):
    return a_member(kind=Member.Kind.DEPARTEMENT, insee_code="31")


@pytest.mark.parametrize(
    "signatory",
    [
        own_commune,
        its_body,
        a_commune_of_its_rpi,
        who_stands_for_its_rpi,
        the_rpi_that_lists_it,
        the_commune_it_became_part_of,
        a_body_of_unknown_communes,
        a_commune_of_unknown_code,
        a_departement,
    ],
)
def test_a_school_in_its_place_or_in_doubt_is_not_told(schedule, signatory):
    school = a_school(commune_code="31002")
    convention = enrolled(schedule, signatory(school), school)
    assert not found(schedule, "hors-commune")
    assert not told(convention)


def test_the_epci_of_a_commune_lends_it_no_school(schedule):
    first = a_member(insee_code="31001")
    a_body(first, a_member(insee_code="31002"), kind=Member.Kind.EPCI)
    school = a_school(commune_code="31002")
    enrolled(schedule, first, school)
    assert found(schedule, "hors-commune") == [school]


# --- On the pages -----------------------------------------------------------------------------


def test_the_form_saves_and_warns(client, schedule):
    commune = a_member(insee_code="31001")
    other = an_agreement(schedule, commune)
    account(client, "gestionnaire", schedule.issuer)
    school = a_school(commune_code="31002")
    inlines = {
        f"{name}-{field}": "0"
        for name in ("enrolments", "subscriptions", "units")
        for field in ("TOTAL_FORMS", "INITIAL_FORMS")
    }
    facts = {
        "schedule": schedule.pk, "policy": PARTNERSHIP_2024.code, "reference": "NEUVE",
        "party": commune.pk, "debtor": commune.pk, "first_year": "2024-2025", "last_year": "2024-2025",
        "amendments_before": "0", **inlines, "enrolments-TOTAL_FORMS": "1",
        "enrolments-0-school": school.pk, "enrolments-0-first_year": "2024-2025",
    }  # fmt: skip
    response = client.post("/admin/conventions/convention/add/", facts, follow=True)
    said = " ".join(str(message) for message in response.context["messages"])
    assert f"La convention {other.reference}" in said
    assert school.uai in said
