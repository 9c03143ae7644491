"""What is missing in agreements: their text, their day of effect, the committee's vote, conditions."""

import datetime as dt

import pytest

from conventions import states
from conventions.assessment import covering
from conventions.models import Convention, Enrolment, Paper
from conventions.policies import CHARTER, FRAMEWORK, PARTNERSHIP_2024, POLICIES, TRANSFER
from conventions.readiness import FINDINGS, counts
from tests.conventions.world import PER_PUPIL, PER_SCHOOL, YEAR, a_member, a_schedule, enrol, scope_of
from tests.factories import (
    ActFactory,
    ConditionsFactory,
    ConditionsNoticeFactory,
    ConventionFactory,
    EnrolmentFactory,
    MemberFactory,
    PaperFactory,
)

pytestmark = pytest.mark.django_db

VOTED = dt.date(2023, 9, 28)


@pytest.fixture
def schedule():
    return a_schedule(PER_SCHOOL)


def found(schedule, code, year=YEAR):
    """Return the rows of a line, after checking that the number of the page is theirs."""
    scope = scope_of(schedule, year)
    rows = list(FINDINGS[code].rows(scope))
    assert counts(scope)[code] == len(rows)
    return rows


def a_transfer(schedule, voices=(20, 10), **facts):
    """Make a transfer of competence that lacks nothing but conditions."""
    party = MemberFactory(kind="epci")
    votes = dict(zip(("votes_for", "votes_against"), voices, strict=True))
    known = {
        "policy": TRANSFER.code,
        "party": party,
        "act": ActFactory(issuer=None, member=party, date=VOTED),
        "committee_act": ActFactory(issuer=schedule.issuer, date=VOTED, **votes),
        "fixed_start": dt.date(2024, 1, 1),
    }
    return ConventionFactory(schedule=schedule, **{**known, **facts})


def test_it_works(schedule):
    named = ConventionFactory(schedule=schedule, policy=PARTNERSHIP_2024.code)
    unnamed = ConventionFactory(schedule=schedule)
    assert found(schedule, "sans-texte") == [unnamed]
    assert found(schedule, "sans-debut") == []
    assert named.start.day


@pytest.mark.parametrize("policy", [PARTNERSHIP_2024, FRAMEWORK])
def test_what_starts_when_signed_lacks_its_signature(schedule, policy):
    unsigned = ConventionFactory(schedule=schedule, policy=policy.code, signed_on=None)
    assert found(schedule, "sans-debut") == [unsigned]


def test_a_charter_lacks_one_of_its_transmissions(schedule):
    whole = ActFactory(transmitted_on=VOTED, date=VOTED)
    facts = [
        {"act": whole, "transmitted_on": VOTED},
        {"act": whole},
        {"act": ActFactory(), "transmitted_on": VOTED},
        {"transmitted_on": VOTED},
    ]
    made = [ConventionFactory(schedule=schedule, policy=CHARTER.code, **given) for given in facts]
    lacking = found(schedule, "sans-debut")
    assert set(lacking) == set(made[1:])
    assert [convention.start.day is None for convention in made] == [False, True, True, True]


def test_a_transfer_lacks_a_vote_or_the_day_it_fixes(schedule):
    a_transfer(schedule)
    lacking = {
        a_transfer(schedule, fixed_start=None),
        a_transfer(schedule, act=None),
        a_transfer(schedule, committee_act=None),
    }
    assert set(found(schedule, "sans-debut")) == lacking
    assert all(convention.start.day is None for convention in lacking)


def test_what_is_not_signed_yet_lacks_no_day(schedule):
    for status in (states.DRAFT, states.SENT, states.ABANDONED):
        ConventionFactory(schedule=schedule, policy=PARTNERSHIP_2024.code, signed_on=None, status=status)
    assert found(schedule, "sans-debut") == []


