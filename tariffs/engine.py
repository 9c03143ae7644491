"""What each member owes: metric × charge model × scope, and nothing else.

A pure calculation over dataclasses: no database, no request, no clock. Money is Decimal euros, rounded
once per printed line; a total is the sum of its printed lines. What can't be computed is an Anomaly,
never an exception and never a silent zero.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from entsvc import school_year
from entsvc.french import euros, integer, plural, price
from entsvc.money import CENT, round_cents

PUPILS, ACTIVE_PUPILS, SCHOOLS, UNITS = "pupils", "active_pupils", "schools", "units"
UNIT, BANDED, ALLOCATION = "unit", "banded", "allocation"
DEDUCTION = "DEDUCTION"


@dataclass(frozen=True)
class Band:
    """A price for quantities from `lower` to `upper`, both included."""

    lower: int
    upper: int
    price: Decimal


@dataclass(frozen=True)
class Charge:
    """One thing billed. `pool` is the amount shared out by an allocation, once known."""

    code: str
    label: str
    unit_label: str
    unit_plural: str
    metric: str
    model: str
    unit_price: Decimal | None = None
    pool: Decimal | None = None
    degree: str = ""
    sector: str = ""
    subscription: str = ""
    bands: tuple[Band, ...] = ()


@dataclass(frozen=True)
class School:
    """A school named by an agreement, with the counts retained for the year (None: unknown)."""

    uai: str
    name: str
    commune: str
    degree: str
    sector: str
    pupils: int | None = None
    pupils_source: str = ""
    pupils_billable: bool = True
    active_pupils: int | None = None


@dataclass(frozen=True)
class Agreement:
    """What one agreement brings into the year: schools, subscribed options, delivered units.

    `title` is how documents name it; `party` who signed, when it is not the debtor.
    """

    reference: str
    title: str
    party: str = ""
    schools: tuple[School, ...] = ()
    subscriptions: tuple[str, ...] = ()
    units: tuple[tuple[str, int], ...] = ()
    private_included: bool = False


@dataclass(frozen=True)
class Deduction:
    """A decided subsidy that comes off a member's call."""

    label: str
    amount: Decimal


@dataclass(frozen=True)
class Member:
    """A debtor and all the agreements it pays for."""

    siret: str
    name: str
    agreements: tuple[Agreement, ...]
    deductions: tuple[Deduction, ...] = ()


@dataclass(frozen=True)
class Line:
    """A printed line: quantity × unit price = amount, and the words of it."""

    charge: str
    charge_label: str
    agreement: str
    uai: str
    school: str
    commune: str
    quantity: int
    unit: str
    unit_price: Decimal | None
    amount: Decimal
    explanation: str


@dataclass(frozen=True)
class Anomaly:
    """Why an amount can't be trusted; a blocking one keeps its member from being issued."""

    code: str
    message: str
    uai: str = ""
    blocking: bool = True


@dataclass
class Result:
    """What one member owes, and what stands in the way."""

    member: Member
    lines: list[Line] = field(default_factory=list)
    anomalies: list[Anomaly] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        """Return the sum of the printed lines, in euros."""
        return sum((line.amount for line in self.lines), Decimal("0.00"))

    @property
    def blocked(self) -> bool:
        """Tell whether an anomaly keeps the member from being issued."""
        return any(anomaly.blocking for anomaly in self.anomalies)

    def report(self, anomaly: Anomaly) -> None:
        """Add an anomaly, once per code and school."""
        if all((a.code, a.uai) != (anomaly.code, anomaly.uai) for a in self.anomalies):
            self.anomalies.append(anomaly)


def compute(charges: Iterable[Charge], members: Iterable[Member], year: int) -> list[Result]:
    """Return one Result per member, by SIRET, whatever the order of the input.

    `year` is the school year (2024 for 2024-2025), used in messages only.
    """
    charges = tuple(charges)
    results = [Result(member) for member in sorted(members, key=lambda m: m.siret)]
    _check_agreements(charges, results)
    for charge in charges:
        if charge.model == ALLOCATION:
            _allocate(charge, results, year)
        else:
            for result in results:
                _price(charge, result, year)
    for result in results:
        _deduct(result)
    return results


def share_out(pool: Decimal, weights: dict[str, int]) -> dict[str, Decimal]:
    """Share `pool` euros in proportion to integer weights, exactly to the cent.

    Largest remainder; ties go to the smallest key (the SIRET), so that the order of the input never
    matters. Raises ValueError when no weight is positive.
    """
    whole = sum(weights.values())
    if whole <= 0:
        raise ValueError("Aucun poids : l'enveloppe ne peut pas être répartie.")
    cents = int(pool / CENT)
    parts = {key: divmod(cents * weight, whole) for key, weight in weights.items()}
    left = cents - sum(quotient for quotient, _ in parts.values())
    ranked = sorted(parts, key=lambda key: (-parts[key][1], key))
    return {key: (parts[key][0] + (1 if rank < left else 0)) * CENT for rank, key in enumerate(ranked)}


