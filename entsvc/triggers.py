"""Which rows nobody can change, enforced by the database itself on PostgreSQL and on SQLite.

A model marked with `@protected` refuses UPDATE (but for its follow-up columns), DELETE and TRUNCATE,
even by raw SQL. `sealed_by` names a foreign key: once the parent row exists no child can be added, so
children are inserted first and the parent seals them (the foreign keys are deferred until commit).
`sum_within` names a foreign key to the same table and a column: the rows that point at one, summed,
never exceed its own. A model marked with `@frozen_when` refuses every write on the rows for which an
SQL condition holds, but for some columns, and TRUNCATE while there is one; it may be marked several
times.

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
    sum_within: tuple[str, str] | None


PROTECTED: dict[type[models.Model], Protection] = {}


def protected(
    *,
    follow_up: tuple[str, ...] = (),
    sealed_by: str | None = None,
    deletable: bool = False,
    sum_within: tuple[str, str] | None = None,
) -> Callable[[type[models.Model]], type[models.Model]]:
    """Mark a model's rows as unchangeable but for the `follow_up` fields.

    `deletable` leaves DELETE to the foreign keys that point at the row. `sum_within` is a foreign key to
    the model itself and the column whose sum stays within that of the row pointed at.
    """

    def mark(model: type[models.Model]) -> type[models.Model]:
        PROTECTED[model] = Protection(follow_up, sealed_by, deletable, sum_within)
        return model

    return mark


_PG_BODY = re.compile(r"FUNCTION (\w+)\(\).*?\$\$(.*?)\$\$", re.DOTALL)


@dataclass(frozen=True)
class Freeze:
    """When a row can't be written any more, and what the database answers then."""

    condition: str
    message: str
    reachable: bool
    follow_up: tuple[str, ...]


FROZEN: dict[type[models.Model], tuple[Freeze, ...]] = {}


