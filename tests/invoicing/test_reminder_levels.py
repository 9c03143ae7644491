"""The levels of the friendly reminders, and the titres that none of them awaits yet."""

import pytest
from django.core.exceptions import ValidationError

from invoicing.accountant_numbers import write_number
from invoicing.models import NumberingPolicy, ReminderStep, Series
from invoicing.regimes import load_regimes
from invoicing.reminders import due_reminders
from tests.invoicing.test_reminders import day


def test_a_project_without_its_number_is_not_reminded(world):
    load_regimes(actor="essai")
    policy = {"issuer": world.issuer, "budget": world.issuer.budget_code, "exercice": 2025}
    NumberingPolicy.objects.create(**policy, kind=Series.TITRE, mode=NumberingPolicy.Mode.EXTERNAL)
    titre = world.issue().titres[0]
    assert due_reminders(world.issuer, day(15)) == []
    write_number(titre=titre, number="4512", actor="essai")
    assert [row.titre.reference for row in due_reminders(world.issuer, day(15))] == [titre.reference]


def test_the_levels_shipped_are_given_to_each_issuer_that_has_none(world, db):
    ReminderStep.objects.create(issuer=world.issuer, level=1, days=5, title="Le nôtre", body="Bonjour.")
    load_regimes(actor="essai")
    assert ReminderStep.objects.get(issuer=world.issuer).title == "Le nôtre"
    others = ReminderStep.objects.exclude(issuer=world.issuer).order_by("issuer", "level")
    assert [step.level for step in others] == [1, 2, 3] * (others.count() // 3)
    assert others.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"body": "Reste {solde}."}, "Champ inconnu : solde"),
        ({"days": 10}, "plus haut vient après"),
        ({"level": 0}, "premier niveau"),
    ],
)
def test_a_wrong_level_is_refused_when_it_is_saved(world, changes, message):
    ReminderStep.objects.create(issuer=world.issuer, level=1, days=15, title="Un", body="Un.")
    facts = {"level": 2, "days": 45, "title": "Deux", "body": "Il reste {reste}.", **changes}
    with pytest.raises(ValidationError, match=message):
        ReminderStep(issuer=world.issuer, **facts).full_clean()
