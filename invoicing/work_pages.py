"""The latest long works of an account: what is under way, done or failed, and where to look."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from conventions.forecasts import letters
from conventions.models import Forecast, Production
from entsvc import work_pages, works
from entsvc.background import Progress, is_quiet
from entsvc.works import State
from invoicing import drawing
from invoicing.facturx.production import FACTURX
from invoicing.models import Bordereau, BordereauDocument
from invoicing.rendering import PDF
from members.access import visible

SEEN_WITH = (
    "invoicing.view_run",
    "invoicing.view_bordereau",
    "conventions.view_production",
    "conventions.view_forecast",
    "entsvc.add_upload",
)
LATEST = 40  # works of each sort, then works shown


@dataclass(frozen=True)
class Entry:
    """A work in the list; `progress` is that of a work whose pieces can be counted."""

    at: datetime
    actor: str
    title: str
    state: State
    address: str
    told: str = ""
    result: str = ""
    progress: Progress | None = None


@require_safe
def works_page(request: HttpRequest) -> HttpResponse:
    """Show the latest works, the most recent first."""
    user = request.user
    if not any(user.has_perm(permission) for permission in SEEN_WITH):
        raise PermissionDenied
    found = [_asked(work) for work in works.visible(user).select_related("document")[:LATEST]]
    if user.has_perm("conventions.view_production"):
        found += [_production(row) for row in _productions(user)]
    if user.has_perm("conventions.view_forecast"):
        forecasts = list(_forecasts(user))
        undrawn = letters.failed_of(forecasts)
        found += [_forecast(row, undrawn.get(row.pk, 0)) for row in forecasts]
    if user.has_perm("invoicing.view_bordereau"):
        rows = list(_bordereaux(user))
        failed, refused = drawing.failed_of(rows), drawing.refused_of(rows)
        found += [_drawing(row, failed[row.pk], refused[row.pk]) for row in rows]
    found.sort(key=lambda entry: entry.at, reverse=True)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Travaux",
        "entries": found[:LATEST],
        "under_way": any(entry.state in (State.WAITING, State.RUNNING) for entry in found[:LATEST]),
    }
    return TemplateResponse(request, "admin/entsvc/works.html", context)


def _asked(work: Any) -> Entry:
    return Entry(
        at=work.at,
        actor=work.actor,
        title=work.title,
        state=works.state_of(work),
        address=reverse("work", args=[work.pk]),
        told=work.failure or work.told,
        result="" if work.failure else work_pages.address_of_result(work),
    )


def _productions(user: Any) -> QuerySet[Production]:
    rows = visible(Production.objects.select_related("issuer"), user).annotate(
        total=Count("items"),
        done=Count("items", filter=Q(items__document__isnull=False)),
        failed=Count("items", filter=~Q(items__failure="")),
        last=Max("items__document__stored_at"),
    )
    return rows.order_by("-at", "-pk")[:LATEST]


def _production(row: Any) -> Entry:
    progress = Progress(row.total, row.done, row.failed)
    return Entry(
        at=row.at,
        actor=row.actor,
        title=f"Documents de conventions : {row}, {row.school_year_label}",
        state=_state(progress, row.at, row.last),
        address=reverse("conventions:production", args=[row.pk]),
        progress=progress,
    )


def _forecasts(user: Any) -> QuerySet[Forecast]:
    rows = visible(Forecast.objects.select_related("schedule"), user).defer("payload", "apart")
    rows = rows.annotate(
        total=Count("amounts"),
        done=Count("amounts", filter=letters.drawn("amounts__")),
        last=Max("amounts__document__stored_at"),
    )
    return rows.order_by("-made_at", "-pk")[:LATEST]


def _forecast(row: Any, failed: int) -> Entry:
    progress = Progress(row.total, row.done, failed)
    return Entry(
        at=row.made_at,
        actor=row.made_by,
        title=f"Lettres des montants prévisionnels : {row}",
        state=_state(progress, row.made_at, row.last),
        address=reverse("conventions:forecast", args=[row.pk]),
        progress=progress,
    )


def _bordereaux(user: Any) -> QuerySet[Bordereau]:
    drawn = Q(titres__documents__role=PDF)
    rows = visible(Bordereau.objects.select_related("issuer"), user).annotate(
        drawn=Count("titres__documents", filter=drawn),
        invoiced=Count("titres__documents", filter=Q(titres__documents__role=FACTURX)),
        last=Max("titres__documents__document__stored_at"),
        own=Exists(BordereauDocument.objects.filter(bordereau=OuterRef("pk"))),
    )
    return rows.order_by("-issued_at", "-pk")[:LATEST]


def _drawing(row: Any, failed: int, refused: int) -> Entry:
    invoices = drawing.Invoices(row.invoiced, refused) if row.invoice_frame else None
    progress = drawing.counted_of(
        row.count, drawn=row.drawn, own=row.own, failed=failed, invoices=invoices
    )
    return Entry(
        at=row.issued_at,
        actor=row.issued_by,
        title=f"Documents : {row}",
        state=_state(progress, row.issued_at, row.last),
        address=reverse("collection:documents", args=[row.pk]),
        progress=progress,
    )


def _state(progress: Progress, *signs: datetime | None) -> State:
    if progress.left:
        return State.STOPPED if is_quiet(signs) else State.RUNNING
    return State.FAILED if progress.failed else State.DONE
