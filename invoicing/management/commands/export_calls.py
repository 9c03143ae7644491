"""Write the yearly call of a run as a workbook."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from entsvc.journal import command_actor, record
from invoicing.exports.yearly_call import write_yearly_call
from invoicing.models import Run


class Command(BaseCommand):
    """Thin: the shape of the workbook is in `exports.yearly_call`."""

    help = "Écrit l'appel annuel d'un calcul dans un classeur XLSX."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments of the contract."""
        parser.add_argument("--run", required=True, type=int, metavar="ID")
        parser.add_argument("file", type=Path, metavar="FICHIER.xlsx")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the file."""
        run = Run.objects.select_related("campaign__schedule").filter(pk=options["run"]).first()
        if run is None:
            raise CommandError(f"Aucun calcul {options['run']}.")
        try:
            # Opened first: openpyxl leaves pieces behind when it can't open its target.
            with options["file"].open("wb") as target:
                write_yearly_call(run, target)
        except OSError as error:
            raise CommandError(f"{options['file']} ne peut pas être écrit : {error}.") from error
        record(
            actor=command_actor(),
            action="export",
            target=run,
            summary=f"{run} : {options['file'].name}",
        )
        self.stdout.write(f"{options['file']} écrit.")
