"""Begin the history of the rows that were there before it was kept."""

from django.db import migrations

from entsvc.history import beginning


class Migration(migrations.Migration):
    dependencies = [("conventions", "0008_histories")]

    # Backwards nothing goes: the tables of history themselves go with the migration before.
    operations = [
        migrations.RunPython(beginning("conventions", ["Conditions"]), migrations.RunPython.noop),
    ]
