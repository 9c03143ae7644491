"""An issued row can't be changed, whoever asks: the database itself refuses, on both databases."""

import shutil
import uuid
from datetime import date, datetime
from decimal import Decimal

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, models, transaction

from conventions.models import ConditionsNotice, Paper, PaperText, Transition
from entsvc import triggers
from entsvc.models import ImportRecord, JournalEntry, StoredDocument
from invoicing.models import (
    Anomaly,
    Bordereau,
    Call,
    CallLine,
    Payment,
    Run,
    Titre,
    TitreDocument,
    TitreLine,
)
from invoicing.numbering import IssueRefused
from invoicing.rendering import render_missing
from members.models import Headcount, Usage
from tests.factories import (
    AmendmentFactory,
    ConditionsNoticeFactory,
    HeadcountFactory,
    PaperFactory,
    PaymentFactory,
    TransitionFactory,
    UsageFactory,
)
from tests.invoicing.scratch import REFUSED
from tests.invoicing.world import a_world

PROTECTED = [
    Anomaly,
    Bordereau,
    Call,
    CallLine,
    ConditionsNotice,
    Headcount,
    ImportRecord,
    JournalEntry,
    Paper,
    PaperText,
    Payment,
    Run,
    StoredDocument,
    Titre,
    TitreDocument,
    TitreLine,
    Transition,
    Usage,
]
FOLLOW_UP = {
    Headcount: ("superseded_at",),
    Titre: ("external_reference",),
    Usage: ("superseded_at",),
}
FREE_TEXT = {
    Anomaly: "message",
    Bordereau: "signatory",
    Call: "name",
    CallLine: "explanation",
    ConditionsNotice: "actor",
    Headcount: "recorded_by",
    ImportRecord: "file_name",
    JournalEntry: "summary",
    Paper: "name",
    PaperText: "title",
    Payment: "reference",
    Run: "computed_by",
    StoredDocument: "content_type",
    Titre: "debtor_name",
    TitreDocument: "role",
    TitreLine: "explanation",
    Transition: "actor",
    Usage: "recorded_by",
}
every_table = pytest.mark.parametrize("model", PROTECTED, ids=lambda model: model._meta.model_name)
on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite n'a pas cette instruction"
)
on_sqlite = pytest.mark.skipif(
    connection.vendor != "sqlite", reason="propre à SQLite : INSERT OR REPLACE"
)


@pytest.fixture
def world(db, monkeypatch):
    """Titres issued and stored, with a row in each protected table."""
    monkeypatch.setattr(
        "invoicing.rendering.render_pdf",
        lambda _, context: f"%PDF {context['document']['number']}".encode(),
    )
    world = a_world(members=2)
    world.join(0)
    titres = world.issue().titres
    assert len(list(render_missing(Titre.objects.filter(pk__in=[t.pk for t in titres])))) == 2
    HeadcountFactory()
    UsageFactory()
    ConditionsNoticeFactory()
    PaperFactory(amendment=AmendmentFactory())
    TransitionFactory()
    PaymentFactory(titre=titres[0])
    document = StoredDocument.objects.order_by("pk").first()
    ImportRecord.objects.create(importer="essai", document=document, actor="essai", report={})
    if connection.vendor == "postgresql":
        # Foreign keys checked at commit would keep TRUNCATE and DROP TRIGGER from even starting.
        execute("SET CONSTRAINTS ALL IMMEDIATE")
    for model in PROTECTED:
        assert model.objects.exists(), model
    return world


