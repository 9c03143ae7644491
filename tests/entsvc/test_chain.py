"""The chain of the journal: every committed event once, in an order that nobody can change unseen."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, connection, transaction

from entsvc import chain, journal, triggers
from entsvc.models import JournalEntry, JournalLink


def record(summary="Un essai", **changes):
    event = {"actor": "marie", "action": "essai", "target": "cible", "data": {"lignes": 3}}
    journal.record(**{**event, "summary": summary, **changes})


def links():
    return list(JournalLink.objects.order_by("number").values_list("number", "entry__summary"))


def execute(sql, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


@pytest.fixture
def open_journal(db):
    """Three linked events, whose rows can be changed as by someone who holds the database."""
    for summary in ("un", "deux", "trois"):
        record(summary)
    chain.link_pending()
    for model in (JournalEntry, JournalLink):
        triggers.remove(connection, model)


# --- Linked -----------------------------------------------------------------------------------


def test_an_event_is_linked_when_its_transaction_commits(db, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        record("un")
        assert links() == []
    with django_capture_on_commit_callbacks(execute=True):
        record("deux")
        record("trois")
    assert links() == [(1, "un"), (2, "deux"), (3, "trois")]
    assert list(chain.verify()) == []


@pytest.mark.django_db(transaction=True)
def test_an_event_that_did_not_happen_has_no_link(unguarded):
    with transaction.atomic():
        record("faux")
        transaction.set_rollback(True)
    record("vrai")
    assert links() == [(1, "vrai")]


@pytest.mark.django_db(transaction=True)
def test_failing_to_link_never_breaks_what_was_done(unguarded, monkeypatch, caplog):
    def broken(*_):
        raise DatabaseError("indisponible")

    with monkeypatch.context() as patch:
        patch.setattr(chain, "link_hash", broken)
        record("un")
    assert JournalEntry.objects.count() == 1
    assert links() == []
    assert "on_commit" in caplog.text
    record("deux")
    assert links() == [(1, "un"), (2, "deux")]


def test_what_was_there_before_the_chain_is_linked_little_by_little(
    db, monkeypatch, django_capture_on_commit_callbacks
):
    monkeypatch.setattr(chain, "CHUNK", 4)
    for rank in range(9):
        record(f"ancien {rank}")
    with django_capture_on_commit_callbacks(execute=True):
        record("neuf")
    assert [summary for _, summary in links()] == [f"ancien {rank}" for rank in range(4)]
    assert chain.link_pending() == 6
    assert [number for number, _ in links()] == list(range(1, 11))
    assert links()[-1] == (10, "neuf")
    assert chain.link_pending() == 0


def test_an_event_left_by_a_killed_process_is_linked_with_the_next(
    db, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        record("un")
    record("laissé")
    with django_capture_on_commit_callbacks(execute=True):
        record("trois")
    assert links() == [(1, "un"), (2, "laissé"), (3, "trois")]


def test_linking_an_event_costs_the_same_however_long_the_journal(
    db, django_capture_on_commit_callbacks, django_assert_num_queries
):
    for rank in range(30):
        record(f"{rank}")
    chain.link_pending()
    record("neuf")
    entry = JournalEntry.objects.latest("pk")
    most = 9 if connection.vendor == "postgresql" else 8  # two of them set the patience, two a savepoint
    with django_assert_num_queries(most):
        chain._link_recent(entry.pk)
    assert links()[-1] == (31, "neuf")


def test_the_hash_can_be_computed_by_anyone(db):
    facts = {
        "pk": 7,
        "at": datetime(2025, 3, 3, 10, 0, 0, 5, tzinfo=UTC),
        "actor": "marie",
        "action": "essai",
        "target": "cible",
        "summary": "Émission",
        "data": {"b": 1, "a": "é"},
    }
    event = (
        '{"action":"essai","actor":"marie","at":"2025-03-03T10:00:00.000005+00:00",'
        '"data":{"a":"é","b":1},"summary":"Émission","target":"cible"}'
    )
    assert json.loads(event)["data"] == facts["data"]
    expected = hashlib.sha256(f"avant\n{event}".encode()).hexdigest()
    assert chain.link_hash("avant", facts) == expected


def test_the_head_stands_for_all_that_came_before(open_journal):
    former = chain.head()
    assert chain.holds(former)
    record("quatre")
    chain.link_pending()
    assert chain.head() != former
    assert chain.holds(former)
    assert not chain.holds("f" * 64)


# --- Damaged ----------------------------------------------------------------------------------


def test_a_sound_journal_has_nothing_to_say_whatever_the_batch(open_journal):
    for batch in (1, 2, 500):
        assert list(chain.verify(batch=batch)) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("summary", "autre"),
        ("actor", "paul"),
        ("action", "autre"),
        ("target", "autre"),
        ("data", "{}"),
        ("at", "2020-01-01 10:00:00+00:00"),
    ],
)
def test_a_changed_event_breaks_its_link(open_journal, column, value):
    entry = JournalEntry.objects.get(summary="deux")
    cast = "::jsonb" if column == "data" and connection.vendor == "postgresql" else ""
    execute(f"UPDATE entsvc_journalentry SET {column} = %s{cast} WHERE id = %s", [value, entry.pk])
    [message] = chain.verify()
    assert message.startswith(f"maillon 2 : l'événement {entry.pk} du ")


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        ("number = 2", "maillon 2 absent"),
        ("number <= 2", "maillons 1 à 2 absents"),
    ],
)
def test_links_taken_away_leave_a_hole(open_journal, gone, told):
    execute(f"DELETE FROM entsvc_journallink WHERE {gone}")
    found = list(chain.verify())
    assert found[0].startswith(told)
    assert any("n'a pas de maillon" in message for message in found[1:])
    chain.link_pending()  # which would hide nothing
    assert [message.partition(" :")[0] for message in chain.verify()] == [told]


def test_an_event_taken_away_with_its_link_leaves_a_hole(open_journal):
    execute("DELETE FROM entsvc_journallink WHERE number = 2")
    execute("DELETE FROM entsvc_journalentry WHERE summary = 'deux'")
    [message] = chain.verify()
    assert message.startswith("maillon 2 absent")


def test_a_hole_closed_by_renumbering_is_seen(open_journal):
    execute("DELETE FROM entsvc_journallink WHERE number = 2")
    execute("DELETE FROM entsvc_journalentry WHERE summary = 'deux'")
    execute("UPDATE entsvc_journallink SET number = 2 WHERE number = 3")
    assert list(chain.verify()) == ["maillon 2 : il ne suit pas le maillon 1"]


# --- At once ----------------------------------------------------------------------------------

RECORDING = """
import sys
import django
django.setup()
from django.db import transaction
from entsvc import journal

