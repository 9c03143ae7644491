"""« Avant d'émettre »: what is to mend before any number is spent, alone or within another page."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from invoicing.preflight_reading import readiness
from invoicing.review_pages import page_context, run_of

SHOWN, LISTED = 5, 200  # debtors of each group, within another page and on its own


@require_safe
def preflight_page(request: HttpRequest, run: int) -> HttpResponse:
    """Show it; the part alone to a page that asks for it once it is open, as the review does."""
    found = run_of(request, run)
    within = request.headers.get("HX-Request") == "true"
    ready = readiness(found, request.user)
    most = SHOWN if within else LISTED
    context: dict[str, Any] = {
        "run": found,
        "ready": ready,
        "within": within,
        "may_mend": request.user.has_perm("members.view_member"),
        "groups": [
            (group, group.calls[:most], max(len(group.calls) - most, 0)) for group in ready.debtors
        ],
    }
    if within:
        return TemplateResponse(request, "admin/invoicing/preflight_part.html", context)
    context |= page_context(request, f"Avant d'émettre : {found}", found)
    return TemplateResponse(request, "admin/invoicing/preflight.html", context)
