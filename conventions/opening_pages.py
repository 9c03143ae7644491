"""The page of openings: which schools wait, for what, since when they may open, and their steps."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminTextInputWidget

from conventions import openings, states
from conventions.assessment import covering, due_from_opening
from conventions.findings import Scope
from conventions.models import Enrolment
from conventions.openings import OpeningRefused
from conventions.scoped_pages import address_of, context_of, issuers_of, require, scope_of
from entsvc.french import plural
from members.models import School

PER_PAGE = 100
SHOWN = 20  # refusals told one by one
WITHDRAW = "retirer"

SUBMITTED, VALIDATED = Q(project_submitted_on__isnull=False), Q(project_validated_on__isnull=False)
OPENED = Q(opened_on__isnull=False)
ECOLES = Q(school__degree__in=["", School.Degree.FIRST])
DUE_FROM_OPENING = due_from_opening()


@dataclass(frozen=True)
class Tab:
    """One list of the page: its schools, and the step that its button records."""

    code: str
    label: str
    rows: Q
    button: str = ""
    step: Callable[..., Enrolment] | None = None


TABS = {
    tab.code: tab
    for tab in (
        Tab(
            "",
            "À ouvrir",
            VALIDATED & ~OPENED,
            "Enregistrer l'ouverture des écoles cochées",
            openings.open_school,
        ),
        Tab(
            "a-valider",
            "À valider par l'IEN",
            SUBMITTED & ~VALIDATED & ~OPENED,
            "Enregistrer la validation des projets cochés",
            openings.validate_project,
        ),
        Tab(
            "sans-projet",
            "Sans projet",
            ~SUBMITTED & ~OPENED & ECOLES,
            "Enregistrer le dépôt du projet des écoles cochées",
            openings.submit_project,
        ),
        Tab(
            "second-degre",
            "Collèges et lycées à ouvrir",
            ~SUBMITTED & ~OPENED & ~ECOLES & (DUE_FROM_OPENING | openings.presumed_open()),
            "Enregistrer l'ouverture des établissements cochés",
            openings.open_school,
        ),
        Tab("ouvertes", "Ouvertes", OPENED),
    )
}


class StepForm(forms.Form):
    """On which day the step happened, and why when it must be said."""

    on = forms.DateField(
        label="Le",
        widget=UnfoldAdminDateWidget,
        error_messages={
            "required": "Donnez la date.",
            "invalid": "Écrivez la date comme 03/03/2025.",
        },
    )
    reason = forms.CharField(
        label="Motif",
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text="Pour retirer une étape, ou ouvrir là où le calendrier n'est pas connu.",
    )

    def __init__(self, *args: Any, dated: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on"].required = dated


@dataclass(frozen=True)
class Row:
    """A school of the page, from when it may open and why, and since when it is due."""

    enrolment: Enrolment
    gate: openings.Gate
    due: str
    ready: bool


def openings_page(request: HttpRequest) -> HttpResponse:
    """Show the schools of a list; on POST, record its step for those that were ticked."""
    require(request, "conventions.view_enrolment", "members.view_school")
    issuers = issuers_of(request)
    scope = scope_of(request, issuers)
    context = context_of(request, "Ouvertures", issuers, scope)
    if scope is None:
        return TemplateResponse(request, "admin/conventions/openings.html", context)
    tab = _tab(request)
    dated = tab.step is not None and request.POST.get("quoi") != WITHDRAW
    form = StepForm(request.POST or None, dated=dated, initial={"on": timezone.localdate()})
    if tab.step is None:
        del form.fields["on"]
    if request.method == "POST":
        require(request, "conventions.change_enrolment")
        if form.is_valid() and _record(request, scope, tab, **{"on": None, **form.cleaned_data}):
            return redirect(request.get_full_path())
    found = enrolments(scope).filter(tab.rows)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    today = timezone.localdate()
    recorded = openings.frameworks(scope.issuer)
    context |= {
        "tab": tab,
        "tabs": _tabs(scope),
        "page": page,
        "rows": [_row(enrolment, today) for enrolment in page],
        "ticked": _ticked(request),
        "form": form,
        "may_change": request.user.has_perm("conventions.change_enrolment"),
        "frameworks": [(f, f.start, f.end) for f in recorded],
        "obstacle": openings.framework_obstacle(recorded, today),
        "earlier": _link(scope, tab, page.number - 1) if page.has_previous() else "",
        "later": _link(scope, tab, page.number + 1) if page.has_next() else "",
    }
    return TemplateResponse(request, "admin/conventions/openings.html", context)


def enrolments(scope: Scope) -> QuerySet[Enrolment]:
    """Return the schools that the agreements of an issuer enrol in a school year, by UAI."""
    return (
        Enrolment.objects.filter(
            covering(scope.year),
            covering(scope.year, "convention__"),
            convention__schedule__issuer=scope.issuer,
            convention__status__in=[*states.OWING, states.DRAFT, states.SENT, states.SIGNED],
        )
        .exclude(convention__policy__in=openings.GATING)
        .select_related("school", "convention__party")
        .order_by("school__uai", "pk")
    )


def _tab(request: HttpRequest) -> Tab:
    code = request.GET.get("etat", "")
    if code not in TABS:
        raise Http404("État inconnu.")
    return TABS[code]


def _tabs(scope: Scope) -> list[tuple[str, str, int, str]]:
    wanted = {f"n{rank}": Count("pk", filter=tab.rows) for rank, tab in enumerate(TABS.values())}
    numbers = enrolments(scope).order_by().aggregate(**wanted)
    return [
        (tab.code, tab.label, numbers[f"n{rank}"], _link(scope, tab))
        for rank, tab in enumerate(TABS.values())
    ]


def _link(scope: Scope, tab: Tab, page: int = 1) -> str:
    more: dict[str, Any] = {"etat": tab.code} if tab.code else {}
    if page > 1:
        more["page"] = page
    return address_of("conventions:openings", scope, **more)


def _row(enrolment: Enrolment, today: date) -> Row:
    found = openings.gate(enrolment)
    return Row(
        enrolment=enrolment,
        gate=found,
        due=openings.due_from(enrolment.opened_on) if enrolment.opened_on else "",
        ready=found.day is not None and found.day <= today,
    )


def _ticked(request: HttpRequest) -> set[int]:
    """Return the keys of the schools that were ticked: none is lost when nothing was recorded."""
    return {int(key) for key in request.POST.getlist("choix") if key.isdecimal() and len(key) < 16}


def _record(request: HttpRequest, scope: Scope, tab: Tab, *, on: date | None, reason: str) -> int:
    """Record the step of each school ticked, and return for how many: one refused keeps no other."""
    ticked = list(enrolments(scope).filter(pk__in=_ticked(request)))
    if not ticked:
        messages.warning(request, "Cochez au moins une école.")
        return 0
    withdrawn = request.POST.get("quoi") == WITHDRAW
    if not withdrawn and tab.step is None:
        raise PermissionDenied
    actor = request.user.get_username()
    refused = []
    for enrolment in ticked:
        try:
            if withdrawn:
                openings.withdraw(enrolment=enrolment, actor=actor, reason=reason)
            elif tab.step is openings.open_school:
                openings.open_school(enrolment=enrolment, on=on, actor=actor, reason=reason)
            else:
                tab.step(enrolment=enrolment, on=on, actor=actor)
        except OpeningRefused as error:
            refused.append(f"{enrolment.school} : {error}")
    done = len(ticked) - len(refused)
    _tell(request, done, refused)
    return done


def _tell(request: HttpRequest, done: int, refused: Iterable[str]) -> None:
    refused = list(refused)
    if done:
        written = plural(done, "école mise à jour", "écoles mises à jour")
        messages.success(request, f"{written}.")
    for problem in refused[:SHOWN]:
        messages.warning(request, problem)
    if len(refused) > SHOWN:
        messages.warning(request, f"Et {len(refused) - SHOWN} autres refus.")