for rank in range(int(sys.argv[2])):
    with transaction.atomic():
        journal.record(actor=sys.argv[1], action="essai", target="cible", summary=f"{rank}")
"""


def test_processes_that_write_at_once_share_one_chain_without_gap(scratch):
    processes = [scratch.start("-c", RECORDING, f"p{rank}", "25") for rank in range(4)]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
    verdict = scratch.json("verify_ledger", "--quick")
    assert verdict["green"], verdict["deviations"]
    rows = scratch.rows("SELECT number FROM entsvc_journallink ORDER BY number")
    assert [number for (number,) in rows] == list(range(1, verdict["journal"]["links"] + 1))
    [(events,)] = scratch.rows("SELECT COUNT(*) FROM entsvc_journalentry")
    assert events == verdict["journal"]["links"]
    [(ours,)] = scratch.rows("SELECT COUNT(*) FROM entsvc_journalentry WHERE action = 'essai'")
    assert ours == 100


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite n'a qu'un écrivain")
def test_a_long_transaction_holds_up_nobody_and_is_linked_when_it_ends(scratch):
    with scratch.connection() as long:
        long.execute("BEGIN")
        long.execute(
            "INSERT INTO entsvc_journalentry (at, actor, action, target, summary, data) "
            "VALUES (now(), 'import', 'import', 'fichier', 'long', '{}')"
        )
        done = scratch.run("-c", RECORDING, "court", "3")
        assert (done.returncode, done.stderr) == (0, "")
        newest = "SELECT l.number, e.actor FROM entsvc_journallink l JOIN entsvc_journalentry e "
        newest += "ON e.id = l.entry_id ORDER BY l.number DESC LIMIT 1"
        [(number, actor)] = scratch.rows(newest)
        assert actor == "court"
        long.execute("COMMIT")
    assert scratch.run("-c", RECORDING, "ensuite", "1").returncode == 0
    rows = scratch.rows(
        "SELECT e.actor FROM entsvc_journallink l JOIN entsvc_journalentry e ON e.id = l.entry_id "
        f"WHERE l.number > {number} ORDER BY l.number"
    )
    assert [actor for (actor,) in rows] == ["import", "ensuite"]
    assert scratch.json("verify_ledger")["green"]
