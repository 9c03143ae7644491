"""What agreements cost in a school year: enrolments × counts × adopted version.

Reads the database in a number of queries that does not depend on the number of members.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet

from conventions import states
from conventions.basis import WITHOUT_SIRET, Basis
from conventions.deliveries import proofs, units_billed
from conventions.models import Convention, Delivery, Enrolment, Subscription, Transition
from conventions.policies import DUE_FROM_OPENING, GATING
from entsvc import school_year
from entsvc.french import long_date
from members import counts
from members.models import Headcount, HeadcountSource, Member, Usage
from tariffs import engine
from tariffs.adoption import adopted, charges_of
from tariffs.models import Adoption, Schedule

# What stands for no count at all.
UNKNOWN = counts.Known(None, "", True, 0)

# The columns of a school that the engine reads.
DESCRIBED = ("uai", "name", "commune_name", "degree", "sector")

# The columns that tell whether a school is open (see `with_openings`).
OPENINGS = ("project_submitted_on", "opened_on", "from_opening")

# The columns of an agreement that name it and who pays (see `_members`).
NAMED = (
    "reference",
    "signed_on",
    "private_included",
    *(f"{member}__{name}" for member in ("debtor", "party") for name in ("name", "siren", "siret")),
    *(f"act__{name}" for name in ("kind", "number", "date", "authority")),
)

NOBODY = "d'un membre sans SIRET"
DELIVERED = "delivered"  # among the facts of a basis


@dataclass(frozen=True)
class Decisions:
    """What staff decided about a year's calls, gathered by the room above.

    `pools`: (euros to share out, reference that proves them), by charge code. `deductions` and
    `adjustments`: by the debtor's SIRET. `exclusions`: the reason, by UAI.
    """

    pools: Mapping[str, tuple[Decimal, str]] = field(default_factory=dict)
    deductions: Mapping[str, tuple[engine.Deduction, ...]] = field(default_factory=dict)
    adjustments: Mapping[str, tuple[engine.Adjustment, ...]] = field(default_factory=dict)
    exclusions: Mapping[str, str] = field(default_factory=dict)
    acceptances: tuple[engine.Acceptance, ...] = ()


def read_basis(schedule: Schedule, year: int, decisions: Decisions | None = None) -> Basis:
    """Read all that the calls of a schedule and school year rest on.

    Raises NotAdopted when no act adopted a tariff for that year.
    """
    decisions = decisions or Decisions()
    adoption = adopted(schedule, year)
    return Basis(
        school_year=year,
        facts=tariff_facts(schedule, adoption)
        | {"sources": source_labels(), DELIVERED: _delivered(schedule, year)},
        charges=tuple(with_pool(c, decisions) for c in charges_of(adoption.version)),
        members=read_members(schedule, year, decisions),
        acceptances=decisions.acceptances,
    )


def read_members(
    schedule: Schedule,
    year: int,
    decisions: Decisions,
    *,
    debtors: Collection[int] | None = None,
    usage: bool = True,
) -> tuple[engine.Member, ...]:
    """Read the members that a year calls, with their agreements, schools and counts, by SIRET.

    With `debtors`, the keys of a few members, these alone: enough to read what their agreements say,
    never to share out a pool. Without `usage` nobody's active pupils, where no charge reads them.
    """
    conventions = called_in(schedule, year).filter(_paid_by(debtors, "debtor"))
    conventions = conventions.select_related("debtor", "party", "act").only(*NAMED)
    enrolments = enrolled_in(schedule, year).filter(_paid_by(debtors, "convention__debtor"))
    schools = _schools_by_convention(enrolments, year, decisions.exclusions, usage)
    return _members(list(conventions.order_by("reference")), schools, schedule, year, decisions)


def called_in(schedule: Schedule, year: int) -> QuerySet[Convention]:
    """Return the agreements that the calls of a school year read."""
    rows = Convention.objects.filter(covering(year), schedule=schedule, status__in=states.OWING)
    return rows.exclude(policy__in=GATING)


def _paid_by(debtors: Collection[int] | None, path: str) -> Q:
    """Match what these members pay, everything without any."""
    return Q() if debtors is None else Q(**{f"{path}__in": debtors})


def covering(year: int, prefix: str = "") -> Q:
    """Match rows whose declared years hold `year`, through `prefix` (`convention__`) if any."""
    open_or_later = Q(**{f"{prefix}last_year__isnull": True}) | Q(**{f"{prefix}last_year__gte": year})
    return Q(**{f"{prefix}first_year__lte": year}) & open_or_later


def opened_in(year: int) -> Q:
    """Match the enrolments that a school year bills: opened by then, or in service without any fact.

    That is what is assumed of a school of which nothing is known, unless it is `due_from_opening`.
    """
    unknown = Q(opened_on__isnull=True, project_submitted_on__isnull=True)
    return (unknown & ~due_from_opening()) | Q(opened_on__lte=school_year.last_day(year))


def waiting_in(year: int) -> Q:
    """Match the other enrolments: waiting for their opening, or opened after that school year."""
    expected = Q(project_submitted_on__isnull=False) | due_from_opening()
    return (Q(opened_on__isnull=True) & expected) | Q(opened_on__gt=school_year.last_day(year))


def due_from_opening() -> Q:
    """Match the enrolments due from their opening only, even while nothing is known of it.

    Their text says so, and their agreement was put in force step by step here. One taken over from
    paper, or in force before its steps were logged, names schools in service already.
    """
    steps = Transition.objects.order_by().filter(convention=OuterRef("convention"))
    new = Exists(steps.filter(action="mettre_en_vigueur")) & ~Exists(steps.filter(action="reprise"))
    return Q(convention__policy__in=DUE_FROM_OPENING) & new


def with_openings(rows: QuerySet[Enrolment]) -> QuerySet[Enrolment]:
    """Give enrolments the columns that `not_yet_open` reads, OPENINGS."""
    return rows.annotate(from_opening=ExpressionWrapper(due_from_opening(), BooleanField()))


def not_yet_open(
    year: int, submitted_on: date | None, opened_on: date | None, from_opening: bool
) -> str:
    """Return why a school is not billed for a school year (see `waiting_in`), empty when it is.

    `from_opening` is whether `due_from_opening` matches it.
    """
    if opened_on and opened_on > school_year.last_day(year):
        return f"son accès n'a ouvert que le {long_date(opened_on)}."
    if submitted_on and not opened_on:
        return f"en attente d'ouverture, son projet étant déposé le {long_date(submitted_on)}."
    if from_opening and not opened_on:
        return "en attente d'ouverture, qui n'est pas enregistrée, ni son projet."
    return ""


def describer(year: int, school_ids: Any, *, usage: bool = True) -> Callable[..., engine.School]:
    """Return what makes a school of the engine of its DESCRIBED columns and why it is left out.

    `school_ids` are keys or a query of them: their counts of the year are read here, in two queries, or
    in one without `usage`, where no charge reads it.
    """
    pupils_of = counts.retained_by_year(Headcount, (year, year - 1), school_ids)
    heads, before = pupils_of[year], pupils_of[year - 1]
    usages = counts.retained(Usage, year, school_ids) if usage else {}

    def described(
        uai: str, name: str, commune: str, degree: str, sector: str, excluded: str
    ) -> engine.School:
        pupils, usage, previous = (known.get(uai, UNKNOWN) for known in (heads, usages, before))
        return engine.School(
            uai=uai,
            name=name,
            commune=commune,
            degree=degree,
            sector=sector,
            pupils=pupils.number,
            pupils_source=pupils.source,
            pupils_billable=pupils.billable,
            active_pupils=usage.number,
            active_source=usage.source,
            active_billable=usage.billable,
            excluded=excluded,
            # An approximation compares with nothing.
            previous_pupils=previous.number if previous.billable else None,
        )

    return described


def unused(decisions: Decisions, basis: Basis) -> list[engine.Anomaly]:
    """Return, as notices, the decisions that changed nothing: often a wrong code or debtor."""
    shared = {c.code for c in basis.charges if c.model == engine.ALLOCATION and c.pool_reference}
    schools = {s.uai for m in basis.members for a in m.agreements for s in a.schools}
    sirets = {member.siret for member in basis.members}
    idle = [f"L'enveloppe {code} n'est lue par aucune ligne." for code in set(decisions.pools) - shared]
    idle += [
        f"La déduction {f'de {siret}' if siret else NOBODY} est sans appel."
        for siret in set(decisions.deductions) - sirets
    ]
    idle += [
        f"L'ajustement {f'de {siret}' if siret else NOBODY} est sans appel."
        for siret in set(decisions.adjustments) - sirets
    ]
    idle += [
        f"{uai}, écartée, n'est inscrite nulle part." for uai in set(decisions.exclusions) - schools
    ]
    return [engine.Anomaly("unused_decision", message, blocking=False) for message in sorted(idle)]


def without_siret(basis: Basis) -> list[engine.Anomaly]:
    """Return, as anomalies of the whole run, the debtors that nothing can be called from."""
    return [
        engine.Anomaly(
            "missing_siret",
            f"{member.name}, payeur de {', '.join(a.title for a in member.agreements)}, n'a pas de "
            "SIRET et n'est pas appelé : saisissez-le dans sa fiche, puis recalculez.",
        )
        for member in basis.without_siret
    ]


def with_pool(charge: engine.Charge, decisions: Decisions) -> engine.Charge:
    """Give an allocation the year's pool, unless the tariff fixes it."""
    if not engine.shares_year_pool(charge):
        return charge
    amount, reference = decisions.pools.get(charge.code, (None, ""))
    return replace(charge, pool=amount, pool_reference=reference)


