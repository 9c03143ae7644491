"""The rules of the three first texts about agreements, one by one, as `regimes` writes them.

Those of the two partnerships (amendments, breach, window) have their own files.
"""

import datetime as dt

import pytest

from conventions import conditions, openings, states
from conventions.assessment import read_basis
from conventions.conditions import ConditionsRefused
from conventions.openings import OpeningRefused
from conventions.policies import CHARTER, FRAMEWORK, TRANSFER, Ending
from members.models import School
from tests.conventions.tariff import adopt, per_school
from tests.factories import (
    ActFactory,
    ConditionsFactory,
    ConventionFactory,
    EnrolmentFactory,
    LocalIssuerFactory,
    MemberFactory,
    ScheduleFactory,
    SchoolFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def schedule():
    return adopt(ScheduleFactory(issuer=LocalIssuerFactory()), per_school(), years=(2013, 2014, 2023))


def total(schedule, year):
    return sum(result.total for result in read_basis(schedule, year).assess())


def a_charter(schedule, voted=None, signed=None, **facts):
    """Make the adhesion of a commune, with the days its two papers were transmitted on."""
    commune = MemberFactory()
    act = ActFactory(issuer=None, member=commune, date=dt.date(2014, 9, 1), transmitted_on=voted)
    known = {"policy": CHARTER.code, "act": act, "transmitted_on": signed, "signed_on": None}
    return ConventionFactory(
        schedule=schedule, party=commune, first_year=2014, last_year=None, **{**known, **facts}
    )


def a_transfer(schedule, member_voted, committee_voted, asked, voices=(40, 5, 8)):
    """Make a transfer of competence: two concordant votes and the day that the member's one fixes."""
    epci = MemberFactory(kind="epci")
    names = ("votes_for", "votes_against", "abstentions")
    votes = dict(zip(names, voices, strict=True))
    return ConventionFactory(
        schedule=schedule,
        policy=TRANSFER.code,
        party=epci,
        act=ActFactory(issuer=None, member=epci, date=member_voted),
        committee_act=ActFactory(issuer=schedule.issuer, date=committee_voted, **votes),
        fixed_start=asked,
        first_year=2023,
        last_year=None,
    )


# 1. The charter of 2014.

EARLY, LATE = dt.date(2014, 9, 10), dt.date(2014, 10, 2)


@pytest.mark.parametrize(("voted", "signed"), [(EARLY, LATE), (LATE, EARLY), (LATE, LATE)])
def test_membership_takes_effect_when_both_papers_have_been_transmitted(schedule, voted, signed):
    assert a_charter(schedule, voted, signed).start.day == LATE


@pytest.mark.parametrize(("voted", "signed"), [(EARLY, None), (None, EARLY), (None, None)])
def test_a_signature_or_one_transmission_is_not_enough(schedule, voted, signed):
    assert a_charter(schedule, voted, signed, signed_on=EARLY).start.day is None


def test_a_contribution_is_due_from_the_first_exercice_of_effective_access(schedule):
    convention = a_charter(schedule, EARLY, LATE)
    EnrolmentFactory(convention=convention, opened_on=dt.date(2015, 1, 5))
    assert openings.first_exercice(dt.date(2015, 1, 5)) == 2015
    assert [sum(r.total for r in read_basis(schedule, year).assess()) for year in (2013, 2014)] == [
        0,
        45,
    ]


def test_a_year_begun_is_due_in_full_even_after_leaving(schedule):
    convention = a_charter(schedule, EARLY, LATE, status=states.TERMINATED)
    EnrolmentFactory(convention=convention, opened_on=dt.date(2014, 11, 3))
    convention.last_year, convention.ends_on = 2014, dt.date(2014, 12, 1)
    convention.save()
    assert total(schedule, 2014) == 45


def test_members_alone_leave_for_breach_or_general_interest_without_notice(schedule):
    assert CHARTER.endings == (Ending.BREACH_BY_MEMBER, Ending.GENERAL_INTEREST_BY_MEMBER)
    assert CHARTER.notice_months is None
    assert a_charter(schedule, EARLY, LATE).end.day is None


# 2. The transfer of competence of 2023.


@pytest.mark.parametrize(
    ("voices", "carried"),
    [((40, 20, 0), True), ((40, 20, 35), True), ((39, 20, 0), False), ((39, 20, 1), False)],
)
def test_the_committee_adopts_by_two_thirds_of_the_votes_cast_without_abstentions(
    schedule, voices, carried
):
    day = dt.date(2023, 9, 28)
    convention = a_transfer(schedule, day, day, day, voices)
    assert (convention.start.day == day) is carried


def test_the_deliberation_of_the_member_fixes_the_day_of_effect(schedule):
    member, committee, asked = dt.date(2023, 9, 28), dt.date(2023, 6, 15), dt.date(2024, 1, 1)
    convention = a_transfer(schedule, member, committee, asked)
    assert convention.start.day == asked
    assert "Fixé par la délibération" in convention.start.reason


@pytest.mark.parametrize(
    ("member", "committee"),
    [
        (dt.date(2023, 9, 28), dt.date(2023, 6, 15)),
        (dt.date(2023, 6, 15), dt.date(2023, 9, 28)),
    ],
)
def test_d19_the_day_of_effect_is_never_before_the_second_concordant_vote(schedule, member, committee):
    convention = a_transfer(schedule, member, committee, dt.date(2023, 7, 1))
    assert convention.start.day == dt.date(2023, 9, 28)


def test_the_deliberation_accepts_the_conditions_in_a_given_version_of_this_issuer(schedule):
    day = dt.date(2023, 9, 28)
    convention = a_transfer(schedule, day, day, day)
    adopted = ActFactory(issuer=schedule.issuer, date=dt.date(2023, 6, 15))
    version = ConditionsFactory(issuer=schedule.issuer, act=adopted)
    conditions.accept(convention=convention, conditions=version, actor="essai")
    convention.refresh_from_db()
    assert convention.conditions == version
    with pytest.raises(ConditionsRefused):
        conditions.accept(convention=convention, conditions=ConditionsFactory(), actor="essai")


def test_a_change_of_the_conditions_is_voted_by_the_committee_and_notified_to_the_members(schedule):
    day = dt.date(2023, 9, 28)
    convention = a_transfer(schedule, day, day, day)
    changed = ActFactory(issuer=schedule.issuer, date=dt.date(2024, 6, 20))
    version = ConditionsFactory(issuer=schedule.issuer, act=changed)
    assert conditions.to_notify(version) == [convention]
    with pytest.raises(ConditionsRefused):
        conditions.notify(
            conditions=version, conventions=[convention], on=dt.date(2024, 6, 19), actor="essai"
        )
    done = conditions.notify(
        conditions=version, conventions=[convention], on=dt.date(2024, 7, 1), actor="essai"
    )
    assert done.told == (convention,)
    assert conditions.to_notify(version) == []


def test_withdrawal_follows_the_statutes():
    assert TRANSFER.endings == (Ending.STATUTES,)


# 3. The framework agreement of 2010.


def a_framework(schedule, signed_on):
    return ConventionFactory(
        schedule=schedule, policy=FRAMEWORK.code, signed_on=signed_on, first_year=2010, last_year=2013
    )


def a_school_of_the_somme(schedule, validated_on):
    convention = a_charter(schedule, EARLY, LATE)
    return EnrolmentFactory(
        convention=convention,
        school=SchoolFactory(degree=School.Degree.FIRST, academy_code="20"),
        first_year=2010,
        project_submitted_on=validated_on,
        project_validated_on=validated_on,
    )


def test_the_framework_lasts_three_years_from_its_signature(schedule):
    assert a_framework(schedule, dt.date(2010, 5, 17)).end.day == dt.date(2013, 5, 16)
    unsigned = a_framework(schedule, None)
    assert unsigned.end.day is None
    assert "n'est pas établi" in unsigned.end.reason


def test_accounts_open_after_the_school_holidays_that_follow_the_validation_of_the_ien(schedule):
    """Zone B, winter 2012: holidays until Sunday 11 March."""
    a_framework(schedule, dt.date(2010, 5, 17))
    enrolment = a_school_of_the_somme(schedule, dt.date(2012, 2, 6))
    assert openings.gate(enrolment).day == dt.date(2012, 3, 12)
    with pytest.raises(OpeningRefused):
        openings.open_school(enrolment=enrolment, on=dt.date(2012, 3, 9), actor="essai")
    openings.open_school(enrolment=enrolment, on=dt.date(2012, 3, 12), actor="essai")


def test_no_school_opens_once_the_framework_is_over(schedule):
    a_framework(schedule, dt.date(2010, 5, 17))
    enrolment = a_school_of_the_somme(schedule, dt.date(2013, 4, 2))
    assert openings.gate(enrolment).day == dt.date(2013, 4, 29)
    openings.open_school(enrolment=enrolment, on=dt.date(2013, 4, 29), actor="essai")
    late = a_school_of_the_somme(schedule, dt.date(2013, 4, 2))
    with pytest.raises(OpeningRefused, match="Aucune convention cadre"):
        openings.open_school(enrolment=late, on=dt.date(2013, 5, 17), actor="essai")


def test_the_framework_gates_openings_and_never_a_call(schedule):
    a_framework(schedule, dt.date(2010, 5, 17))
    enrolment = a_school_of_the_somme(schedule, dt.date(2012, 2, 6))
    enrolment.opened_on = dt.date(2012, 3, 12)
    enrolment.save()
    assert not FRAMEWORK.bills
    [member] = read_basis(schedule, 2014).members
    assert total(schedule, 2014) == 45
    assert member.siret == enrolment.convention.debtor.siret
