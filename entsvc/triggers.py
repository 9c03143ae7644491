"""Which rows nobody can change, enforced by the database itself on PostgreSQL and on SQLite.

A model marked with `@protected` refuses UPDATE (but for its follow-up columns), DELETE and TRUNCATE,
even by raw SQL. `sealed_by` names a foreign key: once the parent row exists no child can be added, so
children are inserted first and the parent seals them (the foreign keys are deferred until commit).
A model marked with `@frozen_when` refuses every write on the rows for which an SQL condition holds.

SQLite loses triggers when a later migration remakes a table, and a trigger that reads another table
can make that migration crash: they are dropped before migrating and installed again after.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import AppConfig, apps
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper


@dataclass(frozen=True)
class Protection:
    """What may still happen to a protected row."""

    follow_up: tuple[str, ...]
    sealed_by: str | None
    deletable: bool


PROTECTED: dict[type[models.Model], Protection] = {}


def protected(
    *, follow_up: tuple[str, ...] = (), sealed_by: str | None = None, deletable: bool = False
) -> Callable[[type[models.Model]], type[models.Model]]:
    """Mark a model's rows as unchangeable but for the `follow_up` fields.

    `deletable` leaves DELETE to the foreign keys that point at the row.
    """

    def mark(model: type[models.Model]) -> type[models.Model]:
        PROTECTED[model] = Protection(follow_up, sealed_by, deletable)
        return model

    return mark


_PG_BODY = re.compile(r"FUNCTION (\w+)\(\).*?\$\$(.*?)\$\$", re.DOTALL)
FROZEN: dict[type[models.Model], str] = {}


def frozen_when(condition: str) -> Callable[[type[models.Model]], type[models.Model]]:
    """Refuse INSERT, UPDATE and DELETE of the rows for which an SQL condition holds.

    The condition names the row's columns as `ROW.column`, and is plain SQL for both databases.
    """

    def mark(model: type[models.Model]) -> type[models.Model]:
        FROZEN[model] = condition
        return model

    return mark


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the names of the triggers and functions that are not installed as they should be, sorted.

    One of the right name that would let more through counts as missing.
    """
    installed = _installed(connection)
    expected = {name: sql for model in _guarded() for name, sql in _statements(connection, model)}
    if connection.vendor == "postgresql":
        # PostgreSQL words a trigger its own way, but for the function and arguments that end it.
        wrong = [n for n, sql in expected.items() if not installed.get(n, "").endswith(_called(sql))]
        bodies = _pg_function_bodies(connection)
        sources = [_PG_FUNCTIONS, *(_pg_frozen_function(model) for model in FROZEN)]
        functions = dict(_PG_BODY.findall("".join(sources)))
        return sorted(wrong + [n for n, body in functions.items() if bodies.get(n) != body])
    return sorted(name for name, sql in expected.items() if installed.get(name) != sql)


def install(connection: BaseDatabaseWrapper, model: type[models.Model]) -> None:
    """(Re)install the triggers of one model; remove them where its table is an older one, or is not."""
    if not _has_columns(connection, model):
        remove(connection, model)
        return
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_PG_FUNCTIONS)
            if model in FROZEN:
                cursor.execute(_pg_frozen_function(model))
        for name, sql in _statements(connection, model):
            cursor.execute(_drop_sql(connection, name, model._meta.db_table))
            cursor.execute(sql)


def remove(connection: BaseDatabaseWrapper, model: type[models.Model]) -> None:
    """Drop the triggers of one model: before migrations on SQLite, and in tests that flush."""
    with connection.cursor() as cursor:
        if model._meta.db_table not in connection.introspection.table_names(cursor):
            return
        for name, _ in _statements(connection, model):
            cursor.execute(_drop_sql(connection, name, model._meta.db_table))


def _has_columns(connection: BaseDatabaseWrapper, model: type[models.Model]) -> bool:
    """Tell whether a table is that of today's model: migrating back leaves an older one."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if table not in connection.introspection.table_names(cursor):
            return False
        found = {c.name for c in connection.introspection.get_table_description(cursor, table)}
    return found >= {field.column for field in model._meta.local_concrete_fields}


def before_migrations(sender: AppConfig, using: str, **_: Any) -> None:
    """Drop the app's triggers on SQLite, whose table remakes cannot live with them."""
    connection = connections[using]
    if connection.vendor == "sqlite":
        for model in _models_of(sender):
            remove(connection, model)


