"""All the papers of one kind for a school year: started once, drawn one by one, never lost.

What is left to do is read from the rows, whoever draws: a thread of the web server, a command or a
worker. A row is claimed by a conditional update, drawn outside any lock, kept as soon as it is drawn.
"""

import logging
import time
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone

from conventions import states
from conventions.assessment import covering
from conventions.models import (
    Amendment,
    Convention,
    Paper,
    PaperKind,
    PaperText,
    Production,
    ProductionItem,
)
from conventions.papers import drawing, kept, texts
from conventions.papers.sources import PaperRefused
from entsvc import background, documents, journal, school_year
from entsvc.background import Progress, is_quiet
from entsvc.french import plural
from entsvc.models import StoredDocument
from members.models import Issuer

log = logging.getLogger(__name__)

CLAIM = timedelta(minutes=2)  # well over the time of one paper: past it, its worker is dead
# Papers that follow the list of a year; the others are signed or sent once.
YEARLY = (PaperKind.ANNEX, PaperKind.CERTIFICATE)
# States in which an agreement has such a paper.
CONCERNED = {
    PaperKind.AGREEMENT: tuple(state for state in states.AGREEMENT_STATES if state != states.ABANDONED),
    PaperKind.ANNEX: tuple(state for state in states.AGREEMENT_STATES if state != states.ABANDONED),
    PaperKind.DELIBERATION: (states.DRAFT, states.SENT, states.SIGNED, states.IN_FORCE),
    PaperKind.NOTIFICATION: (states.SIGNED, *states.OWING),
    PaperKind.CERTIFICATE: states.OWING,
}
ACTIVITY = "production"
UNSETTLED = Q(document__isnull=True, failure="")
LONGEST_FAILURE = ProductionItem._meta.get_field("failure").max_length


class ProductionRefused(Exception):
    """There is nothing to produce; the message says why."""


def start(*, issuer: Issuer, year: int, kind: str, actor: str) -> Production:
    """Write down all the papers of a kind to produce for a school year, and set the work going.

    A production of the same papers that still has some to draw goes on instead: a second click starts
    nothing. Raises ProductionRefused (French message) when no agreement is concerned.
    """
    with transaction.atomic():
        found = written(issuer=issuer, year=year, kind=kind, actor=actor)
        transaction.on_commit(lambda: nudge(found))
    return found


def written(*, issuer: Issuer, year: int, kind: str, actor: str) -> Production:
    """Write down what `start` does, and leave the work to whoever asks for it next."""
    with transaction.atomic():
        # Two people asking at once wait for each other here, then share one production.
        Issuer.objects.select_for_update().get(pk=issuer.pk)
        return _unfinished(issuer, year, kind) or _written(issuer, year, kind, actor)


def nudge(production: Production) -> bool:
    """Ask for the work that is left; return False when the background could not be reached."""
    return background.nudge(ACTIVITY, production.pk)


def produce(*, production_id: UUID, seconds: float | None = None) -> int:
    """Draw the papers that nobody holds, one by one; return how many were settled here.

    Past `seconds`, no other paper is begun: the next call goes on. Safe in several processes at once.
    """
    production = Production.objects.select_related("issuer").get(pk=production_id)
    limit = None if seconds is None else time.monotonic() + seconds
    settled = 0
    while limit is None or settled == 0 or time.monotonic() < limit:
        item = _claimed(production)
        if item is None:
            break
        _settle(production, item)
        settled += 1
    return settled


def retry(*, production: Production) -> int:
    """Put the papers that failed back among those to draw, and ask for the work; return how many."""
    with transaction.atomic():
        again = put_back(production=production)
        transaction.on_commit(lambda: nudge(production))
    return again


def put_back(*, production: Production) -> int:
    """Put the papers that failed back among those to draw, and leave the work to whoever asks next."""
    return production.items.exclude(failure="").update(failure="", claimed_until=None)


def progress(production: Production) -> Progress:
    """Count the papers of a production: all of them, those drawn, those that failed, the time left."""
    counted = Progress(
        **production.items.aggregate(
            total=Count("pk"),
            done=Count("pk", filter=Q(document__isnull=False)),
            failed=Count("pk", filter=~Q(failure="")),
        )
    )
    if not counted.left:
        return counted
    return counted.at_the_pace_of(_drawn_lately(production))


def is_stalled(production: Production) -> bool:
    """Tell whether papers are left and nobody has claimed nor kept one for a while."""
    rows = production.items.filter(UNSETTLED)
    if not rows.exists():
        return False
    last = rows.aggregate(claim=Max("claimed_until"))["claim"]
    claimed = last - CLAIM if last else None
    return is_quiet([production.at, claimed, *_drawn_lately(production)])


def unfinished() -> list[UUID]:
    """Return the productions that have papers left, on which nobody works."""
    left = Q(items__document__isnull=True, items__failure="")
    rows = Production.objects.filter(left).distinct().order_by("at", "pk")
    return [production.pk for production in rows if is_stalled(production)]


