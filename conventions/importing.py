"""How a row of a take-over becomes an agreement in force for the years it lists."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date

from django.db.models import Model

from conventions.models import Convention, DeliveredUnits, Enrolment, Subscription
from entsvc import school_year
from entsvc.importing import (
    Importer,
    Plan,
    Report,
    RowError,
    checked,
    parse_count,
    parse_date,
    write,
)
from entsvc.tabular import Row
from members import identifiers
from members.models import Member, School
from members.pending import pending_members, pending_schools
from tariffs.models import Schedule

CODE = re.compile(r"[A-Z0-9_-]{1,20}")
BATCH = 1000
FIELDS = ["party", "debtor", "signed_on", "ends_on", "first_year", "last_year", "status"]
ENDS_TOO_EARLY = "La convention prend fin avant d'être signée."


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


@dataclass
class Changes:
    """What a file will write, whatever its number of rows: agreements, then the rows they carry."""

    create: list[Convention] = field(default_factory=list)
    update: list[Convention] = field(default_factory=list)
    enrolments: list[Enrolment] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    units: list[DeliveredUnits] = field(default_factory=list)
    gone: dict[type[Model], list[int]] = field(default_factory=lambda: defaultdict(list))

    def remove(self, rows: Iterable[Model]) -> None:
        """Note rows to delete."""
        for row in rows:
            self.gone[type(row)].append(row.pk)

    def write(self) -> None:
        """Delete, then create and update, in bulk."""
        for model, keys in self.gone.items():
            for start in range(0, len(keys), BATCH):
                model._default_manager.filter(pk__in=keys[start : start + BATCH]).delete()
        write(Plan(self.create, self.update), Convention, FIELDS)
        Enrolment.objects.bulk_create(self.enrolments, batch_size=BATCH)
        Subscription.objects.bulk_create(self.subscriptions, batch_size=BATCH)
        DeliveredUnits.objects.bulk_create(self.units, batch_size=BATCH)


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
        options=_options(values["options"]),
        units=_units(values["unites"]),
    )
    _check_dates(record, values)
    if not record.signed_on:
        flag("date_signature", "", "Date de signature absente : le début ne peut pas être établi.")
    return record


def apply(records: list[Record], report: Report) -> None:
    """Create agreements, or bring the stored ones to what the file says.

    An empty date erases nothing, and what the file has no column for (opening of access, end of an
    enrolment, units of later years) stays.
    """
    kept = _of_known_schedules(records, report)
    schedules = {s.code: s for s in Schedule.objects.filter(code__in={r.schedule for r in kept})}
    schools = pending_schools({uai: r.line for r in kept for uai in r.schools}, report)
    members = pending_members({s: r.line for r in kept for s in (r.party, r.debtor)}, report)
    stored = _stored(schedules)
    changes = Changes()
    for record in kept:
        existing = stored.get((record.schedule, record.reference))
        if existing:
            record = _completed(record, existing)
        if _ends_before_signature(record):
            report.refuse(record.line, "date_fin", f"{record.ends_on}", ENDS_TOO_EARLY)
            continue
        if existing and _snapshot(existing) == _wanted_snapshot(record):
            report.unchanged += 1
            continue
        if existing:
            report.updated += 1
        else:
            report.created += 1
        schedule = schedules[record.schedule]
        _plan(record, existing or Convention(), schedule, members, schools, changes)
    changes.write()


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


def _options(text: str) -> tuple[str, ...]:
    codes = sorted(set(text.upper().split()))
    for code in codes:
        if not CODE.fullmatch(code):
            raise RowError("options", code, "Un code d'option compte au plus vingt caractères.")
    return tuple(codes)


def _units(text: str) -> tuple[tuple[str, int], ...]:
    units = {}
    for item in text.upper().split():
        code, _, quantity = item.partition("=")
        if not CODE.fullmatch(code) or not quantity or code in units:
            raise RowError("unites", item, "Unités attendues sous la forme DEMIJOURNEE=3.")
        units[code] = parse_count("unites", quantity)
    return tuple(sorted(units.items()))


def _check_dates(record: Record, values: dict[str, str]) -> None:
    if record.last_year is not None and record.last_year < record.first_year:
        message = "La dernière année précède la première."
        raise RowError("derniere_annee", values["derniere_annee"], message)
    if _ends_before_signature(record):
        raise RowError("date_fin", values["date_fin"], ENDS_TOO_EARLY)


def _ends_before_signature(record: Record) -> bool:
    return bool(record.signed_on and record.ends_on and record.ends_on < record.signed_on)


def _completed(record: Record, existing: Convention) -> Record:
    """Return the row with the stored dates where it has none."""
    return replace(
        record,
        signed_on=record.signed_on or existing.signed_on,
        ends_on=record.ends_on or existing.ends_on,
    )


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
        tuple(
            sorted(
                (u.code, u.quantity)
                for u in convention.units.all()
                if u.school_year == convention.first_year
            )
        ),
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


def _plan(
    record: Record,
    convention: Convention,
    schedule: Schedule,
    members: dict[str, Member],
    schools: dict[str, School],
    changes: Changes,
) -> None:
    """Bring an agreement to what the file says, in memory, and note the rows it gains and loses."""
    new = convention.pk is None
    moved = not new and convention.first_year != record.first_year
    enrolments, subscriptions, units = _children(convention)
    if moved:  # its rows began with it: they are named again below
        changes.remove(enrolments + subscriptions + units)
        enrolments, subscriptions, units = [], [], []
    convention.schedule = schedule
    convention.reference = record.reference
    convention.party, convention.debtor = members[record.party], members[record.debtor]
    convention.signed_on, convention.ends_on = record.signed_on, record.ends_on
    convention.first_year, convention.last_year = record.first_year, record.last_year
    convention.status = Convention.Status.IN_FORCE
    (changes.create if new else changes.update).append(convention)
    changes.remove(e for e in enrolments if e.school.uai not in record.schools)
    changes.remove(s for s in subscriptions if s.code not in record.options)
    changes.remove(u for u in units if u.school_year == record.first_year)
    enrolled, subscribed = {e.school.uai for e in enrolments}, {s.code for s in subscriptions}
    years = {"convention": convention, "first_year": record.first_year}
    changes.enrolments += [
        Enrolment(school=schools[uai], **years) for uai in record.schools if uai not in enrolled
    ]
    changes.subscriptions += [
        Subscription(code=code, **years) for code in record.options if code not in subscribed
    ]
    changes.units += [
        DeliveredUnits(
            convention=convention, school_year=record.first_year, code=code, quantity=quantity
        )
        for code, quantity in record.units
    ]


def _children(
    convention: Convention,
) -> tuple[list[Enrolment], list[Subscription], list[DeliveredUnits]]:
    """Return the rows that a stored agreement carries, as `_stored` read them."""
    if convention.pk is None:
        return [], [], []
    return (
        list(convention.enrolments.all()),
        list(convention.subscriptions.all()),
        list(convention.units.all()),
    )
