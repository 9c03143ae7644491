"""What a member is shown before its bill, and what it objects to until the last day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from conventions import etat_facts, etat_reading, etats, objections
from conventions.etat_paper import draw_etat
from conventions.models import MemberEtat, Objection
from conventions.objections import ObjectionRefused
from conventions.portal import own
from conventions.portal.forms import ObjectionForm
from entsvc.downloads import as_attachment
from entsvc.french import long_date
from entsvc.once import asked_once
from members.models import Member
from members.portal.access import portal_page
from members.portal.expectations import Expectation
from members.successions import taken_over_by

SHOWN = 6  # on the home page


@dataclass(frozen=True)
class Standing:
    """Where an objection stands, in words for the member."""

    objection: Objection
    label: str
    tone: str
    granted: str
    is_open: bool


def panel(request: HttpRequest, member: Member) -> str:
    """Draw the états of a member, the latest first; nothing where there is none."""
    today = timezone.localdate()
    rows = [(row, _state(row, today)) for row in _rows(request, member)[:SHOWN]]
    if not rows:
        return ""
    return render_to_string("espace/conventions/etats.html", {"rows": rows, "member": member})


def expected(request: HttpRequest, member: Member) -> Iterable[Expectation]:
    """Tell the états that a member has neither agreed with nor objected to, until their last day."""
    today = timezone.localdate()
    for row in _rows(request, member):
        if etats.is_over(row.etat, today) or row.agreed_at or row.filed:
            continue
        until = row.etat.objections_until
        yield Expectation(
            title=f"Vérifier vos écoles et vos effectifs avant l'appel {row.etat.school_year_label}",
            url=reverse("espace-conventions:etat", args=[row.pk]),
            action="Vérifier et répondre",
            words=f"{row.etat.schedule.issuer} calculera votre participation avec ces nombres. "
            "S'ils sont exacts, dites-le ; sinon, contestez-les.",
            when=f"Jusqu'au {long_date(until)} inclus.",
            by=until,
            optional=True,
        )


@require_safe
@portal_page
def etat_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what the call will rest on, what changed since, and the objections with their answers."""
    shown = own.etat_or_404(request, pk)
    now = etat_reading.current(shown.etat, [shown])
    facts = now.get(shown.debtor_id)
    lines = etat_facts.lines(shown.facts, facts)
    filed = [_standing(row, facts) for row in _objections(shown)]
    over = etats.is_over(shown.etat, timezone.localdate())
    context = {
        **_about(request, shown),
        "agreements": _by_agreement(shown.facts, lines),
        "totals": etat_facts.totals(shown.facts),
        "active": shown.facts["active"],
        "read": shown.facts["read"],
        "changes": etat_facts.changes(shown.facts, facts),
        "filed": filed,
        "over": over,
        "may_agree": not over and not shown.agreed_at and not any(row.is_open for row in filed),
    }
    return render(request, "espace/conventions/etat.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@portal_page
def object_page(request: HttpRequest, pk: int) -> HttpResponse:
    """File an objection, to the school of the address if it names one."""
    shown = own.etat_or_404(request, pk)
    if etats.is_over(shown.etat, timezone.localdate()) and request.method != "POST":
        return redirect("espace-conventions:etat", pk)
    named = etat_facts.schools(shown.facts)
    about = request.GET.get("ecole", "")
    initial = {"school": about, "kind": Objection.Kind.PUPILS} if about in named else {}
    posted = request.POST if request.method == "POST" else None
    form = ObjectionForm(posted, named=named, active=shown.facts["active"], initial=initial)
    if posted is not None and form.is_valid() and _filed(request, shown, form):
        return redirect("espace-conventions:etat", pk)
    status = 422 if form.errors else 200
    context = {**_about(request, shown), "form": form}
    return render(request, "espace/conventions/object.html", context, status=status)


@require_POST
@portal_page
def agree(request: HttpRequest, pk: int) -> HttpResponse:
    """Write that the member finds all of it right."""
    shown = own.etat_or_404(request, pk)
    try:
        objections.agree(shown=shown, actor=request.user.email)
    except ObjectionRefused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Merci, votre accord est enregistré.")
    return redirect("espace-conventions:etat", pk)


@require_http_methods(["GET", "HEAD", "POST"])
@portal_page
def withdraw_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Take back an objection: ask first, do it on POST."""
    objection = own.objection_or_404(request, pk)
    back = redirect("espace-conventions:etat", objection.shown_id)
    if request.method == "POST":
        try:
            objections.withdraw(objection=objection, actor=request.user.email)
        except ObjectionRefused as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "Votre contestation est retirée.")
        return back
    if not objection.is_open:
        return back
    over = etats.is_over(objection.shown.etat, timezone.localdate())
    context = {"objection": objection, "words": objections.in_words(objection), "over": over}
    return render(request, "espace/conventions/withdraw.html", context)


@require_safe
@portal_page
def etat_pdf(request: HttpRequest, pk: int) -> HttpResponse:
    """Give what was shown, as a paper to print."""
    shown = own.etat_or_404(request, pk)
    name = f"etat-contradictoire-{slugify(f'{shown.etat} {shown.debtor}')}.pdf"
    return as_attachment(draw_etat(shown), name)


def _rows(request: HttpRequest, member: Member) -> list[Any]:
    """Return the états of a member and how it answered, read once for a page."""
    found = own.etats_of([member.pk]).defer("facts")
    return asked_once(request, ("etats", member.pk), lambda: list(objections.with_standing(found)))


def _objections(shown: MemberEtat) -> Iterable[Objection]:
    rows = shown.objections.filter(withdrawn_at=None).select_related("school", "granted_school")
    return rows.order_by("filed_at", "pk")


def _filed(request: HttpRequest, shown: MemberEtat, form: ObjectionForm) -> bool:
    try:
        objections.file_objection(shown=shown, actor=request.user.email, **form.cleaned_data)
    except ObjectionRefused as error:
        form.add_error(None, str(error))
        return False
    messages.success(
        request, "Votre contestation est enregistrée. Vous recevrez la réponse par courriel."
    )
    return True


def _about(request: HttpRequest, shown: MemberEtat) -> dict[str, Any]:
    mine = set(request.members.values_list("pk", flat=True))
    home = shown.debtor_id
    if home not in mine:
        home = taken_over_by(mine, timezone.localdate())[home]
    return {
        "shown": shown,
        "etat": shown.etat,
        "issuer": shown.etat.schedule.issuer,
        "home": home,
        "former": str(shown.debtor) if home != shown.debtor_id else "",
    }


def _by_agreement(facts: etat_facts.Facts, lines: list[etat_facts.Line]) -> list[tuple[dict, list]]:
    known = {item["reference"]: item for item in facts["agreements"]}
    found: dict[str, list[etat_facts.Line]] = {reference: [] for reference in known}
    for line in lines:
        found.setdefault(line.agreement, []).append(line)
    new = {"title": "", "party": "", "options": [], "units": []}
    return [
        (known.get(reference) or {"reference": reference, **new}, rows)
        for reference, rows in found.items()
    ]


def _standing(objection: Objection, facts: etat_facts.Facts | None) -> Standing:
    if objection.is_open:
        return Standing(objection, "En attente de réponse", "warn", "", True)
    if objection.answer == Objection.Answer.REJECTED:
        return Standing(objection, "Rejetée", "bad", "", False)
    granted = objections.granted_words(objection)
    if objections.is_mended(objection, facts):
        return Standing(objection, "Acceptée", "good", granted, False)
    return Standing(objection, "Acceptée, à corriger", "good", granted, False)


def _state(row: Any, today: date) -> tuple[str, str]:
    """Return where a member stands, in words, and the tone of it."""
    if row.waiting:
        return "Contestation en attente de réponse", "warn"
    if row.filed:
        return "Contestation répondue", "good"
    if row.agreed_at:
        return f"D'accord le {long_date(timezone.localdate(row.agreed_at))}", "good"
    if etats.is_over(row.etat, today):
        return "Délai passé", ""
    return "À vérifier", "warn"
