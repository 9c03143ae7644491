"""Why a line of a call is what it is, in words, from the frozen basis alone.

Pure: the same basis and the same line always say the same. What the rows of today add to it, the import
that gave a count or the act to open, is read by `explanation_sources`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from conventions.assessment import DELIVERED
from conventions.basis import Basis
from entsvc.french import NO_BREAK, euros, integer, plural, price
from entsvc.money import CENT, round_cents
from invoicing.claims import FROZEN
from tariffs import engine
from tariffs.scope import applicable, subscribed

METRICS = {
    engine.PUPILS: "élèves",
    engine.ACTIVE_PUPILS: "élèves actifs",
    engine.SCHOOLS: "écoles",
    engine.UNITS: "unités",
}
MODELS = {
    engine.UNIT: "prix unitaire × quantité",
    engine.BANDED: "prix de la tranche où tombe toute la quantité",
    engine.ALLOCATION: "enveloppe répartie en proportion, au centime près par le plus fort reste",
}
ZERO = Decimal("0.00")
SHOWN_DECIMALS = Decimal("0.000001")


@dataclass(frozen=True)
class Counted:
    """A number that a line rests on; `metric` tells pupils from active pupils."""

    uai: str
    school: str
    commune: str
    metric: str
    number: int | None
    source: str
    source_label: str
    is_billable: bool


@dataclass(frozen=True)
class Delivered:
    """Units that a line bills, and what proves them."""

    day: str
    quantity: int
    subject: str
    proof: str
    sha256: str


@dataclass(frozen=True)
class Called:
    """What a titre of the same school year asks already for the same thing, in euros."""

    titre: str
    label: str
    amount: Decimal


@dataclass(frozen=True)
class Decided:
    """What a deduction or an adjustment rests on."""

    label: str
    amount: Decimal
    reason: str


@dataclass(frozen=True)
class Explanation:
    """A line told whole. `steps` are sentences, in the order of the calculation."""

    steps: tuple[str, ...]
    charge: engine.Charge | None
    agreements: tuple[engine.Agreement, ...]
    counts: tuple[Counted, ...]
    deliveries: tuple[Delivered, ...]
    called: tuple[Called, ...]
    decision: Decided | None

    @property
    def metric(self) -> str:
        """Return what the charge counts, in words."""
        return METRICS[self.charge.metric] if self.charge else ""

    @property
    def model(self) -> str:
        """Return how the charge is priced, in words."""
        return MODELS[self.charge.model] if self.charge else ""


def explain(basis: Basis, siret: str, line: Any) -> Explanation:
    """Explain a line of a call, as kept by the run or issued (see `invoicing.models.LineFacts`)."""
    member = next((m for m in basis.members if m.siret == siret), None)
    charge = next((c for c in basis.charges if c.code == line.charge), None)
    called = tuple(_called(basis, siret, line, charge))
    agreements = tuple(_agreements(member, line, charge))
    decision = _decision(member, line)
    return Explanation(
        steps=tuple(_steps(basis, member, charge, line, called, decision)),
        charge=charge,
        agreements=agreements,
        counts=tuple(_counts(basis, member, charge, line)),
        deliveries=tuple(_deliveries(basis, agreements, charge)),
        called=called,
        decision=decision,
    )


# --- The formula, in words ------------------------------------------------------------------


def _steps(
    basis: Basis,
    member: engine.Member | None,
    charge: engine.Charge | None,
    line: Any,
    called: tuple[Called, ...],
    decision: Decided | None,
) -> Iterator[str]:
    yield line.explanation
    if decision:
        yield from _decided_in_words(decision, line)
    if charge is None:
        return
    if charge.model == engine.BANDED:
        yield from _banded(member, charge, line)
    if charge.model == engine.ALLOCATION:
        yield from _shared(basis, member, charge, line, partial=bool(called))
    if called:
        yield (
            f"Déjà appelé pour cette ligne : {euros(sum((c.amount for c in called), ZERO))}. Seule la "
            "différence avec ce qui est dû aujourd'hui est appelée ici."
        )
    elif line.unit_price is not None and charge.model != engine.ALLOCATION:
        yield from _product(line)


def _product(line: Any) -> Iterator[str]:
    exact = line.unit_price * line.quantity
    if round_cents(exact) != exact:
        yield (
            f"{price(line.unit_price)} × {integer(line.quantity)} font {_exactly(exact)}, arrondis une "
            f"seule fois, au centime le plus proche : {euros(line.amount)}."
        )


def _banded(member: engine.Member | None, charge: engine.Charge, line: Any) -> Iterator[str]:
    counted, what = line.quantity, METRICS[charge.metric]
    if charge.metric == engine.SCHOOLS:
        found = next((s for _, s in applicable(charge, member) if s.uai == line.uai), None)
        counted, what = (found.pupils if found else None), METRICS[engine.PUPILS]
    band = engine.band_for(charge.bands, counted) if counted is not None else None
    if band is None:
        return
    yield (
        f"{integer(counted)} {what} : tranche de {integer(band.lower)} à {integer(band.upper)}, bornes "
        f"comprises, au prix de {price(band.price)}."
    )
    if band.note and counted == band.upper:
        yield band.note


def _shared(
    basis: Basis, member: engine.Member | None, charge: engine.Charge, line: Any, *, partial: bool
) -> Iterator[str]:
    weights = {m.siret: weight_of(charge, m) for m in basis.members}
    own, whole = weights.get(member.siret if member else "", 0), sum(weights.values())
    if charge.pool is None or not whole:
        return
    origin = f", {charge.pool_reference}" if charge.pool_reference else ", fixée par le tarif"
    yield f"Enveloppe à répartir : {euros(charge.pool)}{origin}."
    sharing = sum(1 for weight in weights.values() if weight)
    yield (
        f"Poids de ce membre : {integer(own)} {METRICS[charge.metric]} sur {integer(whole)}, "
        f"{plural(sharing, 'membre')} se partageant l'enveloppe."
    )
    exact = charge.pool * own / whole
    floor = exact.quantize(CENT, rounding=ROUND_FLOOR)
    yield f"{euros(charge.pool)} × {integer(own)} / {integer(whole)} = {_exactly(exact)}."
    if partial or exact == floor:
        return
    rule = "les centimes qui manquent à la somme vont aux plus forts restes, puis au plus petit SIRET"
    if line.amount > floor:
        yield f"Le centime entamé lui revient, soit {euros(line.amount)} : {rule}."
    else:
        yield f"Le centime entamé ne lui revient pas, soit {euros(floor)} : {rule}."


def weight_of(charge: engine.Charge, member: engine.Member) -> int:
    """Return what a member weighs in a pool: the metric of its schools, or its units."""
    if charge.metric == engine.UNITS:
        return sum(dict(a.units).get(charge.code, 0) for a in member.agreements if subscribed(charge, a))
    return sum(_number(charge.metric, school) or 0 for _, school in applicable(charge, member))


def _exactly(amount: Decimal) -> str:
    """Print euros with the decimals that rounding will take, six at most."""
    shown = amount.quantize(SHOWN_DECIMALS).normalize()
    if shown == round_cents(amount):
        return euros(round_cents(amount))
    whole, _, decimals = f"{shown:f}".partition(".")
    more = "…" if shown != amount else ""
    return f"{integer(int(whole))},{decimals}{more}{NO_BREAK}€"


def _decided_in_words(decision: Decided, line: Any) -> Iterator[str]:
    if line.charge == engine.DEDUCTION:
        yield f"Déduction décidée de {euros(decision.amount)}, jamais au-delà de l'appel."
        if decision.amount != -line.amount:
            left = decision.amount + line.amount
            yield f"{euros(-line.amount)} en sont déduits : {euros(left)} dépassaient l'appel."
    else:
        yield f"Ajustement saisi à la main de {euros(decision.amount)}, imprimé avec son motif."
        if decision.amount != line.amount:
            yield f"Ramené à {euros(line.amount)} : un appel ne descend pas sous zéro."


# --- What it rests on -----------------------------------------------------------------------


def _agreements(
    member: engine.Member | None, line: Any, charge: engine.Charge | None
) -> Iterator[engine.Agreement]:
    """Return the agreement of a line; all those that weigh in a share of a pool."""
    for agreement in member.agreements if member else ():
        shares = charge is not None and charge.model == engine.ALLOCATION
        if agreement.reference == line.agreement or (shares and subscribed(charge, agreement)):
            yield agreement


def _counts(
    basis: Basis, member: engine.Member | None, charge: engine.Charge | None, line: Any
) -> Iterator[Counted]:
    if member is None or charge is None or charge.metric == engine.UNITS:
        return
    metric = charge.metric
    if metric == engine.SCHOOLS and charge.model == engine.BANDED:
        metric = engine.PUPILS
    for agreement, school in applicable(charge, member):
        if line.uai and (school.uai != line.uai or agreement.reference != line.agreement):
            continue
        active = metric == engine.ACTIVE_PUPILS
        source = school.active_source if active else school.pupils_source
        read = metric != engine.SCHOOLS
        yield Counted(
            uai=school.uai,
            school=school.name,
            commune=school.commune,
            metric=metric,
            number=_number(metric, school),
            source=source if read else "",
            source_label=basis.facts.get("sources", {}).get(source, source) if read else "",
            is_billable=(school.active_billable if active else school.pupils_billable) or not read,
        )


def _number(metric: str, school: engine.School) -> int | None:
    if metric == engine.SCHOOLS:
        return 1
    return school.active_pupils if metric == engine.ACTIVE_PUPILS else school.pupils


def _deliveries(
    basis: Basis, agreements: Iterable[engine.Agreement], charge: engine.Charge | None
) -> Iterator[Delivered]:
    if charge is None or charge.metric != engine.UNITS:
        return
    references = {agreement.reference for agreement in agreements}
    for row in basis.facts.get(DELIVERED, ()):
        if row["code"] == charge.code and row["agreement"] in references:
            day = row["on"]
            yield Delivered(day, row["quantity"], row["subject"], row["proof"], row["sha256"])


def _called(basis: Basis, siret: str, line: Any, charge: engine.Charge | None) -> Iterator[Called]:
    """Return what the titres ask of the same thing, frozen with a supplementary run."""
    shared = charge is not None and charge.model == engine.ALLOCATION
    for debtor in basis.facts.get(FROZEN, ()):
        if debtor["siret"] != siret:
            continue
        for row in debtor["rows"]:
            same = shared or (row["uai"], row["agreement"]) == (line.uai, line.agreement)
            if row["charge"] == line.charge and same:
                yield Called(row["titre"], row["charge_label"], Decimal(row["amount"]))


def _decision(member: engine.Member | None, line: Any) -> Decided | None:
    if member is None:
        return None
    if line.charge == engine.DEDUCTION:
        held: Mapping[Decided, Decimal] = {
            Decided(d.label, d.amount, d.reference): -d.amount for d in member.deductions
        }
    elif line.charge == engine.ADJUSTMENT:
        held = {Decided(a.label, a.amount, a.reason): a.amount for a in member.adjustments}
    else:
        return None
    named = {decided: amount for decided, amount in held.items() if decided.label == line.charge_label}
    exact = (decided for decided, amount in named.items() if amount == line.amount)
    return next(exact, next(iter(named), None))
