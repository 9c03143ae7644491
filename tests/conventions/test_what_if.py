"""What another tariff would cost each member, priced by the engine of the calls on the same basis."""

from decimal import Decimal

import pytest

from conventions import what_if
from conventions.models import Convention, Enrolment
from conventions.what_if_hypotheses import EVERYBODY, NOBODY, BandsWrong, read_bands
from invoicing.calculation import compute_run
from invoicing.models import DecidedDeduction, Exclusion, Run, YearPool
from members.models import Member
from tariffs.adoption import NotAdopted
from tests.conventions.what_if_world import (
    BANDED,
    OPTION,
    POOL,
    a_draft,
    a_tariff,
    join,
    paid,
    simulated,
    three_members,
)
from tests.conventions.world import PER_PUPIL, PER_SCHOOL, YEAR, a_schedule, a_school, enrol
from tests.factories import (
    ConventionFactory,
    DeliveredUnitsFactory,
    HeadcountFactory,
    HeadcountSourceFactory,
    SubscriptionFactory,
)

pytestmark = pytest.mark.django_db
DECIDED = {"school_year": YEAR, "decided_by": "agent"}


def test_it_works():
    schedule = three_members()
    found = simulated(schedule, prices={"ELEVES": Decimal("5.00")})
    assert paid(found) == {
        "Petite": ("285.00", "245.00"),
        "Grande": ("1545.00", "1295.00"),
        "Ensemble": ("7245.00", "6045.00"),
    }
    sums = found.comparison.sums
    assert (sums.today, sums.simulated, sums.difference) == (9075, 7585, -1490)
    assert (sums.more, sums.less, sums.same) == (0, 3, 0)
    assert round(sums.rate, 4) == Decimal("-0.1642")


def test_nothing_is_kept():
    schedule = three_members()
    simulated(schedule, prices={"ELEVES": Decimal("5.00")})
    assert not Run.objects.exists()
    assert schedule.version_set.count() == 1


def test_without_change_every_member_pays_what_its_call_says():
    schedule = three_members()
    run = compute_run(schedule=schedule, year=YEAR, actor="agent")
    called = dict(run.calls.order_by("siret").values_list("siret", "total"))
    found = simulated(schedule)
    assert {row.siret: row.today for row in found.comparison.rows} == called
    assert {row.siret: row.simulated for row in found.comparison.rows} == called
    assert found.is_same


def test_a_draft_version_is_priced_instead_of_the_adopted_one():
    schedule = three_members()
    draft = a_draft(schedule, PER_PUPIL | {"unit_price": Decimal("6.10")}, PER_SCHOOL)
    found = simulated(schedule, draft)
    assert paid(found)["Grande"] == ("1545.00", "1570.00")
    assert [step.changed for step in found.steps] == [True, False]


def test_bands_are_those_that_are_tried():
    schedule = a_tariff(BANDED)
    join(schedule, 90, name="Petite")
    join(schedule, 250, name="Grande")
    bands = read_bands("1 à 200 : 40,00\n201 à 300 : 95")
    found = simulated(schedule, bands={"TAILLE": bands})
    assert paid(found) == {"Petite": ("50.00", "40.00"), "Grande": ("80.00", "95.00")}


def test_a_member_outside_the_bands_tried_is_set_apart_with_the_words_of_the_calls():
    schedule = a_tariff(BANDED)
    join(schedule, 90, name="Petite")
    join(schedule, 250, name="Grande")
    found = simulated(schedule, bands={"TAILLE": read_bands("1 à 100 : 40,00")})
    assert paid(found) == {"Petite": ("50.00", "40.00")}
    [apart] = found.comparison.apart
    assert (apart.name, apart.today, apart.simulated) == ("Grande", Decimal("80.00"), None)
    assert apart.reasons[0].startswith("Simulation : ")
    assert "hors des tranches" in apart.reasons[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "au moins une tranche"),
        ("1 à 100 : 40\n102 à 200 : 50", "Aucune tranche pour 101 à 101"),
        ("1 à 100 : 40\n100 à 200 : 50", "recouvre la tranche 1 à 100"),
        ("100 à 1 : 40", "finit avant de commencer"),
        ("1 à 100 = -4", "ne peut pas être négatif"),
        ("1 à 100 : 1,234", "Trois décimales"),
        ("de un à cent", "écrivez-la comme"),
        ("1 à 99999999999 : 4", "écrivez-la comme"),
        ("\n".join(f"{n} à {n} : 1" for n in range(41)), "Plus de 40 tranches"),
    ],
)
def test_bands_that_cannot_stand_are_refused_in_french(text, said):
    with pytest.raises(BandsWrong) as refusal:
        read_bands(text)
    assert said in str(refusal.value)


