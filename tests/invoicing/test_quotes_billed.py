"""A quote once served is billed at the prices of its market: calculation, titre, what corrects it."""

import datetime as dt

import openpyxl
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from entsvc.french import long_date
from invoicing import quotes
from invoicing.apart import CampaignRefused, is_billed, unserved
from invoicing.calculation import compute_again, compute_run, open_supplement, recompute
from invoicing.issuing import issue
from invoicing.models import Catalogue, ServedLine, SupplierInvoice, Titre
from invoicing.numbering import IssueRefused
from invoicing.payments import record_payment, standing
from invoicing.quotes import QuoteRefused, State, state_of
from invoicing.reissue import annul_and_reissue
from invoicing.rendering import render_missing
from invoicing.unbilled import unbilled
from members.models import Member
from tests.factories import MemberFactory
from tests.invoicing.quoting import (
    ISSUED,
    PAID,
    SENT,
    D,
    accepted,
    again,
    annul,
    ordered,
    sent,
    served,
    titre_of,
)
from tests.invoicing.quoting import world as world  # the fixture

pytestmark = pytest.mark.django_db


def test_from_the_quote_to_a_paid_titre_at_the_prices_of_the_market(world):
    quote = served(world)
    titre = titre_of(world, quote)
    # 10 × 329.90 + 3 × 87.3333 rounded to the cent
    assert titre.total == D("3561.00")
    assert [(line.charge, line.quantity, line.amount) for line in titre.lines.order_by("position")] == [
        ("TAB-1", 10, D("3299.00")),
        ("FORM-H", 3, D("262.00")),
    ]
    assert titre.campaign.apart
    assert state_of(again(quote)) == State.BILLED
    record_payment(
        titre=titre, amount=titre.total, received_on=ISSUED, reference="VIR-1", actor="finances"
    )
    assert standing(titre).settled


def test_the_titre_says_the_quote_the_order_the_proof_and_the_engagement(world):
    titre = titre_of(world, served(world))
    payload = titre.payload
    assert payload["debtor"]["engagement_number"] == "ENG-77"
    assert payload["subject"] == "Prestations du marché : Équipement de deux écoles"
    assert payload["foundations"][0].startswith(f"Devis D-2025-0001 du {long_date(SENT)} : ")
    assert payload["foundations"][1] == (
        "Tarif 2024-012, Initiale : devis accepté le 20/01/2025, commandé le 21/01/2025"
    )
    assert payload["sources"][0] == (
        "Service fait – Tablette de classe : 10 le 14/02/2025 (procès-verbal, facture F-1 du 14/02/2025)"
    )


def test_what_a_quote_bills_can_be_computed_again_to_the_cent(world):
    run = titre_of(world, served(world)).call.run
    assert sum(result.total for result in recompute(run)) == D("3561.00")
    assert run.adoption is None


def test_a_quote_leaves_the_ledger_proved_and_its_call_exported(world, tmp_path):
    titre = titre_of(world, served(world))
    list(render_missing(Titre.objects.filter(pk=titre.pk)))
    call_command("verify_ledger")
    call_command("recompute", "--campaign", str(titre.campaign_id))
    target = tmp_path / "appel.xlsx"
    call_command("export_calls", "--run", str(titre.call.run_id), str(target))
    assert openpyxl.load_workbook(target).sheetnames


def test_an_annulled_quote_is_issued_again_for_what_was_served(world):
    quote = served(world)
    titre = titre_of(world, quote)
    annul(world, titre)
    ServedLine.objects.filter(line__quote=quote, line__item=world.tablet).update(quantity=9)
    SupplierInvoice.objects.filter(quote=quote).update(amount=D("3231.10"))
    compute_again(campaign=titre.campaign, actor="gestion")
    again = annul_and_reissue(
        titre=titre,
        debtor=world.members[0],
        reason_code="liquidation",
        reason="neuf tablettes servies",
        on=ISSUED,
        signatory=world.signatory,
        actor="finances",
    )
    assert (again.titre.total, again.titre.replaces) == (D("3231.10"), titre)


