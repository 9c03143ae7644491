"""Who holds which piece of long work, and which ones failed: for rows that can't say it themselves."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db.models import F, OuterRef, Q, QuerySet
from django.utils import timezone

from entsvc.models import Attempt

HOLD = timedelta(minutes=2)  # well over the time of one document: past it, its worker is dead
MOST = 3  # tries that die on the way before the piece is left aside
KILLED = (
    f"Arrêté {MOST} fois en route, sans que l'on sache pourquoi : le serveur manque peut-être de "
    "mémoire. Reprenez ; si l'échec revient, signalez-le."
)
LONGEST = Attempt._meta.get_field("failure").max_length


def standing(work: str) -> QuerySet[Attempt]:
    """Return what keeps the rows of an outer query from being taken: held by somebody, or failed."""
    held = Q(held_until__gte=timezone.now())
    return Attempt.objects.filter(held | ~Q(failure=""), work=work, key=OuterRef("pk"))


def failed(work: str) -> QuerySet[Attempt]:
    """Return the pieces of work that failed."""
    return Attempt.objects.filter(work=work).exclude(failure="").order_by("at", "pk")


def take(work: str, key: UUID) -> bool:
    """Hold a piece of work; return False when somebody holds it, or when it failed.

    Safe in several processes at once. One whose workers died `MOST` times fails instead.
    """
    now = timezone.now()
    rows = Attempt.objects.filter(work=work, key=key)
    free = Q(failure="") & (Q(held_until__isnull=True) | Q(held_until__lt=now))
    if rows.filter(free, tries__gte=MOST).update(failure=KILLED, held_until=None):
        return False
    held = {"held_until": now + HOLD, "at": now}
    if rows.filter(free).update(tries=F("tries") + 1, **held):
        return True
    return Attempt.objects.get_or_create(work=work, key=key, defaults=held)[1]


def succeed(work: str, key: UUID) -> None:
    """Leave no trace of a piece of work that is done."""
    Attempt.objects.filter(work=work, key=key).delete()


def fail(work: str, key: UUID, message: str) -> None:
    """Keep why a piece of work failed: it is tried again only when asked."""
    message = message if len(message) <= LONGEST else f"{message[: LONGEST - 1]}…"
    Attempt.objects.filter(work=work, key=key).update(failure=message, held_until=None)


def put_back(work: str, keys: Iterable[UUID] | QuerySet) -> int:
    """Put those of these pieces that failed back among what is to do; return how many."""
    return Attempt.objects.filter(work=work, key__in=keys).exclude(failure="").delete()[0]


def forget(work: str, keys: Iterable[UUID] | QuerySet) -> None:
    """Leave no trace of pieces of work whose rows are about to go."""
    Attempt.objects.filter(work=work, key__in=keys).delete()
