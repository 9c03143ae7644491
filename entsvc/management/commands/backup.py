"""Back up the database and the documents into one file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings

from entsvc import backups
from entsvc.commands import JsonCommand
from entsvc.french import integer


class Command(JsonCommand):
    """Thin: the rules are in `entsvc.backups`."""

    help = "Sauvegarde la base et les documents dans un seul fichier."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add where to write."""
        super().add_arguments(parser)
        parser.add_argument(
            "destination",
            nargs="?",
            type=Path,
            metavar="DESTINATION",
            default=settings.BASE_DIR / "var" / "sauvegardes",
            help="Dossier, ou fichier en .tar (var/sauvegardes).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Back up and report."""
        as_json = options["json"]
        try:
            done = backups.back_up(options["destination"])
        except backups.BackupRefused as error:
            self.fail({"error": str(error)}, str(error), as_json=as_json)
        self.answer(
            {
                "archive": str(done.path),
                "size": done.path.stat().st_size,
                "documents": done.documents,
                "database": done.database,
            },
            [
                f"Base : {done.database}",
                f"Documents : {integer(done.documents)}",
                f"Sauvegarde : {done.path} ({integer(done.path.stat().st_size)} octets)",
            ],
            as_json=as_json,
        )
