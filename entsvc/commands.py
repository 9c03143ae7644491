"""How commands speak: one JSON document on standard output, words for people on standard error."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from entsvc.importing import Finding, Importer, Report, run_import
from entsvc.journal import command_actor
from entsvc.tabular import UnreadableFile


class JsonCommand(BaseCommand):
    """A command with `--json`; exit code 1 when nothing was applied, 2 for wrong arguments."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--json`."""
        parser.add_argument("--json", action="store_true", help="Résultat en JSON sur la sortie.")

    def answer(self, document: dict, words: list[str], *, as_json: bool) -> None:
        """Print the result: JSON on standard output, or words for people."""
        if as_json:
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=2))
        for line in words:
            (self.stderr if as_json else self.stdout).write(line, ending="\n")

    def fail(self, document: dict, message: str, *, as_json: bool) -> None:
        """Say that nothing was applied, and stop with exit code 1."""
        if as_json:
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=2))
        raise CommandError(message)


class ImportCommand(JsonCommand):
    """A command that imports one kind of file."""

    importer: Importer

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file and the dry run."""
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, metavar="FICHIER", help="CSV (;) ou XLSX.")
        parser.add_argument("--dry-run", action="store_true", help="Montre sans rien écrire.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import the file and report."""
        as_json = options["json"]
        try:
            report = run_import(
                self.importer, options["file"], dry_run=options["dry_run"], actor=command_actor()
            )
        except UnreadableFile as error:
            empty = Report(options["file"].name, dry_run=options["dry_run"])
            document = {**empty.as_json(), "error": str(error)}
            self.fail(document, str(error), as_json=as_json)
        self.answer(report.as_json(), _words(report), as_json=as_json)


def _words(report: Report) -> list[str]:
    head = (
        f"{report.file} : {report.rows} lignes, {report.created} créées, {report.updated} modifiées, "
        f"{report.unchanged} inchangées, {len(report.refused)} refusées, "
        f"{len(report.flagged)} à vérifier"
    )
    tail = [" (essai : rien n'est écrit)"] if report.dry_run else [""]
    refused = [_finding("refusée", finding) for finding in report.refused]
    shown = report.flagged[:20]
    flagged = [_finding("à vérifier", finding) for finding in shown]
    if len(report.flagged) > len(shown):
        flagged.append(f"  … et {len(report.flagged) - len(shown)} autres à vérifier (voir --json)")
    return [head + tail[0], *refused, *flagged]


def _finding(verdict: str, finding: Finding) -> str:
    value = f" « {finding.value} »" if finding.value else ""
    return f"  ligne {finding.line} {verdict} : {finding.field}{value} – {finding.message}"
