"""How the printed lines of a titre become lines and allowances that EN 16931 accepts.

A price is never negative there (BR-27): what a titre deducts becomes an allowance on the whole document
(BG-20), and Σ lines − Σ allowances stays its total, to the cent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

ZERO = Decimal("0.00")
_COPIED = (
    "charge", "agreement", "uai", "school", "commune", "quantity", "unit_price", "amount", "explanation",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A printed line of a titre: `amount` in euros, below zero for what is deducted."""

    charge: str
    label: str
    agreement: str
    uai: str
    school: str
    commune: str
    quantity: int
    unit_price: Decimal | None
    amount: Decimal
    explanation: str


@dataclass(frozen=True)
class Priced:
    """A line as an invoice writes it: quantity × price is its amount exactly."""

    line: Line
    quantity: int
    price: Decimal


@dataclass(frozen=True)
class Amounts:
    """The lines, the allowances and their sums: `due` is what the titre says is owed."""

    lines: tuple[Priced, ...]
    allowances: tuple[Line, ...]

    @property
    def of_lines(self) -> Decimal:
        """Return the sum of the lines (BT-106)."""
        return sum((item.line.amount for item in self.lines), ZERO)

    @property
    def allowed(self) -> Decimal:
        """Return the sum of the allowances, a positive amount (BT-107)."""
        return sum((-line.amount for line in self.allowances), ZERO)

    @property
    def due(self) -> Decimal:
        """Return what is left to pay (BT-109, BT-112 and BT-115)."""
        return self.of_lines - self.allowed


def lines_of(rows: Iterable[Any]) -> list[Line]:
    """Return the lines that rows of a titre or of a call say, in the same order."""
    return [
        Line(label=row.charge_label, **{name: getattr(row, name) for name in _COPIED}) for row in rows
    ]


def amounts_of(lines: Iterable[Line]) -> Amounts:
    """Part the lines of a titre: those of zero and more are billed, the others are allowances."""
    rows: Sequence[Line] = list(lines)
    return Amounts(
        lines=tuple(_priced(line) for line in rows if line.amount >= 0),
        allowances=tuple(line for line in rows if line.amount < 0),
    )


def _priced(line: Line) -> Priced:
    """Keep the price that makes the amount exactly; a share, a band or a rounding is one lump."""
    price = line.unit_price
    if price is not None and price >= 0 and price * line.quantity == line.amount:
        return Priced(line, line.quantity, price)
    return Priced(line, 1, line.amount)
