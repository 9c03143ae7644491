"""The provisional amounts of the demonstration: what the members of one schedule are told beforehand.

Everything is fixed here, days included; nobody is written to.
"""

from datetime import date

from conventions.forecasts import letters, preparing, sending
from conventions.forecasts.payload import Wording
from conventions.models import Forecast
from entsvc.models import OutgoingMail
from members.models import Signatory
from tariffs.models import Adoption

SCHEDULE, READ, YEAR, EXERCICE = "OCC-ENT-ECOLE", 2024, 2025, 2026
WRITTEN_ON = date(2025, 10, 6)


def foretell(*, actor: str) -> Forecast:
    """Prepare, draw and send the provisional amounts of the demonstration."""
    adoption = Adoption.objects.select_related("version__schedule__issuer").get(
        schedule__code=SCHEDULE, school_year=READ
    )
    issuer = adoption.version.schedule.issuer
    wording = Wording(
        exercice=EXERCICE,
        written_on=WRITTEN_ON,
        signatory=Signatory.objects.filter(issuer=issuer).order_by("pk").first(),
        contact=f"{issuer.contact}, avant le 15 décembre 2025",
    )
    forecast = preparing.prepare(
        version=adoption.version,
        read_year=READ,
        year=YEAR,
        given={},
        wording=wording,
        actor=actor,
    )
    letters.draw_left(pk=forecast.pk)
    sending.send(pk=forecast.pk, actor=actor)
    OutgoingMail.objects.filter(template=sending.TEMPLATE).delete()
    return forecast
