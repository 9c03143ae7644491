"""Each piece of a campaign and all that happened to it since, in five queries whatever their number.

Everything that a page or a workbook tells of a campaign comes from one reading: its sums agree even
while payments are being recorded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

from invoicing.balance import due_date
from invoicing.chorus.posting import posted_on
from invoicing.models import Bordereau, BordereauEvent, Campaign, Payment, Titre, TitreEvent
from invoicing.payments import remaining
from invoicing.statuses import History, Status, status_of

ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Account:
    """A titre of a campaign, or a correction of one, with its history; amounts in euros.

    `member_kind` is the type of its debtor. `is_approximate`: the words of the titre make no day, it is
    taken as due 30 days after its issue.
    """

    key: UUID
    original: UUID | None
    bordereau: UUID
    member_kind: str
    due_on: date
    is_approximate: bool
    history: History

    @property
    def is_titre(self) -> bool:
        """Tell a titre from a correction."""
        return self.original is None

    @property
    def total(self) -> Decimal:
        """Return the euros of the piece as it was issued."""
        return self.history.total

    @cached_property
    def corrected(self) -> Decimal:
        """Return the euros that its corrections took off."""
        return self.total - self.history.due

    @cached_property
    def received(self) -> Decimal:
        """Return the euros received, less the payments that were cancelled."""
        return self.history.received

    @cached_property
    def remaining(self) -> Decimal:
        """Return the euros left to pay, never less than nothing; nothing of a correction."""
        return remaining(self.history.due, self.received) if self.is_titre else ZERO

    @cached_property
    def overpaid(self) -> Decimal:
        """Return the euros received beyond what is due."""
        return max(self.received - self.history.due, ZERO) if self.is_titre else ZERO

    @cached_property
    def status(self) -> Status:
        """Return where it stands."""
        return status_of(self.history)

    def is_late(self, on: date) -> bool:
        """Tell whether something was to be paid before a day and is not."""
        return on > self.due_on and self.remaining > 0


def read(campaign: Campaign) -> dict[UUID, Account]:
    """Return the account of every titre and correction of a campaign, by key."""
    sent = _sent(campaign)
    due_words = _due_words(campaign)
    rows = list(
        Titre.objects.filter(campaign=campaign)
        .order_by("pk")
        .annotate(posted=posted_on())
        .values_list("pk", "original", "bordereau", "debtor__kind", "total", "issued_on", "posted")
    )
    answers: dict[UUID, list[tuple[str, date]]] = {}
    for key, kind, on in _events(campaign):
        answers.setdefault(key, []).append((kind, on))
    payments: dict[UUID, list[tuple[date, str, Decimal]]] = {}
    for key, *payment in _payments(campaign):
        payments.setdefault(key, []).append(tuple(payment))
    corrections: dict[UUID, list[tuple[date, Decimal]]] = {}
    for _, original, *_, total, issued_on, _ in rows:
        if original is not None:
            corrections.setdefault(original, []).append((issued_on, total))
    accounts = {}
    for key, original, bordereau, member_kind, total, issued_on, posted in rows:
        due_on, is_approximate = due_date(issued_on, due_words.get(bordereau) or "", posted)
        history = History(
            total=total,
            issued_on=issued_on,
            sent_on=sent.get(bordereau),
            answers=answers.get(key, ()),
            corrections=corrections.get(key, ()),
            payments=payments.get(key, ()),
        )
        accounts[key] = Account(
            key, original, bordereau, member_kind, due_on, is_approximate, history
        )  # fmt: skip
    return accounts


def bordereaux_of(campaign: Campaign) -> Any:
    """Return the bordereaux that list a titre or a correction of a campaign, oldest first."""
    listed = Titre.objects.filter(campaign=campaign).order_by().values("bordereau").distinct()
    return Bordereau.objects.filter(pk__in=listed).order_by("exercice", "budget", "-kind", "number")


def _sent(campaign: Campaign) -> Mapping[UUID, date]:
    events = BordereauEvent.objects.filter(
        bordereau__in=bordereaux_of(campaign).order_by().values("pk"), kind=BordereauEvent.Kind.SENT
    )
    return dict(events.order_by("pk").values_list("bordereau", "on"))


def _due_words(campaign: Campaign) -> Mapping[UUID, str]:
    """Return by when the titres of each bordereau are to be paid: issued together, they say the same."""
    said = Titre.objects.first_of(bordereaux_of(campaign)).order_by("pk")
    return dict(said.values_list("bordereau", "payload__document__due_text"))


def _events(campaign: Campaign) -> Any:
    events = TitreEvent.objects.filter(titre__campaign=campaign).order_by("pk")
    return events.values_list("titre", "kind", "on")


def _payments(campaign: Campaign) -> Any:
    payments = Payment.objects.filter(titre__campaign=campaign).order_by("received_on", "pk")
    return payments.values_list("titre", "received_on", "kind", "amount")
