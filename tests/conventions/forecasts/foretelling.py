"""Three members of 2024-2025, and what they are told for 2025-2026."""

import datetime as dt

from conventions.forecasts import letters, preparing, sending
from conventions.forecasts.payload import Wording
from conventions.models import Convention, Forecast
from members.models import Signatory
from tests.conventions.what_if_world import PUPIL, a_tariff, join
from tests.conventions.world import PER_SCHOOL, YEAR
from tests.factories import SignatoryFactory

ON = dt.date(2024, 11, 4)
NEXT = YEAR + 1


def a_world(**facts):
    """Make a tariff per pupil and per school, and three members: one of them has no address."""
    schedule = a_tariff(PUPIL, PER_SCHOOL, **facts)
    SignatoryFactory(issuer=schedule.issuer)
    join(schedule, 40, name="Petite", email="petite@example.org")
    join(schedule, 250, name="Grande", email="grande@example.org")
    join(schedule, 1200, name="Ensemble", kind="epci", email="")
    Convention.objects.filter(schedule=schedule).update(last_year=None)
    return schedule


def wording(schedule, **facts):
    signatory = Signatory.objects.get(issuer=schedule.issuer)
    given = {"exercice": 2026, "written_on": ON, "contact": "ent@essai.example", "sentence": ""}
    return Wording(**{**given, "signatory": signatory, **facts})


def prepared(schedule, *, given=None, version=None, year=NEXT, read_year=YEAR, actor="essai", **facts):
    return preparing.prepare(
        version=version or schedule.version_set.order_by("pk").first(),
        read_year=read_year,
        year=year,
        given=given or {},
        wording=wording(schedule, **facts),
        actor=actor,
    )


def drawn(forecast):
    letters.draw_left(pk=forecast.pk)
    return forecast


def sent(schedule, **facts):
    forecast = drawn(prepared(schedule, **facts))
    sending.send(pk=forecast.pk, actor="essai")
    return Forecast.objects.get(pk=forecast.pk)


def told(forecast):
    """Return {name: (amount announced, with the tariff of today)}."""
    return {
        row.name: (str(row.total), None if row.today is None else str(row.today))
        for row in forecast.amounts.order_by("name")
    }


def reasons(forecast):
    return {row["name"]: " ".join(row["reasons"]) for row in forecast.apart}
