"""A long piece of work asked for once, done by whoever gets it, never twice; what came of it is kept.

It is claimed for a short time that its worker keeps renewing: a killed one holds it a minute more, and
what it wrote in its transaction is undone by the database.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import (
    Error,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connections,
    transaction,
)
from django.db.models import Q, QuerySet, TextChoices
from django.utils import timezone

from entsvc import background
from entsvc.models import StoredDocument, Work

log = logging.getLogger(__name__)

ACTIVITY = "travail"
HOLD = timedelta(minutes=1)
BEAT_SECONDS = 15  # how often a worker says that it is alive
MOST = 3  # tries that die on the way
KILLED = (
    f"Arrêté {MOST} fois en route, sans que l'on sache pourquoi : le serveur manque peut-être de "
    "mémoire. Rien n'a été écrit. Recommencez ; si l'échec revient, signalez-le."
)


class WorkFailed(Exception):
    """The work can't be done; the message says why and what to do, in French."""


class State(TextChoices):
    """Where a work stands."""

    WAITING = "attente", "En attente"
    RUNNING = "cours", "En cours"
    STOPPED = "interrompu", "Interrompu"
    DONE = "fait", "Fait"
    FAILED = "echec", "Échec"


@dataclass(frozen=True)
class Outcome:
    """What came of a work, in words: a page and the key of its row, a file, or a failure.

    `path` is that of a file kept for some days (see `short_lived`); a `document` is kept for ever.
    """

    told: str = ""
    page: str = ""
    page_key: str = ""
    document: StoredDocument | None = None
    path: str = ""
    file_name: str = ""
    failure: str = ""


@dataclass(frozen=True)
class Kind:
    """A kind of work: `run` does it, in one transaction with its outcome when it writes.

    Raises WorkFailed, and then nothing of it is written. `seen_with` and `asked_with` are the
    permissions that following it and asking for it again take.
    """

    name: str
    run: Callable[[Work], Outcome]
    seen_with: str
    asked_with: str
    writes: bool = True


KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> Kind:
    """Make a kind of work known."""
    KINDS[kind.name] = kind
    return kind


def ask(
    *,
    kind: Kind,
    once: str,
    title: str,
    arguments: dict[str, Any],
    actor: str,
    issuer: int | None = None,
) -> Work:
    """Ask for a work and set it going; one about the same thing that is not finished goes on instead."""
    facts = {"title": title[:300], "arguments": arguments, "actor": actor, "issuer": issuer}
    with transaction.atomic():
        found = _asked(kind.name, once, facts)
        transaction.on_commit(lambda: nudge(found))
    return found


def again(*, work: Work, actor: str) -> Work:
    """Ask for a work once more, as it was asked for."""
    return ask(
        kind=KINDS[work.kind],
        once=work.once,
        title=work.title,
        arguments=work.arguments,
        actor=actor,
        issuer=work.issuer,
    )


def nudge(work: Work) -> bool:
    """Ask the background for a work; return False when it could not be reached."""
    return background.nudge(ACTIVITY, work.pk)


def visible(user: Any) -> QuerySet[Work]:
    """Return the works that an account may follow: those about its issuers, and its own."""
    rows = Work.objects.filter(kind__in=[k.name for k in KINDS.values() if user.has_perm(k.seen_with)])
    if user.is_superuser:
        return rows
    mine = Q(issuer__isnull=True, actor=user.get_username())
    return rows.filter(Q(issuer__in=user.issuers.order_by("pk").values("pk")) | mine)


def state_of(work: Work) -> State:
    """Return where a work stands."""
    if work.finished_at:
        return State.FAILED if work.failure else State.DONE
    if not work.held_until:
        return State.WAITING
    return State.RUNNING if work.held_until >= timezone.now() else State.STOPPED


def unfinished() -> list[uuid.UUID]:
    """Return the works that nobody holds and that are not finished, the oldest first."""
    rows = Work.objects.filter(_free(), finished_at__isnull=True).order_by("at", "pk")
    return list(rows.values_list("pk", flat=True))