def test_a_quote_annulled_last_year_is_issued_again_in_this_one(world, monkeypatch):
    titre = titre_of(world, served(world))
    annul(world, titre)
    compute_again(campaign=titre.campaign, actor="gestion")
    on = dt.date(2026, 3, 10)
    monkeypatch.setattr("invoicing.numbering.localdate", lambda: on)
    again = annul_and_reissue(
        titre=titre,
        debtor=world.members[0],
        reason_code="liquidation",
        reason="erreur",
        on=on,
        signatory=world.signatory,
        actor="finances",
    )
    assert (again.annulation, again.titre.exercice, again.titre.total) == (None, 2026, D("3561.00"))


def test_a_long_subject_is_cut_where_a_titre_ends(world):
    quote = served(world, quote=ordered(world, subject="Très long objet " * 12))
    assert len(titre_of(world, quote).subject) == 200


def test_what_is_billed_is_held_while_its_titre_is_written(world):
    quote = served(world)
    run = quotes.bill(quote=quote, actor="gestion")
    with CaptureQueriesContext(connection) as seen:
        issue(run=run, on=ISSUED, signatory=world.signatory, actor="finances")
    held = [q["sql"] for q in seen if "FOR UPDATE" in q["sql"]]
    if connection.vendor == "postgresql":
        for table in ("invoicing_quote", "invoicing_supplierinvoice", "invoicing_servedline"):
            assert any(f'FROM "{table}"' in sql for sql in held), table
    else:
        assert held == []  # SQLite has one writer


def test_a_titre_is_not_dated_before_the_supplier_is_paid(world):
    run = quotes.bill(quote=served(world), actor="gestion")
    with pytest.raises(IssueRefused, match="fait et payé"):
        issue(run=run, on=PAID - dt.timedelta(days=1), signatory=world.signatory, actor="finances")


def test_what_a_titre_left_out_takes_another_quote(world):
    quote = ordered(world)
    served(world, quote=quote, tablets=4, hours=0, amount="1319.60")
    assert [words.split(" : ")[1][:2] for words in unserved(quote)] == ["6 ", "3 "]
    titre_of(world, quote)
    with pytest.raises(QuoteRefused, match="autre devis"):
        served(world, quote=again(quote), number="F-2", tablets=2, hours=0, amount="659.80")


def test_only_what_was_served_by_the_end_of_the_year_is_attached_to_it(world):
    quote = ordered(world)
    served(world, quote=quote, number="F-1", tablets=4, hours=0, amount="1319.60")
    SupplierInvoice.objects.update(served_on=dt.date(2024, 12, 20))
    served(world, quote=quote, number="F-2", tablets=6, hours=3, amount="2241.40")
    [last_year] = [row for row in unbilled(world.issuer, 2024) if row.agreements == quote.number]
    [this_year] = [row for row in unbilled(world.issuer, 2025) if row.agreements == quote.number]
    assert (last_year.left, this_year.left) == (D("1319.60"), D("3561.00"))


def test_who_took_over_a_member_pays_its_quote(world):
    quote = served(world)
    heir = MemberFactory(address="1 rue", postal_code="59000", city="Lille")
    Member.objects.filter(pk=world.members[0].pk).update(successor=heir)
    assert titre_of(world, quote).debtor == heir


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (sent, "n'a pas accepté"),
        (accepted, "pas commandé"),
        (ordered, "Aucune facture"),
        (lambda world: served(world, paid=False), "pas payée"),
        (lambda world: served(world, amount="3600.00"), "donnez le motif"),
        (lambda world: served(world, tablets=11, amount="3890.90"), "11 servis pour 10"),
    ],
    ids=["sent", "accepted", "ordered", "unpaid", "gap", "beyond"],
)
def test_a_quote_is_billed_once_served_and_paid_as_it_was_quoted(world, stage, message):
    with pytest.raises(CampaignRefused, match=message):
        quotes.bill(quote=stage(world), actor="gestion")


def test_an_explained_gap_bills_the_prices_of_the_market(world):
    quote = served(world, amount="3600.00")
    quote.supplier_invoices.update(gap_reason="Arrondis du titulaire")
    assert titre_of(world, quote).total == D("3561.00")


def test_only_what_was_served_is_billed_over_all_invoices(world):
    quote = ordered(world)
    served(world, quote=quote, number="F-1", tablets=4, hours=0, amount="1319.60")
    served(world, quote=quote, number="F-2", tablets=2, hours=1, amount="747.13")
    assert titre_of(world, quote).total == D("2066.73")


