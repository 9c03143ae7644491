"""A run: repeatable, whole, explained, at a cost that does not grow with the number of members."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conventions.models import Convention
from entsvc.canonical import fingerprint
from entsvc.models import JournalEntry
from invoicing import calculation
from invoicing.calculation import compute_run, recompute
from invoicing.models import Anomaly, Call, CallLine, Campaign, Run
from tariffs import engine
from tariffs.adoption import NotAdopted
from tariffs.models import Charge
from tests.factories import EnrolmentFactory, HeadcountFactory
from tests.invoicing.world import YEAR, a_world

FACTS = [field.name for field in engine.Line.__dataclass_fields__.values()]


def stored(run):
    """All that a run holds, but for the keys of its rows, its number and its hour."""
    calls = []
    for call in run.calls.order_by("siret"):
        lines = [
            {name: getattr(line, name) for name in FACTS} for line in call.lines.order_by("position")
        ]
        anomalies = list(call.anomalies.order_by("pk").values_list("code", "uai", "message", "blocking"))
        calls.append((call.siret, call.name, call.debtor_id, call.total, lines, anomalies))
    return run.total, run.basis, run.basis_sha256, calls


def test_it_works(world):
    run = world.compute()
    first, second, third = world.members
    assert (run.number, run.computed_by, run.total) == (1, "essai", Decimal("270.00"))
    assert list(run.calls.order_by("siret").values_list("siret", "name", "total")) == [
        (first.siret, first.name, Decimal("45.00")),
        (second.siret, second.name, Decimal("90.00")),
        (third.siret, third.name, Decimal("135.00")),
    ]
    line = run.calls.get(siret=first.siret).lines.get()
    assert (line.quantity, line.unit_price, line.amount) == (1, Decimal("45"), Decimal("45.00"))
    assert line.explanation.replace("\u00a0", " ") == "1 école × 45,00 € = 45,00 €"
    assert not run.anomalies.exists()


def test_the_same_run_twice_differs_by_its_number_alone(world):
    HeadcountFactory(school=EnrolmentFactory(convention__schedule=world.schedule).school)
    first, second = world.compute(), world.compute()
    assert stored(first) == stored(second)
    assert first.campaign == second.campaign
    assert (first.number, second.number) == (1, 2)


def test_a_total_is_the_sum_of_its_calls_and_of_its_lines(db):
    third = {"code": "TIERS", "unit_price": Decimal("0.3333")}
    run = a_world(charges=[{}, third]).compute()
    # Each line is rounded once: six schools pay 0.33 €, not 2.00 € altogether.
    assert run.total == Decimal("271.98")
    assert run.total == sum(call.total for call in run.calls.order_by("siret"))
    for call in run.calls.order_by("siret"):
        assert call.total == sum(line.amount for line in call.lines.order_by("position"))


def test_the_frozen_basis_gives_the_stored_lines_again(world):
    run = Run.objects.get(pk=world.compute().pk)
    again = recompute(run)
    assert [result.member.siret for result in again] == [m.siret for m in world.members]
    for result in again:
        call = run.calls.get(siret=result.member.siret)
        assert result.total == call.total
        assert [vars(line) for line in result.lines] == [
            {name: getattr(line, name) for name in FACTS} for line in call.lines.order_by("position")
        ]


def test_the_frozen_basis_ignores_what_changes_later(world):
    run = world.compute()
    Convention.objects.filter(schedule=world.schedule).update(status=Convention.Status.DRAFT)
    assert sum(result.total for result in recompute(Run.objects.get(pk=run.pk))) == run.total


def test_the_fingerprint_is_that_of_the_basis_read_back(world):
    run = Run.objects.get(pk=world.compute().pk)
    assert run.basis_sha256 == fingerprint(run.basis)


@pytest.mark.parametrize("broken", [Call, CallLine, Anomaly])
def test_a_run_is_kept_whole_or_not_at_all(world, monkeypatch, broken):
    def fail(*args, **kwargs):
        raise RuntimeError("coupure")

    monkeypatch.setattr(broken.objects, "bulk_create", fail)
    with pytest.raises(RuntimeError, match="coupure"):
        world.compute()
    kept = [model.objects.count() for model in (Campaign, Run, Call, CallLine, JournalEntry)]
    assert kept == [0, 0, 0, 0, 0]


def test_without_adoption_nothing_is_kept(world):
    with pytest.raises(NotAdopted, match="2019-2020"):
        compute_run(schedule=world.schedule, year=2019, actor="essai")
    assert not Campaign.objects.exists()
    assert not Run.objects.exists()


def test_without_agreement_the_run_says_so_as_a_whole(db):
    world = a_world(members=0)
    run = world.compute()
    assert not run.calls.exists()
    anomaly = run.anomalies.get()
    assert (anomaly.call, anomaly.code, anomaly.blocking) == (None, "no_agreement", True)
    assert anomaly.message == "Aucune convention en vigueur ne couvre 2024-2025."


def test_without_agreement_the_total_is_still_an_amount(db):
    assert str(a_world(members=0).compute().total) == "0.00"


def test_an_anomaly_blocks_its_member_and_leaves_the_others_alone(world):
    without = world.compute()
    lost = world.join(0)
    run = world.compute()
    assert [(a.call.siret, a.code) for a in run.anomalies.order_by("pk")] == [(lost.siret, "no_school")]
    assert run.total == without.total
    others = run.calls.exclude(debtor=lost).order_by("siret").values_list("siret", "total")
    assert list(others) == list(without.calls.order_by("siret").values_list("siret", "total"))


def test_a_missing_count_does_not_block_a_tariff_that_does_not_read_it(world):
    run = world.compute()
    assert {s["pupils"] for m in run.basis["members"] for s in m["agreements"][0]["schools"]} == {None}
    assert not run.anomalies.exists()


def test_many_unknown_weights_fit_in_their_message(db):
    shared = {
        "model": Charge.Model.ALLOCATION,
        "metric": Charge.Metric.PUPILS,
        "unit_price": None,
        "pool": Decimal("1000.00"),
    }
    world = a_world(members=1, charges=[shared])
    world.join(80)
    run = world.compute()
    messages = run.anomalies.filter(code="pool_weight_unknown").order_by("pk")
    assert len(messages) == 2
    for anomaly in messages:
        anomaly.full_clean()


def test_the_journal_tells_who_computed(world):
    run = world.compute()
    entry = JournalEntry.objects.get(action="compute")
    assert (entry.actor, entry.target) == ("essai", f"invoicing.run:{run.pk}")
    assert entry.summary.replace("\u00a0", " ").endswith("calcul 1 : 270,00 €, 3 appels")


def test_the_number_of_queries_does_not_grow_with_the_members(db):
    def queries(world):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            world.compute()
        return captured

    few = queries(a_world(members=2))
    world = a_world(members=0)
    for _ in range(25):
        world.join(2)
    many = queries(world)
    assert Call.objects.filter(run__campaign__schedule=world.schedule).count() == 25
    assert len(many) == len(few), [query["sql"][:80] for query in many.captured_queries]


def test_the_year_of_a_run_is_that_of_the_agreements(world):
    Convention.objects.filter(debtor=world.members[0]).update(last_year=YEAR - 1, first_year=2020)
    assert list(world.compute().calls.order_by("siret").values_list("siret", flat=True)) == [
        member.siret for member in world.members[1:]
    ]


def test_calls_are_kept_in_bulk(world, monkeypatch):
    batches = []
    create = calculation.CallLine.objects.bulk_create

    def watch(rows, **options):
        batches.append(len(rows))
        return create(rows, **options)

    monkeypatch.setattr(CallLine.objects, "bulk_create", watch)
    world.compute()
    assert batches == [6]