def band_for(bands: Iterable[Band], quantity: int) -> Band | None:
    """Return the band that holds a quantity, or None outside of all of them."""
    return next((band for band in bands if band.lower <= quantity <= band.upper), None)


def _in_scope(charge: Charge, school: School, agreement: Agreement) -> bool:
    """Private schools count only where the agreement says so."""
    public_or_agreed = school.sector != "prive" or agreement.private_included
    return (
        public_or_agreed
        and charge.degree in ("", school.degree)
        and charge.sector in ("", school.sector)
    )


def _check_agreements(charges: tuple[Charge, ...], results: list[Result]) -> None:
    """Report what no charge will ever price, and what would be priced twice."""
    seen = Counter(s.uai for r in results for a in r.member.agreements for s in a.schools)
    per_school = [charge for charge in charges if charge.metric != UNITS]
    options = {charge.subscription for charge in charges}
    unit_codes = {charge.code for charge in charges if charge.metric == UNITS}
    for result in results:
        for agreement in result.member.agreements:
            if not agreement.schools and not agreement.units:
                result.report(Anomaly("no_school", f"Aucune école inscrite dans {agreement.title}."))
            for code in set(agreement.subscriptions) - options:
                message = f"L'option {code} de {agreement.title} n'existe pas dans ce tarif."
                result.report(Anomaly("unknown_option", message))
            for code, _ in agreement.units:
                if code not in unit_codes:
                    message = f"Les unités {code} de {agreement.title} n'ont pas de prix ici."
                    result.report(Anomaly("unknown_unit", message))
            for school in agreement.schools:
                _check_school(school, agreement, per_school, seen, result)


def _check_school(
    school: School,
    agreement: Agreement,
    charges: list[Charge],
    seen: Counter,
    result: Result,
) -> None:
    if seen[school.uai] > 1:
        message = f"{_named(school)} figure dans plusieurs conventions de la même année."
        result.report(Anomaly("school_twice", message, school.uai))
    if not school.degree:
        message = f"{school.uai} est absente de l'annuaire : importez-le ou corrigez ce code."
        result.report(Anomaly("school_unknown", message, school.uai))
    elif charges and not any(_in_scope(charge, school, agreement) for charge in charges):
        message = f"{_named(school)} n'entre dans aucune ligne de ce tarif."
        result.report(Anomaly("out_of_scope", message, school.uai))


def _subscribed(charge: Charge, agreement: Agreement) -> bool:
    return not charge.subscription or charge.subscription in agreement.subscriptions


def _applicable(charge: Charge, result: Result) -> Iterator[tuple[Agreement, School]]:
    for agreement in result.member.agreements:
        if _subscribed(charge, agreement):
            for school in agreement.schools:
                if school.degree and _in_scope(charge, school, agreement):
                    yield agreement, school


def _quantity(charge: Charge, school: School, result: Result, year: int) -> int | None:
    """Return the metric of a school, or None after reporting why it is unknown."""
    if charge.metric == SCHOOLS:
        return 1
    if charge.metric == PUPILS:
        return _pupils(school, result, year)
    if school.active_pupils is None:
        message = f"Aucun usage connu pour {_named(school)} en {school_year.label(year)}."
        result.report(Anomaly("missing_usage", message, school.uai))
        return None
    if school.pupils is not None and school.active_pupils > school.pupils:
        message = (
            f"{_named(school)} : {integer(school.active_pupils)} élèves actifs pour "
            f"{plural(school.pupils, 'élève')}."
        )
        result.report(Anomaly("usage_above_count", message, school.uai))
    return school.active_pupils


def _pupils(school: School, result: Result, year: int) -> int | None:
    if school.pupils is None:
        message = f"Aucun effectif pour {_named(school)} en {school_year.label(year)}."
        result.report(Anomaly("missing_count", message, school.uai))
    elif not school.pupils_billable:
        message = (
            f"L'effectif de {_named(school)} ({school.pupils_source}) est une approximation : "
            "remplacez-le par le constat de rentrée."
        )
        result.report(Anomaly("count_not_billable", message, school.uai))
    return school.pupils


def _price(charge: Charge, result: Result, year: int) -> None:
    """Add the unit or banded lines of a charge: one per school, or one per agreement for units."""
    if charge.metric == UNITS:
        for agreement in result.member.agreements:
            quantity = dict(agreement.units).get(charge.code, 0)
            if quantity and _subscribed(charge, agreement):
                _add_line(charge, result, agreement, None, quantity, quantity)
        return
    for agreement, school in _applicable(charge, result):
        quantity = _quantity(charge, school, result, year)
        banding = quantity
        if charge.model == BANDED and charge.metric == SCHOOLS:
            banding = _pupils(school, result, year)
        if quantity is not None and banding is not None:
            _add_line(charge, result, agreement, school, quantity, banding)


