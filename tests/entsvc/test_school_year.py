"""A school year: 1 September to 31 August, written 2024-2025."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entsvc import school_year

years = st.integers(school_year.FIRST, school_year.LAST)
days = st.dates(dt.date(2000, 9, 1), dt.date(2100, 8, 31))


def test_it_is_held_as_its_first_year():
    assert school_year.parse(" 2024-2025 ") == 2024


@given(years)
def test_a_label_can_be_read_back(year):
    assert school_year.parse(school_year.label(year)) == year


@pytest.mark.parametrize(
    "text",
    ["", "2024", "2024-2024", "2024-2026", "2025-2024", "2024/2025", "24-25", "1999-2000", "2100-2101"],
)
def test_anything_else_is_refused_in_french(text):
    with pytest.raises(ValueError, match="2024-2025"):
        school_year.parse(text)


@pytest.mark.parametrize(
    ("day", "year"),
    [
        (dt.date(2024, 8, 31), 2023),
        (dt.date(2024, 9, 1), 2024),
        (dt.date(2024, 12, 31), 2024),
        (dt.date(2025, 1, 1), 2024),
        (dt.date(2025, 8, 31), 2024),
    ],
)
def test_the_year_of_a_day(day, year):
    assert school_year.containing(day) == year


@given(days)
def test_every_day_lies_in_the_year_that_contains_it(day):
    year = school_year.containing(day)
    assert school_year.first_day(year) <= day <= school_year.last_day(year)


@given(years)
def test_years_follow_one_another_without_a_gap(year):
    assert school_year.last_day(year) + dt.timedelta(days=1) == school_year.first_day(year + 1)
