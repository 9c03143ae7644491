"""The accountant's file: each receipt on the titre it names, once, or kept until someone decides."""

import datetime as dt
from decimal import Decimal

import pytest
from django.urls import reverse
from openpyxl import Workbook

from entsvc.importing import run_import
from entsvc.models import ImportRecord, JournalEntry
from entsvc.tabular import UnreadableFile
from invoicing.accountant_numbers import write_number
from invoicing.importers.payments import IMPORTER
from invoicing.models import Payment, PendingReceipt
from invoicing.numbering import payment_reference
from invoicing.payments import cancel_payment, record_payment, standing
from invoicing.receipts import ReceiptRefused, State, attribute, dismiss
from tests.conventions.world import account
from tests.factories import IssuerFactory

HEADER = "date;montant;reference;libelle;titre;siret;payeur"


@pytest.fixture
def world(own_issue):
    return own_issue[0]


@pytest.fixture
def titres(own_issue):
    """Titres of 45, 90 and 135 €."""
    return own_issue[1]


@pytest.fixture
def bring(tmp_path):
    def bring(*lines, issuers=None, dry_run=False, **options):
        path = tmp_path / "encaissements.csv"
        path.write_text("\n".join([HEADER, *lines]), encoding="utf-8")
        return run_import(
            IMPORTER, path, dry_run=dry_run, actor="essai", options=options, issuers=issuers
        )

    return bring


def counts(report):
    return report.created, report.updated, report.unchanged, len(report.refused)


def line(titre="", *, on="2025-04-01", amount="45,00", reference="VIR-1", wording="", siret="", name=""):
    return f"{on};{amount};{reference};{wording};{titre};{siret};{name}"


def paid(titre):
    return standing(titre).paid


# --- What a line names ------------------------------------------------------------------------


def test_each_receipt_goes_to_the_titre_it_names(titres, bring):
    small, middle, large = titres
    report = bring(
        line(payment_reference(small.reference)),
        line(f"{middle.number}/{middle.exercice}", amount="90", reference="VIR-2"),
        line(amount="135.00", reference="VIR-3", wording=f"ENT {large.reference} MERCI"),
    )
    assert counts(report) == (3, 0, 0, 0)
    assert [paid(titre) for titre in titres] == [45, 90, 135]
    payment = small.payments.get()
    assert (payment.received_on, payment.reference) == (dt.date(2025, 4, 1), "VIR-1")
    assert payment.source == ImportRecord.objects.get()
    assert JournalEntry.objects.filter(action="payment").count() == 3


def test_the_number_of_the_accountant_names_a_titre(titres, bring):
    write_number(titre=titres[0], number="R-4512", actor="essai")
    assert counts(bring(line("R-4512"))) == (1, 0, 0, 0)
    assert paid(titres[0]) == 45


def test_a_workbook_is_read_as_well(titres, tmp_path):
    workbook = Workbook()
    workbook.active.append(["Date", "Montant", "Référence", "Titre"])
    workbook.active.append([dt.datetime(2025, 4, 1), 45.5, "VIR-1", titres[2].reference])
    path = tmp_path / "encaissements.xlsx"
    workbook.save(path)
    report = run_import(IMPORTER, path, dry_run=False, actor="essai")
    assert counts(report) == (1, 0, 0, 0)
    assert paid(titres[2]) == Decimal("45.50")


@pytest.mark.parametrize(
    ("amount", "read"), [(45.00000000000001, True), (44.99999999999999, True), (45.001, False)]
)
def test_a_sum_computed_by_a_spreadsheet_is_read_to_the_cent(titres, tmp_path, amount, read):
    workbook = Workbook()
    workbook.active.append(["Date", "Montant", "Référence", "Titre"])
    workbook.active.append([dt.datetime(2025, 4, 1), amount, "VIR-1", titres[0].reference])
    workbook.save(path := tmp_path / "encaissements.xlsx")
    report = run_import(IMPORTER, path, dry_run=False, actor="essai")
    assert counts(report) == ((1, 0, 0, 0) if read else (0, 0, 0, 1))
    assert paid(titres[0]) == (45 if read else 0)


