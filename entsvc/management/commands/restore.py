"""Restore a backup; `bin/restore` then migrates and verifies the ledger."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from entsvc import backups
from entsvc.commands import JsonCommand
from entsvc.french import integer


class Command(JsonCommand):
    """Thin: the rules are in `entsvc.backups`."""

    help = "Restaure une sauvegarde, dans une base et un dossier vides."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the archive and what lets it replace."""
        super().add_arguments(parser)
        parser.add_argument("archive", type=Path, metavar="ARCHIVE", help="Fichier fait par backup.")
        parser.add_argument(
            "--replace", action="store_true", help="Remplace la base et les documents déjà là."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore and report."""
        as_json = options["json"]
        try:
            done = backups.restore(options["archive"], replace=options["replace"])
        except backups.BackupRefused as error:
            self.fail({"error": str(error)}, str(error), as_json=as_json)
        self.answer(
            {
                "archive": str(done.path),
                "made_at": done.made_at,
                "documents": done.documents,
                "database": done.database,
            },
            [
                f"Sauvegarde du {done.made_at} restaurée.",
                f"Base : {done.database}",
                f"Documents : {integer(done.documents)}",
            ],
            as_json=as_json,
        )
