"""Which members stand for the bodies of an official code table: found, completed or created.

What staff entered is never overwritten: a table only fills what is blank.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from django.db.models import Q
from django.utils import timezone

from entsvc.cells import read_day
from entsvc.changes import Plan, in_batches, write
from entsvc.importing import Option, Options, Report
from members import identifiers
from members.models import Member

# The SIREN is derived: it is written anyway.
FIELDS = ["name", "kind", "siret", "siret_to_verify", "insee_code", "postal_code", "city"]


@dataclass(frozen=True, slots=True)
class Body:
    """A body of a table: `siret` is what to propose when its member has none, "" for nothing."""

    line: int | None
    siren: str
    name: str
    insee_code: str = ""
    siret: str = ""
    postal_code: str = ""
    city: str = ""


@dataclass
class Tally:
    """What brought something new, and what changed something: rows by line or key, bodies by SIREN."""

    created: set = field(default_factory=set)
    changed: set = field(default_factory=set)

    def count(self, rows: Iterable, report: Report) -> None:
        """Count each row once, as created before changed."""
        for row in rows:
            if row in self.created:
                report.created += 1
            elif row in self.changed:
                report.updated += 1
            else:
                report.unchanged += 1


def keep(kind: str, bodies: Iterable[Body], report: Report, tally: Tally) -> dict[str, int]:
    """Complete or create the member of each body; return the key of the member of each SIREN.

    Each SIREN is given once; what was brought or changed is noted by SIREN in `tally`.
    A member is known by its SIREN (of this kind, or of none yet), else by its INSEE code; then another
    SIREN is flagged and kept. A body whose SIRET is already that of a member of another kind (Paris is
    a commune and a département) makes no second one.
    """
    keys = {}
    for batch in in_batches(bodies):
        known, taken = _known(kind, batch)
        plan = Plan()
        members = {}
        for body in batch:
            member = _found(body, known.get(body.siren, []), report)
            if member is not None:
                _complete(member, kind, body, taken, plan, tally)
            elif body.siret in taken:
                member = taken[body.siret]
                message = f"Ce SIRET est déjà celui de {member} : un seul membre est gardé."
                report.flag(body.line, "siren", body.siren, message)
            else:
                member = Member(kind=kind, **_values(body))
                plan.create.append(member)
                tally.created.add(body.siren)
            members[body.siren] = member
        write(plan, Member, FIELDS)
        keys |= {siren: member.pk for siren, member in members.items()}
    return keys


def parse_departements(text: str) -> str:
    """Return the départements of "80, 62" as sorted codes apart by spaces; raise ValueError."""
    codes = re.split(r"[,;\s]+", text.strip())
    return " ".join(sorted({identifiers.check_departement_code(code) for code in codes if code}))


def is_asked(commune_code: str, options: Options) -> bool:
    """Tell whether a commune is in the départements asked for; all are when none is named."""
    asked = (options.get("departements") or "").split()
    return not asked or identifiers.departement_of(commune_code) in asked


def as_of(options: Options) -> date:
    """Return the day from which a table holds: 1 January of this year when nothing else is said.

    The perimeters of EPCI and the mergers of communes take effect on 1 January.
    """
    return options.get("as_of") or date(timezone.localdate().year, 1, 1)


DEPARTEMENTS = Option(
    name="departements",
    flag="--departements",
    label="Départements",
    help="Seulement les communes de ces départements, comme 80,62.",
    parse=parse_departements,
)
AS_OF = Option(
    name="as_of",
    flag="--as-of",
    label="Table en vigueur au",
    help="Jour à partir duquel la table vaut ; 1er janvier de l'année en cours par défaut.",
    parse=read_day,
)


def _known(kind: str, bodies: list[Body]) -> tuple[dict[str, list[Member]], dict[str, Member]]:
    """Return the members that may stand for each SIREN, best first, and those that have each SIRET."""
    by_siren = {body.siren: body for body in bodies}
    by_code = {body.insee_code: body for body in bodies if body.insee_code}
    rows = Member.objects.filter(
        Q(siren__in=by_siren) | Q(kind=kind, insee_code__in=by_code, successor=None)
    ).order_by("pk")
    found, taken = defaultdict(list), {}
    for member in rows:
        if member.siren in by_siren and member.kind in (kind, ""):
            found[member.siren].append(member)
        elif member.kind == kind and member.insee_code in by_code:
            found[by_code[member.insee_code].siren].append(member)
        if member.siret:
            taken[member.siret] = member
    for siren, members in found.items():
        members.sort(key=lambda member: _rank(member, by_siren[siren]))
    return found, taken


def _rank(member: Member, body: Body) -> tuple:
    return (
        member.siren != body.siren,
        member.insee_code != body.insee_code,
        not member.kind,
        member.pk,
    )


def _found(body: Body, members: list[Member], report: Report) -> Member | None:
    """Return the best of the members that may stand for a body, and flag what makes it doubtful."""
    if not members:
        return None
    member = members[0]
    same = [other for other in members if other.siren == body.siren]
    if len(same) > 1:
        message = f"{len(same)} membres ont ce SIREN : seul {member} ({member.siret}) est complété."
        report.flag(body.line, "siren", body.siren, message)
    if member.siren and member.siren != body.siren:
        message = (
            f"{member} est connu avec le SIREN {member.siren} : corrigez son SIRET, ou créez la commune "
            "nouvelle et indiquez qu'elle le reprend."
        )
        report.flag(body.line, "siren", body.siren, message)
    return member


def _complete(
    member: Member, kind: str, body: Body, taken: dict[str, Member], plan: Plan, tally: Tally
) -> None:
    """Fill what is blank, of a member whose SIREN is not another one."""
    if member.siren and member.siren != body.siren:
        return
    news = {
        name: value
        for name, value in {**_values(body), "kind": kind}.items()
        if value not in ("", None, False) and getattr(member, name) in ("", None)
    }
    if news.get("siret") in taken:
        del news["siret"]
    if "siret" in news:
        news["siret_to_verify"] = True
    for name, value in news.items():
        setattr(member, name, value)
    if news:
        plan.update.append(member)
        tally.changed.add(body.siren)


def _values(body: Body) -> dict:
    return {
        "siren": body.siren,
        "siret": body.siret or None,
        "siret_to_verify": bool(body.siret),
        "name": body.name[:200],
        "insee_code": body.insee_code,
        "postal_code": body.postal_code,
        "city": body.city[:100],
    }
