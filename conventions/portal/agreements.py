"""The page of an agreement, its papers, and the signed one sent back."""

import logging
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_safe

from conventions import filings, states
from conventions.models import Convention, Paper, PaperKind
from conventions.papers import drawing, kept
from conventions.papers.sources import PaperRefused
from conventions.papers.texts import NoText
from conventions.portal import own, words
from conventions.portal.deposits import DepositRefused, deposit_agreement
from conventions.portal.forms import ScanForm
from entsvc import school_year
from entsvc.downloads import as_attachment
from members.portal.access import portal_page
from members.portal.files import give

logger = logging.getLogger(__name__)

SENT_KINDS = {
    PaperKind.AGREEMENT: "La convention à signer, telle qu'envoyée",
    PaperKind.ANNEX: "L'annexe des écoles, telle qu'envoyée",
    PaperKind.DELIBERATION: "Le modèle de délibération, tel qu'envoyé",
    PaperKind.NOTIFICATION: "La lettre de notification",
    PaperKind.CERTIFICATE: "L'attestation d'inscription",
}


@require_http_methods(["GET", "HEAD", "POST"])
@portal_page
def convention_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show an agreement; receive it signed on POST."""
    convention = own.convention_or_404(request, pk)
    form = ScanForm()
    if request.method == "POST":
        own.act_or_404(request, convention)
        form = ScanForm(request.POST, request.FILES)
        if form.is_valid() and _deposited(request, convention, form):
            return redirect("espace-conventions:convention", pk)
    status = 200 if not form.errors else 422
    return render(
        request, "espace/conventions/convention.html", _context(request, convention, form), status=status
    )


@require_safe
@portal_page
def paper(request: HttpRequest, pk: str) -> HttpResponse:
    """Give a paper as it was frozen or received."""
    found = own.paper_or_404(request, pk)
    return give(request, found.document, found.name)


@require_safe
@portal_page
def deliberation(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the model of the deliberation that the council may take, until the agreement is signed."""
    convention = own.convention_or_404(request, pk)
    if convention.status != states.SENT:
        raise Http404
    return _drawn(request, PaperKind.DELIBERATION, convention, "modele-de-deliberation")


@require_safe
@portal_page
def certificate(request: HttpRequest, pk: int, year: int) -> HttpResponse:
    """Give a certificate of the schools enrolled in a school year that has begun."""
    convention = own.convention_or_404(request, pk)
    if year > school_year.containing(timezone.localdate()):
        raise Http404
    if convention.status not in states.OWING or not filings.enrolled(convention, year):
        raise Http404
    return _drawn(request, PaperKind.CERTIFICATE, convention, "attestation-d-inscription", year)


def latest_sent(papers: list[Paper]) -> list[Paper]:
    """Return what was last sent of each kind, in the order of the kinds."""
    of_kind = ([p for p in papers if p.kind == kind and p.amendment_id is None] for kind in SENT_KINDS)
    sent = [paper for paper in map(kept.last_sent, of_kind) if paper]
    agreement = next((paper for paper in sent if paper.kind == PaperKind.AGREEMENT), None)
    return kept.going_with(agreement, sent)


def _deposited(request: HttpRequest, convention: Convention, form: ScanForm) -> bool:
    scan = form.cleaned_data["scan"]
    try:
        deposit_agreement(convention=convention, pdf=scan, actor=request.user.email)
    except DepositRefused as error:
        form.add_error("scan", str(error))
        return False
    messages.success(request, "Nous avons bien reçu votre convention signée. Nous la vérifions.")
    return True


def _context(request: HttpRequest, convention: Convention, form: ScanForm) -> dict[str, Any]:
    today, papers = timezone.localdate(), list(convention.papers.order_by("at", "pk"))
    deposited = words.deposit(papers)
    to_sign = convention.status == states.SENT and own.may_act(request, convention)
    years = filings.lists_by_year(convention, today) if convention.status in states.OWING else []
    window = filings.window_of(convention, today)
    asked = convention.amendments.exclude(status=states.DROPPED).order_by("-number")
    if not own.may_act(request, convention):
        asked = asked.exclude(status=states.DRAFT)
    return {
        "convention": convention,
        "home": own.home_of(request, convention),
        "kind": words.kind_of(convention),
        "state": words.state_of(convention, deposited and _day(deposited), today),
        "years": words.years_of(convention),
        "begins": words.begins(convention),
        "acts": own.may_act(request, convention),
        "sent": [(row, SENT_KINDS[row.kind]) for row in latest_sent(papers)],
        "deposited": deposited,
        "deposited_on": deposited and _day(deposited),
        "without_paper": words.without_paper(convention, papers),
        "to_sign": to_sign,
        "form": form,
        "lists": [item for item in reversed(years) if item.covered],
        "school_year": school_year.containing(today),
        "initial": _schools(convention) if convention.status not in states.OWING else [],
        "window": window,
        "amendments": asked,
        "is_open": any(amendment.status in states.OPEN_AMENDMENT for amendment in asked),
    }


def _schools(convention: Convention) -> list:
    """Return the schools that an agreement not yet in force names."""
    return filings.enrolled(convention, convention.first_year)


def _day(row: Paper) -> Any:
    return timezone.localdate(row.at)


def _drawn(
    request: HttpRequest, kind: PaperKind, convention: Convention, name: str, year: int | None = None
) -> HttpResponse:
    """Answer with a paper drawn now, on which nothing is signed."""
    try:
        content = drawing.draw(kind, convention, year=year, draft=False)
    except (NoText, PaperRefused) as error:
        logger.warning("%s, %s : %s", convention.reference, kind, error)
        return render(request, "espace/no_file.html", status=503)
    suffix = f"-{school_year.label(year)}" if year is not None else ""
    return as_attachment(content, f"{name}-{slugify(convention.reference)}{suffix}.pdf")
