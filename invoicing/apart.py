"""What is billed apart from the yearly call: a quote once served, or deliveries without waiting for it.

Each is a campaign of its own, whose basis names only what it bills: the same engine prices it, and it is
issued, corrected and replayed as any other. Conditions of 15 June 2023 (Nord-Pas-de-Calais).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from django.db.models import Max, QuerySet, Sum

from conventions.assessment import DELIVERED, covering, tariff_facts
from conventions.basis import Basis
from conventions.deliveries import Key, key_of, key_of_proof, proofs
from conventions.models import Delivery
from entsvc import school_year
from entsvc.french import euros, long_date, lower_first, short_date
from invoicing.models import (
    BilledDelivery,
    Campaign,
    Quote,
    QuoteEvent,
    Run,
    ServedLine,
    SupplierInvoice,
    Titre,
    TitreLine,
)
from members import successions
from members.models import Member
from tariffs import engine
from tariffs.adoption import adopted, charges_of
from tariffs.models import Schedule

ENGAGEMENT, PAID_ON = "engagement", "paid_on"  # among the facts of a basis
CHANGED = "Ce qui est facturé à part a changé depuis ce calcul : recalculez cette campagne."
ZERO = Decimal("0.00")


class CampaignRefused(Exception):
    """The campaign is neither opened nor computed; the message says why, in French."""


def open_campaign(*, schedule: Schedule, year: int, reason: str, quote: Quote | None = None) -> Campaign:
    """Open a campaign apart. In the caller's transaction: two at once take their ranks in turn."""
    Schedule.objects.select_for_update().get(pk=schedule.pk)
    others = Campaign.objects.filter(schedule=schedule, school_year=year, apart=True)
    last = others.aggregate(last=Max("rank"))["last"] or 0
    return Campaign.objects.create(
        schedule=schedule, school_year=year, rank=last + 1, apart=True, reason=reason, quote=quote
    )


def read_basis(campaign: Campaign) -> Basis:
    """Read all that a campaign apart bills.

    Raises CampaignRefused for a quote that can't be billed yet, NotAdopted for deliveries of a school
    year without a tariff.
    """
    if campaign.quote_id:
        return _of_quote(campaign.quote)
    return _of_deliveries(campaign)


def outdated(run: Run) -> dict[str, str]:
    """Return {SIRET: why in French} of the calls of a run apart that no longer bill what is so now."""
    then = run.basis
    twice = named_by_a_yearly_titre(tied_to(run.campaign))
    if twice:
        return {member["siret"]: words_of(twice) for member in then["members"]}
    try:
        now = read_basis(run.campaign).as_json()
        same = all(now[name] == then[name] for name in ("charges", "members"))
        same = same and all(
            now["facts"].get(name) == then["facts"].get(name) for name in (DELIVERED, ENGAGEMENT)
        )
    except CampaignRefused as error:
        return {member["siret"]: str(error) for member in then["members"]}
    return {} if same else {member["siret"]: CHANGED for member in then["members"]}


def obstacles(quote: Quote) -> list[str]:
    """Return what keeps a quote from being billed, in French: accepted, ordered, served, then paid."""
    return _obstacles(quote, _payer(quote))


