"""The start and the end of an agreement, for each kind of text."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conventions.effect import Facts, carries, ends, starts
from conventions.policies import (
    CHARTER,
    FRAMEWORK,
    PARTNERSHIP_2020,
    PARTNERSHIP_2024,
    POLICIES,
    TRANSFER,
)

DAY, LATER = dt.date(2014, 9, 10), dt.date(2014, 10, 2)


def test_it_works():
    """The charter of 2014: the later of two transmissions."""
    start = starts(CHARTER, Facts(vote_transmitted_on=DAY, text_transmitted_on=LATER))
    assert start.day == LATER
    assert "charte signée" in start.reason


@pytest.mark.parametrize(
    "facts", [Facts(vote_transmitted_on=DAY), Facts(text_transmitted_on=DAY), Facts(signed_on=DAY)]
)
def test_a_charter_waits_for_both_transmissions(facts):
    start = starts(CHARTER, facts)
    assert start.day is None
    assert "n'est pas datée" in start.reason


@pytest.mark.parametrize("policy", [FRAMEWORK, PARTNERSHIP_2020, PARTNERSHIP_2024])
def test_a_partnership_and_the_framework_start_when_signed(policy):
    assert starts(policy, Facts(signed_on=DAY)).day == DAY
    assert starts(policy, Facts()).day is None


def test_a_transfer_starts_on_the_day_its_deliberation_fixes():
    facts = Facts(fixed_by_vote=dt.date(2024, 1, 1), votes=(dt.date(2023, 9, 1), dt.date(2023, 6, 15)))
    assert starts(TRANSFER, facts).day == dt.date(2024, 1, 1)


def test_d19_a_transfer_never_starts_before_the_second_concordant_vote():
    facts = Facts(fixed_by_vote=dt.date(2023, 7, 1), votes=(dt.date(2023, 6, 15), dt.date(2023, 9, 28)))
    start = starts(TRANSFER, facts)
    assert start.day == dt.date(2023, 9, 28)
    assert "précède" in start.reason


@pytest.mark.parametrize(
    "facts",
    [
        Facts(fixed_by_vote=DAY, votes=(DAY,)),
        Facts(votes=(DAY, LATER)),
        Facts(fixed_by_vote=DAY),
    ],
)
def test_a_transfer_waits_for_two_votes_and_a_day(facts):
    assert starts(TRANSFER, facts).day is None


@pytest.mark.parametrize(
    ("signed", "last"),
    [
        (dt.date(2010, 5, 17), dt.date(2013, 5, 16)),
        (dt.date(2012, 2, 29), dt.date(2015, 2, 28)),
    ],
)
def test_the_framework_lasts_three_years(signed, last):
    assert ends(FRAMEWORK, Facts(signed_on=signed)).day == last


def test_the_framework_not_signed_has_no_end_yet():
    assert ends(FRAMEWORK, Facts()).day is None


@pytest.mark.parametrize(
    ("policy", "last"),
    [(PARTNERSHIP_2020, dt.date(2021, 10, 31)), (PARTNERSHIP_2024, dt.date(2025, 9, 5))],
)
def test_a_partnership_ends_on_a_fixed_day(policy, last):
    assert ends(policy, Facts(signed_on=DAY)).day == last


@pytest.mark.parametrize("policy", [CHARTER, TRANSFER])
def test_a_charter_and_a_transfer_have_no_term(policy):
    end = ends(policy, Facts(signed_on=DAY))
    assert end.day is None
    assert "Sans terme" in end.reason


def test_the_framework_alone_bills_nothing():
    assert [policy.code for policy in POLICIES.values() if not policy.bills] == [FRAMEWORK.code]


def test_only_the_partnership_of_2020_has_a_window():
    assert [policy.code for policy in POLICIES.values() if policy.window] == [PARTNERSHIP_2020.code]


@pytest.mark.parametrize(
    ("votes_for", "votes_against", "carried"),
    [(2, 1, True), (66, 34, False), (67, 33, True), (0, 0, False), (1, 0, True), (0, 5, False)],
)
def test_two_thirds_of_the_votes_cast_carry(votes_for, votes_against, carried):
    assert carries(votes_for, votes_against) is carried


@given(st.integers(0, 500), st.integers(0, 500))
def test_one_more_vote_for_never_loses_a_vote(votes_for, votes_against):
    if carries(votes_for, votes_against):
        assert carries(votes_for + 1, votes_against)


DAYS = st.none() | st.dates(dt.date(2010, 1, 1), dt.date(2030, 1, 1))


@given(
    st.sampled_from(list(POLICIES.values())),
    st.builds(
        Facts, DAYS, DAYS, DAYS, DAYS, st.lists(st.dates(dt.date(2010, 1, 1)), max_size=3).map(tuple)
    ),
)
def test_a_day_or_its_absence_always_has_its_reason(policy, facts):
    for day in (starts(policy, facts), ends(policy, facts)):
        assert day.reason.endswith(".")
