"""Which of what follows the calculation is too long for a click: workbook, reminders, deliveries apart.

Done in the background as the calculations of `long_work` are.
"""

import hashlib
from collections.abc import Collection, Iterable
from datetime import date
from io import BytesIO
from uuid import UUID

from conventions import states
from conventions.assessment import covering
from conventions.models import Convention, Delivery
from entsvc import journal, works
from entsvc.french import euros, plural
from entsvc.models import Work
from invoicing import deliveries
from invoicing.apart import CampaignRefused
from invoicing.campaign_accounts import read
from invoicing.exports.campaign_workbook import write_campaign
from invoicing.exports.unbilled import write_unbilled
from invoicing.long_work import written
from invoicing.models import Campaign
from invoicing.reminders import ReminderRefused, write_reminders
from invoicing.unbilled import YEARS, unbilled
from members.models import Issuer
from tariffs.adoption import NotAdopted

# What takes about two seconds, from what was measured: 2 ms a titre, 0.6 ms an agreement and a year,
# 0.2 s a letter, as much for the campaign of a payer.
LARGE_CAMPAIGN = 1_000  # titres
LARGE_PORTFOLIO = 3_000  # agreements, once for each school year
LARGE_MAIL = 10  # letters
LARGE_BILLING = 10  # payers


def is_long_to_file(campaign: Campaign) -> bool:
    """Tell whether writing the workbook of a campaign is too long for a click."""
    return campaign.titres.count() > LARGE_CAMPAIGN


def file_later(*, campaign: Campaign, name: str, actor: str) -> Work:
    """Ask for the workbook of a campaign."""
    return works.ask(
        kind=WORKBOOK,
        once=str(campaign.pk),
        title=f"Classeur de la campagne (XLSX) : {campaign}",
        arguments={"campaign": campaign.pk, "name": name},
        actor=actor,
        issuer=campaign.schedule.issuer_id,
    )


def is_long_to_attach(issuer: Issuer, exercice: int) -> bool:
    """Tell whether computing what is still to call of an exercice is too long for a click."""
    owing = Convention.objects.filter(schedule__issuer=issuer, status__in=states.OWING).order_by()
    years = range(exercice - YEARS, exercice + 1)
    return sum(owing.filter(covering(year)).count() for year in years) > LARGE_PORTFOLIO


def attach_later(*, issuer: Issuer, exercice: int, actor: str) -> Work:
    """Ask for the « produits à rattacher » of an exercice."""
    return works.ask(
        kind=UNBILLED,
        once=f"{issuer.pk}/{exercice}",
        title=f"Produits à rattacher : {issuer.name}, exercice {exercice}",
        arguments={"issuer": issuer.pk, "exercice": exercice},
        actor=actor,
        issuer=issuer.pk,
    )


def attach(*, issuer: Issuer, exercice: int, actor: str) -> tuple[bytes, str]:
    """Return the « produits à rattacher » of an exercice as a workbook, and its name; journal it."""
    name = f"produits-a-rattacher-{issuer.code}-{exercice}.xlsx"
    content = write_unbilled(unbilled(issuer, exercice), issuer=issuer.name, exercice=exercice)
    journal.record(
        actor=actor,
        action="export",
        target=issuer,
        summary=f"Produits à rattacher de {issuer.code}, exercice {exercice} : {name}",
    )
    return content, name


def remind_later(*, issuer: Issuer, on: date, titres: Collection[UUID], actor: str) -> Work:
    """Ask for the reminders of some titres; the same asked twice are written once."""
    keys = sorted(str(key) for key in titres)
    digest = hashlib.sha256(" ".join(keys).encode()).hexdigest()
    return works.ask(
        kind=REMINDERS,
        once=f"{issuer.pk}/{on.isoformat()}/{digest}",
        title=f"{plural(len(keys), 'relance à écrire', 'relances à écrire')} : {issuer.name}",
        arguments={"issuer": issuer.pk, "on": on.isoformat(), "titres": keys},
        actor=actor,
        issuer=issuer.pk,
    )


