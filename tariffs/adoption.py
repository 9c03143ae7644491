"""Which version of a schedule may be called in a school year: the one an act adopted, or none."""

from django.db.models import prefetch_related_objects

from entsvc import school_year
from tariffs import engine
from tariffs.models import Adoption, Charge, Schedule, Version


class NotAdopted(Exception):
    """No act adopted a tariff for that year: nothing can be called."""


def adopted(schedule: Schedule, year: int) -> Adoption:
    """Return the adoption of a school year; raise NotAdopted (French message) when there is none."""
    adoption = (
        Adoption.objects.select_related("version", "act")
        .filter(schedule=schedule, school_year=year)
        .first()
    )
    if adoption is None:
        raise NotAdopted(
            f"Aucun tarif {schedule.code} n'est adopté pour {school_year.label(year)} : "
            "enregistrez l'acte qui l'adopte avant d'appeler cette année."
        )
    adoption.schedule = schedule  # in hand already
    return adoption


def charges_of(version: Version) -> tuple[engine.Charge, ...]:
    """Return the charges of a version as the engine reads them, in the order of the tariff."""
    rows = list(version.charges.order_by("position", "code"))
    prefetch_related_objects([row for row in rows if row.model == Charge.Model.BANDED], "bands")
    return tuple(_engine_charge(charge) for charge in rows)


def _engine_charge(charge: Charge) -> engine.Charge:
    bands = charge.bands.all() if charge.model == Charge.Model.BANDED else ()
    return engine.Charge(
        code=charge.code,
        label=charge.label,
        unit_label=charge.unit_label,
        unit_plural=charge.unit_plural,
        metric=charge.metric,
        model=charge.model,
        unit_price=charge.unit_price,
        pool=charge.pool,
        degree=charge.degree,
        sector=charge.sector,
        subscription=charge.subscription,
        notice=charge.notice,
        bands=tuple(engine.Band(b.lower, b.upper, b.price, b.note) for b in bands),
    )
