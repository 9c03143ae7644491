"""Which documents of a bordereau are still to draw, drawn one by one by whoever goes on with it.

Nothing says "being drawn" but for the time that it takes: a titre is claimed among those without a
document, drawn outside any lock, and kept as soon as it is drawn. The electronic invoices that the
bordereau asks for come last, a few at a time: their rules run in a process of their own.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from entsvc import attempts, background
from entsvc.background import Progress
from entsvc.models import Attempt
from invoicing import bordereau_pdf
from invoicing.facturx.production import FACTURX, produce_some, wanted
from invoicing.facturx.profiles import Profile
from invoicing.models import Bordereau, BordereauDocument, Titre, TitreDocument
from invoicing.rendering import PDF, draw, keep, without_document

log = logging.getLogger(__name__)

ACTIVITY = "documents"
# The pieces: its titres or corrections, then its own document, then the invoices of the former.
TITRE, BORDEREAU, INVOICE = "titre", "bordereau", "facturx"
TOGETHER = 20  # invoices claimed at once, well within the time that a claim holds


@dataclass(frozen=True)
class Failure:
    """A document that could not be drawn, what it is of, and why; `invoice` is an electronic one."""

    name: str
    titre: UUID | None
    message: str
    invoice: bool = False


def nudge(bordereau: Bordereau) -> bool:
    """Ask for the documents that are left; return False when the background could not be reached."""
    return background.nudge(ACTIVITY, bordereau.pk)


def draw_left(*, bordereau_id: UUID, seconds: float | None = None) -> int:
    """Draw the documents of a bordereau that nobody holds, one by one; return how many were settled.

    Its own comes once all its titres have theirs, then the electronic invoices that it asks for. Past
    `seconds`, no other is begun: the next call goes on. Safe in several processes at once.
    """
    bordereau = Bordereau.objects.select_related("issuer").get(pk=bordereau_id)
    limit = None if seconds is None else time.monotonic() + seconds
    settled = 0
    while limit is None or settled == 0 or time.monotonic() < limit:
        titre = _claimed(bordereau.titres.all())
        if titre is None:
            done = _draw_its_own(bordereau) or _invoice_some(bordereau)
            if not done:
                break
            settled += done
            continue
        _settle(TITRE, titre.pk, lambda titre=titre: keep(titre, draw(titre), PDF))
        settled += 1
    return settled


def put_back(*, bordereau: Bordereau) -> int:
    """Put the documents that failed back among those to draw, for `nudge`; return how many."""
    titres = bordereau.titres.order_by().values("pk")
    again = attempts.put_back(TITRE, titres) + attempts.put_back(INVOICE, titres)
    return again + attempts.put_back(BORDEREAU, [bordereau.pk])


def progress(bordereau: Bordereau) -> Progress:
    """Count the documents of a bordereau, its own among them: drawn, failed, and the time left."""
    own = BordereauDocument.objects.filter(bordereau=bordereau).exists()
    failed = _failed_titres(bordereau).count() + (0 if own else _failed_own(bordereau).count())
    invoices = Invoices(_kept(bordereau, FACTURX).count(), _failed_invoices(bordereau).count())
    counted = counted_of(
        bordereau.count,
        drawn=_kept(bordereau, PDF).count(),
        own=own,
        failed=failed,
        invoices=invoices if bordereau.invoice_frame else None,
    )
    return counted.at_the_pace_of(_drawn_lately(bordereau)) if counted.left else counted


class Invoices(NamedTuple):
    """The electronic invoices of a bordereau that asks for one of each titre."""

    kept: int
    refused: int


def counted_of(
    count: int, *, drawn: int, own: bool, failed: int, invoices: Invoices | None = None
) -> Progress:
    """Return how far a bordereau of `count` titres is: its own document fails with the last of them.

    So does the invoice of a titre whose document failed.
    """
    waits_for_failures = failed and not own and drawn < count <= drawn + failed
    progress = Progress(total=count + 1, done=drawn + own, failed=failed + bool(waits_for_failures))
    if invoices is None:
        return progress
    undrawn = failed if drawn < count else 0
    return Progress(
        total=progress.total + count,
        done=progress.done + invoices.kept,
        failed=progress.failed + invoices.refused + undrawn,
    )


def failures(bordereau: Bordereau, limit: int) -> list[Failure]:
    """Return the first documents that failed, by number; the bordereau when its own is why."""
    found = _told(_failed_titres(bordereau)[:limit], invoice=False)
    own = _failed_own(bordereau).first()
    if own and not BordereauDocument.objects.filter(bordereau=bordereau).exists():
        found.append(Failure(str(bordereau), None, own.failure))
    return (found + _told(_failed_invoices(bordereau)[:limit], invoice=True))[:limit]


def failed_of(bordereaux: Iterable[Bordereau]) -> Counter[UUID]:
    """Return how many documents failed of each of these bordereaux, in two queries."""
    keys = [bordereau.pk for bordereau in bordereaux]
    titres = Titre.objects.filter(
        bordereau__in=keys, pk__in=attempts.failed(TITRE).order_by().values("key")
    )
    found = Counter(without_document(titres).order_by("pk").values_list("bordereau", flat=True))
    own = attempts.failed(BORDEREAU).filter(key__in=keys)
    drawn = BordereauDocument.objects.filter(bordereau=OuterRef("key"))
    return found + Counter(own.exclude(Exists(drawn)).values_list("key", flat=True))


def refused_of(bordereaux: Iterable[Bordereau]) -> Counter[UUID]:
    """Return how many electronic invoices were refused of each of these bordereaux."""
    failed = attempts.failed(INVOICE).order_by().values("key")
    titres = Titre.objects.filter(bordereau__in=[row.pk for row in bordereaux], pk__in=failed)
    return Counter(wanted(titres).order_by("pk").values_list("bordereau", flat=True))


def is_stalled(bordereau: Bordereau) -> bool:
    """Tell whether documents are left and nobody has claimed nor kept one for a while."""
    if not progress(bordereau).left:
        return False
    pieces = Q(work__in=(TITRE, INVOICE), key__in=bordereau.titres.order_by().values("pk"))
    own = Q(work=BORDEREAU, key=bordereau.pk)
    last = Attempt.objects.filter(pieces | own).aggregate(at=Max("at"))["at"]
    return background.is_quiet([bordereau.issued_at, last, *_drawn_lately(bordereau)])


def unfinished() -> list[UUID]:
    """Return the bordereaux that have documents left, on which nobody works, the oldest first."""
    return [bordereau.pk for bordereau in with_documents_left() if is_stalled(bordereau)]


def with_documents_left() -> QuerySet[Bordereau]:
    """Return the bordereaux of which a document or an electronic invoice that they ask for is neither
    kept nor failed, the oldest first.
    """
    failed = Attempt.objects.filter(key=OuterRef("pk")).exclude(failure="")
    titres = without_document(Titre.objects.filter(bordereau=OuterRef("pk"))).order_by()
    left = titres.exclude(Exists(failed.filter(work=TITRE)))
    stored = BordereauDocument.objects.filter(bordereau=OuterRef("pk"))
    own = ~Exists(stored) & ~Exists(failed.filter(work=BORDEREAU)) & ~Exists(titres)
    uninvoiced = wanted(Titre.objects.filter(bordereau=OuterRef("pk"))).order_by()
    invoices = uninvoiced.exclude(Exists(failed.filter(work=INVOICE)))
    asked = ~Q(invoice_frame="") & Q(Exists(invoices))
    return Bordereau.objects.filter(Q(Exists(left)) | own | asked).order_by("issued_at", "pk")


def _claimed(titres: QuerySet[Titre]) -> Titre | None:
    """Take the next titre without document that nobody holds and that did not fail."""
    while True:
        with transaction.atomic():
            free = without_document(titres).exclude(Exists(attempts.standing(TITRE)))
            # Locked for the time of the claim alone: those that claim at once take different ones.
            locked = free.select_for_update(skip_locked=True, of=("self",))
            found = locked.only("pk").first()
            if found is None:
                return None
            taken = attempts.take(TITRE, found.pk)
        # Somebody may have drawn it between this reading and this claim.
        if taken and TitreDocument.objects.filter(titre=found, role=PDF).exists():
            attempts.succeed(TITRE, found.pk)
        elif taken:
            return Titre.objects.get(pk=found.pk)


def _draw_its_own(bordereau: Bordereau) -> int:
    """Draw the document of a bordereau once each of its titres has its own; return how many: 0 or 1."""
    if BordereauDocument.objects.filter(bordereau=bordereau).exists():
        return 0
    if without_document(bordereau.titres.all()).exists() or not attempts.take(BORDEREAU, bordereau.pk):
        return 0
    _settle(BORDEREAU, bordereau.pk, lambda: bordereau_pdf.document_of(bordereau))
    return 1


def _invoice_some(bordereau: Bordereau) -> int:
    """Write the electronic invoices of a few titres that nobody holds; return how many were settled."""
    if not bordereau.invoice_frame:
        return 0
    with transaction.atomic():
        free = wanted(bordereau.titres.all()).exclude(Exists(attempts.standing(INVOICE)))
        locked = free.select_for_update(skip_locked=True, of=("self",)).only("pk")[:TOGETHER]
        taken = [titre.pk for titre in locked if attempts.take(INVOICE, titre.pk)]
    if not taken:
        return 0
    try:
        made = produce_some(taken, Profile(bordereau.invoice_frame))
    except OSError as error:
        log.exception("Factures électroniques de %s", bordereau.pk)
        for key in taken:
            attempts.fail(INVOICE, key, _unwritten(error))
        return len(taken)
    refused = {item.titre: " ".join(item.messages) for item in made.refused}
    for key in taken:
        if key in refused:
            attempts.fail(INVOICE, key, refused[key])
        else:
            attempts.succeed(INVOICE, key)
    return len(taken)


def _settle(work: str, key: UUID, drawn_and_kept: Callable[[], object]) -> None:
    """Draw a document and keep it, or keep why it can't be: one stops no other."""
    try:
        drawn_and_kept()
    except OSError as error:
        log.exception("Document %s %s", work, key)
        attempts.fail(work, key, _unwritten(error))
    except Exception as error:
        log.exception("Document %s %s", work, key)
        name = type(error).__name__
        told = f"Dessin impossible ({name}) : reprenez ; si l'échec revient, signalez-le."
        attempts.fail(work, key, told)
    else:
        attempts.succeed(work, key)


