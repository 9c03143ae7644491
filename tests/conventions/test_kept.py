"""Which paper counts since the last sending: one rule for the pages, the deposits and the bulk."""

import datetime as dt

import pytest

from conventions.models import Paper
from conventions.papers.kept import last_sent, received, signed_since

SENT, SIGNED, PROOF = Paper.Role.SENT, Paper.Role.SIGNED, Paper.Role.SUPPORTING


def at(minute, role):
    return Paper(role=role, at=dt.datetime(2020, 9, 20, 12, minute, tzinfo=dt.UTC))


def test_what_came_before_the_last_sending_no_longer_counts():
    old, new = at(2, SIGNED), at(4, SIGNED)
    papers = [new, at(1, SENT), old, sent := at(3, SENT)]
    assert last_sent(papers) is sent
    assert received(papers) == ([old], [new])
    assert signed_since(papers) is new


@pytest.mark.parametrize("sendings", [[], [1]])
def test_the_last_received_is_the_one_that_counts(sendings):
    papers = [*(at(minute, SENT) for minute in sendings), at(9, SIGNED), first := at(5, SIGNED)]
    assert signed_since(papers) is papers[-2]
    assert received(papers)[1] == [first, papers[-2]]


def test_received_at_the_time_of_the_sending_it_came_since():
    papers = [at(3, SENT), paper := at(3, SIGNED)]
    assert received(papers) == ([], [paper])


def test_each_role_is_told_apart():
    papers = [at(1, SENT), at(2, SIGNED), proof := at(2, PROOF)]
    assert received(papers, PROOF) == ([], [proof])


def test_nothing_kept_is_nothing():
    assert (last_sent([]), signed_since([]), received([])) == (None, None, ([], []))
