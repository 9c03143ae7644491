"""What members were told: the last amount sent counts, the former ones stay."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from conventions.models import Forecast, ForecastAmount
from members import successions
from tariffs.models import Schedule


@dataclass(frozen=True)
class Told:
    """An amount sent to a member; `is_replaced` once it was told another one for the same year."""

    amount: ForecastAmount
    is_replaced: bool


def announced(schedule: Schedule, year: int, member: int) -> ForecastAmount | None:
    """Return the last amount that a member was told for a schedule and school year, None if never."""
    rows = _sent().filter(
        member=member, forecast__schedule=schedule, forecast__school_year=year
    )  # fmt: skip
    return rows.order_by("-forecast__sent_at", "pk").first()


def told_to(members: Collection[int]) -> list[Told]:
    """Return what members were told, and those that they took over, the latest year first."""
    stands = [*members, *successions.taken_over_by(members, timezone.localdate())]
    rows = amounts_of(stands).order_by("-forecast__school_year", "-forecast__sent_at", "siret", "pk")
    found, seen = [], set()
    for row in rows:
        key = (row.member_id, row.forecast.schedule_id, row.forecast.school_year)
        found.append(Told(row, key in seen))
        seen.add(key)
    return found


def amounts_of(members: Collection[int]) -> QuerySet[ForecastAmount]:
    """Return the amounts that some members were told, replaced or not."""
    return _sent().filter(member__in=members).select_related("document")


def superseded() -> Exists:
    """Tell whether a forecast sent gave way to a later one of the same schedule and year."""
    later = Forecast.objects.filter(
        schedule=OuterRef("schedule"),
        school_year=OuterRef("school_year"),
        sent_at__gt=OuterRef("sent_at"),
    )
    return Exists(later)


def _sent() -> QuerySet[ForecastAmount]:
    rows = ForecastAmount.objects.filter(forecast__sent_at__isnull=False)
    return rows.select_related("forecast__schedule__issuer")
