"""A quote goes from the catalogue to a paid titre; once sent it no longer changes."""

import datetime as dt
from decimal import Decimal

import openpyxl
import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from entsvc import documents, scans
from entsvc.french import long_date
from invoicing import quotes
from invoicing.apart import CampaignRefused, is_billed, unserved
from invoicing.calculation import compute_again, compute_run, open_supplement, recompute
from invoicing.corrections import correct
from invoicing.issuing import issue
from invoicing.models import (
    Catalogue,
    CatalogueItem,
    Quote,
    QuoteLine,
    ServedLine,
    SupplierInvoice,
    Titre,
)
from invoicing.numbering import IssueRefused
from invoicing.payments import record_payment, standing
from invoicing.quotes import QuoteRefused, State, state_of
from invoicing.reissue import annul_and_reissue
from invoicing.rendering import render_missing
from invoicing.unbilled import unbilled
from members.models import Issuer, Member
from tests.entsvc.test_scans import a_pdf
from tests.factories import MemberFactory, ScheduleFactory
from tests.invoicing.world import a_world

pytestmark = pytest.mark.django_db
D = Decimal
SENT, ANSWERED, ORDERED = dt.date(2025, 1, 10), dt.date(2025, 1, 20), dt.date(2025, 1, 21)
SERVED, PAID, ISSUED = dt.date(2025, 2, 14), dt.date(2025, 2, 28), dt.date(2025, 3, 10)


@pytest.fixture
def world(db):
    """A local issuer, its yearly schedule, and the schedule of its market's catalogue."""
    made = a_world(members=1, regime=Issuer.Regime.LOCAL)
    made.market = ScheduleFactory(
        issuer=made.issuer, programme="", function_code="020", local_product="ENT1",
        subject="Prestations du marché",
    )  # fmt: skip
    made.catalogue = Catalogue.objects.create(
        schedule=made.market,
        market="2024-012",
        supplier="Titulaire d'essai",
        label="Initiale",
        starts_on=dt.date(2024, 9, 1),
    )
    made.tablet, made.hour = (
        CatalogueItem.objects.create(
            catalogue=made.catalogue,
            code=code,
            label=label,
            unit_label=unit,
            unit_plural=f"{unit}s",
            unit_price=D(price),
        )
        for code, label, unit, price in (
            ("TAB-1", "Tablette de classe", "tablette", "329.90"),
            ("FORM-H", "Formation sur site", "heure", "87.3333"),
        )
    )
    return made


def draft(world, *, tablets=10, hours=3, until=dt.date(2025, 3, 1), subject="Équipement de deux écoles"):
    quote = Quote.objects.create(
        schedule=world.market,
        debtor=world.members[0],
        subject=subject,
        valid_until=until,
    )
    for item, quantity in ((world.tablet, tablets), (world.hour, hours)):
        if quantity:
            QuoteLine.objects.create(quote=quote, item=item, quantity=quantity)
    return quote


def sent(world, **given):
    quote = draft(world, **given)
    return quotes.send(quote=quote, on=SENT, signatory=world.signatory, actor="gestion")


def accepted(world, **given):
    quote = sent(world, **given)
    quotes.accept(
        quote=quote, on=ANSWERED, reference="ENG-77", scan=None, comment="dossier 12", actor="gestion"
    )
    return quote


def ordered(world, **given):
    quote = accepted(world, **given)
    quotes.order(quote=quote, on=ORDERED, reference="BC-5", signatory=world.signatory, actor="gestion")
    return quote


def served(world, *, amount="3561.00", tablets=10, hours=3, number="F-1", paid=True, quote=None):
    quote = quote or ordered(world)
    by_code = {line.item.code: line for line in quote.lines.select_related("item")}
    invoice = SupplierInvoice(
        number=number,
        dated=SERVED,
        served_on=SERVED,
        proof="procès-verbal",
        amount=D(amount),
        mandat="2025-311" if paid else "",
        paid_on=PAID if paid else None,
    )
    quotes.record_invoice(
        quote=quote,
        invoice=invoice,
        served={by_code["TAB-1"]: tablets, by_code["FORM-H"]: hours},
        actor="finances",
    )
    return quote


