"""The first page of the staff: what there is to do, and the search of a commune, a school, a titre."""

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe
from unfold.dataclasses import SearchResult

from conventions.findings import Scope
from conventions.scoped_pages import choices_of, issuers_of, require, scope_of
from invoicing import home, search


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the first page what there is to do for an issuer and a school year (`emetteur`, `annee`).

    Without a year, the last one for which the issuer has a tariff.
    """
    issuers = issuers_of(request)
    scope = scope_of(request, issuers)
    if scope and not request.GET.get("annee"):
        scope = Scope(scope.issuer, home.last_adopted_year(scope.issuer) or scope.year)
    context |= {"title": "Accueil", **choices_of(issuers, scope), "stages": [], "figures": None}
    if scope:
        year = home.read(scope)
        context["stages"] = home.stages(scope, year, request.user)
        if request.user.has_perm("invoicing.view_titre"):
            context["figures"] = year
    return context


@require_safe
def data_part(request: HttpRequest) -> HttpResponse:
    """Show the first stage to that page, which asks for it once it is open; else the data themselves."""
    require(request, home.DATA_RIGHT)
    scope = scope_of(request, issuers_of(request))
    if scope is None:
        raise Http404("Aucun émetteur.")
    stage = home.data_stage(scope, request.user)
    if request.headers.get("HX-Request") != "true":
        return redirect(stage.link)
    return TemplateResponse(request, "admin/invoicing/home_stage.html", {"stage": stage, "rank": 1})


def search_page(request: HttpRequest) -> HttpResponse:
    """Show what bears the words asked for (`q`); the only thing found opens at once."""
    words = search.words_of(request.GET.get("q", ""))
    groups = search.search(request, words)
    hits = [hit for group in groups for hit in group.hits]
    if len(hits) == 1:
        return redirect(hits[0].link)
    context = {
        **admin.site.each_context(request),
        "title": "Recherche",
        "words": words,
        "groups": groups,
        "too_short": len(words) < search.SHORTEST,
    }
    return TemplateResponse(request, "admin/invoicing/search.html", context)


def commands(request: HttpRequest, words: str) -> list[SearchResult]:
    """Return what the search of the menu finds besides pages (Ctrl + K)."""
    return [
        SearchResult(title=hit.title, description=group.title, link=hit.link, icon="arrow_forward")
        for group in search.search(request, search.words_of(words))
        for hit in group.hits
    ]
