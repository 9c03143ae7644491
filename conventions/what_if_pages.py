"""« Simuler un tarif »: what every member would pay, against today, before the vote.

Everything tried is in the address of the page: it can be sent, kept and opened again; nothing is stored.
"""

from collections.abc import Callable
from decimal import Decimal
from itertools import zip_longest
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from conventions import what_if
from conventions.scoped_pages import YEARS_AFTER, YEARS_BEFORE, require
from conventions.what_if import Comparison, Row, kind_of
from conventions.what_if_exports import CONTENT_TYPE, write_simulation
from conventions.what_if_forms import (
    LESS,
    MORE,
    SAME,
    UNKNOWN,
    HypothesisForm,
    MembersForm,
    SaveForm,
    TariffForm,
)
from conventions.what_if_paper import charts_of, draw_simulation
from conventions.what_if_saving import left_out, save_as_version
from conventions.what_if_simulation import Simulation, simulate
from entsvc import school_year
from entsvc.downloads import as_attachment
from entsvc.fields import search_key
from entsvc.journal import record
from members.access import visible
from tariffs import engine
from tariffs.adoption import NotAdopted
from tariffs.models import Adoption, Version

PERMISSIONS = ("tariffs.view_version", "conventions.view_convention")
TITLE = "Simuler un tarif"
PER_PAGE, LINES, EXTREMES, APART = 50, 100, 5, 30
SORTS: dict[str, tuple[str, Callable[[Row], Any]]] = {
    "nom": ("Membre", lambda row: search_key(row.name)),
    "type": ("Type", lambda row: kind_of(row.kind)),
    "eleves": ("Élèves", lambda row: -1 if row.pupils is None else row.pupils),
    "aujourdhui": ("Aujourd'hui", lambda row: row.today),
    "simule": ("Simulé", lambda row: row.simulated),
    "ecart": ("Écart", lambda row: row.difference),
    # What is paid from nothing comes after any percentage.
    "taux": ("Écart en %", lambda row: (row.rate is None, row.rate or Decimal(0))),
}
FIRST_SORT = "-ecart"
WAYS: dict[str, Callable[[Row], bool]] = {
    MORE: lambda row: row.difference > 0,
    LESS: lambda row: row.difference < 0,
    SAME: lambda row: row.difference == 0,
}


def what_if_page(request: HttpRequest) -> HttpResponse:
    """Show a simulation, give it as a workbook or on two pages, or write it as a draft on POST."""
    context, simulation = _asked(request)
    if request.method == "POST":
        require(request, "tariffs.add_version")
        return _save(request, context, simulation)
    if simulation and request.GET.get("format") == "xlsx":
        content = write_simulation(simulation, timezone.localdate())
        return _file(request, simulation, content, "xlsx", CONTENT_TYPE)
    if simulation and request.GET.get("format") == "pdf":
        content = draw_simulation(simulation, timezone.localdate())
        return _file(request, simulation, content, "pdf", "application/pdf")
    return TemplateResponse(request, "admin/conventions/what_if.html", context)


def what_if_member_page(request: HttpRequest, siret: str) -> HttpResponse:
    """Show each line that a member pays today and would pay, with the words of the calculation."""
    context, simulation = _asked(request)
    if simulation is None:
        return redirect(f"{reverse('conventions:what-if')}?{request.GET.urlencode()}")
    held = (*simulation.comparison.rows, *simulation.comparison.apart)
    row = next((row for row in held if row.siret == siret and siret), None)
    if row is None:
        raise Http404("Ce membre n'est pas de cette simulation.")
    pairs = _pairs(row.before, row.after)
    page = Paginator(pairs, LINES).get_page(request.GET.get("page"))
    told = {a: None for side in (row.before, row.after) for a in side.anomalies}
    context |= {
        "title": f"{TITLE} : {row.name}",
        "row": row,
        "kind": kind_of(row.kind),
        "is_apart": not isinstance(row, Row),
        "page": page,
        "anomalies": list(told),
        "back": f"{reverse('conventions:what-if')}?{context['query']}",
        "earlier": _step(context["query"], page, -1),
        "later": _step(context["query"], page, 1),
    }
    return TemplateResponse(request, "admin/conventions/what_if_member.html", context)