def an_option():
    schedule = a_tariff(PER_PUPIL, OPTION)
    for name, kind in (("Souscrit", "commune"), ("Non", "commune"), ("Autre", "epci")):
        party = join(schedule, 100, name=name, kind=kind)
        if name == "Souscrit":
            SubscriptionFactory(convention=Convention.objects.get(party=party), code="APPUI")
    return schedule


@pytest.mark.parametrize(
    ("who", "simulated_amounts"),
    [
        ("souscrite", ["600.00", "600.00", "650.00"]),
        (NOBODY, ["600.00", "600.00", "600.00"]),
        (EVERYBODY, ["650.00", "650.00", "650.00"]),
        ("commune", ["600.00", "650.00", "650.00"]),
    ],
)
def test_an_option_is_kept_dropped_or_given(who, simulated_amounts):
    found = simulated(an_option(), takers={"APPUI": who})
    amounts = paid(found)
    assert [amounts[name][0] for name in ("Autre", "Non", "Souscrit")] == ["600.00", "600.00", "650.00"]
    assert [amounts[name][1] for name in ("Autre", "Non", "Souscrit")] == simulated_amounts
    assert not found.comparison.apart


def test_a_version_that_no_longer_offers_an_option_asks_it_of_nobody():
    schedule = an_option()
    found = simulated(schedule, a_draft(schedule, PER_PUPIL))
    assert paid(found)["Souscrit"] == ("650.00", "600.00")
    assert [(step.code, step.after) for step in found.steps if step.changed] == [("APPUI", "retirée")]


def test_units_that_are_no_longer_priced_cost_nothing_even_when_nothing_else_was_ordered():
    unit = {"code": "DEMIJOURNEE", "metric": "units", "unit_price": Decimal("150.00")}
    schedule = a_tariff(PER_SCHOOL, unit | {"degree": "", "sector": ""})
    convention = ConventionFactory(schedule=schedule)
    DeliveredUnitsFactory(convention=convention, quantity=2)
    found = simulated(schedule, dropped=frozenset({"DEMIJOURNEE"}))
    assert list(paid(found).values()) == [("300.00", "0.00")]


def test_a_school_that_no_charge_is_left_for_sets_its_member_apart():
    schedule = a_tariff(PER_PUPIL, OPTION)
    join(schedule, 100, name="Seule")
    found = simulated(schedule, dropped=frozenset({"ELEVES"}))
    [apart] = found.comparison.apart
    assert "n'entre dans aucune ligne" in apart.reasons[0]
    assert paid(simulated(schedule, prices={"ELEVES": Decimal(0)})) == {"Seule": ("600.00", "0.00")}


def test_the_pool_of_the_year_is_shared_and_another_may_be_tried():
    schedule = a_tariff(POOL)
    join(schedule, 100, name="Un")
    join(schedule, 300, name="Trois")
    amount = {"amount": Decimal("1000.00"), "charge": "COMMUN", "reason": "Délibération."}
    YearPool.objects.create(schedule=schedule, **amount, **DECIDED)
    found = simulated(schedule, pools={"COMMUN": Decimal("2000.00")})
    assert paid(found) == {"Un": ("250.00", "500.00"), "Trois": ("750.00", "1500.00")}


def test_a_pool_that_is_not_known_yet_sets_everybody_apart_with_what_the_simulation_gives():
    schedule = a_tariff(POOL)
    join(schedule, 100)
    found = simulated(schedule, pools={"COMMUN": Decimal("2000.00")})
    [apart] = found.comparison.apart
    assert (apart.today, apart.simulated) == (None, Decimal("2000.00"))
    assert "n'est pas saisie" in apart.reasons[0]


def test_a_member_whose_count_is_missing_is_set_apart_and_in_no_total():
    schedule = three_members()
    join(schedule, None, name="Inconnue")
    found = simulated(schedule, prices={"ELEVES": Decimal("5.00")})
    assert found.comparison.sums.members == 3
    [apart] = found.comparison.apart
    assert (apart.name, apart.today, apart.simulated) == ("Inconnue", None, None)
    assert apart.reasons[0].startswith("Aucun effectif pour")


