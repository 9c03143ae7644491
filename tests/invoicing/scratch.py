"""A database of its own, that real processes share: PostgreSQL or a SQLite file, as the tests run."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.invoicing.forks import Forked

MANAGE = settings.BASE_DIR / "manage.py"
POSTGRESQL = settings.DATABASES["default"]["ENGINE"].endswith("postgresql")
ANEW = {"TASKS_BACKEND", "DEBUG"}  # other applications, other middleware: read once, at the start
REFUSED = (sqlite3.DatabaseError, psycopg.DatabaseError)
DEMONSTRATION = """
import django
django.setup()
from django.conf import settings
from django.core.management import call_command

demo = settings.BASE_DIR / "fixtures" / "demo"
call_command("load_regimes")
call_command("import_annuaire", demo / "annuaire_occitanie.csv")
call_command("import_members", demo / "membres_occitanie.csv")
call_command("import_conventions", demo / "conventions_occitanie.csv")
call_command("import_headcounts", demo / "effectifs_occitanie.csv")
for year in ("2024-2025", "2024-2025", "2020-2021"):
    call_command("compute_calls", "--schedule", "OCC-ENT-ECOLE", "--school-year", year)
"""


def until(condition: Callable[[], Any], *, seconds: float = 60) -> Any:
    """Return the first true answer of `condition`, asked again and again; fail after `seconds`."""
    pause, deadline = threading.Event(), time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "rien n'est arrivé à temps"
        pause.wait(0.02)
    return answer


@dataclass
class Scratch:
    """A database and a folder of documents; `environment` leads processes to them.

    A process is a fork of one that has read the code, unless its environment asks for a start, or
    `forked` is false: for what a test says of a start.
    """

    url: str
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen | Forked] = field(default_factory=list)
    forked: bool = True

    @property
    def media(self) -> Path:
        return self.folder / "media"

    def start(self, *command: str, **environment: str) -> subprocess.Popen | Forked:
        """Start Python on a command line: `-c CODE`, or `manage.py` and its arguments."""
        lead = {"DATABASE_URL": self.url, "MEDIA_ROOT": str(self.media)}
        django = {"DJANGO_SETTINGS_MODULE": "entsvc.settings"}
        given = {**self.environment, **environment}
        environment = {**os.environ, **django, **lead, **given}
        if self.forked and not ANEW & given.keys() and command[0] in ("-c", str(MANAGE)):
            process = Forked(command, environment)
        else:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=settings.BASE_DIR,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        self.processes.append(process)
        return process

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess:
        """Run Python to its end and return its exit code, output and errors."""
        process = self.start(*command, **environment)
        output, errors = process.communicate(timeout=300)  # a busy machine is slow, not broken
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    def manage(self, *arguments: Any) -> subprocess.CompletedProcess:
        """Run a command of manage.py."""
        return self.run(str(MANAGE), *map(str, arguments))

    def migrate(self, *target: str) -> subprocess.CompletedProcess:
        """Migrate to the end, or an application to one of its migrations."""
        return self.manage("migrate", *target)

    def json(self, *arguments: Any) -> dict:
        """Run a command that must succeed and return its JSON document."""
        done = self.manage(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @contextmanager
    def connection(self) -> Any:
        """Open a connection that knows nothing of Django, one statement one transaction."""
        if POSTGRESQL:
            with psycopg.connect(_libpq(self.url), autocommit=True) as connection:
                yield connection
        else:
            path = self.url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
                yield connection

    def rows(self, sql: str) -> list[tuple]:
        """Return the rows of a query."""
        with self.connection() as connection:
            return connection.execute(sql).fetchall()

    def issue(self, run: int, day: str) -> list[str]:
        """Return the command line that issues a run of the demonstration."""
        [(signatory,)] = self.rows(
            "SELECT s.id FROM members_signatory s JOIN members_issuer i ON i.id = s.issuer_id "
            "WHERE i.code = 'OCC'"
        )
        arguments = ["--run", str(run), "--date", day, "--signatory", str(signatory)]
        return ["issue_titres", *arguments]

    def drop(self) -> None:
        """End what a failed test left running and remove the database; files go with its folder."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()
        if POSTGRESQL:
            _on_server(f"DROP DATABASE IF EXISTS {_name(self.url)} WITH (FORCE)")


def copy_of(connection: BaseDatabaseWrapper, folder: Path) -> Scratch:
    """Make a copy of the database of this process, whose connection is closed on PostgreSQL."""
    (folder / "media").mkdir()
    scratch = Scratch(_fresh_url(folder), folder)
    if POSTGRESQL:
        connection.close()
        _create(scratch, template=connection.settings_dict["NAME"])
    else:
        connection.ensure_connection()
        with scratch.connection() as target:
            connection.connection.backup(target)
    return scratch


def copy(template: Scratch, folder: Path) -> Scratch:
    """Make a copy of a database that nobody is using, and of its documents."""
    shutil.copytree(template.media, folder / "media")
    scratch = Scratch(_fresh_url(folder), folder)
    if POSTGRESQL:
        _create(scratch, template=_name(template.url))
    else:
        with template.connection() as source, scratch.connection() as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode=WAL")
    return scratch


def empty(folder: Path) -> Scratch:
    """Make a database without a table, and no folder of documents."""
    scratch = Scratch(_fresh_url(folder), folder)
    if POSTGRESQL:
        _create(scratch, template="template1")
    return scratch


def _create(scratch: Scratch, *, template: str) -> None:
    _on_server(f'CREATE DATABASE "{_name(scratch.url)}" TEMPLATE "{template}"')


def _fresh_url(folder: Path) -> str:
    if not POSTGRESQL:
        return f"sqlite:///{folder / 'scratch.sqlite3'}"
    server = urlsplit(os.environ["DATABASE_URL"])
    return server._replace(path=f"/entsvc_scratch_{uuid.uuid4().hex[:12]}").geturl()


def _name(url: str) -> str:
    return urlsplit(url).path.lstrip("/")


def _libpq(url: str) -> str:
    return urlsplit(url)._replace(scheme="postgresql").geturl()


def _on_server(sql: str) -> None:
    server = urlsplit(_libpq(os.environ["DATABASE_URL"]))._replace(path="/postgres").geturl()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql)
