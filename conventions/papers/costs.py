"""What a paper says of the price of a year: the tariff adopted, and what the agreement alone costs."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from conventions import estimates
from conventions.models import Convention
from conventions.policies import Policy
from entsvc.french import plural, price
from members.models import School
from tariffs import engine
from tariffs.adoption import NotAdopted, adopted, charges_of
from tariffs.models import Adoption, Schedule

# A count that lacks, or that only a decision made good: what it prices may still move.
UNSURE_COUNTS = frozenset({"missing_count", "missing_usage", "count_not_billable", "usage_above_count"})
NAMED = 5  # schools named in a remark; beyond, their number is enough
DOTS = "." * 16
SHARED = "part de la dépense de l'année, répartie entre les membres"


@dataclass(frozen=True)
class CostLine:
    """What a charge comes to: its words, how it is counted, its amount in euros, None while unsure."""

    label: str
    formula: str
    amount: Decimal | None


@dataclass(frozen=True)
class Cost:
    """The tariff of a year and what the agreement alone costs with it; no `total` while it is unsure.

    `remark` says, in French, what may still move in it.
    """

    charges: tuple[engine.Charge, ...] = ()
    adoption: Adoption | None = None
    lines: tuple[CostLine, ...] = ()
    total: Decimal | None = None
    remark: str = ""


def of_agreement(
    convention: Convention, policy: Policy | None, year: int, schools: tuple[School, ...]
) -> Cost:
    """Return what an agreement costs in a school year with a list of schools, options included.

    What a missing count prices is a line to be filled, and there is no total: no amount is guessed.
    """
    if policy and not policy.bills:
        return Cost()
    found = estimates.estimate(convention, year, list(schools))
    if found.adoption is None:
        return Cost()
    cost = Cost(found.charges, found.adoption)
    known = _by_charge(cost.charges, found.lines)
    remark = _to_confirm(found.anomalies)
    if found.complete and known:
        return replace(cost, lines=tuple(known.values()), total=found.total, remark=remark)
    sure = _without_counts(cost.charges, found)
    owed = _owed(found)
    lines = (known[c.code] if c.code in sure & known.keys() else open_line(c) for c in owed)
    return replace(cost, lines=tuple(lines), remark=remark)


def of_tariff(schedule: Schedule, year: int) -> Cost:
    """Return the tariff adopted for a school year, nothing when none is."""
    try:
        adoption = adopted(schedule, year)
    except NotAdopted:
        return Cost()
    return Cost(charges_of(adoption.version), adoption)


def open_line(charge: engine.Charge) -> CostLine:
    """Return the line of a charge whose quantity is not known: « ……… élèves × 1,30 € »."""
    if charge.model == engine.ALLOCATION:
        return CostLine(charge.label, SHARED, None)
    formula = f"{DOTS} {charge.unit_plural}"
    if charge.unit_price is not None:
        formula += f" × {price(charge.unit_price)}"
    return CostLine(charge.label, formula, None)


def is_option(charge: engine.Charge) -> bool:
    """Tell whether a member owes a charge only if it asked for it."""
    return bool(charge.subscription) or charge.metric == engine.UNITS


def _owed(found: estimates.Estimate) -> Iterable[engine.Charge]:
    """Return the charges of an agreement: those of all, the options it took, the units it ordered."""
    units = dict(found.agreement.units)
    for charge in found.charges:
        ordered = charge.metric != engine.UNITS or charge.code in units
        if ordered and (not charge.subscription or charge.subscription in found.agreement.subscriptions):
            yield charge


def _without_counts(charges: tuple[engine.Charge, ...], found: estimates.Estimate) -> set[str]:
    """Return the charges that stay sure while only counts of pupils or users lack."""
    if any(anomaly.blocking and anomaly.code not in UNSURE_COUNTS for anomaly in found.anomalies):
        return set()
    return {
        charge.code
        for charge in charges
        if charge.metric in (engine.SCHOOLS, engine.UNITS) and charge.model == engine.UNIT
    }


def _by_charge(charges: tuple[engine.Charge, ...], lines: Iterable[engine.Line]) -> dict[str, CostLine]:
    """Sum lines by charge, with the formula where one price holds: « 3 écoles × 45,00 € »."""
    units = {charge.code: (charge.unit_label, charge.unit_plural) for charge in charges}
    groups: dict[str, list[engine.Line]] = {}
    for line in lines:
        groups.setdefault(line.charge, []).append(line)
    found = {}
    for code, group in groups.items():
        quantity = sum(line.quantity for line in group)
        formula = plural(quantity, *units.get(code, (group[0].unit, "")))
        prices = {line.unit_price for line in group}
        if prices == {None}:
            formula = group[0].explanation.rpartition("=")[0].strip() or group[0].explanation
        elif len(prices) == 1:
            formula += f" × {price(group[0].unit_price)}"
        amount = sum((line.amount for line in group), Decimal("0.00"))
        found[code] = CostLine(group[0].charge_label, formula, amount)
    return found


def _to_confirm(anomalies: Iterable[engine.Anomaly]) -> str:
    """Return which counts lack or are approximations, accepted or not; empty when all are known."""
    uais = sorted({anomaly.uai for anomaly in anomalies if anomaly.code in UNSURE_COUNTS})
    if not uais:
        return ""
    which = f": {', '.join(uais)}" if len(uais) <= NAMED else f"dans {plural(len(uais), 'école')}"
    return f"Effectifs à confirmer {which}."
