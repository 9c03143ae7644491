"""How a member's schools, pupils and amounts went from one school year to the next."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import QuerySet, Sum
from django.utils import timezone

from conventions import states
from conventions.models import Convention, Enrolment
from conventions.policies import GATING
from entsvc import charts, school_year
from invoicing.models import Titre
from invoicing.payments import ZERO
from members import counts
from members.models import Headcount

LONGEST = 10  # school years shown, the last ones
Span = tuple[int, int | None]


@dataclass(frozen=True)
class Year:
    """A school year of a member: its schools, their pupils (None when none is counted), euros called."""

    year: int
    schools: int
    pupils: int | None
    called: Decimal | None

    @property
    def label(self) -> str:
        """Return it as « 2024-2025 »."""
        return school_year.label(self.year)


@dataclass(frozen=True)
class Evolution:
    """The school years of a member, the oldest first; nothing before the first agreement or titre."""

    years: tuple[Year, ...]

    @property
    def amounts(self) -> charts.Chart:
        """Return the picture of what was called, corrections taken off."""
        return charts.columns(
            "Montants appelés par année scolaire",
            [year.label for year in self.years],
            {"Appelé": [year.called for year in self.years]},
        )

    @property
    def pupils(self) -> charts.Chart:
        """Return the picture of the pupils of the schools enrolled."""
        numbers = [None if year.pupils is None else Decimal(year.pupils) for year in self.years]
        return charts.lines(
            "Élèves des écoles inscrites",
            [year.label for year in self.years],
            {"Élèves": numbers},
            unit="élèves",
        )


def evolution(titres: QuerySet[Titre], conventions: QuerySet[Convention]) -> Evolution:
    """Return the evolution that these titres, with their corrections, and these agreements tell.

    In three queries. A school counts in the years of its enrolment and of its agreement, up to today.
    """
    called = _called(titres)
    enrolled = _enrolled(conventions)
    known = sorted({*called, *enrolled})
    years = range(known[0], known[-1] + 1)[-LONGEST:] if known else range(0)
    keys = {key for year in years for key, _ in enrolled.get(year, ())}
    pupils = counts.retained_by_year(Headcount, years, sorted(keys))
    return Evolution(
        tuple(
            Year(
                year,
                len(enrolled.get(year, ())),
                _sum(pupils[year].get(uai) for _, uai in enrolled.get(year, ())),
                called.get(year),
            )
            for year in years
        )
    )


def _called(titres: QuerySet[Titre]) -> dict[int, Decimal]:
    """Return {school year: euros called, less what corrected them}."""
    rows = titres.order_by().values_list("campaign__school_year", "kind").annotate(sum=Sum("total"))
    found: dict[int, Decimal] = defaultdict(lambda: ZERO)
    for year, kind, total in rows:
        found[year] += total if kind == Titre.Kind.TITRE else -total
    return dict(found)


def _enrolled(conventions: QuerySet[Convention]) -> dict[int, set[tuple[int, str]]]:
    """Return {school year: the (key, UAI) of the schools enrolled}, from the first year to today's."""
    rows = Enrolment.objects.filter(
        convention__in=conventions.filter(status__in=states.OWING)
        .exclude(policy__in=GATING)
        .order_by()
        .values("pk")
    )
    columns = ("school_id", "school__uai", "first_year", "last_year")
    of_agreement = ("convention__first_year", "convention__last_year")
    today = school_year.containing(timezone.localdate())
    found: dict[int, set[tuple[int, str]]] = defaultdict(set)
    for key, uai, *years in rows.order_by("pk").values_list(*columns, *of_agreement):
        for year in _common((years[0], years[1]), (years[2], years[3]), today):
            found[year].add((key, uai))
    return dict(found)


def _common(first: Span, second: Span, today: int) -> range:
    """Return the years that two spans have in common, none after today's."""
    ends = [end for end in (first[1], second[1], today) if end is not None]
    return range(max(first[0], second[0]), min(ends) + 1)


def _sum(known: Iterable[counts.Known | None]) -> int | None:
    numbers = [count.number for count in known if count and count.number is not None]
    return sum(numbers) if numbers else None