def execute(sql, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def content(model):
    """Every row of a table, as the database gives it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {model._meta.db_table} ORDER BY 1")
        return cursor.fetchall()


def refused(sql, parameters=None, *, word="definitive"):
    with pytest.raises(IntegrityError, match=word), transaction.atomic():
        execute(sql, parameters)


def another_value(field):
    """A value that fits in a column and that no row of these tests holds."""
    target = field.target_field if isinstance(field, models.ForeignKey) else field
    values = {
        models.UUIDField: uuid.UUID(int=7),
        models.DateTimeField: datetime(1999, 12, 31, 12),
        models.DateField: date(1999, 12, 31),
        models.BooleanField: False,
        models.JSONField: '{"faux": 1}',
        models.DecimalField: Decimal("7.7777"),
        models.IntegerField: 7777,
        models.CharField: "zz",
        models.TextField: "zz",
    }
    value = next(v for kind, v in values.items() if isinstance(target, kind))
    if isinstance(value, uuid.UUID) and connection.vendor == "sqlite":
        return value.hex
    if isinstance(value, Decimal | date) and connection.vendor == "sqlite":
        return str(value)
    return value


# --- What is protected ------------------------------------------------------------------------


def test_the_protected_tables_are_those_of_these_tests():
    rules = {m: rule for m, rule in triggers.PROTECTED.items() if m._meta.app_label != "tariffs"}
    assert set(rules) == set(PROTECTED)
    assert all(not rule.deletable for rule in rules.values())
    assert {model: rule.follow_up for model, rule in rules.items() if rule.follow_up} == FOLLOW_UP


@every_table
def test_no_column_can_be_updated(world, model):
    before = content(model)
    frozen = [f for f in model._meta.concrete_fields if f.name not in FOLLOW_UP.get(model, ())]
    assert frozen
    for field in frozen:
        refused(f"UPDATE {model._meta.db_table} SET {field.column} = %s", [another_value(field)])
    assert content(model) == before


@pytest.mark.parametrize(
    ("model", "column"), [(Titre, "original_id"), (Titre, "call_id"), (Anomaly, "call_id")]
)
def test_an_optional_column_can_be_neither_filled_nor_emptied(world, model, column):
    row = model.objects.order_by("pk")[0]
    value = None if getattr(row, column) else another_value(Titre._meta.pk)
    refused(f"UPDATE {model._meta.db_table} SET {column} = %s", [value])


def test_the_number_given_by_the_accountant_is_the_only_follow_up(world):
    before = list(Titre.objects.order_by("number").values("number", "payload", "total"))
    execute("UPDATE invoicing_titre SET external_reference = 'CHORUS-1' WHERE number = 1")
    execute("UPDATE invoicing_titre SET external_reference = 'CHORUS-2' WHERE number = 1")
    assert Titre.objects.get(number=1).external_reference == "CHORUS-2"
    assert list(Titre.objects.order_by("number").values("number", "payload", "total")) == before
    refused("UPDATE invoicing_titre SET external_reference = 'X', debtor_name = 'X'")
    assert set(Titre.objects.order_by("number").values_list("external_reference", flat=True)) == {
        "CHORUS-2",
        "",
    }


@every_table
def test_no_row_can_be_deleted(world, model):
    before = content(model)
    refused(f"DELETE FROM {model._meta.db_table}")
    assert content(model) == before


@every_table
def test_the_orm_is_refused_too(world, model):
    row = model.objects.order_by("pk")[0]
    with pytest.raises((IntegrityError, models.RestrictedError)), transaction.atomic():
        row.delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        model.objects.filter(pk=row.pk)._raw_delete(using="default")
    with pytest.raises(IntegrityError), transaction.atomic():
        model.objects.filter(pk=row.pk).update(**{FREE_TEXT[model]: "faux"})


@on_postgresql
@every_table
def test_no_table_can_be_truncated(world, model):
    before = content(model)
    refused(f"TRUNCATE {model._meta.db_table} CASCADE")
    assert content(model) == before


@on_sqlite
@pytest.mark.parametrize("how", ["OR IGNORE", "OR REPLACE", "OR FAIL"])
def test_no_conflict_clause_gets_past_an_update(world, how):
    before = content(Titre)
    refused(f"UPDATE {how} invoicing_titre SET number = number + 100")
    assert content(Titre) == before


def insertion(model, **changes):
    """SQL and values that insert a copy of the first row with some columns changed."""
    row = model.objects.order_by("pk").values().first()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT * FROM {model._meta.db_table} WHERE {model._meta.pk.column} = %s",
            [model._meta.pk.get_db_prep_value(row[model._meta.pk.attname], connection)],
        )
        stored = dict(zip([c[0] for c in cursor.description], cursor.fetchone(), strict=True))
    values = {**stored, **changes}
    columns = ", ".join(f'"{column}"' for column in values)
    marks = ", ".join(["%s"] * len(values))
    return f"INTO {model._meta.db_table} ({columns}) VALUES ({marks})", list(values.values())


@on_sqlite
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
@pytest.mark.parametrize("verb", ["INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE"])
@every_table
def test_no_row_can_be_replaced(world, model, verb, recursive):
    """With recursive_triggers off, as in any other client, a replaced row fires no DELETE trigger."""
    execute(f"PRAGMA recursive_triggers={recursive}")
    before = content(model)
    sql, values = insertion(model)
    refused(f"{verb} {sql}", values, word="definitive|deja emise")
    assert content(model) == before


TITRE_KEYS = {
    "number": {"call_id": None, "debtor_id": -1},
    "call": {"number": 99, "debtor_id": -1},
    "campaign and debtor": {"number": 99, "call_id": None},
}


@on_sqlite
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
@pytest.mark.parametrize("key", TITRE_KEYS)
def test_no_titre_can_be_replaced_by_another_with_a_key_of_its_own(world, key, recursive):
    execute(f"PRAGMA recursive_triggers={recursive}")
    before = content(Titre)
    fresh = {"id": uuid.uuid4().hex, "bordereau_id": uuid.uuid4().hex}
    sql, values = insertion(Titre, **fresh, **TITRE_KEYS[key])
    refused(f"INSERT OR REPLACE {sql}", values)
    assert content(Titre) == before


def test_a_correction_of_a_titre_may_still_be_added(world):
    """An annulation shares the campaign and the debtor of its original: no key of it is taken."""
    original = Titre.objects.get(number=1)
    facts = {f.attname: getattr(original, f.attname) for f in Titre._meta.concrete_fields}
    other = Bordereau.objects.get()
    bordereau = Bordereau(**{**vars_of(other), "id": uuid.uuid4(), "number": 2})
    annulation = Titre(
        **{
            **facts,
            "id": uuid.uuid4(),
            "bordereau_id": bordereau.pk,
            "kind": Titre.Kind.ANNULATION,
            "call_id": None,
            "original_id": original.pk,
        }
    )
    with transaction.atomic():
        if connection.vendor == "postgresql":
            execute("SET CONSTRAINTS ALL DEFERRED")
        annulation.save(force_insert=True)
        bordereau.save(force_insert=True)
    assert original.corrections.get() == annulation


def vars_of(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


# --- Sealing ----------------------------------------------------------------------------------


def test_no_line_can_be_added_to_a_titre_that_exists(world):
    sql, values = insertion(TitreLine, id=987654, position=99)
    refused(f"INSERT {sql}", values, word="deja emise")
    line = vars_of(TitreLine.objects.order_by("pk")[0])
    with pytest.raises(IntegrityError, match="deja emise"), transaction.atomic():
        TitreLine.objects.create(**{**line, "id": None, "position": 98})


def test_no_titre_can_be_added_to_a_bordereau_that_exists(world):
    stranger = world.join(1)
    fresh = {"id": uuid.uuid4(), "number": 99, "call_id": None, "debtor_id": stranger.pk}
    if connection.vendor == "sqlite":
        fresh["id"] = fresh["id"].hex
    sql, values = insertion(Titre, **fresh)
    refused(f"INSERT {sql}", values, word="deja emise")


# --- Presence ---------------------------------------------------------------------------------


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


@every_table
def test_without_its_triggers_a_table_is_open(world, model):
    """What these tests see refused is refused by the triggers, and by nothing else."""
    triggers.remove(connection, model)
    assert triggers.missing(connection)
    execute(f"UPDATE {model._meta.db_table} SET {FREE_TEXT[model]} = 'faux'")
    assert "faux" in str(content(model))


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


def write_later_migration(scratch, *, fails):
    """Give the scratch database's processes one more migration of `invoicing`, beside the true ones."""
    folder = scratch.folder / "migrations_later"
    shutil.copytree(settings.BASE_DIR / "invoicing" / "migrations", folder)
    last = max(path.stem for path in folder.glob("0*.py"))
    (folder / "9999_later.py").write_text(LATER.format(last=last, fails=fails))
    (scratch.folder / "settings_later.py").write_text(
        "from entsvc.settings import *\nMIGRATION_MODULES = {'invoicing': 'migrations_later'}\n"
    )
    scratch.environment |= {
        "PYTHONPATH": str(scratch.folder),
        "DJANGO_SETTINGS_MODULE": "settings_later",
    }
    return last


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

    last = write_later_migration(scratch, fails=False)
    for target in ([], ["invoicing", last], []):
        migrated = scratch.manage("migrate", *target)
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


def test_going_back_to_older_tables_leaves_no_trigger_that_reads_what_they_lack(scratch):
    sql = TRIGGERS[connection.vendor]
    there = scratch.rows(sql)
    assert there
    for target, expected in ((["members", "0001"], []), ([], there)):
        migrated = scratch.manage("migrate", *target)
        assert migrated.returncode == 0, migrated.stderr
        assert sorted(scratch.rows(sql)) == sorted(expected)


def test_after_a_migration_that_failed_nothing_is_issued_unprotected(scratch):
    write_later_migration(scratch, fails=True)
    broken = scratch.manage("migrate")
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
