"""The protection of issued rows is there, seen when it lacks, and survives a later migration."""

import shutil

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from entsvc import triggers
from invoicing.models import Titre
from invoicing.numbering import IssueRefused
from tests.entsvc.statements import execute
from tests.invoicing.scratch import REFUSED
from tests.invoicing.world import a_world

on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite n'a pas cette instruction"
)


def drop(name, table):
    on_table = f" ON {table}" if connection.vendor == "postgresql" else ""
    execute(f"DROP TRIGGER {name}{on_table}")


def test_all_the_triggers_are_there_after_the_migrations(db):
    assert triggers.missing(connection) == []


WEAKER = {
    "sqlite": (
        "invoicing_titre_no_delete",
        "CREATE TRIGGER invoicing_titre_no_delete BEFORE DELETE ON invoicing_titre WHEN 0 "
        "BEGIN SELECT RAISE(ABORT, 'non'); END",
    ),
    "postgresql": (
        "entsvc_refuse",
        "CREATE OR REPLACE FUNCTION entsvc_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RETURN OLD; END $$",
    ),
}


def test_a_weaker_protection_of_the_right_name_counts_as_missing(db):
    name, sql = WEAKER[connection.vendor]
    if connection.vendor == "sqlite":
        drop(name, "invoicing_titre")
    execute(sql)
    assert triggers.missing(connection) == [name]
    triggers.install(connection, Titre)
    assert triggers.missing(connection) == []


def test_a_dropped_trigger_is_named_and_nothing_is_issued_without_it(db):
    world = a_world(members=1)
    drop("invoicing_titre_no_update", "invoicing_titre")
    assert triggers.missing(connection) == ["invoicing_titre_no_update"]
    with pytest.raises(IssueRefused) as refusal:
        world.issue()
    assert str(refusal.value) == (
        "La protection des titres n'est pas installée (invoicing_titre_no_update) : "
        "lancez « manage.py migrate »."
    )
    triggers.install(connection, Titre)
    assert triggers.missing(connection) == []
    assert len(world.issue().titres) == 1


@on_postgresql
def test_a_disabled_trigger_counts_as_missing(db):
    execute("ALTER TABLE invoicing_titre DISABLE TRIGGER invoicing_titre_no_delete")
    assert triggers.missing(connection) == ["invoicing_titre_no_delete"]


# --- After a later migration ------------------------------------------------------------------

LATER = """
from django.db import migrations, models
from django.db.models import Q


def fail(apps, schema_editor):
    if {fails}:
        raise RuntimeError("migration en panne")


class Migration(migrations.Migration):
    dependencies = [("invoicing", "{last}")]
    operations = [
        migrations.AlterField(
            "titre", "debtor_name", models.CharField("nom du débiteur", max_length=300)
        ),
        migrations.AddConstraint(
            "titre",
            models.CheckConstraint(condition=Q(exercice__gte=2000), name="titre_exercice_later"),
        ),
        migrations.AddField("titreline", "later", models.CharField(max_length=9, null=True)),
        migrations.AlterField("run", "computed_by", models.CharField(max_length=151)),
        migrations.RunPython(fail, migrations.RunPython.noop),
    ]
"""


def write_later_migration(scratch, text, *, app="invoicing", **facts):
    """Give the scratch database's processes one more migration of a room, beside the true ones."""
    folder = scratch.folder / "migrations_later"
    shutil.copytree(settings.BASE_DIR / app / "migrations", folder)
    last = last_migration(app)
    (folder / "9999_later.py").write_text(text.format(last=last, **facts))
    (scratch.folder / "settings_later.py").write_text(
        f"from entsvc.settings import *\nMIGRATION_MODULES = {{'{app}': 'migrations_later'}}\n"
    )
    scratch.environment |= {
        "PYTHONPATH": str(scratch.folder),
        "DJANGO_SETTINGS_MODULE": "settings_later",
    }
    return last


def last_migration(app):
    """Return the name of the migration that no other of its room follows."""
    [(_, name)] = MigrationLoader(None, ignore_no_migrations=True).graph.leaf_nodes(app)
    return name


ATTEMPTS = {
    "invoicing_titre": "number = number + 100",
    "invoicing_titreline": "amount = amount + 100",
    "invoicing_bordereau": "total = total + 100",
    "invoicing_run": "total = total + 100",
    "invoicing_call": "total = total + 100",
    "invoicing_callline": "amount = amount + 100",
    "invoicing_titredocument": "role = 'faux'",
    "entsvc_storeddocument": "size = 0",
    "entsvc_journalentry": "summary = 'faux'",
}


def refused_by(scratch, sql, word):
    with scratch.connection() as raw, pytest.raises(REFUSED, match=word):
        raw.execute(sql)


def assert_protected(scratch):
    for table, change in ATTEMPTS.items():
        refused_by(scratch, f"UPDATE {table} SET {change}", "definitive")
        refused_by(scratch, f"DELETE FROM {table}", "definitive")


def test_a_later_migration_leaves_the_triggers_in_place(scratch):
    issued = scratch.json(*scratch.issue(3, "2021-03-01"))
    assert len(issued["titres"]) == 3
    before = scratch.rows("SELECT id, number, total, payload FROM invoicing_titre ORDER BY number")
    assert_protected(scratch)

    last = write_later_migration(scratch, LATER, fails=False)
    for target in ([], ["invoicing", last], []):
        migrated = scratch.migrate(*target)
        assert migrated.returncode == 0, migrated.stderr
        assert "9999_later" in migrated.stdout
        assert_protected(scratch)
    after = scratch.rows("SELECT id, number, total, payload FROM invoicing_titre ORDER BY number")
    assert after == before

    # Issuing checks its triggers by name first.
    assert scratch.json(*scratch.issue(3, "2021-03-01"))["bordereau"] is None


TRIGGERS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'members_headcount'",
    "postgresql": "SELECT tgname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid "
    "WHERE NOT tgisinternal AND relname = 'members_headcount'",
}


OTHER_COLUMN = """
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("members", "{last}")]
    operations = [migrations.RenameField("headcount", "pupils", "counted")]
"""


def test_tables_of_another_time_leave_no_trigger_that_reads_what_they_lack(scratch):
    sql = TRIGGERS[connection.vendor]
    there = scratch.rows(sql)
    assert there
    last = write_later_migration(scratch, OTHER_COLUMN, app="members")
    for target, expected in (([], []), (["members", last], there)):
        migrated = scratch.migrate(*target)
        assert migrated.returncode == 0, migrated.stderr
        assert sorted(scratch.rows(sql)) == sorted(expected)


def test_after_a_migration_that_failed_nothing_is_issued_unprotected(scratch):
    write_later_migration(scratch, LATER, fails=True)
    broken = scratch.migrate()
    assert broken.returncode == 1
    assert "migration en panne" in broken.stderr
    issued = scratch.manage(*scratch.issue(3, "2021-03-01"))
    if connection.vendor == "sqlite":
        assert issued.returncode == 1
        assert "La protection des titres n'est pas installée" in issued.stderr
    else:
        # PostgreSQL never dropped them.
        assert issued.returncode == 0
        assert_protected(scratch)
