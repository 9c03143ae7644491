"""Asking for an amendment: schools ticked, the new amount seen, a paper to sign and to send back."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from conventions import filings, life, states
from conventions.estimates import Estimate, estimate
from conventions.models import Amendment, Convention, Paper, PaperKind
from conventions.papers import kept
from conventions.papers.sources import PaperRefused
from conventions.papers.texts import NoText
from conventions.portal import own
from conventions.portal.deposits import DepositRefused, deposit_amendment
from conventions.portal.forms import AmendmentScanForm, ReasonForm
from conventions.school_lists import change_of, schools_of, window_in_text
from entsvc import school_year
from entsvc.french import long_date
from members.models import School
from members.portal.access import portal_page

REFUSALS = (
    filings.AmendmentRefused,
    states.IllegalTransition,
    life.Refused,
    NoText,
    PaperRefused,
)
CHANGEABLE = (states.DRAFT, states.TO_SIGN, states.SENT_BACK)
NO_SCHOOL = (
    "Gardez au moins une école. Pour mettre fin à la convention, écrivez au service qui l'a établie."
)
WITHOUT_WINDOW = (
    "Le texte de cette convention n'ouvre pas de délai pour changer la liste : écrivez au service qui "
    "l'a établie."
)


@dataclass(frozen=True)
class Choice:
    """A school that may be ticked: whether it is now in the list, and whether it is asked for."""

    school: School
    named: bool
    ticked: bool


@dataclass
class Ticked:
    """The page of schools to tick: what it shows, what was sent, and what that changes."""

    convention: Convention
    year: int
    choices: list[Choice]
    form: ReasonForm
    asked: bool = False
    confirmed: bool = False
    error: str = ""

    @property
    def schools(self) -> list[School]:
        """Return the schools asked for."""
        return [choice.school for choice in self.choices if choice.ticked]

    @property
    def reason(self) -> str:
        """Return why, in the member's words; once they are known to be right."""
        return self.form.cleaned_data["motif"]

    @property
    def added(self) -> list[School]:
        """Return those that the list does not name today."""
        return [choice.school for choice in self.choices if choice.ticked and not choice.named]

    @property
    def removed(self) -> list[School]:
        """Return those that it would no longer name."""
        return [choice.school for choice in self.choices if choice.named and not choice.ticked]

    @property
    def communes(self) -> dict[str, list[Choice]]:
        """Return the choices by commune."""
        found: dict[str, list[Choice]] = {}
        for choice in self.choices:
            found.setdefault(choice.school.commune_name, []).append(choice)
        return found

    @property
    def signature(self) -> str:
        """Return the list asked for, as the page sends it back once its amount is seen."""
        return " ".join(sorted(school.uai for school in self.schools))

    def amounts(self) -> tuple[Estimate, Estimate]:
        """Return what the agreement costs with today's list, and with the one asked for."""
        return (
            estimate(self.convention, self.year),
            estimate(self.convention, self.year, self.schools),
        )


@require_http_methods(["GET", "HEAD", "POST"])
@portal_page
def ask_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for an amendment, within the window of the agreement; say when it opens otherwise."""
    convention = own.convention_or_404(request, pk)
    own.act_or_404(request, convention)
    today = timezone.localdate()
    window = filings.window_of(convention, today)
    current = convention.amendments.filter(status__in=states.OPEN_AMENDMENT).first()
    if current:
        return redirect("espace-conventions:amendment", current.pk)
    if window is None or not window.open:
        return _closed(request, convention, window, today)
    named = {school.uai for school in filings.enrolled(convention, window.year)}
    ticked = _ticked(request, convention, window.year, named)
    if ticked.confirmed:
        amendment = _opened(request, ticked)
        if amendment:
            return redirect("espace-conventions:amendment", amendment.pk)
    return _tick_page(request, ticked, window=window, button="Demander cet avenant")


@require_http_methods(["GET", "HEAD", "POST"])
@portal_page
def change_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Change what an amendment asks for until it is filed; its paper is then produced anew."""
    amendment = own.amendment_or_404(request, pk)
    own.act_or_404(request, amendment.convention)
    if amendment.status not in CHANGEABLE or not _lists_only(amendment):
        return redirect("espace-conventions:amendment", pk)
    if window_in_text(amendment.convention) is None:
        messages.error(request, WITHOUT_WINDOW)
        return redirect("espace-conventions:amendment", pk)
    convention, year = amendment.convention, amendment.school_year
    wanted = set(amendment.schools.order_by("pk").values_list("school__uai", flat=True))
    ticked = _ticked(request, convention, year, wanted, amendment.reason)
    if ticked.confirmed and _changed(request, amendment, ticked):
        return redirect("espace-conventions:amendment", pk)
    return _tick_page(request, ticked, amendment=amendment, button="Produire le nouvel avenant")


