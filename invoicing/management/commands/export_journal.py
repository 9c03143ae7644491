"""Write the journal of titres of an exercice as a workbook or as text."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from entsvc.journal import command_actor, record
from invoicing.exports.journal_of_titres import CONTENT_TYPES, write_journal
from members.models import Issuer


class Command(BaseCommand):
    """Thin: the shape of the journal is in `exports.journal_of_titres`."""

    help = "Écrit le journal des titres d'un exercice, en XLSX ou en CSV."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--issuer", required=True, metavar="CODE", help="Émetteur.")
        parser.add_argument("--exercice", required=True, type=int, metavar="N")
        parser.add_argument("file", type=Path, metavar="FICHIER.xlsx|csv")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the file."""
        issuer = Issuer.objects.filter(code=options["issuer"]).first()
        file, exercice = options["file"], options["exercice"]
        kind = file.suffix.lower().removeprefix(".")
        if issuer is None:
            raise CommandError(f"Aucun émetteur {options['issuer']}.")
        if kind not in CONTENT_TYPES:
            raise CommandError(f"{file} : donnez un nom en .xlsx ou en .csv.")
        try:
            file.write_bytes(write_journal(issuer=issuer, exercice=exercice, kind=kind))
        except OSError as error:
            raise CommandError(f"{file} ne peut pas être écrit : {error}.") from error
        record(
            actor=command_actor(),
            action="export",
            target=issuer,
            summary=f"Journal des titres de {issuer.code}, exercice {exercice} : {file.name}",
        )
        self.stdout.write(f"{file} écrit.")
