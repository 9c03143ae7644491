"""The journal: who did what, when, in the same transaction as the event itself."""

import getpass
import os

import pytest
from django.db import transaction
from django.utils import timezone

from entsvc import journal
from entsvc.models import JournalEntry
from tests.factories import MemberFactory


def record(**changes):
    event = {"actor": "marie", "action": "essai", "target": "cible", "summary": "Un essai"}
    journal.record(**{**event, **changes})


def test_it_works(db):
    before = timezone.now()
    record(data={"lignes": 3})
    entry = JournalEntry.objects.get()
    assert (entry.actor, entry.action, entry.target) == ("marie", "essai", "cible")
    assert (entry.summary, entry.data) == ("Un essai", {"lignes": 3})
    assert before <= entry.at <= timezone.now()


def test_a_row_is_named_by_its_table_and_key(db):
    member = MemberFactory()
    record(target=member)
    assert JournalEntry.objects.get().target == f"members.member:{member.pk}"


def test_without_data_an_entry_holds_an_empty_document(db):
    record()
    assert JournalEntry.objects.get().data == {}


def test_a_long_summary_is_cut_to_its_column(db):
    record(summary="é" * 400)
    assert JournalEntry.objects.get().summary == "é" * 300


def test_an_event_that_did_not_happen_leaves_no_trace(db):
    with transaction.atomic():
        record()
        transaction.set_rollback(True)
    assert not JournalEntry.objects.exists()


def test_the_latest_entry_comes_first(db):
    for summary in ("un", "deux", "trois"):
        record(summary=summary)
    assert [entry.summary for entry in JournalEntry.objects.all()] == ["trois", "deux", "un"]


def test_a_command_is_signed_by_the_account_of_the_system(monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "www-data")
    assert journal.command_actor() == "système:www-data"


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_an_account_without_a_name_signs_by_its_number(monkeypatch, error):
    def nameless():
        raise error("aucun nom")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert journal.command_actor() == f"système:{os.getuid()}"
