"""How a row of a take-over becomes an agreement in force for the years it lists."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field, replace

from django.db.models import Exists, Model, OuterRef, Prefetch, QuerySet
from django.db.models.base import ModelState

from conventions import life, states
from conventions.import_rows import ENDS_TOO_EARLY, Record, parse
from conventions.models import Amendment, Convention, DeliveredUnits, Delivery, Enrolment, Subscription
from conventions.policies import GATING, bills, years_beyond
from conventions.spellings import Spellings
from conventions.who_pays import SEVERAL_ISSUERS, only_of_an_issuer
from entsvc import history, school_year
from entsvc.changes import Plan, write
from entsvc.importing import Importer, Job, Layout, Report, register
from members.models import Member, School
from members.pending import pending_members, pending_schools
from tariffs.models import Charge, Schedule

FIELDS = ["party", "debtor", "signed_on", "ends_on", "first_year", "last_year", "status", "policy"]
# The states that a file of agreements in force may find; it puts a draft in force, and reopens nothing.
OPEN = (states.DRAFT, states.IN_FORCE)
AMENDED = "Cette convention a des avenants : sa liste d'écoles ne change que par un avenant."
DELIVERED = (
    "Des prestations datées sont enregistrées pour cette convention : un total ne les remplace pas."
)
SUCCEEDED = (
    "La convention {reference} prend la suite de celle-ci : ses années, sa fin, son signataire et son "
    "payeur ne changent plus par un fichier. Passez par sa fiche."
)


@dataclass
class Changes:
    """What a file will write, whatever its number of rows: agreements, then the rows they carry."""

    create: list[Convention] = field(default_factory=list)
    update: list[Convention] = field(default_factory=list)
    enrolments: list[Enrolment] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    units: list[DeliveredUnits] = field(default_factory=list)
    gone: dict[type[Model], list[Model]] = field(default_factory=lambda: defaultdict(list))
    put_in_force: list[tuple[Convention, str]] = field(default_factory=list)

    def remove(self, rows: Iterable[Model]) -> None:
        """Note rows to delete."""
        for row in rows:
            self.gone[type(row)].append(row)

    def write(self, reason: str, actor: str) -> None:
        """Delete, then create and update, in bulk; `reason` goes to the history and to the log."""
        for rows in self.gone.values():
            history.delete(rows, reason)
        write(Plan(self.create, self.update), Convention, FIELDS, reason)
        for model, rows in (
            (Enrolment, self.enrolments),
            (Subscription, self.subscriptions),
            (DeliveredUnits, self.units),
        ):
            write(Plan(create=rows), model, [], reason)
        life.log_taken_over(self.put_in_force, actor=actor, comment=reason)


def apply(records: list[Record], job: Job) -> None:
    """Create agreements, or bring the stored ones to what the file says.

    What the file does not say stays: an empty cell (but that of the last year, which opens the
    agreement), and what it has no column for (opening of access, end of an enrolment, units of later
    years). A debtor or a list of schools that it does change is flagged.
    """
    report = job.report
    kept = _of_known_schedules(records, job)
    schedules = {s.code: s for s in Schedule.objects.filter(code__in={r.schedule for r in kept})}
    stored = _stored(schedules)
    kept = list(_completed(_of_known_codes(kept, schedules), stored, report))
    schools = pending_schools({uai: r.line for r in kept for uai in r.schools}, report)
    members = pending_members({s: r.line for r in kept for s in (r.party, r.debtor)}, report)
    changes = Changes()
    for record in kept:
        existing = stored.get((record.schedule, record.reference))
        if existing and _snapshot(existing) == _wanted_snapshot(record, existing):
            report.unchanged += 1
            continue
        if existing:
            report.updated += 1
        else:
            report.created += 1
        schedule = schedules[record.schedule]
        _plan(record, existing or Convention(), schedule, members, schools, changes)
    changes.write(f"import {job.record} ({job.actor})", job.actor)


IMPORTER = register(
    Importer(
        name="conventions",
        title="Conventions déjà signées",
        layouts=(
            Layout(
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
                parse=parse,
            ),
        ),
        key=lambda record: (record.schedule.upper(), record.reference),
        key_column="reference",
        apply=apply,
        permissions=("conventions.add_convention", "conventions.change_convention"),
        shared=False,
    )
)


def _of_known_schedules(records: list[Record], job: Job) -> list[Record]:
    """Leave the rows whose schedule is known, and is one of the account's issuers'."""
    schedules = Schedule.objects.order_by("code")
    if job.issuers is not None:
        schedules = schedules.filter(issuer__in=job.issuers)
    unbilled = _schedules_of_unbilled(records, schedules)
    known = [schedule.code for schedule in schedules]
    spellings = Spellings()
    for code in known:
        spellings.add(code)
    kept = []
    for record in records:
        named = record.schedule or unbilled.get(record.reference, "")
        record = replace(record, schedule=spellings.find(named))
        if record.schedule in known:
            kept.append(record)
        elif not named and not bills(record.policy):
            job.report.refuse(record.line, "bareme", "", SEVERAL_ISSUERS)
        else:
            message = f"Barème inconnu ; barèmes possibles : {', '.join(sorted(known))}."
            job.report.refuse(record.line, "bareme", record.schedule, message)
    return kept


def _schedules_of_unbilled(records: list[Record], schedules: QuerySet[Schedule]) -> dict[str, str]:
    """Return {reference: schedule} of the agreements that bill nothing and come without one.

    That of the stored agreement, else the first where all those possible are of one issuer.
    """
    without = {r.reference for r in records if not r.schedule and not bills(r.policy)}
    if not without:
        return {}
    stored = Convention.objects.filter(
        schedule__in=schedules.order_by(), reference__in=without, policy__in=GATING
    )
    found = dict(stored.order_by("-pk").values_list("reference", "schedule__code"))
    only = only_of_an_issuer(schedules)
    return {reference: only.code for reference in without if only} | found


def _of_known_codes(records: list[Record], schedules: dict[str, Schedule]) -> Iterator[Record]:
    """Spell options and units as the versions of the schedule do, the newest first."""
    options: dict[str, Spellings] = defaultdict(Spellings)
    units: dict[str, Spellings] = defaultdict(Spellings)
    charges = Charge.objects.filter(version__schedule__in=schedules.values()).order_by("version", "code")
    for schedule, code, option in charges.values_list("version__schedule__code", "code", "subscription"):
        units[schedule].add(code)
        if option:
            options[schedule].add(option)
    for record in records:
        option, unit = options[record.schedule], units[record.schedule]
        yield replace(
            record,
            options=tuple(sorted({option.find(code) for code in record.options})),
            units=tuple(sorted((unit.find(code), quantity) for code, quantity in record.units)),
        )


def _completed(
    records: Iterable[Record], stored: dict[tuple[str, str], Convention], report: Report
) -> Iterator[Record]:
    """Give each row what is stored where it says nothing, and flag what it changes of weight."""
    for record in records:
        existing = stored.get((record.schedule, record.reference))
        told, record = record, _with_stored(record, existing)
        if existing and _is_closed(told, existing, report):
            continue
        if record.ends_before_signature:
            report.refuse(record.line, "date_fin", f"{record.ends_on}", ENDS_TOO_EARLY)
            continue
        beyond = years_beyond(record.policy, record.first_year, record.last_year)
        if beyond:
            report.refuse(record.line, "derniere_annee", f"{record.last_year or ''}", beyond)
            continue
        if existing:
            _flag_changes(told, existing, report)
        yield record


def _is_closed(told: Record, existing: Convention, report: Report) -> bool:
    """Refuse a row that would undo a step of the life of an agreement, or the work of its amendments."""
    if existing.status not in OPEN:
        report.refuse(
            told.line,
            "reference",
            told.reference,
            f"Cette convention est « {existing.get_status_display()} » : un fichier ne la remet pas en "
            "vigueur. Passez par sa fiche.",
        )
        return True
    if existing.amended and told.schools and told.schools != _schools_of(existing):
        report.refuse(told.line, "ecoles", " ".join(told.schools), AMENDED)
        return True
    if existing.delivered and told.units and told.units != _units_of(existing):
        units = " ".join(f"{code}={quantity}" for code, quantity in told.units)
        report.refuse(told.line, "unites", units, DELIVERED)
        return True
    undone = _undone(told, existing)
    if undone:
        report.refuse(told.line, *undone, SUCCEEDED.format(reference=existing.successor.reference))
        return True
    return False


def _undone(told: Record, existing: Convention) -> tuple[str, str] | None:
    """Return the first column that would undo a succession, with its value; None without any."""
    if not hasattr(existing, "successor"):
        return None
    said = {
        "siret_membre": (told.party, existing.party.siret),
        "siret_debiteur": (told.debtor or existing.debtor.siret, existing.debtor.siret),
        "premiere_annee": (_year(told.first_year), _year(existing.first_year)),
        "derniere_annee": (_year(told.last_year), _year(existing.last_year)),
        "date_fin": (f"{told.ends_on or existing.ends_on}", f"{existing.ends_on}"),
    }
    changed = ((column, value) for column, (value, stored) in said.items() if value != stored)
    return next(changed, None)


def _year(year: int | None) -> str:
    return "" if year is None else school_year.label(year)


def _with_stored(record: Record, existing: Convention | None) -> Record:
    if existing is None:
        return replace(record, debtor=record.debtor or record.party)
    return replace(
        record,
        debtor=record.debtor or existing.debtor.siret,
        signed_on=record.signed_on or existing.signed_on,
        ends_on=record.ends_on or existing.ends_on,
        schools=record.schools or _schools_of(existing),
        options=record.options or _options_of(existing),
        policy=record.policy or existing.policy,
    )


def _flag_changes(told: Record, existing: Convention, report: Report) -> None:
    """Flag a change of debtor, one left behind by a change of party, and the schools taken out."""
    old = f"{existing.debtor.name} ({existing.debtor.siret})".lstrip()
    if told.debtor and told.debtor != existing.debtor.siret:
        report.flag(told.line, "siret_debiteur", told.debtor, f"Le payeur change : c'était {old}.")
    elif not told.debtor and told.party != existing.party.siret == existing.debtor.siret:
        message = f"Le signataire change, le payeur reste {old} : donnez son SIRET s'il change aussi."
        report.flag(told.line, "siret_debiteur", "", message)
    gone = sorted(set(_schools_of(existing)) - set(told.schools))
    if told.schools and gone:
        message = f"Écoles retirées de la convention : {', '.join(gone)}."
        report.flag(told.line, "ecoles", " ".join(told.schools), message)


def _stored(schedules: dict[str, Schedule]) -> dict[tuple[str, str], Convention]:
    amendments = Amendment.objects.exclude(status=states.DROPPED)
    rows = (
        Convention.objects.filter(schedule__in=schedules.values())
        .annotate(
            amended=Exists(amendments.filter(convention=OuterRef("pk"))),
            delivered=Exists(Delivery.objects.filter(convention=OuterRef("pk")).order_by()),
        )
        .select_for_update(of=("self",))
        .select_related("schedule", "party", "debtor", "successor")
        # Schools are joined: Django prefetches them by « id = 1 OR id = 2 … », too long for SQLite.
        .prefetch_related(
            Prefetch("enrolments", Enrolment.objects.select_related("school")), "subscriptions", "units"
        )
    )
    return {(row.schedule.code, row.reference): row for row in rows}


def _schools_of(convention: Convention) -> tuple[str, ...]:
    return tuple(sorted({enrolment.school.uai for enrolment in convention.enrolments.all()}))


def _options_of(convention: Convention) -> tuple[str, ...]:
    return tuple(sorted({subscription.code for subscription in convention.subscriptions.all()}))


def _units_of(convention: Convention) -> tuple[tuple[str, int], ...]:
    units = convention.units.all()
    return tuple(sorted((u.code, u.quantity) for u in units if u.school_year == convention.first_year))


def _snapshot(convention: Convention) -> tuple:
    """Return what a file can say of a stored agreement, to compare with what it says."""
    return (
        convention.party.siret,
        convention.debtor.siret,
        convention.signed_on,
        convention.ends_on,
        (convention.first_year, convention.last_year),
        _schools_of(convention),
        _options_of(convention),
        _units_of(convention),
        convention.policy,
        convention.status,
    )


def _wanted_snapshot(record: Record, existing: Convention) -> tuple:
    return (
        record.party,
        record.debtor,
        record.signed_on,
        record.ends_on,
        (record.first_year, record.last_year),
        record.schools,
        record.options,
        record.units or _units_of(existing),
        record.policy,
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
    began = None if new else convention.first_year
    enrolments, subscriptions, units = _children(convention)
    convention.schedule = schedule
    convention.reference = record.reference
    convention.party, convention.debtor = members[record.party], members[record.debtor]
    convention.signed_on, convention.ends_on = record.signed_on, record.ends_on
    convention.first_year, convention.last_year = record.first_year, record.last_year
    convention.policy = record.policy
    if convention.status != states.IN_FORCE:
        changes.put_in_force.append((convention, convention.status))
    convention.status = Convention.Status.IN_FORCE
    (changes.create if new else changes.update).append(convention)
    changes.remove(e for e in enrolments if e.school.uai not in record.schools)
    changes.remove(s for s in subscriptions if s.code not in record.options)
    if began not in (None, record.first_year):
        enrolments = [e for e in enrolments if e.school.uai in record.schools]
        subscriptions = [s for s in subscriptions if s.code in record.options]
        changes.enrolments += _moved(enrolments, "school_id", began, record, changes)
        changes.subscriptions += _moved(subscriptions, "code", began, record, changes)
    if record.units:
        changes.remove(u for u in units if u.school_year in (began, record.first_year))
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


def _moved(
    rows: list[Model], name: str, began: int, record: Record, changes: Changes
) -> Iterator[Model]:
    """Make the rows that began with an agreement begin with it again, all else kept."""
    there = {getattr(row, name) for row in rows if row.first_year == record.first_year}
    for row in rows:
        ended = row.last_year is not None and row.last_year < record.first_year
        if row.first_year != began or ended:
            continue
        changes.remove([row])
        if getattr(row, name) not in there:
            again = copy(row)
            again.pk, again.first_year = None, record.first_year
            again._state = ModelState()
            yield again


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
