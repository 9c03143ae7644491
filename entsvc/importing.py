"""The one shape of every import: read, check each row, plan, then apply in one transaction."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.db import models, transaction

from entsvc import journal
from entsvc.fields import SearchField
from entsvc.tabular import Row, Table, UnreadableFile, read_table

LONGEST_COUNT = 9  # digits: what an integer column of every database holds


class RowError(Exception):
    """A row is refused: which column, which value, and what to do about it."""

    def __init__(self, column: str, value: str, message: str) -> None:
        super().__init__(message)
        self.column, self.value, self.message = column, value, message


@dataclass(frozen=True)
class Finding:
    """A refused or flagged row of a file."""

    line: int
    field: str
    value: str
    message: str


@dataclass
class Report:
    """What an import did, or would do (`dry_run`)."""

    file: str
    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: list[Finding] = field(default_factory=list)
    flagged: list[Finding] = field(default_factory=list)
    dry_run: bool = False

    def refuse(self, line: int, column: str, value: str, message: str) -> None:
        """Add a refused row."""
        self.refused.append(Finding(line, column, value, message))

    def flag(self, line: int, column: str, value: str, message: str) -> None:
        """Add a row that is taken but deserves a look."""
        self.flagged.append(Finding(line, column, value, message))

    def as_json(self) -> dict:
        """Return the document promised by the contract of the command line."""
        return asdict(self)


@dataclass
class Plan:
    """What applying an import will write, known before anything is written."""

    create: list[models.Model] = field(default_factory=list)
    update: list[models.Model] = field(default_factory=list)
    unchanged: int = 0

    def count_in(self, report: Report) -> None:
        """Add what will be written to a report."""
        report.created += len(self.create)
        report.updated += len(self.update)
        report.unchanged += self.unchanged


@dataclass(frozen=True)
class Importer:
    """An import of one kind of file.

    `parse` turns a row into a typed record (with a `line`), flagging what staff should look at;
    `key` names it uniquely in the file; `apply` writes the records and counts in the report
    what was created, updated or left.
    """

    name: str
    columns: tuple[str, ...]
    aliases: dict[str, str]
    parse: Callable[[Row, Callable[[str, str, str], None]], Any]
    key: Callable[[Any], Any]
    key_column: str
    apply: Callable[[list[Any], Report], None]


def run_import(importer: Importer, path: Path, *, dry_run: bool, actor: str) -> Report:
    """Import a file: bad rows are refused one by one, a bad file changes nothing.

    Raises UnreadableFile when the file can't be read or lacks a required column.
    """
    table = _with_canonical_columns(read_table(path), importer, path.name)
    report = Report(file=path.name, rows=len(table.rows), dry_run=dry_run)
    records = _unique(_parse_all(importer, table, report), importer, report)
    with transaction.atomic():
        importer.apply(records, report)
        report.refused.sort(key=lambda finding: (finding.line, finding.field))
        report.flagged.sort(key=lambda finding: (finding.line, finding.field))
        if dry_run:
            transaction.set_rollback(True)
        elif report.created or report.updated:
            _journal(importer, path, report, actor)
    return report


def plan_changes(
    model: type[models.Model],
    key: tuple[str, ...],
    wanted: Iterable[models.Model],
    fields: list[str],
) -> Plan:
    """Compare wanted (unsaved) rows with the stored ones by key: create, update or leave.

    Reads the table once, whatever the number of rows. An empty value erases nothing: what staff
    entered by hand stays when a file has no word on it.
    """
    stored = {tuple(getattr(row, name) for name in key): row for row in model._default_manager.all()}
    plan = Plan()
    for row in wanted:
        existing = stored.get(tuple(getattr(row, name) for name in key))
        if existing is None:
            plan.create.append(row)
            continue
        news = {name: getattr(row, name) for name in fields}
        news = {n: v for n, v in news.items() if v not in ("", None) and v != getattr(existing, n)}
        if news:
            for name, value in news.items():
                setattr(existing, name, value)
            plan.update.append(existing)
        else:
            plan.unchanged += 1
    return plan


def write(plan: Plan, model: type[models.Model], fields: list[str]) -> None:
    """Write a plan in bulk, with the columns that no file gives: search keys, dates of recording."""
    derived = [
        column
        for column in model._meta.fields
        if isinstance(column, SearchField) or getattr(column, "auto_now", False)
    ]
    for row in plan.update:
        for column in derived:
            column.pre_save(row, add=False)
    fields = fields + [column.name for column in derived]
    model._default_manager.bulk_create(plan.create, batch_size=1000)
    # One upsert by key: `bulk_update` writes a CASE per column and row, ten times slower.
    model._default_manager.bulk_create(
        plan.update, update_conflicts=True, unique_fields=["pk"], update_fields=fields, batch_size=1000
    )


def checked(column: str, text: str, check: Callable[[str], Any]) -> Any:
    """Return `check(text)`, turning its ValueError into the refusal of the row."""
    try:
        return check(text)
    except ValueError as error:
        raise RowError(column, text, str(error)) from error


def parse_date(column: str, text: str) -> date | None:
    """Read 2024-06-20 or 20/06/2024; empty is None; raise RowError otherwise."""
    if not text:
        return None
    for pattern in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            return datetime.strptime(text, pattern).date()
        except ValueError:
            continue
    raise RowError(column, text, "Date attendue sous la forme 2024-06-20 ou 20/06/2024.")


def parse_count(column: str, text: str) -> int | None:
    """Read a whole number of people; empty is None; raise RowError for anything else."""
    if not text:
        return None
    if len(text) > LONGEST_COUNT:
        raise RowError(column, text[:50], "Ce nombre est trop grand.")
    if not text.isascii() or not text.isdigit():
        raise RowError(column, text, "Nombre entier attendu.")
    return int(text)


def _with_canonical_columns(table: Table, importer: Importer, name: str) -> Table:
    known = {**importer.aliases, **{column: column for column in importer.columns}}
    columns = [known.get(column, column) for column in table.columns]
    twice = [column for column in importer.columns if columns.count(column) > 1]
    if twice:
        raise UnreadableFile(f"Colonne en double dans {name} : {', '.join(twice)}.")
    absent = [column for column in importer.columns if column not in columns]
    if absent:
        raise UnreadableFile(
            f"Colonne absente de {name} : {', '.join(absent)}. "
            f"Colonnes lues : {', '.join(filter(None, table.columns))}."
        )
    rows = [replace(r, values={known.get(c, c): v for c, v in r.values.items()}) for r in table.rows]
    return Table(columns, rows)


def _parse_all(importer: Importer, table: Table, report: Report) -> list[Any]:
    records = []
    for row in table.rows:

        def flag(column: str, value: str, message: str, line: int = row.line) -> None:
            report.flag(line, column, value, message)

        try:
            _refuse_cells_beyond(row)
            records.append(importer.parse(row, flag))
        except RowError as error:
            report.refuse(row.line, error.column, error.value, error.message)
    return records


def _refuse_cells_beyond(row: Row) -> None:
    """Refuse a row wider than the header: one separator too many shifts every cell after it."""
    for rank, cell in row.beyond.items():
        message = "Cellule en trop : la ligne compte plus de cellules que l'en-tête de colonnes."
        raise RowError(f"colonne {rank}", cell[:50], message)


def _unique(records: list[Any], importer: Importer, report: Report) -> list[Any]:
    """Refuse every row whose key appears more than once: none of them may silently win."""
    counts = Counter(importer.key(record) for record in records)
    for record in records:
        key = importer.key(record)
        if counts[key] > 1:
            shown = " ".join(map(str, key)) if isinstance(key, tuple) else str(key)
            message = f"Présent {counts[key]} fois dans le fichier : gardez une seule ligne."
            report.refuse(record.line, importer.key_column, shown, message)
    return [record for record in records if counts[importer.key(record)] == 1]


def _journal(importer: Importer, path: Path, report: Report, actor: str) -> None:
    counts = {name: getattr(report, name) for name in ("rows", "created", "updated", "unchanged")}
    journal.record(
        actor=actor,
        action="import",
        target=f"import:{importer.name}",
        summary=f"Import {importer.name} : {path.name}",
        data={
            **counts,
            "refused": len(report.refused),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        },
    )
