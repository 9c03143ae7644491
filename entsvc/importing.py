"""The one shape of every import: read, check each row, plan, then apply in one transaction."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.utils.module_loading import module_has_submodule

from entsvc import documents, history, journal
from entsvc.cells import RowError
from entsvc.models import ImportRecord, StoredDocument
from entsvc.tabular import Row, Table, UnreadableFile, read_table

Flag = Callable[[str, str, str], None]
Options = Mapping[str, Any]
SUFFIXES = {".csv", ".json", ".txt", ".xlsx"}
LOCK = 0x656E7473  # « ents »: imports wait for one another


@dataclass(frozen=True)
class Finding:
    """A refused or flagged row of a file; no line when the finding is about what the file lacks.

    `issuer` is the key of the one whose facts it tells, None when they are those of all.
    """

    line: int | None
    field: str
    value: str
    message: str
    issuer: int | None = None


@dataclass
class Report:
    """What an import did, or would do (`dry_run`).

    `skipped` counts the rows outside of what was asked (another school year, another département),
    `absent` the stored rows that a complete file no longer names, `returned` those it names again,
    `moved` what else is written for rows that were not counted as created or updated for it (a
    membership ended, a school moved to the commune of today).
    """

    file: str
    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    absent: int = 0
    returned: int = 0
    moved: int = 0
    refused: list[Finding] = field(default_factory=list)
    flagged: list[Finding] = field(default_factory=list)
    dry_run: bool = False

    def refuse(self, line: int, column: str, value: str, message: str) -> None:
        """Add a refused row."""
        self.refused.append(Finding(line, column, value, message))

    def flag(
        self, line: int | None, column: str, value: str, message: str, *, issuer: int | None = None
    ) -> None:
        """Add a row that is taken but deserves a look, by all or by the accounts of one issuer."""
        self.flagged.append(Finding(line, column, value, message, issuer))

    def seen_by(self, issuers: frozenset[int] | None) -> "Report":
        """Return what an account limited to these issuers may read of it; None reads all."""
        if issuers is None:
            return self
        flagged = [f for f in self.flagged if f.issuer is None or f.issuer in issuers]
        return replace(self, flagged=flagged)

    def as_json(self) -> dict:
        """Return the document promised by the contract of the command line."""
        document = self.to_keep()
        for finding in (*document["refused"], *document["flagged"]):
            del finding["issuer"]
        return document

    def to_keep(self) -> dict:
        """Return the document that is stored: it says besides which issuer a finding concerns."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Report":
        """Return the report that was kept as `to_keep` gave it."""
        findings = {
            name: [Finding(**finding) for finding in document[name]] for name in ("refused", "flagged")
        }
        return cls(**{**document, **findings})

    @property
    def changes(self) -> bool:
        """Tell whether anything was written, or would be."""
        return any((self.created, self.updated, self.absent, self.returned, self.moved))

    def counts(self) -> list[tuple[str, int]]:
        """Return what people read of it: each count and its name, to be done or done."""
        to_do = self.dry_run
        seldom = (
            ("absentes du fichier", self.absent),
            ("de nouveau dans le fichier", self.returned),
            ("autres changements", self.moved),
        )
        return [
            ("lignes lues", self.rows),
            ("à créer" if to_do else "créées", self.created),
            ("à modifier" if to_do else "modifiées", self.updated),
            ("inchangées", self.unchanged),
            ("hors périmètre", self.skipped),
            *((name, number) for name, number in seldom if number),
            ("refusées", len(self.refused)),
            ("à vérifier", len(self.flagged)),
        ]

    def plan(self) -> tuple:
        """Return what two reports have in common when they would do the same to the same rows."""
        written = (self.created, self.updated, self.absent, self.returned, self.moved)
        left = (self.rows, self.unchanged, self.skipped)
        findings = [
            sorted((finding.line or 0, finding.field, finding.value) for finding in found)
            for found in (self.refused, self.flagged)
        ]
        return (*written, *left, *findings)


