"""What another tariff would cost each member, told before the vote: one basis, assessed twice.

The year is read once by the code of the calls, with the decisions of staff; the engine then prices it
with the tariff of today and with the one that is tried. Nothing is kept, and the gates of the calls
(day, proof, vote, size) hold nothing back here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from conventions.assessment import (
    Decisions,
    covering,
    read_members,
    source_labels,
    tariff_facts,
    with_pool,
)
from conventions.basis import Basis
from conventions.models import Convention
from entsvc import school_year
from entsvc.french import integer, plural
from entsvc.money import rate_of
from members.models import Member
from tariffs import engine
from tariffs.adoption import NotAdopted, charges_of
from tariffs.models import Adoption, Schedule, Version

ZERO = Decimal("0.00")
DECIDED: dict[str, Callable[..., Decisions]] = {}

# What holds a call back without any doubt on its amount: it is compared like the others.
CERTAIN = frozenset({"deduction_above_call", "adjustment_above_call"})
NO_SIRET = "Sans SIRET, le membre n'est pas appelé : saisissez-le dans sa fiche."

# How a reason begins that holds one side of a comparison only.
TODAY_ONLY, TRIED_ONLY = "Aujourd'hui : ", "Simulation : "

NO_KIND = "Non renseigné"
NO_SIZE = "Effectif inconnu"
# Classes of size, by the pupils of the schools billed: (largest number held, its words); None for any.
SIZES: tuple[tuple[int | None, str], ...] = (
    (49, "Moins de 50 élèves"),
    (99, "50 à 99 élèves"),
    (199, "100 à 199 élèves"),
    (499, "200 à 499 élèves"),
    (999, "500 à 999 élèves"),
    (4999, f"{integer(1000)} à {integer(4999)} élèves"),
    (None, f"{integer(5000)} élèves et plus"),
)


@dataclass(frozen=True)
class Reading:
    """The members of a schedule in a school year, the tariff of today and the version that is tried.

    `adoption` is that of the year, else of the last year before it that has one. `charges`: those of
    the version, with the pools of the year where it fixes none. `kinds`: the type of each payer, by
    SIRET. What neither tariff reads is not read.
    """

    version: Version
    basis: Basis
    adoption: Adoption
    charges: tuple[engine.Charge, ...]
    decisions: Decisions
    kinds: Mapping[str, str]

    @property
    def schedule(self) -> Schedule:
        """Return the schedule of the version."""
        return self.version.schedule

    @property
    def is_adopted(self) -> bool:
        """Tell whether the tariff of today is that of the year itself."""
        return self.adoption.school_year == self.basis.school_year


@dataclass(frozen=True)
class Row:
    """What one member pays today and would pay, in euros; `pupils` is None unless all are known."""

    siret: str
    name: str
    kind: str
    pupils: int | None
    before: engine.Result
    after: engine.Result
    today: Decimal
    simulated: Decimal

    @property
    def difference(self) -> Decimal:
        """Return what the member would pay more; negative when it would pay less."""
        return self.simulated - self.today

    @property
    def rate(self) -> Decimal | None:
        """Return the difference as a part of what is paid today, None from nothing."""
        return rate_of(self.today, self.simulated)

    @property
    def size(self) -> str:
        """Return the words of its class of size."""
        return size_of(self.pupils)

    @property
    def kind_label(self) -> str:
        """Return the words of its type."""
        return kind_of(self.kind)


@dataclass(frozen=True)
class Apart:
    """A member that can't be compared: what is known of either side, and why the rest is not.

    `before` and `after` are None for a member that is never called.
    """

    siret: str
    name: str
    kind: str
    today: Decimal | None
    simulated: Decimal | None
    reasons: tuple[str, ...]
    before: engine.Result | None = None
    after: engine.Result | None = None


@dataclass(frozen=True)
class Sums:
    """What some members pay altogether, in euros, and how many would pay more, less, or the same."""

    label: str
    members: int
    today: Decimal
    simulated: Decimal
    more: int
    less: int

    @property
    def difference(self) -> Decimal:
        """Return what they would pay more altogether."""
        return self.simulated - self.today

    @property
    def rate(self) -> Decimal | None:
        """Return the difference as a part of what is paid today, None from nothing."""
        return rate_of(self.today, self.simulated)

    @property
    def same(self) -> int:
        """Return how many would pay as much as today."""
        return self.members - self.more - self.less


@dataclass(frozen=True)
class Comparison:
    """The members compared, by SIRET, and those set apart: none is in both, none is forgotten."""

    rows: tuple[Row, ...]
    apart: tuple[Apart, ...]

    @cached_property
    def sums(self) -> Sums:
        """Return the sums of all members compared."""
        return _sums("Ensemble", self.rows)

    @cached_property
    def by_kind(self) -> list[Sums]:
        """Return the sums by type of member, those that have members."""
        labels = [*(str(label) for label in Member.Kind.labels), NO_KIND]
        return _grouped(labels, self.rows, lambda row: kind_of(row.kind))

    @cached_property
    def by_size(self) -> list[Sums]:
        """Return the sums by class of size, those that have members."""
        labels = [*(label for _, label in SIZES), NO_SIZE]
        return _grouped(labels, self.rows, lambda row: row.size)

    def increases(self, most: int) -> list[Row]:
        """Return the members that would pay more, the largest increase first."""
        rows = [row for row in self.rows if row.difference > 0]
        return sorted(rows, key=lambda row: (-row.difference, row.siret))[:most]

    def decreases(self, most: int) -> list[Row]:
        """Return the members that would pay less, the largest decrease first."""
        rows = [row for row in self.rows if row.difference < 0]
        return sorted(rows, key=lambda row: (row.difference, row.siret))[:most]


def register_decisions(gather: Callable[..., Decisions]) -> None:
    """Let the room above tell all that staff decided of the calls of a schedule and school year.

    `gather(schedule, year, pools=…)` leaves the pools unread where no charge shares one out.
    """
    DECIDED["calls"] = gather


def read(version: Version, year: int, adoptions: Iterable[Adoption] | None = None) -> Reading:
    """Read what the calls of a school year rest on, its tariff or the last one before it.

    `adoptions` are those of the schedule with their act, where they are in hand. Raises NotAdopted
    (French message) when no tariff was adopted for that year nor before it.
    """
    schedule = version.schedule
    adoption = adoption_of(schedule, year, adoptions)
    today = charges_of(adoption.version)
    tried = today if version == adoption.version else charges_of(version)
    both = (*today, *tried)
    gather = DECIDED.get("calls")
    shared = any(engine.shares_year_pool(charge) for charge in both)
    decisions = gather(schedule, year, pools=shared) if gather else Decisions()
    usage = any(engine.reads(charge, engine.ACTIVE_PUPILS) for charge in both)
    basis = Basis(
        school_year=year,
        facts=tariff_facts(schedule, adoption) | {"sources": source_labels()},
        charges=tuple(with_pool(charge, decisions) for charge in today),
        members=read_members(schedule, year, decisions, usage=usage),
        acceptances=decisions.acceptances,
    )
    charges = tuple(with_pool(charge, decisions) for charge in tried)
    return Reading(version, basis, adoption, charges, decisions, _kinds(schedule, year))


def _kinds(schedule: Schedule, year: int) -> dict[str, str]:
    """Return the type of each payer of a year, by SIRET."""
    payers = Convention.objects.filter(covering(year), schedule=schedule).order_by().values("debtor")
    rows = Member.objects.filter(pk__in=payers, siret__isnull=False).order_by("pk")
    return dict(rows.values_list("siret", "kind"))


def compare(today: Basis, tried: Basis, kinds: Mapping[str, str]) -> Comparison:
    """Assess the same members with two tariffs and compare what each pays.

    A member that a blocking anomaly holds back on either side is set apart with it: what is not sure is
    not compared.
    """
    before = today.assess()
    # Two bases of the same parts give the same results: that of the year is assessed once.
    after = before if _same(today, tried) else tried.assess()
    tried_by = {result.member.siret: result for result in after}
    rows: list[Row] = []
    apart: list[Apart] = []
    for result in before:
        member = result.member
        other = tried_by[member.siret]
        kind = kinds.get(member.siret, "")
        reasons = _reasons(result, other)
        if reasons:
            sums = [None if _held(side) else side.total for side in (result, other)]
            apart.append(Apart(member.siret, member.name, kind, *sums, reasons, result, other))
        else:
            facts = (member.siret, member.name, kind, pupils_of(member), result, other)
            rows.append(Row(*facts, result.total, other.total))
    apart += [Apart("", member.name, "", None, None, (NO_SIRET,)) for member in today.without_siret]
    return Comparison(tuple(rows), tuple(apart))


def pupils_of(member: engine.Member) -> int | None:
    """Return the pupils of the schools billed to a member, each counted once; None if one is unknown."""
    known = {school.uai: school.pupils for a in member.agreements for school in a.billed}
    return None if None in known.values() else sum(known.values())


def size_of(pupils: int | None) -> str:
    """Return the words of a class of size."""
    if pupils is None:
        return NO_SIZE
    return next(label for most, label in SIZES if most is None or pupils <= most)


def kind_of(code: str) -> str:
    """Return the words of a type of member."""
    return str(Member.Kind(code).label) if code else NO_KIND


def counts_read(basis: Basis) -> list[str]:
    """Return, in words, where the pupils of the schools billed were read."""
    schools = {s.uai: s for m in basis.members for a in m.agreements for s in a.billed}
    numbers: dict[str, int] = {}
    for school in schools.values():
        source = school.pupils_source if school.pupils is not None else ""
        numbers[source] = numbers.get(source, 0) + 1
    labels = basis.facts["sources"]
    return [
        f"{plural(number, 'école')} : {labels.get(source, source) if source else 'effectif inconnu'}"
        for source, number in sorted(numbers.items(), key=lambda item: (not item[0], item[0]))
    ]


def adoption_of(schedule: Schedule, year: int, adoptions: Iterable[Adoption] | None = None) -> Adoption:
    """Return the adoption of a year, else the last one before it (see `read`)."""
    if adoptions is None:
        rows = Adoption.objects.select_related("version", "act")
        adoptions = rows.filter(schedule=schedule).order_by("-school_year")
    past = [adoption for adoption in adoptions if adoption.school_year <= year]
    if not past:
        raise NotAdopted(
            f"Aucun tarif {schedule.code} n'est adopté pour {school_year.label(year)} ni pour une "
            "année d'avant : il n'y a rien à quoi comparer. Choisissez une autre année scolaire."
        )
    adoption = max(past, key=lambda adoption: adoption.school_year)
    adoption.schedule = schedule  # in hand already
    return adoption


def _same(today: Basis, tried: Basis) -> bool:
    """Tell whether two bases are priced alike."""
    return (today.charges, today.acceptances) == (tried.charges, tried.acceptances) and (
        today.members is tried.members
    )


def _held(result: engine.Result) -> list[str]:
    """Return why the amount of a member is not sure."""
    return [a.message for a in result.anomalies if a.blocking and a.code not in CERTAIN]


def _reasons(before: engine.Result, after: engine.Result) -> tuple[str, ...]:
    """Return why a member can't be compared, saying of which side when it is of one only."""
    now, then = _held(before), _held(after)
    both = [reason for reason in now if reason in then]
    return (
        *both,
        *(f"{TODAY_ONLY}{reason}" for reason in now if reason not in both),
        *(f"{TRIED_ONLY}{reason}" for reason in then if reason not in both),
    )


def _grouped(labels: Iterable[str], rows: Iterable[Row], group: Callable[[Row], str]) -> list[Sums]:
    groups: dict[str, list[Row]] = {label: [] for label in labels}
    for row in rows:
        groups[group(row)].append(row)
    return [_sums(label, held) for label, held in groups.items() if held]


def _sums(label: str, rows: Iterable[Row]) -> Sums:
    rows = list(rows)
    return Sums(
        label,
        members=len(rows),
        today=sum((row.today for row in rows), ZERO),
        simulated=sum((row.simulated for row in rows), ZERO),
        more=sum(1 for row in rows if row.difference > 0),
        less=sum(1 for row in rows if row.difference < 0),
    )
