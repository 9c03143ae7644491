"""What a school year is: 1 September to 31 August, held as its first calendar year."""

import re
from datetime import date

FIRST, LAST = 2000, 2099


def parse(text: str) -> int:
    """Return 2024 for "2024-2025"; raise ValueError (French message) for anything else."""
    match = re.fullmatch(r"(\d{4})-(\d{4})", text.strip())
    if not match or int(match[2]) != int(match[1]) + 1 or not FIRST <= int(match[1]) <= LAST:
        raise ValueError(f"« {text} » n'est pas une année scolaire : écrivez-la comme 2024-2025.")
    return int(match[1])


def label(year: int) -> str:
    """Return "2024-2025" for 2024."""
    return f"{year}-{year + 1}"


def first_day(year: int) -> date:
    """Return the first day of the school year (1 September)."""
    return date(year, 9, 1)


def last_day(year: int) -> date:
    """Return the last day of the school year (31 August)."""
    return date(year + 1, 8, 31)


def containing(day: date) -> int:
    """Return the school year in which a day falls."""
    return day.year if day.month >= 9 else day.year - 1