@dataclass
class Job:
    """One import under way: its report, what was asked, by whom.

    `record` is the key of the history row to which what is written may refer. `issuers` are the keys of
    those the account is limited to, None for all. `refused_keys` is what the refused rows give as their
    key, as written: they name something too; `refused_rows` are the cells of those that could not be
    read, by column. `noted` is what the rooms above may read afterwards.
    """

    report: Report
    options: Options
    actor: str
    issuers: frozenset[int] | None
    record: uuid.UUID = field(default_factory=uuid.uuid4)
    refused_keys: set[str] = field(default_factory=set)
    refused_rows: list[Mapping[str, str]] = field(default_factory=list)
    noted: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """One known form of a file: the columns it must have, and how a row becomes a typed record.

    `aliases` gives the canonical name of a column otherwise named, both normalised; an alias ending
    with * stands for every name that begins so. `parse` flags what staff should look at, raises
    RowError for a row that can't be kept and returns None for one outside of what was asked.
    """

    name: str
    columns: tuple[str, ...]
    parse: Callable[[Row, Flag, Options], Any]
    aliases: Mapping[str, str] = field(default_factory=dict)

    def canonical(self, column: str) -> str:
        """Return the canonical name of a column of the file."""
        if column in self.aliases:
            return self.aliases[column]
        for alias, name in self.aliases.items():
            if alias.endswith("*") and column.startswith(alias[:-1]):
                return name
        return column


@dataclass(frozen=True)
class Option:
    """What may be asked beside the file: `parse` turns its text into a value or raises ValueError.

    One whose default is true or false is a switch, and has no text. `choices` gives the (text, words)
    that the page offers to an account limited to these issuers, None for all; any text is read else.
    """

    name: str
    flag: str
    label: str
    help: str
    parse: Callable[[str], Any]
    default: Any = None
    choices: Callable[[frozenset[int] | None], list[tuple[str, str]]] | None = None
    required: bool = False

    @property
    def is_switch(self) -> bool:
        """Tell whether it is only turned on or off."""
        return isinstance(self.default, bool)

    def read(self, given: Any) -> Any:
        """Return the value of what was given: a text, blank for the default, or already a value."""
        if isinstance(given, str) and not self.is_switch:
            given = self.parse(given.strip()) if given.strip() else None
        return self.default if given is None else given


@dataclass(frozen=True)
class Importer:
    """An import of one kind of file, in any of its layouts.

    Records have a `line`; `key` names one uniquely in the file; `apply` writes them and counts in the
    job's report what was created, updated or left. `permissions` are those an account needs. What is
    `shared` concerns all issuers: its history is read by all accounts, else by its author only.
    """

    name: str
    title: str
    layouts: tuple[Layout, ...]
    key: Callable[[Any], Any]
    key_column: str
    apply: Callable[[list[Any], Job], None]
    permissions: tuple[str, ...]
    options: tuple[Option, ...] = ()
    shared: bool = True


IMPORTERS: dict[str, Importer] = {}
REMARKS: dict[str, list[Callable[[Job], None]]] = {}


def register(importer: Importer) -> Importer:
    """Offer an importer on the page of imports."""
    IMPORTERS[importer.name] = importer
    return importer


def discover() -> None:
    """Register what each room imports: its module `importing`, and all those of its `importers`."""
    for app in apps.get_app_configs():
        if module_has_submodule(app.module, "importing"):
            import_module(f"{app.name}.importing")
        if module_has_submodule(app.module, "importers"):
            folder = import_module(f"{app.name}.importers")
            for module in iter_modules(folder.__path__, f"{folder.__name__}."):
                import_module(module.name)


def remarks_on(name: str) -> Callable[[Callable[[Job], None]], Callable[[Job], None]]:
    """Let a room above flag what an import means for it, once it is applied."""

    def mark(remark: Callable[[Job], None]) -> Callable[[Job], None]:
        REMARKS.setdefault(name, []).append(remark)
        return remark

    return mark


def run_import(
    importer: Importer,
    path: Path,
    *,
    dry_run: bool,
    actor: str,
    options: Options | None = None,
    issuers: frozenset[int] | None = None,
    name: str | None = None,
    approve: Callable[[Job], None] | None = None,
) -> Report:
    """Import a file: bad rows are refused one by one, a bad file changes nothing.

    `name` is that of the file as its sender knows it. `approve` is called inside the transaction, once
    the rows are written and before the file is kept: it leaves nothing of it by raising. Raises
    UnreadableFile when the file can't be read or has none of the known layouts.
    """
    table = read_table(path)
    layout = _layout_of(table, importer, path.name)
    report = Report(file=name or path.name, dry_run=dry_run)
    asked = {option.name: option.default for option in importer.options} | dict(options or {})
    job = Job(report, asked, actor, issuers)
    records = _unique(_parse_all(layout, table, job, importer.key_column), importer, job)
    with transaction.atomic(), history.because(f"import {job.record} ({actor})"):
        _wait_for_other_imports()
        importer.apply(records, job)
        own, report.flagged = report.flagged, []
        for remark in REMARKS.get(importer.name, []):
            remark(job)
        # What agreements and titres suffer comes first: the rest may be hundreds of lines.
        report.flagged = _in_order(report.flagged) + _in_order(own)
        report.refused = _in_order(report.refused)
        if approve:
            approve(job)
        if dry_run:
            transaction.set_rollback(True)
        else:
            _keep(importer, path, job)
    return report


