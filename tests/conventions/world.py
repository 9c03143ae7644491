"""A territory of one département, with one schedule adopted for 2024-2025."""

from decimal import Decimal

from conventions.findings import Scope
from conventions.policies import PARTNERSHIP_2024
from invoicing.roles import create_groups
from members.models import User
from tests.factories import (
    ActFactory,
    AdoptionFactory,
    ChargeFactory,
    ConventionFactory,
    EnrolmentFactory,
    IssuerFactory,
    MemberFactory,
    ScheduleFactory,
    SchoolFactory,
    VersionFactory,
)

YEAR = 2024
PER_PUPIL = {"code": "ELEVES", "metric": "pupils", "unit_price": Decimal("6.00")}
PER_USER = {"code": "ACTIFS", "metric": "active_pupils", "unit_price": Decimal("6.00")}
PER_SCHOOL = {"code": "ECOLE", "metric": "schools", "unit_price": Decimal("45.00")}


def a_schedule(*charges, issuer=None, years=(YEAR,)):
    """Make a schedule of these charges, adopted for these years."""
    issuer = issuer or IssuerFactory(departements="31")
    schedule = ScheduleFactory(issuer=issuer)
    version = VersionFactory(schedule=schedule)
    for position, values in enumerate(charges, start=1):
        ChargeFactory(version=version, position=position, **values)
    for year in years:
        act = ActFactory(issuer=issuer)
        AdoptionFactory(schedule=schedule, version=version, school_year=year, act=act)
    return schedule


def scope_of(schedule, year=YEAR):
    return Scope(schedule.issuer, year)


def a_school(**facts):
    """Make a public école of the territory."""
    return SchoolFactory(**{"departement_code": "31", "state": "OUVERT", **facts})


def a_member(**facts):
    """Make a member that lacks nothing."""
    return MemberFactory(**{"email": "mairie@example.org", **facts})


def enrol(schedule, school=None, party=None, **convention):
    """Name a school in an agreement of its own, that covers 2024-2025."""
    facts = {"policy": PARTNERSHIP_2024.code, "party": party or a_member(), **convention}
    convention = ConventionFactory(schedule=schedule, **facts)
    return EnrolmentFactory(convention=convention, school=school or a_school()).school


def account(client, role, *issuers):
    """Sign in as a role, limited to these issuers."""
    create_groups()
    user = User.objects.create(username=role, is_staff=True)
    user.groups.set(user.groups.model.objects.filter(name=role))
    user.issuers.set(issuers)
    client.force_login(user)
    return user
