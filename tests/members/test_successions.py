"""Merged communes: who stands for whom today, without losing anything."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entsvc.importing import Report
from members.models import Commune, Member, Membership
from members.successions import (
    is_circular,
    known_successors,
    last_successor,
    mark_mergers,
    taken_over_by,
)
from tests.factories import ConventionFactory, IssuerFactory, MemberFactory

DAY = dt.date(2026, 1, 1)


def test_it_works():
    assert last_successor(1, {1: 2, 2: 3}) == 3
    assert last_successor(3, {1: 2, 2: 3}) == 3


@pytest.mark.parametrize("successors", [{1: 2, 2: 1}, {1: 2, 2: 3, 3: 1}, {1: 2, 2: 3, 3: 2}])
def test_a_chain_that_comes_back_names_nobody(successors):
    assert last_successor(1, successors) == 1


@given(st.dictionaries(st.integers(0, 8), st.integers(0, 8)), st.integers(0, 8))
def test_every_chain_ends(successors, member):
    found = last_successor(member, successors)
    assert found == member or found not in successors


def test_a_successor_that_was_taken_over_by_the_member_is_circular():
    assert is_circular(1, 2, {2: 1})
    assert is_circular(1, 3, {3: 2, 2: 1})
    assert not is_circular(1, 2, {2: 3})


@pytest.fixture
def merged(db):
    """A commune whose code is now that of a part of another, both members."""
    today = Commune.objects.create(code="01262", name="Montluel")
    Commune.objects.create(code="01120", name="Cordieux", kind="associee", today=today)
    return MemberFactory(insee_code="01120"), MemberFactory(insee_code="01262")


def mark(day=DAY):
    report = Report("essai")
    mark_mergers(day, report)
    return report


def test_a_merged_commune_names_its_successor_and_is_told(merged):
    old, new = merged
    [finding] = mark().flagged
    old.refresh_from_db()
    assert (old.successor, old.merged_on) == (new, DAY)
    assert (finding.line, finding.value) == (None, "01120")
    assert known_successors() == {old.pk: new.pk}
    assert not mark().flagged


def test_it_keeps_what_staff_said_of_it(merged):
    old, _ = merged
    other = MemberFactory()
    Member.objects.filter(pk=old.pk).update(successor=other)
    assert not mark().flagged
    old.refresh_from_db()
    assert (old.successor, old.merged_on) == (other, None)


def test_a_day_that_staff_typed_stays(merged):
    old, _ = merged
    Member.objects.filter(pk=old.pk).update(merged_on=dt.date(2019, 1, 1))
    mark()
    old.refresh_from_db()
    assert old.merged_on == dt.date(2019, 1, 1)


def test_it_leaves_its_epci_and_stays_in_its_rpi(merged):
    old, _ = merged
    for kind, siret in (("epci", None), ("rpi", None)):
        body = MemberFactory(kind=kind, siret=siret)
        Membership.objects.create(body=body, commune=old, valid_from=dt.date(2020, 1, 1))
    mark()
    rows = Membership.objects.order_by("body__kind").values_list("body__kind", "valid_to")
    assert list(rows) == [("epci", dt.date(2025, 12, 31)), ("rpi", None)]


def test_without_a_member_for_the_commune_of_today_nothing_is_said(merged):
    old, new = merged
    new.delete()
    assert not mark().flagged
    old.refresh_from_db()
    assert old.successor is None


def test_those_taken_over_are_found_along_the_chain(db):
    first, second, last = MemberFactory(), MemberFactory(), MemberFactory()
    assert taken_over_by([last.pk]) == {}
    Member.objects.filter(pk=first.pk).update(successor=second, merged_on=DAY)
    Member.objects.filter(pk=second.pk).update(successor=last)
    assert taken_over_by([last.pk]) == {first.pk: last.pk, second.pk: last.pk}
    assert taken_over_by([second.pk, last.pk]) == {first.pk: second.pk}
    assert taken_over_by([last.pk], DAY - dt.timedelta(days=1)) == {second.pk: last.pk}
    assert taken_over_by([last.pk], DAY) == {first.pk: last.pk, second.pk: last.pk}


def test_a_chain_that_comes_back_stops(db):
    first, second = MemberFactory(), MemberFactory()
    Member.objects.filter(pk=first.pk).update(successor=second)
    Member.objects.filter(pk=second.pk).update(successor=first)
    assert taken_over_by([first.pk]) == {second.pk: first.pk}


def test_an_account_of_another_issuer_names_no_successor(merged):
    """Who took over a member reads its titres: a table sent by anyone does not decide it."""
    old, _ = merged
    convention = ConventionFactory(party=old)
    ours, theirs = IssuerFactory(code="AUTRE"), convention.schedule.issuer
    report = Report("essai")
    mark_mergers(DAY, report, frozenset({ours.pk}))
    old.refresh_from_db()
    assert old.successor is None
    [finding] = report.flagged
    assert f"à qui demander un changement : {theirs.name}" in finding.message
    mark_mergers(DAY, report, frozenset({theirs.pk}))
    old.refresh_from_db()
    assert old.successor is not None
