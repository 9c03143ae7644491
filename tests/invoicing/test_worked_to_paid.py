"""The worked examples B, C and E of the regimes, from data entry to a paid titre."""

import datetime as dt
from decimal import Decimal

import pytest

from invoicing.calculation import compute_run
from invoicing.issuing import issue
from invoicing.models import CostStatement, Expense, OwnShare, Subsidy, Titre
from invoicing.payments import record_payment, standing
from invoicing.regimes import load_regimes
from invoicing.rendering import draw
from invoicing.statements import close, give_visa
from invoicing.subsidies import deduct
from members.models import Signatory
from tariffs.models import Schedule
from tests.conventions.amending import decided, schools_of
from tests.factories import (
    ConventionFactory,
    DeliveredUnitsFactory,
    EnrolmentFactory,
    HeadcountFactory,
    MemberFactory,
    SchoolFactory,
    SubscriptionFactory,
)

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def schedule_of(db):
    load_regimes(actor="essai")
    return lambda code: Schedule.objects.select_related("issuer").get(code=code)


def joins(schedule, pupils, year, **facts):
    """Make a member agree for its schools, one for each count, counted in that school year."""
    address = {"address": "1 place de l'Essai", "postal_code": "80000", "city": "Amiens"}
    given = {"first_year": year, "last_year": year, **facts}
    convention = ConventionFactory(schedule=schedule, party=MemberFactory(**address), **given)
    for count in pupils:
        school = SchoolFactory(degree="premier", sector="public")
        EnrolmentFactory(convention=convention, school=school)
        HeadcountFactory(school=school, school_year=year, pupils=count)
    return convention


def paid(schedule, year, on):
    """Compute, issue and pay the calls of a year; return the titres, by SIRET."""
    run = compute_run(schedule=schedule, year=year, actor="gestion")
    signatory = Signatory.objects.get(issuer=schedule.issuer)
    issued = issue(run=run, on=on, signatory=signatory, actor="finances")
    assert not issued.blocked
    for titre in issued.titres:
        record_payment(
            titre=titre,
            amount=titre.total,
            received_on=on,
            reference=f"VIR-{titre.number}",
            actor="finances",
        )
        assert standing(titre).settled
    return issued.titres


def enter_example_b(schedule):
    """10 000.00 paid, 2 500.00 on the own budget, 1 000.00 of subsidy: visaed, then closed."""
    scope = {"schedule": schedule, "school_year": 2020}
    statement = CostStatement.objects.create(
        **scope,
        charge="COMMUN",
        degree="1D",
        starts_on=dt.date(2020, 9, 1),
        ends_on=dt.date(2021, 8, 31),
    )
    spent = (
        ("plateforme", "Hébergement de la plateforme", "2020-1184", dt.date(2020, 12, 11), "3200.00"),
        ("comptes", "Comptes et redevances par élève", "2021-0207", dt.date(2021, 2, 19), "3800.00"),
        ("administration", "Chef de projet", "2021-0640", dt.date(2021, 6, 30), "3000.00"),
    )
    for category, label, mandat, paid_on, amount in spent:
        Expense.objects.create(
            statement=statement,
            category=category,
            degree="1D",
            supplier="Fournisseur d'essai",
            label=label,
            mandat=mandat,
            paid_on=paid_on,
            amount=D(amount),
        )
    OwnShare.objects.create(
        statement=statement, category="administration", amount=D("2500.00"), reason="Délibération n° 4"
    )
    Subsidy.objects.create(
        **scope,
        statement=statement,
        giver="Région",
        label="Aide au premier degré",
        received=D("1000.00"),
        received_on=dt.date(2021, 6, 10),
    )
    give_visa(statement=statement, actor="gestion")
    return close(statement=statement, actor="finances")


def test_example_b_from_the_expenses_to_a_paid_titre(schedule_of):
    schedule = schedule_of("SOMME-1D")
    for pupils in (300, 500, 133):
        joins(schedule, [pupils], 2020)
    assert enter_example_b(schedule).pool == D("6500.00")

    titres = paid(schedule, 2020, dt.date(2021, 10, 11))

    assert [str(titre.total) for titre in titres] == ["2090.03", "3483.39", "926.58"]
    [annex] = titres[0].payload["annexes"]
    assert (annex["pool"], annex["own"], annex["subsidised"]) == ("6500.00", "2500.00", "1000.00")
    assert draw(Titre.objects.get(pk=titres[0].pk)).startswith(b"%PDF-")


def test_example_c_with_a_subsidy_of_communes_to_a_paid_titre(schedule_of):
    schedule = schedule_of("NPDC-ENT")
    convention = joins(schedule, [4000, 812], 2023)
    SubscriptionFactory(convention=convention, code="ACCOMPAGNEMENT", first_year=2023, last_year=2023)
    DeliveredUnitsFactory(convention=convention, code="DEMIJOURNEE", school_year=2023, quantity=3)
    subsidy = Subsidy.objects.create(
        schedule=schedule,
        school_year=2023,
        debtor=convention.debtor,
        giver="Communes membres",
        label="Subventions des communes",
        notified=D("500.00"),
        notified_on=dt.date(2024, 3, 1),
    )
    deduct(subsidy=subsidy, reason="Décision du comité", actor="gestion")

    [titre] = paid(schedule, 2023, dt.date(2024, 9, 16))

    amounts = {item["code"]: item["amount"] for item in titre.payload["charges"]}
    assert amounts == {
        "BASE": "6255.60",
        "ACCOMPAGNEMENT": "1443.60",
        "DEMIJOURNEE": "450.00",
        "DEDUCTION": "-500.00",
    }
    assert titre.total == D("7649.20")


@pytest.mark.parametrize(
    ("received_on", "expected"),
    [(dt.date(2020, 10, 20), "200.00"), (dt.date(2020, 10, 15), "150.00")],
)
def test_example_e_from_the_amendment_to_a_paid_titre(schedule_of, received_on, expected):
    schedule = schedule_of("OCC-ENT-ECOLE")
    convention = joins(
        schedule, [90, 80, 70, 60], 2019, last_year=2020, policy="partenariat-montpellier-2020"
    )
    decided(convention, schools_of(convention)[1:], received_on)

    [titre] = paid(schedule, 2020, dt.date(2021, 3, 1))

    assert str(titre.total) == expected
