"""Which schools an agreement names each school year, once its amendments are judged.

Rules 6.1 to 6.3 of the 2020-2021 partnership of the académie de Montpellier: an amendment filed in its
window sets the list of that school year and of the following ones; a late one has no effect.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from entsvc.french import long_date, plural


@dataclass(frozen=True)
class Window:
    """The days of a school year in which an amendment may be filed, both included (decision D23)."""

    first: tuple[int, int]
    last: tuple[int, int]

    def opens(self, school_year: int) -> date:
        """Return the first day of the window of a school year."""
        return date(school_year, *self.first)

    def closes(self, school_year: int) -> date:
        """Return its last day."""
        return date(school_year, *self.last)


SEPTEMBER_TO_MID_OCTOBER = Window((9, 1), (10, 15))


@dataclass(frozen=True)
class Filing:
    """An amendment as it was filed: the whole list it wants, by UAI, from a school year on.

    `transmitted_on` counts when it is proved, else `received_on` (decision D23).
    """

    school_year: int
    schools: frozenset[str]
    received_on: date | None = None
    transmitted_on: date | None = None
    proved: bool = False

    @property
    def filed_on(self) -> date | None:
        """Return the day that counts, None while it is not known."""
        return self.transmitted_on if self.proved and self.transmitted_on else self.received_on


@dataclass(frozen=True)
class Ruling:
    """What an amendment changes, whether it counts, from which day, and why (a French sentence)."""

    filing: Filing
    counts: bool
    dated: date | None
    added: tuple[str, ...]
    removed: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class YearList:
    """The schools of an agreement in a school year, and the rulings that led there."""

    school_year: int
    schools: frozenset[str]
    rulings: tuple[Ruling, ...]


def lists(
    initial: frozenset[str],
    years: Iterable[int],
    filings: Iterable[Filing],
    window: Window = SEPTEMBER_TO_MID_OCTOBER,
) -> list[YearList]:
    """Return the list of each school year covered, from the initial one and the amendments.

    Amendments of a same year are judged in the order of the days that count. Those of a year not covered
    are left out. Without amendment the list of the year before goes on (6.1).
    """
    pending = sorted(filings, key=lambda filing: filing.filed_on or date.max)
    current, found = initial, []
    for year in sorted(years):
        rulings = []
        for filing in pending:
            if filing.school_year == year:
                ruling = judge(filing, current, window)
                rulings.append(ruling)
                current = filing.schools if ruling.counts else current
        found.append(YearList(year, current, tuple(rulings)))
    return found


def judge(filing: Filing, current: frozenset[str], window: Window) -> Ruling:
    """Tell whether an amendment counts against the list that holds before it.

    Filed before the window it is kept and dated its first day (D24). Filed after, nothing moves: what it
    removes stays due, what it adds is not activated (6.3), and a swap does neither (D25); it has no
    effect the next year unless filed again (D6).
    """
    added = tuple(sorted(filing.schools - current))
    removed = tuple(sorted(current - filing.schools))
    opens, closes = window.opens(filing.school_year), window.closes(filing.school_year)
    day = filing.filed_on

    def ruling(counts: bool, dated: date | None, reason: str) -> Ruling:
        return Ruling(filing, counts, dated, added, removed, reason)

    if day is None:
        return ruling(False, None, "Ni transmis avec preuve ni reçu : donnez la date qui compte.")
    if day > closes:
        return ruling(False, day, _late(day, closes, added, removed))
    if day < opens:
        return ruling(True, opens, f"Reçu avant le {long_date(opens)} : il prend cette date.")
    return ruling(
        True, day, f"Reçu le {long_date(day)}, dans le délai qui court au {long_date(closes)}."
    )


def _late(day: date, closes: date, added: tuple[str, ...], removed: tuple[str, ...]) -> str:
    words = [f"Reçu le {long_date(day)}, après le {long_date(closes)} : sans effet cette année."]
    if removed:
        stays = plural(len(removed), "école retirée reste due", "écoles retirées restent dues")
        words.append(f"{stays[:1].upper()}{stays[1:]}.")
    if added:
        waits = plural(
            len(added), "école ajoutée n'est pas ouverte", "écoles ajoutées ne sont pas ouvertes"
        )
        words.append(f"{waits[:1].upper()}{waits[1:]}.")
    words.append("À déposer de nouveau pour l'année suivante.")
    return " ".join(words)
