"""« Revue du calcul »: a run read beside last year or another run, down to why each amount is so.

Nothing is stored: what is compared and shown is in the address of the page.
"""

from collections.abc import Callable
from decimal import Decimal
from itertools import zip_longest
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse

from conventions.forecasts.told import announced
from entsvc import charts
from entsvc.fields import search_key
from invoicing import review, review_reading
from invoicing.left_to_issue import to_issue
from invoicing.models import Call, CallLine, Run, Titre, TitreLine
from invoicing.review import Review, Row
from invoicing.review_causes import Side
from invoicing.review_errors import Group, groups_of, link_of, links_to_accept, mend_of
from invoicing.review_forms import BLOCKED, CHANGED, GONE, NEW, STATES, MembersForm, OtherForm
from invoicing.review_reading import Other
from invoicing.review_state import state_of
from invoicing.review_words import CAUSES, MEANINGS, in_words
from members.access import visible
from members.models import Member

PER_PAGE, CHARTED, LISTED, LINES = 50, 15, 20, 200
NOTHING = "Rien à quoi comparer"
SORTS: dict[str, Callable[[Row], Any]] = {
    "nom": lambda row: search_key(row.known.name),
    "montant": lambda row: row.total,
    "avant": lambda row: row.former,
    "ecart": lambda row: row.difference,
    # What comes from nothing is beyond any percentage.
    "taux": lambda row: (row.rate is None, row.rate or Decimal(0)),
}
FIRST_SORT = "-montant"


def review_page(request: HttpRequest, run: int) -> HttpResponse:
    """Show a run: totals, what changed and why, what is wrong and what mends it, every member."""
    with review_reading.many_rows():
        found = run_of(request, run)
        other, form = _other(request, found)
        found_review = review_reading.reviewed(found, other)
        groups = groups_of(found)
    context = {
        **_page(request, f"Revue du calcul : {found}", found, other, found_review.then),
        "form": form,
        "state": state_of(found),
        "may_issue": request.user.has_perm("invoicing.issue_titre")
        and to_issue().filter(run=found).exists(),
        "may_compute": request.user.has_perm("invoicing.compute_run"),
        "review": found_review,
        "causes": [(CAUSES[c.cause], MEANINGS[c.cause], c) for c in found_review.causes],
        "charts": _charts(found_review),
        "groups": groups,
        "blocked": len({call for group in groups for call in group.blocked}),
        **_members(request, found, found_review, groups),
    }
    lists = {"new": found_review.new, "gone": found_review.gone}
    context |= {name: rows[:LISTED] for name, rows in lists.items()}
    context |= {f"more_{name}": max(len(rows) - LISTED, 0) for name, rows in lists.items()}
    return TemplateResponse(request, "admin/invoicing/review.html", context)


def member_page(request: HttpRequest, run: int, call: int) -> HttpResponse:
    """Show one member of a run: its lines beside the former ones, why they changed, what is wrong."""
    with review_reading.many_rows():
        found = run_of(request, run)
        held = call_of(found, call)
        other, form = _other(request, found, debtor=held.debtor_id)
        side = review_reading.side_of(found, debtor=held.debtor_id)
        then = other.side if other else None
        row = review.row_of(held.debtor_id, side, then)
    lines = list(held.lines.order_by("position"))
    groups = _paired(lines, _former_lines(other, row))
    page = Paginator(groups, LINES).get_page(request.GET.get("page"))
    context = {
        **_page(request, f"Revue : {held.name}", found, other, then),
        "form": form,
        "call": held,
        "row": row,
        "kind": _kind(held.debtor.kind),
        "sentences": [in_words(effect) for effect in row.effects],
        "told": _told(found, held, row),
        "page": page,
        "earlier": _step(_query(request), page, -1),
        "later": _step(_query(request), page, 1),
        **_signalled(request, found, held),
    }
    return TemplateResponse(request, "admin/invoicing/review_member.html", context)


def _told(run: Run, call: Call, row: Row) -> dict[str, Any] | None:
    """Return what the member was told for its budget, and by how much the call is beyond it."""
    campaign = run.campaign
    amount = announced(campaign.schedule, campaign.school_year, call.debtor_id)
    return amount and {"amount": amount, "difference": row.total - amount.total}


