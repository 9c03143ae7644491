"""Sides of a comparison made in memory: what the engine computes of some charges and members."""

from dataclasses import replace
from decimal import Decimal

from invoicing.review_causes import Account, Billed, Side
from tariffs import engine

FIELDS = ("charge", "uai", "quantity", "unit_price", "amount")

PER_PUPIL = engine.Charge(
    "ELEVES", "Par élève", "élève", "élèves", engine.PUPILS, engine.UNIT, Decimal("1.30")
)
PER_SCHOOL = engine.Charge(
    "ECOLE", "Par école", "école", "écoles", engine.SCHOOLS, engine.UNIT, Decimal("45.00")
)
OPTION = engine.Charge(
    "APPUI",
    "Appui",
    "élève",
    "élèves",
    engine.PUPILS,
    engine.UNIT,
    Decimal("0.30"),
    subscription="APPUI",
)
HALF_DAYS = engine.Charge(
    "JOURS",
    "Demi-journée",
    "demi-journée",
    "demi-journées",
    engine.UNITS,
    engine.UNIT,
    Decimal("150.00"),
)
ACTIVE = engine.Charge(
    "ACTIFS",
    "Par élève actif",
    "élève actif",
    "élèves actifs",
    engine.ACTIVE_PUPILS,
    engine.UNIT,
    Decimal("6.00"),
)
BANDED = engine.Charge(
    "TAILLE",
    "Par taille",
    "collège",
    "collèges",
    engine.SCHOOLS,
    engine.BANDED,
    bands=(
        engine.Band(1, 200, Decimal("187.62")),
        engine.Band(201, 399, Decimal("247.30")),
        engine.Band(400, 1100, Decimal("315.50")),
    ),
)
POOL = engine.Charge(
    "COMMUN",
    "Charges communes",
    "élève",
    "élèves",
    engine.PUPILS,
    engine.ALLOCATION,
    pool=Decimal("6500.00"),
    pool_reference="état clos",
)


def school(uai, pupils=100, **facts):
    known = {"pupils_source": "DEPP", "active_source": "DEPP", **facts}
    return engine.School(uai, f"École {uai}", "Saubens", "premier", "public", pupils, **known)


def agreement(*schools, **facts):
    return engine.Agreement("CONV-1", "convention CONV-1", schools=schools, **facts)


def member(siret, *schools, deductions=(), adjustments=(), **facts):
    agreements = (agreement(*schools, **facts),)
    return engine.Member(siret, f"Commune {siret}", agreements, deductions, adjustments)


def side(charges, *members):
    """Return what the engine computes: members that owe nothing at all have no account."""
    results = engine.compute(charges, members, 2024)
    accounts = {
        int(result.member.siret): Account(
            result.member.siret,
            result.member.name,
            call=rank,
            lines=[Billed(*(getattr(line, name) for name in FIELDS)) for line in result.lines],
        )
        for rank, result in enumerate(results)
    }
    return Side(
        {charge.code: charge for charge in charges},
        {item.siret: item for item in members},
        accounts,
    )


def priced(charge, amount):
    return replace(charge, unit_price=Decimal(amount))


def pooled(amount):
    return replace(POOL, pool=Decimal(amount))
