"""The chain of the journal: what is written down can be neither changed nor taken away unseen.

Each event has one link, numbered without gap, whose hash covers the event and the link before. Events
are linked once committed, under a lock held for these few rows alone: a long import holds up nobody, and
takes its place when it ends. An event whose process died meanwhile is linked with the next ones.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC

from django.db import OperationalError, connection, transaction
from django.utils import timezone

from entsvc.canonical import canonical
from entsvc.french import short_date
from entsvc.models import JournalEntry, JournalLink

logger = logging.getLogger(__name__)

CHUNK = 500
# How far behind the last link an event linked at once also looks for what a killed process left.
BEHIND = 200
PATIENCE_MS = 500  # of whoever has just written: what it could not link is linked later
LOCK = 0x6A6F7572  # « jour » : the key of the advisory lock, ours alone
FACTS = ("pk", "at", "actor", "action", "target", "summary", "data")


def link_after_commit(entry: JournalEntry) -> None:
    """Have an event linked once its transaction commits; failing to never undoes what it tells."""

    def link() -> None:
        try:
            _link_recent(entry.pk)
        except OperationalError as error:
            logger.info("Un événement sera enchaîné avec les suivants : %s", error)

    transaction.on_commit(link, robust=True)


def link_pending() -> int:
    """Link all that is committed and not yet linked, a few hundred at a time; return how many.

    Each few is a transaction of its own: don't call it inside one.
    """
    count, after = 0, 0
    while linked := _link(after):
        count += len(linked)
        after = linked[-1]
    return count


def head() -> str:
    """Return the hash of the last link, empty before the first: it stands for the whole journal."""
    last = JournalLink.objects.order_by("-number").first()
    return last.sha256 if last else ""


def holds(sha256: str) -> bool:
    """Tell whether a hash is that of a link: the journal of then is still the beginning of today's."""
    return not sha256 or JournalLink.objects.filter(sha256=sha256).exists()


def link_hash(previous: str, facts: dict) -> str:
    """Return the hash of a link: SHA-256 of the hash before, a line break and the event as JSON.

    The event is {action, actor, at, data, summary, target}, its keys sorted, no space between tokens;
    `at` in UTC as 2025-03-03T10:00:00.000000+00:00.
    """
    event = {name: facts[name] for name in FACTS if name != "pk"}
    event["at"] = event["at"].astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256(f"{previous}\n{canonical(event)}".encode()).hexdigest()


def verify(*, batch: int = CHUNK) -> Iterator[str]:
    """Walk the whole chain, a few hundred links at a time, and tell in French what does not hold.

    Link what is pending before: an event older than the last link and still without one is a deviation.
    """
    number, previous, newest = 0, "", 0
    while links := list(_links().filter(number__gt=number)[:batch]):
        events = _events(link["entry_id"] for link in links)
        for link in links:
            yield from _deviations(link, number, previous, events.get(link["entry_id"]))
            number, previous = link["number"], link["sha256"]
            newest = max(newest, link["entry_id"])
    yield from _unlinked(newest)


def _link_recent(pk: int) -> None:
    """Link an event that has just been committed, and those around it."""
    if JournalLink.objects.filter(entry=pk).exists():
        return  # with another one of the same transaction, or by somebody else meanwhile
    with _hurried():
        _link(None, first=pk)


def _link(after: int | None, *, first: int = 0) -> list[int]:
    """Link the first events beyond the key `after` that have no link yet; return their keys.

    Without `after`, from the event `first` or from a little behind the last link, whichever is older.
    """
    with transaction.atomic(durable=True):
        _lock()
        last = JournalLink.objects.order_by("-number").first()
        if after is None:
            after = min(first - 1, last.entry_id - BEHIND) if last else 0
        pending = JournalEntry.objects.filter(pk__gt=after, link__isnull=True).order_by("pk")
        number, previous = (last.number, last.sha256) if last else (0, "")
        links = []
        for facts in pending.values(*FACTS)[:CHUNK]:
            number, sha256 = number + 1, link_hash(previous, facts)
            links.append(
                JournalLink(entry_id=facts["pk"], number=number, previous=previous, sha256=sha256)
            )
            previous = sha256
        JournalLink.objects.bulk_create(links)
    return [link.entry_id for link in links]


def _lock() -> None:
    """Wait for the chain: SQLite has one writer at a time, PostgreSQL a lock of its own for this."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


@contextmanager
def _hurried() -> Iterator[None]:
    """Wait but a moment for the lock: behind a long import, SQLite would keep a page for its length."""
    if connection.vendor == "postgresql":
        hurry, rest = f"SET lock_timeout = {PATIENCE_MS}", "RESET lock_timeout"
    else:
        usual = int(connection.settings_dict["OPTIONS"].get("timeout", 5) * 1000)
        hurry, rest = f"PRAGMA busy_timeout = {PATIENCE_MS}", f"PRAGMA busy_timeout = {usual}"
    with connection.cursor() as cursor:
        cursor.execute(hurry)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(rest)


def _links() -> Iterable[dict]:
    return JournalLink.objects.order_by("number").values("number", "previous", "sha256", "entry_id")


def _events(keys: Iterable[int]) -> dict[int, dict]:
    found = JournalEntry.objects.filter(pk__in=list(keys)).order_by("pk").values(*FACTS)
    return {facts["pk"]: facts for facts in found}


def _deviations(link: dict, number: int, previous: str, facts: dict | None) -> Iterator[str]:
    """Compare a link with the one before it (its number and hash) and with its event."""
    if link["number"] != number + 1:
        absent = f"maillon {number + 1} absent"
        if link["number"] > number + 2:
            absent = f"maillons {number + 1} à {link['number'] - 1} absents"
        yield f"{absent} : des événements ont été retirés du journal"
    elif link["previous"] != previous:
        yield f"maillon {link['number']} : il ne suit pas le maillon {number}"
    if facts is None:
        yield f"maillon {link['number']} : son événement a été retiré du journal"
    elif link["sha256"] != link_hash(link["previous"], facts):
        day = short_date(timezone.localtime(facts["at"]))
        yield (
            f"maillon {link['number']} : l'événement {facts['pk']} du {day} "
            f"(« {facts['summary']} ») n'est plus celui qui a été écrit"
        )


def _unlinked(newest: int) -> Iterator[str]:
    """Name the events without link that are older than the last link."""
    older = JournalEntry.objects.filter(link__isnull=True, pk__lt=newest).order_by("pk")
    keys = list(older.values_list("pk", flat=True)[:CHUNK])
    if keys and not connection.in_atomic_block:
        link_pending()  # a long transaction may have committed them a moment ago
        keys = list(older.filter(pk__in=keys).values_list("pk", flat=True))
    for key in keys:
        yield f"l'événement {key} n'a pas de maillon alors que de plus récents en ont un"