def _add_line(
    charge: Charge,
    result: Result,
    agreement: Agreement,
    school: School | None,
    quantity: int,
    banding: int,
) -> None:
    unit_price = charge.unit_price
    if charge.model == BANDED:
        band = band_for(charge.bands, banding)
        if band is None:
            where = _named(school) if school else agreement.title
            message = f"{where} : {integer(banding)}, hors des tranches de « {charge.label} »."
            result.report(Anomaly("outside_bands", message, school.uai if school else ""))
            return
        unit_price = band.price
    amount = round_cents(unit_price * quantity)
    words = f"{_units(charge, quantity)} × {price(unit_price)} = {euros(amount)}"
    if charge.model == BANDED:
        words += f" (tranche de {integer(band.lower)} à {integer(band.upper)})"
    result.lines.append(
        Line(
            charge=charge.code,
            charge_label=charge.label,
            agreement=agreement.reference,
            uai=school.uai if school else "",
            school=school.name if school else "",
            commune=school.commune if school else "",
            quantity=quantity,
            unit=charge.unit_label,
            unit_price=unit_price,
            amount=amount,
            explanation=words,
        )
    )


def _allocate(charge: Charge, results: list[Result], year: int) -> None:
    """Share the charge's pool between the members: weights must all be known, or nobody is billed.

    A member blocked for another reason keeps its share, so that mending it moves no one else's.
    """
    weights: dict[str, int] = {}
    unknown: list[str] = []
    for result in results:
        quantities = _weights(charge, result, year)
        if quantities:
            weights[result.member.siret] = sum(q for _, q in quantities if q is not None)
            unknown += [where for where, q in quantities if q is None]
    sharers = [result for result in results if result.member.siret in weights]
    problem = _pool_problem(charge, weights, unknown)
    if problem:
        for result in sharers:
            result.report(problem)
        return
    if not sharers:
        return
    shares = share_out(charge.pool, weights)
    whole = sum(weights.values())
    for result in sharers:
        weight, amount = weights[result.member.siret], shares[result.member.siret]
        words = (
            f"{_units(charge, weight)} sur {integer(whole)} : "
            f"{euros(charge.pool)} × {integer(weight)} / {integer(whole)} = {euros(amount)}"
        )
        reference = result.member.agreements[0].reference
        result.lines.append(
            Line(
                charge=charge.code,
                charge_label=charge.label,
                agreement=reference,
                uai="",
                school="",
                commune="",
                quantity=weight,
                unit=charge.unit_label,
                unit_price=None,
                amount=amount,
                explanation=words,
            )
        )


def _weights(charge: Charge, result: Result, year: int) -> list[tuple[str, int | None]]:
    """Return (what, quantity) for all that weighs in a member's share of a pool."""
    if charge.metric == UNITS:
        return [
            (agreement.title, quantity)
            for agreement in result.member.agreements
            for code, quantity in agreement.units
            if code == charge.code and _subscribed(charge, agreement)
        ]
    return [
        (school.uai, _quantity(charge, school, result, year))
        for _, school in _applicable(charge, result)
    ]


def _pool_problem(charge: Charge, weights: dict[str, int], unknown: list[str]) -> Anomaly | None:
    if charge.pool is None:
        return Anomaly("missing_pool", f"L'enveloppe à répartir « {charge.label} » n'est pas saisie.")
    if unknown:
        message = (
            f"« {charge.label} » ne peut pas être répartie : quantité inconnue pour "
            f"{', '.join(sorted(unknown))}."
        )
        return Anomaly("pool_weight_unknown", message)
    if weights and not sum(weights.values()):
        return Anomaly("pool_without_weight", f"« {charge.label} » n'a rien sur quoi se répartir.")
    return None


def _deduct(result: Result) -> None:
    """Take the decided subsidies off the call, never below zero."""
    for deduction in result.member.deductions:
        applied = min(deduction.amount, max(result.total, Decimal("0.00")))
        if applied < deduction.amount:
            message = (
                f"« {deduction.label} » dépasse l'appel : {euros(deduction.amount - applied)} "
                "restent à imputer."
            )
            result.report(Anomaly("deduction_above_call", message, blocking=False))
        if applied:
            result.lines.append(
                Line(
                    charge=DEDUCTION,
                    charge_label=deduction.label,
                    agreement="",
                    uai="",
                    school="",
                    commune="",
                    quantity=1,
                    unit="déduction",
                    unit_price=-applied,
                    amount=-applied,
                    explanation=f"{deduction.label} : {euros(-applied)}",
                )
            )


def _units(charge: Charge, quantity: int) -> str:
    return plural(quantity, charge.unit_label, charge.unit_plural)


def _named(school: School) -> str:
    return f"{school.uai} ({school.name}, {school.commune})" if school.name else school.uai
