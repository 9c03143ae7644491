"""When a backup may be made and when it may be restored: whole, on the right code, over nothing."""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from entsvc import archive, dumps
from entsvc.health import known_migrations

_SHOWN = 5


class BackupRefused(Exception):
    """Nothing was written; the message in French says why and what to do."""


@dataclass(frozen=True)
class Backup:
    """An archive that was made or restored: where, of which database, how many documents, when."""

    path: Path
    database: str
    documents: int
    made_at: str


def back_up(destination: Path) -> Backup:
    """Write the database and the documents into one file; raise BackupRefused.

    `destination` is a folder, where the file is named by the time, or a name ending with « .tar ».
    """
    path = _target(destination)
    applied = sorted(MigrationRecorder(connection).applied_migrations())
    if not applied:
        raise BackupRefused(f"Rien à sauvegarder dans {dumps.describe(connection)} : elle est vide.")
    facts = {
        "application": "entsvc",
        "version": _version(),
        "made_at": timezone.localtime().isoformat(timespec="seconds"),
        "vendor": connection.vendor,
        "migrations": [".".join(key) for key in applied],
    }
    if path.absolute().is_relative_to(Path(settings.MEDIA_ROOT).absolute()):
        raise BackupRefused("La sauvegarde irait parmi les documents : donnez-lui un autre dossier.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        archive.refuse_existing(path)
        with archive.unfinished(path) as beside:
            # The database first: a row comes after its file, and no file ever changes. So the files that
            # are copied afterwards hold at least all those that the rows of that instant name.
            dump = beside.with_name("base")
            dumps.dump(connection, dump)
            manifest = archive.write(path, dump, Path(settings.MEDIA_ROOT), facts)
    except dumps.DumpFailed as error:
        raise BackupRefused(f"La base n'a pas pu être sauvegardée : {error}") from error
    except OSError as error:
        reason = _reason(error, path.parent)
        raise BackupRefused(f"La sauvegarde n'a pas pu être écrite : {reason}") from error
    return _backup(path, manifest)


def _reason(error: OSError, folder: Path) -> str:
    """Name the account that may not write there: in a container it is not the one of the terminal."""
    if isinstance(error, PermissionError) and Path(error.filename or "/").is_relative_to(folder):
        return f"le compte {os.getuid()} n'a pas le droit d'écrire dans {folder}."
    return str(error)


def restore(path: Path, *, replace: bool) -> Backup:
    """Put an archive into the database and the documents' folder; raise BackupRefused.

    All of it is read and checked before the first byte is written. Unless `replace`, both must be empty;
    with it the database is replaced, and the documents that the archive does not hold stay.
    """
    try:
        manifest = archive.read(path)
        _check(manifest, replace=replace)
        _put_back(path, replace=replace)
    except archive.BadArchive as error:
        raise BackupRefused(f"{path} ne peut pas être restaurée : {error}") from error
    except dumps.DumpFailed as error:
        raise BackupRefused(
            f"La base n'a pas été restaurée, elle est restée comme avant : {error}"
        ) from error
    except OSError as error:
        raise BackupRefused(f"La restauration s'est arrêtée avant la base : {error}") from error
    return _backup(path, manifest)


def _put_back(path: Path, *, replace: bool) -> None:
    media = Path(settings.MEDIA_ROOT)
    media.mkdir(parents=True, exist_ok=True)
    with archive.unfinished(media / "base") as dump:
        archive.extract_database(path, dump)
        # The files before the rows that name them, as when they were first written.
        archive.extract_documents(path, media)
        dumps.load(connection, dump, replace=replace)


def _check(manifest: dict[str, Any], *, replace: bool) -> None:
    if manifest.get("vendor") != connection.vendor:
        raise BackupRefused(
            f"Cette sauvegarde est celle d'une base {manifest.get('vendor')}, et DATABASE_URL mène à "
            f"{dumps.describe(connection)} : restaurez-la dans une base du même genre."
        )
    known = {key for item in known_migrations().items() for key in (item[0], *item[1])}
    strange = [name for name in manifest["migrations"] if tuple(name.split(".", 1)) not in known]
    if strange:
        others = "…" if len(strange) > _SHOWN else ""
        raise BackupRefused(
            f"Cette sauvegarde (version {manifest.get('version')}) vient d'un code plus récent que "
            "celui-ci, ou réglé autrement (TASKS_BACKEND) : il ne connaît pas "
            f"{', '.join(strange[:_SHOWN])}{others}. "
            "Installez d'abord la version qui l'a faite."
        )
    if replace:
        return
    if not dumps.is_empty(connection):
        raise BackupRefused(
            f"{dumps.describe(connection)} n'est pas vide. Donnez une base vide, ou sauvegardez "
            "celle-ci puis relancez avec --replace, qui l'efface."
        )
    if archive.has_documents(Path(settings.MEDIA_ROOT)):
        raise BackupRefused(
            f"Le dossier {settings.MEDIA_ROOT} contient déjà des documents. Donnez un dossier vide, ou "
            "relancez avec --replace."
        )


def _backup(path: Path, manifest: dict[str, Any]) -> Backup:
    database, documents = dumps.describe(connection), manifest["documents"]["count"]
    return Backup(path, database, documents, manifest["made_at"])


def _target(destination: Path) -> Path:
    if destination.suffix == ".tar":
        return destination
    return destination / f"entsvc-{timezone.localtime():%Y-%m-%d-%H%M%S}.tar"


def _version() -> str:
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text(encoding="utf-8"))
    return project["project"]["version"]
