"""Whether a vote carries: abstentions are not votes cast."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.votes import UNKNOWN, Vote, in_words, of

NUMBERS = st.integers(0, 500)


def words(*voices):
    return in_words(of(*voices)).replace("\u00a0", " ")


def test_it_works():
    assert words(18, 0, 0) == (
        "18 voix pour, 0 contre, 0 abstention : 18 suffrages exprimés ; "
        "adopté à l'unanimité des suffrages exprimés"
    )


@pytest.mark.parametrize(
    ("votes_for", "votes_against", "carried"),
    [(2, 1, True), (66, 34, False), (67, 33, True), (0, 0, False), (1, 0, True), (0, 5, False)],
)
def test_two_thirds_of_the_votes_cast_carry(votes_for, votes_against, carried):
    assert Vote(votes_for, votes_against).carries_two_thirds is carried


def test_abstentions_are_not_votes_cast():
    """20 for and 10 against are two thirds, however many abstain."""
    assert Vote(20, 10, 100).cast == 30
    assert Vote(20, 10, 100).carries_two_thirds


@pytest.mark.parametrize(
    ("votes_for", "votes_against", "carried"),
    [(2, 1, True), (5, 5, False), (0, 0, False), (4, 5, False)],
)
def test_a_tie_does_not_carry(votes_for, votes_against, carried):
    assert Vote(votes_for, votes_against).carries is carried


@pytest.mark.parametrize(
    ("voices", "told"),
    [
        ((12, 6, 1), "12 voix pour, 6 contre, 1 abstention : 18 suffrages exprimés ; "
                     "adopté à la majorité des deux tiers"),
        ((10, 9, None), "10 voix pour, 9 contre : 19 suffrages exprimés ; "
                        "adopté à la majorité, sans atteindre les deux tiers"),
        ((9, 9, 2), "9 voix pour, 9 contre, 2 abstentions : 18 suffrages exprimés ; "
                    "non adopté : partage égal des voix, sauf voix prépondérante du président"),
        ((1, 4, 0), "1 voix pour, 4 contre, 0 abstention : 5 suffrages exprimés ; non adopté"),
        ((0, 0, 7), "0 voix pour, 0 contre, 7 abstentions : 0 suffrage exprimé ; "
                    "non adopté, faute de suffrage exprimé"),
    ],
)  # fmt: skip
def test_the_result_is_said_in_words(voices, told):
    assert words(*voices) == told


@pytest.mark.parametrize("voices", [(None, None, None), (18, None, 0), (None, 0, 0)])
def test_voices_not_recorded_tell_nothing(voices):
    assert of(*voices) is None
    assert words(*voices) == UNKNOWN


@given(NUMBERS, NUMBERS)
def test_one_more_vote_for_never_loses_a_vote(votes_for, votes_against):
    vote, more = Vote(votes_for, votes_against), Vote(votes_for + 1, votes_against)
    assert more.carries_two_thirds or not vote.carries_two_thirds
    assert more.carries or not vote.carries


@given(NUMBERS, NUMBERS)
def test_two_thirds_are_a_majority_too(votes_for, votes_against):
    vote = Vote(votes_for, votes_against)
    assert vote.carries or not vote.carries_two_thirds
