"""What one agreement alone costs in a school year with a list of schools, by the engine of the calls."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from conventions.assessment import (
    DESCRIBED,
    OPENINGS,
    Decisions,
    covering,
    describer,
    not_yet_open,
    with_openings,
)
from conventions.deliveries import units_billed
from conventions.models import Convention
from conventions.policies import POLICIES
from conventions.school_lists import enrolled
from entsvc.french import euros, plural, price
from entsvc.money import round_cents
from members.models import School
from tariffs import engine
from tariffs.adoption import NotAdopted, adopted, charges_of
from tariffs.models import Adoption, Schedule

NOTHING = Decimal("0.00")
DECIDED: dict[str, Callable[..., Decisions]] = {}


@dataclass(frozen=True)
class Estimate:
    """What an agreement costs alone, in euros; `words` say how, « 3 écoles × 45,00 € = 135,00 € ».

    `adopted` is false where no act adopted a tariff for that year: nothing can be told, and an anomaly
    says so. Accepted anomalies and schools left out count as in the year's calls; what is shared out
    between all members, and what is deducted from the whole call of a payer, do not. `adoption`,
    `charges` and `agreement`, its options and its units, are what it was read from.
    """

    total: Decimal
    lines: tuple[engine.Line, ...]
    anomalies: tuple[engine.Anomaly, ...]
    adopted: bool
    words: tuple[str, ...] = ()
    adoption: Adoption | None = None
    charges: tuple[engine.Charge, ...] = ()
    agreement: engine.Agreement | None = None

    @property
    def complete(self) -> bool:
        """Tell whether the whole call is told: a tariff is adopted and nothing stands in the way."""
        return self.adopted and not any(
            anomaly.blocking or anomaly.code == "shared_out" for anomaly in self.anomalies
        )


def register_decisions(gather: Callable[..., Decisions]) -> None:
    """Let the room above tell what staff decided of the schools of a schedule and school year.

    `gather(schedule, year, counted=…)`: `counted` is false for a tariff that reads no count.
    """
    DECIDED["calls"] = gather


def decided_on_schools(schedule: Schedule, year: int, *, counted: bool = False) -> Decisions:
    """Return what staff decided of the schools of a schedule and school year (see above)."""
    gather = DECIDED.get("calls")
    return gather(schedule, year, counted=counted) if gather else Decisions()


def estimate(convention: Convention, year: int, schools: Iterable[School] | None = None) -> Estimate:
    """Return what an agreement, whatever its state, costs in a school year with this list of schools.

    Without a list, with the one it names that year. A pool shared between members can't be told for one
    of them: it is left out, and a notice says so.
    """
    (found,) = estimates(
        convention, year, [enrolled(convention, year) if schools is None else list(schools)]
    )
    return found


def estimates(convention: Convention, year: int, lists: list[list[School]]) -> list[Estimate]:
    """Return what `estimate` says of several lists, from one reading of the database."""
    policy = POLICIES.get(convention.policy)
    if policy and not policy.bills:
        notice = engine.Anomaly("bills_nothing", policy.note, blocking=False)
        return [Estimate(NOTHING, (), (notice,), True) for _ in lists]
    try:
        adoption = adopted(convention.schedule, year)
    except NotAdopted as error:
        missing = engine.Anomaly("not_adopted", str(error))
        return [Estimate(NOTHING, (), (missing,), False) for _ in lists]
    charges = charges_of(adoption.version)
    decisions = decided_on_schools(convention.schedule, year, counted=_read_counts(charges))
    keys = {school.pk for schools in lists for school in schools}
    read = _read(convention, year, charges, keys, decisions)
    return [
        replace(_estimate(charges, read(schools), year, decisions), adoption=adoption)
        for schools in lists
    ]


def _estimate(
    charges: tuple[engine.Charge, ...], member: engine.Member, year: int, decisions: Decisions
) -> Estimate:
    alone = tuple(charge for charge in charges if charge.model != engine.ALLOCATION)
    shared = [charge for charge in charges if charge.model == engine.ALLOCATION]
    (result,) = engine.compute(alone, [member], year, decisions.acceptances)
    anomalies = result.anomalies
    if shared:  # a school that only a shared charge prices would seem out of the tariff
        anomalies = _without_out_of_scope(charges, member, result, year)
    return Estimate(
        result.total,
        tuple(result.lines),
        (*anomalies, *map(_shared_out, shared)),
        True,
        tuple(_in_words(alone, result.lines)),
        charges=charges,
        agreement=member.agreements[0],
    )


def _read(
    convention: Convention,
    year: int,
    charges: tuple[engine.Charge, ...],
    keys: set[int],
    decisions: Decisions,
) -> Callable[[list[School]], engine.Member]:
    """Return what makes the payer as the engine reads it, with this agreement and a list of schools."""
    counted = sorted(keys) if _read_counts(charges) else School.objects.none()
    usage = any(charge.metric == engine.ACTIVE_PUPILS for charge in charges)
    described = describer(year, counted, usage=usage)
    rows = convention.enrolments.filter(covering(year), school__in=keys).order_by("pk")
    opening = {
        key: not_yet_open(year, *facts)
        for key, *facts in with_openings(rows).values_list("school_id", *OPENINGS)
    }
    options = convention.subscriptions.filter(covering(year)).order_by("code")
    units = units_billed(year, convention=convention).get(convention.pk, ())
    empty = engine.Agreement(
        reference=convention.reference,
        title=convention.title,
        subscriptions=tuple(options.values_list("code", flat=True)),
        units=tuple(units),
        private_included=convention.private_included,
    )
    siret, name = convention.debtor.siret or "", str(convention.debtor)

    def member(schools: list[School]) -> engine.Member:
        listed = tuple(
            described(
                *(getattr(school, column) for column in DESCRIBED),
                decisions.exclusions.get(school.uai) or opening.get(school.pk, ""),
            )
            for school in sorted(schools, key=lambda school: school.uai)
        )
        return engine.Member(siret, name, (replace(empty, schools=listed),))

    return member


def _read_counts(charges: tuple[engine.Charge, ...]) -> bool:
    """Tell whether a charge reads a count of pupils."""
    return any(
        charge.metric in (engine.PUPILS, engine.ACTIVE_PUPILS) or charge.model == engine.BANDED
        for charge in charges
    )


def _without_out_of_scope(
    charges: tuple[engine.Charge, ...], member: engine.Member, result: engine.Result, year: int
) -> list[engine.Anomaly]:
    """Keep only the schools out of scope that are so for the whole tariff."""
    free = [replace(charge, pool=None) for charge in charges]
    (whole,) = engine.compute(free, [member], year)
    really = {anomaly.uai for anomaly in whole.anomalies if anomaly.code == "out_of_scope"}
    return [a for a in result.anomalies if a.code != "out_of_scope" or a.uai in really]


def _shared_out(charge: engine.Charge) -> engine.Anomaly:
    message = (
        f"« {charge.label} » se répartit entre tous les membres : sa part n'est connue qu'au calcul des "
        "appels."
    )
    return engine.Anomaly("shared_out", message, blocking=False)


def _in_words(charges: Iterable[engine.Charge], lines: list[engine.Line]) -> Iterable[str]:
    """Yield one sentence for the lines of a charge at a same price."""
    for charge in charges:
        prices = dict.fromkeys(line.unit_price for line in lines if line.charge == charge.code)
        for unit_price in prices:
            same = [
                line for line in lines if line.charge == charge.code and line.unit_price == unit_price
            ]
            quantity, amount = sum(x.quantity for x in same), sum(x.amount for x in same)
            counted = plural(quantity, charge.unit_label, charge.unit_plural)
            if round_cents(unit_price * quantity) == amount:
                yield f"{counted} × {price(unit_price)} = {euros(amount)}"
            else:  # each line is rounded
                yield f"{counted} à {price(unit_price)} : {euros(amount)}"
