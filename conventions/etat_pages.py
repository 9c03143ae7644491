"""Staff pages of the états contradictoires: open, tell, follow, answer, export."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_safe

from conventions import etat_facts, etat_reading, etats, objections
from conventions.etat_export import XLSX, write_etat
from conventions.etat_forms import ACCEPT, AnswerForm, ExtensionForm, OpeningForm
from conventions.etat_paper import draw_etat
from conventions.etats import EtatRefused
from conventions.findings import Scope
from conventions.models import Convention, EtatContradictoire, MemberEtat, Objection
from conventions.objections import ObjectionRefused
from conventions.scoped_pages import address_of, context_of, issuers_of, require, scope_of
from entsvc import school_year
from entsvc.downloads import as_attachment
from entsvc.french import plural
from entsvc.journal import record
from members.access import visible
from tariffs.adoption import NotAdopted
from tariffs.models import Adoption, Schedule

VIEW = ("conventions.view_etatcontradictoire", "conventions.view_objection")
OPEN, CHANGE = "conventions.add_etatcontradictoire", "conventions.change_etatcontradictoire"
ANSWER = "conventions.change_objection"
PER_PAGE, SHOWN = 50, 30
TO_MEND = "a-corriger"


@dataclass(frozen=True)
class Tab:
    """A part of the members of an état."""

    code: str
    label: str
    rows: Callable[[QuerySet[MemberEtat], list[int]], QuerySet[MemberEtat]]


TABS = {
    tab.code: tab
    for tab in (
        Tab("", "Tous", lambda rows, mend: rows),
        Tab("a-traiter", "À traiter", lambda rows, mend: rows.filter(objections.waiting())),
        Tab(TO_MEND, "À corriger", lambda rows, mend: rows.filter(pk__in=mend)),
        Tab("contestent", "Contestent", lambda rows, mend: rows.filter(objections.objected())),
        Tab(
            "accord",
            "D'accord",
            lambda rows, mend: rows.filter(~objections.objected(), agreed_at__isnull=False),
        ),
        Tab(
            "silence",
            "Sans réponse",
            lambda rows, mend: rows.filter(~objections.objected(), agreed_at__isnull=True),
        ),
    )
}


@require_safe
def etats_page(request: HttpRequest) -> HttpResponse:
    """Show the états of an issuer and school year, and the schedules that have none yet."""
    require(request, *VIEW)
    issuers = issuers_of(request)
    scope = scope_of(request, issuers)
    context = context_of(request, "États contradictoires", issuers, scope)
    if scope is not None:
        schedules = Schedule.objects.filter(issuer=scope.issuer).order_by("code")
        year = {"schedule__issuer": scope.issuer, "school_year": scope.year}
        known = {e.schedule_id: e for e in EtatContradictoire.objects.filter(**year).order_by("pk")}
        adopted = set(Adoption.objects.filter(**year).order_by("pk").values_list("schedule", flat=True))
        context |= {
            "rows": [
                (
                    schedule,
                    known.get(schedule.pk),
                    objections.figures(known[schedule.pk]) if schedule.pk in known else None,
                    schedule.pk in adopted,
                )
                for schedule in schedules
            ],
            "year": scope.year,
            "may_open": request.user.has_perm(OPEN),
        }
    return TemplateResponse(request, "admin/conventions/etats.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def open_page(request: HttpRequest, schedule: int, year: int) -> HttpResponse:
    """Say what would be shown, to whom and until when; open it on POST and write to the members."""
    require(request, *VIEW, OPEN)
    found = get_object_or_404(
        visible(Schedule.objects.select_related("issuer"), request.user), pk=schedule
    )
    if not 1900 <= year <= 2200:
        raise Http404
    known = EtatContradictoire.objects.filter(schedule=found, school_year=year).first()
    if known:
        messages.info(request, "Cet état contradictoire est déjà ouvert.")
        return redirect("conventions:etat", known.pk)
    form = OpeningForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        opened = _opened(request, found, year, form.cleaned_data["until"])
        if opened:
            return redirect("conventions:etat", opened.pk)
    try:
        preview, problem = etats.preview(found, year), ""
    except NotAdopted as error:
        preview, problem = None, str(error)
    context = {
        "schedule": found,
        "year": school_year.label(year),
        "preview": preview,
        "problem": problem,
        "form": form,
        "shown": SHOWN,
        "readiness": _scoped("conventions:readiness", found, year),
        "back": _scoped("conventions:etats", found, year),
        "at_once": etats.AT_ONCE,
    }
    return _page(request, "etat_open", f"Ouvrir l'état contradictoire : {found.code}", context)


@require_safe
def etat_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show who agreed, who objected, what is left to answer and to mend, member by member."""
    etat = _etat(request, pk)
    tab = _tab(request)
    standing = objections.of_etat(etat).filter(withdrawn_at=None)
    to_mend: list[int] = []
    if tab.code == TO_MEND:
        accepted = list(standing.filter(answer=Objection.Answer.ACCEPTED))
        found = objections.to_mend(accepted, etat_reading.current(etat, _shown_of(accepted)))
        to_mend = sorted({row.shown_id for row in found})
    rows = tab.rows(etat.members.select_related("debtor"), to_mend)
    asked = request.GET.get("q", "").strip()
    if asked:
        rows = rows.filter(Q(debtor__name__icontains=asked) | Q(debtor__siret__startswith=asked))
    page = Paginator(rows.order_by("debtor__name", "pk"), PER_PAGE).get_page(request.GET.get("page"))
    listed = list(page)
    filed = list(standing.filter(Q(answer=Objection.Answer.ACCEPTED) | Q(shown__in=listed)))
    now = etat_reading.current(etat, [*listed, *_shown_of(filed)])
    mend = objections.to_mend(filed, now)
    context = {
        "etat": etat,
        "figures": objections.figures(etat),
        "mend": len(mend),
        "tab": tab,
        "tabs": [(t.code, t.label, _link(etat, t)) for t in TABS.values()],
        "asked": asked,
        "page": page,
        "rows": _rows(listed, objections.by_member(filed), {row.shown_id for row in mend}, now),
        "earlier": _link(etat, tab, page.number - 1, asked) if page.has_previous() else "",
        "later": _link(etat, tab, page.number + 1, asked) if page.has_next() else "",
        "extensions": _extensions(etat),
        "over": etats.is_over(etat, timezone.localdate()),
        "may_change": request.user.has_perm(CHANGE),
        "may_answer": request.user.has_perm(ANSWER),
        "back": _scoped("conventions:etats", etat.schedule, etat.school_year),
    }
    return _page(request, "etat", f"État contradictoire : {etat}", context)