def _unwritten(error: OSError) -> str:
    return (
        f"Le document n'a pas pu être écrit ({error.strerror or error}) : vérifiez le disque des "
        "documents, puis reprenez."
    )


def _told(rows: QuerySet[Attempt], *, invoice: bool) -> list[Failure]:
    told = dict(rows.values_list("key", "failure"))
    titres = Titre.objects.filter(pk__in=told).order_by("kind", "number").values_list("pk", "reference")
    return [Failure(reference, key, told[key], invoice) for key, reference in titres]


def _kept(bordereau: Bordereau, role: TitreDocument.Role) -> QuerySet[TitreDocument]:
    return TitreDocument.objects.filter(titre__bordereau=bordereau, role=role)


def _drawn_lately(bordereau: Bordereau) -> list[datetime]:
    """Return when the last documents were kept; not those that were before it was issued."""
    rows = TitreDocument.objects.filter(
        titre__bordereau=bordereau,
        role__in=(PDF, FACTURX),
        document__stored_at__gte=bordereau.issued_at,
    )
    rows = rows.order_by("-document__stored_at").values_list("document__stored_at", flat=True)
    return list(rows[: background.RECENT])


def _failed_titres(bordereau: Bordereau) -> QuerySet[Attempt]:
    """Return the failures of the titres that still lack their document: drawn otherwise, it is over."""
    lacking = without_document(bordereau.titres.all()).order_by().values("pk")
    return attempts.failed(TITRE).filter(key__in=lacking)


def _failed_invoices(bordereau: Bordereau) -> QuerySet[Attempt]:
    """Return the refusals of the invoices still lacking, that the bordereau asks for."""
    lacking = wanted(bordereau.titres.all()).order_by().values("pk")
    return attempts.failed(INVOICE).filter(key__in=lacking)


def _failed_own(bordereau: Bordereau) -> QuerySet[Attempt]:
    return attempts.failed(BORDEREAU).filter(key=bordereau.pk)


background.register(
    background.Activity(
        ACTIVITY, lambda key, seconds: draw_left(bordereau_id=key, seconds=seconds), unfinished
    )
)