def _obstacles(quote: Quote, payer: Member) -> list[str]:
    kinds = set(quote.events.order_by("pk").values_list("kind", flat=True))
    if QuoteEvent.Kind.DROPPED in kinds:
        return [f"Le {lower_first(str(quote))} est abandonné."]
    if QuoteEvent.Kind.ACCEPTED not in kinds:
        return ["Le membre n'a pas accepté ce devis : enregistrez son accord."]
    if QuoteEvent.Kind.ORDERED not in kinds:
        return ["Ce devis n'est pas commandé au titulaire : enregistrez la commande."]
    invoices = list(quote.supplier_invoices.order_by("pk"))
    if not invoices:
        return ["Aucune facture du titulaire n'est saisie : le service fait n'est pas prouvé."]
    found = []
    for invoice in invoices:
        if not invoice.mandat:
            found.append(f"La facture {invoice} n'est pas payée : saisissez son mandat.")
        if invoice.amount != invoice.expected and not invoice.gap_reason:
            found.append(
                f"La facture {invoice} est de {euros(invoice.amount)}, les quantités servies au prix du "
                f"catalogue font {euros(invoice.expected)} : corrigez l'une, ou donnez le motif."
            )
    served = served_of(quote)
    for line in quote.lines.select_related("item").order_by("pk"):
        if served.get(line.pk, 0) > line.quantity:
            found.append(
                f"{line.item} : {served[line.pk]} servis pour {line.quantity} au devis. Faites accepter "
                "un devis complémentaire."
            )
    if not payer.siret:
        found.append(f"{payer} n'a pas de SIRET : saisissez-le dans sa fiche.")
    return found


def unserved(quote: Quote) -> list[str]:
    """Return what of a quote is not served yet: once billed, it takes another quote."""
    served = served_of(quote)
    left = {
        line: line.quantity - served.get(line.pk, 0)
        for line in quote.lines.select_related("item").order_by("pk")
    }
    return [
        f"{line.item} : {quantity} au devis pas encore servis ; une fois le titre émis, ils ne se "
        "facturent plus que par un autre devis."
        for line, quantity in left.items()
        if quantity > 0
    ]


def served_of(quote: Quote) -> dict[int, int]:
    """Return {line of the quote: quantity served so far} of what the supplier billed."""
    rows = ServedLine.objects.filter(invoice__quote=quote).order_by("line")
    return dict(rows.values("line").annotate(sum=Sum("quantity")).values_list("line", "sum"))


def served_quotes(schedule: Schedule, until: date) -> QuerySet[Quote]:
    """Return the quotes that the supplier billed as served by a day, and that go on."""
    served = SupplierInvoice.objects.filter(served_on__lte=until).values("quote")
    dropped = QuoteEvent.objects.filter(kind=QuoteEvent.Kind.DROPPED).values("quote")
    found = Quote.objects.filter(schedule=schedule, pk__in=served).exclude(pk__in=dropped)
    return found.select_related("debtor", "campaign").order_by("number")


def is_billed(campaign: Campaign | None, until: int | None = None) -> bool:
    """Tell whether a titre of a campaign is still in force, one of the exercice `until` or before."""
    if campaign is None:
        return False
    titres = campaign.titres.in_force()
    return (titres if until is None else titres.filter(exercice__lte=until)).exists()


def lock(campaign: Campaign) -> None:
    """Hold what a campaign apart bills until the end of the transaction: nobody changes it meanwhile."""
    if campaign.quote_id:
        rows = [
            Quote.objects.filter(pk=campaign.quote_id),
            SupplierInvoice.objects.filter(quote=campaign.quote_id),
            ServedLine.objects.filter(invoice__quote=campaign.quote_id),
        ]
    else:
        rows = [campaign.billed_deliveries.all(), tied_to(campaign)]
    for held in rows:
        list(held.select_for_update(of=("self",)).order_by("pk"))


def tied_to(campaign: Campaign) -> QuerySet[Delivery]:
    """Return the deliveries that a campaign apart bills."""
    tied = campaign.billed_deliveries.order_by("pk").values("delivery")
    return Delivery.objects.filter(pk__in=tied).order_by("delivered_on", "pk")


def named_by_a_yearly_titre(deliveries: QuerySet[Delivery]) -> dict[str, str]:
    """Return {delivery: reference} of those that a titre in force of the yearly call bills already."""
    proved = cache(_proved)
    return {
        str(delivery): reference
        for delivery in deliveries.select_related("convention")
        for run, reference in _bearing(delivery)
        if key_of(delivery) in proved(run)
    }


