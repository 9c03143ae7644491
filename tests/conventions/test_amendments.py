"""Amendments: which list of schools holds each year (Montpellier 6.1 to 6.3, D6, D23 to D25)."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conventions.amendments import SEPTEMBER_TO_MID_OCTOBER as WINDOW
from conventions.amendments import Filing, judge, lists

A, B, C, D, E = (f"031089{n}A" for n in range(5))
FOUR = frozenset([A, B, C, D])


def received(day, schools, year=2020, **facts):
    return Filing(school_year=year, schools=frozenset(schools), received_on=day, **facts)


def schools_of(found):
    return {row.school_year: row.schools for row in found}


def test_it_works():
    """Worked example E: four schools, one removed."""
    in_time = received(dt.date(2020, 10, 15), [A, B, C])
    late = received(dt.date(2020, 10, 20), [A, B, C])
    assert len(schools_of(lists(FOUR, [2019, 2020], [in_time]))[2020]) == 3
    assert len(schools_of(lists(FOUR, [2019, 2020], [late]))[2020]) == 4


def test_a_list_that_nothing_changes_goes_on_the_next_year():
    assert schools_of(lists(FOUR, [2018, 2019, 2020], [])) == dict.fromkeys((2018, 2019, 2020), FOUR)


def test_an_amendment_sets_the_list_of_its_year_and_of_the_following_ones():
    found = lists(FOUR, [2018, 2019, 2020], [received(dt.date(2019, 9, 20), [A, E], 2019)])
    assert schools_of(found) == {2018: FOUR, 2019: {A, E}, 2020: {A, E}}


@pytest.mark.parametrize("day", [dt.date(2020, 9, 1), dt.date(2020, 10, 15)])
def test_both_ends_of_the_window_are_inside(day):
    assert judge(received(day, [A]), FOUR, WINDOW).counts


def test_filed_before_the_window_it_is_kept_and_dated_its_first_day():
    ruling = judge(received(dt.date(2020, 7, 3), [A]), FOUR, WINDOW)
    assert (ruling.counts, ruling.dated) == (True, dt.date(2020, 9, 1))
    assert "1er septembre 2020" in ruling.reason.replace("\u00a0", " ")


def test_a_late_decrease_leaves_the_removed_schools_due():
    ruling = judge(received(dt.date(2020, 10, 16), [A, B]), FOUR, WINDOW)
    assert (ruling.counts, ruling.removed) == (False, (C, D))
    assert "2 écoles retirées restent dues" in ruling.reason.replace("\u00a0", " ")


def test_a_late_increase_opens_no_school():
    ruling = judge(received(dt.date(2020, 10, 16), [*FOUR, E]), FOUR, WINDOW)
    assert (ruling.counts, ruling.added) == (False, (E,))
    assert "école ajoutée n'est pas ouverte" in ruling.reason


def test_a_late_swap_leaves_the_previous_list_whole():
    found = lists(FOUR, [2020], [received(dt.date(2020, 11, 2), [A, B, C, E])])
    assert schools_of(found) == {2020: FOUR}


def test_a_late_amendment_has_no_effect_the_next_year_unless_filed_again():
    late = received(dt.date(2019, 10, 20), [A], 2019)
    again = received(dt.date(2020, 9, 5), [A], 2020)
    assert schools_of(lists(FOUR, [2019, 2020], [late])) == {2019: FOUR, 2020: FOUR}
    assert schools_of(lists(FOUR, [2019, 2020], [late, again])) == {2019: FOUR, 2020: {A}}


def test_a_proved_transmission_counts_before_the_reception():
    facts = {"transmitted_on": dt.date(2020, 10, 15)}
    day = dt.date(2020, 10, 19)
    assert judge(received(day, [A], proved=True, **facts), FOUR, WINDOW).counts
    assert not judge(received(day, [A], **facts), FOUR, WINDOW).counts


def test_without_any_date_an_amendment_waits():
    ruling = judge(received(None, [A]), FOUR, WINDOW)
    assert (ruling.counts, ruling.dated) == (False, None)


def test_two_amendments_of_a_year_are_judged_in_the_order_of_their_days():
    second = received(dt.date(2020, 10, 1), [A, B, E])
    first = received(dt.date(2020, 9, 10), [A, B])
    (row,) = lists(FOUR, [2020], [second, first])
    assert row.schools == {A, B, E}
    assert [ruling.added for ruling in row.rulings] == [(), (E,)]


def test_an_amendment_of_a_year_not_covered_changes_nothing():
    assert schools_of(lists(FOUR, [2020], [received(dt.date(2021, 9, 2), [A], 2021)])) == {2020: FOUR}


@given(
    st.frozensets(st.sampled_from([A, B, C, D, E])),
    st.lists(
        st.builds(
            received,
            st.none() | st.dates(dt.date(2018, 1, 1), dt.date(2022, 1, 1)),
            st.frozensets(st.sampled_from([A, B, C, D, E])),
            st.integers(2018, 2021),
        )
    ),
)
def test_the_list_of_a_year_is_the_last_that_counted(initial, filings):
    previous = initial
    for row in lists(initial, range(2018, 2022), filings):
        counted = [ruling.filing.schools for ruling in row.rulings if ruling.counts]
        assert row.schools == (counted[-1] if counted else previous)
        assert all(ruling.reason for ruling in row.rulings)
        previous = row.schools
