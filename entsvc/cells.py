"""How the text of a cell becomes a date, a count or a code, or the refusal of its row; and back."""

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

LONGEST_COUNT = 9  # digits: what an integer column of every database holds
# What a spreadsheet leaves of a long number: 2,17003E+13.
ROUNDED = re.compile(r"[0-9]+([.,][0-9]+)?E\+?[0-9]+", re.IGNORECASE)
# Nine figures before the decimal sign, what a titre may ask; spaces part thousands or say nothing.
_WHOLE_EUROS = r"[+-]?\s?(?:[0-9]{1,9}|[0-9]{1,3}(?:\s[0-9]{3}){1,2})"
EUROS = re.compile(rf"{_WHOLE_EUROS}(?:[.,][0-9]{{1,2}})?\s?€?")
# 1.350 is a thousand and more to one writer, one and a bit to another.
TOO_MANY_DECIMALS = re.compile(rf"{_WHOLE_EUROS}[.,][0-9]{{3,}}\s?€?")
YES = {"1", "oui", "o", "vrai", "true", "x"}
NO = {"", "0", "non", "n", "faux", "false"}
# What a spreadsheet would take for the start of a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class RowError(Exception):
    """A row is refused: which column, which value, and what to do about it."""

    def __init__(self, column: str, value: str, message: str) -> None:
        super().__init__(message)
        self.column, self.value, self.message = column, value, message


def checked(column: str, text: str, check: Callable[[str], Any]) -> Any:
    """Return `check(text)`, turning its ValueError into the refusal of the row."""
    try:
        return check(text)
    except ValueError as error:
        raise RowError(column, text, str(error)) from error


def is_rounded(text: str) -> bool:
    """Tell whether a spreadsheet has turned a code into a rounded number: it is lost for good."""
    return bool(ROUNDED.fullmatch(text.strip()))


def required(column: str, text: str, *, longest: int = 200) -> str:
    """Return a text that must be there and that its column can hold; raise RowError otherwise."""
    if not text:
        raise RowError(column, "", "Valeur obligatoire.")
    if len(text) > longest:
        message = f"Plus de {longest} caractères : abrégez-le, ou cherchez des cellules réunies à tort."
        raise RowError(column, text[:50], message)
    return text


def read_day(text: str) -> date | None:
    """Read 2024-06-20 or 20/06/2024; empty is None; raise ValueError otherwise."""
    if not text:
        return None
    for pattern in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            return datetime.strptime(text, pattern).date()
        except ValueError:
            continue
    raise ValueError("Date attendue sous la forme 2024-06-20 ou 20/06/2024.")


def parse_date(column: str, text: str) -> date | None:
    """Read a day as `read_day` does; raise RowError."""
    return checked(column, text, read_day)


def parse_count(column: str, text: str) -> int | None:
    """Read a whole number of people; empty is None; raise RowError for anything else."""
    if not text:
        return None
    if len(text) > LONGEST_COUNT:
        raise RowError(column, text[:50], "Ce nombre est trop grand.")
    if not text.isascii() or not text.isdigit():
        raise RowError(column, text, "Nombre entier attendu.")
    return int(text)


def read_euros(text: str) -> Decimal:
    """Read 1 234,56 or -1234.5 or 45,00 €, to the cent; raise ValueError for anything else.

    A number of a spreadsheet comes without useless zeros: three decimals were typed as text.
    """
    plain = text.strip().replace("\N{MINUS SIGN}", "-")
    if TOO_MANY_DECIMALS.fullmatch(plain):
        raise ValueError(
            "Trois décimales ou plus, ou un signe entre les milliers : écrivez 1350,00 ou 1 350,00 pour "
            "mille trois cent cinquante euros, 1,35 pour un euro et 35 centimes."
        )
    if not EUROS.fullmatch(plain):
        raise ValueError("Montant attendu en euros, au centime, comme 1 234,56.")
    return Decimal("".join(plain.split()).removesuffix("€").replace(",", ".")).quantize(Decimal("0.01"))


def parse_flag(column: str, text: str) -> bool:
    """Read oui or non, empty being non; raise RowError for anything else."""
    word = text.lower()
    if word not in YES | NO:
        raise RowError(column, text, "Réponse attendue : oui ou non.")
    return word in YES


def neutral(text: str) -> str:
    """Return text that no spreadsheet takes for a formula, even once saved as CSV, nor refuses."""
    text = ILLEGAL_CHARACTERS_RE.sub(" ", text)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
