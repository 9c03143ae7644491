"""How amounts of money are rounded and compared: one function each for the whole house."""

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def round_cents(amount: Decimal) -> Decimal:
    """Round euros to the cent, half up: once for each printed line, never on a total.

    Raises TypeError when given anything but a Decimal, so that no float ever becomes money.
    """
    if not isinstance(amount, Decimal):
        raise TypeError(f"Decimal expected, got {type(amount).__name__}")
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def rate_of(before: Decimal, after: Decimal) -> Decimal | None:
    """Return a change as a part of what was: 0.05 for 5 % more; None from nothing."""
    return (after - before) / before if before else None