def _asked(request: HttpRequest) -> tuple[dict[str, Any], Simulation | None]:
    """Return what the page shows, and the simulation unless what is asked can't be computed."""
    require(request, *PERMISSIONS)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": TITLE,
        "simulation": None,
        "version": None,
    }
    context |= {"tariff": None, "form": None, "problem": "", "query": ""}
    versions = versions_of(request)
    version = version_of(request, versions)
    if version is None:
        return context | {"problem": "Aucun tarif n'est saisi : créez un barème et sa version."}, None
    context["version"] = version
    tariff = TariffForm(
        first_asked(request, version, versions), versions=versions, years=years_offered(versions)
    )
    context["tariff"] = tariff
    if not tariff.is_valid():
        return context, None
    year = school_year.parse(tariff.cleaned_data["annee"])
    try:
        reading = what_if.read(version, year, adoptions_of(version, versions))
    except NotAdopted as error:
        return context | {"problem": str(error)}, None
    form = HypothesisForm(request.GET, charges=reading.charges)
    context["form"] = form
    if not form.is_valid():
        return context, None
    if not reading.basis.members:
        nobody = f"Aucune convention en vigueur ne couvre {school_year.label(year)} : choisissez-en une."
        return context | {"problem": nobody}, None
    simulation = simulate(reading, form.changes())
    query = {"version": version.pk, "annee": school_year.label(year), **form.query()}
    return context | _shown(request, simulation, query), simulation


def _shown(request: HttpRequest, simulation: Simulation, query: dict[str, Any]) -> dict[str, Any]:
    """Return what the page tells of a simulation."""
    comparison = simulation.comparison
    kinds = sorted({(row.kind or UNKNOWN, kind_of(row.kind)) for row in comparison.rows})
    wanted = _wanted(request)
    rows = _selected(comparison, wanted)
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    shown = urlencode(query | {name: value for name, value in wanted.items() if value})
    return {
        "simulation": simulation,
        "sums": comparison.sums,
        "query": urlencode(query),
        "hidden": list(query.items()),
        "views": [
            ("Par type de membre", "Type", comparison.by_kind),
            ("Par taille de membre", "Taille", comparison.by_size),
        ],
        "charts": charts_of(comparison),
        "extremes": [
            ("Les plus fortes hausses", comparison.increases(EXTREMES)),
            ("Les plus fortes baisses", comparison.decreases(EXTREMES)),
        ],
        "wanted": wanted,
        "chosen": MembersForm(wanted, kinds=kinds),
        "headings": _headings(query, wanted),
        "page": page,
        "earlier": _step(shown, page, -1),
        "later": _step(shown, page, 1),
        "apart": comparison.apart[:APART],
        "more_apart": max(len(comparison.apart) - APART, 0),
        "save_form": SaveForm(),
        "may_save": request.user.has_perm("tariffs.add_version"),
    }


def _wanted(request: HttpRequest) -> dict[str, str]:
    """Return which members the table shows and in which order: what is unknown is left aside."""
    sort = request.GET.get("tri", "")
    way = request.GET.get("sens", "")
    return {
        "type": request.GET.get("type", ""),
        "sens": way if way in WAYS else "",
        "q": request.GET.get("q", "").strip()[:100],
        "tri": sort if sort.removeprefix("-") in SORTS else FIRST_SORT,
    }


def _selected(comparison: Comparison, wanted: dict[str, str]) -> list[Row]:
    rows = list(comparison.rows)
    if wanted["type"]:
        rows = [row for row in rows if (row.kind or UNKNOWN) == wanted["type"]]
    if wanted["sens"]:
        rows = [row for row in rows if WAYS[wanted["sens"]](row)]
    if wanted["q"]:
        words = search_key(wanted["q"])
        rows = [row for row in rows if words in search_key(row.name) or words in row.siret]
    _, key = SORTS[wanted["tri"].removeprefix("-")]
    return sorted(rows, key=key, reverse=wanted["tri"].startswith("-"))


def _headings(query: dict[str, Any], wanted: dict[str, str]) -> list[dict[str, Any]]:
    """Return the titles of the columns, each with the address that sorts by it."""
    kept = query | {name: value for name, value in wanted.items() if value}
    headings = []
    for code, (label, _) in SORTS.items():
        way = {code: "ascending", f"-{code}": "descending"}.get(wanted["tri"], "")
        link = urlencode(kept | {"tri": f"-{code}" if way == "ascending" else code})
        figure = code not in ("nom", "type")
        headings.append({"label": label, "link": f"?{link}#membres", "way": way, "figure": figure})
    return headings


