"""What each member owes: metric × charge model × scope, and nothing else.

A pure calculation over `tariffs.facts`: no database, no request, no clock. Money is Decimal euros,
rounded once per printed line; a total is the sum of its printed lines. What can't be computed is an
Anomaly, never an exception and never a silent zero.
"""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from entsvc import school_year
from entsvc.french import MINUS, NO_BREAK, euros, integer, plural, price
from entsvc.money import CENT, round_cents
from tariffs.agreement_checks import check_agreements, listed_twice
from tariffs.facts import (
    ACTIVE_PUPILS,
    ALLOCATION,
    BANDED,
    PUPILS,
    SCHOOLS,
    UNIT,
    UNITS,
    Acceptance,
    Adjustment,
    Agreement,
    Anomaly,
    Band,
    Charge,
    Deduction,
    Line,
    Member,
    Result,
    School,
)
from tariffs.scope import applicable, in_scope, reads, schools_read, shares_year_pool, subscribed

__all__ = [
    "ACTIVE_PUPILS",
    "ALLOCATION",
    "BANDED",
    "PUPILS",
    "SCHOOLS",
    "UNIT",
    "UNITS",
    "Acceptance",
    "Adjustment",
    "Agreement",
    "Anomaly",
    "Band",
    "Charge",
    "Deduction",
    "Line",
    "Member",
    "Result",
    "School",
    "after_acceptance",
    "band_for",
    "compute",
    "notices",
    "reads",
    "schools_read",
    "share_out",
    "shares_year_pool",
]

DEDUCTION, ADJUSTMENT = "DEDUCTION", "AJUSTEMENT"
ZERO = Decimal("0.00")
VARIATION = 20  # per cent: a count that moves more in a year deserves a look
ACCEPTABLE = frozenset(
    {
        "count_not_billable",
        "deduction_above_call",
        "voted_amount_differs",
        "objection_unanswered",
        "objection_to_mend",
    }
)
SHOWN = 10  # schools named in a message; each is named by an anomaly of its own


def compute(
    charges: Iterable[Charge],
    members: Iterable[Member],
    year: int,
    acceptances: Iterable[Acceptance] = (),
) -> list[Result]:
    """Return one Result per member, by SIRET, whatever the order of the input.

    `year` is the school year (2024 for 2024-2025), used in messages only.
    """
    charges = tuple(charges)
    results = [Result(member) for member in sorted(members, key=lambda m: m.siret)]
    accepted = tuple(acceptances)
    twice = listed_twice(results)
    check_agreements(charges, results, twice)
    for charge in charges:
        if charge.model == ALLOCATION:
            _allocate(charge, results, year, _doubtful(charge, results, twice, accepted))
        else:
            for result in results:
                _price(charge, result, year)
    for result in results:
        _adjust(result)
        _deduct(result)
        siret = result.member.siret
        result.anomalies = [after_acceptance(a, siret, accepted) for a in result.anomalies]
    return results


def notices(charges: Iterable[Charge], results: Iterable[Result]) -> list[Anomaly]:
    """Return what a reader of these results should know: the notices of the charges that bear lines."""
    borne = {line.charge for result in results for line in result.lines}
    return [
        Anomaly("notice", f"{charge.label} : {charge.notice}", blocking=False)
        for charge in charges
        if charge.notice and charge.code in borne
    ]


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


def after_acceptance(anomaly: Anomaly, siret: str, acceptances: tuple[Acceptance, ...]) -> Anomaly:
    """Return a member's anomaly, not blocking once it may be accepted and someone gave a reason."""
    if anomaly.code not in ACCEPTABLE:
        return anomaly
    reason = _reason(anomaly.code, siret, anomaly.uai, acceptances)
    return replace(anomaly, blocking=False, accepted=reason) if reason else anomaly


def band_for(bands: Iterable[Band], quantity: int) -> Band | None:
    """Return the band that holds a quantity, or None outside of all of them."""
    return next((band for band in bands if band.lower <= quantity <= band.upper), None)


def _reason(code: str, siret: str, uai: str, acceptances: tuple[Acceptance, ...]) -> str:
    """Return why an anomaly of a member and school was accepted, or nothing."""
    for acceptance in acceptances:
        if acceptance.code == code and acceptance.siret in ("", siret) and acceptance.uai in ("", uai):
            return acceptance.reason
    return ""