def _drawn_lately(production: Production) -> list[datetime]:
    """Return when the last papers were drawn; not those that were kept before they were asked for."""
    rows = production.items.filter(document__stored_at__gte=production.at).order_by(
        "-document__stored_at"
    )
    return list(rows.values_list("document__stored_at", flat=True)[: background.RECENT])


def concerned(issuer: Issuer, year: int, kind: str) -> QuerySet[Convention] | QuerySet[Amendment]:
    """Return the agreements, or the amendments, that have such a paper in a school year."""
    if kind == PaperKind.AMENDMENT:
        rows = Amendment.objects.filter(convention__schedule__issuer=issuer, school_year=year)
        return rows.exclude(status=states.DROPPED).order_by("convention__reference", "number")
    rows = Convention.objects.filter(covering(year), schedule__issuer=issuer, status__in=CONCERNED[kind])
    return rows.order_by("reference", "pk")


def _unfinished(issuer: Issuer, year: int, kind: str) -> Production | None:
    left = Q(items__document__isnull=True, items__failure="")
    rows = Production.objects.filter(left, issuer=issuer, school_year=year, kind=kind)
    return rows.order_by("-at", "-pk").first()


def _written(issuer: Issuer, year: int, kind: str, actor: str) -> Production:
    rows = list(concerned(issuer, year, kind))
    if not rows:
        raise ProductionRefused(
            f"Aucun document de ce type pour {issuer.name} en {school_year.label(year)} : choisissez "
            "une autre année, ou enregistrez d'abord les conventions."
        )
    production = Production.objects.create(issuer=issuer, school_year=year, kind=kind, actor=actor)
    ProductionItem.objects.bulk_create(
        (_item(production, row) for row in rows),
        batch_size=500,
    )
    journal.record(
        actor=actor,
        action="produire-documents",
        target=production,
        summary=f"{production} : {plural(len(rows), 'document')} à produire",
        data={"kind": kind, "school_year": year, "count": len(rows)},
    )
    return production


def _item(production: Production, row: Convention | Amendment) -> ProductionItem:
    if isinstance(row, Amendment):
        return ProductionItem(production=production, convention_id=row.convention_id, amendment=row)
    return ProductionItem(production=production, convention=row)


def _claimed(production: Production) -> ProductionItem | None:
    """Take the next paper that nobody holds: the update says who won, on both databases."""
    while True:
        now = timezone.now()
        free = UNSETTLED & (Q(claimed_until__isnull=True) | Q(claimed_until__lt=now))
        key = production.items.filter(free).order_by("pk").values_list("pk", flat=True).first()
        if key is None:
            return None
        if ProductionItem.objects.filter(free, pk=key).update(claimed_until=now + CLAIM):
            return ProductionItem.objects.select_related(
                "amendment", "convention__party__representative", "convention__debtor",
                "convention__schedule__issuer", "convention__act", "convention__committee_act",
                "convention__conditions__act",
            ).get(pk=key)  # fmt: skip


def _settle(production: Production, item: ProductionItem) -> None:
    """Draw a paper and keep it, or keep why it can't be: one stops no other."""
    try:
        found = _frozen(production, item) or _drawn(production, item)
    except (PaperRefused, texts.NoText) as error:
        found = {"failure": _cut(str(error))}
    except Exception as error:
        log.exception("Production %s, convention %s", production.pk, item.convention_id)
        name = type(error).__name__
        found = {"failure": f"Dessin impossible ({name}) : relancez ; si l'échec revient, signalez-le."}
    # Drawn twice when a claim ran out: the first one kept is the one that counts.
    pending = ProductionItem.objects.filter(UNSETTLED, pk=item.pk)
    pending.update(claimed_until=None, **found)


def _frozen(production: Production, item: ProductionItem) -> dict | None:
    """Return the paper that holds already; that of a year is always drawn anew."""
    if production.kind in YEARLY:
        return None
    rows = Paper.objects.filter(
        convention=item.convention_id, amendment=item.amendment_id, kind=production.kind
    )
    status = (item.amendment or item.convention).status
    paper = kept.holding(rows.order_by("at", "pk"), status)
    if paper is None:
        return None
    return {"paper": paper, "document_id": paper.document_id, "text_id": paper.text_id}


def _drawn(production: Production, item: ProductionItem) -> dict[str, PaperText | StoredDocument]:
    year = production.school_year
    drawn = drawing.drawn(production.kind, item.convention, item.amendment, year=year, draft=True)
    document = documents.store(drawn.content, content_type="application/pdf", suffix=".pdf")
    return {"document": document, "text": drawn.text}


def _cut(message: str) -> str:
    return message if len(message) <= LONGEST_FAILURE else f"{message[: LONGEST_FAILURE - 1]}…"


background.register(
    background.Activity(
        ACTIVITY, lambda key, seconds: produce(production_id=key, seconds=seconds), unfinished
    )
)
