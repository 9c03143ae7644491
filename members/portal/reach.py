"""Which issuers deal with a member: whoever has an address of it reads what it has from each of them.

The members are shared by all issuers, so that a clerk of one could name himself to read the papers of
another: an account writes the addresses of a member where one of its issuers deals with it, or none
does.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

from entsvc.changes import in_batches
from members.models import Issuer, Member

# Given the keys of members, pairs of one of them and the key of an issuer.
Source = Callable[[Collection[int]], Iterable[tuple[int, int]]]
_SOURCES: dict[str, Source] = {}


def register(name: str, source: Source) -> None:
    """Add how a room tells of which issuers /espace/ shows something to members, some at a time."""
    _SOURCES[name] = source


def issuers_of(member: Member) -> frozenset[int]:
    """Return the keys of the issuers of which the pages of a member show something."""
    return by_member([member]).get(member.pk, frozenset())


def by_member(members: Iterable[Member]) -> dict[int, frozenset[int]]:
    """Return what `issuers_of` says of several members, by key, without those of nobody."""
    found: dict[int, set[int]] = defaultdict(set)
    for batch in in_batches(member.pk for member in members if member.pk is not None):
        for source in _SOURCES.values():
            for member, issuer in source(batch):
                found[member].add(issuer)
    return {member: frozenset(issuers) for member, issuers in found.items()}


def may_write(member: Member, issuers: frozenset[int] | None) -> bool:
    """Tell whether an account of these issuers, None for all, may write who opens a member's pages."""
    return issuers is None or are_among(issuers_of(member), issuers)


def are_among(concerned: frozenset[int], issuers: frozenset[int] | None) -> bool:
    """Tell whether an account of these issuers may write the addresses that concern some issuers."""
    return issuers is None or not concerned or bool(concerned & issuers)


def refusal(member: Member) -> str:
    """Tell, in French, whom to ask for another address of a member."""
    issuers = Issuer.objects.filter(pk__in=issuers_of(member)).order_by("name")
    names = ", ".join(issuers.values_list("name", flat=True))
    return f"Ses adresses ouvrent les documents d'un autre, à qui demander un changement : {names}."