def test_an_approximate_count_is_set_apart_unless_it_is_admitted_on_both_sides():
    schedule = a_tariff(PER_PUPIL)
    school = enrol(schedule, a_school())
    guess = HeadcountSourceFactory(code="IPS", label="Estimation", rank=3, billable=False)
    HeadcountFactory(school=school, school_year=YEAR, pupils=10, source=guess)
    assert [a.today for a in simulated(schedule).comparison.apart] == [None]
    found = simulated(schedule, prices={"ELEVES": Decimal("7.00")}, approximate=True)
    assert list(paid(found).values()) == [("60.00", "70.00")]


def test_what_staff_decided_of_the_year_counts_on_both_sides():
    schedule = a_tariff(PER_PUPIL)
    first = join(schedule, 100, name="Aidée")
    party = join(schedule, 10, name="Écartée")
    school = Enrolment.objects.get(convention__party=party).school
    amount = {"amount": Decimal("150.00"), "label": "FEDER", "reason": "Décision."}
    DecidedDeduction.objects.create(schedule=schedule, debtor=first, **amount, **DECIDED)
    Exclusion.objects.create(schedule=schedule, school=school, reason="Fermée.", **DECIDED)
    found = simulated(schedule, prices={"ELEVES": Decimal("1.00")})
    # The subsidy is worth more than the call that is tried: no doubt on what is left to pay, nought.
    assert paid(found) == {"Aidée": ("450.00", "0.00"), "Écartée": ("0.00", "0.00")}
    assert not found.comparison.apart


def test_a_member_without_siret_is_set_apart():
    schedule = three_members()
    enrol(schedule, party=Member.objects.create(kind="epci", name="Sans", siren="200041960"))
    found = simulated(schedule)
    assert [(a.name, a.reasons) for a in found.comparison.apart] == [("Sans", (what_if.NO_SIRET,))]


def test_a_year_without_tariff_is_compared_with_the_last_one_adopted_before_it():
    schedule = a_schedule(PER_SCHOOL, years=(2020, 2022))
    school = a_school()
    enrol(schedule, school, first_year=2024, last_year=2024)
    draft = a_draft(schedule, PER_SCHOOL | {"unit_price": Decimal("50.00")})
    found = simulated(schedule, draft)
    assert list(paid(found).values()) == [("45.00", "50.00")]
    assert not found.reading.is_adopted
    assert "adoptée pour 2022-2023" in found.today
    assert "appliquée à 2024-2025 qui n'a pas encore de tarif adopté" in found.today


def test_without_any_tariff_before_the_year_there_is_nothing_to_compare_with():
    schedule = a_schedule(PER_SCHOOL, years=(2025,))
    with pytest.raises(NotAdopted, match="ni pour une année d'avant"):
        what_if.read(schedule.version_set.get(), 2024)


def test_members_are_grouped_by_type_and_by_size():
    found = simulated(three_members(), prices={"ELEVES": Decimal("7.00")})
    by_kind = {group.label: (group.members, group.more) for group in found.comparison.by_kind}
    assert by_kind == {"Commune": (2, 2), "EPCI": (1, 1)}
    assert [group.members for group in found.comparison.by_size] == [1, 1, 1]
    assert found.comparison.by_size[0].label == "Moins de 50 élèves"


@pytest.mark.parametrize(
    ("pupils", "label"),
    [
        (0, "Moins de 50 élèves"),
        (49, "Moins de 50 élèves"),
        (50, "50 à 99 élèves"),
        (None, "Effectif inconnu"),
    ],
)
def test_a_class_of_size_holds_its_bounds(pupils, label):
    assert what_if.size_of(pupils) == label


def test_the_largest_changes_come_first():
    schedule = a_tariff(PER_PUPIL, PER_SCHOOL)
    for pupils in (5, 100, 300):
        join(schedule, pupils, name=str(pupils))
    found = simulated(schedule, prices={"ELEVES": Decimal("6.50"), "ECOLE": Decimal("0")})
    assert [row.name for row in found.comparison.increases(2)] == ["300", "100"]
    assert [row.name for row in found.comparison.decreases(2)] == ["5"]