def titre_of(world, quote):
    run = quotes.bill(quote=quote, actor="gestion")
    issued = issue(run=run, on=ISSUED, signatory=world.signatory, actor="finances")
    assert not issued.blocked
    [titre] = issued.titres
    return titre


def again(quote):
    return Quote.objects.get(pk=quote.pk)


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


def test_an_open_version_once_quoted_ends_before_the_next_and_after_its_quotes(world):
    sent(world)
    world.catalogue.ends_on = SENT - dt.timedelta(days=1)
    with pytest.raises(ValidationError, match="finissent après"):
        world.catalogue.full_clean()
    world.catalogue.ends_on = dt.date(2025, 5, 31)
    world.catalogue.full_clean()
    world.catalogue.save()
    Catalogue(
        schedule=world.market, market="2024-012", supplier="T", label="Avenant 1",
        starts_on=dt.date(2025, 6, 1),
    ).full_clean()  # fmt: skip


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


@pytest.mark.parametrize("field", ["dated", "served_on", "paid_on"])
def test_an_invoice_has_no_day_to_come(world, field):
    invoice = served(world).supplier_invoices.get()
    setattr(invoice, field, dt.date(2999, 1, 1))
    with pytest.raises(ValidationError, match="à venir"):
        invoice.full_clean()


def test_a_quote_is_not_dropped_before_it_was_sent(world):
    with pytest.raises(QuoteRefused, match="c'est avant"):
        quotes.drop(quote=sent(world), on=dt.date(1, 1, 1), comment="x", actor="gestion")


def test_numbers_follow_in_the_year_and_the_pdf_is_kept(world):
    first, second = sent(world), sent(world)
    assert (first.number, second.number) == ("D-2025-0001", "D-2025-0002")
    assert documents.read(first.document).startswith(b"%PDF-")
    assert first.sent_by == "gestion"


def test_once_sent_neither_the_quote_nor_its_lines_nor_its_prices_change(world):
    quote = sent(world)
    written = (
        (Quote, {"pk": quote.pk}, {"subject": "Autre"}),
        (QuoteLine, {"quote": quote}, {"quantity": 1}),
        (CatalogueItem, {"pk": world.tablet.pk}, {"unit_price": D("1.00")}),
        (Catalogue, {"pk": world.catalogue.pk}, {"supplier": "Autre"}),
    )
    for model, which, change in written:
        with pytest.raises(DatabaseError), transaction.atomic():
            model.objects.filter(**which).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        quote.delete()


def test_a_quote_is_accepted_within_its_validity_only(world):
    late = {"reference": "", "scan": None, "comment": "", "actor": "gestion"}
    quote = sent(world, until=dt.date(2025, 1, 15))
    with pytest.raises(QuoteRefused, match="copiez-le"):
        quotes.accept(quote=quote, on=dt.date(2025, 1, 16), **late)
    quotes.accept(quote=quote, on=dt.date(2025, 1, 15), **late)
    assert state_of(again(quote)) == State.ACCEPTED


def test_a_quote_without_answer_expires(world):
    quote = sent(world, until=dt.date(2025, 1, 15))
    assert state_of(quote, dt.date(2025, 1, 15)) == State.SENT
    assert state_of(quote, dt.date(2025, 1, 16)) == State.EXPIRED


def test_a_refused_quote_goes_no_further(world):
    quote = sent(world)
    quotes.refuse(quote=quote, on=ANSWERED, comment="Trop cher", actor="gestion")
    assert state_of(again(quote)) == State.REFUSED
    with pytest.raises(QuoteRefused, match="déjà dit"):
        quotes.accept(quote=quote, on=ANSWERED, reference="", scan=None, comment="", actor="g")
    with pytest.raises(QuoteRefused, match="pas accepté"):
        quotes.order(quote=quote, on=ORDERED, reference="", signatory=world.signatory, actor="g")
    with pytest.raises(CampaignRefused, match="pas accepté"):
        quotes.bill(quote=quote, actor="gestion")


def test_the_signed_quote_is_kept_with_the_agreement_of_the_member(world):
    quote = sent(world)
    scan = scans.checked(a_pdf(), "signe.pdf")
    event = quotes.accept(quote=quote, on=ANSWERED, reference="", scan=scan, comment="", actor="gestion")
    assert documents.read(event.document) == scan.content


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