@require_http_methods(["GET", "HEAD", "POST"])
def extend_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Put off the last day to object, with a reason."""
    etat = _etat(request, pk, CHANGE)
    form = ExtensionForm(request.POST or None, after=etat.objections_until)
    if request.method == "POST" and form.is_valid():
        try:
            etats.extend(etat=etat, **form.cleaned_data, actor=request.user.get_username())
        except EtatRefused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Le délai est prolongé ; la page des membres le dit.")
            return redirect("conventions:etat", pk)
    return _page(request, "etat_extend", f"Prolonger le délai : {etat}", {"etat": etat, "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def members_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Say who is still to be told, and who came since the opening; do it on POST."""
    etat = _etat(request, pk, CHANGE)
    if request.method == "POST":
        actor = request.user.get_username()
        try:
            if "completer" in request.POST:
                number = etats.complete(etat=etat, actor=actor)
                told = plural(number, "membre ajouté", "membres ajoutés")
            else:
                number = etats.tell(etat=etat, actor=actor)
                told = plural(number, "membre prévenu", "membres prévenus")
        except (EtatRefused, NotAdopted) as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"{told}.")
        return redirect("conventions:etat-members", pk)
    untold = etats.untold(etat)
    came = etats.newcomers(etat)
    lacking = [row for row, found in untold if not found]
    context = {
        "etat": etat,
        "ready": len(untold) - len(lacking),
        "lacking": lacking[:PER_PAGE],
        "lacking_number": len(lacking),
        "came": came[:PER_PAGE],
        "came_number": len(came),
        "at_once": etats.AT_ONCE,
        "over": etats.is_over(etat, timezone.localdate()),
    }
    return _page(request, "etat_members", f"Prévenir et compléter : {etat}", context)


