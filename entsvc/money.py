"""How an amount of money is rounded: one function for the whole house."""

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def round_cents(amount: Decimal) -> Decimal:
    """Round euros to the cent, half up: once for each printed line, never on a total.

    Raises TypeError when given anything but a Decimal, so that no float ever becomes money.
    """
    if not isinstance(amount, Decimal):
        raise TypeError(f"Decimal expected, got {type(amount).__name__}")
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)
