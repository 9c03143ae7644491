"""Close an exercice of an issuer for good."""

import argparse
from decimal import Decimal
from typing import Any

from entsvc.commands import JsonCommand
from entsvc.french import euros
from entsvc.journal import command_actor
from invoicing.closing import ClosingRefused, close_exercice
from invoicing.models import ClosedExercice
from members.models import Issuer


class Command(JsonCommand):
    """Thin: the rules are in `invoicing.closing`."""

    help = "Vérifie puis clôt l'exercice d'un émetteur : il ne donne plus aucun numéro."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("--issuer", required=True, metavar="CODE", help="Émetteur.")
        parser.add_argument("--exercice", required=True, type=int, metavar="N", help="Année close.")
        parser.add_argument("--budget", metavar="CODE", help="Par défaut, celui de l'émetteur.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify, close, report."""
        as_json = options["json"]
        issuer = Issuer.objects.filter(code=options["issuer"]).first()
        if issuer is None:
            self._refuse([f"Émetteur inconnu : {options['issuer']}."], as_json)
        try:
            closed = close_exercice(
                issuer=issuer,
                exercice=options["exercice"],
                budget=options["budget"],
                actor=command_actor(),
            )
        except ClosingRefused as error:
            self._refuse(error.messages, as_json)
        document = {"closed": True, "sha256": closed.sha256, "report": closed.report, "errors": []}
        self.answer(document, _words(closed), as_json=as_json)

    def _refuse(self, messages: list[str], as_json: bool) -> None:
        empty = {"closed": False, "sha256": None, "report": None, "errors": messages}
        self.fail(empty, "\n".join(messages), as_json=as_json)


def _words(closed: ClosedExercice) -> list[str]:
    report = closed.report
    proof, money = report["proof"], report["collection"]
    return [
        f"{closed} : clos.",
        *(
            f"  {series['label']} : {series['count']}, n° {series['first']} à {series['last']}, "
            f"{_euros(series['total'])}"
            for series in proof["series"]
            if series["count"]
        ),
        f"  titres moins corrections : {_euros(proof['net'])} ; bordereaux : "
        f"{_euros(proof['net_of_bordereaux'])}",
        f"  reste à recouvrer : {_euros(money['remaining'])} sur {money['unpaid']} titres",
        f"  documents : {proof['documents']['count']} PDF, liste {proof['documents']['sha256']}",
        f"  empreinte du compte rendu : {closed.sha256}",
        *(f"Attention : {warning}" for warning in report["warnings"]),
    ]


def _euros(amount: str) -> str:
    return euros(Decimal(amount))
