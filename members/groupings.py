"""Which RPI the annuaire names that are not members yet, and how they become so."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from django.db import transaction

from entsvc import history, journal
from entsvc.changes import Plan, write
from entsvc.french import plural
from members.memberships import apply_moves
from members.models import GroupedSchool, Member, Membership, School


@dataclass
class ProposedRpi:
    """A dispersed RPI of the annuaire: its code, its schools, the codes of their communes."""

    code: str
    schools: list[School] = field(default_factory=list)

    @property
    def commune_codes(self) -> list[str]:
        """Return the INSEE codes of the communes of its schools."""
        return sorted({school.commune_code for school in self.schools if school.commune_code})

    @property
    def name(self) -> str:
        """Return how the RPI is named after its communes, as « RPI Chauffour – Turenne »."""
        communes = sorted({school.commune_name for school in self.schools if school.commune_name})
        return f"RPI {' – '.join(communes) or self.code}"[:200]


@dataclass(frozen=True)
class Created:
    """What creating RPI did; `strangers` are the communes that are no members yet, by their code."""

    members: list[Member]
    strangers: list[str]


def proposed_rpis(departements: Iterable[str]) -> list[ProposedRpi]:
    """Return the dispersed RPI of these départements (« 31 », « 2A ») that no member stands for yet.

    A school that left the annuaire, or that is in a RPI already, proposes nothing.
    """
    schools = (
        School.objects.filter(
            rpi=School.Rpi.DISPERSED, departement_code__in=list(departements), absent_since=None
        )
        .exclude(rpi_code="")
        .exclude(rpi_code__in=Member.objects.exclude(group_code="").order_by("pk").values("group_code"))
        .exclude(groupings__in=GroupedSchool.objects.filter(valid_to=None).order_by("pk").values("pk"))
    )
    found: dict[str, ProposedRpi] = {}
    for school in schools.order_by("rpi_code", "uai"):
        found.setdefault(school.rpi_code, ProposedRpi(school.rpi_code)).schools.append(school)
    return list(found.values())


def create_rpis(*, departements: Iterable[str], since: date, actor: str) -> Created:
    """Create the proposed RPI with their schools and their communes, dated from `since`.

    A commune that is no member yet is left out and named: importing the communes, then the list of RPI,
    mends it.
    """
    with transaction.atomic(), history.because("RPI repris de l'annuaire"):
        proposed = proposed_rpis(departements)
        members = [Member(kind=Member.Kind.RPI, name=rpi.name, group_code=rpi.code) for rpi in proposed]
        write(Plan(create=members), Member, [])
        communes = commune_members(code for rpi in proposed for code in rpi.commune_codes)
        bodies = list(zip(members, proposed, strict=True))
        schools = [(body.pk, school.pk) for body, rpi in bodies for school in rpi.schools]
        apply_moves(GroupedSchool, Member.Kind.RPI, schools, since, exclusive=True)
        parts = [
            (body.pk, communes[code].pk)
            for body, rpi in bodies
            for code in rpi.commune_codes
            if code in communes
        ]
        apply_moves(Membership, Member.Kind.RPI, parts, since)
        if members:
            summary = f"{plural(len(members), 'RPI')} repris de l'annuaire"
            codes = [rpi.code for rpi in proposed]
            journal.record(
                actor=actor,
                action="rpi",
                target="members.member",
                summary=summary,
                data={"codes": codes},
            )
    named = {code for rpi in proposed for code in rpi.commune_codes}
    return Created(members, sorted(named - set(communes)))


def commune_members(codes: Iterable[str]) -> dict[str, Member]:
    """Return the member that stands for each commune of today, by INSEE code."""
    found: dict[str, list[Member]] = defaultdict(list)
    rows = Member.objects.filter(
        kind=Member.Kind.COMMUNE, insee_code__in=set(codes), successor=None
    ).order_by("pk")
    for member in rows:
        found[member.insee_code].append(member)
    return {code: members[0] for code, members in found.items()}
