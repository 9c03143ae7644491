"""Produce all the papers of a kind for a school year: ask, follow, download."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from conventions import archive, productions, scoped_pages
from conventions.models import PaperKind, Production
from conventions.readiness import Scope
from entsvc import background, journal
from entsvc.french import plural
from members.access import visible

VIEW, ADD = "conventions.view_production", "conventions.add_production"
LATEST = 20  # former productions shown
FAILURES = 100  # failures told one by one
ASKED = "repris"  # tells the page that the work has just been asked for: no sign of it is due yet


def productions_page(request: HttpRequest) -> HttpResponse:
    """Show the productions of an issuer and a school year; start one on POST."""
    scoped_pages.require(request, VIEW)
    issuers = scoped_pages.issuers_of(request)
    scope = scoped_pages.scope_of(request, issuers)
    if request.method == "POST":
        scoped_pages.require(request, ADD)
        return _started(request, scope)
    context = scoped_pages.context_of(request, "Produire les documents", issuers, scope)
    if scope:
        rows = Production.objects.filter(issuer=scope.issuer, school_year=scope.year)
        context |= {
            "kinds": [
                (kind.value, kind.label, productions.concerned(scope.issuer, scope.year, kind).count())
                for kind in PaperKind
            ],
            "latest": list(rows.order_by("-at", "-pk")[:LATEST]),
            "may_start": request.user.has_perm(ADD),
        }
    return TemplateResponse(request, "admin/conventions/productions.html", context)


@require_safe
def production_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show how far a production is, what failed and why, and its ZIP."""
    scoped_pages.require(request, VIEW)
    production = _production(request, pk)
    done = productions.progress(production)
    failed = production.items.exclude(failure="").select_related("convention__party", "amendment")
    drafts = production.items.filter(document__isnull=False, paper__isnull=True).count()
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Produire les documents",
        "production": production,
        "progress": done,
        "time_left": background.in_words(done.seconds_left),
        "stalled": ASKED not in request.GET and productions.is_stalled(production),
        "frozen": done.done - drafts,
        "drafts": drafts,
        "failures": list(failed.order_by("convention__reference", "pk")[:FAILURES]),
        "inline": background.is_inline(),
        "may_start": request.user.has_perm(ADD),
        "back": scoped_pages.address_of(
            "conventions:productions", Scope(production.issuer, production.school_year)
        ),
    }
    return TemplateResponse(request, "admin/conventions/production.html", context)


@require_POST
def go_on(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask again for what is left, when the process that drew it was killed."""
    scoped_pages.require(request, VIEW, ADD)
    production = _production(request, pk)
    if not productions.nudge(production):
        _warn(request)
        return redirect(_address(production))
    return redirect(f"{_address(production)}?{ASKED}=1")


@require_POST
def try_again(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Draw again the papers that failed."""
    scoped_pages.require(request, VIEW, ADD)
    production = _production(request, pk)
    again = productions.retry(production=production)
    messages.success(request, f"{plural(again, 'document repris', 'documents repris')}.")
    return redirect(f"{_address(production)}?{ASKED}=1")


@require_safe
def download(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send the ZIP as it is made."""
    scoped_pages.require(request, VIEW)
    production = _production(request, pk)
    if not production.items.filter(document__isnull=False).exists():
        raise Http404("Aucun document n'est encore produit.")
    journal.record(
        actor=request.user.get_username(),
        action="download",
        target=production,
        summary=f"Téléchargé : {archive.name_of(production)}",
    )
    answer = StreamingHttpResponse(archive.stream(production), content_type="application/zip")
    answer["Content-Disposition"] = f'attachment; filename="{archive.name_of(production)}"'
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer


def _started(request: HttpRequest, scope: Scope | None) -> HttpResponse:
    if scope is None:
        raise Http404
    kind = request.POST.get("document", "")
    if kind not in PaperKind:
        messages.warning(request, "Choisissez le document à produire.")
        return redirect(request.get_full_path())
    try:
        production = productions.start(
            issuer=scope.issuer, year=scope.year, kind=kind, actor=request.user.get_username()
        )
    except productions.ProductionRefused as error:
        messages.warning(request, str(error))
        return redirect(request.get_full_path())
    return redirect(_address(production))


def _production(request: HttpRequest, pk: UUID) -> Production:
    rows = visible(Production.objects.select_related("issuer"), request.user)
    return get_object_or_404(rows, pk=pk)


def _address(production: Production) -> str:
    return reverse("conventions:production", args=[production.pk])


def _warn(request: HttpRequest) -> None:
    messages.warning(
        request,
        "Le travail n'a pas pu être lancé : ce qui est fait est gardé, recommencez dans un moment.",
    )
