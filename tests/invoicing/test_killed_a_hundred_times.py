"""A hundred issues killed at random, eight at once, a connection cut: the ledger stays whole."""

import json
import random

import pytest

from tests.invoicing.scratch import POSTGRESQL, until
from tests.invoicing.test_concurrency import (
    THREE_COMMUNES,
    assert_ledger_is_sound,
    finished,
    start,
    waiting,
)

pytestmark = pytest.mark.skipif(
    not POSTGRESQL, reason="SQLite n'a qu'un écrivain : rien ne s'y émet en même temps"
)
SEED = random.SystemRandom().randrange(10**6)

# Run apart, since it forks. Each world has a schedule of its own: all share the issuer's series.
PREPARE = """
import json, os, random, signal, sys, threading, time
import django
django.setup()
from django.db import connections
from invoicing import numbering
from invoicing.issuing import issue
from invoicing.models import Run, Titre
from members.models import Signatory
from tests.factories import SchoolFactory
from tests.invoicing.world import ISSUED_ON, a_world

numbering.localdate = lambda: ISSUED_ON  # no exercice is over yet
SchoolFactory.reset_sequence(6000)  # beyond the schools of the demonstration

def forked(run, signatory):
    connections.close_all()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        issue(run=run, on=ISSUED_ON, signatory=signatory, actor="essai")
        code = 0
    finally:
        os._exit(code)
"""

HAMMER = (
    PREPARE
    + """
seed, rounds = int(sys.argv[1]), int(sys.argv[2])
moments = random.Random(seed)
nothing = threading.Event()
spans, killed, issued, tried = [], 0, 0, None
while killed + issued < rounds:
    if tried is None:
        world = a_world(members=2)
        tried = world.compute(), world.signatory
    run, signatory = tried
    started = time.monotonic()
    pid = forked(run, signatory)
    if len(spans) > 2:
        # The usual span: one slow issue would have the others killed once they are over.
        nothing.wait(moments.uniform(0, 1.2 * sorted(spans)[len(spans) // 2]))
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        killed += 1
    else:
        assert os.WEXITSTATUS(status) == 0, status
        spans.append(time.monotonic() - started)
        issued += 1
    done = Titre.objects.filter(campaign=run.campaign).count()
    assert done in (0, 2), (seed, done)
    tried = None if done else tried
    if os.WIFEXITED(status):
        assert done == 2
while tried is not None:
    _, status = os.waitpid(forked(*tried), 0)
    tried = None if status == 0 else tried
numbers = list(Titre.objects.order_by("number").values_list("number", flat=True))
assert numbers == list(range(1, len(numbers) + 1)), (seed, numbers)
print(json.dumps({"killed": killed, "titres": len(numbers)}))
"""
)

EIGHT = (
    PREPARE
    + """
worlds = [a_world(members=3) for _ in range(8)]
ready = [(world.compute(), world.signatory) for world in worlds]
pids = [forked(*each) for each in ready]
codes = [os.waitpid(pid, 0)[1] for pid in pids]
print(json.dumps({"codes": codes}))
"""
)


def told(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def verified(scratch):
    """The ledger is complete: numbers, sums, bordereaux, journal. No document is drawn here."""
    done = scratch.manage("verify_ledger", "--issuer", "TST", "--quick", "--json")
    found = json.loads(done.stdout)
    return [item for item in found["deviations"] if "PDF" not in str(item)]


def test_a_hundred_issues_killed_at_random_leave_no_gap_and_no_half_bordereau(scratch):
    found = told(scratch.run("-c", HAMMER, str(SEED), "100"))
    assert found["killed"] >= 20, f"graine {SEED}"
    assert found["titres"] >= 2
    assert verified(scratch) == [], f"graine {SEED}"


def test_eight_issuers_at_once_share_the_series_without_gap_nor_duplicate(scratch):
    assert told(scratch.run("-c", EIGHT))["codes"] == [0] * 8
    rows = scratch.rows("SELECT number FROM invoicing_titre ORDER BY number")
    assert [number for (number,) in rows] == list(range(1, 25))
    rows = scratch.rows("SELECT number, count FROM invoicing_bordereau ORDER BY number")
    assert rows == [(number, 3) for number in range(1, 9)]
    assert verified(scratch) == []


def test_a_connection_cut_in_the_middle_issues_nothing_and_says_so(scratch):
    """The server ends the session that holds the counter with its numbers taken."""
    with scratch.connection() as gate:
        gate.execute("BEGIN")
        gate.execute("LOCK TABLE invoicing_bordereau IN SHARE MODE")
        cut = start(scratch, THREE_COMMUNES)
        until(lambda: len(waiting(scratch)) == 1)
        [(pid,)] = waiting(scratch)
        gate.execute(f"SELECT pg_terminate_backend({pid})")
        gate.execute("COMMIT")
    output, errors = cut.communicate(timeout=60)
    assert cut.returncode == 1, errors
    assert "La base de données ne répond plus" in json.loads(output)["error"]
    assert scratch.rows("SELECT COUNT(*) FROM invoicing_titre") == [(0,)]
    assert len(finished(start(scratch, THREE_COMMUNES))["titres"]) == 3
    assert_ledger_is_sound(scratch, titres=3, bordereaux=1)
