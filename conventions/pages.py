"""The two pages of a school year's data: their quality, and who is proposed to pay."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from conventions import proposals, readiness
from conventions.filters import PARAMETER, address
from conventions.findings import Finding, Scope
from conventions.readiness import FINDINGS
from conventions.scoped_pages import address_of, context_of, issuers_of, require, scope_of
from entsvc.french import plural
from members.models import ConfirmedDebtor, Member

PER_PAGE = 100
SHOWN = 20  # refusals told one by one
BY_HAND = "Choisi à la main"
GROUPS = {"school": "Écoles", "member": "Membres", "convention": "Conventions"}


@dataclass(frozen=True)
class Line:
    """A finding, its number (None while nobody can tell), and where its rows are."""

    finding: Finding
    number: int | None
    link: str


def readiness_page(request: HttpRequest) -> HttpResponse:
    """Show what is missing for a school year, each number linked to the rows to mend."""
    require(request, "conventions.view_convention", "members.view_school", "members.view_member")
    issuers = issuers_of(request)
    scope = scope_of(request, issuers)
    context = context_of(request, "Qualité des données", issuers, scope)
    if scope:
        numbers = readiness.counts(scope)
        lines = [
            Line(f, numbers[f.code] if readiness.is_known(f, scope) else None, _link(f, scope))
            for f in FINDINGS.values()
        ]
        context |= {
            "groups": _grouped(lines, scope),
            "blocking": sum(1 for x in lines if x.number and x.finding.severity == readiness.BLOCKING),
            "not_adopted": readiness.schedules_not_adopted(scope),
        }
    return TemplateResponse(request, "admin/conventions/readiness.html", context)


def debtors_page(request: HttpRequest) -> HttpResponse:
    """Show the payers proposed, and confirm on POST those that were ticked, or the whole page."""
    require(request, "members.view_confirmeddebtor", "members.view_school")
    issuers = issuers_of(request)
    scope = scope_of(request, issuers)
    if request.method == "POST":
        require(request, "members.add_confirmeddebtor")
        return _confirm(request, scope)
    context = context_of(request, "Payeurs proposés", issuers, scope)
    if scope:
        state = _state(request)
        rows = proposals.rows_of(scope)
        page = Paginator(proposals.in_state(rows, state), PER_PAGE).get_page(request.GET.get("page"))
        context |= {
            "state": state,
            "tabs": [
                (code, label, number, address_of("conventions:debtors", scope, etat=code))
                for (code, label), number in zip(
                    proposals.STATES.items(), proposals.numbers(rows).values(), strict=True
                )
            ],
            "page": page,
            "cards": list(_cards(page)),
            "ready": sum(1 for row in page if row.can_confirm),
            "sure": sum(1 for row in page if row.is_sure),
            "may_confirm": request.user.has_perm("members.add_confirmeddebtor"),
            "earlier": _page_link(scope, state, page, -1),
            "later": _page_link(scope, state, page, 1),
        }
    return TemplateResponse(request, "admin/conventions/debtors.html", context)


def _confirm(request: HttpRequest, scope: Scope | None) -> HttpResponse:
    if scope is None:
        raise Http404
    whole = request.POST.get("quoi") == "page"
    tokens = request.POST.getlist("montre" if whole else "choix")
    actor = request.user.get_username()
    outcome, refused = proposals.confirm_shown(scope, tokens, actor=actor)
    if not tokens:
        messages.warning(request, "Cochez au moins une école, ou confirmez toute la page.")
    if outcome.confirmed:
        done = plural(outcome.confirmed, "payeur confirmé", "payeurs confirmés")
        messages.success(request, f"{done}.")
    for problem in refused[:SHOWN]:
        messages.warning(request, problem)
    if len(refused) > SHOWN:
        messages.warning(request, f"Et {len(refused) - SHOWN} autres refus.")
    return redirect(request.get_full_path())


def _state(request: HttpRequest) -> str:
    state = request.GET.get("etat", "")
    if state not in proposals.STATES:
        raise Http404("État inconnu.")
    return state


def _link(finding: Finding, scope: Scope) -> str:
    if finding.code == "sans-payeur":
        return address_of("conventions:debtors", scope)
    model = finding.base(scope).model._meta
    changelist = reverse(f"admin:{model.app_label}_{model.model_name}_changelist")
    return f"{changelist}?{urlencode({PARAMETER: address(finding, scope)})}"


def _grouped(lines: list[Line], scope: Scope) -> list[tuple[str, list[Line]]]:
    groups: dict[str, list[Line]] = {label: [] for label in GROUPS.values()}
    for line in lines:
        groups[GROUPS[line.finding.base(scope).model._meta.model_name]].append(line)
    return list(groups.items())


def _page_link(scope: Scope, state: str, page: Page, step: int) -> str:
    number = page.number + step
    if not 1 <= number <= page.paginator.num_pages:
        return ""
    return address_of("conventions:debtors", scope, etat=state, page=number)


def _cards(rows: Iterable[proposals.Row]) -> Iterable[dict[str, Any]]:
    """Return what the page shows of each row: the payer, why, and where to choose another one."""
    rows = list(rows)
    held = ConfirmedDebtor.objects.select_related("member").in_bulk(
        [row.confirmed for row in rows if row.confirmed]
    )
    for row in rows:
        confirmed = held.get(row.confirmed)
        if confirmed:
            other = reverse("admin:members_confirmeddebtor_change", args=[confirmed.pk])
        else:
            query = urlencode({"school": row.key, "reason": BY_HAND})
            other = f"{reverse('admin:members_confirmeddebtor_add')}?{query}"
        payer = confirmed.member if confirmed else row.proposal.payer
        yield {
            "row": row,
            "payer": payer,
            "payer_link": _member_link(payer),
            "confirmed": confirmed,
            "reason": confirmed.reason if confirmed else row.proposal.reason,
            "other": other,
        }


def _member_link(payer: Any) -> str:
    if payer is None:
        return ""
    key = payer.pk if isinstance(payer, Member) else payer.key
    return reverse("admin:members_member_change", args=[key])