def _pairs(before: engine.Result, after: engine.Result) -> list[dict[str, Any]]:
    """Return the lines of both sides, those of a same charge, agreement and school facing each other."""
    groups: dict[tuple[str, ...], tuple[list[engine.Line], list[engine.Line]]] = {}
    for side, result in enumerate((before, after)):
        for line in result.lines:
            key = (line.charge, line.charge_label, line.agreement, line.uai)
            groups.setdefault(key, ([], []))[side].append(line)
    return [
        {"line": first or second, "before": first, "after": second}
        for lines in groups.values()
        for first, second in zip_longest(*lines)
    ]


def versions_of(request: HttpRequest) -> QuerySet[Version]:
    """Return the versions of the account, by schedule, the latest first."""
    rows = visible(Version.objects.all(), request.user)
    acts = Prefetch("adoption_set", Adoption.objects.select_related("act").order_by("-school_year"))
    rows = rows.select_related("schedule__issuer").prefetch_related(acts)
    return rows.order_by("schedule__code", "-pk")


def version_of(request: HttpRequest, versions: QuerySet[Version]) -> Version | None:
    """Return the version asked, else the last one adopted, else the first, among the account's."""
    asked = request.GET.get("version", "")
    if asked:
        found = next((version for version in versions if str(version.pk) == asked), None)
        if found is None:
            raise Http404("Version de tarif inconnue.")
        return found
    adopted = [version for version in versions if version.adoption_set.all()]
    return max(adopted, key=_last_year, default=next(iter(versions), None))


def _last_year(version: Version) -> int:
    return max(adoption.school_year for adoption in version.adoption_set.all())


def adoptions_of(version: Version, versions: QuerySet[Version]) -> list[Adoption]:
    """Return the adoptions of the schedule of a version, any version of it, with their acts."""
    same = [row for row in versions if row.schedule_id == version.schedule_id]
    return [adoption for row in same for adoption in row.adoption_set.all()]


def first_asked(request: HttpRequest, version: Version, versions: QuerySet[Version]) -> dict[str, Any]:
    """Return the version and the year shown: by default the last year its schedule was adopted for."""
    year = request.GET.get("annee", "")
    if not year:
        adopted = [adoption.school_year for adoption in adoptions_of(version, versions)]
        year = school_year.label(max(adopted, default=school_year.containing(timezone.localdate())))
    return {"version": str(version.pk), "annee": year}


def years_offered(versions: QuerySet[Version]) -> list[int]:
    """Return the school years to choose from, the latest first."""
    now = school_year.containing(timezone.localdate())
    adopted = {adoption.school_year for version in versions for adoption in version.adoption_set.all()}
    return sorted(adopted | set(range(now - YEARS_BEFORE, now + YEARS_AFTER + 1)), reverse=True)


def _step(query: str, page: Any, step: int) -> str:
    number = page.number + step
    return f"?{query}&page={number}#membres" if 1 <= number <= page.paginator.num_pages else ""


def _save(request: HttpRequest, context: dict[str, Any], simulation: Simulation | None) -> HttpResponse:
    if simulation is None:
        return TemplateResponse(request, "admin/conventions/what_if.html", context)
    form = SaveForm(request.POST)
    if form.is_valid():
        version, changes = simulation.version, simulation.changes
        label, actor = form.cleaned_data["label"], request.user.get_username()
        try:
            copy = save_as_version(version=version, changes=changes, label=label, actor=actor)
        except ValidationError as error:
            form.add_error("label", error.messages)
        else:
            messages.success(request, f"« {copy.label} » est enregistrée : elle reste à adopter.")
            for words in left_out(version, changes):
                messages.warning(request, words)
            return redirect("admin:tariffs_version_change", copy.pk)
    return TemplateResponse(request, "admin/conventions/what_if.html", context | {"save_form": form})


def _file(
    request: HttpRequest, simulation: Simulation, content: bytes, suffix: str, content_type: str
) -> HttpResponse:
    schedule = simulation.reading.schedule
    name = f"simulation-{schedule.code}-{simulation.year}.{suffix}"
    record(
        actor=request.user.get_username(),
        action="export",
        target=schedule,
        summary=f"Simulation de {schedule.code} pour {simulation.year}, {simulation.tariff} : {name}",
    )
    return as_attachment(content, name, content_type)