def test_a_line_that_names_two_titres_waits_and_its_reversal_is_refused(titres, bring):
    small, middle, _ = titres
    rf = payment_reference(middle.reference)
    report = bring(line(small.reference, wording=rf))
    assert counts(report) == (1, 0, 0, 0)
    assert "Plusieurs titres" in report.flagged[0].message
    assert [paid(titre) for titre in titres] == [0, 0, 0]
    again = bring(line(small.reference, wording=rf))
    assert (counts(again), again.flagged) == ((0, 0, 1, 0), [])
    bring(line(small.reference, reference="VIR-2"))
    back = bring(line(small.reference, reference="VIR-2", on="2025-04-10", amount="-45,00", wording=rf))
    assert "Plusieurs titres" in back.refused[0].message
    assert paid(small) == 45


def test_titres_of_other_issuers_are_out_of_reach(titres, bring):
    other = IssuerFactory(code="AUTRE")
    report = bring(line(titres[0].reference), issuers=frozenset([other.pk]))
    assert counts(report) == (1, 0, 0, 0)
    assert PendingReceipt.objects.get().issuer == other
    assert paid(titres[0]) == 0


def test_a_line_without_a_titre_must_have_an_issuer(world, titres, bring):
    IssuerFactory(code="AUTRE")
    report = bring(line(), line(titres[0].reference, reference="VIR-2"))
    assert counts(report) == (1, 0, 0, 1)
    assert "AUTRE" in report.refused[0].message
    assert counts(bring(line(), issuer=world.issuer.code)) == (1, 0, 0, 0)
    with pytest.raises(UnreadableFile, match="INCONNU"):
        bring(line(), issuer="INCONNU")


def test_a_preview_writes_nothing(titres, bring):
    report = bring(line(titres[0].reference), line(reference="VIR-2"), dry_run=True)
    assert counts(report) == (2, 0, 0, 0)
    assert not Payment.objects.exists()
    assert not PendingReceipt.objects.exists()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (line(on=""), "obligatoire"),
        (line(on="2999-01-01"), "à venir"),
        (line(amount="0"), "nul"),
        (line(amount="12,345"), "centime"),
        (line(amount="1.350"), "écrivez 1350,00"),
        (line(amount="1 2 3"), "centime"),
        (line(amount="douze"), "centime"),
        (line(reference=""), "obligatoire"),
        (line(reference="1,23E+10"), "arrondi"),
    ],
)
def test_a_bad_line_is_refused_with_its_reason(titres, bring, bad, message):
    report = bring(bad)
    assert counts(report) == (0, 0, 0, 1)
    assert message in report.refused[0].message.lower()


# --- Idempotence ------------------------------------------------------------------------------


def test_the_same_file_twice_changes_nothing(titres, bring):
    lines = [
        line(titres[0].reference),
        line(reference="VIR-2", amount="12,00"),
        line(titres[1].reference, reference="VIR-3"),
        line(titres[1].reference, reference="VIR-3", on="2025-04-10", amount="-45,00"),
        line(titres[1].reference, reference="VIR-3", on="2025-04-20"),
    ]
    assert counts(bring(*lines)) == (5, 0, 0, 0)
    before = list(Payment.objects.order_by("pk").values()), list(PendingReceipt.objects.values())
    again = bring(*lines)
    assert counts(again) == (0, 0, 5, 0)
    assert not again.changes
    after = list(Payment.objects.order_by("pk").values()), list(PendingReceipt.objects.values())
    assert before == after
    assert paid(titres[1]) == 45
    assert ImportRecord.objects.count() == 1


def test_a_receipt_attributed_meanwhile_is_not_recorded_again(titres, bring):
    bring(line())
    attribute(pending=PendingReceipt.objects.get(), titre=titres[0], actor="essai")
    assert counts(bring(line())) == (0, 0, 1, 0)
    report = bring(line(titres[1].reference))  # the accountant names another titre afterwards
    assert counts(report) == (0, 0, 1, 0)
    assert "rien n'est saisi de plus" in report.flagged[0].message
    assert Payment.objects.count() == 1


def test_a_receipt_recorded_by_hand_is_known(titres, bring):
    record_payment(
        titre=titres[0], amount=Decimal("45.00"), received_on=dt.date(2025, 4, 1), reference="VIR-1",
        actor="essai",
    )  # fmt: skip
    assert counts(bring(line(titres[0].reference))) == (0, 0, 1, 0)
    assert counts(bring(line())) == (0, 0, 1, 0)
    assert not PendingReceipt.objects.exists()


def test_a_receipt_set_aside_or_cancelled_does_not_come_back(titres, bring):
    bring(line(), line(titres[0].reference, reference="VIR-2"))
    dismiss(pending=PendingReceipt.objects.get(), reason="autre budget", actor="essai")
    cancel_payment(payment=titres[0].payments.get(), reason="erreur", actor="essai")
    assert counts(bring(line(), line(titres[0].reference, reference="VIR-2"))) == (0, 0, 2, 0)
    assert paid(titres[0]) == 0


