"""The ways out of an agreement, each only where its text has it."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conventions.endings import (
    EARLIEST,
    WAYS,
    Letters,
    after_breach,
    after_notice,
    disorder,
    earliest,
    last_year_due,
    months_after,
    next_record,
    timeline,
)
from conventions.policies import (
    CHARTER,
    FRAMEWORK,
    PARTNERSHIP_2020,
    PARTNERSHIP_2024,
    TRANSFER,
    Ending,
)


def test_it_works():
    """Montpellier: one month after the letter, and nothing is paid back."""
    step = after_notice(PARTNERSHIP_2020, dt.date(2021, 1, 31))
    assert step.day == dt.date(2021, 2, 28)
    assert "pas remboursées" in step.reason


@pytest.mark.parametrize("policy", [CHARTER, FRAMEWORK, TRANSFER, PARTNERSHIP_2024])
def test_notice_is_open_where_the_text_has_it_only(policy):
    assert Ending.NOTICE not in policy.endings
    with pytest.raises(ValueError, match="n'ouvre pas"):
        after_notice(policy, dt.date(2021, 1, 31))


@pytest.mark.parametrize("policy", [PARTNERSHIP_2020, PARTNERSHIP_2024])
def test_a_breach_goes_through_conciliation_then_a_second_letter(policy):
    letters = Letters(dt.date(2025, 1, 10), dt.date(2025, 2, 10), dt.date(2025, 2, 12))
    assert [(step.name, step.day) for step in after_breach(policy, letters)] == [
        ("Mise en demeure", dt.date(2025, 1, 10)),
        ("Conciliation au plus tard", dt.date(2025, 2, 10)),
        ("Échec de la conciliation", dt.date(2025, 2, 10)),
        ("Seconde lettre", dt.date(2025, 2, 12)),
        (EARLIEST, dt.date(2025, 2, 27)),
    ]


def test_a_breach_not_begun_has_no_date():
    assert [step.day for step in after_breach(PARTNERSHIP_2024, Letters())] == [None] * 5


def test_a_conciliation_that_failed_at_once_has_no_term():
    steps = after_breach(PARTNERSHIP_2024, Letters(dt.date(2025, 1, 10), dt.date(2025, 1, 12)))
    assert [(step.name, step.day) for step in steps] == [
        ("Mise en demeure", dt.date(2025, 1, 10)),
        ("Échec de la conciliation", dt.date(2025, 1, 12)),
        ("Seconde lettre", None),
        (EARLIEST, None),
    ]


def test_the_timeline_of_a_notice_ends_a_month_later():
    steps = timeline(PARTNERSHIP_2020, Ending.NOTICE, Letters(notified=dt.date(2021, 1, 31)))
    assert [(step.name, step.day, step.done) for step in steps] == [
        ("Lettre de dénonciation", dt.date(2021, 1, 31), True),
        (EARLIEST, dt.date(2021, 2, 28), False),
    ]


def test_a_member_that_decides_alone_ends_on_its_vote_and_the_text_says_no_delay():
    for policy, ending, word in (
        (CHARTER, Ending.BREACH_BY_MEMBER, "l'absence d'accord"),
        (CHARTER, Ending.GENERAL_INTEREST_BY_MEMBER, "ne fixe pas de délai"),
        (TRANSFER, Ending.STATUTES, "article 16 des statuts"),
    ):
        steps = timeline(policy, ending, Letters(voted=dt.date(2025, 2, 3)))
        assert [step.day for step in steps] == [dt.date(2025, 2, 3)] * 2
        assert word in steps[-1].reason
        assert earliest(timeline(policy, ending, Letters())) is None
        assert WAYS[ending].member_only


def test_no_timeline_where_the_text_does_not_open_the_way():
    for policy in (CHARTER, FRAMEWORK, TRANSFER, PARTNERSHIP_2020, PARTNERSHIP_2024):
        for ending in set(Ending) - set(policy.endings):
            with pytest.raises(ValueError, match="n'ouvre pas la voie"):
                timeline(policy, ending, Letters())


def test_dates_out_of_order_are_told():
    skipped = Letters(formal_notice=dt.date(2025, 1, 10), second_letter=dt.date(2025, 2, 12))
    assert "datez d'abord cette étape" in disorder(Ending.BREACH, skipped)
    backwards = Letters(dt.date(2025, 1, 10), dt.date(2025, 1, 9))
    assert "ne peut pas précéder" in disorder(Ending.BREACH, backwards)
    with pytest.raises(ValueError, match="ne peut pas précéder"):
        timeline(PARTNERSHIP_2024, Ending.BREACH, backwards)


def test_a_year_begun_is_due_in_full_and_the_end_adds_none():
    assert last_year_due(dt.date(2025, 8, 31), None) == 2024
    assert last_year_due(dt.date(2025, 9, 1), None) == 2025
    assert last_year_due(dt.date(2025, 9, 1), 2024) == 2024


POLICY_OF = {
    Ending.NOTICE: PARTNERSHIP_2020,
    Ending.BREACH: PARTNERSHIP_2024,
    Ending.BREACH_BY_MEMBER: CHARTER,
    Ending.GENERAL_INTEREST_BY_MEMBER: CHARTER,
    Ending.STATUTES: TRANSFER,
}
days = st.dates(dt.date(2010, 1, 1), dt.date(2060, 1, 1))


@given(st.sampled_from(list(Ending)), st.lists(days, max_size=3))
def test_whatever_the_dates_the_steps_never_go_back_in_time(ending, recorded):
    """The dates recorded so far, in their order, are followed by steps that are not before them."""
    letters = Letters(**dict(zip(WAYS[ending].records, sorted(recorded), strict=False)))
    steps = timeline(POLICY_OF[ending], ending, letters)
    known = [step.day for step in steps if step.day]
    assert known == sorted(known)
    assert [s.record for s in steps if s.record] == list(WAYS[ending].records)
    assert (earliest(steps) is None) == bool(next_record(ending, letters))


@given(st.sampled_from(list(Ending)), st.lists(days | st.none(), min_size=3, max_size=3))
def test_a_timeline_is_shown_just_when_its_dates_are_in_order(ending, recorded):
    letters = Letters(**dict(zip(WAYS[ending].records, recorded, strict=False)))
    kept = [getattr(letters, name) for name in WAYS[ending].records]
    there = [day for day in kept if day]
    in_order = there == sorted(there) and kept[: len(there)] == there
    assert (disorder(ending, letters) == "") == in_order


def test_members_alone_may_leave_the_charter_and_the_statutes_rule_the_transfer():
    assert set(CHARTER.endings) == {Ending.BREACH_BY_MEMBER, Ending.GENERAL_INTEREST_BY_MEMBER}
    assert TRANSFER.endings == (Ending.STATUTES,)
    assert FRAMEWORK.endings == ()


@given(st.dates(dt.date(2000, 1, 1), dt.date(2090, 1, 1)), st.integers(0, 36))
def test_months_are_counted_from_day_to_day(day, months):
    later = months_after(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later + dt.timedelta(days=1)).day == 1)
