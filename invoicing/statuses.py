"""Where a titre stands, from its own rows: nothing stores it, so nothing can contradict them.

Issued, sent to the accountant, taken in charge or rejected, partly paid, paid; cancelled once its
corrections leave nothing due. A correction stops at the accountant's answer: nobody pays it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import (
    Case,
    Exists,
    ExpressionWrapper,
    F,
    IntegerField,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Sum,
    TextChoices,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Greatest

from entsvc.fields import MoneyField
from invoicing.models import BordereauEvent, Payment, Titre, TitreEvent
from invoicing.payments import ZERO, paid


class Status(TextChoices):
    """Where a titre stands, in the order in which it moves on."""

    ISSUED = "emis", "Émis"
    SENT = "envoye", "Envoyé au comptable"
    TAKEN = "pris-en-charge", "Pris en charge"
    REJECTED = "rejete", "Rejeté par le comptable"
    PARTLY_PAID = "paye-en-partie", "Payé en partie"
    PAID = "paye", "Payé"
    CANCELLED = "annule", "Annulé"


# What `history_of` reads, to be prefetched for a list.
FOLLOWED = (
    "bordereau__events",
    "events",
    "payments",
    Prefetch("corrections", Titre.objects.defer("payload").order_by("pk")),
)
ORDER = list(Status)
ANSWERS = {TitreEvent.Kind.TAKEN: Status.TAKEN, TitreEvent.Kind.REJECTED: Status.REJECTED}


@dataclass(frozen=True)
class History:
    """All that decides where a titre stands, in euros and days.

    `answers` are those of the accountant, (kind, day), as they were recorded; `corrections` are
    (day, amount taken off); `payments` are (day, kind, amount).
    """

    total: Decimal
    issued_on: date
    sent_on: date | None = None
    answers: Sequence[tuple[str, date]] = ()
    corrections: Sequence[tuple[date, Decimal]] = ()
    payments: Sequence[tuple[date, str, Decimal]] = ()

    @property
    def due(self) -> Decimal:
        """Return the euros asked once corrected, whatever was paid."""
        return self.total - sum((amount for _, amount in self.corrections), ZERO)

    @property
    def received(self) -> Decimal:
        """Return the euros paid, less the payments that were cancelled."""
        return paid((kind, amount) for _, kind, amount in self.payments)


@dataclass(frozen=True)
class Step:
    """A status and the day from which it holds."""

    status: Status
    on: date


def status_of(history: History) -> Status:
    """Return where a titre stands: what is due decides, then what was paid, then the accountant."""
    answer = history.answers[-1][0] if history.answers else None
    return _status(history.due, history.received, answer, history.sent_on is not None)


def steps_of(history: History) -> list[Step]:
    """Return each status that a titre has had and its day, in order; the last is where it stands."""
    so_far = History(history.total, history.issued_on)
    steps = [Step(status_of(so_far), history.issued_on)]
    for on, (name, fact) in _dated(history):
        value = fact if name == "sent_on" else (*getattr(so_far, name), fact)
        so_far = replace(so_far, **{name: value})
        status = status_of(so_far)
        if status != steps[-1].status:
            steps.append(Step(status, on))
    return steps


def history_of(titre: Titre) -> History:
    """Return the history of a titre, from its related rows as `FOLLOWED` prefetches them."""
    sent = [event.on for event in titre.bordereau.events.all() if event.kind == BordereauEvent.Kind.SENT]
    return History(
        total=titre.total,
        issued_on=titre.issued_on,
        sent_on=sent[0] if sent else None,
        answers=[
            (event.kind, event.on) for event in sorted(titre.events.all(), key=lambda event: event.pk)
        ],
        corrections=[(row.issued_on, row.total) for row in titre.corrections.all()],
        payments=[(row.received_on, row.kind, row.amount) for row in titre.payments.all()],
    )


def with_status(titres: QuerySet[Titre]) -> QuerySet[Titre]:
    """Add what lists show: `corrected`, `received`, `due_left` (None for a correction), `status_rank`.

    `status_rank` is the place in `ORDER` of what `status_of` would answer.
    """
    return (
        titres.annotate(corrected=_corrected(), received=_received(), last_answer=_last_answer())
        .annotate(due=_euros(F("total") - F("corrected")))
        .annotate(
            due_left=Case(
                When(kind=Titre.Kind.TITRE, then=Greatest(_euros(F("due") - F("received")), _NOTHING)),
                output_field=MoneyField(),
            ),
            status_rank=_rank(),
        )
    )


class Standing(NamedTuple):
    """Where a titre or a correction stands and what is left of it, in euros; see `standings`."""

    kind: str
    issued_on: date
    due: Decimal
    received: Decimal
    status: Status

    @property
    def due_left(self) -> Decimal:
        """Return the euros still to be paid, never less than none."""
        return max(self.due - self.received, ZERO)


def standings(titres: QuerySet[Titre]) -> Iterator[Standing]:
    """Yield where each titre and correction stands, to add many up.

    The database is asked for each fact once; adding `with_status` up asks it again in every sum.
    """
    rows = titres.annotate(
        corrected=_corrected(), received=_received(), last_answer=_last_answer(), is_sent=_is_sent()
    )
    facts = ("kind", "issued_on", "total", "corrected", "received", "last_answer", "is_sent")
    found = rows.order_by().values_list(*facts)
    for kind, issued_on, total, corrected, received, answer, is_sent in found:
        due = total - corrected
        yield Standing(kind, issued_on, due, received, _status(due, received, answer, is_sent))


def shown(rank: int) -> str:
    """Return the French words of a `status_rank`."""
    return ORDER[rank].label


_NOTHING = Value(ZERO, output_field=MoneyField())


def _status(due: Decimal, received: Decimal, answer: str | None, is_sent: bool) -> Status:
    if due <= 0:
        return Status.CANCELLED
    if received > 0:
        return Status.PAID if received >= due else Status.PARTLY_PAID
    if answer:
        return ANSWERS[TitreEvent.Kind(answer)]
    return Status.SENT if is_sent else Status.ISSUED


def _dated(history: History) -> list[tuple[date, tuple[str, Any]]]:
    """Return what happened after the issue, day by day; the answers in the order of their recording."""
    facts: list[tuple[date, tuple[str, Any]]] = []
    if history.sent_on:
        facts.append((history.sent_on, ("sent_on", history.sent_on)))
    latest = history.issued_on
    for kind, on in history.answers:
        latest = max(latest, on)
        facts.append((latest, ("answers", (kind, on))))
    facts += [(row[0], ("corrections", row)) for row in history.corrections]
    facts += [(row[0], ("payments", row)) for row in history.payments]
    return sorted(facts, key=lambda fact: fact[0])


def _euros(expression: F) -> ExpressionWrapper:
    return ExpressionWrapper(expression, output_field=MoneyField())


def _corrected() -> Coalesce:
    rows = Titre.objects.filter(original=OuterRef("pk")).order_by().values("original")
    return Coalesce(Subquery(rows.annotate(sum=Sum("total")).values("sum")), _NOTHING)


def _received() -> Coalesce:
    """Return the receipts less their cancellations."""
    kinds = Payment.Kind
    rows = Payment.objects.filter(titre=OuterRef("pk")).order_by().values("titre")
    net = _euros(
        Coalesce(Sum("amount", filter=Q(kind=kinds.RECEIPT)), _NOTHING)
        - Coalesce(Sum("amount", filter=Q(kind=kinds.CANCELLATION)), _NOTHING)
    )
    return Coalesce(Subquery(rows.annotate(net=net).values("net")), _NOTHING)


def _last_answer() -> Subquery:
    answers = TitreEvent.objects.filter(titre=OuterRef("pk")).order_by("-pk")
    return Subquery(answers.values("kind")[:1])


def _is_sent() -> Exists:
    kind = BordereauEvent.Kind.SENT
    return Exists(BordereauEvent.objects.filter(bordereau=OuterRef("bordereau"), kind=kind))


def _rank() -> Case:
    cases = (
        (Q(due__lte=ZERO), Status.CANCELLED),
        (Q(received__gt=ZERO, received__gte=F("due")), Status.PAID),
        (Q(received__gt=ZERO), Status.PARTLY_PAID),
        *((Q(last_answer=kind), status) for kind, status in ANSWERS.items()),
        (_is_sent(), Status.SENT),
    )
    return Case(
        *(When(condition, then=Value(ORDER.index(status))) for condition, status in cases),
        default=Value(ORDER.index(Status.ISSUED)),
        output_field=IntegerField(),
    )
