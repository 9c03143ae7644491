"""The databases that are measured: each made for one data set and removed after it."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

DEFAULT_SERVER = "postgres://postgres@127.0.0.1:5432/postgres"
SQLITE, POSTGRESQL = "sqlite", "postgresql"


def server() -> str:
    """Return the address of the PostgreSQL server: that of DATABASE_URL, or this machine's."""
    url = os.environ.get("DATABASE_URL", "")
    return url if url.startswith(("postgres://", "postgresql://")) else DEFAULT_SERVER


def missing_server() -> str:
    """Return why no PostgreSQL can be measured, or an empty text."""
    try:
        _on_server("SELECT 1")
    except psycopg.Error as error:
        return f"PostgreSQL injoignable, mesures sautées : {str(error).splitlines()[0]}"
    return ""


@contextmanager
def scratch(kind: str, folder: Path, migrated: Path | None = None) -> Iterator[str]:
    """Give the address of a new database, removed at the end whatever happens.

    Empty, or on SQLite a copy of one that is `migrated`: on a few rows, that is half of the time.
    """
    if kind == SQLITE:
        if migrated:
            shutil.copyfile(migrated, folder / "bench.sqlite3")
        yield f"sqlite:///{folder / 'bench.sqlite3'}"
        return
    name = f"entsvc_bench_{uuid.uuid4().hex[:12]}"
    _on_server(f"CREATE DATABASE {name}")
    try:
        yield urlsplit(server())._replace(path=f"/{name}").geturl()
    finally:
        _on_server(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def gather_statistics(url: str) -> None:
    """Tell PostgreSQL what its tables hold, as autovacuum does a minute after a large change."""
    if not url.startswith(SQLITE):
        _run(url, "VACUUM ANALYZE")


def _on_server(sql: str) -> None:
    _run(urlsplit(server())._replace(path="/postgres").geturl(), sql)


def _run(url: str, sql: str) -> None:
    url = urlsplit(url)._replace(scheme="postgresql").geturl()
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        connection.execute(sql)
