"""How a row of counts becomes the headcount and the usage of a school for a school year."""

from collections.abc import Callable
from dataclasses import dataclass

from entsvc import school_year
from entsvc.importing import (
    Importer,
    Plan,
    Report,
    RowError,
    checked,
    parse_count,
    plan_changes,
    write,
)
from entsvc.tabular import Row
from members import identifiers
from members.models import Headcount, HeadcountSource, School, Usage
from members.pending import pending_schools

KEY = ("school_id", "school_year", "source_id")


@dataclass(frozen=True)
class Record:
    """A checked row; `source` is checked against the database when applied."""

    line: int
    uai: str
    year: int
    pupils: int | None
    active_pupils: int | None
    source: str


def parse(row: Row, flag: Callable[[str, str, str], None]) -> Record:
    """Read the counts of a school; raise RowError for what can't be kept."""
    values = row.values
    record = Record(
        line=row.line,
        uai=checked("uai", values["uai"], identifiers.check_uai),
        year=checked("annee_scolaire", values["annee_scolaire"], school_year.parse),
        pupils=parse_count("eleves", values["eleves"]),
        active_pupils=parse_count("eleves_actifs", values.get("eleves_actifs", "")),
        source=values["source"].upper(),
    )
    if None not in (record.pupils, record.active_pupils) and record.active_pupils > record.pupils:
        message = f"Plus d'élèves actifs que d'élèves ({record.pupils})."
        raise RowError("eleves_actifs", str(record.active_pupils), message)
    if _is_blank(record):
        flag("eleves", "", "Aucun effectif : une case vide n'efface rien.")
    return record


def apply(records: list[Record], report: Report) -> None:
    """Record the headcount and the usage of each school, year and source.

    A row without any count leaves everything as it is, and makes no pending school.
    """
    known = _of_known_sources(records, report)
    kept = [record for record in known if not _is_blank(record)]
    report.unchanged += len(known) - len(kept)
    schools = pending_schools({record.uai: record.line for record in kept}, report)
    heads = plan_changes(
        Headcount,
        KEY,
        (_row(Headcount, r, schools, pupils=r.pupils) for r in kept if r.pupils is not None),
        ["pupils"],
    )
    usages = plan_changes(
        Usage,
        KEY,
        (
            _row(Usage, r, schools, active_pupils=r.active_pupils)
            for r in kept
            if r.active_pupils is not None
        ),
        ["active_pupils"],
    )
    _count(kept, schools, heads, usages, report)
    write(heads, Headcount, ["pupils"])
    write(usages, Usage, ["active_pupils"])


IMPORTER = Importer(
    name="effectifs",
    columns=("uai", "annee_scolaire", "eleves", "source"),
    aliases={},
    parse=parse,
    key=lambda record: (record.uai, school_year.label(record.year), record.source),
    key_column="uai",
    apply=apply,
)


def _is_blank(record: Record) -> bool:
    return record.pupils is None and record.active_pupils is None


def _of_known_sources(records: list[Record], report: Report) -> list[Record]:
    known = set(HeadcountSource.objects.order_by("pk").values_list("code", flat=True))
    for record in records:
        if record.source not in known:
            message = f"Source inconnue ; sources possibles : {', '.join(sorted(known))}."
            report.refuse(record.line, "source", record.source, message)
    return [record for record in records if record.source in known]


def _row(
    model: type[Headcount] | type[Usage], record: Record, schools: dict[str, School], **values: int
) -> Headcount | Usage:
    return model(
        school_id=schools[record.uai].pk,
        school_year=record.year,
        source_id=record.source,
        **values,
    )


def _count(
    records: list[Record], schools: dict[str, School], heads: Plan, usages: Plan, report: Report
) -> None:
    """Count each row once: created with its headcount, updated as soon as anything changes."""

    def keys(rows: list) -> set[tuple]:
        return {tuple(getattr(row, name) for name in KEY) for row in rows}

    created, first_usages = keys(heads.create), keys(usages.create)
    changed = keys(heads.update + usages.update) | first_usages
    for record in records:
        key = (schools[record.uai].pk, record.year, record.source)
        if key in created or (record.pupils is None and key in first_usages):
            report.created += 1
        elif key in changed:
            report.updated += 1
        else:
            report.unchanged += 1
