"""A market, its catalogue, and a quote taken to each of its steps in few words."""

import datetime as dt
from decimal import Decimal

import pytest

from invoicing import quotes
from invoicing.corrections import correct
from invoicing.issuing import issue
from invoicing.models import Catalogue, CatalogueItem, Quote, QuoteLine, SupplierInvoice, Titre
from members.models import Issuer
from tests.factories import ScheduleFactory
from tests.invoicing.world import a_world

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
