"""Who is part of what, from one day to another: the pure rule, and the EPCI typed by hand."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.memberships import Span, apply_moves, other_epci, plan_moves
from members.models import Membership
from tests.factories import MemberFactory

DAY, BEFORE, AFTER = dt.date(2025, 1, 1), dt.date(2020, 1, 1), dt.date(2026, 1, 1)
A, B, X, Y = 1, 2, 10, 11


def span(body, part, since=BEFORE, until=None, pk=None):
    return Span(pk or body * 1000 + part, body, part, since, until)


def test_it_works():
    moves = plan_moves([span(A, X)], [(A, X), (A, Y)], DAY)
    assert (moves.opened, moves.ended, moves.late) == ([(A, Y)], [], [])


def test_a_part_that_a_complete_list_does_not_name_leaves():
    moves = plan_moves([span(A, X), span(A, Y)], [(A, X)], DAY, complete=frozenset({A}))
    assert [ended.part for ended in moves.ended] == [Y]


def test_a_list_that_is_not_complete_ends_nothing():
    assert not plan_moves([span(A, X), span(A, Y)], [(A, X)], DAY).ended


def test_a_part_outside_of_what_was_asked_does_not_leave():
    moves = plan_moves([span(A, X)], [], DAY, complete=frozenset({A}), concerns=lambda part: part != X)
    assert not moves.ended


def test_entering_one_body_leaves_the_other_where_only_one_is_possible():
    moves = plan_moves([span(A, X)], [(B, X)], DAY, exclusive=True)
    assert (moves.opened, [ended.body for ended in moves.ended]) == ([(B, X)], [A])
    assert not plan_moves([span(A, X)], [(B, X)], DAY).ended


@pytest.mark.parametrize("since", [DAY, AFTER])
def test_what_began_on_that_day_or_later_is_left_as_it_is(since):
    moves = plan_moves([span(A, X, since)], [(B, X)], DAY, exclusive=True)
    assert (moves.opened, moves.ended, moves.late) == ([], [], [(B, X)])
    moves = plan_moves([span(A, X, since)], [], DAY, complete=frozenset({A}))
    assert (moves.ended, moves.late) == ([], [(A, X)])


def test_what_ended_later_is_not_opened_twice():
    moves = plan_moves([span(A, X, BEFORE, AFTER)], [(A, X)], DAY)
    assert (moves.opened, moves.late) == ([], [(A, X)])


def test_what_ended_before_is_opened_again():
    moves = plan_moves([span(A, X, BEFORE, dt.date(2024, 12, 31))], [(A, X)], DAY)
    assert moves.opened == [(A, X)]


pairs = st.tuples(st.sampled_from([A, B]), st.integers(10, 14))
worlds = st.dictionaries(st.integers(10, 14), st.sampled_from([A, B]))


@given(worlds, worlds)
def test_a_list_taken_twice_moves_nothing_the_second_time(stored, told):
    rule = {"complete": frozenset({A, B}), "exclusive": True}
    spans = [span(body, part) for part, body in stored.items()]
    wanted = [(body, part) for part, body in told.items()]
    moves = plan_moves(spans, wanted, DAY, **rule)
    gone = {ended.pk for ended in moves.ended}
    after = [s for s in spans if s.pk not in gone]
    after += [span(body, part, DAY, pk=5000 + rank) for rank, (body, part) in enumerate(moves.opened)]
    assert {(s.body, s.part) for s in after} == set(wanted)
    again = plan_moves(after, wanted, DAY, **rule)
    assert (again.opened, again.ended, again.late) == ([], [], [])


@pytest.mark.django_db
def test_the_rows_follow_the_rule():
    epci, other = (MemberFactory(kind="epci") for _ in range(2))
    commune = MemberFactory()
    apply_moves(Membership, "epci", [(epci.pk, commune.pk)], BEFORE, exclusive=True)
    apply_moves(Membership, "epci", [(other.pk, commune.pk)], DAY, exclusive=True)
    rows = Membership.objects.order_by("valid_from").values_list("body_id", "valid_from", "valid_to")
    assert list(rows) == [(epci.pk, BEFORE, dt.date(2024, 12, 31)), (other.pk, DAY, None)]


@pytest.mark.django_db
def test_a_syndicat_takes_no_commune_from_an_epci():
    epci, syndicat, commune = MemberFactory(kind="epci"), MemberFactory(kind="syndicat"), MemberFactory()
    apply_moves(Membership, "epci", [(epci.pk, commune.pk)], BEFORE, exclusive=True)
    apply_moves(Membership, "syndicat", [(syndicat.pk, commune.pk)], DAY)
    assert Membership.objects.filter(valid_to=None).count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("start", "stop", "is_elsewhere"),
    [
        (AFTER, None, False),
        (DAY, None, True),
        (dt.date(2010, 1, 1), dt.date(2019, 12, 31), False),
        (dt.date(2010, 1, 1), BEFORE, True),
    ],
)
def test_a_commune_is_in_one_epci_at_a_time(start, stop, is_elsewhere):
    epci, other, commune = MemberFactory(kind="epci"), MemberFactory(kind="epci"), MemberFactory()
    Membership.objects.create(body=epci, commune=commune, valid_from=BEFORE, valid_to=DAY)
    found = other_epci(Membership(body=other), commune, start, stop)
    assert found == (epci if is_elsewhere else None)
    assert other_epci(Membership(body=epci), commune, start, stop) is None
    assert (
        other_epci(Membership(body=MemberFactory(kind="rpi", siret=None)), commune, start, stop) is None
    )