def is_long_to_bill(rows: Iterable[Delivery]) -> bool:
    """Tell whether billing some deliveries apart is too long for a click: each payer has a campaign."""
    return len({row.convention.debtor_id for row in rows}) > LARGE_BILLING


def bill_later(*, rows: Collection[Delivery], actor: str) -> Work:
    """Ask for some deliveries, of the schedules of one issuer, to be billed apart."""
    first = min(rows, key=lambda row: row.pk)
    keys = sorted(row.pk for row in rows)
    digest = hashlib.sha256(repr(keys).encode()).hexdigest()
    return works.ask(
        kind=APART,
        once=digest,
        title=f"{plural(len(keys), 'prestation')} à facturer à part",
        arguments={"deliveries": keys},
        actor=actor,
        issuer=first.convention.schedule.issuer_id,
    )


def _workbook(work: Work) -> works.Outcome:
    campaigns = Campaign.objects.select_related("schedule__issuer")
    campaign = campaigns.get(pk=work.arguments["campaign"])
    name, target = work.arguments["name"], BytesIO()
    write_campaign(campaign, read(campaign), target)
    summary = f"{campaign} : {name}"
    journal.record(actor=work.actor, action="export", target=campaign, summary=summary)
    return written(target.getvalue(), name, "xlsx")


def _unbilled(work: Work) -> works.Outcome:
    issuer = Issuer.objects.get(pk=work.arguments["issuer"])
    content, name = attach(issuer=issuer, exercice=work.arguments["exercice"], actor=work.actor)
    return written(content, name, "xlsx")


def _remind(work: Work) -> works.Outcome:
    """Write the letters one by one: killed, the next one goes on with those that are still due."""
    issuer = Issuer.objects.get(pk=work.arguments["issuer"])
    on = date.fromisoformat(work.arguments["on"])
    chosen = {UUID(key) for key in work.arguments["titres"]}
    try:
        done = write_reminders(issuer=issuer, on=on, actor=work.actor, only=chosen)
    except ReminderRefused as error:
        raise works.WorkFailed(str(error)) from error
    told = f"{plural(len(done.reminders), 'relance écrite', 'relances écrites')}."
    if done.refused:
        return works.Outcome(failure=" ".join([told, *done.refused]))
    return works.Outcome(told=f"{told} Les courriers sont dans la liste des relances.")


def _bill(work: Work) -> works.Outcome:
    rows = Delivery.objects.filter(pk__in=work.arguments["deliveries"]).order_by("pk")
    try:
        runs = deliveries.bill(deliveries=rows, actor=work.actor)
    except (CampaignRefused, NotAdopted) as error:
        raise works.WorkFailed(str(error)) from error
    total = euros(sum(run.total for run in runs))
    return works.Outcome(
        told=f"{plural(len(runs), 'campagne à part calculée', 'campagnes à part calculées')} : {total}. "
        "Relisez leurs calculs, puis émettez.",
        page="collection:review",
        page_key=str(runs[0].pk),
    )


WORKBOOK = works.register(
    works.Kind(
        "classeur",
        _workbook,
        seen_with="invoicing.view_payment",
        asked_with="invoicing.view_payment",
        writes=False,
    )
)
UNBILLED = works.register(
    works.Kind(
        "rattacher",
        _unbilled,
        seen_with="invoicing.view_run",
        asked_with="invoicing.view_run",
        writes=False,
    )
)
# Each letter is kept as soon as it is written.
REMINDERS = works.register(
    works.Kind(
        "relances",
        _remind,
        seen_with="invoicing.view_reminder",
        asked_with="invoicing.write_reminder",
        writes=False,
    )
)
APART = works.register(
    works.Kind(
        "facturer-a-part",
        _bill,
        seen_with="invoicing.view_run",
        asked_with="invoicing.compute_run",
    )
)