@require_safe
def workbook(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the workbook of an état: members, schools as shown, objections and answers."""
    etat = _etat(request, pk)
    name = f"etat-contradictoire-{slugify(etat)}.xlsx"
    content = write_etat(etat)
    record(actor=request.user.get_username(), action="export", target=etat, summary=f"Exporté : {name}")
    return as_attachment(content, name, XLSX)


@require_safe
def member_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what a member was shown beside what the data says today, and its objections."""
    shown = _shown(request, pk)
    now = etat_reading.current(shown.etat, [shown])
    facts = now.get(shown.debtor_id)
    filed = list(objections.of_etat(shown.etat).filter(shown=shown))
    mend = {row.pk for row in objections.to_mend(filed, now)}
    context = {
        "shown": shown,
        "etat": shown.etat,
        "lines": etat_facts.lines(shown.facts, facts),
        "agreements": shown.facts["agreements"],
        "active": shown.facts["active"],
        "changes": etat_facts.changes(shown.facts, facts),
        "filed": [(row, row.pk in mend) for row in filed],
        "may_answer": request.user.has_perm(ANSWER),
    }
    return _page(request, "etat_member", f"{shown.debtor} : {shown.etat}", context)


@require_safe
def member_pdf(request: HttpRequest, pk: int) -> HttpResponse:
    """Give what a member was shown, as a paper."""
    shown = _shown(request, pk)
    name = f"etat-contradictoire-{slugify(f'{shown.etat} {shown.debtor}')}.pdf"
    return as_attachment(draw_etat(shown), name)


@require_http_methods(["GET", "HEAD", "POST"])
def objection_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show an objection beside what was shown and what is known today; answer it on POST."""
    require(request, *VIEW)
    rows = Objection.objects.select_related(
        "school", "granted_school", "shown__debtor", "shown__etat__schedule__issuer"
    )
    objection = get_object_or_404(visible(rows, request.user), pk=pk)
    form = None
    if objection.is_open and request.user.has_perm(ANSWER):
        form = AnswerForm(request.POST or None, objection=objection)
    if request.method == "POST":
        require(request, ANSWER)
        if form is None:
            messages.error(request, objections.NOT_OPEN)
            return redirect("conventions:objection", pk)
        if form.is_valid() and _answered(request, objection, form):
            return redirect("conventions:etat-member", objection.shown_id)
    return _page(request, "objection", f"Contestation : {objection}", _about(objection) | {"form": form})


def _opened(request: HttpRequest, schedule: Schedule, year: int, until: Any) -> Any:
    """Open an état and write to the first members, in one transaction; None where it is refused."""
    actor = request.user.get_username()
    try:
        with transaction.atomic():
            etat = etats.open_etat(schedule=schedule, year=year, until=until, actor=actor)
            told = etats.tell(etat=etat, actor=actor)
    except (EtatRefused, NotAdopted) as error:
        messages.error(request, str(error))
        return EtatContradictoire.objects.filter(schedule=schedule, school_year=year).first()
    left = etats.untold(etat)
    messages.success(
        request,
        f"L'état contradictoire est ouvert ; {plural(told, 'membre prévenu', 'membres prévenus')} "
        "par courriel.",
    )
    if left:
        messages.warning(
            request,
            f"{plural(len(left), 'membre reste', 'membres restent')} à prévenir : voyez « Prévenir et "
            "compléter ».",
        )
    return etat


def _answered(request: HttpRequest, objection: Objection, form: AnswerForm) -> bool:
    data = form.cleaned_data
    try:
        objections.respond(
            objection=objection,
            accepted=data["decision"] == ACCEPT,
            actor=request.user.get_username(),
            words=data["words"],
            granted=data.get("granted"),
            school=data["school"],
        )
    except ObjectionRefused as error:
        form.add_error(None, str(error))
        return False
    messages.success(request, "La réponse est enregistrée, et envoyée au membre s'il a une adresse.")
    return True


def _about(objection: Objection) -> dict[str, Any]:
    """Return what an objection is compared with, and where the data is mended."""
    shown = objection.shown
    now = etat_reading.current(shown.etat, [shown]).get(shown.debtor_id)
    uai = objection.school.uai if objection.school else ""
    column = "active" if objection.kind == Objection.Kind.ACTIVE else "pupils"
    before, after = (
        etat_facts.schools(facts).get(uai) if facts else None for facts in (shown.facts, now)
    )
    references = [item["reference"] for item in shown.facts["agreements"]]
    accepted = objection.answer == Objection.Answer.ACCEPTED
    return {
        "objection": objection,
        "shown": shown,
        "etat": shown.etat,
        "numbered": objection.kind in Objection.NUMBERS,
        "before": before,
        "after": after,
        "before_number": before.get(column) if before else None,
        "after_number": after.get(column) if after else None,
        "conventions": Convention.objects.filter(
            schedule=shown.etat.schedule, reference__in=references, debtor=shown.debtor
        ).order_by("reference"),
        "granted": objections.granted_words(objection) if accepted else "",
        "unmended": accepted and not objections.is_mended(objection, now),
    }


def _shown_of(rows: list[Objection]) -> list[MemberEtat]:
    return [row.shown for row in rows]


def _rows(
    page: list[MemberEtat],
    filed: dict[int, list[Objection]],
    mend: set[int],
    now: etat_reading.Current,
) -> list[dict[str, Any]]:
    """Return the members of a page, each with where it stands and what changed since it was shown."""
    return [
        {
            "shown": row,
            "totals": etat_facts.totals(row.facts),
            "changes": etat_facts.changes(row.facts, now.get(row.debtor_id)),
            "waiting": [item for item in filed[row.pk] if item.is_open],
            "answered": sum(1 for item in filed[row.pk] if not item.is_open),
            "mend": row.pk in mend,
        }
        for row in page
    ]


def _extensions(etat: EtatContradictoire) -> list[tuple[Any, Any, str, str]]:
    """Return the day before, the day after, the reason and the author of each extension."""
    past = list(etat.history.select_related("history_user").order_by("history_date", "history_id"))
    return [
        (
            old.objections_until,
            new.objections_until,
            new.history_change_reason or "",
            str(new.history_user or ""),
        )
        for old, new in zip(past, past[1:], strict=False)
        if new.objections_until != old.objections_until
    ]


def _etat(request: HttpRequest, pk: int, *more: str) -> EtatContradictoire:
    require(request, *VIEW, *more)
    rows = EtatContradictoire.objects.select_related("schedule__issuer")
    return get_object_or_404(visible(rows, request.user), pk=pk)


def _shown(request: HttpRequest, pk: int) -> MemberEtat:
    require(request, *VIEW)
    rows = MemberEtat.objects.select_related("debtor", "etat__schedule__issuer")
    return get_object_or_404(visible(rows, request.user), pk=pk)


def _tab(request: HttpRequest) -> Tab:
    code = request.GET.get("voir", "")
    if code not in TABS:
        raise Http404("Liste inconnue.")
    return TABS[code]


def _link(etat: EtatContradictoire, tab: Tab, page: int = 1, asked: str = "") -> str:
    query = {"voir": tab.code, "q": asked, "page": page if page > 1 else ""}
    query = {name: value for name, value in query.items() if value}
    address = reverse("conventions:etat", args=[etat.pk])
    return f"{address}?{urlencode(query)}" if query else address


def _scoped(name: str, schedule: Schedule, year: int) -> str:
    return address_of(name, Scope(schedule.issuer, year))


def _page(request: HttpRequest, template: str, title: str, context: dict[str, Any]) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": title, **context}
    return TemplateResponse(request, f"admin/conventions/{template}.html", context)
