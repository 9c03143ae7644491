"""Begin the history of the rows that were there before it was kept."""

from django.db import migrations

from entsvc.history import beginning


class Migration(migrations.Migration):
    dependencies = [("members", "0005_histories"), ("entsvc", "0004_chained_journal")]

    # Backwards nothing goes: the tables of history themselves go with the migration before.
    operations = [
        migrations.RunPython(
            beginning(
                "members",
                ("Accountant", "Act", "ConfirmedDebtor", "Contact", "GroupedSchool", "HeadcountSource",
                 "Issuer", "Member", "Membership", "School", "Signatory"),
            ),
            migrations.RunPython.noop,
        ),
        migrations.RunPython(beginning("members", ["User"], links=["groups", "issuers"]), migrations.RunPython.noop),
        migrations.RunPython(beginning("auth", ["Group"], kept_in="members", links=["permissions"]), migrations.RunPython.noop),
        migrations.RunPython(beginning("entsvc", ["DatedText", "DatedFigure"], kept_in="members"), migrations.RunPython.noop),
    ]
