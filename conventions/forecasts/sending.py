"""Telling members their provisional amounts: frozen at once, on their pages at once, by e-mail once.

The mail leads to /espace/, where each signs in as usual. Who has no address there gets the letter by
post, which staff print.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from conventions.forecasts import letters
from conventions.forecasts.reading import ForecastRefused
from conventions.models import Forecast, ForecastAmount, ForecastNotice
from entsvc import mail
from entsvc.french import plural
from entsvc.journal import record
from members.portal.addressees import addressees

AT_ONCE = 300  # members written to while the page waits
TEMPLATE = "montant_previsionnel"


@dataclass(frozen=True)
class Ready:
    """A member still to write to, and the addresses that open its page."""

    amount: ForecastAmount
    addresses: list[str]


@dataclass
class Waiting:
    """The members of a forecast not written to yet, those that have no address, how many were."""

    ready: list[Ready] = field(default_factory=list)
    by_post: list[ForecastAmount] = field(default_factory=list)
    told: int = 0


def waiting(forecast: Forecast) -> Waiting:
    """Part the members of a forecast by how they are told; a few queries in all."""
    found = Waiting(told=ForecastNotice.objects.filter(amount__forecast=forecast).count())
    rows = list(_untold(forecast))
    known = addressees({row.member_id for row in rows})
    for row in rows:
        if known[row.member_id]:
            found.ready.append(Ready(row, known[row.member_id]))
        else:
            found.by_post.append(row)
    return found


@transaction.atomic
def send(*, pk: UUID, actor: str) -> int:
    """Freeze a draft, show it to its members, and write to the first of them; return how many.

    Raises ForecastRefused while a letter is still to draw, and once it is sent.
    """
    rows = Forecast.objects.select_for_update(of=("self",)).select_related("schedule__issuer")
    forecast = rows.filter(pk=pk).first()
    if forecast is None:
        raise ForecastRefused("Ce projet n'existe plus : un autre poste l'a refait ou abandonné.")
    if forecast.is_sent:
        raise ForecastRefused("Ces montants sont déjà envoyés.")
    lacking = forecast.amounts.exclude(letters.drawn()).count()
    if lacking:
        raise ForecastRefused(
            f"{plural(lacking, 'lettre reste', 'lettres restent')} à produire : attendez, ou reprenez "
            "celles qui ont échoué."
        )
    forecast.sent_at, forecast.sent_by = timezone.now(), actor
    forecast.save(update_fields=["sent_at", "sent_by"])
    record(
        actor=actor,
        action="envoyer-montants",
        target=forecast,
        summary=f"Montants prévisionnels envoyés : {forecast}, "
        f"{plural(forecast.amounts.count(), 'membre')}",
        data={"fingerprint": forecast.fingerprint},
    )
    ready = waiting(forecast).ready
    return write(forecast=forecast, rows=ready, actor=actor) if ready else 0


@transaction.atomic
def write(*, forecast: Forecast, rows: Sequence[Ready], actor: str) -> int:
    """Write to members of a forecast that is sent, at most `AT_ONCE`; return how many.

    Raises ForecastRefused when there is none, or when another post is writing to one of them: each is
    written to once, by constraint, and then nothing of this call is.
    """
    rows = rows[:AT_ONCE]
    if not forecast.is_sent or not rows:
        raise ForecastRefused("Aucun membre à qui écrire.")
    try:
        with transaction.atomic():
            ForecastNotice.objects.bulk_create(
                ForecastNotice(amount=row.amount, addresses=row.addresses, told_by=actor) for row in rows
            )
    except IntegrityError as error:
        raise ForecastRefused(
            "Un autre poste vient d'écrire à une partie de ces membres : relisez la page, rien n'est "
            "parti d'ici."
        ) from error
    whole = ForecastAmount.objects.in_bulk([row.amount.pk for row in rows])
    for row in rows:
        mail.post(row.addresses, TEMPLATE, _context(forecast, whole[row.amount.pk]))
    record(
        actor=actor,
        action="ecrire-montants",
        target=forecast,
        summary=f"{forecast} : {plural(len(rows), 'membre prévenu', 'membres prévenus')} par courriel",
        data={"members": {row.amount.siret: row.addresses for row in rows}},
    )
    return len(rows)


def _untold(forecast: Forecast) -> QuerySet[ForecastAmount]:
    rows = forecast.amounts.filter(notice__isnull=True).defer("payload").select_related("member")
    return rows.order_by("name", "siret")


def _context(forecast: Forecast, amount: ForecastAmount) -> dict:
    issuer = forecast.schedule.issuer
    return {
        "forecast": forecast,
        "amount": amount,
        "head": forecast.payload,
        "replaces": amount.payload["replaces"],
        "issuer": issuer,
        "link": mail.link("espace:home"),
    }
