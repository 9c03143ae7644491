"""What importing counts does: which rows are kept, what they replace, what staff should look at."""

from collections import defaultdict
from collections.abc import Iterable

from entsvc import school_year
from entsvc.changes import in_batches
from entsvc.french import plural
from entsvc.importing import Importer, Job, Option, Report, register
from entsvc.tabular import UnreadableFile
from members import counts
from members.importers import count_rows, official_counts
from members.importers.count_rows import Record
from members.models import Headcount, HeadcountSource, School, Usage
from members.pending import pending_schools


def apply(records: list[Record], job: Job) -> None:
    """Record the headcount and the usage of each school, year and source.

    A row without any number leaves everything as it is, and makes no pending school. What changed is
    noted for the rooms above: `headcounts` and `usages`, as {(UAI, school year): line}.
    Raises UnreadableFile when the source that an official file stands for was never loaded.
    """
    report = job.report
    sources = HeadcountSource.objects.in_bulk()
    kept = _of_known_sources(records, sources, report)
    kept = _with_a_number(kept, report)
    if job.options["known_only"]:
        kept = _of_known_schools(kept, report)
    kept = _within_counts(kept, sources, report)
    schools = pending_schools({record.uai: record.line for record in kept}, report)
    _flag_other_degrees(kept, schools, report)
    heads = _keep(Headcount, kept, schools, job)
    usages = _keep(Usage, kept, schools, job)
    _tally(kept, schools, heads, usages, report)
    _note(job, kept, schools, heads, usages)
    _flag_counts_below_usage(job)


IMPORTER = register(
    Importer(
        name="effectifs",
        title="Effectifs et usages",
        layouts=(*count_rows.LAYOUTS, *official_counts.LAYOUTS),
        key=lambda record: (record.uai, school_year.label(record.year), record.source),
        key_column="uai",
        apply=apply,
        permissions=("members.add_headcount", "members.add_usage"),
        options=(
            Option(
                name="school_year",
                flag="--school-year",
                label="Année scolaire",
                help="Comme 2024-2025 : les lignes d'une autre année sont laissées de côté. Obligatoire "
                "pour la colonne de l'annuaire, qui ne dit pas la sienne.",
                parse=school_year.parse,
            ),
            Option(
                name="known_only",
                flag="--known-only",
                label="Écoles connues seulement",
                help="Laisse de côté les écoles que l'annuaire importé ne connaît pas, au lieu de les "
                "créer à compléter : utile avec un fichier national.",
                parse=bool,
                default=False,
            ),
        ),
    )
)


def _of_known_sources(
    records: list[Record], sources: dict[str, HeadcountSource], report: Report
) -> list[Record]:
    for record in records:
        if record.source in sources:
            continue
        if record.official:
            raise UnreadableFile(
                f"La source d'effectifs {record.source} n'existe pas encore : "
                "chargez les sources fournies (load_regimes) ou créez-la."
            )
        message = f"Source inconnue ; sources possibles : {', '.join(sorted(sources))}."
        report.refuse(record.line, "source", record.source, message)
    return [record for record in records if record.source in sources]


def _with_a_number(records: list[Record], report: Report) -> list[Record]:
    """Leave blank rows aside; those of official files are thousands, and told in one remark."""
    kept = [record for record in records if not record.is_blank]
    report.unchanged += len(records) - len(kept)
    blank = sum(record.official for record in records) - sum(record.official for record in kept)
    if blank:
        message = f"{plural(blank, 'ligne')} sans effectif : une case vide n'efface rien."
        report.flag(None, "eleves", "", message)
    return kept


def _of_known_schools(records: list[Record], report: Report) -> list[Record]:
    known: set[str] = set()
    for batch in in_batches({record.uai for record in records}):
        known.update(counts.by_uai(batch).values_list("uai", flat=True))
    report.skipped += sum(record.uai not in known for record in records)
    return [record for record in records if record.uai in known]


