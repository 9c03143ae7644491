"""How counts are kept, never overwritten but replaced, and which one is retained among sources."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from entsvc.changes import in_batches
from entsvc.french import integer, plural
from members.models import Headcount, School, Usage

Count = Headcount | Usage
VALUE = {Headcount: "pupils", Usage: "active_pupils"}
Remark = Callable[[type[Count], Iterable[tuple[str, int]], frozenset[int] | None], list[str]]
REMARKS: list[Remark] = []


@dataclass
class Kept:
    """What keeping counts did: first counts, those that replace another (old, new), those known."""

    created: list[Count] = field(default_factory=list)
    replaced: list[tuple[Count, Count]] = field(default_factory=list)
    unchanged: list[Count] = field(default_factory=list)


class Known(NamedTuple):
    """A count that holds: its number (None for none), its source, and what that source is worth."""

    number: int | None
    source: str
    billable: bool
    rank: int


def retained(model: type[Count], year: int, schools: Any) -> dict[str, Known]:
    """Return {UAI: the count retained for a school year}, in one query.

    `schools` is a query of schools or of their keys.
    """
    return retained_by_year(model, (year,), schools)[year]


def retained_by_year(
    model: type[Count], years: Iterable[int], schools: Any
) -> dict[int, dict[str, Known]]:
    """Return {school year: {UAI: the count retained}} for some years, in one query."""
    return {
        year: {uai: preferred(known.values()) for uai, known in by_uai.items()}
        for year, by_uai in _held(model, years, schools).items()
    }


def held(model: type[Count], year: int, schools: Any) -> dict[str, dict[str, Known]]:
    """Return {UAI: {source: the count that holds}} for a school year, in one query."""
    return _held(model, (year,), schools)[year]


def _held(
    model: type[Count], years: Iterable[int], schools: Any
) -> dict[int, dict[str, dict[str, Known]]]:
    found: dict[int, dict[str, dict[str, Known]]] = {year: {} for year in years}
    rows = (
        model.current.filter(school_year__in=list(found), school__in=schools)
        .order_by("pk")
        .values_list(
            "school_year",
            "school__uai",
            VALUE[model],
            "source_id",
            "source__billable",
            "source__rank",
        )
    )
    for year, uai, number, source, billable, rank in rows:
        found[year].setdefault(uai, {})[source] = Known(number, source, billable, rank)
    return found


def preferred(known: Iterable[Known]) -> Known:
    """Return the count to retain: that of a billable source first, then that of the smallest rank."""
    return min(known, key=lambda count: (not count.billable, count.rank))


def usage_above(active: int, count: Known | None) -> str:
    """Return what is wrong with an usage: never more than the pupils retained; nothing if unknown."""
    if count is None or active <= count.number:
        return ""
    return (
        f"{integer(active)} élèves actifs pour {plural(count.number, 'élève')} "
        f"(source {count.source}) : corrigez l'un des deux."
    )


def count_below(count: Known | None, usage: Known | None) -> str:
    """Return what to look at when the pupils retained fall below an usage already known."""
    if count is None or usage is None or count.number >= usage.number:
        return ""
    return (
        f"L'effectif retenu ({integer(count.number)}, source {count.source}) est inférieur à l'usage "
        f"connu ({integer(usage.number)}, source {usage.source}) : corrigez l'un des deux."
    )


def by_uai(uais: Iterable[str]) -> QuerySet[School]:
    """Return the query of some schools, a thousand at most (see `in_batches`)."""
    return School.objects.filter(uai__in=list(uais)).order_by("pk")


def keep(model: type[Count], counts: Iterable[Count]) -> Kept:
    """Keep unsaved counts, one at most by school, year and source: each replaces the one that held.

    A count that says what is known already writes nothing. Those who write counts of a same school at
    once follow one another.
    """
    kept = Kept()
    with transaction.atomic():
        for batch in in_batches(counts):
            _lock_schools(batch)
            _compare(model, batch, kept)
        withdraw(model, (old.pk for old, _ in kept.replaced))
        model.objects.bulk_create(kept.created + [new for _, new in kept.replaced])
    return kept


def remarks_on_changes(remark: Remark) -> Remark:
    """Let a room above say what counts changed by hand mean for it."""
    REMARKS.append(remark)
    return remark


def remarks(
    model: type[Count], changed: Iterable[tuple[str, int]], issuers: frozenset[int] | None
) -> list[str]:
    """Return what the rooms above say of changed counts, in French.

    `changed` names them by (UAI, school year); `issuers` are the keys of those that the account may
    see, None for all.
    """
    changed = list(changed)
    return [words for remark in REMARKS for words in remark(model, changed, issuers)]


def withdraw(model: type[Count], keys: Iterable[int]) -> None:
    """Let counts that hold do so no longer; they stay in the history."""
    now = timezone.now()
    for batch in in_batches(keys):
        model.current.filter(pk__in=batch).update(superseded_at=now)


def _lock_schools(batch: list[Count]) -> None:
    """Wait for the other writers of these schools, else both would insert the count that holds."""
    schools = School.objects.filter(pk__in={count.school_id for count in batch}).order_by("pk")
    list(schools.select_for_update(of=("self",), no_key=True).values_list("pk"))


def _compare(model: type[Count], batch: list[Count], kept: Kept) -> None:
    rows = model.current.filter(
        school__in={count.school_id for count in batch},
        school_year__in={count.school_year for count in batch},
    )
    stored = {key(row): row for row in rows.order_by("pk")}
    for count in batch:
        old = stored.get(key(count))
        if old is None:
            kept.created.append(count)
        elif value(old) != value(count):
            kept.replaced.append((old, count))
        else:
            kept.unchanged.append(count)


def key(count: Count) -> tuple[int, int, str]:
    """Return what a count is about: school, school year, source."""
    return count.school_id, count.school_year, count.source_id


def value(count: Count) -> int:
    """Return the number of a count."""
    return getattr(count, VALUE[type(count)])
