"""Real processes on long work: shared without drawing twice, killed without loss, asked for once."""

import json
import signal

import pytest

from tests.invoicing.scratch import MANAGE, POSTGRESQL, until

RUN, COMMUNES = 1, 25
STORED = "SELECT COUNT(*) FROM invoicing_titredocument"
# Issues a run as the page does, and leaves its documents to whoever draws them.
ISSUED = """
import datetime as dt, sys
import django
django.setup()
from invoicing import drawing
from invoicing.issuing import issue
from invoicing.models import Run
from members.models import Signatory

issued = issue(
    run=Run.objects.get(pk=1),
    on=dt.date(2025, 3, 3),
    signatory=Signatory.objects.get(issuer__code="OCC"),
    actor="essai",
)
if "nudge" in sys.argv:
    assert drawing.nudge(issued.bordereau)
"""
# Draws what is left of the bordereau, and tells which titres it drew.
DRAWN = """
import json
import django
django.setup()
from invoicing import drawing
from invoicing.models import Bordereau

numbers, draw = [], drawing.draw

def counted(titre):
    numbers.append(titre.number)
    return draw(titre)

drawing.draw = counted
bordereau = Bordereau.objects.get()
drawing.draw_left(bordereau_id=bordereau.pk)
done = drawing.progress(bordereau)
print(json.dumps({"numbers": numbers, "done": done.done, "failed": done.failed, "left": done.left}))
"""
# Asks for a calculation, then does it; killed where `place` says.
ASKED = """
import json, os, signal, sys
import django
django.setup()
from entsvc import works
from entsvc.models import Work
from invoicing import calculation, long_work
from invoicing.models import Campaign

campaign = Campaign.objects.get(runs__pk=1)
work = long_work.compute_later(campaign=campaign, actor="essai")
if sys.argv[1:] == ["kill"]:
    keep = calculation._keep_calls
    def killed(*arguments):
        keep(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)
    calculation._keep_calls = killed
settled = works.go_on(work.pk)
print(json.dumps({"work": str(work.pk), "settled": settled}))
"""
PAST = "'2020-01-01 00:00:00+00'"


def told(process):
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    return json.loads(output.splitlines()[-1])


def one(scratch, sql):
    [(value,)] = scratch.rows(sql)
    return value


def write(scratch, sql):
    with scratch.connection() as connection:
        connection.execute(sql)


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)


def release(scratch):
    """Let what a dead process holds run out."""
    write(scratch, f"UPDATE entsvc_attempt SET held_until = {PAST} WHERE held_until IS NOT NULL")
    write(
        scratch,
        f"UPDATE entsvc_work SET held_until = {PAST} "
        "WHERE held_until IS NOT NULL AND finished_at IS NULL",
    )


def issue(scratch, *arguments):
    done = scratch.run("-c", ISSUED, *arguments)
    assert done.returncode == 0, done.stderr


# --- Documents ------------------------------------------------------------------------------------


def test_processes_share_the_documents_and_draw_none_twice(scratch):
    issue(scratch)
    found = [told(process) for process in [scratch.start("-c", DRAWN) for _ in range(2)]]
    drawn = [number for each in found for number in each["numbers"]]
    assert sorted(drawn) == list(range(1, COMMUNES + 1))
    assert one(scratch, STORED) == COMMUNES
    assert one(scratch, "SELECT COUNT(*) FROM invoicing_bordereaudocument") == 1
    assert one(scratch, "SELECT COUNT(*) FROM entsvc_attempt") == 0


def test_a_process_killed_while_two_draw_loses_nothing(scratch):
    issue(scratch)
    doomed, other = scratch.start("-c", DRAWN), scratch.start("-c", DRAWN)
    until(lambda: one(scratch, STORED) >= 4)
    kill(doomed)
    told(other)
    held = COMMUNES - one(scratch, STORED)
    assert held <= 1  # what the dead one was drawing
    release(scratch)
    again = told(scratch.start("-c", DRAWN))
    assert len(again["numbers"]) == held
    assert (again["done"], again["failed"], again["left"]) == (COMMUNES + 1, 0, 0)
    twice = "SELECT 1 FROM invoicing_titredocument GROUP BY titre_id, role HAVING COUNT(*) > 1"
    assert scratch.rows(twice) == []


