"""A tariff adopted for 2024-2025, members of several types and sizes, and what is tried on them."""

from decimal import Decimal

from conventions import what_if
from conventions.what_if_hypotheses import Changes
from conventions.what_if_simulation import simulate
from tests.conventions.world import (
    PER_PUPIL,
    PER_SCHOOL,
    YEAR,
    a_member,
    a_schedule,
    a_school,
    enrol,
)
from tests.factories import (
    ActFactory,
    AdoptionFactory,
    BandFactory,
    ChargeFactory,
    HeadcountFactory,
    VersionFactory,
)

PUPIL = PER_PUPIL | {"unit_label": "élève", "unit_plural": "élèves"}
BANDED = {"code": "TAILLE", "metric": "schools", "model": "banded", "unit_price": None}
BANDS = ((1, 100, "50.00"), (101, 300, "80.00"))
OPTION = {
    "code": "APPUI",
    "metric": "pupils",
    "unit_price": Decimal("0.50"),
    "subscription": "APPUI",
    "unit_label": "élève",
    "unit_plural": "élèves",
}
POOL = {"code": "COMMUN", "metric": "pupils", "model": "allocation", "unit_price": None}


def a_tariff(*charges, issuer=None):
    """Make a schedule of these charges adopted for the year; bands are those of BANDS."""
    schedule = a_schedule(issuer=issuer, years=())
    version = schedule.version_set.get()
    fill(version, charges)
    act = ActFactory(issuer=schedule.issuer)
    AdoptionFactory(schedule=schedule, version=version, school_year=YEAR, act=act)
    return schedule


def a_draft(schedule, *charges, label="projet"):
    """Make a version that no act adopted."""
    version = VersionFactory(schedule=schedule, label=label)
    fill(version, charges)
    return version


def fill(version, charges):
    for position, values in enumerate(charges, start=1):
        charge = ChargeFactory(version=version, position=position, **values)
        for lower, upper, price in BANDS if charge.model == "banded" else ():
            BandFactory(charge=charge, lower=lower, upper=upper, price=Decimal(price))


def join(schedule, pupils, **facts):
    """Add a member with one school of that many pupils (None: unknown), and return it."""
    party = a_member(**facts)
    school = enrol(schedule, a_school(), party=party)
    if pupils is not None:
        HeadcountFactory(school=school, school_year=YEAR, pupils=pupils)
    return party


def simulated(schedule, version=None, year=YEAR, **changes):
    """Simulate a version, that of today by default, with these changes."""
    version = version or what_if.adoption_of(schedule, year).version
    return simulate(what_if.read(version, year), Changes(**changes))


def paid(simulation):
    """Return {name: (today, simulated)} of the members compared, amounts as text."""
    return {row.name: (str(row.today), str(row.simulated)) for row in simulation.comparison.rows}


def three_members(**facts):
    """Make a tariff per pupil and per school, two communes and an EPCI."""
    schedule = a_tariff(PUPIL, PER_SCHOOL, **facts)
    join(schedule, 40, name="Petite")
    join(schedule, 250, name="Grande")
    join(schedule, 1200, name="Ensemble", kind="epci")
    return schedule
