"""List what an issuer still has to call at 31 December: « produits à rattacher »."""

import argparse
from decimal import Decimal
from pathlib import Path
from typing import Any

from entsvc import journal, school_year
from entsvc.commands import JsonCommand
from entsvc.french import euros, plural
from invoicing.exports.unbilled import write_unbilled
from invoicing.unbilled import Unbilled, unbilled
from members.models import Issuer


class Command(JsonCommand):
    """Thin: the rule is in `invoicing.unbilled`."""

    help = "Liste en XLSX ce qui reste à appeler au 31 décembre d'un exercice, avec ses bases."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("--issuer", required=True, metavar="CODE", help="Émetteur.")
        parser.add_argument("--exercice", required=True, type=int, metavar="N", help="Année civile.")
        parser.add_argument("file", type=Path, metavar="FICHIER.xlsx")

    def handle(self, *args: Any, **options: Any) -> None:
        """Compute, write, report."""
        as_json = options["json"]
        issuer = Issuer.objects.filter(code=options["issuer"]).first()
        if issuer is None:
            self._refuse(f"Émetteur inconnu : {options['issuer']}.", as_json)
        exercice, file = options["exercice"], options["file"]
        if not school_year.FIRST <= exercice <= school_year.LAST:
            self._refuse(f"Exercice {exercice} : donnez une année civile.", as_json)
        rows = unbilled(issuer, exercice)
        try:
            file.write_bytes(write_unbilled(rows, issuer=issuer.name, exercice=exercice))
        except OSError as error:
            self._refuse(f"{file} ne s'écrit pas : {error.strerror}.", as_json)
        journal.record(
            actor=journal.command_actor(),
            action="export",
            target=issuer,
            summary=f"Produits à rattacher de {issuer.code}, exercice {exercice} : {file.name}",
        )
        left = sum((row.left for row in rows), Decimal("0.00"))
        words = f"{plural(len(rows), 'payeur')}, {euros(left)} à appeler : {file}"
        document = {"file": str(file), "left": str(left), "rows": [_row(row) for row in rows]}
        self.answer(document, [words], as_json=as_json)

    def _refuse(self, message: str, as_json: bool) -> None:
        self.fail({"file": None, "rows": [], "error": message}, message, as_json=as_json)


def _row(row: Unbilled) -> dict[str, Any]:
    return {
        "schedule": row.schedule,
        "school_year": school_year.label(row.year),
        "service_done": row.is_done,
        "siret": row.siret,
        "name": row.name,
        "owed": str(row.owed),
        "issued": str(row.issued),
        "left": str(row.left),
        "to_mend": row.to_mend,
    }