def test_two_lines_that_differ_in_nothing_are_both_refused(titres, bring):
    report = bring(line(titres[0].reference), line(titres[0].reference))
    assert counts(report) == (0, 0, 0, 2)
    assert "2 fois" in report.refused[0].message


def test_one_transfer_may_pay_two_titres(titres, bring):
    lines = [line(titres[0].reference), line(titres[1].reference), line(wording="sans titre")]
    assert counts(bring(*lines)) == (3, 0, 0, 0)
    assert counts(bring(*lines)) == (0, 0, 3, 0)
    assert [paid(titre) for titre in titres] == [45, 45, 0]
    assert PendingReceipt.objects.count() == 1


def test_the_same_receipt_in_other_words_is_refused_and_says_which_line(titres, bring):
    report = bring(line(titres[0].reference), line(payment_reference(titres[0].reference)))
    assert counts(report) == (1, 0, 0, 1)
    assert "la ligne 2" in report.refused[0].message


def test_a_reference_already_standing_for_another_amount_is_refused(titres, bring):
    bring(line(titres[1].reference))
    report = bring(line(titres[1].reference, amount="30,00"))
    assert counts(report) == (0, 0, 0, 1)
    assert "déjà saisi" in report.refused[0].message


def test_a_receipt_without_a_titre_that_may_be_another_is_told(titres, bring):
    bring(line(titres[0].reference))
    report = bring(line(wording="autre moitié"))
    assert counts(report) == (0, 0, 1, 0)
    assert f"Déjà connu sur {titres[0].reference}" in report.flagged[0].message
    assert "nommez son titre" in report.flagged[0].message
    assert counts(bring(line(titres[1].reference, wording="autre moitié"))) == (1, 0, 0, 0)
    assert [paid(titre) for titre in titres] == [45, 45, 0]


def test_a_receipt_that_waits_already_in_other_words_is_told(titres, bring):
    bring(line(wording="commune"))
    assert bring(line(wording="commune")).flagged == []
    report = bring(line(wording="autre commune"))
    assert counts(report) == (0, 0, 1, 0)
    assert "Déjà connu parmi les encaissements à attribuer" in report.flagged[0].message


# --- Partial, too much, taken back ------------------------------------------------------------


def test_a_part_then_too_much_is_kept_and_told(titres, bring):
    bring(line(titres[1].reference, amount="30,00"))
    assert standing(titres[1]).remaining == 60
    report = bring(line(titres[1].reference, amount="70,00", reference="VIR-2"))
    assert standing(titres[1]).overpaid == 10
    assert "de trop" in report.flagged[0].message


def test_a_payer_that_is_not_the_debtor_is_told(titres, bring):
    report = bring(line(titres[0].reference, siret=titres[1].siret))
    assert titres[1].siret in report.flagged[0].message
    assert paid(titres[0]) == 45


def test_a_negative_amount_takes_back_the_receipt_of_its_reference(titres, bring):
    report = bring(line(titres[0].reference), line(on="2025-04-10", amount="-45,00", wording="rejet"))
    assert counts(report) == (2, 0, 0, 0)
    assert paid(titres[0]) == 0
    cancellation = titres[0].payments.get(kind=Payment.Kind.CANCELLATION)
    assert (cancellation.received_on, cancellation.cancels.reference) == (dt.date(2025, 4, 10), "VIR-1")
    assert "rejet" in cancellation.reference


def test_a_receipt_that_waits_is_taken_back_too(titres, bring):
    lines = [line(), line(on="2025-04-10", amount="-45,00")]
    assert counts(bring(*lines)) == (1, 1, 0, 0)
    pending = PendingReceipt.objects.get()
    assert (pending.state, pending.reason) == (State.DISMISSED, "Repris par le comptable le 10/04/2025.")
    assert counts(bring(*lines)) == (0, 0, 2, 0)


def test_a_reversal_of_nothing_or_of_two_receipts_is_refused(titres, bring):
    assert "rien à reprendre" in bring(line(amount="-45,00")).refused[0].message
    bring(line(titres[0].reference), line(titres[1].reference))
    back = line(on="2025-04-10", amount="-45,00")
    refused = bring(back).refused[0].message
    assert "Plusieurs" in refused
    assert titres[0].reference in refused
    assert titres[1].reference in refused
    named = line(titres[0].reference, on="2025-04-10", amount="-45,00")
    assert counts(bring(named)) == (1, 0, 0, 0)
    assert [paid(titre) for titre in titres] == [0, 45, 0]


