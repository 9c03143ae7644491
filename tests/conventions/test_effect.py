"""The start and the end of an agreement, for each kind of text."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conventions.effect import Facts, ends, starts
from conventions.policies import (
    BY_TWO_THIRDS,
    CHARTER,
    FRAMEWORK,
    PARTNERSHIP_2020,
    PARTNERSHIP_2024,
    POLICIES,
    TRANSFER,
    WITH_CONDITIONS,
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


def test_a_transfer_that_two_thirds_of_the_committee_did_not_adopt_never_starts():
    facts = Facts(fixed_by_vote=LATER, votes=(DAY, DAY), carried=False)
    assert starts(TRANSFER, facts).day is None
    assert "deux tiers" in starts(TRANSFER, facts).reason


def test_a_vote_whose_voices_are_not_recorded_is_trusted():
    assert starts(TRANSFER, Facts(fixed_by_vote=LATER, votes=(DAY, DAY))).day == LATER


def test_only_the_transfer_asks_for_two_thirds_and_has_conditions():
    assert BY_TWO_THIRDS == WITH_CONDITIONS == (TRANSFER.code,)


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
