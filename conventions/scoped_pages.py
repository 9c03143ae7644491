"""What the pages of an issuer and a school year share: who may see them, and what they are about."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils import timezone
from unfold.widgets import SELECT_CLASSES

from conventions.findings import Scope
from entsvc import school_year
from members.access import visible
from members.models import Issuer

YEARS_BEFORE, YEARS_AFTER = 9, 1


def require(request: HttpRequest, *permissions: str) -> None:
    """Refuse an account that lacks one of these permissions."""
    if not request.user.has_perms(permissions):
        raise PermissionDenied


def issuers_of(request: HttpRequest) -> list[Issuer]:
    """Return the issuers of the account, by code."""
    return list(visible(Issuer.objects.order_by("code"), request.user))


def scope_of(request: HttpRequest, issuers: list[Issuer]) -> Scope | None:
    """Return what the page is about: one of the account's issuers and a year, or nothing to see."""
    code, year = request.GET.get("emetteur"), request.GET.get("annee")
    try:
        asked = school_year.parse(year) if year else school_year.containing(timezone.localdate())
    except ValueError as error:
        raise Http404(str(error)) from error
    found = [issuer for issuer in issuers if code in (None, "", issuer.code)]
    if code and not found:
        raise Http404("Émetteur inconnu.")
    return Scope(found[0], asked) if found else None


def context_of(
    request: HttpRequest, title: str, issuers: list[Issuer], scope: Scope | None
) -> dict[str, Any]:
    """Return what the template of such a page needs."""
    return {**admin.site.each_context(request), "title": title, **choices_of(issuers, scope)}


def choices_of(issuers: list[Issuer], scope: Scope | None) -> dict[str, Any]:
    """Return what the choice of an issuer and a year needs (admin/conventions/scope.html)."""
    context = {
        "issuers": issuers,
        "scope": scope,
        "years": _years(scope),
        "select_classes": " ".join(SELECT_CLASSES),
    }
    if scope:
        context["issuer_link"] = reverse("admin:members_issuer_change", args=[scope.issuer.pk])
    return context


def address_of(name: str, scope: Scope, **more: Any) -> str:
    """Return the address of such a page, for an issuer and a school year."""
    query = {"emetteur": scope.issuer.code, "annee": school_year.label(scope.year), **more}
    return f"{reverse(name)}?{urlencode(query)}"


def _years(scope: Scope | None) -> list[tuple[str, bool]]:
    """Return the school years to choose from, the latest first, and which one is shown."""
    now = school_year.containing(timezone.localdate())
    years = set(range(now - YEARS_BEFORE, now + YEARS_AFTER + 1)) | ({scope.year} if scope else set())
    chosen = scope.year if scope else now
    return [(school_year.label(year), year == chosen) for year in sorted(years, reverse=True)]
