"""Which schools an agreement names, which it may name, and when that may change."""

import datetime as dt

import pytest

from conventions import filings
from members.models import School
from tests.conventions.amending import (
    LATE,
    a_public_school,
    an_agreement,
    decided,
    opened,
    schools_of,
)

pytestmark = pytest.mark.django_db


def test_the_lists_by_year_say_what_each_amendment_changed_when_and_why(django_assert_max_num_queries):
    convention = an_agreement(first_year=2018)
    schools = schools_of(convention, 2018)
    decided(convention, schools[:3], dt.date(2019, 9, 9), year=2019)
    decided(convention, schools[:2], LATE)
    waiting = opened(convention, schools[:1])
    with django_assert_max_num_queries(8):
        found = filings.lists_by_year(convention, LATE)
    assert [(row.label, len(row.schools)) for row in found] == [
        ("2018-2019", 4),
        ("2019-2020", 3),
        ("2020-2021", 3),
    ]
    [change] = found[1].changes
    assert (change.counts, change.ruled, change.dated) == (True, True, dt.date(2019, 9, 9))
    assert change.removed == [schools[3]]
    late, foreseen = found[2].changes
    assert (late.counts, foreseen.amendment, foreseen.ruled, foreseen.counts) == (
        False,
        waiting,
        False,
        False,
    )
    assert foreseen.reason.startswith("Reçu le 20")


def test_the_window_shown_is_the_one_open_or_the_next():
    convention = an_agreement()
    for day, year, is_open in (
        (dt.date(2019, 7, 1), 2019, False),
        (dt.date(2019, 10, 15), 2019, True),
        (dt.date(2019, 10, 16), 2020, False),
        (dt.date(2020, 9, 1), 2020, True),
    ):
        found = filings.window_of(convention, day)
        assert (found.year, found.open) == (year, is_open)
        assert (found.first, found.last) == (dt.date(year, 9, 1), dt.date(year, 10, 15))
    assert filings.window_of(convention, dt.date(2020, 10, 16)) is None


def test_the_schools_to_tick_are_those_named_and_those_of_the_commune():
    convention = an_agreement(1)
    named = schools_of(convention)[0]
    School.objects.filter(pk=named.pk).update(commune_code="31001")
    there = a_public_school(commune_name="Ailleurs")
    a_public_school(commune_code="31002")
    a_public_school(sector="prive")
    a_public_school(degree="college")
    a_public_school(absent_since=dt.date(2020, 1, 1))
    found = {school.uai for school in filings.candidates(convention, 2020)}
    assert found == {named.uai, there.uai}
