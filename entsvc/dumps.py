"""The database as one file, and back: by PostgreSQL's own programs, or by SQLite itself."""

import os
import re
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.client import DatabaseClient

PATIENCE = 30  # seconds to wait for those who still use what is to be replaced


class DumpFailed(Exception):
    """The database could not be written to a file, or read from it: nothing has changed."""


def dump(connection: BaseDatabaseWrapper, target: Path) -> None:
    """Write the whole database as it is at one instant; people may go on working meanwhile."""
    if connection.vendor == "postgresql":
        _check_version(connection, "pg_dump")
        _run(_command(connection, "pg_dump", "--format=custom", f"--file={target}"), connection)
        return
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(target)])


def load(connection: BaseDatabaseWrapper, source: Path, *, replace: bool) -> None:
    """Put a dump into the database, in one transaction: all of it, or nothing has changed.

    With `replace` what the database holds is removed in the same transaction.
    """
    if connection.vendor == "postgresql":
        _check_version(connection, "pg_restore")
        connection.close()
        _load_postgresql(connection, source, replace=replace)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")  # a dump says nothing of how the values are spread
        return
    connection.ensure_connection()
    try:
        with closing(sqlite3.connect(source)) as database:
            # Pages are copied in one transaction of the target.
            database.backup(connection.connection, progress=_give_up(time.monotonic() + PATIENCE))
    except sqlite3.Error as error:
        raise DumpFailed(_explained(str(error))) from error


def is_empty(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether the database holds no table."""
    return not connection.introspection.table_names()


def describe(connection: BaseDatabaseWrapper) -> str:
    """Name the database for people, without its password."""
    facts = connection.settings_dict
    if connection.vendor != "postgresql":
        return f"SQLite {facts['NAME']}"
    return f"PostgreSQL {facts['NAME']} sur {facts['HOST'] or 'cette machine'}"


def _give_up(deadline: float) -> Callable[[int, int, int], None]:
    """Return what stops a copy that finds the database busy: Python would try again without end."""

    def stop(status: int, remaining: int, total: int) -> None:
        busy = status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        if busy and time.monotonic() > deadline:
            raise sqlite3.OperationalError("database is locked")

    return stop


# Tables and functions rather than the schema: the rights that others have on it stay.
_REMOVE = """
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('DROP TABLE IF EXISTS %s CASCADE', found.name);
    END LOOP;
    FOR found IN SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f' AND NOT EXISTS (
            SELECT 1 FROM pg_depend d
            WHERE d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e')
    LOOP
        EXECUTE format('DROP FUNCTION IF EXISTS %s CASCADE', found.name);
    END LOOP;
END $$;
"""


def _load_postgresql(connection: BaseDatabaseWrapper, source: Path, *, replace: bool) -> None:
    options = ("--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--output=/dev/null")
    read = ["pg_restore", "--no-owner", "--no-privileges", "--file=-", str(source)]
    with tempfile.TemporaryFile() as said:
        psql = subprocess.Popen(
            _command(connection, "psql", *options),
            env=_environment(connection),
            stdin=subprocess.PIPE,
            stderr=said,
        )
        whole = False
        # psql may have stopped at an error, which it tells.
        with suppress(BrokenPipeError), psql.stdin as script:
            script.write(f"BEGIN; SET LOCAL lock_timeout = '{PATIENCE}s';\n".encode())
            script.write(_REMOVE.encode() if replace else b"")
            script.flush()
            whole = not subprocess.run(read, stdout=script, stderr=said, check=False).returncode
            if whole:  # without this word, all is undone when psql ends
                script.write(b"COMMIT;\n")
        if psql.wait() or not whole:
            said.seek(0)
            raise DumpFailed(_explained(said.read().decode(errors="replace")))


def _command(connection: BaseDatabaseWrapper, program: str, *options: str) -> list[str]:
    """Return the command line of one of PostgreSQL's programs; the password is not on it."""
    arguments, _ = DatabaseClient.settings_to_cmd_args_env(connection.settings_dict, list(options))
    return [program, *arguments[1:]]


def _environment(connection: BaseDatabaseWrapper) -> dict[str, str]:
    _, own = DatabaseClient.settings_to_cmd_args_env(connection.settings_dict, [])
    return {**os.environ, **(own or {})}


def _run(command: list[str], connection: BaseDatabaseWrapper) -> None:
    done = subprocess.run(
        command, env=_environment(connection), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DumpFailed(_error_line(done.stderr))


def _check_version(connection: BaseDatabaseWrapper, program: str) -> None:
    """Refuse a program that is absent, or older than the server: it would refuse too, less clearly."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise DumpFailed(
            f"le programme {program} manque : installez postgresql-client, de la version du serveur."
        ) from error
    own = int(re.search(r"(\d+)", said).group())
    connection.ensure_connection()
    server = connection.pg_version // 10_000
    if own < server:
        raise DumpFailed(
            f"{program} est de la version {own}, le serveur de la version {server} : installez "
            f"postgresql-client-{server}."
        )


def _explained(text: str) -> str:
    """Return what the programs say at the end, in our words when someone is still at work."""
    if "lock timeout" in text or "database is locked" in text:
        return "quelqu'un s'en sert. Arrêtez web, worker et mails, puis relancez."
    return _error_line(text)


def _error_line(text: str) -> str:
    """Return the line that names the error: PostgreSQL may put the statement and its context below."""
    lines = text.strip().splitlines() or [""]
    return next((line for line in lines if "error:" in line.lower()), lines[-1])