def _signalled(request: HttpRequest, run: Run, call: Call) -> dict[str, Any]:
    """Return the anomalies of a call by what mends them, and apart those that were accepted."""
    told = list(call.anomalies.order_by("-blocking", "pk"))
    may_accept = request.user.has_perm("invoicing.add_acceptance")
    accepting = links_to_accept(call, told) if may_accept else {}
    for anomaly in told:
        anomaly.to_accept = accepting.get(anomaly.pk, "")
    by_mend: dict[Any, list[Any]] = {}
    for anomaly in told:
        if not anomaly.accepted:
            by_mend.setdefault(mend_of(anomaly.code), []).append(anomaly)
    return {
        "anomalies": [
            (mend, link_of(mend, run), found[:LISTED], max(len(found) - LISTED, 0))
            for mend, found in by_mend.items()
        ],
        "accepted": [anomaly for anomaly in told if anomaly.accepted],
    }


def run_of(request: HttpRequest, key: int) -> Run:
    """Return a run that the account may see, else refuse or 404."""
    if not request.user.has_perm("invoicing.view_run"):
        raise PermissionDenied
    runs = Run.objects.select_related("campaign__schedule__issuer").defer("basis")
    runs = visible(runs, request.user)
    return get_object_or_404(runs, pk=key)


def call_of(run: Run, key: int) -> Call:
    """Return a call of a run, else 404."""
    return get_object_or_404(run.calls.select_related("debtor"), pk=key)


def _other(
    request: HttpRequest, run: Run, *, debtor: int | None = None
) -> tuple[Other | None, OtherForm]:
    """Return what the run is compared with, and the form to choose something else."""
    runs = list(review_reading.offered(run)[: review_reading.OFFERED])
    asked = request.GET.get("avec", "")
    if asked:
        offered = review_reading.offered(run)
        if not asked.isdecimal():
            raise Http404("Calcul inconnu.")
        chosen = get_object_or_404(offered, pk=int(asked))
        other = review_reading.other_of(chosen, debtor=debtor)
    else:
        other = review_reading.default_other(run, debtor=debtor)
    first = "Par défaut" if asked else (other.words if other else NOTHING)
    choices = [(item.pk, review_reading.words_of(item)) for item in runs]
    return other, OtherForm({"avec": asked}, runs=choices, first=first)


def page_context(request: HttpRequest, title: str, run: Run) -> dict[str, Any]:
    """Return what every page about a run shows around its own content."""
    return {
        **admin.site.each_context(request),
        "title": title,
        "opts": Run._meta,
        "run": run,
        "campaign": run.campaign,
    }


def _page(
    request: HttpRequest, title: str, run: Run, other: Other | None, then: Side | None
) -> dict[str, Any]:
    gathered = other is not None and other.campaigns is not None
    return {
        **page_context(request, title, run),
        "other": other,
        "unissued": then.unissued if then and gathered else 0,
        "asked": request.GET.get("avec", ""),
        "with_other": f"?{_query(request)}" if request.GET.get("avec") else "",
    }


def _query(request: HttpRequest) -> str:
    asked = request.GET.get("avec", "")
    return urlencode({"avec": asked}) if asked else ""


# --- The members of a run -------------------------------------------------------------------


def _members(request: HttpRequest, run: Run, found: Review, groups: list[Group]) -> dict[str, Any]:
    """Return what the table of members shows, as the address asks."""
    wanted = _wanted(request)
    kinds = _kinds(run, found)
    rows = _selected(found, wanted, groups, kinds)
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    kept = {name: value for name, value in wanted.items() if value}
    if request.GET.get("avec"):
        kept["avec"] = request.GET["avec"]
    held = {call for group in groups for call in group.blocked}
    return {
        "wanted": wanted,
        "chosen": MembersForm(wanted, kinds=set(kinds.values()), groups=groups),
        "page": page,
        "members": [_shown(row, kinds[row.key], held) for row in page],
        "headings": _headings(kept, found),
        "earlier": _step(urlencode(kept), page, -1),
        "later": _step(urlencode(kept), page, 1),
    }


def _kinds(run: Run, found: Review) -> dict[int, str]:
    """Return the type of each member shown, as it is today."""
    called = Q(pk__in=run.calls.order_by().values("debtor"))
    gone = [row.key for row in found.gone]
    members = Member.objects.filter(called | Q(pk__in=gone) if gone else called)
    return dict(members.order_by("pk").values_list("pk", "kind"))


def _shown(row: Row, kind: str, held: set[int]) -> dict[str, Any]:
    return {
        "row": row,
        "kind": _kind(kind),
        "blocked": row.now is not None and row.now.call in held,
        "sentences": [in_words(effect) for effect in row.effects],
    }


def _kind(code: str) -> str:
    return str(Member.Kind(code).label) if code else "–"


