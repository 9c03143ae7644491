"""Real processes on one database: issuing at once, computing at once, killed anywhere."""

import hashlib
import json
import random
import signal
import subprocess
import time

import pytest

from tests.invoicing.scratch import MANAGE, POSTGRESQL, until

RUN_1, RUN_2, THREE_COMMUNES = 1, 2, 3
DAY = "2025-03-03"
SEED = random.SystemRandom().randrange(10**6)
only_postgresql = pytest.mark.skipif(
    not POSTGRESQL, reason="SQLite n'a qu'un écrivain : les attentes ne s'y observent pas"
)


def start(scratch, run):
    """Start a process that issues a run."""
    return scratch.start(str(MANAGE), *scratch.issue(run, DAY), "--json")


def finished(process):
    """The JSON document of a process that must end well."""
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return json.loads(output)


def numbers(scratch):
    rows = scratch.rows("SELECT number FROM invoicing_titre ORDER BY number")
    return [number for (number,) in rows]


def one(scratch, sql):
    [(value,)] = scratch.rows(sql)
    return value


def counters(scratch):
    return dict(scratch.rows("SELECT kind, last_number FROM invoicing_counter"))


def assert_ledger_is_sound(scratch, *, titres, bordereaux):
    """No gap, no duplicate, no half bordereau, no orphan line, and the counters agree."""
    assert numbers(scratch) == list(range(1, titres + 1))
    assert counters(scratch) == {"titre": titres, "bordereau": bordereaux}
    found = scratch.rows("SELECT number FROM invoicing_bordereau ORDER BY number")
    assert [number for (number,) in found] == list(range(1, bordereaux + 1))
    half = """
        SELECT b.number FROM invoicing_bordereau b
        LEFT JOIN invoicing_titre t ON t.bordereau_id = b.id
        GROUP BY b.id, b.number, b.count, b.total
        HAVING b.count <> COUNT(t.id) OR b.total <> SUM(t.total)
    """
    assert scratch.rows(half) == []
    unequal = """
        SELECT t.number FROM invoicing_titre t
        LEFT JOIN invoicing_titreline l ON l.titre_id = t.id
        GROUP BY t.id, t.number, t.total
        HAVING COUNT(l.id) = 0 OR t.total <> SUM(l.amount)
    """
    assert scratch.rows(unequal) == []
    orphans = "FROM invoicing_titreline WHERE titre_id NOT IN (SELECT id FROM invoicing_titre)"
    assert one(scratch, f"SELECT COUNT(*) {orphans}") == 0
    twice = "SELECT 1 FROM invoicing_titre GROUP BY campaign_id, debtor_id HAVING COUNT(*) > 1"
    assert scratch.rows(twice) == []
    journal = "SELECT COUNT(*) FROM entsvc_journalentry WHERE action = 'issue'"
    assert one(scratch, journal) == bordereaux


def assert_nothing_was_issued(scratch):
    for table in ("titreline", "titre", "bordereau"):
        assert one(scratch, f"SELECT COUNT(*) FROM invoicing_{table}") == 0
    assert not any(counters(scratch).values())
    assert one(scratch, "SELECT COUNT(*) FROM entsvc_journalentry WHERE action = 'issue'") == 0


def assert_every_titre_has_its_pdf(scratch):
    rows = scratch.rows(
        """SELECT t.number, s.path, s.sha256 FROM invoicing_titre t
        LEFT JOIN invoicing_titredocument d ON d.titre_id = t.id
        LEFT JOIN entsvc_storeddocument s ON s.id = d.document_id ORDER BY t.number"""
    )
    assert [number for number, _, _ in rows] == numbers(scratch)
    for _, path, sha256 in rows:
        content = (scratch.media / path).read_bytes()
        assert content.startswith(b"%PDF-")
        assert hashlib.sha256(content).hexdigest() == sha256


# --- At once ----------------------------------------------------------------------------------