def test_a_reversal_known_on_one_titre_while_another_receipt_stands_is_told(titres, bring):
    back = {"on": "2025-04-10", "amount": "-45,00"}
    bring(line(titres[0].reference), line(titres[1].reference), line(titres[0].reference, **back))
    report = bring(line(**back))
    assert counts(report) == (0, 0, 1, 0)
    assert f"déjà connue sur {titres[0].reference}" in report.flagged[0].message
    assert counts(bring(line(titres[1].reference, **back))) == (1, 0, 0, 0)
    other = bring(line(**back, wording="autre rejet"))
    assert counts(other) == (0, 0, 1, 0)
    assert "nommez son titre" in other.flagged[0].message


def test_two_reversals_of_one_reference_are_told_apart_twice(titres, bring):
    back = {"on": "2025-04-10", "amount": "-45,00"}
    lines = [
        line(titres[0].reference), line(titres[1].reference),
        line(titres[0].reference, **back), line(**back),
    ]  # fmt: skip
    assert counts(bring(*lines)) == (4, 0, 0, 0)
    again = bring(*lines)
    assert (counts(again), again.flagged) == ((0, 0, 4, 0), [])
    assert [paid(titre) for titre in titres] == [0, 0, 0]


def test_a_receipt_dismissed_by_its_reversal_leaves_others_alone(titres, bring):
    lines = [line(), line(on="2025-04-10", amount="-45,00")]
    bring(*lines)
    record_payment(
        titre=titres[0], amount=Decimal("45.00"), received_on=dt.date(2025, 4, 1), reference="VIR-1",
        actor="essai",
    )  # fmt: skip
    assert counts(bring(*lines)) == (0, 0, 2, 0)
    assert paid(titres[0]) == 45


# --- Suggestions and decisions ----------------------------------------------------------------


def pending_of(bring, **facts):
    bring(line(**facts))
    return PendingReceipt.objects.get()


def test_the_only_open_titre_of_that_amount_and_siret_is_suggested_never_paid(titres, bring):
    pending = pending_of(bring, siret=titres[1].siret, amount="90,00")
    assert pending.suggested == titres[1]
    assert not Payment.objects.exists()


def test_the_name_of_the_debtor_is_enough_to_suggest(titres, bring):
    name = titres[0].debtor_name.upper()
    assert pending_of(bring, name=name).suggested == titres[0]


def test_another_amount_or_a_paid_titre_suggests_nothing(titres, bring):
    bring(line(titres[1].reference, amount="90,00"))
    assert pending_of(bring, siret=titres[1].siret, amount="90,00", reference="V2").suggested is None
    bring(line(siret=titres[2].siret, amount="100,00", reference="V3"))
    assert PendingReceipt.objects.get(reference="V3").suggested is None


def test_a_titre_recognised_later_is_suggested_to_who_decides(titres, bring):
    pending = pending_of(bring, titre="R-1")
    assert "R-1" in pending.wording
    write_number(titre=titres[0], number="R-1", actor="essai")
    assert counts(bring(line("R-1"))) == (0, 1, 0, 0)
    assert PendingReceipt.objects.get().suggested == titres[0]
    assert counts(bring(line("R-1"))) == (0, 0, 1, 0)
    assert not Payment.objects.exists()


def test_a_receipt_is_decided_once(titres, bring):
    pending = pending_of(bring)
    payment = attribute(pending=pending, titre=titres[0], actor="essai")
    for decide in (
        lambda: attribute(pending=pending, titre=titres[1], actor="essai"),
        lambda: dismiss(pending=pending, reason="erreur", actor="essai"),
    ):
        with pytest.raises(ReceiptRefused, match="déjà attribué"):
            decide()
    pending.refresh_from_db()
    assert (pending.state, pending.payment) == (State.RECORDED, payment)
    assert payment.source == pending.source
    assert JournalEntry.objects.filter(action="receipt-attributed").count() == 1


def test_a_receipt_pays_no_titre_of_another_issuer(titres, bring):
    pending = pending_of(bring)
    PendingReceipt.objects.update(issuer=IssuerFactory(code="AUTRE"))
    with pytest.raises(ReceiptRefused, match="autre émetteur"):
        attribute(pending=pending, titre=titres[0], actor="essai")


# --- Staff pages ------------------------------------------------------------------------------


def url(name, pending):
    return reverse(f"admin:invoicing_pendingreceipt_{name}", args=[pending.pk])


