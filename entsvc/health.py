"""Does this process answer, and could it work now? For probes: no session, no secret, no cache."""

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Min
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.utils import timezone

from entsvc.models import OutgoingMail

logger = logging.getLogger(__name__)
LIVE, READY = "/sante/", "/sante/prete/"
# What has been due for that long waits for a process that is stopped, or too busy.
LATE = timedelta(minutes=15)
_PATIENCE_MS = 3000
_NO_DATABASE = "La base de données ne répond pas."
_NO_DOCUMENTS = "Le dossier des documents (MEDIA_ROOT) ne peut pas être écrit."


@dataclass
class Readiness:
    """What prevents this process from working, and what only waits: sentences in French by subject."""

    blocking: dict[str, str] = field(default_factory=dict)
    late: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """Return « ready », « degraded » (it works, but something waits) or « unavailable »."""
        if self.blocking:
            return "unavailable"
        return "degraded" if self.late else "ready"


class HealthChecks:
    """Answers /sante/ and /sante/prete/ before everything else; lets the rest pass."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a probe, or pass."""
        if request.path_info not in (LIVE, READY):
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        response = _live() if request.path_info == LIVE else _ready()
        response["Cache-Control"] = "no-store"
        return response


def readiness() -> Readiness:
    """Ask the database for what is to migrate and what waits, and write into the documents' folder.

    In bounded time: settings limit the wait for the server, and each question here is limited too.
    """
    found = Readiness()
    try:
        with _hurried():
            if missing := unapplied():
                found.blocking["migrations"] = (
                    f"Migrations à appliquer : {len(missing)} (manage.py migrate)."
                )
            else:
                found.late = _late()
    except (DatabaseError, InterfaceError) as error:
        logger.warning("%s %s", _NO_DATABASE, error)
        connection.close()
        found.blocking["database"] = _NO_DATABASE
    if not _documents_are_writable():
        found.blocking["documents"] = _NO_DOCUMENTS
    return found


def unapplied() -> set[tuple[str, str]]:
    """Return the migrations of this code, as (application, name), that the database has not seen."""
    applied = set(MigrationRecorder(connection).applied_migrations())
    return {
        key
        for key, replaced in known_migrations().items()
        if key not in applied and not (replaced and applied.issuperset(replaced))
    }


@cache
def known_migrations() -> dict[tuple[str, str], tuple[tuple[str, str], ...]]:
    """Return the migrations of this code with those that each replaces; read once by process."""
    loader = MigrationLoader(None)
    return {key: tuple(found.replaces) for key, found in loader.disk_migrations.items()}


def _live() -> HttpResponse:
    return JsonResponse({"status": "alive"})


def _ready() -> HttpResponse:
    found = readiness()
    document = {"status": found.status, **found.blocking, **found.late}
    return JsonResponse(
        document, status=503 if found.blocking else 200, json_dumps_params={"ensure_ascii": False}
    )


@contextmanager
def _hurried() -> Iterator[None]:
    """Limit each question on PostgreSQL, where a table may be locked; SQLite is read without waiting."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {_PATIENCE_MS}")
        yield


def _late() -> dict[str, str]:
    """Tell what has been due for too long."""
    found = {}
    states = OutgoingMail.State
    mails = OutgoingMail.objects.filter(state__in=[states.WAITING, states.SENDING])
    if since := _waiting_since(mails.aggregate(oldest=Min("due_at"))["oldest"]):
        found["mails"] = f"Un courriel attend depuis {since} : send_mails tourne-t-il ?"
    if apps.is_installed("django_tasks_db"):
        from django_tasks_db.models import DBTaskResult

        ready = DBTaskResult.objects.ready().order_by()
        if since := _waiting_since(ready.aggregate(oldest=Min("enqueued_at"))["oldest"]):
            found["tasks"] = f"Un travail attend depuis {since} : db_worker tourne-t-il ?"
    return found


def _waiting_since(due: datetime | None) -> str:
    """Return the age of what is late, in words; empty when nothing is."""
    if due is None or (age := timezone.now() - due) < LATE:
        return ""
    minutes = int(age.total_seconds() // 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} heures"


def _documents_are_writable() -> bool:
    folder = Path(settings.MEDIA_ROOT)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, buffering=0) as probe:
            probe.write(b"x")
    except OSError as error:
        logger.warning("%s %s", _NO_DOCUMENTS, error)
        return False
    return True