def test_processes_that_issue_at_once_leave_no_gap_and_no_duplicate(scratch):
    """Three on two runs of a campaign, one on another campaign: they share the issuer's series."""
    asked = [RUN_1, RUN_2, RUN_1, THREE_COMMUNES]
    open_the_series(scratch)
    if POSTGRESQL:
        # Held until all have read what is left to issue and wait, for the counter or for each other.
        with scratch.connection() as gate:
            gate.execute("BEGIN")
            gate.execute("SELECT id FROM invoicing_counter FOR UPDATE")
            processes = [start(scratch, run) for run in asked]
            until(lambda: len(waiting(scratch)) == len(processes))
            gate.execute("COMMIT")
    else:
        processes = [start(scratch, run) for run in asked]
    documents = [finished(process) for process in processes]

    assert_ledger_is_sound(scratch, titres=28, bordereaux=2)
    assert_every_titre_has_its_pdf(scratch)
    told = [titre["number"] for document in documents for titre in document["titres"]]
    assert sorted(told) == list(range(1, 29))
    assert sorted(len(document["titres"]) for document in documents) == [0, 0, 3, 25]
    assert sorted(d["bordereau"] for d in documents if d["titres"]) == [1, 2]

    again = finished(start(scratch, RUN_2))
    assert (again["bordereau"], again["titres"], again["blocked"]) == (None, [], [])
    assert_ledger_is_sound(scratch, titres=28, bordereaux=2)


def open_the_series(scratch):
    """Counters that exist already: otherwise their creation alone would keep the processes apart."""
    with scratch.connection() as raw:
        for kind in ("titre", "bordereau"):
            raw.execute(
                "INSERT INTO invoicing_counter (issuer_id, budget, exercice, kind, last_number) "
                f"SELECT id, budget_code, 2025, '{kind}', 0 FROM members_issuer WHERE code = 'OCC'"
            )


def test_two_that_exhaust_a_reserved_range_at_once_never_go_beyond_it(scratch):
    """25 and 3 titres for 27 numbers: whoever comes second is told how many are left."""
    open_the_series(scratch)
    with scratch.connection() as raw:
        raw.execute(
            "INSERT INTO invoicing_numberingpolicy "
            "(issuer_id, budget, exercice, kind, mode, first_number, last_number, reference) "
            "SELECT id, budget_code, 2025, 'titre', 'reservee', 501, 527, 'courrier' "
            "FROM members_issuer WHERE code = 'OCC'"
        )
    asked = [RUN_1, THREE_COMMUNES]
    if POSTGRESQL:
        with scratch.connection() as gate:
            gate.execute("BEGIN")
            gate.execute("SELECT id FROM invoicing_counter FOR UPDATE")
            processes = [start(scratch, run) for run in asked]
            until(lambda: len(waiting(scratch)) == 2)
            gate.execute("COMMIT")
    else:
        processes = [start(scratch, run) for run in asked]
    ended = [process.communicate(timeout=120) for process in processes]
    codes = [process.returncode for process in processes]
    assert sorted(codes) == [0, 1], ended
    refusal = json.loads(ended[codes.index(1)][0])["error"]
    issued = numbers(scratch)
    assert issued in (list(range(501, 504)), list(range(501, 526)))
    left, needed = (24, 25) if len(issued) == 3 else (2, 3)
    assert f"il en reste {left}, il en faut {needed}" in refusal
    assert counters(scratch) == {"titre": issued[-1], "bordereau": 1}


