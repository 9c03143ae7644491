"""Template filters of ``entsvc.french``, which also read the strings of a frozen document.

A frozen document holds amounts as ``"135.00"`` and dates as ``"2025-03-03"``.
"""

from datetime import date, datetime
from decimal import Decimal

from django import template
from django.template.defaultfilters import stringfilter
from django.utils import timezone

from entsvc import french

register = template.Library()


@register.filter
def euros(amount: Decimal | str) -> str:
    """``"1234.56"`` → ``1 234,56 €``."""
    return french.euros(Decimal(amount))


@register.filter
def price(amount: Decimal | str) -> str:
    """``"0.3333"`` → ``0,3333 €``."""
    return french.price(Decimal(amount))


@register.filter
def integer(number: int | str) -> str:
    """``1213`` → ``1 213``."""
    return french.integer(int(number))


@register.filter
def plural(number: int | str, nouns: str) -> str:
    """``3|plural:"école"`` → ``3 écoles``; ``3|plural:"cheval,chevaux"`` → ``3 chevaux``."""
    return french.plural(int(number), *nouns.split(","))


@register.filter
def long_date(day: date | str) -> str:
    """``"2025-03-03"`` → ``3 mars 2025``."""
    return french.long_date(_day(day))


@register.filter
def short_date(day: date | str) -> str:
    """``"2025-03-03"`` → ``03/03/2025``."""
    return french.short_date(_day(day))


@register.filter
def amount_in_words(amount: Decimal | str) -> str:
    """``"135.00"`` → ``cent trente-cinq euros``."""
    return french.amount_in_words(Decimal(amount))


@register.filter
@stringfilter
def siret_grouped(siret: str) -> str:
    """``21310533100010`` → ``213 105 331 00010``."""
    return french.siret_grouped(siret)


@register.filter
@stringfilter
def iban_grouped(iban: str) -> str:
    """``FR7630001000…`` → ``FR76 3000 1000 …``."""
    return french.iban_grouped(iban)


@register.filter(is_safe=True)
@stringfilter
def typography(text: str) -> str:
    """French apostrophes and no-break spaces, also over a whole block of escaped HTML.

    ``{% filter typography %}…{% endfilter %}``: the block's attributes must be double quoted.
    """
    return french.typography(text.replace("&#x27;", "’"))


@register.filter
def without_result(explanation: str, amount: Decimal | str) -> str:
    """``1 école × 45,00 € = 45,00 €`` → ``1 école × 45,00 €``, the amount having its own column."""
    words, _, result = explanation.rpartition("=")
    return words.rstrip() if result.split() == euros(amount).split() else explanation


@register.filter
def by_charge(lines: list[dict], charges: list[dict]) -> list[dict]:
    """Group a frozen document's lines under their charge, in the order of the charges.

    Each line comes with ``carried``, the sum in euros of the lines printed so far: what the
    foot of a page carries over to the next. A group is ``flat`` when it is one line that names
    no school, and so needs neither heading nor subtotal. Raises ValueError for a line without
    its charge, which would otherwise vanish from the print.
    """
    # Several deductions share a code: their labels tell them apart.
    codes = [charge["code"] for charge in charges]
    shared = {code for code in codes if codes.count(code) > 1}
    orphans = {line["charge"] for line in lines} - set(codes)
    if orphans:
        raise ValueError(f"Lignes sans rubrique : {', '.join(sorted(orphans))}.")
    carried, groups = Decimal(0), []
    for charge in charges:
        rows = []
        for line in (line for line in lines if line["charge"] == charge["code"]):
            if line["charge"] in shared and line["charge_label"] != charge["label"]:
                continue
            carried += Decimal(line["amount"])
            rows.append({"line": line, "carried": carried})
        flat = len(rows) == 1 and not rows[0]["line"]["school"]
        groups.append({"charge": charge, "rows": rows, "flat": flat})
    return groups


def _day(day: date | str) -> date:
    if isinstance(day, datetime):
        return timezone.localdate(day)
    return date.fromisoformat(day) if isinstance(day, str) else day