def after_migrations(sender: AppConfig, using: str, **_: Any) -> None:
    """Install the app's triggers."""
    for model in _models_of(sender):
        install(connections[using], model)


def _models_of(app: AppConfig) -> Iterator[type[models.Model]]:
    return (model for model in _guarded() if apps.get_app_config(model._meta.app_label) is app)


def _guarded() -> set[type[models.Model]]:
    return {*PROTECTED, *FROZEN}


def _installed(connection: BaseDatabaseWrapper) -> dict[str, str]:
    sql = {
        "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger "
        "WHERE NOT tgisinternal AND tgenabled = 'O'",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return dict(cursor.fetchall())


def _pg_function_bodies(connection: BaseDatabaseWrapper) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace")
        return dict(cursor.fetchall())


def _called(sql: str) -> str:
    return sql[sql.index("EXECUTE FUNCTION") :]


def _drop_sql(connection: BaseDatabaseWrapper, name: str, table: str) -> str:
    on_table = f" ON {table}" if connection.vendor == "postgresql" else ""
    return f"DROP TRIGGER IF EXISTS {name}{on_table}"


def _statements(connection: BaseDatabaseWrapper, model: type[models.Model]) -> Iterator[tuple[str, str]]:
    if model in PROTECTED:
        build = {"sqlite": _sqlite_statements, "postgresql": _postgresql_statements}[connection.vendor]
        yield from build(connection, model, PROTECTED[model])
    if model in FROZEN:
        yield from _frozen_statements(connection, model)


def _frozen_statements(
    connection: BaseDatabaseWrapper, model: type[models.Model]
) -> Iterator[tuple[str, str]]:
    table = model._meta.db_table
    if connection.vendor == "postgresql":
        name = f"{table}_frozen"
        yield (
            name,
            f"CREATE TRIGGER {name} BEFORE INSERT OR UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_refuse_when_frozen()",
        )
        return
    for event, rows in (("INSERT", ["NEW"]), ("UPDATE", ["OLD", "NEW"]), ("DELETE", ["OLD"])):
        name = f"{table}_frozen_{event.lower()}"
        when = " OR ".join(FROZEN[model].replace("ROW.", f"{row}.") for row in rows)
        yield (
            name,
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN {when} "
            f"BEGIN SELECT RAISE(ABORT, '{table} : {_FROZEN}'); END",
        )


def _pg_frozen_function(model: type[models.Model]) -> str:
    """Return the function of a frozen table: a PostgreSQL trigger's WHEN takes no subquery."""
    table = model._meta.db_table
    refuse = f"RAISE EXCEPTION '{table} : {_FROZEN}' USING ERRCODE = 'integrity_constraint_violation';"
    old, new = (FROZEN[model].replace("ROW.", f"{row}.") for row in ("OLD", "NEW"))
    return f"""
CREATE OR REPLACE FUNCTION {table}_refuse_when_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        IF {old} THEN {refuse} END IF;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        IF {new} THEN {refuse} END IF;
        RETURN NEW;
    END IF;
    RETURN OLD;
END $$;"""


def _columns(model: type[models.Model], names: tuple[str, ...]) -> list[str]:
    return [model._meta.get_field(name).column for name in names]


def _same_key(connection: BaseDatabaseWrapper, model: type[models.Model]) -> str:
    """Return the SQL that tells whether a stored row holds a unique key of NEW."""
    fields = [[f.column] for f in model._meta.local_concrete_fields if f.unique]
    totals = [_columns(model, c.fields) for c in model._meta.total_unique_constraints]
    keys = [_equal_to_new(columns) for columns in fields + totals]
    partial = [
        c
        for c in model._meta.constraints
        if isinstance(c, models.UniqueConstraint) and c.condition is not None
    ]
    if partial:
        columns = ", ".join(f'NEW."{f.column}" AS "{f.column}"' for f in model._meta.local_fields)
        editor = connection.schema_editor()
        for constraint in partial:
            # The condition must hold for both rows: the stored one, then NEW as a row of its own.
            holds = constraint._get_condition_sql(model, editor)
            new = f"EXISTS (SELECT 1 FROM (SELECT {columns}) WHERE {holds})"
            keys.append(f"{_equal_to_new(_columns(model, constraint.fields))} AND {holds} AND {new}")
    return " OR ".join(f"({key})" for key in keys)


def _equal_to_new(columns: list[str]) -> str:
    return " AND ".join(f'"{column}" = NEW."{column}"' for column in columns)


def _seal(model: type[models.Model], rule: Protection) -> tuple[str, str, str]:
    """Return (child column, parent table, parent key column) of the sealing relation."""
    relation = model._meta.get_field(rule.sealed_by)
    parent = relation.related_model._meta
    return relation.column, parent.db_table, parent.pk.column


# Raw string literals: the messages are shown by the database client of whoever tries.
_REFUSED = "ligne definitive : elle ne change ni ne disparait, une autre la corrige"
_FROZEN = "version adoptee : elle ne change plus, copiez-la"
_SEALED = "la piece est deja emise : aucune ligne ne peut y etre ajoutee"


def _sqlite_statements(
    connection: BaseDatabaseWrapper, model: type[models.Model], rule: Protection
) -> Iterator[tuple[str, str]]:
    table = model._meta.db_table
    free = _columns(model, rule.follow_up)
    frozen = [f.column for f in model._meta.local_concrete_fields if f.column not in free]
    changed = " OR ".join(f'OLD."{column}" IS NOT NEW."{column}"' for column in frozen)
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} : {_REFUSED}'); END"
    yield (
        f"{table}_no_update",
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} WHEN {changed} {refuse}",
    )
    if not rule.deletable:
        yield (
            f"{table}_no_delete",
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}",
        )
    # INSERT OR REPLACE removes the old row without firing DELETE triggers on a foreign connection.
    same = _same_key(connection, model)
    yield (
        f"{table}_no_replace",
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) {refuse}",
    )
    if rule.sealed_by:
        column, parent, parent_key = _seal(model, rule)
        yield (
            f"{table}_sealed",
            f"CREATE TRIGGER {table}_sealed BEFORE INSERT ON {table} "
            f'WHEN EXISTS (SELECT 1 FROM {parent} WHERE "{parent_key}" = NEW."{column}") '
            f"BEGIN SELECT RAISE(ABORT, '{table} : {_SEALED}'); END",
        )


