"""By when a titre is to be paid: the day, where the words that it froze let it be computed."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from entsvc.french import long_date

FIFTEENTH = 15
# The words are those of the dated texts, which an issuer may write again: they decide, not its regime.
_FIFTEENTH = re.compile(r"\b15 du (?:deuxième|second) mois qui suit le mois d.émission", re.IGNORECASE)
_CHORUS = re.compile(r"\bmise à disposition sur Chorus\b", re.IGNORECASE)
_DAYS = re.compile(r"(?<![\w-])(\d{1,3}|[a-zé-]+(?:[ -][a-zé-]+){0,4}?)\)? jours?\b", re.IGNORECASE)


@dataclass(frozen=True)
class Deadline:
    """What a titre says of its deadline, the day that this makes, and whether Chorus Pro starts it.

    `day` is None where the words don't make one; `from_posting` tells that they count from the day when
    the titre is made available on Chorus Pro, `posted_on`, None until Chorus Pro tells it.
    """

    words: str
    day: date | None = None
    from_posting: bool = False
    posted_on: date | None = None

    @property
    def short(self) -> str:
        """Return the deadline in a few words: its day, else the words of the titre."""
        return f"avant le {long_date(self.day)}" if self.day else self.words

    def is_over(self, on: date) -> bool:
        """Tell whether a day is past the deadline; never where its day is not known."""
        return self.day is not None and on > self.day


def deadline(issued_on: date, due_text: str, posted_on: date | None = None) -> Deadline:
    """Return by when a titre issued on a day is to be paid, from the words frozen in it.

    `posted_on` is the day when Chorus Pro made it available to its debtor, where it is known.

    A titre de perception: the 15th of the second month after that of its issue, what is not settled on
    that day being raised by a tenth (loi n° 2010-1658 of 29 December 2010, article 55). A titre de
    recettes: 30 days after it is posted on Chorus Pro (conditions of 15 June 2023, article 7), as many
    days as its words say, and no day until it is posted. Other words of an issuer are only repeated.
    """
    words = " ".join(due_text.split())
    if _FIFTEENTH.search(words):
        return Deadline(words, day=fifteenth_of_second_month(issued_on))
    if not _CHORUS.search(words):
        return Deadline(words)
    days = days_of(words)
    day = posted_on + timedelta(days=days) if posted_on and days else None
    return Deadline(words, day, from_posting=True, posted_on=posted_on)


def days_of(words: str) -> int | None:
    """Return the number of days that words say, in digits or in letters; None when they say none."""
    for found in _DAYS.finditer(words):
        said = found[1].lower()
        if said.isdecimal():
            return int(said)
        parts = said.replace("-", " ").split()
        for start in range(len(parts)):
            number = _numbers().get(" ".join(parts[start:]))
            if number:
                return number
    return None


@cache  # nothing that starts waits for this table
def _numbers() -> dict[str, int]:
    from num2words import num2words

    return {num2words(number, lang="fr").replace("-", " "): number for number in range(1, 366)}


def fifteenth_of_second_month(day: date) -> date:
    """Return the 15th of the second month after the month of a day."""
    years, month = divmod(day.month + 1, 12)
    return date(day.year + years, month + 1, FIFTEENTH)
