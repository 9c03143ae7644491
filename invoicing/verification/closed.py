"""Whether what was proved when an exercice was closed is still true."""

from collections.abc import Iterator
from typing import Any

from entsvc import chain
from entsvc.canonical import fingerprint
from entsvc.french import lower_first
from entsvc.models import JournalEntry
from invoicing.models import ClosedExercice
from invoicing.verification.figures import of_exercice, place, proof
from invoicing.verification.findings import Deviation, Scope

WORDS = {
    "net": "le total des titres moins les corrections",
    "net_of_bordereaux": "le total des bordereaux",
    "documents": "la liste des PDF et de leurs empreintes",
}


def deviations(scope: Scope) -> Iterator[Deviation]:
    """Compare each report with its fingerprint, with today's rows and with the journal."""
    rows = scope.of(ClosedExercice.objects).select_related("issuer").order_by("pk")
    for closed in rows:
        where = f"{place(closed.issuer.code, closed.budget, closed.exercice)}, clôture"
        if fingerprint(closed.report) != closed.sha256:
            yield Deviation(where, "son compte rendu a été modifié : il n'a plus son empreinte")
        kept = _told(closed)
        if kept is None:
            yield Deviation(where, "elle n'est pas au journal")
        elif kept.get("sha256", closed.sha256) != closed.sha256:
            yield Deviation(where, "son compte rendu n'a plus l'empreinte que le journal a gardée")
        if not chain.holds(closed.journal_head):
            yield Deviation(where, "le journal d'alors n'est plus le début de celui d'aujourd'hui")
        for name in _untrue(closed):
            yield Deviation(where, f"{name} a changé depuis")


def _told(closed: ClosedExercice) -> dict[str, Any] | None:
    """Return what the journal kept of a closing, None when it tells nothing of it."""
    target = f"{ClosedExercice._meta.label_lower}:{closed.pk}"
    entries = JournalEntry.objects.filter(target=target, action="close-exercice").order_by("pk")
    return entries.values_list("data", flat=True).first()


def _untrue(closed: ClosedExercice) -> Iterator[str]:
    told = closed.report.get("proof", {})
    now = proof(of_exercice(closed.issuer, closed.budget, closed.exercice))
    for name, words in WORDS.items():
        if told.get(name) != now[name]:
            yield words
    before = {series.get("series"): _figures(series) for series in told.get("series", [])}
    for series in now["series"]:
        if before.get(series["series"]) != _figures(series):
            yield f"la série « {lower_first(series['label'])} »"


def _figures(series: dict[str, Any]) -> dict[str, Any]:
    """Return what a series amounts to, without its label: a word may change, not a number."""
    return {name: value for name, value in series.items() if name != "label"}
