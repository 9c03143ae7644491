"""Who is proposed to pay for a school not yet in an agreement, and what a person confirmed."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Left

from entsvc import history, journal
from members import identifiers
from members.geography import communes_of_today
from members.models import Commune, ConfirmedDebtor, Member, School

PAYERS = frozenset(
    {Member.Kind.COMMUNE, Member.Kind.EPCI, Member.Kind.SYNDICAT, Member.Kind.DEPARTEMENT}
)
MERGERS = 10  # a longer chain of successors can only be a loop
REASON = ConfirmedDebtor._meta.get_field("reason").max_length


class Place(Protocol):
    """What a proposal reads of a school: a row, or a record of a file."""

    degree: str
    sector: str
    commune_code: str
    departement_code: str
    siren_siret: str


@dataclass(frozen=True)
class Payer:
    """A member that may be asked to pay; `successor` is the key of the one that took it over."""

    key: int
    name: str
    kind: str
    siren: str = ""
    siret: str = ""
    insee_code: str = ""
    successor: int | None = None
    siret_to_verify: bool = False


@dataclass(frozen=True)
class Directory:
    """The members among which a payer is looked for; `communes` goes by any code, former ones too."""

    by_key: Mapping[int, Payer] = field(default_factory=dict)
    by_siren: Mapping[str, Payer] = field(default_factory=dict)
    communes: Mapping[str, Payer] = field(default_factory=dict)
    departements: Mapping[str, Payer] = field(default_factory=dict)


@dataclass(frozen=True)
class Proposal:
    """Who should pay, or nobody, and why; `elsewhere` when that commune is not the school's."""

    payer: Payer | None
    reason: str
    elsewhere: bool = False


@dataclass(frozen=True)
class Choice:
    """What a person chose: this member pays for this school."""

    school: int
    member: int
    reason: str


@dataclass
class Outcome:
    """What confirming did: how many rows are new or changed, how many said so already, which can't."""

    confirmed: int = 0
    unchanged: int = 0
    refused: list[tuple[Choice, str]] = field(default_factory=list)


def propose(school: Place, directory: Directory) -> Proposal:
    """Return who should pay for a school.

    The SIREN of the annuaire when its key is right and a member that can pay bears it (97.9 % of the
    public écoles of Occitanie bear that of their commune); else the commune of a public école or the
    Département of a public collège; else nobody. The school's own SIRET is never that of the payer.
    """
    siren, doubt = _siren(school.siren_siret)
    named = directory.by_siren.get(siren) if siren else None
    if named is not None:
        return _by_siren(school, named, directory)
    if siren:
        doubt = f"SIREN de l'annuaire inconnu ({siren})"
    return _by_place(school, doubt, directory)


def obstacle(member: Member) -> str:
    """Return what keeps a member from paying, in words that say what to do, or nothing."""
    if member.kind == Member.Kind.RPI:
        return f"{member} est un RPI : choisissez son représentant ou la commune de l'école."
    if member.successor_id is not None:
        return f"{member} est repris par un autre membre : choisissez celui-ci."
    if not member.siret:
        return f"{member} n'a pas de SIRET : saisissez-le dans sa fiche, puis confirmez."
    return ""


def confirm(choices: Iterable[Choice], *, actor: str) -> Outcome:
    """Keep what a person confirmed, one payer by school, all at once; what can't be is refused."""
    outcome = Outcome()
    with transaction.atomic():
        wanted = {choice.school: choice for choice in choices}
        members = Member.objects.in_bulk({choice.member for choice in wanted.values()})
        rows = ConfirmedDebtor.objects.select_for_update(of=("self",)).filter(school__in=wanted)
        held = {row.school_id: (row.member_id, row.reason) for row in rows.order_by("pk")}
        news = []
        for choice in wanted.values():
            member = members.get(choice.member)
            problem = obstacle(member) if member else "Ce membre n'existe plus."
            if problem:
                outcome.refused.append((choice, problem))
            elif held.get(choice.school) == (choice.member, choice.reason[:REASON]):
                outcome.unchanged += 1
            else:
                news.append(choice)
        _write(news, held.keys(), actor)
        outcome.confirmed = len(news)
    return outcome


def directory_for(schools: QuerySet[School]) -> Directory:
    """Read the members that may pay for these schools, in two queries whatever their number."""
    schools = schools.order_by()
    sirens = schools.exclude(siren_siret="").annotate(nine=Left("siren_siret", 9)).values("nine")
    codes = schools.values("commune_code")
    of_today = Commune.objects.order_by().filter(code__in=codes, today__isnull=False).values("today")
    taken_over = Member.objects.order_by().filter(successor__isnull=False)
    rows = (
        Member.objects.filter(
            Q(siren__in=sirens)
            | Q(kind=Member.Kind.COMMUNE, insee_code__in=codes)
            | Q(kind=Member.Kind.COMMUNE, insee_code__in=of_today)
            | Q(kind=Member.Kind.DEPARTEMENT)
            | Q(pk__in=taken_over.values("successor"))
        )
        .order_by("pk")
        .values_list(
            "pk", "name", "kind", "siren", "siret", "insee_code", "successor_id", "siret_to_verify"
        )
    )

    def preference(row: tuple) -> tuple:
        """Put last, where it wins, who was not taken over and whose SIRET is sure."""
        return row[6] is None, bool(row[4]), not row[7], -row[0]

    payers = [Payer(*row[:4], row[4] or "", *row[5:]) for row in sorted(rows, key=preference)]
    return directory_of(payers, communes_of_today())


