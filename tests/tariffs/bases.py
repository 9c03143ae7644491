"""Small bases for the engine: each test says only what matters to it."""

from decimal import Decimal

from tariffs.engine import Agreement, Band, Charge, Member, School, compute
from tests.factories import valid_siret, valid_uai

YEAR = 2024

SITETV_BANDS = (
    Band(1, 200, Decimal("187.62")),
    Band(201, 399, Decimal("247.30")),
    Band(400, 599, Decimal("315.50")),
    Band(600, 899, Decimal("366.70")),
    Band(900, 1100, Decimal("434.40")),
)


def charge(code="ECOLE", metric="schools", model="unit", price=None, **values):
    labels = {
        "pupils": ("élève", "élèves"),
        "active_pupils": ("élève actif", "élèves actifs"),
        "schools": ("école", "écoles"),
        "units": ("demi-journée", "demi-journées"),
    }[metric]
    for name in ("pool",):
        if values.get(name) is not None:
            values[name] = Decimal(values[name])
    return Charge(
        code=code,
        label=values.pop("label", f"Ligne {code}"),
        unit_label=labels[0],
        unit_plural=labels[1],
        metric=metric,
        model=model,
        unit_price=None if price is None else Decimal(price),
        **values,
    )


def school(number=1, pupils=100, **values):
    given = {
        "uai": valid_uai(number),
        "name": f"École {number}",
        "commune": "Saubens",
        "degree": "premier",
        "sector": "public",
        "pupils": pupils,
        "pupils_source": "DEPP",
    }
    return School(**{**given, **values})


def college(number=1, pupils=412, active_pupils=380, **values):
    return school(number, pupils, degree="college", active_pupils=active_pupils, **values)


def agreement(*schools, number=1, **values):
    reference = values.pop("reference", f"CONV-{number}")
    return Agreement(
        reference=reference, title=f"convention {reference}", schools=tuple(schools), **values
    )


def member(number=1, *agreements, deductions=()):
    return Member(
        siret=valid_siret(number),
        name=f"Commune {number}",
        agreements=tuple(agreements),
        deductions=tuple(deductions),
    )


def with_schools(number, *schools, **values):
    """Return a member with one agreement naming these schools."""
    return member(number, agreement(*schools, number=number, **values))


def only(charges, debtor, year=YEAR):
    """Return the result of a single member."""
    [result] = compute(charges, [debtor], year)
    return result


SOMME_COLLEGES = (
    charge("COMPTES", "pupils", price="6.00", degree="college"),
    charge("ROBERT", "schools", price="409.40", degree="college"),
    charge("MAXICOURS", "active_pupils", price="6.00", degree="college"),
    charge("LABOMEP", "schools", "allocation", pool="2000.00", degree="college"),
    charge("SITETV", "schools", "banded", bands=SITETV_BANDS, degree="college"),
)
NPDC = (
    charge("BASE", "pupils", price="1.30", degree="premier"),
    charge("ACCOMPAGNEMENT", "pupils", price="0.30", subscription="ACCOMPAGNEMENT"),
    charge("DEMIJOURNEE", "units", price="150.00"),
)


def occitanie(price):
    return (charge("ECOLE", "schools", price=price, degree="premier", sector="public"),)


def premier_degre(pool):
    return (charge("COMMUN", "pupils", "allocation", pool=pool, degree="premier"),)


PER_PUPIL = charge("COMPTES", "pupils", price="6.00")
PER_ACTIVE = charge("MAXICOURS", "active_pupils", price="6.00")
PER_SCHOOL = charge("ECOLE", "schools", price="45.00")
BY_BAND = charge("SITETV", "schools", "banded", bands=SITETV_BANDS)
POOL = charge("COMMUN", "pupils", "allocation", pool="6500.00")


def amounts(result):
    return {line.charge: str(line.amount) for line in result.lines}


def codes(result):
    return sorted(anomaly.code for anomaly in result.anomalies)


def spoken(text):
    """Return a text with ordinary spaces, as a person reads it."""
    return text.replace("\u00a0", " ").replace("\u202f", " ")