def tariff_facts(schedule: Schedule, adoption: Adoption) -> dict[str, Any]:
    """Return what a basis says of the tariff that it applies, and of the act that adopted it."""
    return {
        "schedule": schedule.code,
        "schedule_name": schedule.name,
        "version": adoption.version.label,
        "version_id": adoption.version_id,
        "act": f"{adoption.act} – {adoption.act.subject}",
        "adoption_id": adoption.pk,
        "subject": f"{schedule.subject}, année scolaire {school_year.label(adoption.school_year)}",
    }


def _delivered(schedule: Schedule, year: int) -> list[dict[str, Any]]:
    """Return what proves the deliveries that the calls bill."""
    return proofs(Delivery.objects.yearly(year).filter(convention__schedule=schedule))


def source_labels() -> dict[str, str]:
    """Return what each source of counts is called, by its code."""
    return {source.code: source.label for source in HeadcountSource.objects.all()}


def _members(
    conventions: list[Convention],
    schools: Mapping[int, list[engine.School]],
    schedule: Schedule,
    year: int,
    decisions: Decisions,
) -> tuple[engine.Member, ...]:
    options = _options_by_convention(schedule, year)
    units = units_billed(year, convention__schedule=schedule)
    by_debtor: dict[int, list[engine.Agreement]] = defaultdict(list)
    for convention in conventions:
        by_debtor[convention.debtor_id].append(
            engine.Agreement(
                reference=convention.reference,
                title=convention.title,
                party="" if convention.party_id == convention.debtor_id else str(convention.party),
                schools=tuple(schools.get(convention.pk, ())),
                subscriptions=tuple(options[convention.pk]),
                units=tuple(units.get(convention.pk, ())),
                private_included=convention.private_included,
            )
        )
    debtors = {convention.debtor_id: convention.debtor for convention in conventions}
    return tuple(
        engine.Member(
            siret=identity(debtor),
            name=str(debtor),
            agreements=tuple(by_debtor[debtor.pk]),
            deductions=decisions.deductions.get(debtor.siret, ()) if debtor.siret else (),
            adjustments=decisions.adjustments.get(debtor.siret, ()) if debtor.siret else (),
        )
        for debtor in sorted(debtors.values(), key=identity)
    )


