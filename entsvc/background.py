"""Work too long for a click: who goes on with it, how far it is, whether anybody still does.

What is left to do is read from rows, claimed one by one by whoever works: a thread of the web server, a
worker or a command. So a task is only a nudge: lost, repeated or killed, it costs nothing.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from statistics import mean
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.utils import timezone
from django_tasks import task

from entsvc import afterwards
from entsvc.french import plural

log = logging.getLogger(__name__)

PART_SECONDS = 2  # what a thread of the web server does before it lets other work pass
TURN_SECONDS = 20  # what a worker does before the other works that wait get their turn
HANDS = 4  # workers that may share one work
QUIET = timedelta(minutes=1)  # without a sign of life for so long, somebody may ask for the work again
RECENT = 20  # pieces whose pace tells the time that is left
IMMEDIATE = "django_tasks.backends.immediate.ImmediateBackend"


@dataclass(frozen=True)
class Activity:
    """A kind of long work, each one of which has a key.

    `go_on` does the pieces of one that nobody holds, beginning no other past so many seconds, and
    returns how many it settled. `unfinished` returns the keys of those that have some left and show no
    sign of life. `hands` is how many workers may share one.
    """

    name: str
    go_on: Callable[[UUID, float | None], int]
    unfinished: Callable[[], list[UUID]]
    hands: int = HANDS


ACTIVITIES: dict[str, Activity] = {}


def register(activity: Activity) -> Activity:
    """Make an activity known to the workers of this process."""
    ACTIVITIES[activity.name] = activity
    return activity


def nudge(name: str, key: UUID) -> bool:
    """Ask for what is left of a work; return False when the background could not be reached.

    Without a worker it is done by threads of the web server, from the end of the request on.
    """
    if is_inline():
        afterwards.after_response(Part(name, key))
        return True
    try:
        for _ in range(ACTIVITIES[name].hands - _awaited(name, key)):
            go_on_task.enqueue(name, str(key))
    except Exception:
        log.exception("Le travail %s %s n'a pas pu être mis en file.", name, key)
        return False
    return True


def is_inline() -> bool:
    """Tell whether the work is done by the web server itself, for want of a worker."""
    return settings.TASKS["default"]["BACKEND"] == IMMEDIATE


@task
def go_on_task(name: str, key: str) -> int:
    """Do a turn of a work, then wait in the queue for the next one until nothing is left to claim.

    A nudge only: what is to do is in the rows. Returns how many pieces were settled here.
    """
    settled = ACTIVITIES[name].go_on(UUID(key), TURN_SECONDS)
    if settled and ACTIVITIES[name].hands > 1:
        go_on_task.enqueue(name, key)
    return settled


def go_on_with_all() -> int:
    """Go on with every work that has something left and that nobody does; return how many there were.

    Handed to the workers, or done here to the end when there is none: for a timer to call.
    """
    found = [(activity, key) for activity in ACTIVITIES.values() for key in activity.unfinished()]
    for activity, key in found:
        if is_inline():
            activity.go_on(key, None)
        else:
            nudge(activity.name, key)
    return len(found)


@dataclass(frozen=True)
class Part:
    """The work in this process, a part at a time until nothing is left to claim."""

    name: str
    key: UUID

    def __call__(self) -> None:
        """Do a part and hand the rest back; asked for while it goes on, do nothing."""
        if not self._begins():
            return
        settled = 0
        try:
            settled = ACTIVITIES[self.name].go_on(self.key, PART_SECONDS)
        finally:
            with _lock:
                _under_way.discard(self)
        if settled:
            afterwards.hand_back(self)

    def _begins(self) -> bool:
        with _lock:
            if self in _under_way:
                return False
            _under_way.add(self)
            return True


_under_way: set[Part] = set()
_lock = threading.Lock()


@dataclass(frozen=True)
class Progress:
    """How far a work is, counted from its rows; `per_minute` is the pace of the last pieces."""

    total: int
    done: int
    failed: int
    seconds_left: int | None = None
    per_minute: int | None = None

    @property
    def left(self) -> int:
        """Return how many pieces are still to do."""
        return max(self.total - self.done - self.failed, 0)

    @property
    def percent(self) -> int:
        """Return the share that is settled, done or failed."""
        return 100 * (self.done + self.failed) // self.total if self.total else 100

    def at_the_pace_of(self, times: Sequence[datetime]) -> "Progress":
        """Return the same with its pace and the time left, from when the last pieces were done."""
        gap = _usual_gap(times)
        return replace(
            self,
            seconds_left=seconds_left(self.left, times),
            per_minute=max(round(60 / gap), 1) if gap else None,
        )


def seconds_left(left: int, done_at: Sequence[datetime]) -> int | None:
    """Return how long the pieces left should take, at the usual pace of the last ones, in any order.

    A pause in the work does not count. None before two were done, or when all were at once.
    """
    gap = _usual_gap(done_at)
    return round(left * gap) if gap else None


def in_words(seconds: int | None) -> str:
    """Return about how long, in French; nothing while nobody can tell."""
    if seconds is None:
        return ""
    if seconds < 60:
        return "moins d'une minute"
    if seconds < 5400:
        return f"environ {plural(ceil(seconds / 60), 'minute')}"
    return f"environ {plural(ceil(seconds / 3600), 'heure')}"


def is_quiet(signs: Iterable[datetime | None]) -> bool:
    """Tell whether the last sign of life of a work is older than `QUIET`."""
    return max(sign for sign in signs if sign) < timezone.now() - QUIET


def _usual_gap(times: Sequence[datetime]) -> float | None:
    """Return the mean gap: of two workers in step, the median would be next to nothing."""
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(sorted(times))]
    usual = [gap for gap in gaps if gap <= QUIET.total_seconds()] or gaps
    return mean(usual) if usual else None


def _awaited(name: str, key: UUID) -> int:
    """Return how many of the same nudge wait for a worker already: without one they would pile up."""
    rows = apps.get_model("django_tasks_database", "DBTaskResult").objects.ready()
    asked = {"args": [name, str(key)], "kwargs": {}}
    return rows.filter(task_path=go_on_task.module_path, args_kwargs=asked).count()