def frozen_when(
    condition: str,
    message: str = "version adoptee : elle ne change plus, copiez-la",
    *,
    reachable: bool = False,
    follow_up: tuple[str, ...] = (),
) -> Callable[[type[models.Model]], type[models.Model]]:
    """Refuse INSERT, UPDATE, DELETE, TRUNCATE and REPLACE of the rows for which an SQL condition holds.

    The condition names the row's columns as `ROW.column`, and is plain SQL for both databases; the
    message is in French without accents nor quotes, for the client of whoever tries. With `reachable`,
    a row may be brought into that state, by an update or an insertion, and never leaves it; unless one
    of the `follow_up` fields, which may still change, is what the condition reads.
    """

    def mark(model: type[models.Model]) -> type[models.Model]:
        freeze = Freeze(condition, message, reachable, follow_up)
        FROZEN[model] = (*FROZEN.get(model, ()), freeze)
        return model

    return mark


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the names of the triggers and functions that are not installed as they should be, sorted.

    One of the right name that would let more through counts as missing.
    """
    installed = _installed(connection)
    expected = {name: sql for model in _guarded() for name, sql in _statements(connection, model)}
    if connection.vendor == "postgresql":
        bodies = _pg_function_bodies(connection)
        sources = [_PG_FUNCTIONS, *(_pg_frozen_function(model) for model in FROZEN)]
        functions = dict(_PG_BODY.findall("".join(sources)))
        installed |= bodies
        expected |= functions
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
        # PostgreSQL words a trigger its own way, which `_statements` follows: "pretty", without schema.
        "postgresql": "SELECT tgname, pg_get_triggerdef(oid, true) FROM pg_trigger "
        "WHERE NOT tgisinternal AND tgenabled = 'O'",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return dict(cursor.fetchall())


def _pg_function_bodies(connection: BaseDatabaseWrapper) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace")
        return dict(cursor.fetchall())


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
        for name, event, scope in (
            (f"{table}_frozen", "INSERT OR DELETE OR UPDATE", "ROW"),
            (f"{table}_frozen_truncate", "TRUNCATE", "STATEMENT"),
        ):
            yield (
                name,
                f"CREATE TRIGGER {name} BEFORE {event} ON {table} "
                f"FOR EACH {scope} EXECUTE FUNCTION {table}_refuse_when_frozen()",
            )
        return
    same = _same_key(connection, model)
    for rank, freeze in enumerate(FROZEN[model]):
        for what, event, when in _sqlite_frozen(model, freeze, same):
            name = f"{table}_frozen_{what}" + (f"_{rank}" if rank else "")
            yield (
                name,
                f"CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN {when} "
                f"BEGIN SELECT RAISE(ABORT, '{table} : {freeze.message}'); END",
            )


def _sqlite_frozen(
    model: type[models.Model], freeze: Freeze, same: str
) -> Iterator[tuple[str, str, str]]:
    """Yield what happens to a frozen row, the event that does it, and when it is refused."""
    old, new, held = _sides(freeze)
    update = old
    if freeze.follow_up:
        changed = " OR ".join(f'OLD."{c}" IS NOT NEW."{c}"' for c in _frozen_columns(model, freeze))
        update = f"({old}) AND ({changed})"
    if not freeze.reachable:
        yield "insert", "INSERT", new
        update = f"{update} OR {new}"
    yield "update", "UPDATE", update
    yield "delete", "DELETE", old
    # OR REPLACE removes the row that holds the key, and fires no DELETE trigger on a foreign connection.
    taken = f"SELECT 1 FROM {model._meta.db_table} held WHERE ({same}) AND ({held})"
    yield "replace", "INSERT", f"EXISTS ({taken})"
    yield "replacing", "UPDATE", f"EXISTS ({taken} AND held.rowid <> OLD.rowid)"


def _pg_frozen_function(model: type[models.Model]) -> str:
    """Return the function of a frozen table: a PostgreSQL trigger's WHEN takes no subquery."""
    table = model._meta.db_table
    checks: dict[str, list[str]] = {"TRUNCATE": [], "DELETE": [], "UPDATE": [], "NEW": []}
    for freeze in FROZEN[model]:
        message = f"{table} : {freeze.message}"
        refuse = f"RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation';"
        old, new, held = _sides(freeze)
        columns = _frozen_columns(model, freeze) if freeze.follow_up else []
        changed = " OR ".join(f'OLD."{column}" IS DISTINCT FROM NEW."{column}"' for column in columns)
        update = f"({old}) AND ({changed})" if changed else old
        one = f"EXISTS (SELECT 1 FROM {table} held WHERE {held})"
        checks["TRUNCATE"].append(f"IF {one} THEN {refuse} END IF;")
        checks["DELETE"].append(f"IF {old} THEN {refuse} END IF;")
        checks["UPDATE"].append(f"IF {update} THEN {refuse} END IF;")
        if not freeze.reachable:
            checks["NEW"].append(f"IF {new} THEN {refuse} END IF;")
    truncated, deleted, updated, arrived = ("\n        ".join(lines) for lines in checks.values())
    return f"""
CREATE OR REPLACE FUNCTION {table}_refuse_when_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        {truncated}
        RETURN NULL;
    END IF;
    IF TG_OP = 'DELETE' THEN
        {deleted}
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        {updated}
    END IF;
    {arrived}
    RETURN NEW;
END $$;"""


def _sides(freeze: Freeze) -> tuple[str, str, str]:
    """Return the condition of a row as it was, as it would be, and of a stored one named `held`."""
    old, new, held = (freeze.condition.replace("ROW.", f"{row}.") for row in ("OLD", "NEW", "held"))
    return old, new, held


def _frozen_columns(model: type[models.Model], freeze: Freeze) -> list[str]:
    free = _columns(model, freeze.follow_up)
    return [f.column for f in model._meta.local_concrete_fields if f.column not in free]


def _columns(model: type[models.Model], names: tuple[str, ...]) -> list[str]:
    return [model._meta.get_field(name).column for name in names]


def _same_key(connection: BaseDatabaseWrapper, model: type[models.Model]) -> str:
    """Return the SQL that tells whether a stored row holds a unique key of NEW, on SQLite.

    `rowid` is the key SQLite itself gives a row, when its own is not an integer; -1 until it is given.
    """
    fields = [[f.column] for f in model._meta.local_concrete_fields if f.unique]
    totals = [_columns(model, c.fields) for c in model._meta.total_unique_constraints]
    keys = ["rowid = NEW.rowid", *(_equal_to_new(columns) for columns in fields + totals)]
    partial = [c for c in _unique_constraints(model) if c.condition is not None]
    if partial:
        columns = ", ".join(f'NEW."{f.column}" AS "{f.column}"' for f in model._meta.local_fields)
        editor = connection.schema_editor()
        for constraint in partial:
            # The condition must hold for both rows: the stored one, then NEW as a row of its own.
            holds = constraint._get_condition_sql(model, editor)
            new = f"EXISTS (SELECT 1 FROM (SELECT {columns}) WHERE {holds})"
            keys.append(f"{_equal_to_new(_columns(model, constraint.fields))} AND {holds} AND {new}")
    return " OR ".join(f"({key})" for key in keys)