def _postgresql_statements(
    connection: BaseDatabaseWrapper, model: type[models.Model], rule: Protection
) -> Iterator[tuple[str, str]]:
    table = model._meta.db_table
    free = ", ".join(f"'{column}'" for column in _columns(model, rule.follow_up))
    yield (
        f"{table}_no_update",
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION entsvc_refuse_update({free})",
    )
    if not rule.deletable:
        for event, scope in (("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            name = f"{table}_no_{event.lower()}"
            yield (
                name,
                f"CREATE TRIGGER {name} BEFORE {event} ON {table} "
                f"FOR EACH {scope} EXECUTE FUNCTION entsvc_refuse()",
            )
    if rule.sealed_by:
        column, parent, parent_key = _seal(model, rule)
        yield (
            f"{table}_sealed",
            f"CREATE TRIGGER {table}_sealed BEFORE INSERT ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION entsvc_sealed('{column}', '{parent}', '{parent_key}')",
        )


_PG_FUNCTIONS = f"""
CREATE OR REPLACE FUNCTION entsvc_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% : {_REFUSED}', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE OR REPLACE FUNCTION entsvc_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- TG_ARGV is null, not empty, when the trigger has no argument.
    IF (to_jsonb(OLD) - coalesce(TG_ARGV, '{{}}')) IS DISTINCT FROM
       (to_jsonb(NEW) - coalesce(TG_ARGV, '{{}}')) THEN
        RAISE EXCEPTION '% : {_REFUSED}', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION entsvc_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE sealed boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I WHERE %I = $1)', TG_ARGV[1], TG_ARGV[2])
        INTO sealed USING (to_jsonb(NEW) ->> TG_ARGV[0])::uuid;
    IF sealed THEN
        RAISE EXCEPTION '% : {_SEALED}', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""