@require_http_methods(["GET", "HEAD", "POST"])
@portal_page
def amendment_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show where an amendment stands; receive it signed on POST."""
    amendment = own.amendment_or_404(request, pk)
    acts = own.may_act(request, amendment.convention)
    if amendment.status == states.DRAFT and not acts:
        raise Http404
    form = AmendmentScanForm()
    if request.method == "POST":
        own.act_or_404(request, amendment.convention)
        form = AmendmentScanForm(request.POST, request.FILES)
        if form.is_valid() and _deposited(request, amendment, form):
            return redirect("espace-conventions:amendment", pk)
    status = 200 if not form.errors else 422
    context = _amendment_context(request, amendment, form, acts)
    return render(request, "espace/conventions/amendment.html", context, status=status)


@require_POST
@portal_page
def send(request: HttpRequest, pk: int) -> HttpResponse:
    """Produce the paper of an amendment that has none yet, or was sent back."""
    amendment = own.amendment_or_404(request, pk)
    own.act_or_404(request, amendment.convention)
    try:
        filings.send(amendment=amendment, actor=request.user.email)
    except REFUSALS as error:
        messages.error(request, str(error))
    return redirect("espace-conventions:amendment", pk)


@require_http_methods(["GET", "HEAD", "POST"])
@portal_page
def drop_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Give up an amendment: ask first, do it on POST."""
    amendment = own.amendment_or_404(request, pk)
    own.act_or_404(request, amendment.convention)
    if request.method == "POST":
        try:
            filings.drop(amendment=amendment, actor=request.user.email)
        except REFUSALS as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "Votre demande est abandonnée : la liste ne change pas.")
            return redirect("espace-conventions:convention", amendment.convention_id)
        return redirect("espace-conventions:amendment", pk)
    if amendment.status not in CHANGEABLE:
        return redirect("espace-conventions:amendment", pk)
    return render(request, "espace/conventions/drop.html", {"amendment": amendment})


def _ticked(
    request: HttpRequest, convention: Convention, year: int, start: set[str], reason: str = ""
) -> Ticked:
    """Read what was ticked; `start` is what the page shows ticked at first, `reason` what it tells.

    The request is confirmed by the button that comes with the amount of this very list.
    """
    current = {school.uai for school in filings.enrolled(convention, year)}
    wanted = set(request.POST.getlist("ecoles")) if request.method == "POST" else start
    ticked = Ticked(
        convention,
        year,
        [
            Choice(school, school.uai in current, school.uai in wanted)
            for school in filings.candidates(convention, year)
        ],
        ReasonForm(request.POST if request.method == "POST" else None, initial={"motif": reason}),
    )
    if request.method != "POST":
        return ticked
    if not ticked.schools:
        ticked.error = NO_SCHOOL
        return ticked
    if not ticked.form.is_valid():
        return ticked
    ticked.asked = True
    if "demander" in request.POST:
        ticked.confirmed = request.POST.get("vu") == ticked.signature
        if not ticked.confirmed:
            ticked.error = "Votre liste a changé depuis : voici son montant, confirmez-le."
    return ticked


def _opened(request: HttpRequest, ticked: Ticked) -> Amendment | None:
    actor = request.user.email
    try:
        with transaction.atomic():
            amendment = filings.open_amendment(
                convention=ticked.convention,
                school_year=ticked.year,
                schools=ticked.schools,
                actor=actor,
                reason=ticked.reason,
            )
            filings.send(amendment=amendment, actor=actor)
    except REFUSALS as error:
        ticked.error = str(error)
        return None
    return amendment


def _changed(request: HttpRequest, amendment: Amendment, ticked: Ticked) -> bool:
    actor = request.user.email
    try:
        with transaction.atomic():
            changed = filings.change_list(
                amendment=amendment, schools=ticked.schools, actor=actor, reason=ticked.reason
            )
            filings.send(amendment=changed, actor=actor)
    except REFUSALS as error:
        ticked.error = str(error)
        return False
    return True


def _tick_page(request: HttpRequest, ticked: Ticked, **context: Any) -> HttpResponse:
    before, after = ticked.amounts() if ticked.asked else (None, None)
    context = {
        "amendment": None,
        "ticked": ticked,
        "form": ticked.form,
        "convention": ticked.convention,
        "year": school_year.label(ticked.year),
        "following": _following(ticked.convention, ticked.year),
        "closes": window_in_text(ticked.convention).closes(ticked.year),
        "before": before,
        "after": after,
        **context,
    }
    status = 422 if ticked.error or ticked.form.errors else 200
    return render(request, "espace/conventions/tick.html", context, status=status)