def _within_counts(
    records: list[Record], sources: dict[str, HeadcountSource], report: Report
) -> list[Record]:
    """Refuse the usages above the pupils that will be retained, stored ones and this file's together.

    A usage above a mere approximation is taken and flagged: it is the approximation that may be wrong.
    """
    used = {(record.uai, record.year) for record in records if record.active_pupils is not None}
    if not used:
        return records
    held = _held(Headcount, used)
    for record in records:
        if record.pupils is not None and (record.uai, record.year) in used:
            source = sources[record.source]
            held.setdefault((record.uai, record.year), {})[record.source] = counts.Known(
                record.pupils, source.code, source.billable, source.rank
            )
    kept = []
    for record in records:
        known = held.get((record.uai, record.year)) if record.active_pupils is not None else None
        count = counts.preferred(known.values()) if known else None
        problem = count and counts.usage_above(record.active_pupils, count)
        if problem and count.billable:
            report.refuse(record.line, "eleves_actifs", str(record.active_pupils), problem)
            continue
        if problem:
            report.flag(record.line, "eleves_actifs", str(record.active_pupils), problem)
        kept.append(record)
    return kept


def _held(
    model: type[counts.Count], wanted: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], dict[str, counts.Known]]:
    """Return {(UAI, year): {source: the count that holds}}, some schools of a year at a time."""
    by_year: dict[int, set[str]] = defaultdict(set)
    for uai, year in wanted:
        by_year[year].add(uai)
    return {
        (uai, year): known
        for year, uais in by_year.items()
        for batch in in_batches(uais)
        for uai, known in counts.held(model, year, counts.by_uai(batch)).items()
    }


def _flag_other_degrees(records: list[Record], schools: dict[str, School], report: Report) -> None:
    """Flag, in a file of collèges, the lycées that it holds for a few pupils."""
    for record in records:
        degree = (schools[record.uai].degree or record.degree) if record.degree else ""
        if degree not in ("", School.Degree.COLLEGE):
            label = School.Degree(degree).label
            message = f"{label} : ce nombre ne compte que ses élèves de collège."
            report.flag(record.line, "numero_college", record.uai, message)


def _keep(
    model: type[counts.Count], records: list[Record], schools: dict[str, School], job: Job
) -> counts.Kept:
    column = counts.VALUE[model]
    return counts.keep(
        model,
        (
            model(
                school_id=schools[record.uai].pk,
                school_year=record.year,
                source_id=record.source,
                imported_id=job.record,
                line=record.line,
                recorded_by=job.actor,
                **{column: getattr(record, column)},
            )
            for record in records
            if getattr(record, column) is not None
        ),
    )


def _tally(
    records: list[Record],
    schools: dict[str, School],
    heads: counts.Kept,
    usages: counts.Kept,
    report: Report,
) -> None:
    """Count each row once: created with its headcount, updated as soon as anything changes."""
    created, first_usages = (set(map(counts.key, kept.created)) for kept in (heads, usages))
    changed = {counts.key(new) for _, new in heads.replaced + usages.replaced} | first_usages
    for record in records:
        key = (schools[record.uai].pk, record.year, record.source)
        if key in created or (record.pupils is None and key in first_usages):
            report.created += 1
        elif key in changed:
            report.updated += 1
        else:
            report.unchanged += 1


def _note(
    job: Job,
    records: list[Record],
    schools: dict[str, School],
    heads: counts.Kept,
    usages: counts.Kept,
) -> None:
    uais = {schools[record.uai].pk: record.uai for record in records}
    for name, kept in (("headcounts", heads), ("usages", usages)):
        news = kept.created + [new for _, new in kept.replaced]
        job.noted[name] = {(uais[new.school_id], new.school_year): new.line for new in news}


def _flag_counts_below_usage(job: Job) -> None:
    """Flag the new counts that fall below an usage already known: taken, and one of the two is wrong."""
    lines = job.noted["headcounts"]
    usages = _held(Usage, lines)
    heads = _held(Headcount, usages)
    for key, known in usages.items():
        usage, head = counts.preferred(known.values()), counts.preferred(heads[key].values())
        problem = counts.count_below(head, usage)
        if problem:
            job.report.flag(lines[key], "eleves", key[0], problem)
