"""Two people click at once, by real processes: one moves the agreement, the other is told why not."""

import json

import pytest

from tests.invoicing.scratch import POSTGRESQL, until

pytestmark = pytest.mark.django_db
CLICK = """
import json
import sys
import django
django.setup()
from conventions import life, states
from conventions.models import Convention
convention = Convention.objects.order_by("pk")[0]
try:
    life.move(convention, "abandonner", actor=sys.argv[1], comment="doublon", seen=states.DRAFT)
except states.IllegalTransition as error:
    print(json.dumps(str(error)))
else:
    print(json.dumps("fait"))
"""
WAITING = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
MOVES = "SELECT actor FROM conventions_transition WHERE action = 'abandonner'"


def test_two_clicks_at_once_make_one_move_and_one_clear_refusal(scratch):
    with scratch.connection() as raw:
        raw.execute("UPDATE conventions_convention SET status = 'projet'")
    if POSTGRESQL:  # held until both have asked for the row
        with scratch.connection() as gate:
            gate.execute("BEGIN")
            gate.execute("SELECT id FROM conventions_convention FOR UPDATE")
            clicks = [scratch.start("-c", CLICK, actor) for actor in ("anne", "paul")]
            until(lambda: len(scratch.rows(WAITING)) == 2)
            gate.execute("COMMIT")
    else:  # SQLite has one writer: nothing shows which process waits
        clicks = [scratch.start("-c", CLICK, actor) for actor in ("anne", "paul")]
    outcomes = []
    for click in clicks:
        output, errors = click.communicate(timeout=120)
        assert click.returncode == 0, errors
        outcomes.append(json.loads(output))

    done, refused = sorted(outcomes, key=len)
    assert done == "fait"
    assert "l'état est « Abandonnée »" in refused
    assert len(scratch.rows(MOVES)) == 1
