"""Where staff choose what an amendment asks for, and see the new amount before it is written."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.widgets import SELECT_CLASSES

from conventions import filings, states
from conventions.amendment_forms import WishForm
from conventions.amendments import Filing, judge
from conventions.estimates import Estimate, estimates
from conventions.filings import AmendmentRefused
from conventions.models import Amendment, Convention
from conventions.school_lists import SHOWN_AHEAD, NoWindow, covers, enrolled, policy_of
from conventions.scoped_pages import require
from conventions.wishes import Wish, check_wish, named_elsewhere
from entsvc import school_year
from members.access import visible
from members.models import School

TEMPLATE = "admin/conventions/amendment_form.html"
LIST = "admin:conventions_amendment_change"


@dataclass(frozen=True)
class Comparison:
    """A list against the one in force: who stays, who comes, who goes, and what each costs."""

    before: Estimate
    after: Estimate
    stay: list[School]
    added: list[School]
    removed: list[School]
    elsewhere: list[str]


def with_agreements(rows: QuerySet[Amendment]) -> QuerySet[Amendment]:
    """Read amendments with all that `compare` reads of their agreements."""
    return rows.select_related(
        "convention__party",
        "convention__debtor",
        "convention__schedule",
        "convention__act",
        "new_party",
        "new_debtor",
    )


def compare(convention: Convention, year: int, current: list[School], asked: Wish) -> Comparison:
    """Compare a wish with the list that an agreement names that year."""
    held, wanted = {school.pk for school in current}, {school.pk for school in asked.schools}
    added = [school for school in asked.schools if school.pk not in held]
    rows = named_elsewhere(convention, year, [school.uai for school in added])
    before, after = estimates(convention, year, [current, list(asked.schools)])
    return Comparison(
        before,
        after,
        [school for school in current if school.pk in wanted],
        added,
        [school for school in current if school.pk not in wanted],
        [f"{row.school} est nommée par la convention {row.convention.reference}." for row in rows],
    )


def open_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Choose the year and the schools of a new amendment, see the amount, then open it on POST."""
    require(request, "conventions.view_convention", "conventions.add_amendment")
    rows = Convention.objects.select_related("party", "debtor", "schedule", "act")
    convention = get_object_or_404(visible(rows, request.user), pk=pk)
    try:
        policy_of(convention)
    except NoWindow as error:
        messages.error(request, str(error))
        return redirect("admin:conventions_convention_change", pk)
    year = _year(request, convention)

    def write(form: WishForm, asked: Wish) -> Amendment:
        return filings.open_amendment(
            convention=convention,
            school_year=year,
            actor=request.user.get_username(),
            reason=form.cleaned_data["reason"],
            **_facts(asked),
        )

    back = reverse("admin:conventions_convention_change", args=[pk])
    return _page(request, convention, year, None, write, title="Ouvrir un avenant", back=back)


def list_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Change what an amendment asks for, until it is filed."""
    require(request, "conventions.view_amendment", "conventions.change_amendment")
    rows = with_agreements(Amendment.objects.all())
    amendment = get_object_or_404(visible(rows, request.user), pk=pk)
    if amendment.status not in (states.DRAFT, states.TO_SIGN, states.SENT_BACK):
        state = amendment.get_status_display()
        messages.error(request, f"L'avenant est « {state} » : sa liste ne se modifie plus.")
        return redirect(LIST, pk)

    def write(form: WishForm, asked: Wish) -> Amendment:
        return filings.change_list(
            amendment=amendment,
            actor=request.user.get_username(),
            reason=form.cleaned_data["reason"],
            **_facts(asked),
        )

    convention, year = amendment.convention, amendment.school_year
    title = f"Modifier l'avenant n° {amendment.number}"
    back = reverse(LIST, args=[pk])
    return _page(request, convention, year, amendment, write, title=title, back=back)


def _page(
    request: HttpRequest,
    convention: Convention,
    year: int,
    amendment: Amendment | None,
    write: Any,
    **words: str,
) -> HttpResponse:
    current = enrolled(convention, year)
    given = {"convention": convention, "year": year, "amendment": amendment}
    if request.method != "POST":
        start = {} if amendment else {"initial": {"schools": current}}
        return _show(request, WishForm(**given, **start), current, None, words)
    form = WishForm(request.POST, **given)
    if not form.is_valid():
        return _show(request, form, current, None, words)
    asked = form.wish()
    if request.POST.get("quoi") != "enregistrer":
        try:
            check_wish(convention, year, asked)
        except AmendmentRefused as error:
            form.add_error(None, str(error))
        return _show(request, form, current, compare(convention, year, current, asked), words)
    try:
        written = write(form, asked)
    except (AmendmentRefused, states.IllegalTransition) as error:
        form.add_error(None, str(error))
        return _show(request, form, current, compare(convention, year, current, asked), words)
    messages.success(request, f"L'{written} est enregistré : produisez maintenant le PDF à signer.")
    return redirect(LIST, written.pk)


def _show(
    request: HttpRequest,
    form: WishForm,
    current: list[School],
    comparison: Comparison | None,
    words: dict[str, str],
) -> HttpResponse:
    convention, year = form.convention, form.year
    held = {school.pk for school in current}
    context = {
        **admin.site.each_context(request),
        **words,
        "form": form,
        "convention": convention,
        "year": school_year.label(year),
        "years": [] if words["title"].startswith("Modifier") else _years(convention, year),
        "offered": [(school, school.pk in form.ticked, school.pk in held) for school in form.candidates],
        "comparison": comparison,
        "today": _today(convention, year, comparison, timezone.localdate()),
        "select_classes": " ".join(SELECT_CLASSES),
    }
    return TemplateResponse(request, TEMPLATE, context)


def _today(convention: Convention, year: int, comparison: Comparison | None, day: date) -> str:
    """Return what the rule would say of the amendment if it were received today."""
    if comparison is None:
        return ""
    wanted = frozenset(s.uai for s in (*comparison.stay, *comparison.added))
    current = frozenset(s.uai for s in (*comparison.stay, *comparison.removed))
    filing = Filing(year, wanted, received_on=day)
    return judge(filing, current, policy_of(convention).window).reason


def _facts(asked: Wish) -> dict[str, Any]:
    return {
        "schools": asked.schools,
        "joining": asked.joining,
        "leaving": asked.leaving,
        "new_party": asked.new_party,
        "new_debtor": asked.new_debtor,
    }


def _year(request: HttpRequest, convention: Convention) -> int:
    """Return the school year asked for, else that of the window open or next, else the last covered."""
    text = request.GET.get("annee")
    if text:
        try:
            year = school_year.parse(text)
        except ValueError as error:
            raise Http404(str(error)) from error
        if not covers(convention, year):
            raise Http404("La convention ne couvre pas cette année.")
        return year
    found = filings.window_of(convention, timezone.localdate())
    if found:
        return found.year
    return max(convention.first_year, convention.last_year or convention.first_year)


def _years(convention: Convention, chosen: int) -> list[tuple[str, bool]]:
    last = convention.last_year
    if last is None:
        last = max(chosen, school_year.containing(timezone.localdate()) + SHOWN_AHEAD)
    years = range(convention.first_year, last + 1)
    return [(school_year.label(year), year == chosen) for year in reversed(years)]
