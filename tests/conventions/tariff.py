"""Tariffs adopted in a line."""

from decimal import Decimal

from tests.factories import (
    ActFactory,
    AdoptionFactory,
    BandFactory,
    ChargeFactory,
    VersionFactory,
)


def adopt(schedule, *charges, years=(2024,)):
    """Make a version of these charges the tariff of these years."""
    version = VersionFactory(schedule=schedule, label=f"v{years[0]}")
    for position, values in enumerate(charges, start=1):
        bands = values.pop("bands", ())
        charge = ChargeFactory(version=version, position=position, **values)
        for band in bands:
            BandFactory(charge=charge, lower=band.lower, upper=band.upper, price=band.price)
    for year in years:
        act = ActFactory(issuer=schedule.issuer)
        AdoptionFactory(schedule=schedule, version=version, school_year=year, act=act)
    return schedule


def per_school(price="45.00"):
    return {"code": "ECOLE", "metric": "schools", "unit_price": Decimal(price)}


def per_pupil(**values):
    return {
        "code": "COMPTES",
        "metric": "pupils",
        "unit_price": Decimal("6.00"),
        "unit_label": "élève",
        "unit_plural": "élèves",
        **values,
    }
