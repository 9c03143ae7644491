"""How a row of a take-over becomes an agreement in force for the years it lists."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from conventions.models import Convention, DeliveredUnits, Enrolment, Subscription
from entsvc import school_year
from entsvc.importing import Importer, Report, RowError, checked, parse_date
from entsvc.tabular import Row
from members import identifiers
from members.models import Member, School
from members.pending import pending_members, pending_schools
from tariffs.models import Schedule


@dataclass(frozen=True)
class Record:
    """A checked row; its schedule is checked against the database when applied."""

    line: int
    party: str
    debtor: str
    schedule: str
    reference: str
    signed_on: date | None
    ends_on: date | None
    first_year: int
    last_year: int | None
    schools: tuple[str, ...]
    options: tuple[str, ...]
    units: tuple[tuple[str, int], ...]


def parse(row: Row, flag: Callable[[str, str, str], None]) -> Record:
    """Read an agreement; raise RowError for what can't be kept."""
    values = row.values
    if not values["reference"]:
        raise RowError("reference", "", "La référence est obligatoire.")
    party = checked("siret_membre", values["siret_membre"], identifiers.check_siret)
    debtor = values.get("siret_debiteur", "")
    last = values["derniere_annee"]
    record = Record(
        line=row.line,
        party=party,
        debtor=checked("siret_debiteur", debtor, identifiers.check_siret) if debtor else party,
        schedule=values["bareme"].upper(),
        reference=values["reference"][:50],
        signed_on=parse_date("date_signature", values["date_signature"]),
        ends_on=parse_date("date_fin", values["date_fin"]),
        first_year=checked("premiere_annee", values["premiere_annee"], school_year.parse),
        last_year=checked("derniere_annee", last, school_year.parse) if last else None,
        schools=_schools(values["ecoles"]),
        options=tuple(sorted(set(values["options"].upper().split()))),
        units=_units(values["unites"]),
    )
    _check_dates(record, values)
    if not record.signed_on:
        flag("date_signature", "", "Date de signature absente : le début ne peut pas être établi.")
    return record


def apply(records: list[Record], report: Report) -> None:
    """Create agreements, or bring the stored ones to what the file says."""
    kept = _of_known_schedules(records, report)
    schedules = {s.code: s for s in Schedule.objects.filter(code__in={r.schedule for r in kept})}
    schools = pending_schools({uai: r.line for r in kept for uai in r.schools}, report)
    members = pending_members({s: r.line for r in kept for s in (r.party, r.debtor)}, report)
    stored = _stored(schedules)
    for record in kept:
        existing = stored.get((record.schedule, record.reference))
        if existing and _snapshot(existing) == _wanted_snapshot(record):
            report.unchanged += 1
            continue
        if existing:
            report.updated += 1
        else:
            report.created += 1
        _save(record, existing or Convention(), schedules[record.schedule], members, schools)


IMPORTER = Importer(
    name="conventions",
    columns=(
        "siret_membre",
        "bareme",
        "reference",
        "date_signature",
        "premiere_annee",
        "derniere_annee",
        "date_fin",
        "ecoles",
        "options",
        "unites",
    ),
    aliases={},
    parse=parse,
    key=lambda record: (record.schedule, record.reference),
    key_column="reference",
    apply=apply,
)


def _schools(text: str) -> tuple[str, ...]:
    codes = [checked("ecoles", code, identifiers.check_uai) for code in text.split()]
    twice = sorted({code for code in codes if codes.count(code) > 1})
    if twice:
        raise RowError("ecoles", " ".join(twice), "École inscrite deux fois dans la convention.")
    return tuple(sorted(codes))


def _units(text: str) -> tuple[tuple[str, int], ...]:
    units = {}
    for item in text.upper().split():
        match = re.fullmatch(r"([A-Z0-9_-]+)=(\d+)", item)
        if not match or match[1] in units:
            raise RowError("unites", item, "Unités attendues sous la forme DEMIJOURNEE=3.")
        units[match[1]] = int(match[2])
    return tuple(sorted(units.items()))


def _check_dates(record: Record, values: dict[str, str]) -> None:
    if record.last_year is not None and record.last_year < record.first_year:
        message = "La dernière année précède la première."
        raise RowError("derniere_annee", values["derniere_annee"], message)
    if record.signed_on and record.ends_on and record.ends_on < record.signed_on:
        message = "La convention prend fin avant d'être signée."
        raise RowError("date_fin", values["date_fin"], message)


def _of_known_schedules(records: list[Record], report: Report) -> list[Record]:
    known = set(Schedule.objects.order_by("code").values_list("code", flat=True))
    for record in records:
        if record.schedule not in known:
            message = f"Barème inconnu ; barèmes possibles : {', '.join(sorted(known))}."
            report.refuse(record.line, "bareme", record.schedule, message)
    return [record for record in records if record.schedule in known]


def _stored(schedules: dict[str, Schedule]) -> dict[tuple[str, str], Convention]:
    rows = (
        Convention.objects.filter(schedule__in=schedules.values())
        .select_related("schedule", "party", "debtor")
        .prefetch_related("enrolments__school", "subscriptions", "units")
    )
    return {(row.schedule.code, row.reference): row for row in rows}


def _snapshot(convention: Convention) -> tuple:
    """Return what a file can say of a stored agreement, to compare with what it says."""
    return (
        convention.party.siret,
        convention.debtor.siret,
        convention.signed_on,
        convention.ends_on,
        (convention.first_year, convention.last_year),
        tuple(sorted(e.school.uai for e in convention.enrolments.all())),
        tuple(sorted(s.code for s in convention.subscriptions.all())),
        tuple(sorted((u.code, u.quantity) for u in convention.units.all())),
        convention.status,
    )


def _wanted_snapshot(record: Record) -> tuple:
    return (
        record.party,
        record.debtor,
        record.signed_on,
        record.ends_on,
        (record.first_year, record.last_year),
        record.schools,
        record.options,
        record.units,
        Convention.Status.IN_FORCE,
    )


def _save(
    record: Record,
    convention: Convention,
    schedule: Schedule,
    members: dict[str, Member],
    schools: dict[str, School],
) -> None:
    convention.schedule = schedule
    convention.reference = record.reference
    convention.party, convention.debtor = members[record.party], members[record.debtor]
    convention.signed_on, convention.ends_on = record.signed_on, record.ends_on
    convention.first_year, convention.last_year = record.first_year, record.last_year
    convention.status = Convention.Status.IN_FORCE
    convention.save()
    for children in (convention.enrolments, convention.subscriptions, convention.units):
        children.all().delete()
    years = {"convention": convention, "first_year": record.first_year}
    Enrolment.objects.bulk_create([Enrolment(school=schools[uai], **years) for uai in record.schools])
    Subscription.objects.bulk_create([Subscription(code=code, **years) for code in record.options])
    DeliveredUnits.objects.bulk_create(
        [
            DeliveredUnits(
                convention=convention, school_year=record.first_year, code=code, quantity=quantity
            )
            for code, quantity in record.units
        ]
    )
