"""The proof of the ledger: every number, euro, document and event where it should be, or a deviation.

Reads in batches, one view of the database for all: what is issued meanwhile is neither held up nor seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db import connection

from entsvc import chain, triggers
from entsvc.models import JournalLink
from entsvc.snapshot import snapshot
from invoicing.verification import (
    bordereaux,
    closed,
    collected,
    corrections,
    numbers,
    pieces,
    runs,
    stored,
    told,
)
from invoicing.verification.figures import ExerciceFigures, exercices
from invoicing.verification.findings import Deviation, Scope

__all__ = ["Deviation", "Scope", "Verdict", "verify"]

LISTED = 1000
WHOLE = Scope()


@dataclass
class Verdict:
    """What a verification found: the first deviations of all that were counted."""

    exercices: list[ExerciceFigures] = field(default_factory=list)
    deviations: list[Deviation] = field(default_factory=list)
    count: int = 0
    documents: int = 0
    links: int = 0
    head: str = ""

    @property
    def green(self) -> bool:
        """Tell whether nothing deviates."""
        return not self.count


def verify(scope: Scope = WHOLE, *, quick: bool = False) -> Verdict:
    """Verify a part of the ledger; `quick` neither reads the bytes of documents nor computes again.

    The journal and the protections of the database are always verified whole. Not to be called inside a
    transaction: events that wait for their link in the journal are given it first.
    """
    verdict = Verdict()
    if not connection.in_atomic_block:
        chain.link_pending()
    _keep(verdict, (Deviation("Journal", message) for message in chain.verify()))
    with snapshot():
        verdict.links, verdict.head = JournalLink.objects.count(), chain.head()
        verdict.exercices = exercices(scope)
        checked = stored.Checked()
        _keep(verdict, _of_ledger(scope, verdict.exercices))
        _keep(verdict, stored.deviations(scope, checked, quick=quick))
        _keep(verdict, runs.deviations(scope, quick=quick))
        verdict.documents = checked.count
    return verdict


def _keep(verdict: Verdict, found: Iterator[Deviation]) -> None:
    for deviation in found:
        verdict.count += 1
        if len(verdict.deviations) < LISTED:
            verdict.deviations.append(deviation)


def _of_ledger(scope: Scope, found: list[ExerciceFigures]) -> Iterator[Deviation]:
    for name in triggers.missing(connection):
        yield Deviation(
            "Base de données",
            f"la protection {name} manque ou a été changée : lancez « manage.py migrate »",
        )
    for figures in found:
        yield from numbers.deviations(figures)
    yield from numbers.lost_counters(scope, found)
    yield from numbers.orphans(scope)
    yield from bordereaux.deviations(scope)
    yield from pieces.deviations(scope)
    yield from corrections.deviations(scope)
    yield from collected.deviations(scope)
    yield from told.deviations(scope)
    yield from closed.deviations(scope)
