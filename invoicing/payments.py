"""What has been paid of a titre and what remains, and the only ways to record it."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils import timezone

from entsvc.french import euros, short_date
from entsvc.journal import record
from invoicing.models import Payment, Titre

ZERO = Decimal("0.00")


class PaymentRefused(Exception):
    """The payment can't be recorded so; the message says why, in French."""


@dataclass(frozen=True)
class Standing:
    """Where a titre stands, in euros: `due` is its amount less what corrected it."""

    due: Decimal
    paid: Decimal

    @property
    def remaining(self) -> Decimal:
        """Return what is still to pay, nothing once more has been paid than is due."""
        return remaining(self.due, self.paid)

    @property
    def overpaid(self) -> Decimal:
        """Return what was paid beyond what is due."""
        return max(self.paid - self.due, ZERO)

    @property
    def settled(self) -> bool:
        """Tell whether nothing remains to pay."""
        return not self.remaining


def paid(payments: Iterable[tuple[str, Decimal]]) -> Decimal:
    """Return the euros paid by rows of (kind, amount): receipts less their cancellations."""
    signs = {Payment.Kind.RECEIPT: 1, Payment.Kind.CANCELLATION: -1}
    return sum((signs[kind] * amount for kind, amount in payments), ZERO)


def remaining(due: Decimal, received: Decimal) -> Decimal:
    """Return the euros still to pay of what is due, never less than nothing."""
    return max(due - received, ZERO)


def standing(titre: Titre) -> Standing:
    """Return where a titre stands, from `corrections` and `payments` where they are prefetched.

    An annulation or a réduction of a titre takes its own amount off it.
    """
    corrected = sum((correction.total for correction in titre.corrections.all()), ZERO)
    rows = [(payment.kind, payment.amount) for payment in titre.payments.all()]
    return Standing(due=titre.total - corrected, paid=paid(rows))


def in_words(found: Standing) -> str:
    """Tell where a titre stands, in a French sentence."""
    if found.overpaid:
        return f"Payé : {euros(found.paid)}, soit {euros(found.overpaid)} de trop."
    if found.settled:
        return "Payé en totalité." if found.paid else "Rien à payer."
    if found.paid:
        return f"Payé : {euros(found.paid)} ; il reste {euros(found.remaining)}."
    return f"Aucun paiement n'est enregistré ; il reste {euros(found.remaining)}."


@transaction.atomic
def record_payment(
    *,
    titre: Titre,
    amount: Decimal,
    received_on: date,
    reference: str,
    actor: str,
    source: uuid.UUID | None = None,
) -> Payment:
    """Add what the accountant received for a titre; more than is due is kept, and shown as such.

    `source` is the key of the import that brought the accountant's file, if one did.
    Raises PaymentRefused for a correction of another titre, a day to come, or a reference that this
    titre already bears: the same click twice.
    """
    titre = Titre.objects.select_for_update(of=("self",)).get(pk=titre.pk)
    reference = " ".join(reference.split())
    if titre.kind != Titre.Kind.TITRE:
        raise PaymentRefused(
            f"{titre.reference} corrige un titre : l'encaissement va au titre d'origine."
        )
    if amount <= 0:
        raise PaymentRefused("Le montant d'un encaissement est positif.")
    if received_on > timezone.localdate():
        raise PaymentRefused("Cette date est à venir : donnez le jour de l'encaissement.")
    if not reference:
        raise PaymentRefused("Donnez la référence du comptable.")
    standing_rows = titre.payments.filter(kind=Payment.Kind.RECEIPT, cancellation__isnull=True)
    if standing_rows.filter(reference=reference).exists():
        raise PaymentRefused(
            f"Un encaissement de référence « {reference} » est déjà saisi sur ce titre : "
            "annulez-le d'abord s'il est faux."
        )
    payment = Payment.objects.create(
        titre=titre,
        amount=amount,
        received_on=received_on,
        reference=reference,
        recorded_by=actor,
        source_id=source,
    )
    _journal(payment, titre, "payment", f"encaissement de {euros(amount)} ({reference})")
    return payment


@transaction.atomic
def cancel_payment(
    *,
    payment: Payment,
    reason: str,
    actor: str,
    on: date | None = None,
    source: uuid.UUID | None = None,
) -> Payment:
    """Cancel a whole payment recorded by mistake or sent back by the bank, from a day or from today.

    Raises PaymentRefused where it is a cancellation, is cancelled already, or for a day before the
    payment or to come.
    """
    today = timezone.localdate()
    on = on or today
    titre = Titre.objects.select_for_update(of=("self",)).get(pk=payment.titre_id)
    reason = " ".join(reason.split())
    if payment.kind != Payment.Kind.RECEIPT:
        raise PaymentRefused("Une annulation ne s'annule pas : saisissez de nouveau l'encaissement.")
    if not reason:
        raise PaymentRefused("Donnez le motif de l'annulation.")
    if on > today:
        raise PaymentRefused("Cette date est à venir : donnez le jour de l'annulation.")
    if on < payment.received_on:
        raise PaymentRefused(
            f"Cet encaissement est du {short_date(payment.received_on)} : il ne s'annule pas avant."
        )
    try:
        with transaction.atomic():
            cancellation = Payment.objects.create(
                titre=titre,
                kind=Payment.Kind.CANCELLATION,
                amount=payment.amount,
                received_on=on,
                reference=reason,
                cancels=payment,
                recorded_by=actor,
                source_id=source,
            )
    except IntegrityError as error:
        raise PaymentRefused("Cet encaissement est déjà annulé.") from error
    told = f"annulation de l'encaissement du {short_date(payment.received_on)} ({reason})"
    _journal(cancellation, titre, "payment-cancelled", told)
    return cancellation


def _journal(payment: Payment, titre: Titre, action: str, told: str) -> None:
    record(
        actor=payment.recorded_by,
        action=action,
        target=titre,
        summary=f"{titre.reference} : {told}",
        data={
            "payment": str(payment.pk),
            "amount": str(payment.amount),
            "received_on": payment.received_on.isoformat(),
            "reference": payment.reference,
        },
    )
