"""How deliveries are billed at once, in a campaign of their own, without waiting for the yearly call."""

from collections.abc import Iterable
from itertools import groupby

from django.db import IntegrityError, transaction

from conventions import states
from conventions.models import Delivery
from entsvc.french import plural, short_date
from invoicing import apart
from invoicing.apart import CampaignRefused
from invoicing.calculation import compute_again
from invoicing.models import BilledDelivery, Run

SHOWN = 5


def bill(*, deliveries: Iterable[Delivery], actor: str) -> list[Run]:
    """Compute what some deliveries cost, in one campaign apart by payer, by SIRET.

    Their titres are issued as any other. Raises CampaignRefused for deliveries of several schedules or
    school years, left to the yearly call, billed already, or that a yearly titre bills; NotAdopted where
    no act adopted a tariff for their year.
    """
    keys = [delivery.pk for delivery in deliveries]
    try:
        with transaction.atomic():
            rows = Delivery.objects.select_for_update(of=("self",)).filter(pk__in=keys)
            rows = rows.select_related("convention__schedule", "convention__debtor")
            rows = list(rows.order_by("convention__debtor__siret", "delivered_on", "pk"))
            _check(rows)
            by_payer = groupby(rows, key=lambda row: row.convention.debtor_id)
            return [_bill(list(group), actor) for _, group in by_payer]
    except IntegrityError as error:
        raise CampaignRefused("Un autre poste vient de facturer ces prestations.") from error


def _bill(rows: list[Delivery], actor: str) -> Run:
    first, last = rows[0], rows[-1]
    campaign = apart.open_campaign(
        schedule=first.convention.schedule, year=first.school_year, reason=_told(first, last)
    )
    apart.bill_together(rows, campaign)
    return compute_again(campaign=campaign, actor=actor)


def release(delivery: Delivery) -> None:
    """Untie a delivery from the campaign apart that would bill it, unless a titre does."""
    campaign = apart.campaigns_of([delivery]).get(delivery.pk)
    if campaign is not None and not apart.is_billed(campaign):
        BilledDelivery.objects.filter(delivery=delivery).delete()


def _check(rows: list[Delivery]) -> None:
    if not rows:
        raise CampaignRefused("Choisissez au moins une prestation.")
    if len({(row.convention.schedule_id, row.school_year) for row in rows}) > 1:
        raise CampaignRefused(
            "Ces prestations sont de plusieurs barèmes ou années scolaires : facturez-les séparément."
        )
    yearly = [row for row in rows if not row.apart]
    if yearly:
        raise CampaignRefused(
            f"Laissées à l'appel annuel : {_named(yearly)}. Cochez « facturée à part » dans leur fiche."
        )
    idle = [row for row in rows if row.convention.status not in states.OWING]
    if idle:
        raise CampaignRefused(f"Leur convention n'est pas en vigueur : {_named(idle)}.")
    known = apart.campaigns_of(rows)
    billed = [row for row in rows if row.pk in known]
    if billed:
        raise CampaignRefused(f"Déjà facturées à part : {_named(billed)}.")
    twice = apart.named_by_a_yearly_titre(Delivery.objects.filter(pk__in=[row.pk for row in rows]))
    if twice:
        raise CampaignRefused(apart.words_of(twice))


def _named(rows: list[Delivery]) -> str:
    more = len(rows) - SHOWN
    shown = [str(row) for row in rows[:SHOWN]]
    return ", ".join([*shown, *([f"et {plural(more, 'autre')}"] if more > 0 else [])])


def _told(first: Delivery, last: Delivery) -> str:
    if first.delivered_on == last.delivered_on:
        return f"prestations du {short_date(first.delivered_on)}"
    return f"prestations du {short_date(first.delivered_on)} au {short_date(last.delivered_on)}"
