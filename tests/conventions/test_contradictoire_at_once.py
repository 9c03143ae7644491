"""Two people answer an objection at once, by real processes: one answer holds, the other is refused."""

import json

import pytest

from tests.invoicing.scratch import POSTGRESQL, until

pytestmark = pytest.mark.django_db
OPEN = """
import datetime as dt
import django
django.setup()
from conventions import etats, objections
from tariffs.models import Schedule
etat = etats.open_etat(
    schedule=Schedule.objects.select_related("issuer").get(code="OCC-ENT-ECOLE"), year=2024,
    until=dt.date(2100, 1, 1), actor="agent",
)
shown = etat.members.order_by("pk")[0]
objections.file_objection(shown=shown, kind="autre", words="Une école manque.", actor="a@mairie.example")
"""
ANSWER = """
import json
import sys
import django
django.setup()
from conventions import objections
from conventions.models import Objection
objection = Objection.objects.get()
try:
    objections.respond(
        objection=objection, accepted=False, words=f"Non, dit {sys.argv[1]}.", actor=sys.argv[1]
    )
except objections.ObjectionRefused as error:
    print(json.dumps(str(error)))
else:
    print(json.dumps("fait"))
"""
WAITING = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
ANSWERS = "SELECT answered_by, answer_words FROM conventions_objection"
TOLD = "SELECT actor FROM entsvc_journalentry WHERE action = 'objection-answered'"


def test_two_answers_at_once_make_one_and_one_clear_refusal(scratch):
    opened = scratch.run("-c", OPEN)
    assert opened.returncode == 0, opened.stderr
    if POSTGRESQL:  # held until both have asked for the row
        with scratch.connection() as gate:
            gate.execute("BEGIN")
            gate.execute("SELECT id FROM conventions_objection FOR UPDATE")
            clicks = [scratch.start("-c", ANSWER, actor) for actor in ("anne", "paul")]
            until(lambda: len(scratch.rows(WAITING)) == 2)
            gate.execute("COMMIT")
    else:  # SQLite has one writer: nothing shows which process waits
        clicks = [scratch.start("-c", ANSWER, actor) for actor in ("anne", "paul")]
    outcomes = []
    for click in clicks:
        output, errors = click.communicate(timeout=120)
        assert click.returncode == 0, errors
        outcomes.append(json.loads(output))

    done, refused = sorted(outcomes, key=len)
    assert done == "fait"
    assert "n'attend plus de réponse" in refused
    [(actor, words)] = scratch.rows(ANSWERS)
    assert words == f"Non, dit {actor}."
    assert [tuple(row) for row in scratch.rows(TOLD)] == [(actor,)]
