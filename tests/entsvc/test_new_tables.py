"""Tables made together are those made one by one, and their models are made once."""

import pytest
from django.db import connection, models
from django.db.migrations.operations import CreateModel
from django.db.migrations.state import ProjectState, StateApps
from django.db.migrations.writer import OperationWriter

from entsvc.new_tables import CreateModels

pytestmark = pytest.mark.django_db
ROOM = "pieces"


def three_tables():
    """Return the creation of three models, each leading to the one before."""
    return [
        CreateModel("Envoi", [("id", models.BigAutoField(primary_key=True))]),
        CreateModel(
            "Bordereau",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("number", models.IntegerField(unique=True)),
                ("envoi", models.ForeignKey(f"{ROOM}.envoi", models.RESTRICT)),
            ],
        ),
        CreateModel(
            "Titre",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("bordereau", models.ForeignKey(f"{ROOM}.bordereau", models.RESTRICT)),
                ("others", models.ManyToManyField("self")),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(id__gt=0), name="above")]
            },
        ),
    ]


def carried_out(operations):
    """Return the statements of operations, forwards then backwards, and the state they lead to."""
    editor = connection.SchemaEditorClass(connection, collect_sql=True, atomic=False)
    editor.deferred_sql = []
    states = [ProjectState()]
    assert states[0].apps.get_models() == []
    for operation in operations:
        states.append(states[-1].clone())
        operation.state_forwards(ROOM, states[-1])
        operation.database_forwards(ROOM, editor, states[-2], states[-1])
    for number in reversed(range(len(operations))):
        operations[number].database_backwards(ROOM, editor, states[number + 1], states[number])
    return [*editor.collected_sql, *map(str, editor.deferred_sql)], states[-1]


def test_tables_made_together_are_those_made_one_by_one_and_go_away_alike():
    one_by_one, expected = carried_out(three_tables())
    together, state = carried_out([CreateModels(three_tables())])
    assert together == one_by_one
    assert sum(line.startswith("CREATE TABLE") for line in together) == 4
    assert state == expected


def test_the_classes_of_models_are_made_once(monkeypatch):
    made = []
    render = StateApps.render_multiple

    def counted(apps, model_states):
        made.extend(model_states)
        return render(apps, model_states)

    monkeypatch.setattr(StateApps, "render_multiple", counted)
    carried_out([CreateModels(three_tables())])
    together = len(made)
    carried_out(three_tables())
    assert together == 3 < len(made) - together


def test_a_migration_that_holds_it_can_be_written_again():
    text, imports = OperationWriter(CreateModels(three_tables()), indentation=0).serialize()
    assert imports >= {"import entsvc.new_tables"}
    assert text.startswith("entsvc.new_tables.CreateModels(")
    assert text.count("migrations.CreateModel(") == 3
