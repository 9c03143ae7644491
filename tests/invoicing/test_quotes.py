"""A quote goes from the catalogue to the order and what was served; once sent it no longer changes."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction

from entsvc import documents, scans
from invoicing import quotes
from invoicing.apart import CampaignRefused
from invoicing.models import Catalogue, CatalogueItem, Quote, QuoteLine
from invoicing.quotes import QuoteRefused, State, state_of
from tests.entsvc.test_scans import a_pdf
from tests.factories import MemberFactory
from tests.invoicing.quoting import (
    ANSWERED,
    ORDERED,
    SENT,
    D,
    accepted,
    again,
    draft,
    ordered,
    sent,
    served,
)
from tests.invoicing.quoting import world as world  # the fixture

pytestmark = pytest.mark.django_db


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


def test_a_quote_is_not_dropped_before_it_was_sent(world):
    with pytest.raises(QuoteRefused, match="c'est avant"):
        quotes.drop(quote=sent(world), on=dt.date(1, 1, 1), comment="x", actor="gestion")


def test_an_invoice_is_entered_once_for_something_served_after_an_order(world):
    with pytest.raises(QuoteRefused, match="pas commandé"):
        served(world, quote=accepted(world))
    quote = ordered(world)
    with pytest.raises(QuoteRefused, match="au moins une"):
        served(world, quote=quote, tablets=0, hours=0)
    served(world, quote=quote)
    with pytest.raises(QuoteRefused, match="déjà saisie"):
        served(world, quote=quote)


@pytest.mark.parametrize("field", ["dated", "served_on", "paid_on"])
def test_an_invoice_has_no_day_to_come(world, field):
    invoice = served(world).supplier_invoices.get()
    setattr(invoice, field, dt.date(2999, 1, 1))
    with pytest.raises(ValidationError, match="à venir"):
        invoice.full_clean()


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