def identity(debtor: Member) -> str:
    """Return the SIRET of a debtor, or what stands for it at the same rank: its SIREN comes first.

    The cents left of a pool go by SIRET: those of the others must not move once this one is known.
    """
    return debtor.siret or f"{debtor.siren} {WITHOUT_SIRET} {debtor.pk}"


def enrolled_in(schedule: Schedule, year: int) -> QuerySet[Enrolment]:
    """Return the enrolments that the calls of a school year read, opened or not (see `opened_in`)."""
    return Enrolment.objects.filter(
        covering(year),
        covering(year, "convention__"),
        convention__schedule=schedule,
        convention__status__in=states.OWING,
    ).exclude(convention__policy__in=GATING)


def _schools_by_convention(
    enrolments: QuerySet[Enrolment], year: int, exclusions: Mapping[str, str], usage: bool
) -> dict[int, list[engine.School]]:
    described = describer(year, enrolments.values("school_id"), usage=usage)
    rows = with_openings(enrolments.order_by("school__uai", "pk")).values_list(
        "convention_id",
        *OPENINGS,
        *(f"school__{name}" for name in DESCRIBED),
    )
    schools: dict[int, list[engine.School]] = defaultdict(list)
    for convention_id, submitted_on, opened_on, from_opening, uai, *facts in rows:
        reason = not_yet_open(year, submitted_on, opened_on, from_opening)
        excluded = exclusions.get(uai) or reason
        schools[convention_id].append(described(uai, *facts, excluded))
    return schools


def _options_by_convention(schedule: Schedule, year: int) -> dict[int, list[str]]:
    rows = Subscription.objects.filter(covering(year), convention__schedule=schedule)
    return _grouped(rows.order_by("code").values_list("convention_id", "code"))


def _grouped(pairs: Iterable[tuple[int, Any]]) -> dict[int, list[Any]]:
    groups: dict[int, list[Any]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups
