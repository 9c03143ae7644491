"""How writes in bulk leave the same history as those made one by one: the library sees only the latter.

The author is the account of the request, if any; `reason` says where the change comes from: that which
is given, else that of the work under way (see `because`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Any

from django.db import models, router
from django.utils import timezone
from simple_history.models import HistoricalRecords

BATCH = 1000
REASON_LENGTH = 100
FIRST = "état à la mise à jour"
_REASON: ContextVar[str] = ContextVar("reason", default="")


class Kept(HistoricalRecords):
    """A history that a write of its excluded fields alone does not lengthen.

    Signing in writes when: that is no change of an account. A relation written from its other side
    (`group.user_set`) is not seen: nothing here does so.
    """

    def post_save(
        self, instance: models.Model, created: bool, using: str | None = None, **kwargs: Any
    ) -> None:
        """Leave out what `update_fields` says is of no interest."""
        written = kwargs.get("update_fields")
        if created or written is None or set(written) - set(self.excluded_fields):
            super().post_save(instance, created, using=using, **kwargs)

    def m2m_changed(self, instance: models.Model, reverse: bool, **kwargs: Any) -> None:
        """Record a relation from the side that keeps it."""
        if not reverse:
            super().m2m_changed(instance=instance, reverse=reverse, **kwargs)

    def get_m2m_fields_from_model(self, model: type[models.Model]) -> list[models.ManyToManyField]:
        """Return the relations kept, in the order given: the library's own changes at each start."""
        return [getattr(model, name).field for name in self.m2m_fields]

    def create_historical_record_m2ms(
        self, history_instance: models.Model, instance: models.Model
    ) -> None:
        """Copy what a row is linked to by keys alone: a group has hundreds of rights."""
        for link in history_instance._history_m2m_fields:
            rows = _links(link, [instance.pk]).values()
            past = self.m2m_models[link]
            past._base_manager.bulk_create([past(history=history_instance, **row) for row in rows])


@contextmanager
def because(reason: str) -> Iterator[None]:
    """Give a reason to all that is written in bulk meanwhile and has none of its own."""
    token = _REASON.set(reason[:REASON_LENGTH])
    try:
        yield
    finally:
        _REASON.reset(token)


def is_kept(model: type[models.Model]) -> bool:
    """Tell whether the history of every field of a model is kept."""
    return hasattr(model._meta, "simple_history_manager_attribute")


def record(rows: Sequence[models.Model], reason: str = "", *, update: bool = False) -> None:
    """Add to the history rows of one model that were written in bulk, where one is kept."""
    if rows and is_kept(type(rows[0])):
        type(rows[0]).history.bulk_history_create(
            rows, batch_size=BATCH, update=update, default_change_reason=_reason(reason)
        )


def update(model: type[models.Model], keys: Iterable[Any], reason: str = "", **values: Any) -> None:
    """Give the same values to rows of a model, by key, and add it to their history."""
    keys = iter(keys)
    while batch := list(islice(keys, BATCH)):
        rows = model._base_manager.filter(pk__in=batch)
        rows.update(**values)
        record(list(rows.order_by("pk")), reason, update=True)


def delete(rows: Sequence[models.Model], reason: str) -> None:
    """Delete rows of one model on which nothing depends, and add it to their history."""
    if not rows:
        return
    model = type(rows[0])
    past = model.history.model
    at = timezone.now()
    past.objects.bulk_create(
        [
            past(
                history_date=at,
                history_user=past.get_default_history_user(row),
                history_type="-",
                history_change_reason=_reason(reason),
                **{field.attname: getattr(row, field.attname) for field in past.tracked_fields},
            )
            for row in rows
        ],
        batch_size=BATCH,
    )
    using = router.db_for_write(model)
    for start in range(0, len(rows), BATCH):
        keys = [row.pk for row in rows[start : start + BATCH]]
        model._base_manager.using(using).filter(pk__in=keys)._raw_delete(using)


def _reason(given: str) -> str:
    return (given or _REASON.get())[:REASON_LENGTH]


def beginning(
    app: str, names: Iterable[str], *, kept_in: str = "", links: Iterable[str] = ()
) -> Callable[[Any, Any], None]:
    """Return what a migration runs to begin the history of the rows that were there before it was kept.

    Without their state at the upgrade, their first change would show no former value. Who wrote them is
    not known. `kept_in` is the room of the history, where it is another; `links` are the relations to
    several rows that are kept too.
    """

    def begin(apps: Any, schema_editor: Any) -> None:
        using, at = schema_editor.connection.alias, timezone.now()
        for name in names:
            model, past = apps.get_model(app, name), apps.get_model(kept_in or app, f"Historical{name}")
            columns = [field.attname for field in past._meta.concrete_fields]
            columns = [column for column in columns if not column.startswith("history_")]
            key = model._meta.pk.attname
            known = past._base_manager.using(using).filter(**{key: models.OuterRef("pk")})
            lacking = model._base_manager.using(using).filter(~models.Exists(known)).order_by("pk")
            after = models.Q()
            while rows := list(lacking.filter(after).values(*columns)[:BATCH]):
                begun = past._base_manager.using(using).bulk_create(
                    past(history_date=at, history_type="+", history_change_reason=FIRST, **row)
                    for row in rows
                )
                for link in links:
                    kept = apps.get_model(kept_in or app, f"Historical{name}_{link}")
                    _begin_link(model._meta.get_field(link), kept, begun, using)
                after = models.Q(pk__gt=rows[-1][key])

    return begin


def _links(link: models.ManyToManyField, keys: list[Any]) -> models.QuerySet:
    """Return the rows that link those of these keys, in order."""
    through = link.remote_field.through._base_manager
    return through.filter(**{f"{link.m2m_field_name()}_id__in": keys}).order_by("pk")


def _begin_link(
    link: models.ManyToManyField, kept: type[models.Model], begun: list[models.Model], using: str
) -> None:
    """Copy what rows are linked to beside the first state of each."""
    column = f"{link.m2m_field_name()}_id"
    state = {row.id: row for row in begun}
    rows = _links(link, list(state)).using(using).values()
    kept._base_manager.using(using).bulk_create(kept(history=state[row[column]], **row) for row in rows)
