"""What the accountant says was received: tied to the titre it names, or kept until someone decides.

A receipt is known by its issuer, day, amount and accountant's reference: told twice, it is kept once.
"""

import uuid
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from entsvc import journal
from entsvc.fields import search_key
from entsvc.french import euros, short_date
from invoicing.models import Payment, PendingReceipt, Titre
from invoicing.payments import record_payment
from invoicing.statuses import with_status
from members.models import Issuer

State = PendingReceipt.State


class ReceiptRefused(Exception):
    """The receipt can't be decided so; the message says why, in French."""


@dataclass(frozen=True)
class Receipt:
    """A receipt that names no titre surely, in euros."""

    received_on: date
    amount: Decimal
    reference: str
    wording: str = ""
    payer: str = ""
    siret: str = ""

    @property
    def identity(self) -> dict[str, Any]:
        """Return what makes it the same receipt, within an issuer."""
        return {name: getattr(self, name) for name in ("received_on", "amount", "reference")}

    @property
    def key(self) -> tuple[Any, ...]:
        """Return the same, to find it in a dictionary."""
        return tuple(self.identity.values())


def suggest(issuer: Issuer, receipt: Receipt) -> Titre | None:
    """Return the only open titre of which just that amount is left, by debtor SIRET, else by name.

    A suggestion to confirm, never a payment: two titres of the same amount suggest nothing.
    """
    titres = Titre.objects.filter(issuer=issuer, kind=Titre.Kind.TITRE).defer("payload")
    same_amount = list(with_status(titres).filter(due_left=receipt.amount).order_by("pk"))
    payer = search_key(receipt.payer)
    found = [titre for titre in same_amount if receipt.siret and titre.siret == receipt.siret]
    found = found or [titre for titre in same_amount if payer and search_key(titre.debtor_name) == payer]
    return found[0] if len(found) == 1 else None


def keep_pending(*, issuer: Issuer, receipt: Receipt, source: uuid.UUID | None = None) -> PendingReceipt:
    """Keep a receipt that no reference ties to a titre, with the titre suggested for it."""
    return PendingReceipt.objects.create(
        issuer=issuer,
        **receipt.identity,
        wording=receipt.wording,
        payer=receipt.payer,
        siret=receipt.siret,
        suggested=suggest(issuer, receipt),
        source_id=source,
    )


@transaction.atomic
def attribute(*, pending: PendingReceipt, titre: Titre, actor: str) -> Payment:
    """Record a pending receipt as a payment of a titre of its issuer.

    Raises ReceiptRefused when it is decided already or is of another issuer, and PaymentRefused where
    `record_payment` does.
    """
    pending = _waiting(pending)
    if titre.issuer_id != pending.issuer_id:
        raise ReceiptRefused("Ce titre est d'un autre émetteur que cet encaissement.")
    payment = record_payment(
        titre=titre,
        amount=pending.amount,
        received_on=pending.received_on,
        reference=pending.reference,
        actor=actor,
        source=pending.source_id,
    )
    _decide(pending, State.RECORDED, actor, payment=payment)
    _journal(pending, actor, "receipt-attributed", f"attribué à {titre.reference}")
    return payment


@transaction.atomic
def dismiss(*, pending: PendingReceipt, reason: str, actor: str) -> None:
    """Set a pending receipt aside, for good: it pays none of our titres.

    Raises ReceiptRefused without a reason, or when it is decided already.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise ReceiptRefused("Dites pourquoi cet encaissement est écarté.")
    pending = _waiting(pending)
    _decide(pending, State.DISMISSED, actor, reason=reason)
    _journal(pending, actor, "receipt-dismissed", f"écarté ({reason})")


def _waiting(pending: PendingReceipt) -> PendingReceipt:
    """Lock a receipt and return it as it is now; the second of two clicks finds it decided."""
    pending = PendingReceipt.objects.select_for_update(of=("self",)).get(pk=pending.pk)
    if pending.state != State.WAITING:
        raise ReceiptRefused(
            f"Cet encaissement est déjà {pending.get_state_display().lower()}, par {pending.decided_by}."
        )
    return pending


def _decide(pending: PendingReceipt, state: State, actor: str, **facts: Any) -> None:
    facts |= {"state": state, "decided_by": actor, "decided_at": timezone.now()}
    for name, value in facts.items():
        setattr(pending, name, value)
    pending.save(update_fields=list(facts))


def _journal(pending: PendingReceipt, actor: str, action: str, told: str) -> None:
    journal.record(
        actor=actor,
        action=action,
        target=pending,
        summary=f"Encaissement {pending.reference} du {short_date(pending.received_on)}, "
        f"{euros(pending.amount)} : {told}",
        data={"issuer": pending.issuer_id, "amount": str(pending.amount)},
    )