def _bearing(delivery: Delivery) -> QuerySet:
    """Return (run, reference) of the yearly titres in force that bill the charge of its agreement."""
    campaigns = Campaign.objects.of_year(delivery.convention.schedule_id, delivery.school_year)
    lines = TitreLine.objects.filter(charge=delivery.code, agreement=delivery.convention.reference)
    titres = Titre.objects.in_force().filter(
        campaign__in=campaigns.values("pk"), pk__in=lines.values("titre")
    )
    return titres.order_by("pk").values_list("call__run", "reference")


def _proved(run: int) -> set[Key]:
    """Return the keys of the deliveries that a run read, without the rest of its basis."""
    rows = Run.objects.values_list(f"basis__facts__{DELIVERED}", flat=True).get(pk=run)
    return {key_of_proof(row) for row in rows or ()}


def words_of(twice: Mapping[str, str]) -> str:
    """Say which deliveries the yearly call bills already, and by which titre."""
    named = ", ".join(f"{what} par le titre {reference}" for what, reference in twice.items())
    return f"Déjà appelées à l'année : {named}. Décochez « facturée à part »."


def steps_of(quote: Quote) -> dict[str, QuoteEvent]:
    """Return the steps of a quote by kind, from `events` where they are prefetched."""
    return {event.kind: event for event in quote.events.all()}


def _of_quote(quote: Quote) -> Basis:
    payer = _payer(quote)
    wrong = _obstacles(quote, payer)
    if wrong:
        raise CampaignRefused(" ".join(wrong))
    lines = quote.lines.select_related("item__catalogue").order_by("pk")
    served = served_of(quote)
    steps = steps_of(quote)
    accepted, ordered = steps[QuoteEvent.Kind.ACCEPTED], steps[QuoteEvent.Kind.ORDERED]
    catalogues = dict.fromkeys(str(line.item.catalogue) for line in lines)
    schedule = quote.schedule
    agreement = engine.Agreement(
        reference=quote.number,
        title=f"{lower_first(str(quote))} du {long_date(quote.sent_on)} : {quote.subject}",
        units=tuple((line.item.code, served[line.pk]) for line in lines if line.pk in served),
    )
    return Basis(
        school_year=quote.school_year,
        facts={
            "schedule": schedule.code,
            "schedule_name": schedule.name,
            "version": ", ".join(catalogues),
            "version_id": None,
            "act": f"devis accepté le {short_date(accepted.on)}, commandé le {short_date(ordered.on)}",
            "adoption_id": None,
            "subject": _subject(f"{schedule.subject} : {quote.subject}"),
            PAID_ON: max(invoice.paid_on for invoice in quote.supplier_invoices.all()).isoformat(),
            "sources": {},
            ENGAGEMENT: accepted.reference,
            DELIVERED: _served(quote),
        },
        charges=tuple(_charge(line.item) for line in lines),
        members=(engine.Member(payer.siret, str(payer), (agreement,)),),
    )


def earliest_day(run: Run) -> date | None:
    """Return the first day on which the titres of a run apart may be dated: all is done, and paid."""
    facts = run.basis["facts"]
    days = [row["on"] for row in facts.get(DELIVERED, ())]
    days += [facts[PAID_ON]] if PAID_ON in facts else []
    return date.fromisoformat(max(days)) if days else None


def _payer(quote: Quote) -> Member:
    """Return who pays a quote: its member, or who took it over since."""
    if quote.debtor.successor_id is None:
        return quote.debtor
    heir = successions.last_successor(quote.debtor_id, successions.known_successors())
    return quote.debtor if heir == quote.debtor_id else Member.objects.get(pk=heir)


def _subject(words: str) -> str:
    longest = Titre._meta.get_field("subject").max_length
    return words if len(words) <= longest else f"{words[: longest - 1]}…"


def _charge(item: Any) -> engine.Charge:
    return engine.Charge(
        code=item.code,
        label=item.label,
        unit_label=item.unit_label,
        unit_plural=item.unit_plural,
        metric=engine.UNITS,
        model=engine.UNIT,
        unit_price=item.unit_price,
    )


