"""How many rows enter a table at once: one COPY on PostgreSQL, one prepared INSERT on SQLite.

Django's own `bulk_create` writes, sends and parses an SQL text for each batch. Triggers and constraints
of the table act on every row here as they do for any other INSERT.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from django.db import connections, models, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper


class BulkManager(models.Manager):
    """A manager that inserts many rows as fast as the database takes them."""

    def bulk_create(self, objs: Iterable[models.Model], batch_size: int | None = None) -> list:
        """Insert unsaved rows, all of them or none, and return them.

        An automatic key is not read back: rows that others will point at have a key of their own (a UUID),
        or Django's manager. Sends no signal, as Django's. `batch_size` is of no use here.
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


def _copy(
    connection: BaseDatabaseWrapper, model: type[models.Model], rows: list[models.Model]
) -> None:
    fields, table, columns = _target(model)
    # A COPY speaks to the driver directly: its errors are made Django's here.
    with connection.cursor() as cursor, connection.wrap_database_errors:
        with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as stream:
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
    for row in rows:
        row._prepare_related_fields_for_save(operation_name="bulk_create")
        yield [field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields]
