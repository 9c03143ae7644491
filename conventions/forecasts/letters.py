"""The letters of provisional amounts: drawn one by one from what was frozen, by whoever goes on with it.

Nothing says "being drawn" but for the time that it takes: a letter is claimed among those that are left,
drawn outside any lock, and kept as soon as it is drawn.
"""

import logging
import time
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet

from conventions.models import Forecast, ForecastAmount
from entsvc import attempts, background, documents
from entsvc.background import Progress
from entsvc.models import Attempt
from entsvc.pdf import render_pdf

log = logging.getLogger(__name__)

ACTIVITY = "previsions"  # and the name of the work on each letter
TEMPLATE = "pdf/prevision.html"


def nudge(forecast: Forecast) -> bool:
    """Ask for the letters that are left; return False when the background could not be reached."""
    return background.nudge(ACTIVITY, forecast.pk)


def draw(amount: ForecastAmount) -> bytes:
    """Return the letter of a member, from what was frozen alone: the same bytes each time."""
    return render_pdf(TEMPLATE, {**amount.forecast.payload, **amount.payload})


def draw_left(*, pk: UUID, seconds: float | None = None) -> int:
    """Draw the letters of a forecast that nobody holds, one by one; return how many were settled.

    Past `seconds`, no other is begun: the next call goes on. Safe in several processes at once, and when
    the draft is dropped meanwhile.
    """
    limit = None if seconds is None else time.monotonic() + seconds
    settled = 0
    while limit is None or settled == 0 or time.monotonic() < limit:
        amount = _claimed(pk)
        if amount is None:
            break
        _settle(amount)
        settled += 1
    return settled


def put_back(*, forecast: Forecast) -> int:
    """Put the letters that failed back among those to draw, for `nudge`; return how many."""
    return attempts.put_back(ACTIVITY, forecast.amounts.order_by().values("pk"))


def progress(forecast: Forecast) -> Progress:
    """Count the letters of a forecast: all of them, those drawn, those that failed, the time left."""
    counted = forecast.amounts.aggregate(total=Count("pk"), done=Count("pk", filter=drawn()))
    failed = _failed(forecast).count() if counted["done"] < counted["total"] else 0
    found = Progress(**counted, failed=failed)
    return found.at_the_pace_of(_drawn_lately(forecast)) if found.left else found


def failures(forecast: Forecast, limit: int) -> list[tuple[ForecastAmount, str]]:
    """Return the first letters that failed, by name, and why."""
    told = dict(_failed(forecast)[:limit].values_list("key", "failure"))
    rows = forecast.amounts.filter(pk__in=told).defer("payload").order_by("name", "siret")
    return [(row, told[row.pk]) for row in rows]


def failed_of(forecasts: Iterable[Forecast]) -> dict[UUID, int]:
    """Return how many letters failed of each of these forecasts, in one query."""
    rows = ForecastAmount.objects.filter(
        forecast__in=[row.pk for row in forecasts],
        document=None,
        pk__in=attempts.failed(ACTIVITY).order_by().values("key"),
    )
    counted = rows.order_by().values("forecast").annotate(number=Count("pk")).order_by("forecast")
    return {row["forecast"]: row["number"] for row in counted}


def drawn(prefix: str = "") -> Q:
    """Match the amounts whose letter is drawn, through `prefix` (`amounts__`) if any."""
    return Q(**{f"{prefix}document__isnull": False})


def is_stalled(forecast: Forecast) -> bool:
    """Tell whether letters are left and nobody has claimed nor kept one for a while."""
    if not progress(forecast).left:
        return False
    keys = forecast.amounts.order_by().values("pk")
    last = Attempt.objects.filter(work=ACTIVITY, key__in=keys).aggregate(at=Max("at"))["at"]
    return background.is_quiet([forecast.made_at, last, *_drawn_lately(forecast)])


def unfinished() -> list[UUID]:
    """Return the forecasts that have letters left, on which nobody works, the oldest first."""
    failed = attempts.failed(ACTIVITY).order_by().values("key")
    left = ForecastAmount.objects.filter(forecast=OuterRef("pk"), document=None).exclude(pk__in=failed)
    rows = Forecast.objects.filter(Exists(left)).order_by("made_at", "pk")
    return [row.pk for row in rows if is_stalled(row)]


def _claimed(forecast: UUID) -> ForecastAmount | None:
    """Take the next letter that nobody holds and that did not fail."""
    while True:
        with transaction.atomic():
            left = ForecastAmount.objects.filter(forecast=forecast, document=None)
            free = left.exclude(Exists(attempts.standing(ACTIVITY))).order_by("siret")
            # Locked for the time of the claim alone: those that claim at once take different ones.
            found = free.select_for_update(skip_locked=True, of=("self",)).only("pk").first()
            if found is None:
                return None
            taken = attempts.take(ACTIVITY, found.pk)
        row = ForecastAmount.objects.select_related("forecast").filter(pk=found.pk).first()
        # Somebody may have drawn it, or dropped the draft, between this reading and this claim.
        if taken and (row is None or row.document_id):
            attempts.succeed(ACTIVITY, found.pk)
        elif taken:
            return row


def _settle(amount: ForecastAmount) -> None:
    """Draw a letter and keep it, or keep why it can't be: one stops no other."""
    try:
        _keep(amount, draw(amount))
    except OSError as error:
        log.exception("Lettre %s", amount.pk)
        told = f"La lettre n'a pas pu être écrite ({error.strerror or error}) : vérifiez le disque des "
        attempts.fail(ACTIVITY, amount.pk, f"{told}documents, puis reprenez.")
    except Exception as error:
        log.exception("Lettre %s", amount.pk)
        name = type(error).__name__
        told = f"Dessin impossible ({name}) : reprenez ; si l'échec revient, signalez-le."
        attempts.fail(ACTIVITY, amount.pk, told)
    else:
        attempts.succeed(ACTIVITY, amount.pk)


def _keep(amount: ForecastAmount, content: bytes) -> None:
    """Keep a letter, once: drawn twice when a claim ran out, the first one is the one that counts."""
    document = documents.store(content, content_type="application/pdf", suffix=".pdf")
    ForecastAmount.objects.filter(pk=amount.pk, document=None).update(document=document)


def _failed(forecast: Forecast) -> QuerySet[Attempt]:
    lacking = forecast.amounts.filter(document=None).order_by().values("pk")
    return attempts.failed(ACTIVITY).filter(key__in=lacking)


def _drawn_lately(forecast: Forecast) -> list[datetime]:
    rows = forecast.amounts.filter(document__stored_at__gte=forecast.made_at)
    rows = rows.order_by("-document__stored_at").values_list("document__stored_at", flat=True)
    return list(rows[: background.RECENT])


background.register(
    background.Activity(ACTIVITY, lambda key, seconds: draw_left(pk=key, seconds=seconds), unfinished)
)
