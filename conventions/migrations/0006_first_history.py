"""Begin the history of the rows that were there before it was kept.

Without their state at the upgrade, their first change would show no former value.
"""

from typing import Any

from django.db import migrations
from django.db.models import Exists, OuterRef
from django.utils import timezone

MODELS = ("Convention", "Enrolment", "Subscription", "DeliveredUnits")
REASON = "état à la mise à jour"
BATCH = 1000


def begin(apps: Any, schema_editor: Any) -> None:
    """Write one row of history for each row that has none, whoever wrote it being unknown."""
    using, at = schema_editor.connection.alias, timezone.now()
    for name in MODELS:
        current = apps.get_model("conventions", name)._base_manager.using(using)
        past = apps.get_model("conventions", f"Historical{name}")
        columns = [field.attname for field in past._meta.concrete_fields]
        columns = [column for column in columns if not column.startswith("history_")]
        known = past._base_manager.using(using).filter(id=OuterRef("pk"))
        lacking = current.filter(~Exists(known)).order_by("pk")
        last = 0
        while rows := list(lacking.filter(pk__gt=last).values(*columns)[:BATCH]):
            past._base_manager.using(using).bulk_create(
                past(history_date=at, history_type="+", history_change_reason=REASON, **row)
                for row in rows
            )
            last = rows[-1]["id"]


class Migration(migrations.Migration):
    dependencies = [("conventions", "0005_states_and_papers")]

    # Backwards nothing goes: the tables of history themselves go with the migration before.
    operations = [migrations.RunPython(begin, migrations.RunPython.noop)]