def _wanted(request: HttpRequest) -> dict[str, str]:
    """Return which members are asked for and in which order: what is unknown is left aside."""
    sort, state = request.GET.get("tri", ""), request.GET.get("etat", "")
    return {
        "etat": state if state in STATES else "",
        "type": request.GET.get("type", ""),
        "probleme": request.GET.get("probleme", ""),
        "q": request.GET.get("q", "").strip()[:100],
        "tri": sort if sort.removeprefix("-") in (*SORTS, "type") else FIRST_SORT,
    }


def _selected(
    found: Review, wanted: dict[str, str], groups: list[Group], kinds: dict[int, str]
) -> list[Row]:
    rows = [row for row in found.rows if _in_state(row, wanted["etat"], found, groups)]
    if wanted["type"]:
        rows = [row for row in rows if kinds[row.key] == wanted["type"]]
    if wanted["probleme"]:
        calls = {call for g in groups if g.mend.code == wanted["probleme"] for call in g.calls}
        rows = [row for row in rows if row.now is not None and row.now.call in calls]
    if wanted["q"]:
        words = search_key(wanted["q"])
        rows = [r for r in rows if words in search_key(r.known.name) or words in r.known.siret]
    sorts = SORTS | {"type": lambda row: kinds[row.key]}
    key = sorts[wanted["tri"].removeprefix("-")]
    return sorted(rows, key=key, reverse=wanted["tri"].startswith("-"))


def _in_state(row: Row, state: str, found: Review, groups: list[Group]) -> bool:
    if state == CHANGED:
        return row.is_changed
    if state == NEW:
        return found.then is not None and row.before is None
    if state == GONE:
        return row.now is None
    if state == BLOCKED:
        return row.now is not None and any(row.now.call in group.blocked for group in groups)
    return True


def _headings(kept: dict[str, str], found: Review) -> list[dict[str, Any]]:
    """Return the titles of the columns, each with the address that sorts by it."""
    labels = {"nom": "Membre", "type": "Type", "montant": "Ce calcul"}
    if found.then:
        labels |= {"avant": "Avant", "ecart": "Écart", "taux": "Écart en %"}
    headings = []
    for code, label in labels.items():
        way = {code: "ascending", f"-{code}": "descending"}.get(kept["tri"], "")
        # Amounts are looked at from the largest one.
        first, second = (code, f"-{code}") if code in ("nom", "type") else (f"-{code}", code)
        link = urlencode(kept | {"tri": second if kept["tri"] == first else first})
        figure = code not in ("nom", "type")
        headings.append({"label": label, "link": f"?{link}#membres", "way": way, "figure": figure})
    return headings


def _step(query: str, page: Any, step: int) -> str:
    number = page.number + step
    if not 1 <= number <= page.paginator.num_pages:
        return ""
    return f"?{query}{'&' if query else ''}page={number}#membres"


def _charts(found: Review) -> list[charts.Chart]:
    """Return the charts of a comparison: its causes, then the members that moved most."""
    if found.then is None:
        return []
    causes = [(CAUSES[cause.cause], cause.amount) for cause in found.causes]
    rows = [(row.known.name, row.difference) for row in found.largest(CHARTED)]
    shown = [("D'où vient l'écart", causes), ("Les plus fortes variations", rows)]
    return [charts.bars(title, values) for title, values in shown if values]


# --- The lines of a member ------------------------------------------------------------------


def _former_lines(other: Other | None, row: Row) -> list[Any]:
    """Return the lines of a member on the other side, with their words."""
    if other is None or row.before is None:
        return []
    if row.before.call is not None:
        return list(CallLine.objects.filter(call=row.before.call).order_by("position"))
    titres = Titre.objects.in_force().filter(debtor=row.key, campaign__in=other.campaigns)
    lines = TitreLine.objects.filter(titre__in=titres.order_by().values("pk"))
    return list(lines.order_by("titre__exercice", "titre__number", "position"))


def _paired(lines: list[Any], former: list[Any]) -> list[dict[str, Any]]:
    """Return lines facing the former ones of a same charge and school, in the order of the charges."""
    pairs: dict[tuple[str, str], tuple[list[Any], list[Any]]] = {}
    for side, held in enumerate((lines, former)):
        for line in held:
            pairs.setdefault((line.charge, line.uai), ([], []))[side].append(line)
    charges = list(dict.fromkeys(charge for charge, _ in pairs))
    ordered = sorted(pairs.items(), key=lambda item: charges.index(item[0][0]))
    found = []
    for _, (now, before) in ordered:
        for line, was in zip_longest(now, before):
            amounts = [item.amount if item else Decimal(0) for item in (line, was)]
            found.append(
                {"line": line or was, "now": line, "before": was, "gap": amounts[0] - amounts[1]}
            )
    return found