def waiting(scratch):
    """The server processes of this database that wait for a lock."""
    return scratch.rows(
        "SELECT pid FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )


def test_runs_computed_at_once_take_numbers_that_follow(scratch):
    compute = ["compute_calls", "--schedule", "OCC-ENT-ECOLE", "--school-year", "2024-2025"]
    processes = [scratch.start(str(MANAGE), *compute, "--json") for _ in range(3)]
    documents = [finished(process) for process in processes]
    assert {document["total"] for document in documents} == {"2970.00"}
    assert len({document["run"] for document in documents}) == 3
    campaign = f"SELECT campaign_id FROM invoicing_run WHERE id = {RUN_1}"
    kept = scratch.rows(
        f"SELECT number FROM invoicing_run WHERE campaign_id = ({campaign}) ORDER BY number"
    )
    assert [number for (number,) in kept] == [1, 2, 3, 4, 5]


# --- Killed -----------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
import django
django.setup()
from django.core.management import call_command
from entsvc import documents, journal
from entsvc.models import StoredDocument
from invoicing import issuing, rendering
from invoicing.models import Bordereau, Titre, TitreDocument, TitreLine

places = {
    "numbers": (TitreLine.objects, "bulk_create", "before"),
    "lines": (TitreLine.objects, "bulk_create", "after"),
    "titres": (Titre.objects, "bulk_create", "after"),
    "bordereau": (Bordereau, "save", "after"),
    "journal": (journal, "record", "after"),
    "commit": (rendering, "draw", "before"),
    "file": (StoredDocument.objects, "get_or_create", "before"),
    "document": (StoredDocument.objects, "get_or_create", "after"),
    "titre document": (TitreDocument.objects, "create", "after"),
    "one done": (rendering, "keep", "after"),
}
holder, name, when = places[sys.argv[1]]
wrapped = getattr(holder, name)

def kill(*arguments, **named):
    if when == "after":
        wrapped(*arguments, **named)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(holder, name, kill)
call_command(*sys.argv[2:])
"""


def killed(scratch, place):
    done = scratch.run("-c", KILLED, place, *scratch.issue(THREE_COMMUNES, DAY))
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_killed_before_the_commit_nothing_is_issued_and_no_number_is_spent(scratch):
    for place in ("numbers", "lines", "titres", "bordereau", "journal"):
        killed(scratch, place)
        assert_nothing_was_issued(scratch)
    assert len(finished(start(scratch, THREE_COMMUNES))["titres"]) == 3
    assert_ledger_is_sound(scratch, titres=3, bordereaux=1)
    assert_every_titre_has_its_pdf(scratch)


def test_killed_after_the_commit_the_titres_stay_and_the_next_call_draws_them(scratch):
    for place in ("commit", "file", "document", "titre document", "one done"):
        killed(scratch, place)
        assert_ledger_is_sound(scratch, titres=3, bordereaux=1)
    assert one(scratch, "SELECT COUNT(*) FROM invoicing_titredocument") == 1
    again = finished(start(scratch, THREE_COMMUNES))
    assert (again["bordereau"], again["titres"]) == (None, [])
    assert_ledger_is_sound(scratch, titres=3, bordereaux=1)
    assert_every_titre_has_its_pdf(scratch)
    # Drawn from what was frozen, the same bytes again: no file is left that no row owns.
    stored = [path for path in scratch.media.rglob("*") if path.is_file()]
    imported = one(scratch, "SELECT COUNT(DISTINCT document_id) FROM entsvc_importrecord")
    assert imported > 0
    assert one(scratch, "SELECT COUNT(*) FROM invoicing_bordereaudocument") == 1
    drawn = 3 + 1
    assert len(stored) == one(scratch, "SELECT COUNT(*) FROM entsvc_storeddocument") == drawn + imported


def test_killed_at_any_moment_the_next_call_makes_it_whole(scratch):
    """Moments drawn at random over the length of a whole command; the seed is in the failure."""
    moments = random.Random(SEED)
    for _ in range(4):
        process = start(scratch, THREE_COMMUNES)
        started = time.monotonic()
        moment = moments.uniform(0, 2.5)
        try:
            process.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        say = f"graine {SEED}, {moment:.2f} s, en {time.monotonic() - started:.2f} s"
        assert process.returncode in (0, -signal.SIGKILL), say
        assert len(numbers(scratch)) in (0, 3), say
    finished(start(scratch, THREE_COMMUNES))
    assert_ledger_is_sound(scratch, titres=3, bordereaux=1)
    assert_every_titre_has_its_pdf(scratch)


@only_postgresql
def test_a_process_killed_while_others_wait_lets_them_through(scratch):
    """It dies with the counter locked and its numbers taken: the server gives both back."""
    with scratch.connection() as gate:
        gate.execute("BEGIN")
        gate.execute("LOCK TABLE invoicing_bordereau IN SHARE MODE")
        first = start(scratch, THREE_COMMUNES)
        until(lambda: len(waiting(scratch)) == 1)
        second = start(scratch, THREE_COMMUNES)
        until(lambda: len(waiting(scratch)) == 2)
        first.kill()
        first.communicate()
        gate.execute("COMMIT")
    assert [titre["number"] for titre in finished(second)["titres"]] == [1, 2, 3]
    assert_ledger_is_sound(scratch, titres=3, bordereaux=1)
    assert_every_titre_has_its_pdf(scratch)
