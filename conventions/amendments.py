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

    `transmitted_on` counts when it is proved, else `received_on` (decision D23). `others`: it also asks
    for something else, such as communes of the RPI or another body that signs or pays.
    """

    school_year: int
    schools: frozenset[str]
    received_on: date | None = None
    transmitted_on: date | None = None
    proved: bool = False
    others: bool = False

    @property
    def filed_on(self) -> date | None:
        """Return the day that counts, None while it is not known."""
        return self.transmitted_on if self.proved and self.transmitted_on else self.received_on

    def changes(self, current: frozenset[str]) -> bool:
        """Tell whether it asks for anything that the list in force does not give already."""
        return self.others or self.schools != current

    @property
    def filed_in_words(self) -> str:
        """Return how the day that counts is known; raise ValueError while it is not."""
        if self.filed_on is None:
            raise ValueError("Aucune date ne compte encore.")
        how = "Transmis" if self.proved and self.transmitted_on else "Reçu"
        return f"{how} le {long_date(self.filed_on)}"


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
        return ruling(False, day, _late(filing, closes, added, removed))
    filed = filing.filed_in_words
    if day < opens:
        return ruling(True, opens, f"{filed}, avant le {long_date(opens)} : il prend cette date.")
    return ruling(True, day, f"{filed}, dans le délai qui court jusqu'au {long_date(closes)}.")


@dataclass(frozen=True)
class OpenWindow:
    """The days in which an amendment of a school year may be filed, and whether one of them is today."""

    year: int
    first: date
    last: date
    open: bool


def next_window(window: Window, first_year: int, last_year: int | None, on: date) -> OpenWindow | None:
    """Return the window that is open on a day or opens next, among the years covered; None after all."""
    year = max(first_year, on.year if on <= window.closes(on.year) else on.year + 1)
    if last_year is not None and year > last_year:
        return None
    first, last = window.opens(year), window.closes(year)
    return OpenWindow(year, first, last, first <= on <= last)


def out_of_order(filing: Filing, accepted: Iterable[Filing]) -> Filing | None:
    """Return an accepted amendment that another one can no longer come before, None when there is none.

    What an accepted amendment adds and removes is frozen against the list that held before it, that of
    the years before and of those filed before it in its year: changing that list afterwards would make
    a frozen fact untrue. Amendments are therefore judged by school year, then by the day that counts.
    """
    for other in accepted:
        if other.school_year > filing.school_year:
            return other
        filed = other.filed_on, filing.filed_on
        if other.school_year == filing.school_year and None not in filed and filed[0] > filed[1]:
            return other
    return None


def _late(filing: Filing, closes: date, added: tuple[str, ...], removed: tuple[str, ...]) -> str:
    words = [f"{filing.filed_in_words}, après le {long_date(closes)} : sans effet cette année."]
    if removed:
        stays = plural(len(removed), "école retirée reste due", "écoles retirées restent dues")
        words.append(f"{stays[:1].upper()}{stays[1:]}.")
    if added:
        waits = plural(
            len(added), "école ajoutée n'est pas ouverte", "écoles ajoutées ne sont pas ouvertes"
        )
        words.append(f"{waits[:1].upper()}{waits[1:]}.")
    if filing.others:
        words.append("Les autres changements demandés n'ont pas lieu.")
    words.append("À déposer de nouveau pour l'année suivante.")
    return " ".join(words)
