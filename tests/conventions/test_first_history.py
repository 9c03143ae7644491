"""What was there before the history was kept has its state at the upgrade as a first row."""

import importlib

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from conventions.models import Convention, DeliveredUnits, Enrolment, Subscription
from tests.factories import (
    ConventionFactory,
    DeliveredUnitsFactory,
    EnrolmentFactory,
    SubscriptionFactory,
)

pytestmark = pytest.mark.django_db
KEPT = (Convention, Enrolment, Subscription, DeliveredUnits)


class Editor:
    """What the migration reads of a schema editor."""

    connection = connection


@pytest.fixture
def upgrade(monkeypatch):
    """Return what the migration does, with the models as they were at that time, two rows a batch."""
    module = importlib.import_module("conventions.migrations.0006_first_history")
    monkeypatch.setattr(module, "BATCH", 2)
    loader = MigrationLoader(connection, replace_migrations=False)
    apps = loader.project_state(("conventions", "0006_first_history")).apps
    return lambda: module.begin(apps, Editor)


def test_what_was_there_before_shows_its_former_values_at_its_first_change(upgrade):
    enrolments = EnrolmentFactory.create_batch(3)
    SubscriptionFactory(convention=enrolments[0].convention)
    DeliveredUnitsFactory(convention=enrolments[0].convention)
    for model in KEPT:
        model.history.all().delete()
    followed = ConventionFactory()
    upgrade()
    for model in KEPT:
        rows = model.history.filter(history_change_reason="état à la mise à jour")
        without = {followed.pk} if model is Convention else set()
        assert set(rows.values_list("id", flat=True)) == {
            row.pk for row in model.objects.order_by("pk") if row.pk not in without
        }
        assert {(row.history_type, row.history_user_id) for row in rows} == {("+", None)}
    assert followed.history.count() == 1
    convention = enrolments[0].convention
    convention.last_year = 2030
    convention.save()
    after, before = convention.history.order_by("-pk")[:2]
    assert [(c.field, c.old, c.new) for c in after.diff_against(before).changes] == [
        ("last_year", 2024, 2030)
    ]


def test_run_again_it_adds_nothing(upgrade):
    EnrolmentFactory()
    upgrade()
    upgrade()
    assert [model.history.count() for model in KEPT[:2]] == [1, 1]
