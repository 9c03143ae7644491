"""The life of a quote: sent, accepted or refused, ordered from the supplier, served, then billed.

Conditions of 15 June 2023 (Nord-Pas-de-Calais): the syndicate quotes, the member accepts, the syndicate
orders, pays the supplier and bills the member again at the prices of its market.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import TextChoices
from django.utils import timezone

from entsvc import documents, journal
from entsvc.french import amount_in_words, euros, plural, short_date
from entsvc.models import StoredDocument
from entsvc.pdf import render_pdf
from entsvc.scans import CheckedPdf
from invoicing import apart
from invoicing.apart import CampaignRefused, steps_of
from invoicing.calculation import compute_again
from invoicing.models import (
    Catalogue,
    CatalogueItem,
    Quote,
    QuoteEvent,
    QuoteLine,
    Run,
    ServedLine,
    SupplierInvoice,
)
from invoicing.payload import letterhead
from members.models import Signatory
from tariffs.models import Schedule

Kind = QuoteEvent.Kind
PDF = "application/pdf"
LARGEST = Decimal(10**12)  # euros: twelve digits before the comma
DOCUMENTS = {Kind.ACCEPTED.value: "Devis signé (PDF)", Kind.ORDERED.value: "Bon de commande (PDF)"}


class QuoteRefused(Exception):
    """The step is refused; `messages` says why, in French, one sentence each."""

    def __init__(self, *messages: str) -> None:
        super().__init__(" ".join(messages))
        self.messages = list(messages)


class State(TextChoices):
    """Where a quote stands."""

    DRAFT = "preparation", "En préparation"
    SENT = "envoye", "Envoyé"
    EXPIRED = "expire", "Expiré"
    ACCEPTED = "accepte", "Accepté"
    REFUSED = "refuse", "Refusé"
    ORDERED = "commande", "Commandé"
    SERVED = "servi", "Service fait"
    BILLED = "facture", "Facturé"
    DROPPED = "abandonne", "Abandonné"


def state_of(quote: Quote, on: date | None = None) -> State:
    """Return where a quote stands on a day (today)."""
    if quote.sent_on is None:
        return State.DRAFT
    kinds = steps_of(quote).keys()
    for kind, state in ((Kind.DROPPED, State.DROPPED), (Kind.REFUSED, State.REFUSED)):
        if kind in kinds:
            return state
    if hasattr(quote, "campaign") and apart.is_billed(quote.campaign):
        return State.BILLED
    if Kind.ORDERED in kinds:
        return State.SERVED if quote.supplier_invoices.all() else State.ORDERED
    if Kind.ACCEPTED in kinds:
        return State.ACCEPTED
    return State.EXPIRED if (on or timezone.localdate()) > quote.valid_until else State.SENT


def total_of(quote: Quote) -> Decimal:
    """Return the euros of a quote."""
    return sum((line.amount for line in quote.lines.select_related("item")), Decimal("0.00"))


def is_quoted(catalogue: Catalogue | None) -> bool:
    """Tell whether a quote that was sent rests on a version of the catalogue: it no longer changes."""
    sent = QuoteLine.objects.filter(item__catalogue=catalogue, quote__sent_on__isnull=False)
    return catalogue is not None and sent.exists()


def documents_of(quote: Quote) -> list[tuple[str, str, StoredDocument]]:
    """Return (code, French words, document) of what is kept of a quote."""
    events = quote.events.select_related("document").order_by("pk")
    kept = [("devis", "Devis (PDF)", quote.document)]
    kept += [(event.kind, DOCUMENTS[event.kind], event.document) for event in events
             if event.kind in DOCUMENTS]  # fmt: skip
    return [(code, label, document) for code, label, document in kept if document is not None]


def findings(quote: Quote, on: date) -> list[str]:
    """Return what keeps a quote from being sent on a day, in French."""
    lines = list(quote.lines.select_related("item__catalogue").order_by("pk"))
    found = [] if lines else ["Ce devis n'a aucune ligne."]
    if quote.valid_until < on:
        found.append(f"Sa validité finit le {short_date(quote.valid_until)}, avant l'envoi.")
    codes = [line.item.code for line in lines]
    for line in lines:
        catalogue = line.item.catalogue
        if catalogue.schedule_id != quote.schedule_id:
            found.append(f"{line.item} : ce prix est celui d'un autre barème.")
        if not catalogue.holds_on(on):
            found.append(f"{line.item} : les prix de {catalogue} ne valent pas le {short_date(on)}.")
        if codes.count(line.item.code) > 1:
            found.append(f"{line.item} : deux prix du devis ont ce code.")
    if not quote.debtor.siret:
        found.append(f"{quote.debtor} n'a pas de SIRET : saisissez-le dans sa fiche.")
    if sum(line.amount for line in lines) >= LARGEST:
        found.append("Son total dépasse ce qu'un titre peut porter : vérifiez les quantités.")
    return found


def send(*, quote: Quote, on: date, signatory: Signatory, actor: str) -> Quote:
    """Number a quote and write its PDF: it no longer changes.

    Raises QuoteRefused for what `findings` says, a day to come, a quote already sent; IssueRefused for a
    mention that lacks.
    """
    with transaction.atomic():
        Schedule.objects.select_for_update().get(pk=quote.schedule_id)
        quote = _locked(quote)
        if quote.sent_on is not None:
            raise QuoteRefused(f"Le {quote.number} est déjà envoyé.")
        _hold_prices(quote)
        wrong = findings(quote, on) + _to_come(on)
        if wrong:
            raise QuoteRefused(*wrong)
        quote.number, quote.sent_on, quote.sent_by = _next_number(quote.schedule, on), on, actor
        quote.document = _stored("pdf/devis.html", _facts(quote, signatory, on))
        quote.save()
        told = f"{quote} envoyé à {quote.debtor} : {euros(total_of(quote))}"
        journal.record(actor=actor, action="quote-sent", target=quote, summary=told)
    return quote


def accept(
    *, quote: Quote, on: date, reference: str, scan: CheckedPdf | None, comment: str, actor: str
) -> QuoteEvent:
    """Record that the member accepts, with its engagement number if it gives one.

    Raises QuoteRefused after the validity of the quote, before it was sent, or once it was answered.
    """
    with transaction.atomic():
        quote = _answered(quote, on)
        if on > quote.valid_until:
            raise QuoteRefused(
                f"Ce devis ne valait que jusqu'au {short_date(quote.valid_until)} : copiez-le, puis "
                "envoyez le nouveau."
            )
        document = None
        if scan is not None:
            document = documents.store(scan.content, content_type=PDF, suffix=".pdf")
        return _add(quote, Kind.ACCEPTED, on, actor, reference, comment, document)


def refuse(*, quote: Quote, on: date, comment: str, actor: str) -> QuoteEvent:
    """Record that the member refuses, and why. Raises QuoteRefused once it was answered."""
    with transaction.atomic():
        return _add(_answered(quote, on), Kind.REFUSED, on, actor, "", comment)


def order(*, quote: Quote, on: date, reference: str, signatory: Signatory, actor: str) -> QuoteEvent:
    """Order what the member accepted from the supplier: writes the order as a PDF.

    Raises QuoteRefused for a quote that is not accepted, or already ordered; IssueRefused for a mention
    that lacks.
    """
    with transaction.atomic():
        quote = _locked(quote)
        steps = steps_of(quote)
        if Kind.ACCEPTED not in steps or Kind.DROPPED in steps:
            raise QuoteRefused("Le membre n'a pas accepté ce devis, ou il est abandonné.")
        if on < steps[Kind.ACCEPTED].on:
            raise QuoteRefused(f"Ce devis est accepté le {short_date(steps[Kind.ACCEPTED].on)}.")
        facts = _facts(quote, signatory, on) | {
            "reference": reference,
            "suppliers": _suppliers(quote),
            "vat": "",
        }
        document = _stored("pdf/commande.html", facts)
        return _add(quote, Kind.ORDERED, on, actor, reference, "", document)


def drop(*, quote: Quote, on: date, comment: str, actor: str) -> QuoteEvent:
    """Record that a quote is given up, and why. Raises QuoteRefused once a titre bills it."""
    with transaction.atomic():
        quote = _locked(quote)
        if quote.sent_on is None:
            raise QuoteRefused("Ce devis n'est pas envoyé : supprimez-le.")
        if on < quote.sent_on:
            raise QuoteRefused(f"Ce devis est envoyé le {short_date(quote.sent_on)} : c'est avant.")
        if hasattr(quote, "campaign") and apart.is_billed(quote.campaign):
            raise QuoteRefused("Un titre facture ce devis : annulez-le d'abord.")
        return _add(quote, Kind.DROPPED, on, actor, "", comment)


def copy(*, quote: Quote, valid_until: date, actor: str) -> tuple[Quote, list[str]]:
    """Return a new draft of the same things at the prices that hold today, and what has none left."""
    today = timezone.localdate()
    lost = []
    with transaction.atomic():
        new = Quote.objects.create(
            schedule=quote.schedule,
            debtor=quote.debtor,
            subject=quote.subject,
            valid_until=valid_until,
        )
        for line in quote.lines.select_related("item__catalogue").order_by("pk"):
            item = _current(line.item, today)
            if item is None:
                lost.append(f"{line.item} n'a plus de prix au catalogue.")
            else:
                QuoteLine.objects.create(quote=new, item=item, quantity=line.quantity)
        told = f"{new} : copie du {quote.number or 'précédent'}"
        journal.record(actor=actor, action="quote-copied", target=new, summary=told)
    return new, lost


def record_invoice(
    *, quote: Quote, invoice: SupplierInvoice, served: Mapping[QuoteLine, int], actor: str
) -> SupplierInvoice:
    """Keep what the supplier billed for an order, with the quantities that its service made.

    Raises QuoteRefused for a quote that is not ordered, nothing served, an invoice entered already.
    """
    with transaction.atomic():
        quote = _locked(quote)
        if Kind.ORDERED not in steps_of(quote):
            raise QuoteRefused("Ce devis n'est pas commandé : enregistrez d'abord la commande.")
        if hasattr(quote, "campaign") and apart.is_billed(quote.campaign):
            raise QuoteRefused(
                "Un titre facture déjà ce devis : le reste demande un autre devis, ou son annulation."
            )
        served = {line: quantity for line, quantity in served.items() if quantity}
        if not served:
            raise QuoteRefused("Indiquez au moins une quantité servie.")
        if quote.supplier_invoices.filter(number=invoice.number).exists():
            raise QuoteRefused(f"La facture {invoice.number} est déjà saisie pour ce devis.")
        invoice.quote = quote
        invoice.save()
        for line, quantity in served.items():
            ServedLine.objects.create(invoice=invoice, line=line, quantity=quantity)
        told = f"{quote} : facture {invoice} du titulaire, {euros(invoice.amount)}"
        journal.record(actor=actor, action="quote-served", target=quote, summary=told)
    return invoice


def bill(*, quote: Quote, actor: str) -> Run:
    """Compute what a quote bills, in a campaign of its own: its titre is issued as any other.

    Raises CampaignRefused with what still stands in the way (see `apart.obstacles`).
    """
    with transaction.atomic():
        quote = _locked(quote)
        wrong = apart.obstacles(quote)
        if wrong:
            raise CampaignRefused(" ".join(wrong))
        if hasattr(quote, "campaign"):
            campaign = quote.campaign
        else:
            campaign = apart.open_campaign(
                schedule=quote.schedule,
                year=quote.school_year,
                reason=f"devis {quote.number}",
                quote=quote,
            )
        return compute_again(campaign=campaign, actor=actor)


def _locked(quote: Quote) -> Quote:
    rows = Quote.objects.select_for_update(of=("self",))
    return rows.select_related("schedule__issuer", "debtor").get(pk=quote.pk)


def _hold_prices(quote: Quote) -> None:
    """Hold the lines of a quote and their prices until it is sent: nobody changes them meanwhile."""
    lines = quote.lines.select_for_update(of=("self",)).order_by("pk")
    items = {line.item_id for line in lines}
    held = CatalogueItem.objects.select_for_update(of=("self",)).filter(pk__in=items).order_by("pk")
    catalogues = {item.catalogue_id for item in held}
    list(Catalogue.objects.select_for_update(of=("self",)).filter(pk__in=catalogues).order_by("pk"))


def _answered(quote: Quote, on: date) -> Quote:
    """Return a quote that is still to be answered, locked."""
    quote = _locked(quote)
    if quote.sent_on is None:
        raise QuoteRefused("Ce devis n'est pas encore envoyé.")
    if on < quote.sent_on:
        raise QuoteRefused(f"Ce devis est envoyé le {short_date(quote.sent_on)} : c'est avant.")
    done = [event for event in steps_of(quote).values() if event.kind != Kind.ORDERED]
    if done:
        raise QuoteRefused(f"{done[0].get_kind_display()} le {short_date(done[0].on)} : c'est déjà dit.")
    return quote


def _to_come(on: date) -> list[str]:
    return ["Cette date est à venir."] if on > timezone.localdate() else []


def _add(
    quote: Quote,
    kind: QuoteEvent.Kind,
    on: date,
    actor: str,
    reference: str,
    comment: str,
    document: StoredDocument | None = None,
) -> QuoteEvent:
    if _to_come(on):
        raise QuoteRefused(*_to_come(on))
    comment = " ".join(comment.split())
    if kind in (Kind.REFUSED, Kind.DROPPED) and not comment:
        raise QuoteRefused("Dites pourquoi.")
    event = QuoteEvent(
        quote=quote,
        kind=kind,
        on=on,
        reference=reference.strip(),
        comment=comment,
        document=document,
        recorded_by=actor,
    )
    try:
        with transaction.atomic():
            event.save()
    except IntegrityError as error:
        raise QuoteRefused("Cette étape est déjà enregistrée.") from error
    told = f"{quote} : {event.get_kind_display().lower()} le {short_date(on)}"
    journal.record(
        actor=actor, action=f"quote-{kind.value}", target=quote, summary=told, data={"comment": comment}
    )
    return event


def _next_number(schedule: Schedule, on: date) -> str:
    """Return the next number of the year of a day: D-2026-0001. The schedule is locked."""
    start = f"D-{on.year}-"
    taken = Quote.objects.filter(schedule=schedule, number__startswith=start).order_by("pk")
    last = max((int(number.removeprefix(start)) for number in taken.values_list("number", flat=True)),
               default=0)  # fmt: skip
    return f"{start}{last + 1:04d}"


def _current(item: CatalogueItem, on: date) -> CatalogueItem | None:
    """Return the price of the same thing that holds on a day, in any version of its market."""
    catalogue = item.catalogue
    same = CatalogueItem.objects.select_related("catalogue").filter(
        code=item.code, catalogue__market=catalogue.market, catalogue__schedule=catalogue.schedule_id
    )
    return next((row for row in same.order_by("pk") if row.catalogue.holds_on(on)), None)


def _suppliers(quote: Quote) -> list[str]:
    rows = quote.lines.select_related("item__catalogue").order_by("pk")
    catalogues = (line.item.catalogue for line in rows)
    return list(dict.fromkeys(f"{c.supplier}, marché {c.market}" for c in catalogues))


def _stored(template: str, facts: dict[str, Any]) -> StoredDocument:
    return documents.store(render_pdf(template, facts), content_type=PDF, suffix=".pdf")


def _facts(quote: Quote, signatory: Signatory, on: date) -> dict[str, Any]:
    """Return what the documents of a quote say, as JSON types: amounts are strings."""
    head = letterhead(schedule=quote.schedule, signatory=signatory, on=on, foundations=[quote.subject])
    debtor = quote.debtor
    lines = list(quote.lines.select_related("item__catalogue").order_by("pk"))
    total = total_of(quote)
    return {
        "issuer": head.facts["issuer"],
        "signatory": head.facts["signatory"],
        "vat": head.facts["vat"],
        "due_text": head.texts["delai"],
        "specimen": head.specimen,
        "number": quote.number,
        "on": on.isoformat(),
        "valid_until": quote.valid_until.isoformat(),
        "subject": quote.subject,
        "debtor": {
            "name": debtor.name,
            "siret": debtor.siret or "",
            "address": [*debtor.address.splitlines(), f"{debtor.postal_code} {debtor.city}"],
        },
        "lines": [
            {
                "code": line.item.code,
                "label": line.item.label,
                "quantity": plural(line.quantity, line.item.unit_label, line.item.unit_plural),
                "unit_price": str(line.item.unit_price),
                "amount": str(line.amount),
            }
            for line in lines
        ],
        "catalogues": list(dict.fromkeys(str(line.item.catalogue) for line in lines)),
        "total": str(total),
        "total_words": amount_in_words(total),
    }
