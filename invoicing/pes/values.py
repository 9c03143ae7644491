"""Which values the elements of the PES accept: the types of its public schema, in plain words."""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal

from stdnum.fr import siret

from invoicing.pes.facts import STATE_SIRET
from invoicing.pes.latin import latin

CENT = Decimal("0.01")
LARGEST = Decimal("1e12")  # fourteen digits, two of them decimals
OLDEST = date(1900, 1, 1)


def is_text(value: str, most: int) -> bool:
    """Tell whether a text is one: neither empty, nor « nc », nor a dot, nor zeros, nor too long."""
    text = latin(value)
    if not 1 <= len(text) <= most or text.lower() == "nc":
        return False
    return text != "." and set(text) != {"0"}


def is_optional_text(value: str, most: int) -> bool:
    """Tell whether a text that may be absent is well-formed when it is there."""
    return not value or is_text(value, most)


def is_amount(amount: Decimal) -> bool:
    """Tell whether euros are above zero, in cents and within fourteen digits."""
    return amount.is_finite() and 0 < amount < LARGEST and amount == amount.quantize(CENT)


def is_number(number: int, digits: int) -> bool:
    """Tell whether a number is above zero and within that many digits."""
    return 0 < number < 10**digits


def matches(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether a whole value matches a pattern."""
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


is_codique = matches(r"(?=.*[^0])(02[AB][0-9]{3,4}|[0-9]{6,7})")
is_body_code = matches(r"(?!000)[0-9]{3}")
is_budget_code = matches(r"[0-9A-Z][0-9]")
is_product = matches(r"(?=.*[^0])[0-9A-Za-z]{1,4}")
is_nature = matches(r"(?=.*[^0])[0-9]{1,12}")
is_function = matches(r"[0-9]{0,10}")
is_invoice_number = matches(r"[ \-/_+0-9A-Za-z]{1,20}")
is_identifier = matches(r"(?=.*[^0])[0-9A-Za-z]{1,50}")
is_attachment_name = matches(r"[^\x00-\x1f/\\]+\.[A-Za-z0-9]{2,4}")
is_postal_code = matches(r"(?=.*[^0])[0-9]{5}")
is_payment_code = matches(r"(?=.*[^0])[0-9]{6}")
_ZEROS = matches(r"0{14}")


def is_siret(value: str, *, specimen: bool = False) -> bool:
    """Tell whether a SIRET has fourteen digits and its key right; on a specimen, zeros pass."""
    if _ZEROS(value):
        return specimen
    return len(value) == 14 and siret.is_valid(value)


def lacks_engagement(siret: str, engagement: str) -> bool:
    """Tell whether a service of the State is billed without the engagement that it asks for."""
    return siret == STATE_SIRET and not engagement
