"""Which version of a schedule may be called in a school year: the one an act adopted, or none."""

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
    return adoption


def charges_of(version: Version) -> tuple[engine.Charge, ...]:
    """Return the charges of a version as the engine reads them, in the order of the tariff."""
    rows = version.charges.prefetch_related("bands").order_by("position", "code")
    return tuple(_engine_charge(charge) for charge in rows)


def _engine_charge(charge: Charge) -> engine.Charge:
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
        bands=tuple(engine.Band(b.lower, b.upper, b.price, b.note) for b in charge.bands.all()),
    )
