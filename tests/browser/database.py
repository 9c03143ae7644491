"""A copy of the empty test database, which the threads of a live server share.

The live server of Django's own tests shares one connection, or flushes tables whose rows can't be
deleted: a copy needs neither.
"""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.db import connection, connections

from tests.invoicing.scratch import until

DEFAULT = "default"


@contextmanager
def own_database(folder: Path) -> Iterator[None]:
    """Lead every thread of this process to a fresh copy, until the end of the block."""
    original = connections[DEFAULT]
    name = original.settings_dict["NAME"]
    copy = (_copied_file if original.vendor == "sqlite" else _copied_on_server)(original, folder)
    with copy as copied:
        del connections[DEFAULT]
        connections.settings[DEFAULT]["NAME"] = copied
        try:
            yield
        finally:
            connection.close()
            connections.settings[DEFAULT]["NAME"] = name
            connections[DEFAULT] = original


@contextmanager
def _copied_file(original: Any, folder: Path) -> Iterator[str]:
    path = folder / "navigateur.sqlite3"
    original.ensure_connection()
    with closing(sqlite3.connect(path)) as target:
        original.connection.backup(target)
    try:
        yield str(path)
    finally:
        for file in folder.glob("navigateur.sqlite3*"):
            file.unlink()


@contextmanager
def _copied_on_server(original: Any, folder: Path) -> Iterator[str]:
    template, name = original.settings_dict["NAME"], f"navigateur_{uuid.uuid4().hex[:12]}"
    original.close()
    until(lambda: _is_idle(original, template))
    with original._nodb_cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield name
    finally:
        with original._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _is_idle(original: Any, name: str) -> bool:
    """Tell whether a database has no session, as its copy wants: the server ends them after we do."""
    with original._nodb_cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [name])
        return cursor.fetchone() == (0,)
