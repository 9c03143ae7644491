"""What long work leaves behind for some days only: the files it made to be fetched, its finished nudges.

A file that proves nothing is not a stored document, which nothing ever removes: it is made again on
demand. Files go by the day they were made, so that an age is a folder to empty.
"""

import uuid
from contextlib import suppress
from datetime import date, datetime, timedelta

from django.apps import apps
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

FOLDER = "exports"
FILE_DAYS = 30
NUDGE_DAYS = 7


def keep(content: bytes, *, suffix: str) -> str:
    """Keep a file for `FILE_DAYS` days at least; return its path."""
    path = f"{FOLDER}/{timezone.localdate().isoformat()}/{uuid.uuid4()}{suffix}"
    return default_storage.save(path, ContentFile(content))


def is_kept(made_at: datetime) -> bool:
    """Tell whether a file made then may still be fetched."""
    return timezone.localdate(made_at) >= _oldest()


def read(path: str) -> bytes | None:
    """Return the bytes of such a file, None once it is gone."""
    with suppress(FileNotFoundError), default_storage.open(path) as stream:
        return stream.read()
    return None


def forget() -> dict[str, int]:
    """Remove what is too old; return how many files and nudges went."""
    return {"files": _forget_files(), "nudges": _forget_nudges()}


def _oldest() -> date:
    return timezone.localdate() - timedelta(days=FILE_DAYS)


def _forget_files() -> int:
    try:
        days, _ = default_storage.listdir(FOLDER)
    except FileNotFoundError:
        return 0
    gone = 0
    for day in sorted(days):
        if day >= _oldest().isoformat():
            break
        for name in default_storage.listdir(f"{FOLDER}/{day}")[1]:
            default_storage.delete(f"{FOLDER}/{day}/{name}")
            gone += 1
        with suppress(OSError):  # another process empties it too
            default_storage.delete(f"{FOLDER}/{day}")
    return gone


def _forget_nudges() -> int:
    """Remove the finished tasks of the worker: what there is to do is never read in them."""
    if not apps.is_installed("django_tasks_db"):
        return 0
    from django_tasks_db.models import DBTaskResult

    limit = timezone.now() - timedelta(days=NUDGE_DAYS)
    return DBTaskResult.objects.finished().filter(finished_at__lt=limit).delete()[0]
