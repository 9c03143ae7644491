"""Which dated figure applies on a day: a threshold, a delay, a number of years set by a text."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from entsvc.models import DatedFigure


def in_force(scopes: Iterable[str], code: str, on: date, applies_to: str = "") -> Decimal | None:
    """Return the value of a figure on a day, in its own unit; None where none is known.

    `scopes` goes from the most general to the most particular; the particular wins, then a row that
    names what it `applies_to` over one for all, then the latest.
    """
    found = row_in_force(scopes, code, on, applies_to)
    return found.value if found else None


def row_in_force(scopes: Iterable[str], code: str, on: date, applies_to: str = "") -> DatedFigure | None:
    """Return the row that `in_force` reads: it also tells the unit and the source."""
    order = list(scopes)
    rows = DatedFigure.objects.filter(scope__in=order, code=code).order_by("pk")
    return choose(rows, order, code, on, applies_to)


def choose(
    rows: Iterable[DatedFigure], scopes: Iterable[str], code: str, on: date, applies_to: str = ""
) -> DatedFigure | None:
    """Return which of some loaded rows applies (see `in_force`), asking nothing of the database."""
    order = {scope: rank for rank, scope in enumerate(scopes)}
    usable = [
        row
        for row in rows
        if row.code == code
        and row.scope in order
        and row.valid_from <= on
        and row.applies_to in ("", applies_to)
    ]
    return max(
        usable,
        key=lambda row: (order[row.scope], bool(row.applies_to), row.valid_from),
        default=None,
    )
