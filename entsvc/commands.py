"""How commands speak: one JSON document on standard output, words for people on standard error."""

import json
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError

from entsvc import school_year
from entsvc.french import integer, plural
from entsvc.importing import Finding, Importer, Option, Report, run_import
from entsvc.journal import command_actor
from entsvc.tabular import UnreadableFile

SHOWN = 20  # rows to look at; those that are refused are all shown
# What argparse says of wrong arguments; the last one covers the messages that are ours, in French.
_SAID = (
    (r"the following arguments are required: (.*)", r"il manque : \1"),
    (r"unrecognized arguments: (.*)", r"arguments inconnus : \1"),
    (r"ambiguous option: (.*) could match (.*)", r"option ambiguë \1, pour \2"),
    (r"argument (.*?): expected one argument", r"\1 attend une valeur"),
    (r"argument (.*?): ignored explicit argument (.*)", r"\1 ne prend pas de valeur (\2)"),
    (r"argument (.*?): invalid choice: (.*) \(choose from (.*)\)", r"\1 : \2 n'est pas parmi \3"),
    (r"argument (.*?): invalid \w+ value: (.*)", r"\1 : valeur incorrecte \2"),
    (r"argument (.*?): (.*)", r"\1 : \2"),
)


def said_in_french(message: str) -> str:
    """Return what argparse says of wrong arguments in French, or as it is when it says something new."""
    for pattern, french in _SAID:
        match = re.fullmatch(pattern, message, re.DOTALL)
        if match:
            return match.expand(french)
    return message


def school_year_argument(text: str) -> int:
    """Read the argument `--school-year`, 2024 for 2024-2025."""
    try:
        return school_year.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


class JsonCommand(BaseCommand):
    """A command with `--json`; exit code 1 when nothing was applied, 2 for wrong arguments."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Let the parser say in French what is wrong with the arguments."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)

        def error(message: str) -> None:
            if not parser.called_from_command_line:
                raise CommandError(f"Arguments faux : {said_in_french(message)}")
            parser.print_usage(sys.stderr)
            parser.exit(2, f"{parser.prog} : arguments faux : {said_in_french(message)}\n")

        parser.error = error
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--json`."""
        parser.add_argument("--json", action="store_true", help="Résultat en JSON sur la sortie.")

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Say so in words when the database goes away in the middle: nothing is left half done."""
        try:
            return super().execute(*args, **options)
        except (OperationalError, InterfaceError) as error:
            message = (
                f"La base de données ne répond plus ou n'est pas prête ({str(error).strip()}). Rien "
                "n'est gardé à moitié : relancez la même commande, elle reprendra ce qui reste."
            )
            self.fail({"error": message}, message, as_json=bool(options.get("json")))

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
    """A command that imports one kind of file, with the options of its importer."""

    importer: Importer

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file, the dry run and the options of the importer."""
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, metavar="FICHIER", help="CSV (;), XLSX ou JSON.")
        parser.add_argument("--dry-run", action="store_true", help="Montre sans rien écrire.")
        for option in self.importer.options:
            _add_option(parser, option)

    def handle(self, *args: Any, **options: Any) -> None:
        """Import the file and report."""
        as_json = options["json"]
        asked = {option.name: _value(option, options) for option in self.importer.options}
        try:
            report = run_import(
                self.importer,
                options["file"],
                dry_run=options["dry_run"],
                actor=command_actor(),
                options=asked,
            )
        except UnreadableFile as error:
            empty = Report(options["file"].name, dry_run=options["dry_run"])
            document = {**empty.as_json(), "error": str(error)}
            self.fail(document, str(error), as_json=as_json)
        words = _words(report, self.importer.title)
        self.answer(report.as_json(), words, as_json=as_json)


def _add_option(parser: ArgumentParser, option: Option) -> None:
    help = option.help.replace("%", "%%")
    if option.is_switch:
        action = "store_false" if option.default else "store_true"
        parser.add_argument(option.flag, dest=_dest(option), action=action, help=help)
    else:
        metavar = re.sub(r"\W+", "_", option.label).strip("_").upper()
        parser.add_argument(
            option.flag, dest=_dest(option), metavar=metavar, help=help, required=option.required
        )


def _dest(option: Option) -> str:
    """Return where the parser keeps an option: its name could be one of Django's own."""
    return f"option_{option.name}"


def _value(option: Option, options: dict[str, Any]) -> Any:
    try:
        return option.read(options[_dest(option)])
    except ValueError as error:
        raise CommandError(f"Arguments faux : {option.flag} : {error}", returncode=2) from error


def _words(report: Report, title: str) -> list[str]:
    tried = " (essai : rien n'est écrit)" if report.dry_run else ""
    counts = [(name, integer(number)) for name, number in report.counts()]
    names, figures = (max(map(len, column)) for column in zip(*counts, strict=True))
    table = [f"  {name:<{names}} {number:>{figures}}" for name, number in counts]
    refused = [_finding("refusée", finding) for finding in report.refused]
    shown = report.flagged[:SHOWN]
    flagged = [_finding("à vérifier", finding) for finding in shown]
    if len(report.flagged) > len(shown):
        others = plural(len(report.flagged) - len(shown), "autre")
        flagged.append(f"  … et {others} à vérifier (voir --json)")
    return [f"{title} – {report.file}{tried}", *table, *refused, *flagged]


def _finding(verdict: str, finding: Finding) -> str:
    line = "—" if finding.line is None else finding.line
    value = f" « {finding.value} »" if finding.value else ""
    return f"  ligne {line} {verdict} : {finding.field}{value} – {finding.message}"
