"""What applying an import writes: planned against the stored rows, then written in bulk."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db import models

from entsvc import history

if TYPE_CHECKING:
    from entsvc.importing import Report

BATCH = 1000


@dataclass
class Plan:
    """What applying an import will write, known before anything is written."""

    create: list[models.Model] = field(default_factory=list)
    update: list[models.Model] = field(default_factory=list)
    unchanged: int = 0

    def count_in(self, report: "Report") -> None:
        """Add what will be written to a report."""
        report.created += len(self.create)
        report.updated += len(self.update)
        report.unchanged += self.unchanged


def plan_changes(
    model: type[models.Model],
    key: str,
    wanted: Iterable[models.Model],
    fields: list[str],
    answered: Mapping[Any, Collection[str]] | None = None,
) -> Plan:
    """Compare wanted (unsaved) rows with the stored ones by a unique key: create, update or leave.

    Reads only the stored rows that are wanted, some at a time. An empty value erases nothing: what
    staff entered by hand stays when a file has no word on it. `answered` gives, by key, the fields
    where the file does say that there is nothing.
    """
    plan = Plan()
    answered = answered or {}
    for batch in in_batches(wanted):
        keys = [getattr(row, key) for row in batch]
        stored = model._default_manager.in_bulk(keys, field_name=key)
        for row in batch:
            existing = stored.get(getattr(row, key))
            if existing is None:
                plan.create.append(row)
            elif fill(
                existing,
                {name: getattr(row, name) for name in fields},
                answered.get(getattr(row, key), ()),
            ):
                plan.update.append(existing)
            else:
                plan.unchanged += 1
    return plan


def fill(row: models.Model, values: dict[str, Any], answered: Collection[str] = ()) -> bool:
    """Give a row the values that say something new, and tell whether any did.

    An empty value says nothing, unless its field is among those `answered`.
    """
    news = {
        n: v
        for n, v in values.items()
        if (v not in ("", None) or n in answered) and v != getattr(row, n)
    }
    for name, value in news.items():
        setattr(row, name, value)
    return bool(news)


def write(plan: Plan, model: type[models.Model], fields: list[str], reason: str = "") -> None:
    """Write a plan in bulk, with the columns that no file gives: search keys, dates of recording.

    `reason` goes to the history of the rows, where the model keeps one.
    """
    derived = [
        column
        for column in model._meta.fields
        if getattr(column, "derived", False) or getattr(column, "auto_now", False)
    ]
    for row in plan.update:
        for column in derived:
            column.pre_save(row, add=False)
    fields = list(dict.fromkeys([*fields, *(column.name for column in derived)]))
    model._default_manager.bulk_create(plan.create, batch_size=BATCH)
    # One upsert by key: `bulk_update` writes a CASE per column and row, ten times slower.
    model._default_manager.bulk_create(
        plan.update, update_conflicts=True, unique_fields=["pk"], update_fields=fields, batch_size=BATCH
    )
    history.record(plan.create, reason)
    history.record(plan.update, reason, update=True)


def in_batches(rows: Iterable[Any], size: int = BATCH) -> Iterator[list[Any]]:
    """Cut rows into lists of at most `size`."""
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch
