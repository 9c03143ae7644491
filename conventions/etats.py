"""Opening an état contradictoire: what each member is shown is frozen, members are told, a day is set.

Nothing of it changes an amount: the calls read the data, which staff mend where an objection is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from conventions import etat_reading
from conventions.assessment import called_in
from conventions.basis import Basis
from conventions.etat_facts import Facts, totals
from conventions.models import EtatContradictoire, MemberEtat
from entsvc import mail, school_year
from entsvc.french import long_date, plural
from entsvc.history import REASON_LENGTH
from entsvc.journal import record
from members.models import Member
from members.portal.addressees import addressees
from tariffs import engine
from tariffs.models import Schedule

PROPOSED = timedelta(days=15)
AT_ONCE = 300  # members written to while the page waits
BATCH = 1000


class EtatRefused(Exception):
    """Nothing was done; the message says why and what to do, in French."""


@dataclass(frozen=True)
class Preview:
    """What would be shown: how many members, schools and pupils, and what is missing."""

    members: int
    schools: int
    pupils: int
    without_count: int
    approximate: int
    excluded: int
    without_siret: int
    without_address: tuple[Member, ...]


def preview(schedule: Schedule, year: int) -> Preview:
    """Return what opening would show. Raises tariffs.adoption.NotAdopted."""
    basis = etat_reading.read_year(schedule, year)
    facts = etat_reading.to_show(basis, schedule)
    told = addressees(facts.keys())
    sums = [totals(item) for item in facts.values()]
    schools = [s for m in basis.members for a in m.agreements for s in a.schools]
    read = _read(basis)
    return Preview(
        members=len(facts),
        schools=sum(number for number, _ in sums),
        pupils=sum(number for _, number in sums),
        without_count=sum(1 for s in schools if s.uai in read and s.pupils is None),
        approximate=sum(
            1 for s in schools if s.uai in read and s.pupils is not None and not s.pupils_billable
        ),
        excluded=sum(1 for s in schools if s.excluded),
        without_siret=len(basis.without_siret),
        without_address=tuple(_members(key for key, found in told.items() if not found)),
    )


@transaction.atomic
def open_etat(
    *, schedule: Schedule, year: int, until: date, actor: str, at: datetime | None = None
) -> EtatContradictoire:
    """Freeze what each member of a year is shown, open to objections until a day; tell nobody yet.

    Raises EtatRefused where it is open already, where the day is past or where nothing would be shown,
    and tariffs.adoption.NotAdopted.
    """
    at = at or timezone.now()
    on = timezone.localdate(at)
    if until < on:
        raise EtatRefused("Le dernier jour pour contester est passé : donnez un jour à venir.")
    etat = EtatContradictoire(
        schedule=schedule, school_year=year, opened_on=on, objections_until=until, opened_by=actor
    )
    try:
        with transaction.atomic():
            etat.save()
    except IntegrityError as error:
        raise EtatRefused(
            f"L'état contradictoire de {schedule.code} pour {school_year.label(year)} est déjà ouvert."
        ) from error
    basis = etat_reading.read_year(schedule, year)
    shown = etat_reading.to_show(basis, schedule)
    if not shown:
        raise EtatRefused(
            f"Aucune convention en vigueur ne couvre {school_year.label(year)} : rien à montrer."
        )
    _show(etat, shown, at)
    record(
        actor=actor,
        action="etat-open",
        target=etat,
        summary=f"État contradictoire {etat} ouvert à {plural(len(shown), 'membre')}, contestations "
        f"jusqu'au {long_date(until)}",
    )
    return etat


@transaction.atomic
def complete(*, etat: EtatContradictoire, actor: str, at: datetime | None = None) -> int:
    """Add the members that came since the opening, and return how many; what others saw stays.

    Raises EtatRefused once the last day is over: they would have no time left.
    """
    at = at or timezone.now()
    etat = _locked(etat)
    if timezone.localdate(at) > etat.objections_until:
        raise EtatRefused(
            "Le délai a pris fin : prolongez-le d'abord, pour que ces membres en aient un."
        )
    known = set(etat.members.order_by().values_list("debtor", flat=True))
    basis = etat_reading.read_year(etat.schedule, etat.school_year)
    came = {
        key: facts
        for key, facts in etat_reading.to_show(basis, etat.schedule).items()
        if key not in known
    }
    if came:
        _show(etat, came, at)
        names = [str(member) for member in _members(came)]
        record(
            actor=actor,
            action="etat-complete",
            target=etat,
            summary=f"État contradictoire {etat} : {plural(len(came), 'membre')} de plus",
            data={"members": names},
        )
    return len(came)


@transaction.atomic
def extend(*, etat: EtatContradictoire, until: date, reason: str, actor: str) -> EtatContradictoire:
    """Put off the last day to object, with a reason. Raises EtatRefused where it would come sooner."""
    etat = _locked(etat)
    reason = " ".join(reason.split())
    if until <= etat.objections_until:
        raise EtatRefused(
            f"Les membres ont jusqu'au {long_date(etat.objections_until)} : le délai se prolonge, il ne "
            "se raccourcit pas."
        )
    if until < timezone.localdate():
        raise EtatRefused("Ce jour est passé : donnez un jour à venir.")
    if not reason:
        raise EtatRefused("Donnez le motif de la prolongation.")
    before, etat.objections_until = etat.objections_until, until
    etat._change_reason = reason[:REASON_LENGTH]
    etat.save(update_fields=["objections_until"])
    record(
        actor=actor,
        action="etat-extend",
        target=etat,
        summary=f"État contradictoire {etat} prolongé du {long_date(before)} au {long_date(until)}",
        data={"reason": reason},
    )
    return etat


@transaction.atomic
def tell(*, etat: EtatContradictoire, actor: str, at: datetime | None = None) -> int:
    """Write to the members that were not written to yet, `AT_ONCE` at most; return how many.

    Each is told once, whoever asks again; who has no address waits for one. Nothing leaves once the last
    day is over.
    """
    at = at or timezone.now()
    etat = _locked(etat)
    if timezone.localdate(at) > etat.objections_until:
        raise EtatRefused("Le délai a pris fin : prolongez-le avant d'écrire aux membres.")
    rows = to_tell(etat)[:AT_ONCE]
    for row, found in rows:
        row.told_at, row.told_to = at, found
        mail.post(found, "etat_ouvert", _mail(etat, row))
    MemberEtat.objects.bulk_update([row for row, _ in rows], ["told_at", "told_to"], batch_size=BATCH)
    if rows:
        record(
            actor=actor,
            action="etat-tell",
            target=etat,
            summary=f"État contradictoire {etat} : "
            f"{plural(len(rows), 'membre prévenu', 'membres prévenus')} par courriel",
            data={str(row.debtor_id): found for row, found in rows},
        )
    return len(rows)


def to_tell(etat: EtatContradictoire) -> list[tuple[MemberEtat, list[str]]]:
    """Return the members not written to yet that have an address, with their addresses."""
    return [(row, found) for row, found in untold(etat) if found]


def untold(etat: EtatContradictoire) -> list[tuple[MemberEtat, list[str]]]:
    """Return the members not written to yet, with their addresses if any."""
    rows = list(etat.members.filter(told_at=None).defer("facts").select_related("debtor").order_by("pk"))
    known = addressees({row.debtor_id for row in rows}) if rows else {}
    return [(row, known[row.debtor_id]) for row in rows]


def newcomers(etat: EtatContradictoire) -> list[Member]:
    """Return the members that would be called today and are shown nothing."""
    called = called_in(etat.schedule, etat.school_year).order_by().values("debtor")
    known = etat.members.order_by().values("debtor")
    rows = Member.objects.filter(pk__in=called).exclude(pk__in=known)
    return list(rows.order_by("name", "pk"))


def is_over(etat: EtatContradictoire, on: date) -> bool:
    """Tell whether objections come too late on a day: the last day is included."""
    return on > etat.objections_until


def _show(etat: EtatContradictoire, shown: dict[int, Facts], at: datetime) -> None:
    rows = (
        MemberEtat(etat=etat, debtor_id=key, facts=facts, shown_at=at)
        for key, facts in sorted(shown.items())
    )
    MemberEtat.objects.bulk_create(rows, batch_size=BATCH)


def _mail(etat: EtatContradictoire, row: MemberEtat) -> dict:
    return {
        "member": str(row.debtor),
        "issuer": etat.schedule.issuer,
        "subject": etat.schedule.subject,
        "year": etat.school_year_label,
        "until": etat.objections_until,
        "link": mail.link("espace-conventions:etat", row.pk),
    }


def _locked(etat: EtatContradictoire) -> EtatContradictoire:
    rows = EtatContradictoire.objects.select_for_update(of=("self",))
    return rows.select_related("schedule__issuer").get(pk=etat.pk)


def _read(basis: Basis) -> set[str]:
    return {
        uai
        for member in basis.members
        for uai in engine.schools_read(basis.charges, member, engine.PUPILS)
    }


def _members(keys: Sequence[int] | set[int]) -> list[Member]:
    found = Member.objects.in_bulk(list(keys))
    return sorted(found.values(), key=lambda member: (member.name, member.pk))
