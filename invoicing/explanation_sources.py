"""What the rows of today add to the explanation of a line: imports, acts, agreements, decisions.

The amount rests on the frozen basis alone. These rows are looked up to be opened, and to say what
changed since; one that can't be found is said to be so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from conventions.assessment import covering
from conventions.models import Amendment, Convention, Enrolment
from entsvc import documents, school_year, tabular, uploads
from entsvc.changes import in_batches
from entsvc.importing import lines_of
from entsvc.models import ImportRecord
from invoicing.explanation import Counted, Decided, Explanation
from invoicing.models import Adjustment, DecidedDeduction, Run, Titre, YearPool
from members import counts
from members.models import Headcount, School, Usage
from tariffs import engine
from tariffs.models import Adoption

MODELS = {engine.PUPILS: Headcount, engine.ACTIVE_PUPILS: Usage}
LARGEST_READ = 5 * 1024**2  # bytes of a file that is opened again to show one of its rows
MOST_CELLS = 60


@dataclass(frozen=True)
class CountSource:
    """A count that a line rests on, with the row that gave it; `row` is None when it is not found.

    `current` is the number retained today; `is_changed` tells that it is no longer the frozen one.
    """

    counted: Counted
    row: Headcount | Usage | None
    school: School | None
    current: counts.Known | None

    @property
    def is_read(self) -> bool:
        """Tell a number of pupils, that some row gave, from a school that counts for one."""
        return self.counted.metric in MODELS

    @property
    def is_changed(self) -> bool:
        """Tell whether a calculation of today would read another number, or none."""
        if not self.is_read:
            return False
        return self.current is None or self.current.number != self.counted.number


@dataclass(frozen=True)
class AgreementSource:
    """An agreement as frozen, with its row of today, the amendments that count, and the enrolment."""

    frozen: engine.Agreement
    row: Convention | None
    amendments: Sequence[Amendment]
    enrolments: Sequence[Enrolment]

    @property
    def first_label(self) -> str:
        """Return the first school year of its row, 2024-2025."""
        return school_year.label(self.row.first_year) if self.row else ""

    @property
    def last_label(self) -> str:
        """Return the last one, empty while it is open."""
        return school_year.label(self.row.last_year) if self.row and self.row.last_year else ""

    @property
    def title_changed(self) -> bool:
        """Tell whether documents would name it otherwise today."""
        return self.row is not None and self.row.title != self.frozen.title


@dataclass(frozen=True)
class FileRow:
    """A row of an imported file, as it was written: (column, cell)."""

    line: int
    cells: tuple[tuple[str, str], ...]


def count_sources(run: Run, counted: Iterable[Counted]) -> list[CountSource]:
    """Return each count with the row that held when the run was made, in a few queries."""
    counted = list(counted)
    uais = sorted({item.uai for item in counted})
    year = run.campaign.school_year
    schools: dict[str, School] = {}
    for batch in in_batches(uais):
        schools |= {school.uai: school for school in counts.by_uai(batch)}
    rows = {metric: _rows_by_key(model, year, uais) for metric, model in _read(counted)}
    current = {
        metric: {
            uai: known
            for batch in in_batches(uais)
            for uai, known in counts.retained(model, year, counts.by_uai(batch)).items()
        }
        for metric, model in _read(counted)
    }
    return [
        CountSource(
            item,
            _held(rows.get(item.metric, {}).get((item.uai, item.source), ()), item, run.computed_at),
            schools.get(item.uai),
            current.get(item.metric, {}).get(item.uai),
        )
        for item in counted
    ]


def file_row(row: Headcount | Usage, user: Any) -> FileRow | None:
    """Return the row of the imported file that gave a count, for an account that may read that file.

    None for a count typed by hand, and for a file that is too large or can't be read any more.
    """
    if row.imported_id is None or row.line is None:
        return None
    records = ImportRecord.objects.select_related("document")
    record = uploads.readable_by(user, records).filter(pk=row.imported_id).first()
    if record is None or record.document.size > LARGEST_READ:
        return None
    try:
        with uploads.file_of(record.document, record.file_name) as path:
            titles, found = lines_of(path, [row.line])
            line = next(found, None)
    except (documents.CorruptDocument, tabular.UnreadableFile, OSError):
        return None
    if line is None:
        return None
    columns = {tabular.normalise(title): title for title in titles}
    cells = [(columns.get(name, name), value) for name, value in line.values.items() if value]
    return FileRow(line.line, tuple(cells[:MOST_CELLS]))


def adoption_of(run: Run) -> Adoption | None:
    """Return the adoption that the run applied, None for a quote."""
    rows = Adoption.objects.select_related("version__schedule", "act__issuer")
    return rows.filter(pk=run.adoption_id).first()


def agreement_sources(run: Run, explanation: Explanation, uai: str) -> list[AgreementSource]:
    """Return the agreements of a line with their rows of today, in three queries."""
    schedule, year = run.campaign.schedule, run.campaign.school_year
    references = [agreement.reference for agreement in explanation.agreements]
    rows = Convention.objects.filter(schedule=schedule, reference__in=references)
    rows = rows.select_related("party", "debtor", "act", "committee_act", "conditions")
    held = {row.reference: row for row in rows.order_by("pk")}
    keys = [row.pk for row in held.values()]
    amendments = Amendment.objects.filter(
        convention__in=keys, status=Amendment.Status.ACCEPTED, school_year__lte=year
    )
    enrolments = Enrolment.objects.filter(covering(year), convention__in=keys, school__uai=uai)
    enrolments = enrolments.select_related("amendment", "school")
    by_agreement = [
        (list(amendments.select_related("act").order_by("number", "pk")), "amendments"),
        (list(enrolments.order_by("first_year", "pk")) if uai else [], "enrolments"),
    ]
    return [
        AgreementSource(
            frozen=agreement,
            row=held.get(agreement.reference),
            **{
                name: [item for item in items if _is_of(item, held.get(agreement.reference))]
                for items, name in by_agreement
            },
        )
        for agreement in explanation.agreements
    ]


def titres_called(run: Run, explanation: Explanation) -> dict[str, Titre]:
    """Return, by reference, the titres that ask already for a part of a line."""
    references = {called.titre for called in explanation.called if called.titre}
    issuer = run.campaign.schedule.issuer_id
    titres = Titre.objects.filter(issuer=issuer, reference__in=references).defer("payload")
    return {titre.reference: titre for titre in titres.order_by("pk")}


def decision_row(
    run: Run, debtor: int, line: Any, decided: Decided | None
) -> DecidedDeduction | Adjustment | None:
    """Return the decision of today that a deduction or an adjustment comes from, None if it is gone."""
    if decided is None:
        return None
    model = DecidedDeduction if line.charge == engine.DEDUCTION else Adjustment
    rows = model.objects.filter(
        schedule=run.campaign.schedule_id,
        school_year=run.campaign.school_year,
        debtor=debtor,
        label=decided.label,
        amount=decided.amount,
    )
    return rows.order_by("pk").first()


def pool_row(run: Run, charge: engine.Charge | None) -> YearPool | None:
    """Return the pool of the year as typed, None where a statement or the tariff gives it."""
    if charge is None or charge.model != engine.ALLOCATION or not charge.pool_reference:
        return None
    campaign = run.campaign
    rows = YearPool.objects.filter(
        schedule=campaign.schedule_id, school_year=campaign.school_year, charge=charge.code
    )
    return rows.order_by("pk").first()


def observed(run: Run) -> str:
    """Return the year whose counts the run reads, 2024-2025."""
    return school_year.label(run.campaign.school_year)


def _read(counted: Iterable[Counted]) -> list[tuple[str, type]]:
    metrics = {item.metric for item in counted}
    return [(metric, model) for metric, model in MODELS.items() if metric in metrics]


def _rows_by_key(model: type, year: int, uais: list[str]) -> dict[tuple[str, str], list]:
    """Return {(UAI, source): rows, the latest first}, with the import of each."""
    found: dict[tuple[str, str], list] = {}
    for batch in in_batches(uais):
        rows: QuerySet = model.objects.filter(school_year=year, school__uai__in=list(batch))
        rows = rows.select_related("school", "source", "imported__document")
        for row in rows.defer("imported__report").order_by("-recorded_at", "-pk"):
            found.setdefault((row.school.uai, row.source_id), []).append(row)
    return found


def _held(rows: Iterable, item: Counted, at: datetime) -> Any:
    """Return the row that held at that moment and says the number that was read, else None."""
    for row in rows:
        known = row.recorded_at <= at and (row.superseded_at is None or row.superseded_at > at)
        if known and counts.value(row) == item.number:
            return row
    return None


def _is_of(item: Any, convention: Convention | None) -> bool:
    return convention is not None and item.convention_id == convention.pk
