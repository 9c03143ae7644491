"""How a difference is printed: with its sign, in euros or as a part of what is paid today."""

from decimal import ROUND_HALF_UP, Decimal

from django import template

from entsvc import french

register = template.Library()

TENTH = Decimal("0.1")
LARGEST = Decimal("9999.9")  # beyond it, a percentage tells nothing
NOTHING = "–"


@register.filter
def signed(amount: Decimal | None) -> str:
    """``12.5`` → ``+12,50 €``; nought bears no sign, None is a dash."""
    if amount is None:
        return NOTHING
    return ("+" if amount > 0 else "") + french.euros(amount)


@register.filter
def percent(rate: Decimal | None) -> str:
    """``0.0512`` → ``+5,1 %``; None, a part of nothing, is a dash."""
    if rate is None:
        return NOTHING
    tenths = (rate * 100).quantize(TENTH, rounding=ROUND_HALF_UP)
    if abs(tenths) > LARGEST:
        return f"plus de {french.integer(int(LARGEST))}{french.NO_BREAK}%"
    sign = {1: "+", -1: french.MINUS}.get((tenths > 0) - (tenths < 0), "")
    return f"{sign}{abs(tenths)}".replace(".", ",") + f"{french.NO_BREAK}%"