def test_an_invoice_is_entered_once_for_something_served_after_an_order(world):
    with pytest.raises(QuoteRefused, match="pas commandé"):
        served(world, quote=accepted(world))
    quote = ordered(world)
    with pytest.raises(QuoteRefused, match="au moins une"):
        served(world, quote=quote, tablets=0, hours=0)
    served(world, quote=quote)
    with pytest.raises(QuoteRefused, match="déjà saisie"):
        served(world, quote=quote)


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


def annul(world, titre):
    correct(
        titre=titre,
        kind=Titre.Kind.ANNULATION,
        reason_code="liquidation",
        reason="quantités fausses",
        on=ISSUED,
        signatory=world.signatory,
        actor="finances",
    )


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


def test_a_copy_takes_the_prices_that_hold_today_and_tells_what_has_none(world):
    quote = sent(world)
    newer = Catalogue.objects.create(
        schedule=world.market, market="2024-013", supplier="Autre", label="Initiale",
        starts_on=dt.date(2024, 9, 1),
    )  # fmt: skip
    CatalogueItem.objects.create(
        catalogue=newer, code="TAB-1", label="Autre marché", unit_label="u", unit_plural="u",
        unit_price=D("1.00"),
    )  # fmt: skip
    new, lost = quotes.copy(quote=quote, valid_until=dt.date(2030, 1, 1), actor="gestion")
    assert lost == []
    assert {line.item for line in new.lines.all()} == {world.tablet, world.hour}
    assert state_of(new) == State.DRAFT


def test_a_quote_is_sent_with_lines_whose_prices_hold_that_day(world):
    empty = draft(world, tablets=0, hours=0)
    early = draft(world)
    send = {"signatory": world.signatory, "actor": "gestion"}
    with pytest.raises(QuoteRefused, match="aucune ligne"):
        quotes.send(quote=empty, on=SENT, **send)
    with pytest.raises(QuoteRefused, match="ne valent pas le 31/08/2024"):
        quotes.send(quote=early, on=dt.date(2024, 8, 31), **send)
    with pytest.raises(QuoteRefused, match="validité finit"):
        quotes.send(quote=early, on=dt.date(2025, 3, 2), **send)


def test_a_quote_names_a_debtor_with_a_siret(world):
    quote = draft(world)
    Quote.objects.filter(pk=quote.pk).update(debtor=MemberFactory(siret=None, siren="217100017"))
    with pytest.raises(QuoteRefused, match="pas de SIRET"):
        quotes.send(quote=again(quote), on=SENT, signatory=world.signatory, actor="gestion")


def test_two_versions_of_a_market_don_t_hold_on_the_same_day(world):
    later = Catalogue(
        schedule=world.market, market="2024-012", supplier="T", label="Avenant 1",
        starts_on=dt.date(2025, 6, 1),
    )  # fmt: skip
    with pytest.raises(ValidationError, match="donnez-leur une fin"):
        later.full_clean()
    world.catalogue.ends_on = dt.date(2025, 5, 31)
    world.catalogue.save()
    later.full_clean()


def test_codes_that_lines_of_titres_keep_are_refused(world):
    item = CatalogueItem(
        catalogue=world.catalogue, code="deduction", label="x", unit_label="u", unit_plural="u",
        unit_price=D("1.00"),
    )  # fmt: skip
    with pytest.raises(ValidationError, match="réservé"):
        item.full_clean()


def test_a_quote_served_and_not_billed_is_to_be_attached_at_the_end_of_the_year(world):
    quote = served(world, paid=False)
    [row] = [row for row in unbilled(world.issuer, 2025) if row.agreements == quote.number]
    assert (row.left, row.is_done, "pas payée" in row.to_mend) == (D("3561.00"), True, True)
    assert not [row for row in unbilled(world.issuer, 2024) if row.agreements == quote.number]
    quote.supplier_invoices.update(mandat="M-1", paid_on=PAID)
    titre_of(world, quote)
    assert not [row for row in unbilled(world.issuer, 2025) if row.agreements == quote.number]