def test_the_proofs_of_a_titre_don_t_change_while_it_is_in_force(world):
    quote = served(world)
    titre = titre_of(world, quote)
    tablet = {"line__item": world.tablet}
    for model, which, first in (
        (SupplierInvoice, {"quote": quote}, {}),
        (ServedLine, {"line__quote": quote}, tablet),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            model.objects.get(**which, **first).delete()
        rows = model.objects.filter(**which)
        change = {"proof": "autre"} if model is SupplierInvoice else {"quantity": 1}
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.update(**change)
    with pytest.raises(QuoteRefused, match="annulez-le"):
        quotes.drop(quote=quote, on=ISSUED, comment="erreur", actor="gestion")
    annul(world, titre)
    SupplierInvoice.objects.filter(quote=quote).update(proof="bon de livraison")
    assert not is_billed(titre.campaign)


def test_a_run_no_longer_issues_what_changed_since(world):
    quote = served(world)
    run = quotes.bill(quote=quote, actor="gestion")
    ServedLine.objects.filter(line__quote=quote, line__item=world.tablet).update(quantity=9)
    SupplierInvoice.objects.filter(quote=quote).update(amount=D("3231.10"))
    issued = issue(run=run, on=ISSUED, signatory=world.signatory, actor="finances")
    assert issued.titres == []
    assert "recalculez" in issued.blocked[0].messages[0]
    compute_again(campaign=run.campaign, actor="gestion")
    assert titre_of(world, quote).total == D("3231.10")


def test_a_dropped_quote_is_not_issued_from_a_run_made_before(world):
    quote = served(world)
    run = quotes.bill(quote=quote, actor="gestion")
    quotes.drop(quote=quote, on=ISSUED, comment="repris par le titulaire", actor="gestion")
    issued = issue(run=run, on=ISSUED, signatory=world.signatory, actor="finances")
    assert issued.titres == []
    assert "abandonné" in issued.blocked[0].messages[0]


def test_a_quote_billed_twice_keeps_its_campaign_and_its_one_titre(world):
    quote = served(world)
    first = quotes.bill(quote=quote, actor="gestion")
    second = quotes.bill(quote=again(quote), actor="gestion")
    assert first.campaign == second.campaign
    issue(run=second, on=ISSUED, signatory=world.signatory, actor="finances")
    assert issue(run=first, on=ISSUED, signatory=world.signatory, actor="finances").titres == []
    assert Titre.objects.count() == 1


def test_the_yearly_call_and_its_supplements_neither_count_nor_reduce_a_quote(world):
    """Even when the catalogue is quoted under the schedule of the yearly call."""
    world.market = world.schedule
    Catalogue.objects.update(schedule=world.schedule)
    titre_of(world, served(world))
    yearly = compute_run(schedule=world.schedule, year=2024, actor="gestion")
    assert (yearly.campaign.rank, yearly.campaign.apart, yearly.total) == (1, False, D("45.00"))
    assert len(world.issue(yearly, on=ISSUED).titres) == 1
    late = open_supplement(campaign=yearly.campaign, reason="essai", actor="gestion")
    assert (late.total, late.anomalies.filter(code="to_reduce").count()) == (D("0.00"), 0)


def test_nothing_completes_what_is_billed_apart(world):
    campaign = titre_of(world, served(world)).campaign
    with pytest.raises(CampaignRefused, match="ne se complète pas"):
        open_supplement(campaign=campaign, reason="encore", actor="gestion")


def test_a_quote_served_and_not_billed_is_to_be_attached_at_the_end_of_the_year(world):
    quote = served(world, paid=False)
    [row] = [row for row in unbilled(world.issuer, 2025) if row.agreements == quote.number]
    assert (row.left, row.is_done, "pas payée" in row.to_mend) == (D("3561.00"), True, True)
    assert not [row for row in unbilled(world.issuer, 2024) if row.agreements == quote.number]
    quote.supplier_invoices.update(mandat="M-1", paid_on=PAID)
    titre_of(world, quote)
    assert not [row for row in unbilled(world.issuer, 2025) if row.agreements == quote.number]