@pytest.mark.parametrize(
    ("role", "status"), [("finances", 200), ("gestionnaire", 403), ("lecture", 403)]
)
def test_only_finances_decides(client, world, titres, bring, role, status):
    pending = pending_of(bring)
    account(client, role, world.issuer)
    assert client.get(url("attribute_it", pending)).status_code == status
    assert client.get(url("dismiss_it", pending)).status_code == status
    assert client.get(reverse("admin:invoicing_pendingreceipt_changelist")).status_code == 200


def test_the_list_opens_on_what_is_still_to_attribute(client, world, titres, bring):
    bring(line(reference="VIR-1"), line(reference="VIR-2"), line(reference="VIR-3"))
    dismiss(pending=PendingReceipt.objects.get(reference="VIR-2"), reason="autre", actor="essai")
    pending = PendingReceipt.objects.get(reference="VIR-3")
    attribute(pending=pending, titre=titres[0], actor="essai")
    account(client, "finances", world.issuer)
    page = reverse("admin:invoicing_pendingreceipt_changelist")

    def shown(**asked):
        rows = client.get(page, asked).context["cl"].result_list
        return [row.reference for row in rows.order_by("reference")]

    assert shown() == ["VIR-1"]
    assert shown(decision="ecarte") == ["VIR-2"]
    assert shown(decision="toutes") == ["VIR-1", "VIR-2", "VIR-3"]
    assert client.get(page, {"decision": "n'importe"}).status_code == 302


def test_the_page_of_the_import_offers_the_issuers_of_the_account(client, world):
    IssuerFactory(code="AUTRE")
    account(client, "finances", world.issuer)
    page = client.get(reverse("admin:entsvc_importrecord_try", args=["encaissements"]))
    offered = page.context["form"].fields["option_issuer"].choices
    assert offered == [("", "—"), (world.issuer.code, world.issuer.name)]


def test_an_officer_confirms_a_suggestion_once(client, world, titres, bring):
    pending = pending_of(bring, siret=titres[0].siret)
    account(client, "finances", world.issuer)
    page = client.get(url("attribute_it", pending)).content.decode()
    assert f'value="{titres[0].reference}"' in page
    client.post(url("attribute_it", pending), {"titre": titres[0].reference})
    again = client.post(url("attribute_it", pending), {"titre": titres[1].reference})
    assert "déjà attribué" in again.content.decode()
    assert [paid(titre) for titre in titres] == [45, 0, 0]


def test_a_receipt_once_decided_offers_no_decision(client, world, titres, bring):
    pending = pending_of(bring)
    account(client, "finances", world.issuer)
    page = reverse("admin:invoicing_pendingreceipt_change", args=[pending.pk])
    assert url("attribute_it", pending) in client.get(page).text
    dismiss(pending=pending, reason="autre", actor="essai")
    assert url("attribute_it", pending) not in client.get(page).text


def test_an_officer_chooses_another_titre_by_any_of_its_names(client, world, titres, bring):
    pending = pending_of(bring)
    account(client, "finances", world.issuer)
    refused = client.post(url("attribute_it", pending), {"titre": "n'importe quoi"})
    assert "aucun titre" in refused.content.decode().lower()
    client.post(url("attribute_it", pending), {"titre": payment_reference(titres[2].reference)})
    assert paid(titres[2]) == 45


def test_an_officer_sets_a_receipt_aside_with_a_reason(client, world, titres, bring):
    pending = pending_of(bring)
    account(client, "finances", world.issuer)
    assert client.post(url("dismiss_it", pending), {"reason": " "}).status_code == 200
    client.post(url("dismiss_it", pending), {"reason": "autre budget"})
    pending.refresh_from_db()
    assert (pending.state, pending.decided_by) == (State.DISMISSED, "finances")


def test_the_receipts_of_another_issuer_are_out_of_sight(client, titres, bring):
    pending = pending_of(bring)
    account(client, "finances", IssuerFactory(code="AUTRE"))
    assert client.get(url("attribute_it", pending)).status_code == 404
    rows = client.get(reverse("admin:invoicing_pendingreceipt_changelist")).context["cl"]
    assert rows.result_count == 0


def test_a_payment_shows_the_file_that_brought_it(client, world, titres, bring):
    bring(line(titres[0].reference))
    account(client, "finances", world.issuer)
    page = client.get(reverse("admin:invoicing_payment_change", args=[titres[0].payments.get().pk]))
    assert "encaissements.csv" in page.content.decode()
