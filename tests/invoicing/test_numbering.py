"""Exercice, numbers, references: what identifies a titre for ever."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iso11649

from invoicing.models import Counter, Series
from invoicing.numbering import (
    IssueRefused,
    exercice_for,
    payment_reference,
    reference_of,
    take_numbers,
)
from members.models import Issuer
from tests.factories import IssuerFactory

DAY = dt.date(2025, 3, 3)
days = st.dates(dt.date(2015, 1, 1), dt.date(2040, 12, 31))
codes = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", min_size=1, max_size=8)
exercices = st.integers(2000, 2099)
numbers = st.integers(1, 999_999)


# --- Exercice ---------------------------------------------------------------------------------


@given(days)
def test_the_exercice_is_the_year_of_the_date(on):
    assert exercice_for(on, None, 31) == exercice_for(on, on.year, 31) == on.year


@pytest.mark.parametrize(
    ("on", "complementary_days"),
    [
        (dt.date(2025, 1, 1), 1),
        (dt.date(2025, 1, 1), 31),
        (dt.date(2025, 1, 31), 31),
        (dt.date(2025, 1, 20), 20),
    ],
)
def test_the_exercice_before_may_be_asked_for_in_the_complementary_period(on, complementary_days):
    assert exercice_for(on, 2024, complementary_days) == 2024


@pytest.mark.parametrize(
    ("on", "asked", "complementary_days"),
    [
        (dt.date(2025, 2, 1), 2024, 31),
        (dt.date(2025, 1, 21), 2024, 20),
        (dt.date(2025, 1, 1), 2024, 0),
        (dt.date(2025, 1, 1), 2023, 31),
        (dt.date(2025, 12, 31), 2026, 31),
        (dt.date(2025, 1, 1), 2026, 31),
    ],
)
def test_any_other_exercice_is_refused(on, asked, complementary_days):
    with pytest.raises(IssueRefused, match=f"ne peut pas porter l'exercice {asked}"):
        exercice_for(on, asked, complementary_days)


@given(days, st.integers(2014, 2041), st.integers(0, 31))
def test_an_exercice_is_that_of_the_date_or_the_one_before(on, asked, complementary_days):
    try:
        exercice = exercice_for(on, asked, complementary_days)
    except IssueRefused:
        assert asked != on.year
    else:
        assert exercice == asked
        late = asked == on.year - 1 and on.month == 1 and on.day <= complementary_days
        assert asked == on.year or late


# --- Numbers ----------------------------------------------------------------------------------


def take(issuer, count, *, on=DAY, exercice=2025, kind=Series.TITRE):
    return list(take_numbers(issuer=issuer, exercice=exercice, kind=kind, count=count, on=on))


def test_numbers_follow_each_other_from_one(db):
    issuer = IssuerFactory()
    assert take(issuer, 3) == [1, 2, 3]
    assert take(issuer, 2) == [4, 5]


def test_each_series_has_its_own_numbers(db):
    issuer = IssuerFactory()
    assert take(issuer, 2) == [1, 2]
    assert take(issuer, 1, kind=Series.BORDEREAU) == [1]
    assert take(issuer, 1, exercice=2024) == [1]
    assert take(IssuerFactory(code="AUTRE"), 1) == [1]
    issuer.budget_code = "01"
    assert take(issuer, 1) == [1]
    assert Counter.objects.count() == 5


def test_dates_never_go_backwards_in_a_series(db):
    issuer = IssuerFactory()
    take(issuer, 1, on=DAY)
    with pytest.raises(IssueRefused, match="« Titres » 2025 va déjà jusqu'au 03/03/2025"):
        take(issuer, 1, on=DAY - dt.timedelta(days=1))
    assert take(issuer, 1, on=DAY) == [2]
    assert take(issuer, 1, on=DAY + dt.timedelta(days=1)) == [3]
    # The other series of the issuer have their own calendar.
    assert take(issuer, 1, on=DAY - dt.timedelta(days=1), kind=Series.BORDEREAU) == [1]


def test_numbers_taken_in_a_transaction_rolled_back_are_not_spent(db):
    issuer = IssuerFactory()
    take(issuer, 2)
    with transaction.atomic():
        assert take(issuer, 3, on=DAY + dt.timedelta(days=9)) == [3, 4, 5]
        transaction.set_rollback(True)
    assert take(issuer, 1, on=DAY) == [3]


def test_a_series_has_no_gap_and_no_date_backwards_whatever_is_asked(db):
    issuer = IssuerFactory()

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.tuples(days, st.integers(1, 5)), max_size=8))
    def holds(asked):
        with transaction.atomic():
            taken = []
            for on, count in asked:
                try:
                    taken += [(number, on) for number in take(issuer, count, on=on)]
                except IssueRefused:
                    assert on < taken[-1][1]
            assert [number for number, _ in taken] == list(range(1, len(taken) + 1))
            assert [on for _, on in taken] == sorted(on for _, on in taken)
            transaction.set_rollback(True)

    holds()


# --- References -------------------------------------------------------------------------------


def test_a_reference_is_read_at_a_glance():
    assert reference_of("OCC", 2025, 12) == "OCC-2025-000012"


def test_the_longest_code_of_an_issuer_leaves_room_for_its_numbers(db):
    longest = Issuer._meta.get_field("code").max_length
    assert len(reference_of("A" * longest, 2025, 999_999)) <= 20
    with pytest.raises(ValidationError) as refused:
        IssuerFactory.build(code="A" * (longest + 1)).full_clean()
    assert "code" in refused.value.message_dict


@given(codes, exercices, numbers)
def test_a_reference_has_at_most_twenty_characters(code, exercice, number):
    assert len(reference_of(code, exercice, number)) <= 20


@given(codes, exercices, numbers, exercices, numbers)
def test_two_titres_of_an_issuer_never_share_a_reference(code, exercice, number, other, next_one):
    one, two = reference_of(code, exercice, number), reference_of(code, other, next_one)
    same = (exercice, number) == (other, next_one)
    assert (one == two) == same
    assert (payment_reference(one) == payment_reference(two)) == same


def test_a_payment_reference_by_example():
    assert payment_reference("OCC-2025-000012") == "RF14OCC2025000012"


@given(codes, exercices, numbers)
def test_a_payment_reference_is_a_valid_iso_11649_reference(code, exercice, number):
    assert iso11649.is_valid(payment_reference(reference_of(code, exercice, number)))


def test_a_budget_with_its_own_series_has_its_own_references():
    assert reference_of("OCC", 2025, 12, "01") == "OCC01-2025-000012"
    assert len(reference_of("A" * 6, 2025, 999_999, "01")) <= 20