def directory_of(payers: Iterable[Payer], today: Mapping[str, str]) -> Directory:
    """Arrange payers, the preferred ones last; `today` maps former commune codes to those of today."""
    payers = [payer for payer in payers if payer.kind in PAYERS]
    communes = {p.insee_code: p for p in payers if p.kind == Member.Kind.COMMUNE and p.insee_code}
    former = {old: communes[new] for old, new in today.items() if new in communes}
    return Directory(
        by_key={payer.key: payer for payer in payers},
        by_siren={payer.siren: payer for payer in payers if payer.siren},
        communes=communes | former,
        departements={p.insee_code: p for p in payers if p.kind == Member.Kind.DEPARTEMENT},
    )


def _siren(text: str) -> tuple[str, str]:
    """Return the SIREN that a SIREN or SIRET holds, or why there is none."""
    if not text:
        return "", ""
    try:
        checked = identifiers.check_siren(text) if len(text) == 9 else identifiers.check_siret(text)
    except ValueError:
        return "", "SIREN de l'annuaire faux (clé)"
    return checked[:9], ""


def _by_siren(school: Place, named: Payer, directory: Directory) -> Proposal:
    payer = _of_today(named, directory)
    if payer is None:
        return Proposal(None, f"{named.name} se succède à lui-même : corrigez sa fiche.")
    reason = f"SIREN de l'annuaire : {named.name}"
    if payer is not named:
        reason += f", aujourd'hui {payer.name}"
    if not _is_elsewhere(school, payer, directory):
        return Proposal(payer, reason)
    here = directory.communes.get(school.commune_code)
    where = here.name if here else f"le code {school.commune_code}"
    return Proposal(payer, f"{reason} ; la commune de l'école diffère : {where}", elsewhere=True)


def _is_elsewhere(school: Place, payer: Payer, directory: Directory) -> bool:
    """Tell a commune that is not the school's: another body may well pay for several communes."""
    if payer.kind != Member.Kind.COMMUNE or not school.commune_code:
        return False
    here = directory.communes.get(school.commune_code)
    if here is not None:
        return _of_today(here, directory) != payer
    return payer.insee_code not in ("", school.commune_code)


def _by_place(school: Place, doubt: str, directory: Directory) -> Proposal:
    if school.sector != School.Sector.PUBLIC:
        known = "Établissement privé" if school.sector else "Secteur inconnu"
        return Proposal(None, _joined(doubt, f"{known} : choisissez le payeur"))
    if school.degree == School.Degree.FIRST:
        code = school.commune_code
        found, reason = directory.communes.get(code), "Commune de l'école"
        missing = f"Aucun membre connu pour la commune {code} : importez la table des communes"
    elif school.degree == School.Degree.COLLEGE:
        code = school.departement_code
        found, reason = directory.departements.get(code), "Département du collège"
        missing = f"Aucun Département connu pour le code {code} : importez la table des départements"
        doubt = doubt if "faux" in doubt else ""  # a collège has a SIREN of its own
    else:
        return Proposal(None, _joined(doubt, "Ni école ni collège : choisissez le payeur"))
    payer = _of_today(found, directory) if found else None
    return Proposal(payer, _joined(doubt, reason if payer else missing))


def _of_today(payer: Payer, directory: Directory) -> Payer | None:
    """Follow a member to the one that took it over; nobody when that leads nowhere."""
    for _ in range(MERGERS):
        if payer is None or payer.successor is None:
            return payer
        payer = directory.by_key.get(payer.successor)
    return None


def _joined(doubt: str, reason: str) -> str:
    """Return « SIREN faux ; commune de l'école »."""
    return f"{doubt} ; {reason[0].lower()}{reason[1:]}" if doubt else reason


def _write(choices: list[Choice], known: Collection[int], actor: str) -> None:
    rows = [
        ConfirmedDebtor(
            school_id=choice.school,
            member_id=choice.member,
            reason=choice.reason[:REASON],
            confirmed_by=actor,
        )
        for choice in choices
    ]
    ConfirmedDebtor.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["school"],
        update_fields=["member", "reason", "confirmed_by", "confirmed_at"],
    )
    history.record([row for row in rows if row.school_id not in known])
    history.record([row for row in rows if row.school_id in known], update=True)
    if choices:
        journal.record(
            actor=actor,
            action="confirm-debtors",
            target="payeurs",
            summary=f"Payeurs confirmés : {len(choices)}",
            data={"schools": {str(choice.school): choice.member for choice in choices}},
        )