def _doubtful(
    charge: Charge, results: list[Result], twice: set[str], acceptances: tuple[Acceptance, ...]
) -> set[tuple[str, str]]:
    """Return the (SIRET, UAI) whose weight in a pool may still move: a school listed twice, or whose
    approximate count nobody accepted."""
    doubtful = set()
    for result in results:
        siret = result.member.siret
        for school in (s for a in result.member.agreements for s in a.billed):
            approximate = (charge.metric == PUPILS and not school.pupils_billable) or (
                charge.metric == ACTIVE_PUPILS and not school.active_billable
            )
            if school.uai in twice or (
                approximate and not _reason("count_not_billable", siret, school.uai, acceptances)
            ):
                doubtful.add((siret, school.uai))
    return doubtful


def _quantity(charge: Charge, school: School, result: Result, year: int) -> int | None:
    """Return the metric of a school, or None after reporting why it is unknown."""
    if charge.metric == SCHOOLS:
        return 1
    if charge.metric == PUPILS:
        return _pupils(school, result, year)
    if school.active_pupils is None:
        message = f"Aucun usage connu pour {school.named} en {school_year.label(year)}."
        result.report(Anomaly("missing_usage", message, school.uai))
        return None
    if school.pupils is not None and school.active_pupils > school.pupils:
        message = (
            f"{school.named} : {integer(school.active_pupils)} élèves actifs pour "
            f"{plural(school.pupils, 'élève')}."
        )
        result.report(Anomaly("usage_above_count", message, school.uai))
    if not school.active_billable:
        message = (
            f"L'usage de {school.named} ({school.active_source}) est une approximation : "
            "remplacez-le par le relevé de l'année."
        )
        result.report(Anomaly("count_not_billable", message, school.uai))
    return school.active_pupils


def _pupils(school: School, result: Result, year: int) -> int | None:
    if school.pupils is None:
        message = f"Aucun effectif pour {school.named} en {school_year.label(year)}."
        result.report(Anomaly("missing_count", message, school.uai))
    elif not school.pupils_billable:
        message = (
            f"L'effectif de {school.named} ({school.pupils_source}) est une approximation : "
            "remplacez-le par le constat de rentrée."
        )
        result.report(Anomaly("count_not_billable", message, school.uai))
    else:
        _check_variation(school, result)
    return school.pupils


def _check_variation(school: School, result: Result) -> None:
    """Report a count that moved beyond ±20 % in a year: often a typing error, sometimes a new school."""
    previous = school.previous_pupils
    if previous is None or abs(school.pupils - previous) * 100 <= previous * VARIATION:
        return
    change = ""
    if previous:
        sign = MINUS if school.pupils < previous else "+"
        # Half up, in whole numbers.
        percent = (abs(school.pupils - previous) * 200 + previous) // (2 * previous)
        change = f" ({sign}{integer(percent)}{NO_BREAK}%)"
    message = (
        f"{school.named} : {plural(school.pupils, 'élève')} contre {integer(previous)} "
        f"l'année précédente{change} : vérifiez."
    )
    result.report(Anomaly("variation", message, school.uai, blocking=False))


def _price(charge: Charge, result: Result, year: int) -> None:
    """Add the unit or banded lines of a charge: one per school, or one per agreement for units."""
    if charge.metric == UNITS:
        for agreement in result.member.agreements:
            quantity = dict(agreement.units).get(charge.code, 0)
            if quantity and subscribed(charge, agreement):
                _add_line(charge, result, agreement, None, quantity, quantity)
        return
    for agreement, school in applicable(charge, result.member):
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
            where = school.named if school else agreement.title
            message = f"{where} : {integer(banding)}, hors des tranches de « {charge.label} »."
            result.report(Anomaly("outside_bands", message, school.uai if school else ""))
            return
        unit_price = band.price
    amount = round_cents(unit_price * quantity)
    counted = _units(charge, quantity)
    if charge.model == BANDED:
        if charge.metric == SCHOOLS:
            counted += f" de {plural(banding, 'élève')}"
        counted += f" (tranche {integer(band.lower)} à {integer(band.upper)})"
        if band.note and banding == band.upper:
            where = f"{school.named} : " if school else ""
            note = Anomaly("band_edge", where + band.note, school.uai if school else "", blocking=False)
            result.report(note)
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
            explanation=f"{counted} × {price(unit_price)} = {euros(amount)}",
        )
    )


