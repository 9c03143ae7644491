"""What has been paid of a titre: rows only added, whole cancellations, the same click once."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from entsvc.models import JournalEntry
from invoicing.correction_payload import PartOff
from invoicing.corrections import correct
from invoicing.models import Payment, Titre
from invoicing.payments import (
    PaymentRefused,
    Standing,
    cancel_payment,
    in_words,
    paid,
    record_payment,
    remaining,
    standing,
)
from invoicing.roles import create_groups
from tests.conventions.world import account
from tests.factories import IssuerFactory, PaymentFactory

RECEIPT, CANCELLATION = Payment.Kind.RECEIPT, Payment.Kind.CANCELLATION
DAY = dt.date(2025, 4, 1)


def euros(text):
    return Decimal(text)


@pytest.fixture
def titre(world):
    """A titre of 90 €."""
    return next(t for t in world.issue().titres if t.total == 90)


def pay(titre, amount="45.00", *, reference="VIR-1", on=DAY):
    return record_payment(
        titre=titre, amount=euros(amount), received_on=on, reference=reference, actor="essai"
    )


# --- The sums ---------------------------------------------------------------------------------


def test_paid_is_receipts_less_their_cancellations():
    rows = [(RECEIPT, euros("30.00")), (RECEIPT, euros("60.00")), (CANCELLATION, euros("30.00"))]
    assert paid(rows) == euros("60.00")
    assert paid([]) == euros("0.00")


def test_nothing_remains_once_more_has_been_paid_than_is_due():
    assert remaining(euros("90.00"), euros("45.00")) == euros("45.00")
    assert remaining(euros("90.00"), euros("100.00")) == 0


@pytest.mark.parametrize(
    ("due", "received", "words"),
    [
        ("90.00", "0.00", "Aucun paiement n'est enregistré ; il reste 90,00 €."),
        ("90.00", "45.00", "Payé : 45,00 € ; il reste 45,00 €."),
        ("90.00", "90.00", "Payé en totalité."),
        ("90.00", "100.00", "Payé : 100,00 €, soit 10,00 € de trop."),
        ("0.00", "0.00", "Rien à payer."),
    ],
)
def test_a_standing_is_told_in_words(due, received, words):
    told = in_words(Standing(due=euros(due), paid=euros(received)))
    assert told.replace("\u202f", " ").replace("\xa0", " ") == words


# --- Recording --------------------------------------------------------------------------------


def test_a_titre_is_paid_in_several_times(titre):
    assert standing(titre) == Standing(due=euros("90.00"), paid=euros("0.00"))
    pay(titre, "45.00", reference="VIR-1")
    assert standing(titre).remaining == 45
    pay(titre, "45.00", reference="VIR-2")
    assert standing(titre).settled
    assert JournalEntry.objects.filter(action="payment").count() == 2


def test_more_than_is_due_is_kept_and_shown(titre):
    pay(titre, "100.00")
    found = standing(titre)
    assert (found.paid, found.remaining, found.overpaid) == (100, 0, 10)


def test_the_same_click_twice_records_one_payment(titre):
    pay(titre)
    with pytest.raises(PaymentRefused, match="VIR-1 » est déjà saisi"):
        pay(titre, reference=" VIR-1 ")
    assert titre.payments.count() == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"amount": "0.00"}, "positif"),
        ({"amount": "-5.00"}, "positif"),
        ({"on": dt.date(2999, 1, 1)}, "à venir"),
        ({"reference": "  "}, "référence"),
    ],
)
def test_a_wrong_payment_is_refused_with_its_reason(titre, changes, message):
    with pytest.raises(PaymentRefused, match=message):
        pay(titre, **changes)
    assert not titre.payments.exists()


def test_a_reduction_takes_its_amount_off_and_is_not_paid(world, titre):
    reduction = correct(
        titre=titre,
        kind=Titre.Kind.REDUCTION,
        reason_code=Titre.Reason.WRONG_AMOUNT,
        reason="École fermée avant la rentrée.",
        on=DAY,
        signatory=world.signatory,
        actor="essai",
        parts=[PartOff(euros("45.00"), charge="ECOLE")],
    )
    pay(titre, "45.00")
    assert standing(titre).settled
    with pytest.raises(PaymentRefused, match="titre d'origine"):
        pay(reduction)


# --- Cancelling -------------------------------------------------------------------------------


def test_a_payment_is_cancelled_whole_and_both_rows_stay(titre):
    payment = pay(titre)
    cancellation = cancel_payment(payment=payment, reason="virement rejeté", actor="essai")
    assert (cancellation.amount, cancellation.cancels) == (payment.amount, payment)
    assert standing(titre) == Standing(due=euros("90.00"), paid=euros("0.00"))
    pay(titre)  # the reference is free again
    assert standing(titre).paid == 45
    assert titre.payments.count() == 3


def test_a_payment_is_cancelled_once(titre):
    payment = pay(titre)
    cancellation = cancel_payment(payment=payment, reason="erreur", actor="essai")
    with pytest.raises(PaymentRefused, match="déjà annulé"):
        cancel_payment(payment=payment, reason="erreur", actor="essai")
    with pytest.raises(PaymentRefused, match="ne s'annule pas"):
        cancel_payment(payment=cancellation, reason="erreur", actor="essai")
    with pytest.raises(PaymentRefused, match="motif"):
        cancel_payment(payment=pay(titre, reference="VIR-2"), reason=" ", actor="essai")


@pytest.mark.parametrize("facts", [{"kind": CANCELLATION}, {"amount": euros("-1.00")}])
def test_the_database_refuses_what_no_rule_makes(titre, facts):
    with pytest.raises(IntegrityError), transaction.atomic():
        PaymentFactory(titre=titre, **facts)


# --- Staff pages ------------------------------------------------------------------------------


def url_of(titre):
    return reverse("admin:invoicing_titre_add_payment", args=[titre.pk])


@pytest.mark.parametrize(
    ("role", "status"), [("finances", 200), ("gestionnaire", 403), ("lecture", 403)]
)
def test_only_finances_records_payments(client, titre, role, status):
    account(client, role, titre.issuer)
    payment = pay(titre)
    assert client.get(url_of(titre)).status_code == status
    cancel = reverse("admin:invoicing_payment_cancel", args=[payment.pk])
    assert client.get(cancel).status_code == status


def test_what_remains_is_proposed_in_french(client, titre):
    account(client, "finances", titre.issuer)
    pay(titre, "30.50")
    assert 'value="59,50"' in client.get(url_of(titre)).content.decode()


def test_an_officer_records_then_cancels_a_payment(client, titre):
    account(client, "finances", titre.issuer)
    form = {"amount": "45,00", "received_on": "01/04/2025", "reference": "VIR-9"}
    page = client.post(url_of(titre), form, follow=True)
    assert "il reste 45,00" in page.content.decode()
    payment = titre.payments.get()
    assert (payment.amount, payment.recorded_by) == (45, "finances")
    again = client.post(url_of(titre), form)
    assert "est déjà saisi" in again.content.decode()
    cancel = reverse("admin:invoicing_payment_cancel", args=[payment.pk])
    page = client.post(cancel, {"reason": "rejet"}, follow=True)
    assert "Aucun paiement" in page.content.decode()
    assert titre.payments.count() == 2


def test_the_payments_of_another_issuer_are_out_of_sight(client, titre):
    payment = pay(titre)
    account(client, "finances", IssuerFactory(code="AUTRE"))
    assert client.get(url_of(titre)).status_code == 404
    assert client.get(reverse("admin:invoicing_payment_cancel", args=[payment.pk])).status_code == 404
    rows = client.get(reverse("admin:invoicing_payment_changelist")).context["cl"]
    assert rows.result_count == 0


def test_the_list_of_payments_opens_in_few_queries(client, titre, django_assert_max_num_queries):
    create_groups()
    account(client, "finances", titre.issuer)
    for rank in range(5):
        pay(titre, "1.00", reference=f"VIR-{rank}")
    with django_assert_max_num_queries(20):
        client.get(reverse("admin:invoicing_payment_changelist"))
    with django_assert_max_num_queries(20):
        client.get(reverse("admin:invoicing_titre_change", args=[titre.pk]))
