"""Which issuers deal with a member: whoever has an address of it reads what it has from each of them.

The members are shared by all issuers, so that a clerk of one could name himself to read the papers of
another: an account writes the addresses of a member where one of its issuers deals with it, or none
does.
"""

from collections.abc import Callable

from django.db.models import QuerySet

from members.models import Issuer, Member

Source = Callable[[Member], QuerySet]
_SOURCES: dict[str, Source] = {}


def register(name: str, source: Source) -> None:
    """Add how a room tells the keys of the issuers of which /espace/ shows something to a member."""
    _SOURCES[name] = source


def issuers_of(member: Member) -> frozenset[int]:
    """Return the keys of the issuers of which the pages of a member show something."""
    if member.pk is None:
        return frozenset()
    return frozenset(key for source in _SOURCES.values() for key in source(member))


def may_write(member: Member, issuers: frozenset[int] | None) -> bool:
    """Tell whether an account of these issuers, None for all, may write who opens a member's pages."""
    if issuers is None:
        return True
    concerned = issuers_of(member)
    return not concerned or bool(concerned & issuers)


def refusal(member: Member) -> str:
    """Tell, in French, whom to ask for another address of a member."""
    issuers = Issuer.objects.filter(pk__in=issuers_of(member)).order_by("name")
    names = ", ".join(issuers.values_list("name", flat=True))
    return f"Ses adresses ouvrent les documents d'un autre, à qui demander un changement : {names}."
