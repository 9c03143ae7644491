"""Last year's counts are read beside this year's, and old frozen bases know nothing of them."""

from decimal import Decimal

import pytest

from conventions.assessment import read_basis
from conventions.basis import from_json
from members import counts
from members.models import Headcount
from tests.factories import (
    AdoptionFactory,
    ChargeFactory,
    ConventionFactory,
    EnrolmentFactory,
    HeadcountFactory,
    HeadcountSourceFactory,
    ScheduleFactory,
    SchoolFactory,
    VersionFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def schedule():
    schedule = ScheduleFactory()
    version = VersionFactory(schedule=schedule)
    ChargeFactory(version=version, code="COMPTES", metric="pupils", unit_price=Decimal("6.00"))
    AdoptionFactory(version=version)
    return schedule


@pytest.fixture
def school(schedule):
    school = SchoolFactory(uai="0341301E")
    EnrolmentFactory(convention=ConventionFactory(schedule=schedule), school=school)
    HeadcountFactory(school=school, pupils=412)
    return school


def warned(schedule):
    results = read_basis(schedule, 2024).assess()
    return [a.code for result in results for a in result.anomalies]


def previous(schedule):
    [member] = read_basis(schedule, 2024).members
    return [s.previous_pupils for a in member.agreements for s in a.schools]


def test_it_works(schedule, school):
    HeadcountFactory(school=school, school_year=2023, pupils=300)
    assert previous(schedule) == [300]
    assert warned(schedule) == ["variation"]


@pytest.mark.parametrize("year", [2022, 2025])
def test_only_the_year_just_before_is_compared(schedule, school, year):
    HeadcountFactory(school=school, school_year=year, pupils=300)
    assert previous(schedule) == [None]
    assert warned(schedule) == []


def test_the_first_year_of_a_school_is_compared_with_nothing(schedule, school):
    assert warned(schedule) == []


def test_an_approximation_of_last_year_is_compared_with_nothing(schedule, school):
    ips = HeadcountSourceFactory(code="IPS", rank=4, billable=False)
    HeadcountFactory(school=school, school_year=2023, source=ips, pupils=280)
    assert previous(schedule) == [None]
    assert warned(schedule) == []


def test_a_count_replaced_since_is_not_the_one_compared(schedule, school):
    last = HeadcountFactory(school=school, school_year=2023, pupils=300)
    mended = Headcount(school=school, school_year=2023, source=last.source, pupils=400)
    counts.keep(Headcount, [mended])
    assert previous(schedule) == [400]
    assert warned(schedule) == []


def test_a_basis_frozen_before_the_warning_existed_still_gives_the_same_amounts(schedule, school):
    HeadcountFactory(school=school, school_year=2023, pupils=300)
    basis = read_basis(schedule, 2024)
    frozen = basis.as_json()
    for member in frozen["members"]:
        for agreement in member["agreements"]:
            for enrolled in agreement["schools"]:
                del enrolled["previous_pupils"]

    [replayed], [today] = from_json(frozen).assess(), basis.assess()

    assert replayed.lines == today.lines
    assert replayed.total == Decimal("2472.00")
    assert replayed.anomalies == []
