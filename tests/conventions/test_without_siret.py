"""A debtor without SIRET is neither called nor in the way of the others, and the run says so."""

from decimal import Decimal

import pytest

from conventions.assessment import Decisions, read_basis, unused, without_siret
from conventions.basis import from_json
from invoicing.calculation import compute_run, recompute
from members.models import Member
from tests.conventions.world import PER_SCHOOL, YEAR, a_schedule, enrol
from tests.factories import MemberFactory

pytestmark = pytest.mark.django_db

POOL = {"code": "POOL", "metric": "schools", "model": "allocation", "unit_price": None}


@pytest.fixture
def schedule():
    return a_schedule(PER_SCHOOL)


def without(name="EPCI d'essai"):
    return Member.objects.create(kind="epci", name=name, siren="200041960", email="a@example.org")


def test_it_works(schedule):
    enrol(schedule)
    enrol(schedule, party=without())
    run = compute_run(schedule=schedule, year=YEAR, actor="essai")
    assert run.total == Decimal("45.00")
    assert run.calls.count() == 1
    [anomaly] = run.anomalies.order_by("pk")
    assert (anomaly.code, anomaly.call, anomaly.blocking) == ("missing_siret", None, True)
    assert "EPCI d'essai" in anomaly.message
    assert "saisissez-le dans sa fiche" in anomaly.message


def test_each_debtor_without_siret_is_named(schedule):
    enrol(schedule, party=without("Un"))
    enrol(schedule, party=without("Deux"))
    messages = [anomaly.message for anomaly in without_siret(read_basis(schedule, YEAR))]
    assert [message.split(",")[0] for message in messages] == ["Un", "Deux"]


def test_the_replay_leaves_out_the_same(schedule):
    enrol(schedule)
    member = without()
    enrol(schedule, party=member)
    run = compute_run(schedule=schedule, year=YEAR, actor="essai")
    member.siret = "20004196000010"
    member.save()
    assert [result.total for result in recompute(run)] == [Decimal("45.00")]
    basis = from_json(run.basis)
    assert [m.name for m in basis.without_siret] == ["EPCI d'essai"]


def test_agreements_of_debtors_without_siret_are_not_told_as_none_at_all(schedule):
    enrol(schedule, party=without())
    run = compute_run(schedule=schedule, year=YEAR, actor="essai")
    assert [anomaly.code for anomaly in run.anomalies.order_by("pk")] == ["missing_siret"]


def test_it_weighs_on_the_pool_it_shares():
    """Else its SIRET once known would lower a part that was already called."""
    shared = a_schedule({**POOL, "pool": Decimal("100.00")})
    enrol(shared)
    enrol(shared, party=without())
    basis = read_basis(shared, YEAR)
    [result] = basis.assess()
    assert result.total == Decimal("50.00")


@pytest.mark.parametrize(("siret", "part"), [("10000000200011", "33.34"), ("90000000100010", "33.33")])
def test_the_cents_of_the_others_do_not_move_once_its_siret_is_known(siret, part):
    """The cents left go by SIRET: its SIREN tells its rank before its SIRET does."""
    shared = a_schedule({**POOL, "pool": Decimal("100.00")})
    enrol(shared, party=MemberFactory(siret=siret))
    enrol(shared, party=MemberFactory(siret="95000000100018"))
    member = without()
    enrol(shared, party=member)
    before = {r.member.siret: r.total for r in read_basis(shared, YEAR).assess()}
    member.siret = "20004196000010"
    member.save()
    after = {r.member.siret: r.total for r in read_basis(shared, YEAR).assess()}
    assert {key: after[key] for key in before} == before
    assert before[siret] == Decimal(part)
    assert sum(after.values()) == Decimal("100.00")


def test_the_decisions_about_it_are_not_those_of_another(schedule):
    enrol(schedule, party=without())
    decisions = Decisions(deductions={None: ()})
    [notice] = unused(decisions, read_basis(schedule, YEAR, decisions))
    assert notice.message == "La déduction d'un membre sans SIRET est sans appel."


def test_once_known_it_is_called(schedule):
    member = without()
    enrol(schedule, party=member)
    member.siret = "20004196000010"
    member.save()
    run = compute_run(schedule=schedule, year=YEAR, actor="essai")
    assert [call.siret for call in run.calls.order_by("pk")] == ["20004196000010"]
    assert not run.anomalies.exists()
