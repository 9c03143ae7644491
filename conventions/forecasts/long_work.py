"""Preparing provisional amounts in the background, where there are too many agreements for a click."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from conventions.forecasts.payload import Wording
from conventions.forecasts.preparing import prepare
from conventions.forecasts.reading import ForecastRefused
from conventions.models import Convention
from entsvc import school_year, works
from entsvc.french import plural
from entsvc.models import Work
from members.models import Signatory
from tariffs.models import Schedule, Version

LARGE_SCHEDULE = 3_000  # agreements


def is_long(schedule: Schedule) -> bool:
    """Tell whether preparing the amounts of a schedule is too long for a click."""
    return Convention.objects.filter(schedule=schedule).count() > LARGE_SCHEDULE


def prepare_later(
    *,
    version: Version,
    read_year: int,
    year: int,
    given: Mapping[str, str],
    wording: Wording,
    actor: str,
) -> Work:
    """Ask for what `prepare` does; asked twice for a schedule and year, it is done once."""
    arguments: dict[str, Any] = {
        "version": version.pk,
        "read_year": read_year,
        "year": year,
        "given": dict(given),
        "wording": {
            "exercice": wording.exercice,
            "written_on": wording.written_on.isoformat(),
            "signatory": wording.signatory.pk,
            "contact": wording.contact,
            "sentence": wording.sentence,
        },
    }
    schedule = version.schedule
    return works.ask(
        kind=PREPARE,
        once=f"{schedule.pk}/{year}",
        title=f"Montants prévisionnels : {schedule.code}, {school_year.label(year)}",
        arguments=arguments,
        actor=actor,
        issuer=schedule.issuer_id,
    )


def _prepare(work: Work) -> works.Outcome:
    asked = work.arguments
    said = asked["wording"]
    wording = Wording(
        **{
            **said,
            "written_on": date.fromisoformat(said["written_on"]),
            "signatory": Signatory.objects.get(pk=said["signatory"]),
        }
    )
    version = Version.objects.select_related("schedule__issuer").get(pk=asked["version"])
    try:
        forecast = prepare(
            version=version,
            read_year=asked["read_year"],
            year=asked["year"],
            given=asked["given"],
            wording=wording,
            actor=work.actor,
        )
    except ForecastRefused as error:
        raise works.WorkFailed(str(error)) from error
    told = f"{forecast} : {plural(forecast.amounts.count(), 'membre')}."
    return works.Outcome(told=told, page="conventions:forecast", page_key=str(forecast.pk))


# Written whole in a transaction of its own, at its end: reading first keeps nobody waiting. Done again
# after a kill, it finds the draft that says the same.
PREPARE = works.register(
    works.Kind(
        "montants",
        _prepare,
        seen_with="conventions.view_forecast",
        asked_with="conventions.add_forecast",
        writes=False,
    )
)