def _unique_constraints(model: type[models.Model]) -> list[models.UniqueConstraint]:
    return [c for c in model._meta.constraints if isinstance(c, models.UniqueConstraint)]


def _equal_to_new(columns: list[str]) -> str:
    return " AND ".join(f'"{column}" = NEW."{column}"' for column in columns)


def _seal(model: type[models.Model], rule: Protection) -> tuple[str, str, str]:
    """Return (child column, parent table, parent key column) of the sealing relation."""
    relation = model._meta.get_field(rule.sealed_by)
    parent = relation.related_model._meta
    return relation.column, parent.db_table, parent.pk.column


# Raw string literals: the messages are shown by the database client of whoever tries.
_REFUSED = "ligne definitive : elle ne change ni ne disparait, une autre la corrige"
_SEALED = "la piece est deja emise : aucune ligne ne peut y etre ajoutee"
_BEYOND = "la somme des corrections depasserait le montant de la piece d origine"


def _sqlite_statements(
    connection: BaseDatabaseWrapper, model: type[models.Model], rule: Protection
) -> Iterator[tuple[str, str]]:
    table = model._meta.db_table
    free = _columns(model, rule.follow_up)
    frozen = [f.column for f in model._meta.local_concrete_fields if f.column not in free]
    # A row may not take the `rowid` of another either, in its place.
    changed = " OR ".join(f'OLD."{column}" IS NOT NEW."{column}"' for column in ["rowid", *frozen])
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
    if any(set(rule.follow_up) & set(c.fields) for c in _unique_constraints(model)):
        # UPDATE OR REPLACE would remove the row that already holds the key.
        key = model._meta.pk.column
        yield (
            f"{table}_no_replacing",
            f"CREATE TRIGGER {table}_no_replacing BEFORE UPDATE ON {table} "
            f'WHEN EXISTS (SELECT 1 FROM {table} WHERE "{key}" <> OLD."{key}" AND ({same})) {refuse}',
        )
    if rule.sealed_by:
        column, parent, parent_key = _seal(model, rule)
        yield (
            f"{table}_sealed",
            f"CREATE TRIGGER {table}_sealed BEFORE INSERT ON {table} "
            f'WHEN EXISTS (SELECT 1 FROM {parent} WHERE "{parent_key}" = NEW."{column}") '
            f"BEGIN SELECT RAISE(ABORT, '{table} : {_SEALED}'); END",
        )
    if rule.sum_within:
        parent, amount = _columns(model, rule.sum_within)
        key = model._meta.pk.column
        yield (
            f"{table}_sum_within",
            f"CREATE TRIGGER {table}_sum_within BEFORE INSERT ON {table} "
            f'WHEN NEW."{parent}" IS NOT NULL AND NEW."{amount}" + '
            f'COALESCE((SELECT SUM("{amount}") FROM {table} WHERE "{parent}" = NEW."{parent}"), 0) > '
            f'COALESCE((SELECT "{amount}" FROM {table} WHERE "{key}" = NEW."{parent}"), 0) '
            f"BEGIN SELECT RAISE(ABORT, '{table} : {_BEYOND}'); END",
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
    if rule.sum_within:
        parent, amount = _columns(model, rule.sum_within)
        key = model._meta.pk.column
        yield (
            f"{table}_sum_within",
            f"CREATE TRIGGER {table}_sum_within BEFORE INSERT ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION entsvc_sum_within('{parent}', '{amount}', '{key}')",
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
CREATE OR REPLACE FUNCTION entsvc_sum_within() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    original uuid := (to_jsonb(NEW) ->> TG_ARGV[0])::uuid;
    whole bigint;
    corrected bigint;
BEGIN
    IF original IS NULL THEN
        RETURN NEW;
    END IF;
    -- Locked, so that two corrections of one row are weighed one after the other.
    EXECUTE format('SELECT %I FROM %I WHERE %I = $1 FOR UPDATE', TG_ARGV[1], TG_TABLE_NAME, TG_ARGV[2])
        INTO whole USING original;
    EXECUTE format('SELECT coalesce(sum(%I), 0) FROM %I WHERE %I = $1',
                   TG_ARGV[1], TG_TABLE_NAME, TG_ARGV[0])
        INTO corrected USING original;
    IF corrected + (to_jsonb(NEW) ->> TG_ARGV[1])::bigint > coalesce(whole, 0) THEN
        RAISE EXCEPTION '% : {_BEYOND}', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""
