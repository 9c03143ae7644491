"""Until when a school year may still be billed, and a titre still be collected, by dated figures.

The years come from the dated figures of the regime and of the kind of debtor. What interrupts a
prescription (an acknowledgement of the debt, an act of the accountant) is not known here: the dates are
the earliest ones.
"""

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Count, Exists, OuterRef, Subquery

from entsvc import figures, school_year
from entsvc.french import lower_first, short_date
from entsvc.models import DatedFigure
from invoicing.models import Call, Run, Titre, TitreEvent
from invoicing.payments import standing
from members.models import Issuer

ISSUE, COLLECT = "prescription-emission", "prescription-recouvrement"
MONTHS = {"an": 12, "ans": 12, "année": 12, "années": 12, "mois": 1}
WARNED_MONTHS = 12


@dataclass(frozen=True)
class Limit:
    """A prescription: the day it starts from and why, its last day, and the text that sets it.

    `until` is None where no figure in force tells it.
    """

    start: date
    why: str
    until: date | None = None
    source: str = ""
    length: str = ""

    def warning(self, on: date) -> str:
        """Say that it is over, or is within a year; nothing otherwise."""
        if self.until is None:
            return ""
        if on > self.until:
            return f"Prescrit depuis le {short_date(self.until)}"
        if self.until <= months_after(on, WARNED_MONTHS):
            return f"Prescription le {short_date(self.until)}"
        return ""

    def in_words(self) -> str:
        """Tell the last day and how it is counted, in French."""
        if self.until is None:
            return "durée inconnue : complétez les chiffres légaux"
        told = f"jusqu'au {short_date(self.until)} ({self.length} depuis {lower_first(self.why)} du "
        return f"{told}{short_date(self.start)} ; {self.source})"


class Limits:
    """The figures of prescription, loaded once for any number of titres."""

    def __init__(self, rows: Iterable[DatedFigure]) -> None:
        self.rows = list(rows)
        self._told: dict[tuple, Limit] = {}

    @classmethod
    def load(cls) -> "Limits":
        """Ask the database for them, in one query."""
        return cls(DatedFigure.objects.filter(code__in=[ISSUE, COLLECT]).order_by("pk"))

    def to_issue(self, issuer: Issuer, year: int, debtor_kind: str = "") -> Limit:
        """Return until when a titre may be issued for a school year, counted from its last day."""
        start = school_year.last_day(year)
        return self._limit(issuer, ISSUE, start, "La fin de l'année scolaire", debtor_kind)

    def to_collect(
        self, issuer: Issuer, issued_on: date, taken_on: date | None, debtor_kind: str = ""
    ) -> Limit:
        """Return until when the accountant may collect, from the day a titre was taken in charge.

        From its issue where that day is not known: the earlier of the two.
        """
        why = "La prise en charge" if taken_on else "L'émission"
        return self._limit(issuer, COLLECT, taken_on or issued_on, why, debtor_kind)

    def _limit(self, issuer: Issuer, code: str, start: date, why: str, debtor_kind: str) -> Limit:
        asked = (issuer.regime, issuer.code, code, start, why, debtor_kind)
        if asked not in self._told:  # a few of them, thousands of titres
            self._told[asked] = self._found(issuer, code, start, why, debtor_kind)
        return self._told[asked]

    def _found(self, issuer: Issuer, code: str, start: date, why: str, debtor_kind: str) -> Limit:
        scopes = [issuer.regime, issuer.code]
        row = figures.choose(self.rows, scopes, code, start, debtor_kind)
        if row is None:
            return Limit(start, why)
        length = f"{row.value.normalize():f} {row.unit}".replace(".", ",")
        return Limit(start, why, last_day(start, row), row.source, length)


def last_day(start: date, figure: DatedFigure) -> date | None:
    """Return the last day of a delay in years, months or days; None for another unit."""
    if figure.unit in MONTHS:
        return months_after(start, int(figure.value * MONTHS[figure.unit]))
    if figure.unit in ("jour", "jours"):
        return start + timedelta(days=int(figure.value))
    return None


def months_after(day: date, months: int) -> date:
    """Return the same day some months later, the last of its month where there is none."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


@dataclass(frozen=True)
class YearLeft:
    """Calls of a school year that are not issued yet, and until when they may be."""

    school_year: int
    schedule: str
    calls: int
    limit: Limit


def years_warned(issuer: Issuer, on: date, limits: Limits) -> list[YearLeft]:
    """Return the calls not issued whose prescription is over or within a year, in one query.

    Those of the latest run of each campaign; the kind of debtor is not looked at.
    """
    latest = Run.objects.filter(campaign=OuterRef("run__campaign")).order_by("-number")
    rows = (
        Call.objects.filter(
            run__campaign__schedule__issuer=issuer,
            run=Subquery(latest.values("pk")[:1]),
            total__gt=0,
            titre=None,
        )
        .exclude(Exists(Titre.objects.filter(
            campaign=OuterRef("run__campaign"), debtor=OuterRef("debtor"), kind=Titre.Kind.TITRE,
        )))
        .order_by("run__campaign__school_year", "run__campaign__schedule__code")
        .values_list("run__campaign__school_year", "run__campaign__schedule__code")
        .annotate(calls=Count("pk"))
    )  # fmt: skip
    found = [
        YearLeft(year, schedule, calls, limits.to_issue(issuer, year)) for year, schedule, calls in rows
    ]
    return [row for row in found if row.limit.warning(on)]


def limits_told(titre: Titre, on: date) -> list[str]:
    """Tell until when a titre may be collected and its school year billed, warnings first.

    From its `events`, `corrections` and `payments` where they are prefetched. Nothing for a correction;
    of collection, nothing once nothing is left to pay; of the year, nothing for a campaign apart, which
    bills what it names and not a year.
    """
    if titre.kind != Titre.Kind.TITRE:
        return []
    limits, year = Limits.load(), titre.campaign.school_year
    told = [] if standing(titre).settled else _collection_told(titre, on, limits)
    if not titre.campaign.apart:
        to_issue = limits.to_issue(titre.issuer, year, titre.debtor.kind)
        told.append(f"Émission d'un titre pour {school_year.label(year)} : {to_issue.in_words()}.")
    return told


def _collection_told(titre: Titre, on: date, limits: Limits) -> list[str]:
    answers = sorted(titre.events.all(), key=lambda event: event.pk)
    taken = answers and answers[-1].kind == TitreEvent.Kind.TAKEN
    taken_on = answers[-1].on if taken else None
    collect = limits.to_collect(titre.issuer, titre.issued_on, taken_on, titre.debtor.kind)
    return [
        *(f"À surveiller – recouvrement : {w}." for w in [collect.warning(on)] if w),
        f"Recouvrement par le comptable : {collect.in_words()}.",
    ]
