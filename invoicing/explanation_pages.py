"""« Expliquer »: one amount, from its formula down to the row of the imported file."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse

from conventions.basis import Basis, from_json
from invoicing import explanation_sources as sources
from invoicing.explanation import Explanation, explain
from invoicing.models import Call, CallLine, Run
from invoicing.review_pages import call_of, run_of
from members.models import Act
from tariffs import engine

SHOWN = 100  # counts of a share in a pool


def explanation_page(request: HttpRequest, run: int, call: int, position: int) -> HttpResponse:
    """Explain a line of a call: formula, counts and their source, tariff and act, agreement."""
    found = run_of(request, run)
    held = call_of(found, call)
    line = get_object_or_404(CallLine.objects.filter(call=held), position=position)
    explanation = explain(_basis(found, held, line), held.siret, line)
    counts = sources.count_sources(found, explanation.counts[:SHOWN])
    context = {
        **admin.site.each_context(request),
        "title": f"Expliquer : {held.name}, {line.charge_label}",
        "opts": Run._meta,
        "run": found,
        "campaign": found.campaign,
        "call": held,
        "line": line,
        "explanation": explanation,
        "counts": counts,
        "more_counts": max(len(explanation.counts) - SHOWN, 0),
        "file_row": _file_row(request, counts),
        "year": sources.observed(found),
        "tariff": _tariff(found),
        "agreements": sources.agreement_sources(found, explanation, line.uai),
        **_decision(found, held, line, explanation),
        "pool_row": sources.pool_row(found, explanation.charge),
        "called": _called(found, explanation),
        "anomalies": held.anomalies.filter(uai=line.uai).order_by("-blocking", "pk"),
        "earlier": line.position > 1 and line.position - 1,
        "later": _later(held, line),
    }
    return TemplateResponse(request, "admin/invoicing/explanation.html", context)


def _basis(run: Run, call: Call, line: CallLine) -> Basis:
    """Return the frozen basis, with the other members only where the line is a share among them."""
    frozen = run.basis
    shared = {charge["code"] for charge in run.charges if charge["model"] == engine.ALLOCATION}
    if line.charge in shared:
        return from_json(frozen)
    return from_json({**frozen, "members": [m for m in frozen["members"] if m["siret"] == call.siret]})


def _file_row(request: HttpRequest, counts: list[sources.CountSource]) -> sources.FileRow | None:
    """Open the imported file again where the line rests on one count only."""
    if len(counts) != 1 or counts[0].row is None:
        return None
    return sources.file_row(counts[0].row, request.user)


def _tariff(run: Run) -> dict[str, Any]:
    """Return the version and the act as frozen, with their rows of today to open."""
    facts = run.facts
    adoption = sources.adoption_of(run)
    act: Act | None = adoption.act if adoption else None
    return {
        "schedule": facts["schedule_name"],
        "code": facts["schedule"],
        "version": facts["version"],
        "act": facts["act"],
        "adoption": adoption,
        "act_row": act,
        "act_changed": act is not None and f"{act} – {act.subject}" != facts["act"],
        "version_changed": adoption is not None and adoption.version.label != facts["version"],
    }


def _decision(run: Run, call: Call, line: CallLine, explanation: Explanation) -> dict[str, Any]:
    row = sources.decision_row(run, call.debtor_id, line, explanation.decision)
    if row is None:
        return {"decision_row": None, "decision_link": ""}
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return {"decision_row": row, "decision_link": reverse(name, args=[row.pk])}


def _called(run: Run, explanation: Explanation) -> list[tuple[Any, Any]]:
    titres = sources.titres_called(run, explanation)
    return [(called, titres.get(called.titre)) for called in explanation.called]


def _later(call: Call, line: CallLine) -> int | None:
    return line.position + 1 if call.lines.filter(position=line.position + 1).exists() else None
