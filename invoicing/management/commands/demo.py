"""Build the demonstration from nothing, and say what to do next."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from invoicing.demonstration import ACCOUNTS, OFFICE, PASSWORD, DemoRefused, build, start_afresh


class Command(BaseCommand):
    """Thin: the demonstration is in `invoicing.demonstration`."""

    help = "Construit la démonstration dans une base neuve et ses documents dans demo/."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--json`."""
        parser.add_argument("--json", action="store_true", help="Résultat en JSON sur la sortie.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Build and print the table."""
        try:
            kept = start_afresh()
        except DemoRefused as error:
            raise CommandError(str(error)) from error
        if kept:
            self.stderr.write(f"Vous avez travaillé dans l'ancienne démonstration : gardée dans {kept}")
        call_command("migrate", verbosity=0)
        rows = build(settings.BASE_DIR / "demo")
        if options["json"]:
            self.stdout.write(json.dumps(rows, ensure_ascii=False, indent=2))
            return
        self.stdout.write(_table(rows))
        self.stdout.write("\nProduit pour le canal de chaque émetteur (docs/canaux.md) :")
        for row in rows:
            for sent in row["sent"]:
                self.stdout.write(f"  {row['year']}  {sent['file']}")
        self.stdout.write(
            "\nPDF et classeurs : dossier demo/. Ensuite : « make serve », puis "
            "http://127.0.0.1:8000/ avec l'un de ces comptes\n"
            f"(mot de passe de démonstration : {PASSWORD}) :"
        )
        for username, role in ACCOUNTS.items():
            self.stdout.write(f"  {username:<14} {role}")
        self.stdout.write(
            f"Une mairie et ses conventions en PDF : http://127.0.0.1:8000/espace/ avec {OFFICE}\n"
            "(le lien de connexion s'écrit dans la console du serveur)."
        )


HEADINGS = {
    "issuer": "Émetteur",
    "year": "Année",
    "members": "Membres",
    "schools": "Écoles",
    "pupils": "Élèves",
    "total": "Total",
    "documents": "Documents",
}


def _table(rows: list[dict[str, Any]]) -> str:
    cells = [list(HEADINGS.values())] + [[str(row[key]) for key in HEADINGS] for row in rows]
    widths = [max(len(row[index]) for row in cells) for index in range(len(HEADINGS))]
    lines = []
    for row in cells:
        text = [
            cell.ljust(width) if index < 2 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(text).rstrip())
    lines.insert(1, "  ".join("─" * width for width in widths))
    return "\n".join(lines)
