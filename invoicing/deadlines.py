"""By when a titre is to be paid: the day, where the words that it froze let it be computed."""

import re
from dataclasses import dataclass
from datetime import date

from entsvc.french import long_date

FIFTEENTH = 15
# The words are those of the dated texts, which an issuer may write again: they decide, not its regime.
_FIFTEENTH = re.compile(r"\b15 du (?:deuxième|second) mois qui suit le mois d.émission", re.IGNORECASE)
_CHORUS = re.compile(r"\bmise à disposition sur Chorus\b", re.IGNORECASE)


@dataclass(frozen=True)
class Deadline:
    """What a titre says of its deadline, the day that this makes, and whether Chorus Pro starts it.

    `day` is None where the words don't make one; `from_posting` tells that they count from the day when
    the titre is posted on Chorus Pro, which this system is not told.
    """

    words: str
    day: date | None = None
    from_posting: bool = False

    @property
    def short(self) -> str:
        """Return the deadline in a few words: its day, else the words of the titre."""
        return f"avant le {long_date(self.day)}" if self.day else self.words

    def is_over(self, on: date) -> bool:
        """Tell whether a day is past the deadline; never where its day is not known."""
        return self.day is not None and on > self.day


def deadline(issued_on: date, due_text: str) -> Deadline:
    """Return by when a titre issued on a day is to be paid, from the words frozen in it.

    A titre de perception: the 15th of the second month after that of its issue, what is not settled on
    that day being raised by a tenth (loi n° 2010-1658 of 29 December 2010, article 55). A titre de
    recettes: 30 days after it is posted on Chorus Pro (conditions of 15 June 2023, article 7), no day
    being known here. Other words of an issuer are only repeated.
    """
    words = " ".join(due_text.split())
    if _FIFTEENTH.search(words):
        return Deadline(words, day=fifteenth_of_second_month(issued_on))
    return Deadline(words, from_posting=_CHORUS.search(words) is not None)


def fifteenth_of_second_month(day: date) -> date:
    """Return the 15th of the second month after the month of a day."""
    years, month = divmod(day.month + 1, 12)
    return date(day.year + years, month + 1, FIFTEENTH)
