"""Whether a vote carries, and in which words: pure functions.

Only the votes for and against are cast; abstentions are not (article L. 2121-20 of the code général des
collectivités territoriales; conditions of 15 June 2023 of Nord-Pas-de-Calais Numérique, article 4).
"""

from dataclasses import dataclass

from entsvc.french import plural

UNKNOWN = "Le vote n'est pas saisi."


@dataclass(frozen=True)
class Vote:
    """The voices for and against a proposal; `abstentions` is None where the act doesn't say."""

    votes_for: int
    votes_against: int
    abstentions: int | None = None

    @property
    def cast(self) -> int:
        """Return the number of votes cast, without the abstentions."""
        return self.votes_for + self.votes_against

    @property
    def carries(self) -> bool:
        """Tell whether more than half of the votes cast approve; a tie doesn't carry."""
        return self.votes_for > self.votes_against

    @property
    def carries_two_thirds(self) -> bool:
        """Tell whether at least two thirds of the votes cast approve."""
        return self.cast > 0 and self.votes_for * 3 >= self.cast * 2


def of(votes_for: int | None, votes_against: int | None, abstentions: int | None) -> Vote | None:
    """Return a vote, None while its voices for and against are not both known."""
    if votes_for is None or votes_against is None:
        return None
    return Vote(votes_for, votes_against, abstentions)


def in_words(vote: Vote | None) -> str:
    """Return the result of a vote as a French sentence without its final stop.

    « 12 voix pour, 6 contre, 1 abstention : 18 suffrages exprimés ; adopté à la majorité des deux
    tiers ».
    """
    if vote is None:
        return UNKNOWN
    against = f"{vote.votes_against} contre"
    words = [plural(vote.votes_for, "voix pour", "voix pour"), against]
    if vote.abstentions is not None:
        words.append(plural(vote.abstentions, "abstention"))
    cast = plural(vote.cast, "suffrage exprimé", "suffrages exprimés")
    return f"{', '.join(words)} : {cast} ; {result(vote)}"


def result(vote: Vote) -> str:
    """Return what became of the proposal, in French."""
    if not vote.cast:
        return "non adopté, faute de suffrage exprimé"
    if not vote.votes_against:
        return "adopté à l'unanimité des suffrages exprimés"
    if vote.carries_two_thirds:
        return "adopté à la majorité des deux tiers"
    if vote.carries:
        return "adopté à la majorité, sans atteindre les deux tiers"
    if vote.votes_for == vote.votes_against:
        return "non adopté : partage égal des voix, sauf voix prépondérante du président"
    return "non adopté"