def _in_order(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: (finding.line or 0, finding.field))


def _wait_for_other_imports() -> None:
    """Let imports follow one another: SQLite does by itself, its transactions write one at a time."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def _layout_of(table: Table, importer: Importer, name: str) -> Layout:
    """Return the first layout whose columns the file has."""
    lacks = []
    for layout in importer.layouts:
        columns = [layout.canonical(column) for column in table.columns]
        absent = [column for column in layout.columns if column not in columns]
        if not absent:
            twice = [column for column in layout.columns if columns.count(column) > 1]
            if twice:
                raise UnreadableFile(f"Colonne en double dans {name} : {', '.join(twice)}.")
            return layout
        lacks.append(absent)
    raise UnreadableFile(
        f"Colonne absente de {name} : {', '.join(min(lacks, key=len))}. "
        f"Colonnes lues : {', '.join(filter(None, table.columns))}."
    )


def _parse_all(layout: Layout, table: Table, job: Job, key_column: str) -> list[Any]:
    records = []
    names = {column: layout.canonical(column) for column in table.columns}
    for row in table.rows:
        job.report.rows += 1

        def flag(column: str, value: str, message: str, line: int = row.line) -> None:
            job.report.flag(line, column, value, message)

        named = replace(row, values={names[c]: text for c, text in row.values.items()})
        try:
            _refuse_cells_beyond(row)
            record = layout.parse(named, flag, job.options)
        except RowError as error:
            job.refused_keys.add(named.values.get(key_column, ""))
            job.refused_rows.append(named.values)
            job.report.refuse(row.line, error.column, error.value, error.message)
            continue
        if record is None:
            job.report.skipped += 1
        else:
            records.append(record)
    return records


def _refuse_cells_beyond(row: Row) -> None:
    """Refuse a row wider than the header: one separator too many shifts every cell after it."""
    for rank, cell in row.beyond.items():
        message = "Cellule en trop : la ligne compte plus de cellules que l'en-tête de colonnes."
        raise RowError(f"colonne {rank}", cell[:50], message)


def _unique(records: list[Any], importer: Importer, job: Job) -> list[Any]:
    """Refuse every row whose key appears more than once: none of them may silently win."""
    counts = Counter(importer.key(record) for record in records)
    for record in records:
        key = importer.key(record)
        if counts[key] > 1:
            shown = " ".join(map(str, key)) if isinstance(key, tuple) else str(key)
            message = f"Présent {counts[key]} fois dans le fichier : gardez une seule ligne."
            job.report.refuse(record.line, importer.key_column, shown, message)
            job.refused_keys.add(shown)
    return [record for record in records if counts[importer.key(record)] == 1]


def _keep(importer: Importer, path: Path, job: Job) -> None:
    """Keep the file and what became of it, unless the same file was already and changes nothing."""
    report = job.report
    document = store_source(path)
    known = ImportRecord.objects.filter(importer=importer.name, document=document)
    if not report.changes and known.exists():
        return
    record = ImportRecord.objects.create(
        pk=job.record,
        importer=importer.name,
        file_name=report.file[:200],
        document=document,
        options={name: str(value) for name, value in job.options.items() if value not in (None, "")},
        actor=job.actor,
        report=report.to_keep(),
    )
    counts = {name: getattr(report, name) for name in ("rows", "created", "updated", "unchanged")}
    journal.record(
        actor=job.actor,
        action="import",
        target=record,
        summary=f"Import {importer.name} : {report.file}",
        data={**counts, "refused": len(report.refused), "sha256": document.sha256},
    )


def store_source(path: Path) -> StoredDocument:
    """Keep the bytes of a file to import, under a suffix that names a known kind of file."""
    suffix = path.suffix.lower()
    return documents.store(
        path.read_bytes(),
        content_type="application/octet-stream",
        suffix=suffix if suffix in SUFFIXES else "",
    )


def lines_of(path: Path, lines: Iterable[int]) -> tuple[list[str], Iterator[Row]]:
    """Return the titles of a file and its rows of the given numbers, to be given back and mended."""
    wanted = set(lines)
    table = read_table(path)
    return table.titles, (row for row in table.rows if row.line in wanted)
