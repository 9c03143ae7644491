"""A commune with four schools, an agreement that names three, and what staff need to bill it."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from conventions import states
from conventions.models import Convention
from conventions.papers.defaults import load_default_texts
from conventions.policies import PARTNERSHIP_2020
from members.models import HeadcountSource, Member, School
from tests.conventions.world import a_member, a_schedule
from tests.factories import ConventionFactory, HeadcountFactory, IssuerFactory, SchoolFactory

OFFICE = "mairie@lauzerte.example"
PER_SCHOOL = {"code": "ECOLE", "metric": "schools", "unit_price": Decimal("50.00")}


@dataclass
class Town:
    """The commune, its schools by name, and its draft agreement for 2020-2021 at 50 € a school."""

    member: Member
    schools: dict[str, School]
    convention: Convention


def a_town() -> Town:
    """Make a town."""
    load_default_texts()
    issuer = IssuerFactory(
        code="OCC", name="Académie d'essai", departements="82", email="ent@academie.example"
    )
    schedule = a_schedule(PER_SCHOOL, issuer=issuer, years=(2020,))
    member = a_member(
        name="Lauzerte", email=OFFICE, insee_code="82094", city="Lauzerte", postal_code="82110"
    )
    schools = {name: _school(member, name) for name in ("La Tour", "Le Lac", "Les Tilleuls", "Le Pré")}
    convention = an_agreement(schedule, member, "ENT-2020-001", list(schools.values())[:3])
    return Town(member, schools, convention)


def an_agreement(schedule, member, reference, schools, **facts) -> Convention:
    """Make an agreement for 2020-2021, a draft unless it is told otherwise."""
    given = {
        "status": states.DRAFT,
        "policy": PARTNERSHIP_2020.code,
        "first_year": 2020,
        "last_year": 2020,
        "signed_on": None,
        **facts,
    }
    convention = ConventionFactory(schedule=schedule, party=member, reference=reference, **given)
    for school in schools:
        convention.enrolments.create(school=school, first_year=2020)
    return convention


def in_force(town: Town, reference: str, **facts) -> Convention:
    """Make another agreement of a town, in force, naming three of its schools."""
    signed = {"status": states.IN_FORCE, "signed_on": dt.date(2020, 9, 1), **facts}
    schools = list(town.schools.values())[:3]
    return an_agreement(town.convention.schedule, town.member, reference, schools, **signed)


def count(town: Town) -> None:
    """Count the pupils of two schools."""
    source = HeadcountSource.objects.get_or_create(code="DEPP", defaults={"label": "Constat", "rank": 1})
    for name, pupils in (("La Tour", 112), ("Le Lac", 1213)):
        HeadcountFactory(school=town.schools[name], school_year=2020, pupils=pupils, source=source[0])


def _school(member: Member, name: str) -> School:
    return SchoolFactory(
        name=f"École {name}",
        commune_code=member.insee_code,
        commune_name=member.name,
        departement_code="82",
        level="EE",
        state="OUVERT",
    )
