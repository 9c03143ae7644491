"""How priced lines are printed, on whatever document: each one, and their sums by charge."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from entsvc.french import integer, plural, price


def printed_line(line: Any) -> dict[str, str]:
    """Return a line of the engine, or a row that kept one, as documents print it."""
    return {
        "charge": line.charge,
        "charge_label": line.charge_label,
        "uai": line.uai,
        "school": line.school,
        "commune": line.commune,
        "quantity": integer(line.quantity),
        "unit": line.unit,
        "unit_price": "" if line.unit_price is None else str(line.unit_price),
        "amount": str(line.amount),
        "explanation": line.explanation,
    }


def sums_by_charge(lines: Iterable[Any], units: Mapping[str, tuple[str, str]]) -> list[dict[str, str]]:
    """Sum lines by charge, in the order they are printed; the formula when one price holds.

    `units`: the unit of each charge of the tariff, singular and plural, by code.
    """
    groups: dict[tuple[str, str], list[Any]] = {}
    for line in lines:
        groups.setdefault((line.charge, line.charge_label), []).append(line)
    charges = []
    for (code, label), group in groups.items():
        quantity = sum(line.quantity for line in group)
        singular, many = units.get(code, (group[0].unit, group[0].unit))
        formula = plural(quantity, singular, many)
        prices = {line.unit_price for line in group}
        amount = sum((line.amount for line in group), Decimal("0.00"))
        if prices == {None}:
            formula = group[0].explanation
        elif len(prices) == 1 and code in units:
            formula += f" × {price(group[0].unit_price)}"
        charges.append({"code": code, "label": label, "formula": formula, "amount": str(amount)})
    return charges
