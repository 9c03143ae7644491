"""How many rows enter a table at once: one COPY on PostgreSQL, one prepared INSERT on SQLite.

Django's own `bulk_create` writes, sends and parses an SQL text for each batch. Triggers and constraints
of the table act on every row here as they do for any other INSERT.
"""

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any

from django.db import connections, models, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper


class BulkManager(models.Manager):
    """A manager that inserts many rows as fast as the database takes them."""

    def bulk_create(self, objs: Iterable[models.Model], batch_size: int | None = None) -> list:
        """Insert unsaved rows, all of them or none, and return them.

        An automatic key is not read back: ask for it with a query. Sends no signal, as Django's own;
        `batch_size` is of no use here.
        Raises django.db.IntegrityError for a row that a constraint or a trigger refuses.
        """
        rows = list(objs)
        if not rows:
            return rows
        connection = connections[router.db_for_write(self.model)]
        insert = _copy if connection.vendor == "postgresql" else _insert
        with transaction.atomic(using=connection.alias, savepoint=False):
            insert(connection, self.model, rows)
        for row in rows:
            row._state.adding, row._state.db = False, connection.alias
        return rows


def _copy(connection: BaseDatabaseWrapper, model: type[models.Model], rows: list[models.Model]) -> None:
    fields, table, columns = _target(model)
    # A COPY speaks to the driver directly: its errors are made Django's here.
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as stream,
    ):
        for values in _values(connection, fields, rows):
            stream.write_row(values)


def _insert(
    connection: BaseDatabaseWrapper, model: type[models.Model], rows: list[models.Model]
) -> None:
    fields, table, columns = _target(model)
    marks = ", ".join("%s" for _ in fields)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} ({columns}) VALUES ({marks})", _values(connection, fields, rows)
        )


def _target(model: type[models.Model]) -> tuple[list[models.Field], str, str]:
    """Return the fields to fill (automatic keys are the database's), the table and its columns."""
    fields = [f for f in model._meta.local_concrete_fields if not isinstance(f, models.AutoField)]
    return fields, f'"{model._meta.db_table}"', ", ".join(f'"{field.column}"' for field in fields)


def _values(
    connection: BaseDatabaseWrapper, fields: list[models.Field], rows: list[models.Model]
) -> Iterator[list[Any]]:
    """Give the values of each row as the database takes them, relations named by their keys."""
    read = attrgetter(*(field.attname for field in fields))
    keys = [index for index, field in enumerate(fields) if field.is_relation]
    converted = [(index, field) for index, field in enumerate(fields) if not _is_plain(field)]
    for row in rows:
        values = list(read(row))
        if any(values[index] is None for index in keys):
            # The relation may hold a row that was saved since.
            row._prepare_related_fields_for_save(operation_name="bulk_create")
            values = list(read(row))
        for index, field in converted:
            values[index] = field.get_db_prep_save(field.pre_save(row, True), connection)
        yield values


def _is_plain(field: models.Field) -> bool:
    """Tell whether Python's value of a field is also the database's: text, whole numbers, booleans."""
    if field.is_relation:
        return _is_plain(field.target_field)
    same = (
        models.AutoField,
        models.BooleanField,
        models.CharField,
        models.IntegerField,
        models.TextField,
    )
    changed = ("pre_save", "get_prep_value", "get_db_prep_value", "get_db_prep_save")
    own = type(field)
    return any(
        issubclass(own, base) and all(getattr(own, name) is getattr(base, name) for name in changed)
        for base in same
    )
