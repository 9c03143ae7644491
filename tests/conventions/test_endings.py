"""The ways out of an agreement, each only where its text has it."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conventions.endings import Letters, after_breach, after_notice, months_after
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
        ("Résiliation possible dès le", dt.date(2025, 2, 27)),
    ]


def test_a_breach_not_begun_has_no_date():
    assert [step.day for step in after_breach(PARTNERSHIP_2024, Letters())] == [None] * 4


def test_members_alone_may_leave_the_charter_and_the_statutes_rule_the_transfer():
    assert set(CHARTER.endings) == {Ending.BREACH_BY_MEMBER, Ending.GENERAL_INTEREST_BY_MEMBER}
    assert TRANSFER.endings == (Ending.STATUTES,)
    assert FRAMEWORK.endings == ()


@given(st.dates(dt.date(2000, 1, 1), dt.date(2090, 1, 1)), st.integers(0, 36))
def test_months_are_counted_from_day_to_day(day, months):
    later = months_after(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later + dt.timedelta(days=1)).day == 1)
