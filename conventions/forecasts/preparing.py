"""Writing down provisional amounts: one draft for a schedule and a year, made anew or dropped at will.

The long reading is done before anything is locked; what is written is whole or is not.
"""

from collections.abc import Mapping
from datetime import date
from urllib.parse import urlencode
from uuid import UUID

from django.db import transaction

from conventions.forecasts import letters
from conventions.forecasts.payload import (
    Wording,
    head_of,
    member_payload,
    recorded_for,
    replaced_words,
)
from conventions.forecasts.reading import ForecastRefused, Provisions, provisions
from conventions.models import Forecast, ForecastAmount
from entsvc import attempts, school_year
from entsvc.canonical import fingerprint
from entsvc.changes import in_batches
from entsvc.french import euros, plural
from entsvc.journal import record
from members.models import Issuer, Member, Signatory
from tariffs.models import Schedule, Version

BATCH = 500


def prepare(
    *,
    version: Version,
    read_year: int,
    year: int,
    given: Mapping[str, str],
    wording: Wording,
    actor: str,
) -> Forecast:
    """Write down what each member will probably owe for `year`, and set the drawing of letters going.

    `given` is the hypothesis, as the address of a simulation gives it. A draft of the same schedule and
    year is replaced, unless it says exactly the same: a second click prepares nothing. Raises
    ForecastRefused.
    """
    check(version.schedule.issuer, wording, read_year, year)
    found, query = provisions(version=version, read_year=read_year, year=year, given=given)
    asked = {"version": str(version.pk), "annee": school_year.label(read_year), **query}
    forecast = Forecast(
        schedule=found.schedule,
        school_year=year,
        exercice=wording.exercice,
        read_year=read_year,
        written_on=wording.written_on,
        query=urlencode(asked),
        payload=head_of(found, wording),
        apart=list(found.apart),
        made_by=actor,
    )
    amounts = _amounts(forecast, found)
    forecast.fingerprint = fingerprint(
        [forecast.query, forecast.payload, forecast.apart, [row.payload for row in amounts]]
    )
    return _written(forecast, amounts, actor)


def check(issuer: Issuer, wording: Wording, read_year: int, year: int) -> None:
    """Refuse letters that can't stand; raises ForecastRefused."""
    signatory = wording.signatory
    if signatory.issuer_id != issuer.pk:
        raise ForecastRefused(f"Ce signataire n'est pas celui de {issuer.name}.")
    if not is_in_office(signatory, wording.written_on):
        raise ForecastRefused(f"{signatory} n'a pas qualité pour signer à cette date.")
    if year < read_year:
        raise ForecastRefused("L'année annoncée ne peut pas précéder celle des effectifs.")


def is_in_office(signatory: Signatory, on: date) -> bool:
    """Tell whether somebody signs on a day."""
    return signatory.valid_from <= on and (signatory.valid_to is None or on <= signatory.valid_to)


@transaction.atomic
def drop(*, pk: UUID, actor: str) -> None:
    """Forget a draft; raises ForecastRefused once it is sent."""
    forecast = _locked(pk)
    if forecast.is_sent:
        raise ForecastRefused("Ces montants sont envoyés : ils restent. Préparez-en de nouveaux.")
    _forget(forecast)
    record(
        actor=actor,
        action="abandonner-montants",
        target=forecast,
        summary=f"Montants prévisionnels abandonnés : {forecast}",
    )


def _locked(pk: UUID) -> Forecast:
    rows = Forecast.objects.select_for_update(of=("self",)).select_related("schedule")
    found = rows.filter(pk=pk).first()
    if found is None:
        raise ForecastRefused("Ce projet n'existe plus : un autre poste l'a refait ou abandonné.")
    return found


def _amounts(forecast: Forecast, found: Provisions) -> list[ForecastAmount]:
    sirets = [row.result.member.siret for row in found.rows]
    members = {
        member.siret: member
        for batch in in_batches(sirets)
        for member in Member.objects.filter(siret__in=batch).order_by("pk")
    }
    recorded, former = recorded_for(found), _former(forecast)
    amounts = []
    for row in found.rows:
        debtor = members[row.result.member.siret]
        payload = member_payload(
            row, found=found, debtor=debtor, recorded=recorded, replaced=former.get(debtor.pk)
        )
        amounts.append(
            ForecastAmount(
                forecast=forecast,
                member=debtor,
                siret=debtor.siret,
                name=str(debtor),
                kind=row.kind,
                pupils=row.pupils,
                total=row.result.total,
                today=row.today,
                payload=payload,
            )
        )
    return amounts


def _former(forecast: Forecast) -> dict[int, dict[str, str]]:
    """Return what each member was told last for the same schedule and year, in words, by key."""
    rows = ForecastAmount.objects.filter(
        forecast__schedule=forecast.schedule,
        forecast__school_year=forecast.school_year,
        forecast__sent_at__isnull=False,
    ).order_by("forecast__sent_at", "pk")
    told = rows.values_list("member", "forecast__written_on", "total")
    return {member: replaced_words(on, total) for member, on, total in told}


@transaction.atomic
def _written(forecast: Forecast, amounts: list[ForecastAmount], actor: str) -> Forecast:
    # Two people preparing at once wait for each other here: the last one's draft stands.
    Schedule.objects.select_for_update(of=("self",)).get(pk=forecast.schedule.pk)
    drafts = Forecast.objects.select_for_update(of=("self",)).filter(
        schedule=forecast.schedule, school_year=forecast.school_year, sent_at=None
    )
    former = drafts.first()
    if former and former.fingerprint == forecast.fingerprint:
        return former
    if former:
        _forget(former)
    forecast.save(force_insert=True)
    ForecastAmount.objects.bulk_create(amounts, batch_size=BATCH)
    total = sum(row.total for row in amounts)
    record(
        actor=actor,
        action="preparer-montants",
        target=forecast,
        summary=f"Montants prévisionnels {'refaits' if former else 'préparés'} : {forecast}, "
        f"{plural(len(amounts), 'membre')}, {euros(total)}",
        data={
            "query": forecast.query,
            "fingerprint": forecast.fingerprint,
            "apart": len(forecast.apart),
        },
    )
    transaction.on_commit(lambda: letters.nudge(forecast))
    return forecast


def _forget(forecast: Forecast) -> None:
    attempts.forget(letters.ACTIVITY, forecast.amounts.order_by().values("pk"))
    forecast.delete()
