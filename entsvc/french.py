"""Amounts, dates and counts as a French administration prints them.

Pure functions of the standard library and num2words: no Django, no locale, no clock.
"""

import re
from datetime import date
from decimal import Decimal
from functools import lru_cache

NO_BREAK = "\u00a0"
NARROW_NO_BREAK = "\u202f"
MINUS = "\u2212"
LARGEST_IN_WORDS = Decimal("999999999999.99")
MONTHS = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)


def euros(amount: Decimal) -> str:
    """Print an amount in euros, ``1 234,56 €``.

    Raises ValueError beyond two decimals: rounding is the rule's work, not the printer's.
    """
    return f"{_decimal(amount, most=2)}{NO_BREAK}€"


def price(amount: Decimal) -> str:
    """Print a unit price in euros with two to four decimals, ``45,00 €`` or ``0,3333 €``.

    Raises ValueError beyond four decimals.
    """
    return f"{_decimal(amount, most=4)}{NO_BREAK}€"


def integer(number: int) -> str:
    """Print a whole number with its thousands apart, ``1 213``."""
    sign = MINUS if number < 0 else ""
    return sign + f"{abs(number):,d}".replace(",", NARROW_NO_BREAK)


def plural(number: int, singular: str, plural_form: str = "") -> str:
    """Print a count and its noun, ``0 école``, ``1 école``, ``3 écoles``.

    In French nought and one are singular. Without ``plural_form`` the noun takes an s,
    unless it already ends in s, x or z.
    """
    if abs(number) < 2:
        noun = singular
    else:
        noun = plural_form or (singular if singular[-1] in "sxz" else f"{singular}s")
    return f"{integer(number)}{NO_BREAK}{noun}"


def long_date(day: date) -> str:
    """Print a date in words, ``3 mars 2025`` or ``1er mars 2025``."""
    number = "1er" if day.day == 1 else str(day.day)
    return NO_BREAK.join((number, MONTHS[day.month - 1], str(day.year)))


def day_and_month(day: date) -> str:
    """Print a day of any year, ``15 octobre`` or ``1er septembre``."""
    return long_date(day).rpartition(NO_BREAK)[0]


def short_date(day: date) -> str:
    """Print a date in figures, ``03/03/2025``."""
    return f"{day.day:02d}/{day.month:02d}/{day.year:04d}"


def amount_in_words(amount: Decimal) -> str:
    """Spell an amount in euros, ``mille euros et cinq centimes``.

    Raises ValueError, in French, for a negative amount, one of more than two decimals or one
    over 999 999 999 999,99 €.
    """
    _refuse_unspeakable(amount)
    whole, cents = divmod(int(amount * 100), 100)
    spoken = [_euros_in_words(whole)] if whole or not cents else []
    if cents:
        spoken.append(f"{_in_words(cents)} {'centime' if cents == 1 else 'centimes'}")
    return " et ".join(spoken)


def siret_grouped(siret: str) -> str:
    """Group a SIRET as SIREN and NIC, ``213 105 331 00010``.

    Anything but fourteen digits comes back unchanged: a document prints what it was given.
    """
    match = re.fullmatch(r"([0-9]{3})([0-9]{3})([0-9]{3})([0-9]{5})", siret)
    return NO_BREAK.join(match.groups()) if match else siret


def iban_grouped(iban: str) -> str:
    """Group an IBAN by four characters, ``FR76 3000 1000 …``."""
    compact = "".join(iban.split())
    return NO_BREAK.join(compact[start : start + 4] for start in range(0, len(compact), 4))


def typography(text: str) -> str:
    """Give a text its French apostrophes and no-break spaces; idempotent.

    Keeps on one line what is read in one breath: ``n° 12``, ``45 €``, ``article L. 252 A``,
    ``3 mars 2025``, a word and its colon. Nothing but spaces and apostrophes changes.
    """
    text = text.replace("'", "’")
    for pattern, replacement in _KEPT_TOGETHER:
        text = pattern.sub(replacement, text)
    return text


_KEPT_TOGETHER = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?<=\S) (?=[;!?](?![^\s<]))", NARROW_NO_BREAK),
        (r"(?<=\S) (?=[:»](?![^\s<]))", NO_BREAK),
        (r"(?<=«) ", NO_BREAK),
        (r"(?<=\d) (?=[€%])", NO_BREAK),
        (r"(?<=\d) (?=h\b)", NO_BREAK),
        (rf"(?<=\d{NO_BREAK}h) (?=\d)", NO_BREAK),
        (r"(?<=[nN]°) (?=\S)", NO_BREAK),
        (r"(?<=\b[LRDA]\.) (?=\d)", NO_BREAK),
        (r"(?<=\barticle) (?=[\dLRDA])", NO_BREAK),
        (r"(?<=\barticles) (?=[\dLRDA])", NO_BREAK),
        (rf"(\b[LRDA]\.{NO_BREAK}\d+) (?=[A-Z]\b)", rf"\1{NO_BREAK}"),
        (rf"(\b(?:\d{{1,2}}|1er)) (?=(?:{'|'.join(MONTHS)})\b)", rf"\1{NO_BREAK}"),
        (rf"(?<={NO_BREAK})({'|'.join(MONTHS)}) (?=\d{{4}}\b)", rf"\1{NO_BREAK}"),
    )
)


@lru_cache(maxsize=4096, typed=True)  # the same prices and amounts come back from line to line
def _decimal(amount: Decimal, *, most: int) -> str:
    if not isinstance(amount, Decimal | int):
        raise TypeError(f"Decimal expected, got {type(amount).__name__}")
    amount = Decimal(amount)
    if not amount.is_finite():
        raise ValueError(f"Ce montant n'est pas un nombre : {amount}.")
    places = max(2, _decimals(amount))
    if places > most:
        raise ValueError(f"Ce montant a plus de {most} décimales : {amount}.")
    figures = f"{amount.copy_abs():,.{places}f}".replace(",", NARROW_NO_BREAK).replace(".", ",")
    return f"{MINUS if amount < 0 else ''}{figures}"


def _decimals(amount: Decimal) -> int:
    """Count the decimals that matter: 2 for 45.1200, 0 for 45.00."""
    fraction = f"{amount:f}".partition(".")[2]
    return len(fraction.rstrip("0"))


def _refuse_unspeakable(amount: Decimal) -> None:
    if not isinstance(amount, Decimal):
        raise TypeError(f"Decimal expected, got {type(amount).__name__}")
    if not amount.is_finite():
        raise ValueError(f"Ce montant n'est pas un nombre : {amount}.")
    if amount < 0:
        raise ValueError(f"Un montant négatif ne s'écrit pas en lettres : {amount}.")
    if _decimals(amount) > 2:
        raise ValueError(f"Un montant en lettres n'a pas plus de deux décimales : {amount}.")
    if amount > LARGEST_IN_WORDS:
        raise ValueError(f"Ce montant est trop grand pour être écrit en lettres : {amount}.")


def _euros_in_words(whole: int) -> str:
    # num2words says "un million euros": after a million or a milliard, French wants "d'euros".
    linked = "d'euros" if whole and whole % 1_000_000 == 0 else "euros"
    return f"{_in_words(whole)} {'euro' if whole < 2 else linked}"


@lru_cache(maxsize=4096)  # small amounts come back from titre to titre, and num2words is slow
def _in_words(number: int) -> str:
    from num2words import num2words  # every language: few of the commands that start write an amount

    return num2words(number, lang="fr")


def lower_first(text: str) -> str:
    """Return text to be placed inside a sentence: its first letter in lower case."""
    return text[:1].lower() + text[1:]
