"""Real processes that decide one pending receipt at once: it pays once, the other is told so."""

import pytest

from tests.invoicing.scratch import POSTGRESQL, until
from tests.invoicing.test_concurrency import one, waiting

DECIDE = """
import sys
import django
django.setup()
from invoicing.models import PendingReceipt, Titre
from invoicing.payments import PaymentRefused
from invoicing.receipts import ReceiptRefused, attribute, dismiss

what, actor = sys.argv[1:]
pending = PendingReceipt.objects.get()
titres = Titre.objects.order_by("number")
try:
    if what == "écarter":
        dismiss(pending=pending, reason="Étranger à l'ENT.", actor=actor)
    else:
        attribute(pending=pending, titre=titres[int(what)], actor=actor)
except (ReceiptRefused, PaymentRefused) as error:
    print("refusé :", error)
else:
    print("fait")
"""


@pytest.fixture
def pending(scratch_issued):
    """Three titres issued, and a receipt of 50 € that names none of them."""
    path = scratch_issued.folder / "encaissements.csv"
    path.write_text("date;montant;reference\n2025-04-01;50,00;VIR-1\n", encoding="utf-8")
    assert scratch_issued.json("import_payments", path, "--issuer", "OCC")["created"] == 1
    return scratch_issued


def at_once(scratch, *asked):
    """Start them all, held on PostgreSQL until each waits for the receipt; return their answers."""
    if not POSTGRESQL:
        return answers([decide(scratch, *item) for item in asked])
    with scratch.connection() as gate:
        gate.execute("BEGIN")
        gate.execute("SELECT id FROM invoicing_pendingreceipt FOR UPDATE")
        processes = [decide(scratch, *item) for item in asked]
        until(lambda: len(waiting(scratch)) == len(processes))
        gate.execute("COMMIT")
    return answers(processes)


def decide(scratch, what, actor):
    return scratch.start("-c", DECIDE, what, actor)


def answers(processes):
    told = []
    for process in processes:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        told.append(output.strip())
    return sorted(told)


def payments(scratch):
    return one(scratch, "SELECT COUNT(*) FROM invoicing_payment")


@pytest.mark.parametrize("other", ["0", "1"], ids=["same titre", "another titre"])
def test_a_receipt_confirmed_twice_at_once_pays_once_and_the_second_is_told(pending, other):
    first, second = at_once(pending, ("0", "alix"), (other, "camille"))
    assert first == "fait"
    assert second.startswith("refusé : Cet encaissement est déjà attribué, par ")
    assert payments(pending) == 1
    assert one(pending, "SELECT state FROM invoicing_pendingreceipt") == "saisi"
    linked = """
        SELECT COUNT(*) FROM invoicing_pendingreceipt r JOIN invoicing_payment p ON p.id = r.payment_id
        WHERE p.recorded_by = r.decided_by
    """
    assert one(pending, linked) == 1
    journal = "SELECT COUNT(*) FROM entsvc_journalentry WHERE action = 'receipt-attributed'"
    assert one(pending, journal) == 1


def test_a_receipt_confirmed_and_set_aside_at_once_is_decided_once(pending):
    first, second = at_once(pending, ("0", "alix"), ("écarter", "camille"))
    assert first == "fait"
    assert "Cet encaissement est déjà" in second
    state = one(pending, "SELECT state FROM invoicing_pendingreceipt")
    assert payments(pending) == (1 if state == "saisi" else 0)