def _closed(
    request: HttpRequest, convention: Convention, window: filings.OpenWindow | None, today: Any
) -> HttpResponse:
    """Say when a list may change, and what it is until then."""
    year = max(school_year.containing(today), convention.first_year)
    if convention.last_year is not None:
        year = min(year, convention.last_year)
    context = {
        "convention": convention,
        "window": window,
        "year": school_year.label(year),
        "schools": filings.enrolled(convention, year),
        "has_window": window_in_text(convention) is not None,
        "in_force": convention.status == states.IN_FORCE,
        "window_year": school_year.label(window.year) if window else "",
    }
    return render(request, "espace/conventions/closed.html", context)


def _amendment_context(
    request: HttpRequest, amendment: Amendment, form: AmendmentScanForm, acts: bool
) -> dict[str, Any]:
    convention, year, today = amendment.convention, amendment.school_year, timezone.localdate()
    papers = list(amendment.papers.filter(kind=PaperKind.AMENDMENT).order_by("at", "pk"))
    ruled = amendment.status in (states.ACCEPTED, states.WITHOUT_EFFECT)
    window = window_in_text(convention)
    closes = window.closes(year) if window else None
    schools = schools_of(amendment.schools.order_by().values("school__uai"))
    return {
        "amendment": amendment,
        "convention": convention,
        "year": school_year.label(year),
        "acts": acts,
        "form": form,
        "status": _sentence(amendment),
        "sent": kept.last_sent(papers),
        "signed": kept.signed_since(papers),
        "proof": _proof(papers),
        "to_sign": acts and amendment.status == states.TO_SIGN,
        "to_send": acts and amendment.status in (states.DRAFT, states.SENT_BACK),
        "changeable": acts and amendment.status in CHANGEABLE and _lists_only(amendment),
        "droppable": acts and amendment.status in CHANGEABLE,
        "comment": _comment(amendment),
        "schools": schools,
        "communes": [str(row) for row in amendment.communes.select_related("commune")],
        "change": change_of(amendment, today),
        "amount": None if amendment.status == states.WITHOUT_EFFECT else _amount(amendment, schools),
        "closes": closes,
        "late": closes is not None and today > closes and amendment.status in states.OPEN_AMENDMENT,
        "ruled": ruled,
    }


def _amount(amendment: Amendment, schools: list[School]) -> Estimate:
    return estimate(amendment.convention, amendment.school_year, schools)


def _deposited(request: HttpRequest, amendment: Amendment, form: AmendmentScanForm) -> bool:
    data = form.cleaned_data
    try:
        deposit_amendment(
            amendment=amendment,
            pdf=data["scan"],
            signed_on=data["signed_on"],
            transmitted_on=data["transmitted_on"],
            proof=data["proof"],
            actor=request.user.email,
        )
    except DepositRefused as error:
        form.add_error(None, str(error))
        return False
    messages.success(
        request, "Nous avons bien reçu votre avenant signé. Vous serez averti par courriel."
    )
    return True


def _sentence(amendment: Amendment) -> str:
    """Tell where an amendment stands, to who asks for it."""
    filed = amendment.filing.filed_on
    return {
        states.DRAFT: "Votre demande est commencée : produisez l'avenant à signer.",
        states.TO_SIGN: "L'avenant est prêt : signez-le et déposez-le ici.",
        states.FILED: f"Déposé, à la date du {long_date(filed)} : nous l'examinons."
        if filed
        else "Déposé : nous l'examinons.",
        states.SENT_BACK: "L'avenant vous est renvoyé : lisez le commentaire, puis reprenez-le.",
        states.ACCEPTED: "L'avenant est accepté.",
        states.WITHOUT_EFFECT: "L'avenant est sans effet : la liste ne change pas.",
        states.DROPPED: "Cette demande est abandonnée : la liste ne change pas.",
    }[amendment.status]


def _comment(amendment: Amendment) -> str:
    """Return what staff wrote when they last sent it back or decided."""
    rows = amendment.transitions.filter(action__in=("renvoyer", "accepter", "constater_sans_effet"))
    last = rows.order_by("-at", "-pk").first()
    return last.comment if last else ""


def _lists_only(amendment: Amendment) -> bool:
    """Tell whether an amendment asks for schools alone: communes and bodies are for staff to write."""
    return not (amendment.new_party_id or amendment.new_debtor_id or amendment.communes.exists())


def _proof(papers: list[Paper]) -> Paper | None:
    """Return what proves the transmission of the amendment last sent."""
    _, since = kept.received(papers, Paper.Role.SUPPORTING)
    return since[-1] if since else None


def _following(convention: Convention, year: int) -> bool:
    """Tell whether other school years follow that a new list would also be for."""
    return convention.last_year is None or convention.last_year > year