def _served(quote: Quote) -> list[dict[str, Any]]:
    """Return what proves the service done, as `conventions.deliveries.proofs` says it of deliveries."""
    rows = ServedLine.objects.filter(invoice__quote=quote)
    rows = rows.select_related("invoice", "line__item").order_by("invoice__served_on", "pk")
    return [
        {
            "agreement": quote.number,
            "code": row.line.item.code,
            "on": row.invoice.served_on.isoformat(),
            "quantity": row.quantity,
            "subject": row.line.item.label,
            "proof": f"{row.invoice.proof}, facture {row.invoice}",
            "sha256": "",
        }
        for row in rows
    ]


def _of_deliveries(campaign: Campaign) -> Basis:
    schedule, year = campaign.schedule, campaign.school_year
    adoption = adopted(schedule, year)
    rows = tied_to(campaign).of_year(year).filter(apart=True, convention__schedule=schedule)
    deliveries = list(
        rows.select_related("convention__debtor", "convention__party").order_by("convention", "pk")
    )
    codes = {delivery.code for delivery in deliveries}
    charges = tuple(charge for charge in charges_of(adoption.version) if charge.code in codes)
    for charge in charges:
        if charge.metric != engine.UNITS or charge.model != engine.UNIT:
            raise CampaignRefused(
                f"« {charge.label} » n'a pas de prix à l'unité : elle ne se facture qu'à l'appel annuel."
            )
    return Basis(
        school_year=year,
        facts={
            **tariff_facts(schedule, adoption),
            "subject": _subject(
                f"{schedule.subject}, année scolaire {school_year.label(year)} : {campaign.reason}"
            ),
            "sources": {},
            DELIVERED: proofs(rows),
        },
        charges=charges,
        members=_members(deliveries, year),
    )


def _members(deliveries: Iterable[Delivery], year: int) -> tuple[engine.Member, ...]:
    """Return who owes the deliveries, by SIRET, with one agreement for each of theirs."""
    units: dict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for delivery in deliveries:
        units[delivery.convention][delivery.code] += delivery.quantity
    by_debtor: dict[Any, list[engine.Agreement]] = defaultdict(list)
    for convention, counted in units.items():
        options = convention.subscriptions.filter(covering(year)).order_by("code")
        agreement = engine.Agreement(
            reference=convention.reference,
            title=convention.title,
            party="" if convention.party_id == convention.debtor_id else str(convention.party),
            subscriptions=tuple(options.values_list("code", flat=True)),
            units=tuple(sorted(counted.items())),
        )
        by_debtor[convention.debtor].append(agreement)
    lacking = [str(debtor) for debtor in by_debtor if not debtor.siret]
    if lacking:
        raise CampaignRefused(
            f"Sans SIRET : {', '.join(sorted(lacking))}. Saisissez-le dans leur fiche."
        )
    members = [
        engine.Member(debtor.siret, str(debtor), tuple(sorted(agreements, key=lambda a: a.reference)))
        for debtor, agreements in by_debtor.items()
    ]
    return tuple(sorted(members, key=lambda member: member.siret))


def campaigns_of(deliveries: Iterable[Delivery]) -> dict[int, Campaign]:
    """Return {delivery: the campaign apart that bills it} of those that one bills, in one query."""
    rows = BilledDelivery.objects.filter(delivery__in=[delivery.pk for delivery in deliveries])
    found = rows.select_related("campaign__schedule").order_by("pk")
    return {row.delivery_id: row.campaign for row in found}


def bill_together(deliveries: Iterable[Delivery], campaign: Campaign) -> None:
    """Tie deliveries to the campaign that bills them; each is billed once, which the database keeps."""
    BilledDelivery.objects.bulk_create(
        BilledDelivery(campaign=campaign, delivery=delivery) for delivery in deliveries
    )
