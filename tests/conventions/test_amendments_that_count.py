"""When an amendment counts, and which list it leaves: 6.1 to 6.3, D6, D23 to D25."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conventions import states
from conventions.amendments import lists
from conventions.estimates import estimate
from conventions.models import Enrolment
from tests.conventions.amending import (
    IN_TIME,
    LATE,
    a_public_school,
    an_agreement,
    decided,
    schools_of,
    uais,
)
from tests.factories import StoredDocumentFactory

pytestmark = pytest.mark.django_db


def test_without_amendment_the_list_of_the_year_before_goes_on():
    """6.1: the titre is for the number of schools of the previous year."""
    convention = an_agreement()
    assert schools_of(convention, 2020) == schools_of(convention, 2019)
    assert estimate(convention, 2020).total == Decimal("200.00")


def test_a_swap_in_time_sets_the_list_of_its_year_and_of_the_following_ones():
    """6.2, over three years: the year before keeps its list, the removed school ends there."""
    convention = an_agreement(first_year=2018)
    before = schools_of(convention, 2019)
    new = a_public_school()
    ruled = decided(convention, [*before[1:], new], dt.date(2019, 9, 1), year=2019)
    assert (ruled.added, ruled.removed) == ([new.uai], [before[0].uai])
    assert uais(convention, 2018) == {school.uai for school in before}
    for year in (2019, 2020):
        assert uais(convention, year) == {school.uai for school in [*before[1:], new]}
    row = Enrolment.objects.get(convention=convention, school=new)
    assert (row.first_year, row.last_year, row.amendment) == (2019, None, ruled)
    assert Enrolment.objects.get(convention=convention, school=before[0]).last_year == 2018


def test_both_ends_of_the_window_count():
    for day in (dt.date(2020, 9, 1), dt.date(2020, 10, 15)):
        convention = an_agreement(2)
        assert decided(convention, schools_of(convention)[:1], day).status == states.ACCEPTED


def test_a_late_decrease_stays_due_and_a_late_increase_is_not_opened():
    """6.3, and D25 for both at once."""
    convention = an_agreement()
    before = uais(convention, 2020)
    for schools in (
        schools_of(convention)[:3],
        [*schools_of(convention), a_public_school()],
        [*schools_of(convention)[:3], a_public_school()],
    ):
        ruled = decided(convention, schools, dt.date(2020, 10, 16))
        assert ruled.status == states.WITHOUT_EFFECT
        assert "sans effet cette année" in ruled.ruling
        assert uais(convention, 2020) == before
    assert not Enrolment.objects.filter(amendment__isnull=False).exists()


def test_a_late_amendment_does_not_count_the_next_year_unless_filed_again():
    """D6."""
    convention = an_agreement()
    three = schools_of(convention)[:3]
    decided(convention, three, dt.date(2019, 10, 20), year=2019)
    assert len(schools_of(convention, 2020)) == 4
    decided(convention, three, dt.date(2020, 9, 20))
    assert len(schools_of(convention, 2020)) == 3


def test_transmission_counts_when_it_is_proved_else_reception():
    """D23."""
    transmitted = {"transmitted_on": IN_TIME, "received_on": LATE}
    unproved = an_agreement(2)
    assert decided(unproved, schools_of(unproved)[:1], **transmitted).dated == LATE
    proved = an_agreement(2)
    proof = StoredDocumentFactory()
    ruled = decided(proved, schools_of(proved)[:1], transmission_proof=proof, **transmitted)
    assert (ruled.status, ruled.dated) == (states.ACCEPTED, IN_TIME)


def test_filed_before_september_it_is_kept_and_dated_the_first():
    """D24."""
    convention = an_agreement()
    ruled = decided(convention, schools_of(convention)[:3], dt.date(2020, 6, 3))
    assert (ruled.status, ruled.dated) == (states.ACCEPTED, dt.date(2020, 9, 1))


def test_a_school_added_and_removed_the_same_year_leaves_no_row_but_its_history():
    convention = an_agreement(2)
    first, new = schools_of(convention), a_public_school()
    decided(convention, [*first, new], dt.date(2020, 9, 3))
    decided(convention, first, dt.date(2020, 9, 30))
    assert not Enrolment.objects.filter(school=new).exists()
    past = Enrolment.history.filter(school=new).order_by("history_id")
    assert [(row.history_type, row.history_change_reason) for row in past] == [
        ("+", "Avenant n° 1 à partir de 2020-2021"),
        ("-", "Avenant n° 2 à partir de 2020-2021"),
    ]


def test_a_school_whose_stay_was_to_end_goes_on_when_the_list_keeps_it():
    convention = an_agreement(2, last_year=2021)
    row = convention.enrolments.order_by("pk").first()
    Enrolment.objects.filter(pk=row.pk).update(last_year=2020)
    asked = [*schools_of(convention), a_public_school()]
    decided(convention, asked)
    assert uais(convention, 2021) == {school.uai for school in asked}


LIST = st.frozensets(st.sampled_from(range(5)), min_size=1)
DAY = st.dates(dt.date(2018, 6, 1), dt.date(2021, 12, 1))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(2018, 2020), DAY, LIST), max_size=5), LIST)
def test_the_schools_enrolled_each_year_are_those_of_the_pure_rule(asked, initial):
    pool = [a_public_school() for _ in range(5)]
    convention = an_agreement(0, first_year=2018)
    for rank in initial:
        Enrolment.objects.create(convention=convention, school=pool[rank], first_year=2018)
    filed = []
    for year, day, wanted in sorted(asked, key=lambda item: item[:2]):
        ruled = decided(convention, [pool[rank] for rank in wanted], day, year=year)
        filed.append(ruled.filing)
    expected = lists(frozenset(pool[rank].uai for rank in initial), range(2018, 2021), filed)
    assert {row.school_year: row.schools for row in expected} == {
        year: frozenset(uais(convention, year)) for year in range(2018, 2021)
    }
