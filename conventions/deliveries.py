"""What was delivered under agreements in a school year, as their calls bill it, with its proofs."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from conventions.models import DeliveredUnits, Delivery

Key = tuple[str, str, str, str]  # agreement, code, day, subject: the database keeps one of each


def units_billed(year: int, **of: Any) -> dict[int, list[tuple[str, int]]]:
    """Return, by agreement, the (code, units) that the yearly call of a school year bills, by code.

    They are the total typed for the year, or the sum of the dated deliveries; what is billed apart is
    not among them. `of` filters both (`convention=…`, `convention__schedule=…`).
    """
    totals = DeliveredUnits.objects.filter(school_year=year, **of).order_by()
    dated = Delivery.objects.yearly(year).filter(**of).order_by()
    columns = ("convention", "code", "quantity")
    rows = totals.values_list(*columns).union(dated.values_list(*columns), all=True)
    sums: Counter[tuple[int, str]] = Counter()
    for convention, code, quantity in rows.order_by("convention", "code"):
        sums[convention, code] += quantity
    billed: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for (convention, code), quantity in sums.items():
        billed[convention].append((code, quantity))
    return billed


def proofs(deliveries: Any) -> list[dict[str, Any]]:
    """Return what proves some deliveries, oldest first, as JSON types: it is frozen with a basis."""
    rows = deliveries.select_related("convention", "document").order_by("delivered_on", "pk")
    return [
        {
            "agreement": row.convention.reference,
            "code": row.code,
            "on": row.delivered_on.isoformat(),
            "quantity": row.quantity,
            "subject": row.subject,
            "proof": row.proof,
            "sha256": row.document.sha256 if row.document else "",
        }
        for row in rows
    ]


def key_of(delivery: Delivery) -> Key:
    """Return what tells a delivery from any other."""
    day = delivery.delivered_on.isoformat()
    return delivery.convention.reference, delivery.code, day, delivery.subject


def key_of_proof(proof: Mapping[str, Any]) -> Key:
    """Return the key of the delivery that a row of `proofs` proves."""
    return proof["agreement"], proof["code"], proof["on"], proof["subject"]