def _allocate(charge: Charge, results: list[Result], year: int, doubtful: set[tuple[str, str]]) -> None:
    """Share the charge's pool between the members: weights must all be known, or nobody is billed.

    A member blocked for another reason keeps its share, so that mending it moves no one else's.
    """
    weights: dict[str, int] = {}
    references: dict[str, str] = {}
    unknown: list[str] = []
    for result in results:
        quantities = _weights(charge, result, year, doubtful)
        if quantities:
            siret = result.member.siret
            weights[siret] = sum(q for _, _, q in quantities if q is not None)
            references[siret] = min(reference for reference, _, _ in quantities)
            unknown += [where for _, where, q in quantities if q is None]
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
        result.lines.append(
            Line(
                charge=charge.code,
                charge_label=charge.label,
                agreement=references[result.member.siret],
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


def _weights(
    charge: Charge, result: Result, year: int, doubtful: set[tuple[str, str]]
) -> list[tuple[str, str, int | None]]:
    """Return (agreement, what, quantity) for all that weighs in a member's share of a pool.

    A school that no annuaire describes may weigh or not, a doubtful one may move: both are unknown.
    """
    weights: list[tuple[str, str, int | None]] = []
    for agreement in result.member.agreements:
        if not subscribed(charge, agreement):
            continue
        if charge.metric == UNITS:
            quantities = [q for code, q in agreement.units if code == charge.code]
            weights += [(agreement.reference, agreement.title, q) for q in quantities]
            continue
        for school in agreement.billed:
            if not school.degree:
                weights.append((agreement.reference, school.uai, None))
            elif in_scope(charge, school, agreement):
                quantity = _quantity(charge, school, result, year)
                if (result.member.siret, school.uai) in doubtful:
                    quantity = None
                weights.append((agreement.reference, school.uai, quantity))
    return weights


def _pool_problem(charge: Charge, weights: dict[str, int], unknown: list[str]) -> Anomaly | None:
    if charge.pool is None:
        return Anomaly("missing_pool", f"L'enveloppe à répartir « {charge.label} » n'est pas saisie.")
    if unknown:
        shown = ", ".join(sorted(unknown)[:SHOWN])
        if len(unknown) > SHOWN:
            shown += f" et {len(unknown) - SHOWN} autres"
        message = f"« {charge.label} » ne peut pas être répartie : quantité inconnue pour {shown}."
        return Anomaly("pool_weight_unknown", message)
    if weights and not sum(weights.values()):
        return Anomaly("pool_without_weight", f"« {charge.label} » n'a rien sur quoi se répartir.")
    return None


def _adjust(result: Result) -> None:
    """Add the lines that an officer made by hand, those that come off last, never below zero."""
    for adjustment in sorted(result.member.adjustments, key=lambda item: item.amount < 0):
        applied = max(adjustment.amount, -max(result.total, ZERO))
        if applied != adjustment.amount:
            message = (
                f"L'ajustement « {adjustment.label} » ({euros(adjustment.amount)}) dépasse l'appel : "
                f"ramenez-le à {euros(applied)}, ou supprimez-le."
            )
            result.report(Anomaly("adjustment_above_call", message))
        if applied:
            words = f"{euros(applied)}, motif : {adjustment.reason}"
            result.lines.append(_plain_line(ADJUSTMENT, adjustment.label, "ajustement", applied, words))


def _deduct(result: Result) -> None:
    """Take the decided subsidies off the call, never below zero: what is left waits for a decision."""
    for deduction in result.member.deductions:
        applied = min(deduction.amount, max(result.total, ZERO))
        if applied < deduction.amount:
            message = (
                f"« {deduction.label} » dépasse l'appel : {euros(deduction.amount - applied)} "
                "restent à imputer. Acceptez-le avec un motif pour ne déduire que le montant dû, ou "
                "corrigez la déduction."
            )
            result.report(Anomaly("deduction_above_call", message))
        if applied:
            words = f"{deduction.label} : {euros(-applied)}"
            result.lines.append(_plain_line(DEDUCTION, deduction.label, "déduction", -applied, words))


def _plain_line(code: str, label: str, unit: str, amount: Decimal, words: str) -> Line:
    """Return a line of the whole call, of no school nor agreement."""
    return Line(
        charge=code,
        charge_label=label,
        agreement="",
        uai="",
        school="",
        commune="",
        quantity=1,
        unit=unit,
        unit_price=amount,
        amount=amount,
        explanation=words,
    )


def _units(charge: Charge, quantity: int) -> str:
    return plural(quantity, charge.unit_label, charge.unit_plural)