def test_two_thirds_of_the_votes_cast_are_missing_or_not_reached(schedule):
    carried = [a_transfer(schedule, voices=voices) for voices in ((20, 10), (1, 0), (67, 33))]
    short = [a_transfer(schedule, voices=voices) for voices in ((66, 34), (0, 0), (0, 3), (1, 1))]
    unknown = [a_transfer(schedule, voices=(None, None)), a_transfer(schedule, voices=(5, None))]
    unknown.append(a_transfer(schedule, committee_act=None))
    assert set(found(schedule, "sans-deux-tiers")) == {*short, *unknown}
    assert all(c.committee_act.vote.carries_two_thirds for c in carried)
    assert not any(c.committee_act.vote.carries_two_thirds for c in short)
    assert all(c.start.day is None for c in short)


def test_other_texts_ask_for_no_two_thirds_and_no_conditions(schedule):
    ConventionFactory(schedule=schedule, policy=PARTNERSHIP_2024.code)
    ConditionsFactory(issuer=schedule.issuer)
    for code in ("sans-deux-tiers", "sans-conditions", "conditions-a-notifier"):
        assert found(schedule, code) == []


def test_the_version_that_a_deliberation_accepts_is_asked_for(schedule):
    version = ConditionsFactory(issuer=schedule.issuer)
    a_transfer(schedule, conditions=version)
    lacking = a_transfer(schedule)
    assert found(schedule, "sans-conditions") == [lacking]


def test_the_last_conditions_are_to_notify_to_who_neither_accepted_nor_was_told(schedule):
    old = ConditionsFactory(
        issuer=schedule.issuer, act=ActFactory(issuer=schedule.issuer, date=dt.date(2023, 6, 15))
    )
    a_transfer(schedule, conditions=old)
    assert found(schedule, "conditions-a-notifier") == []
    new = ConditionsFactory(
        issuer=schedule.issuer, act=ActFactory(issuer=schedule.issuer, date=dt.date(2024, 6, 15))
    )
    told, unknown = a_transfer(schedule, conditions=old), a_transfer(schedule)
    ConditionsNoticeFactory(conditions=new, convention=told)
    a_transfer(schedule, conditions=new)
    a_transfer(schedule, status=states.EXPIRED)
    rows = found(schedule, "conditions-a-notifier")
    assert unknown in rows
    assert told not in rows
    assert len(rows) == 2


def test_the_framework_has_neither_payer_nor_school_to_check(schedule):
    framework = ConventionFactory(
        schedule=schedule, policy=FRAMEWORK.code, party=a_member(email="", address="", siret=None)
    )
    EnrolmentFactory(convention=framework)
    PaperFactory(convention=framework, role=Paper.Role.SIGNED, text=None)
    ConventionFactory(schedule=schedule, policy=FRAMEWORK.code, status=states.DRAFT)
    numbers = counts(scope_of(schedule))
    assert {code for code, number in numbers.items() if number} == set()


def test_years_beyond_the_text_are_told(schedule):
    """The finding matches what the form would refuse."""
    spans = [(2024, 2024), (2024, None), (2023, 2024), (2024, 2025), (2020, 2020), (2020, 2024)]
    for policy in POLICIES.values():
        for first, last in spans:
            ConventionFactory(schedule=schedule, policy=policy.code, first_year=first, last_year=last)
    told = found(schedule, "annees-hors-texte")
    rows = Convention.objects.filter(covering(2024)).order_by("pk")
    assert set(told) == {row for row in rows if row.years_obstacle}
    assert len(told) == 5 + 4


def test_an_abandoned_agreement_has_nothing_to_check(schedule):
    ConventionFactory(schedule=schedule, status=states.ABANDONED, party=a_member(email=""))
    assert not any(counts(scope_of(schedule)).values())


def test_schools_that_wait_for_their_opening_are_named_and_need_no_count():
    schedule = a_schedule(PER_PUPIL)
    waiting, opened = enrol(schedule), enrol(schedule)
    convention = ConventionFactory(schedule=schedule, policy=PARTNERSHIP_2024.code)
    later = EnrolmentFactory(convention=convention, opened_on=dt.date(2025, 9, 8)).school
    Enrolment.objects.filter(school=waiting).update(project_submitted_on=dt.date(2024, 11, 4))
    assert set(found(schedule, "en-attente")) == {waiting, later}
    assert found(schedule, "sans-effectif") == [opened]
