"""The documents of a bordereau: how far they are drawn, which failed, and asking for them again."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from entsvc import background
from entsvc.french import plural
from invoicing import drawing
from invoicing.models import Bordereau
from members.access import visible

VIEW, DRAW = "invoicing.view_bordereau", "invoicing.issue_titre"
FAILURES = 100  # failures told one by one
ASKED = "repris"  # tells the page that the work has just been asked for: no sign of it is due yet


@require_safe
def documents_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show how far the documents of a bordereau are, at what pace, and what failed."""
    bordereau = _bordereau(request, pk, VIEW)
    done = drawing.progress(bordereau)
    failures = drawing.failures(bordereau, FAILURES) if done.failed else []
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Documents du bordereau",
        "bordereau": bordereau,
        "progress": done,
        "time_left": background.in_words(done.seconds_left),
        "stalled": ASKED not in request.GET and drawing.is_stalled(bordereau),
        "failures": failures,
        "more": len(failures) == FAILURES,
        "waits": any(failure.titre and not failure.invoice for failure in failures),
        "inline": background.is_inline(),
        "may_start": request.user.has_perm(DRAW),
    }
    return TemplateResponse(request, "admin/invoicing/drawing.html", context)


@require_POST
def go_on(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask again for what is left, when the process that drew it was killed."""
    bordereau = _bordereau(request, pk, VIEW, DRAW)
    return follow(request, bordereau)


@require_POST
def try_again(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Draw again the documents that failed."""
    bordereau = _bordereau(request, pk, VIEW, DRAW)
    again = drawing.put_back(bordereau=bordereau)
    messages.success(request, f"{plural(again, 'document repris', 'documents repris')}.")
    return follow(request, bordereau)


def follow(request: HttpRequest, bordereau: Bordereau) -> HttpResponse:
    """Ask for the documents that are left of a bordereau, and go to the page that follows them."""
    if drawing.nudge(bordereau):
        return redirect(f"{address_of(bordereau)}?{ASKED}=1")
    messages.warning(
        request,
        "Le travail n'a pas pu être lancé : ce qui est fait est gardé, reprenez dans un moment.",
    )
    return redirect(address_of(bordereau))


def address_of(bordereau: Bordereau) -> str:
    """Return the address of the page of a bordereau's documents."""
    return reverse("collection:documents", args=[bordereau.pk])


def _bordereau(request: HttpRequest, pk: UUID, *permissions: str) -> Bordereau:
    if not request.user.has_perms(permissions):
        raise PermissionDenied
    return get_object_or_404(visible(Bordereau.objects.select_related("issuer"), request.user), pk=pk)
