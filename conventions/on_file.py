"""Whether an agreement itself is on file: what its member may download, what staff have still to add."""

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, Q

from conventions import states
from conventions.models import Convention, Paper, PaperKind
from conventions.papers import kept

# An agreement that somebody has signed.
SIGNED_STATES = (states.SIGNED, *states.OWING)


def has_paper(papers: Iterable[Paper]) -> bool:
    """Tell whether the agreement itself is among its papers, signed or as it was sent.

    Without it, as when a paper was taken over without its scan, its member has nothing to download.
    """
    own = _of_agreement(papers)
    return kept.last_sent(own) is not None or kept.signed_since(own) is not None


def lacks_scan(convention: Convention, papers: Iterable[Paper]) -> bool:
    """Tell whether an agreement is signed and its signed paper was not kept: it may be added later."""
    return convention.status in SIGNED_STATES and kept.signed_since(_of_agreement(papers)) is None


def without_scan() -> Q:
    """Match the agreements of which `lacks_scan` is true."""
    own = Paper.objects.order_by().filter(amendment=None, kind=PaperKind.AGREEMENT)
    sent_later = own.filter(
        convention=OuterRef("convention"), role=Paper.Role.SENT, at__gt=OuterRef("at")
    )
    signed = own.filter(~Exists(sent_later), role=Paper.Role.SIGNED)
    return Q(status__in=SIGNED_STATES) & ~Q(pk__in=signed.values("convention"))


def _of_agreement(papers: Iterable[Paper]) -> list[Paper]:
    return [row for row in papers if row.amendment_id is None and row.kind == PaperKind.AGREEMENT]
