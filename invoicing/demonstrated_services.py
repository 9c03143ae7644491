"""What the demonstration shows of quotes and deliveries: one refused, one served and ready to bill.

All of it is read from `prestations.toml`; each step is taken by the function that the pages call.
"""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from conventions.models import Convention, Delivery
from invoicing import quotes
from invoicing.models import Catalogue, CatalogueItem, Quote, QuoteLine, SupplierInvoice
from members.models import Member, Signatory
from tariffs.models import Schedule

FILE = "prestations.toml"


def serve(folder: Path, *, actor: str) -> None:
    """Enter the catalogue, then walk each quote as far as its story goes; record the deliveries."""
    story = tomllib.loads((folder / FILE).read_text(encoding="utf-8"))
    schedule = Schedule.objects.select_related("issuer").get(code=story["catalogue"]["bareme"])
    items = _catalogue(schedule, story["catalogue"])
    signatory = Signatory.objects.filter(issuer=schedule.issuer).latest("valid_from")
    for item in story["quote"]:
        _quote(schedule, items, signatory, item, actor)
    for item in story["delivery"]:
        convention = Convention.objects.get(reference=item.pop("convention"))
        delivery = Delivery(convention=convention, **item)
        delivery.full_clean()
        delivery.save()


def _catalogue(schedule: Schedule, item: dict[str, Any]) -> dict[str, CatalogueItem]:
    names = ("market", "supplier", "label", "starts_on")
    catalogue = Catalogue.objects.create(schedule=schedule, **{name: item[name] for name in names})
    return {
        price["code"]: CatalogueItem.objects.create(
            catalogue=catalogue, **price | {"unit_price": Decimal(price["unit_price"])}
        )
        for price in item["price"]
    }


def _quote(
    schedule: Schedule,
    items: dict[str, CatalogueItem],
    signatory: Signatory,
    item: dict[str, Any],
    actor: str,
) -> None:
    quote = Quote.objects.create(
        schedule=schedule,
        debtor=Member.objects.get(siret=item["siret"]),
        subject=item["subject"],
        valid_until=item["valid_until"],
    )
    for code, quantity in item["lines"].items():
        QuoteLine.objects.create(quote=quote, item=items[code], quantity=quantity)
    if "sent_on" not in item:
        return
    quote = quotes.send(quote=quote, on=item["sent_on"], signatory=signatory, actor=actor)
    if "refused" in item:
        quotes.refuse(quote=quote, actor=actor, **item["refused"])
    if "accepted" in item:
        quotes.accept(quote=quote, scan=None, actor=actor, **item["accepted"])
    if "ordered" in item:
        quotes.order(quote=quote, signatory=signatory, actor=actor, **item["ordered"])
    for invoice in item.get("invoice", []):
        served = {line: invoice["served"][line.item.code] for line in quote.lines.select_related("item")}
        facts = {name: value for name, value in invoice.items() if name != "served"}
        quotes.record_invoice(
            quote=quote,
            invoice=SupplierInvoice(**facts | {"amount": Decimal(invoice["amount"])}),
            served=served,
            actor=actor,
        )
