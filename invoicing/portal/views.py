"""The titres of a member: their list, each with how to pay it, and the document as it was stored."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from invoicing.models import Payment, Titre
from invoicing.payments import in_words
from invoicing.portal import own
from members.portal.access import member_or_404, portal_page
from members.portal.files import give


@require_safe
@portal_page
def titres(request: HttpRequest, pk: int) -> HttpResponse:
    """Show all the titres of a member."""
    member = member_or_404(request, pk)
    context = {"member": member, "rows": own.rows_of(member), "successor": own.reads_too(member)}
    return render(request, "espace/titres/list.html", context)


@require_safe
@portal_page
def titre(request: HttpRequest, pk: str) -> HttpResponse:
    """Show a titre: what it asks and why, what was paid, and how to pay the rest."""
    found = get_object_or_404(own.titres_of(request.members), pk=pk)
    mine = set(request.members.values_list("pk", flat=True))
    row = own.row(found, mine, timezone.localdate())
    receipts = [p for p in found.payments.all() if p.kind == Payment.Kind.RECEIPT]
    cancelled = {p.cancels_id for p in found.payments.all() if p.cancels_id}
    readable = own.titres_of(request.members)
    context = {
        "titre": found,
        "replaces": readable.filter(pk=found.replaces_id).first(),
        "replaced_by": readable.filter(replaces=found).first(),
        "home": own.home_of(found, mine),
        "row": row,
        "words": in_words(row.standing),
        "payload": found.payload,
        "payments": [(payment, payment.pk in cancelled) for payment in receipts],
        "corrections": [c for c in found.corrections.all() if c.kind != Titre.Kind.TITRE],
        "is_correction": found.kind != Titre.Kind.TITRE,
    }
    return render(request, "espace/titres/titre.html", context)


@require_safe
@portal_page
def pdf(request: HttpRequest, pk: str) -> HttpResponse:
    """Give the document of a titre, as it was stored."""
    found = get_object_or_404(own.titres_of(request.members), pk=pk)
    if not found.drawn:
        raise Http404
    return give(request, found.drawn[0].document, f"{found.reference}.pdf")
