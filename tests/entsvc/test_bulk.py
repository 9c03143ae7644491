"""Rows inserted in bulk are those that Django would have inserted, guarded as any others."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, models, transaction

from invoicing.models import Anomaly, Call, CallLine, Titre
from tests.invoicing.world import a_world

FACTS = [f.name for f in CallLine._meta.fields if f.name not in ("id", "call")]


@pytest.fixture
def world(db):
    return a_world()


@pytest.fixture
def call(world):
    return world.compute().calls.order_by("siret").first()


def line(call, **changes):
    words = "« 3 élèves » × 1,30 € \\ tab\tet ; fin\nde ligne"
    facts = {"quantity": 3, "unit_price": Decimal("1.3000"), "amount": Decimal("-3.90")}
    names = {"charge": "ELEVE", "charge_label": "Élève", "unit": "élève", "explanation": words}
    return CallLine(call=call, position=9, **names, **{**facts, **changes})


def plain_manager(model):
    manager = models.Manager()
    manager.model = model
    return manager


@pytest.mark.parametrize("price", [Decimal("0.3333"), None])
def test_the_same_rows_as_djangos(call, price):
    CallLine.objects.bulk_create([line(call, unit_price=price)])
    plain_manager(CallLine).bulk_create([line(call, unit_price=price)])
    ours, djangos = CallLine.objects.filter(position=9).order_by("pk").values(*FACTS, "call_id")
    assert ours == djangos
    assert ours["explanation"] == line(call).explanation
    assert ours["unit_price"] == price


def test_documents_keys_and_dates_come_back_as_they_went(world):
    titre = world.issue().titres[0]
    stored = Titre.objects.get(pk=titre.pk)
    for field in Titre._meta.concrete_fields:
        assert getattr(stored, field.attname) == getattr(titre, field.attname), field.name


def test_a_relation_saved_meanwhile_gives_its_key(call):
    twin = Call(run=call.run, debtor=call.debtor, siret="1", name="x", total=1)
    late = line(twin)
    with pytest.raises(ValueError, match="unsaved related object"), transaction.atomic():
        CallLine.objects.bulk_create([late])
    twin.pk = call.pk
    CallLine.objects.bulk_create([late])
    assert CallLine.objects.get(position=9).call == call


def test_no_row_no_query(call, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert Anomaly.objects.bulk_create([]) == []


def test_a_refused_row_is_an_integrity_error_and_takes_the_others_with_it(call):
    twice = Call(run=call.run, debtor=call.debtor, siret=call.siret, name="x", total=1)
    before = Call.objects.count()
    with pytest.raises(IntegrityError), transaction.atomic():
        Call.objects.bulk_create([twice])
    assert Call.objects.count() == before


def test_a_sealed_titre_takes_no_more_lines(world):
    titre = world.issue().titres[0]
    [written] = titre.lines.all()
    written.pk, written.position = None, 2
    with pytest.raises(IntegrityError, match="deja emise"), transaction.atomic():
        type(written).objects.bulk_create([written])