def go_on(key: uuid.UUID, seconds: float | None = None) -> int:
    """Do a work that nobody holds; return 1, or 0 when there is nothing to do.

    Safe in several processes at once. It can't be parted: `seconds` changes nothing.
    """
    work = _claimed(key)
    if work is None:
        return 0
    with _kept_alive(work):
        _perform(work)
    return 1


def _asked(kind: str, once: str, facts: dict[str, Any]) -> Work:
    while True:
        pending = Work.objects.filter(kind=kind, once=once, finished_at__isnull=True).first()
        if pending:
            return pending
        try:
            with transaction.atomic():
                return Work.objects.create(kind=kind, once=once, **facts)
        except IntegrityError:  # somebody asked for it meanwhile
            continue


def _free() -> Q:
    return Q(held_until__isnull=True) | Q(held_until__lt=timezone.now())


def _claimed(key: uuid.UUID) -> Work | None:
    """Take a work that nobody holds, so that all can see since when."""
    with transaction.atomic():
        rows = Work.objects.filter(_free(), pk=key, finished_at__isnull=True)
        work = rows.select_for_update(skip_locked=True).first()
        if work is None:
            return None
        now = timezone.now()
        if work.tries >= MOST:
            rows.update(finished_at=now, failure=KILLED)
            return None
        work.tries, work.holder = work.tries + 1, uuid.uuid4()
        work.started_at, work.held_until = now, now + HOLD
        work.save(update_fields=["tries", "holder", "started_at", "held_until"])
        return work


class _Lost(Exception):
    """The work was given to somebody else: this process had seemed dead."""


def _perform(work: Work) -> None:
    try:
        if KINDS[work.kind].writes:
            with transaction.atomic():
                _finish(work, KINDS[work.kind].run(work))
        else:
            _finish(work, KINDS[work.kind].run(work))
    except _Lost:
        log.warning("Travail %s : un autre l'a repris, rien n'est écrit ici.", work.pk)
    except WorkFailed as refused:
        _close(work, Outcome(failure=str(refused)))
    except (OperationalError, InterfaceError):
        raise  # the database is gone or too busy: whoever comes next takes it again
    except Exception as error:
        _broke(work, error)


def _broke(work: Work, error: Exception) -> None:
    log.exception("Travail %s (%s)", work.pk, work.kind)
    name = type(error).__name__
    told = f"Travail impossible ({name}) : recommencez ; si l'échec revient, signalez-le."
    _close(work, Outcome(failure=told))


def _finish(work: Work, outcome: Outcome) -> None:
    if not _close(work, outcome):
        raise _Lost


def _close(work: Work, outcome: Outcome) -> bool:
    """Write what came of a work, if it is still this process that holds it."""
    mine = Work.objects.filter(pk=work.pk, holder=work.holder, finished_at__isnull=True)
    facts = {**vars(outcome), "told": outcome.told[:300], "file_name": outcome.file_name[:200]}
    return bool(mine.update(finished_at=timezone.now(), **facts))


@contextmanager
def _kept_alive(work: Work) -> Iterator[None]:
    """Renew the hold on a work as long as it takes."""
    over = threading.Event()
    thread = threading.Thread(target=_beat, args=(work, over), name=f"travail-{work.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _beat(work: Work, over: threading.Event) -> None:
    try:
        while not over.wait(BEAT_SECONDS):
            mine = Work.objects.filter(pk=work.pk, holder=work.holder, finished_at__isnull=True)
            try:
                mine.update(held_until=timezone.now() + HOLD)
            except Error:  # SQLite has one writer, which may be the work itself
                log.info("Travail %s : signe de vie remis à plus tard.", work.pk)
    finally:
        connections.close_all()


background.register(background.Activity(ACTIVITY, go_on, unfinished, hands=1))
