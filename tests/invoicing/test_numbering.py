"""Exercice, numbers, references: what identifies a titre for ever."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iso11649

from invoicing.models import ClosedExercice, Counter, NumberingPolicy, Series
from invoicing.numbering import (
    IssueRefused,
    correction_reference,
    exercice_for,
    is_external,
    left_in,
    numbers_left,
    payment_reference,
    ranges_of,
    reference_of,
    take_numbers,
    taken_in,
    why_over,
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


@pytest.mark.parametrize(
    ("on", "today", "over"),
    [
        (dt.date(2025, 12, 31), dt.date(2025, 12, 31), ""),
        (dt.date(2025, 12, 31), dt.date(2026, 1, 20), ""),
        (dt.date(2026, 1, 20), dt.date(2026, 1, 20), ""),
        (dt.date(2026, 1, 21), dt.date(2026, 1, 20), "21/01/2026"),
        (dt.date(2025, 12, 31), dt.date(2026, 1, 21), "21/01/2026"),
        (dt.date(2025, 3, 3), dt.date(2026, 11, 22), "22/11/2026"),
    ],
)
def test_an_exercice_is_over_by_the_day_typed_and_by_the_day_of_typing(on, today, over, monkeypatch):
    monkeypatch.setattr("invoicing.numbering.localdate", lambda: today)
    why = why_over(2025, on, 20)
    assert why == (f"Le {over}, l'exercice 2025 et sa période complémentaire sont finis" if over else "")


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


# --- The policy of a series -------------------------------------------------------------------


def policy(issuer, **facts):
    asked = {"exercice": 2025, "kind": Series.TITRE, **facts}
    return NumberingPolicy.objects.create(issuer=issuer, **asked)


def reserve(issuer, first, last, **facts):
    mode = NumberingPolicy.Mode.RESERVED
    return policy(issuer, mode=mode, first_number=first, last_number=last, **facts)


def test_our_own_series_may_start_where_the_former_tool_stopped(db):
    issuer = IssuerFactory()
    policy(issuer, first_number=258)
    assert take(issuer, 2) == [258, 259]
    assert take(issuer, 1) == [260]
    assert take(issuer, 1, kind=Series.BORDEREAU) == [1]
    assert take(issuer, 1, exercice=2024) == [1]


def test_a_reserved_range_is_used_to_its_last_number_and_no_further(db):
    issuer = IssuerFactory()
    reserve(issuer, 501, 510)
    assert take(issuer, 7) == list(range(501, 508))
    with pytest.raises(IssueRefused) as refused:
        take(issuer, 8)
    assert "il en reste 3, il en faut 8" in str(refused.value)
    assert "réservée auprès du comptable" in str(refused.value)
    assert take(issuer, 3) == [508, 509, 510]
    with pytest.raises(IssueRefused, match="il en reste 0, il en faut 1"):
        take(issuer, 1)


def test_a_second_range_follows_the_first(db):
    issuer = IssuerFactory()
    reserve(issuer, 501, 503)
    assert take(issuer, 2) == [501, 502]
    reserve(issuer, 801, 810)
    assert take(issuer, 3) == [503, 801, 802]
    ranges = ranges_of(issuer, "00", 2025, Series.TITRE)
    assert taken_in(ranges, 802) == [range(501, 504), range(801, 803)]


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(1, 9)), min_size=1, max_size=4),
    st.integers(0, 200),
)
def test_what_is_taken_and_what_is_left_make_the_ranges(steps, last):
    ranges, start = [], 1
    for gap, length in steps:
        ranges.append(range(start + gap, start + gap + length))
        start += gap + length
    every = [number for numbers in ranges for number in numbers]
    taken = [number for numbers in taken_in(ranges, last) for number in numbers]
    left = [number for numbers in left_in(ranges, last) for number in numbers]
    assert taken + left == every
    assert all(number <= last for number in taken)
    assert all(number > last for number in left)


def test_less_than_a_tenth_left_of_a_range_is_warned_about(db):
    issuer = IssuerFactory()
    reserve(issuer, 501, 520)
    take(issuer, 18)
    assert numbers_left(issuer, 2025) == []
    take(issuer, 1)
    [warning] = numbers_left(issuer, 2025)
    assert "Il ne reste que 1\u00a0numéro dans la série « Titres » 2025" in warning
    assert numbers_left(issuer, 2024) == []


def test_a_begun_series_keeps_its_numbering(db):
    issuer = IssuerFactory()
    own = policy(issuer, first_number=10)
    take(issuer, 1)
    for change in (own.save, own.delete, lambda: reserve(issuer, 500, 600)):
        own.first_number = 11
        with pytest.raises(IntegrityError, match="serie commencee"), transaction.atomic():
            change()
    # Even without any policy: a range can't be slipped in after the first number.
    bare = IssuerFactory(code="NU")
    take(bare, 1)
    with pytest.raises(IntegrityError, match="serie commencee"), transaction.atomic():
        reserve(bare, 500, 600)


def test_a_range_that_is_begun_no_longer_changes_and_the_next_one_still_may(db):
    issuer = IssuerFactory()
    first = reserve(issuer, 501, 503)
    take(issuer, 1)
    following = reserve(issuer, 601, 603)
    first.last_number = 999
    with pytest.raises(IntegrityError, match="serie commencee"), transaction.atomic():
        first.save()
    following.last_number = 700
    following.save()


@pytest.mark.parametrize(
    ("facts", "constraint"),
    [
        ({"first_number": 0}, "numbering_policy_from_one"),
        ({"last_number": 10}, "numbering_policy_range_in_order"),
        ({"mode": "reservee"}, "numbering_policy_range_in_order"),
        (
            {"mode": "reservee", "first_number": 9, "last_number": 8},
            "numbering_policy_range_in_order",
        ),
        ({"first_number": 1_000_000}, "numbering_policy_within_reference"),
        ({"kind": Series.CORRECTION, "first_number": 100_000}, "numbering_policy_within_reference"),
        (
            {"mode": "reservee", "first_number": 9, "last_number": 1_000_000},
            "numbering_policy_within_reference",
        ),
        ({"mode": "externe", "kind": Series.BORDEREAU}, "numbering_policy_external_pieces"),
        ({"mode": "externe", "first_number": 2}, "numbering_policy_external_pieces"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_by_the_database(db, facts, constraint):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        policy(IssuerFactory(), **facts)


def test_two_numberings_of_a_series_are_refused_in_plain_words(db):
    issuer = IssuerFactory()
    reserve(issuer, 501, 600)

    def refused(**facts):
        row = NumberingPolicy(issuer=issuer, exercice=2025, kind=Series.TITRE, **facts)
        with pytest.raises(ValidationError) as error:
            row.full_clean()
        return " ".join(error.value.messages)

    assert "déjà réglée" in refused(mode="propre", first_number=700)
    overlapping = {"mode": "reservee", "first_number": 600, "last_number": 700}
    assert "recouvre celle de 501 à 600" in refused(**overlapping)
    take(issuer, 1)
    before = {"mode": "reservee", "first_number": 401, "last_number": 500}
    assert "en est au n° 501" in refused(**before)


def test_a_series_stops_at_what_its_reference_can_show(db):
    issuer = IssuerFactory()
    policy(issuer, first_number=999_998)
    policy(issuer, first_number=99_999, kind=Series.CORRECTION)
    assert take(issuer, 1) == [999_998]
    with pytest.raises(IssueRefused, match="ne peut pas dépasser le n° 999.999.*il en reste 1"):
        take(issuer, 2)
    assert take(issuer, 1, kind=Series.CORRECTION) == [99_999]
    with pytest.raises(IssueRefused, match="ne peut pas dépasser le n° 99.999"):
        take(issuer, 1, kind=Series.CORRECTION)


def test_a_series_is_external_exercice_by_exercice(db):
    issuer = IssuerFactory()
    policy(issuer, mode=NumberingPolicy.Mode.EXTERNAL)
    assert is_external(issuer, "00", 2025, Series.TITRE)
    assert not is_external(issuer, "00", 2025, Series.CORRECTION)
    assert not is_external(issuer, "00", 2026, Series.TITRE)
    assert not is_external(issuer, "01", 2025, Series.TITRE)
    assert take(issuer, 2) == [1, 2]


def test_a_closed_exercice_gives_no_number(db):
    issuer = IssuerFactory()
    take(issuer, 1)
    ClosedExercice.objects.create(
        issuer=issuer, budget="00", exercice=2025, closed_by="fin", report={}, sha256="", journal_head=""
    )
    with pytest.raises(IssueRefused, match="L'exercice 2025 est clos"):
        take(issuer, 1)
    assert take(issuer, 1, exercice=2026) == [1]


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


@given(codes, exercices, st.integers(1, 99_999), numbers)
def test_a_correction_never_has_the_reference_of_a_titre(code, exercice, number, other):
    correction, titre = correction_reference(code, exercice, number), reference_of(code, exercice, other)
    assert len(correction) <= 20
    assert correction != titre
    assert payment_reference(correction) != payment_reference(titre)


def test_the_reference_of_a_correction_by_example():
    assert correction_reference("OCC", 2025, 12) == "OCC-2025-A00012"
    assert correction_reference("OCC", 2025, 12, "01") == "OCC01-2025-A00012"
    assert len(correction_reference("A" * 6, 2025, 99_999, "01")) <= 20


def test_a_budget_with_its_own_series_has_its_own_references():
    assert reference_of("OCC", 2025, 12, "01") == "OCC01-2025-000012"
    assert len(reference_of("A" * 6, 2025, 999_999, "01")) <= 20
