"""How writes in bulk leave the same history as those made one by one: the library sees only the latter.

The author is the account of the request, if any; `reason` says where the change comes from.
"""

from collections.abc import Sequence

from django.db import models, router
from django.utils import timezone

BATCH = 1000
REASON_LENGTH = 100


def is_kept(model: type[models.Model]) -> bool:
    """Tell whether the history of every field of a model is kept."""
    return hasattr(model._meta, "simple_history_manager_attribute")


def record(rows: Sequence[models.Model], reason: str, *, update: bool = False) -> None:
    """Add to the history rows of one model that were written in bulk, where one is kept."""
    if rows and is_kept(type(rows[0])):
        type(rows[0]).history.bulk_history_create(
            rows, batch_size=BATCH, update=update, default_change_reason=reason[:REASON_LENGTH]
        )


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
                history_change_reason=reason[:REASON_LENGTH],
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