@pytest.mark.skipif(not POSTGRESQL, reason="les workers partagent une base PostgreSQL")
def test_two_workers_of_the_queue_share_the_work_and_one_may_be_killed(scratch):
    """The queue keeps the killed one's task running for ever: the rows alone say what is left."""
    scratch.environment["TASKS_BACKEND"] = "database"
    assert scratch.manage("migrate", "--noinput").returncode == 0
    issue(scratch, "nudge")
    doomed, other = (
        scratch.start(str(MANAGE), "db_worker", "--no-reload", "--interval", "0.1") for _ in "12"
    )
    running = "SELECT COUNT(*) FROM django_tasks_database_dbtaskresult WHERE status = 'RUNNING'"
    until(lambda: one(scratch, running) == 2 and one(scratch, STORED) >= 2, seconds=120)
    kill(doomed)
    until(lambda: one(scratch, STORED) >= COMMUNES - 1, seconds=120)
    # The dead one's, for ever: no nudge waits for the other worker, which would do what is asked below.
    unended = running.replace("= 'RUNNING'", "IN ('READY', 'RUNNING')")
    until(lambda: one(scratch, unended) == 1, seconds=120)
    release(scratch)
    write(scratch, f"UPDATE entsvc_attempt SET at = {PAST}")
    if one(scratch, STORED) < COMMUNES:  # it was killed while it held a titre
        issued = "ALTER TABLE {0} DISABLE TRIGGER USER; {1}; ALTER TABLE {0} ENABLE TRIGGER USER"
        past = f"UPDATE invoicing_bordereau SET issued_at = {PAST}"
        write(scratch, issued.format("invoicing_bordereau", past))
        past = f"UPDATE entsvc_storeddocument SET stored_at = {PAST}"
        write(scratch, issued.format("entsvc_storeddocument", past))
        assert scratch.json("go_on")["resumed"] == 1
    until(lambda: one(scratch, STORED) == COMMUNES, seconds=120)
    until(lambda: one(scratch, "SELECT COUNT(*) FROM invoicing_bordereaudocument") == 1)
    other.send_signal(signal.SIGINT)


# --- A calculation --------------------------------------------------------------------------------

RUNS = "SELECT COUNT(*) FROM invoicing_run"
UNFINISHED = "SELECT COUNT(*) FROM entsvc_work WHERE finished_at IS NULL"


def test_a_killed_calculation_leaves_nothing_and_is_taken_again(scratch):
    before = one(scratch, RUNS)
    calls = one(scratch, "SELECT COUNT(*) FROM invoicing_call")
    killed = scratch.run("-c", ASKED, "kill")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert one(scratch, RUNS) == before
    assert one(scratch, "SELECT COUNT(*) FROM invoicing_call") == calls
    assert one(scratch, UNFINISHED) == 1
    assert told(scratch.start("-c", ASKED))["settled"] == 0  # held until the dead one's time is over
    release(scratch)
    assert scratch.json("go_on")["resumed"] == 1
    assert one(scratch, RUNS) == before + 1
    assert scratch.rows("SELECT failure, tries FROM entsvc_work") == [("", 2)]
    assert scratch.json("go_on")["resumed"] == 0


def test_processes_that_ask_at_once_compute_once(scratch):
    before = one(scratch, RUNS)
    if POSTGRESQL:
        # Held until each has asked: otherwise the first may have finished before the last asks.
        with scratch.connection() as gate:
            gate.execute("BEGIN")
            gate.execute("SELECT id FROM invoicing_campaign FOR UPDATE")
            processes = [scratch.start("-c", ASKED) for _ in range(3)]
            until(lambda: sum(process.poll() is not None for process in processes) == 2)
            gate.execute("COMMIT")
        found = [told(process) for process in processes]
        assert len({each["work"] for each in found}) == 1
        assert sorted(each["settled"] for each in found) == [0, 0, 1]
        assert one(scratch, RUNS) == before + 1
    else:
        found = [told(process) for process in [scratch.start("-c", ASKED) for _ in range(3)]]
        done = sum(each["settled"] for each in found)
        assert done == len({each["work"] for each in found})
        assert one(scratch, RUNS) == before + done
    assert one(scratch, UNFINISHED) == 0
