"""Prove the ledger complete and unchanged, or tell where it is not."""

import argparse
import sys
from typing import Any

from entsvc.commands import JsonCommand
from entsvc.french import euros, integer, plural
from invoicing.models import Series
from invoicing.verification import Scope, Verdict, verify
from invoicing.verification.figures import ExerciceFigures
from members.models import Issuer


class Command(JsonCommand):
    """Thin: the rules are in `invoicing.verification`."""

    help = "Vérifie tout le registre des titres ; code 1 au moindre écart."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("--issuer", metavar="CODE", help="Un seul émetteur.")
        parser.add_argument("--exercice", type=int, metavar="N", help="Un seul exercice.")
        parser.add_argument(
            "--quick",
            action="store_true",
            help="Sans relire le contenu des documents ni refaire les calculs.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify, report, and exit with 1 on any deviation."""
        as_json = options["json"]
        scope = Scope(self._issuer(options["issuer"], as_json), options["exercice"])
        verdict = verify(scope, quick=options["quick"])
        self.answer(
            document(verdict, quick=options["quick"]),
            words(verdict, quick=options["quick"]),
            as_json=as_json,
        )
        if not verdict.green:
            sys.exit(1)

    def _issuer(self, code: str | None, as_json: bool) -> Issuer | None:
        if code is None:
            return None
        issuer = Issuer.objects.filter(code=code).first()
        if issuer is None:
            known = ", ".join(Issuer.objects.order_by("code").values_list("code", flat=True))
            message = f"Émetteur inconnu : {code}. Émetteurs : {known or 'aucun'}."
            self.fail({"green": False, "error": message}, message, as_json=as_json)
        return issuer


def document(verdict: Verdict, *, quick: bool) -> dict[str, Any]:
    """Return a verdict as JSON; money as strings with two decimals."""
    return {
        "green": verdict.green,
        "quick": quick,
        "exercices": [_exercice(figures) for figures in verdict.exercices],
        "documents": verdict.documents,
        "journal": {"links": verdict.links, "head": verdict.head},
        "count": verdict.count,
        "deviations": [{"where": d.where, "message": d.message} for d in verdict.deviations],
    }


def words(verdict: Verdict, *, quick: bool) -> list[str]:
    """Return a verdict for people."""
    lines = []
    for figures in verdict.exercices:
        lines.append(str(figures))
        lines += [_series(figures, series) for series in Series if figures.series[series].count]
        lines.append(
            f"  titres moins corrections {euros(figures.net)}, bordereaux "
            f"{euros(figures.net_of_bordereaux)}"
        )
    if not verdict.exercices:
        lines.append("Aucun titre n'est émis.")
    how = "présents, contenu non relu" if quick else "relus"
    lines.append(f"Documents {how} : {integer(verdict.documents)}")
    lines.append(f"Journal : {plural(verdict.links, 'maillon')}, tête {verdict.head or 'vide'}")
    if verdict.green:
        return [*lines, "Aucun écart."]
    lines += [f"ÉCART – {deviation}" for deviation in verdict.deviations]
    if verdict.count > len(verdict.deviations):
        lines.append(f"… et {plural(verdict.count - len(verdict.deviations), 'autre')}")
    return [*lines, f"{plural(verdict.count, 'écart')}."]


def _exercice(figures: ExerciceFigures) -> dict[str, Any]:
    return {
        "issuer": figures.issuer.code,
        "budget": figures.budget,
        "exercice": figures.exercice,
        "series": [
            {
                "series": series.value,
                "count": found.count,
                "first": found.first,
                "last": found.last,
                "total": str(found.total),
            }
            for series, found in ((s, figures.series[s]) for s in Series)
        ],
        "net": str(figures.net),
        "net_of_bordereaux": str(figures.net_of_bordereaux),
    }


def _series(figures: ExerciceFigures, series: Series) -> str:
    found = figures.series[series]
    return (
        f"  {series.label.lower()} : {integer(found.count)}, n° {found.first} à {found.last}, "
        f"{euros(found.total)}"
    )
