"""What an account may import, and how a file it sends is tried, then confirmed or abandoned."""

import hashlib
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q, QuerySet

from entsvc import documents
from entsvc.documents import CorruptDocument
from entsvc.importing import IMPORTERS, Importer, Job, Options, Report, run_import
from entsvc.models import ImportRecord, StoredDocument, Upload

LONGEST_NAME = 150  # bytes: what file systems take, with room to spare
KEPT_FOR = timedelta(days=30)


class NotWaiting(Exception):
    """The file was confirmed or abandoned meanwhile; the message says so."""

    def __init__(self) -> None:
        super().__init__("Ce fichier a déjà été importé ou abandonné.")


class PlanChanged(Exception):
    """The import would no longer do what was shown: `report` is what it would do now."""

    def __init__(self, report: Report) -> None:
        super().__init__("Les données ont changé depuis l'aperçu : relisez-le, puis confirmez.")
        self.report = report


class WrongOption(Exception):
    """An option can't be read; the message names it and says why."""


def offered(user: Any) -> list[Importer]:
    """Return what an account may import, by title."""
    if not user.has_perm("entsvc.add_upload"):
        return []
    allowed = (importer for importer in IMPORTERS.values() if user.has_perms(importer.permissions))
    return sorted(allowed, key=lambda importer: importer.title)


def issuers_of(user: Any) -> frozenset[int] | None:
    """Return the keys of the issuers an account is limited to; None for an administrator."""
    if user.is_superuser:
        return None
    return frozenset(user.issuers.order_by("pk").values_list("pk", flat=True))


def waiting_for(user: Any) -> QuerySet[Upload]:
    """Return the files that an account may still confirm: its own; all of them for an administrator."""
    uploads = Upload.objects.filter(importer__in=[importer.name for importer in offered(user)])
    return uploads if user.is_superuser else uploads.filter(actor=user.get_username())


def readable_by(user: Any, records: QuerySet[ImportRecord]) -> QuerySet[ImportRecord]:
    """Limit the history to what an account may read: what concerns all issuers, and its own imports."""
    if user.is_superuser:
        return records
    shared = [importer.name for importer in IMPORTERS.values() if importer.shared]
    return records.filter(Q(importer__in=shared) | Q(actor=user.get_username()))


def base_name(name: str) -> str:
    """Return the name of a sent file without folders nor what no file system takes."""
    name = name.replace("\\", "/").rpartition("/")[2]
    name = "".join(letter for letter in name if letter.isprintable()).strip()
    if name.strip(".") == "":
        return "fichier"
    stem, suffix = Path(name).stem, Path(name).suffix[:10]
    room = LONGEST_NAME - len(suffix.encode())
    return stem.encode()[:room].decode(errors="ignore") + suffix


def try_file(
    importer: Importer, chunks: Iterable[bytes], *, name: str, given: Mapping[str, Any], user: Any
) -> Upload:
    """Say what importing a file would do and keep it to be confirmed; nothing else is written.

    `given` holds the options as they were given. Raises UnreadableFile and WrongOption, and keeps
    nothing then.
    """
    name = base_name(name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        with path.open("wb") as stream:
            for chunk in chunks:
                stream.write(chunk)
        report = run_import(
            importer,
            path,
            dry_run=True,
            actor=user.get_username(),
            options=read_options(importer, given),
            issuers=issuers_of(user),
        )
        content = path.read_bytes()
        return Upload.objects.create(
            importer=importer.name,
            file_name=name,
            path=default_storage.save(f"uploads/{uuid.uuid4()}", ContentFile(content)),
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            options={key: value for key, value in given.items() if value not in (None, "")},
            actor=user.get_username(),
            report=report.to_keep(),
        )


def read_options(importer: Importer, given: Mapping[str, Any]) -> Options:
    """Return the values of options given as text; raise WrongOption for one that can't be read."""
    values = {}
    for option in importer.options:
        try:
            values[option.name] = option.read(given.get(option.name))
        except ValueError as error:
            raise WrongOption(f"{option.label} : {error}") from error
    return values


def confirm(upload: Upload, *, user: Any) -> ImportRecord | None:
    """Import a tried file; return its history row, or None when there was nothing new to keep.

    Raises NotWaiting for a file already confirmed or abandoned, PlanChanged when the import would do
    something else than what was shown (the new plan is then kept, to be shown and confirmed),
    UnreadableFile, WrongOption and CorruptDocument: nothing is written then.
    """
    importer = IMPORTERS[upload.importer]
    seen: list[uuid.UUID] = []

    def approve(job: Job) -> None:
        """Let one click only through, and only for the plan that was shown."""
        waiting = Upload.objects.select_for_update().filter(pk=upload.pk).first()
        if waiting is None:
            raise NotWaiting
        if job.report.plan() != Report.from_json(waiting.report).plan():
            raise PlanChanged(job.report)
        _forget([waiting])
        seen.append(job.record)

    if not Upload.objects.filter(pk=upload.pk).exists():
        raise NotWaiting
    try:
        with file_of(upload, upload.file_name) as path:
            run_import(
                importer,
                path,
                dry_run=False,
                actor=user.get_username(),
                options=read_options(importer, upload.options),
                issuers=issuers_of(user),
                approve=approve,
            )
    except PlanChanged as error:
        error.report.dry_run = True
        Upload.objects.filter(pk=upload.pk).update(report=error.report.to_keep())
        raise
    except CorruptDocument:
        if not Upload.objects.filter(pk=upload.pk).exists():  # another click took it meanwhile
            raise NotWaiting from None
        raise
    return ImportRecord.objects.filter(pk__in=seen).first()


def abandon(upload: Upload) -> None:
    """Forget a file that was only tried; raise NotWaiting if it was confirmed or abandoned meanwhile."""
    with transaction.atomic():
        waiting = Upload.objects.select_for_update().filter(pk=upload.pk).first()
        if waiting is None:
            raise NotWaiting
        _forget([waiting])


def forget_old(now: datetime) -> None:
    """Forget the files that nobody confirmed within thirty days."""
    with transaction.atomic():
        _forget(Upload.objects.select_for_update().filter(at__lt=now - KEPT_FOR).order_by("pk"))


def _forget(waiting: Iterable[Upload]) -> None:
    """Delete the rows, then their bytes once nothing can bring the rows back."""
    for upload in waiting:
        path = upload.path
        upload.delete()
        transaction.on_commit(lambda path=path: default_storage.delete(path))


@contextmanager
def file_of(kept: StoredDocument | Upload, name: str) -> Iterator[Path]:
    """Give back the bytes of a kept file, under its name, for as long as they are read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, base_name(name))
        path.write_bytes(documents.read(kept))
        yield path
