"""A long work is asked for once, done once, and says what came of it or why not."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import DatabaseError, OperationalError, transaction
from django.utils import timezone

from entsvc import afterwards, documents, works
from entsvc.models import JournalEntry, Work
from entsvc.works import Kind, Outcome, State, WorkFailed

pytestmark = pytest.mark.django_db


@pytest.fixture
def kind(monkeypatch):
    """A kind that counts its runs; `kind.does` is what it does."""

    class Tried:
        runs = 0
        does = staticmethod(lambda work: Outcome(told="C'est fait.", page="home"))

    tried = Tried()

    def run(work):
        tried.runs += 1
        return tried.does(work)

    tried.kind = Kind("essai", run, seen_with="entsvc.add_upload", asked_with="entsvc.add_upload")
    monkeypatch.setitem(works.KINDS, "essai", tried.kind)
    return tried


def ask(kind, once="un", **facts):
    asked = {"title": "Un essai", "arguments": {"n": 1}, "actor": "alix", **facts}
    return works.ask(kind=kind.kind, once=once, **asked)


def fresh(work):
    return Work.objects.get(pk=work.pk)


def later(monkeypatch, **time):
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(**time))


def test_it_works(kind, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        work = ask(kind)
    assert works.state_of(work) == State.WAITING
    afterwards.run_pending()
    done = fresh(work)
    assert (works.state_of(done), done.told, kind.runs) == (State.DONE, "C'est fait.", 1)


def test_a_second_click_joins_the_work_that_is_asked_for(kind):
    first = ask(kind)
    assert ask(kind, actor="dominique") == first
    assert ask(kind, once="deux") != first
    works.go_on(first.pk)
    assert ask(kind) != first


def test_the_database_itself_refuses_the_same_work_twice(kind):
    ask(kind)
    with pytest.raises(DatabaseError), transaction.atomic():
        Work.objects.create(kind="essai", once="un", title="Bis", actor="alix")


def test_a_finished_work_never_changes(kind):
    work = ask(kind)
    works.go_on(work.pk)
    for change in (
        lambda: Work.objects.filter(pk=work.pk).update(told="Autre chose"),
        lambda: Work.objects.filter(pk=work.pk).delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_a_work_is_done_once_whoever_asks_for_it(kind):
    work = ask(kind)
    assert [works.go_on(work.pk) for _ in range(3)] == [1, 0, 0]
    assert kind.runs == 1


def test_a_work_that_is_held_is_left_to_who_holds_it(kind):
    work = ask(kind)
    kind.does = lambda held: Outcome(told=f"{works.go_on(held.pk)} {works.state_of(fresh(held))}")
    works.go_on(work.pk)
    assert (fresh(work).told, kind.runs) == ("0 cours", 1)
    assert works.unfinished() == []


def test_a_refusal_says_why_and_leaves_nothing(kind):
    def refuse(work):
        JournalEntry.objects.create(actor="alix", action="essai", target="x", summary="x")
        raise WorkFailed("Aucun tarif n'est adopté.")

    kind.does = refuse
    work = ask(kind)
    works.go_on(work.pk)
    assert (works.state_of(fresh(work)), fresh(work).failure) == (
        State.FAILED,
        "Aucun tarif n'est adopté.",
    )
    assert not JournalEntry.objects.filter(action="essai").exists()
    kind.does = lambda work: Outcome(told="Cette fois.")
    other = works.again(work=work, actor="dominique")
    assert (other.arguments, other.title, other.actor) == ({"n": 1}, "Un essai", "dominique")
    works.go_on(other.pk)
    assert fresh(other).told == "Cette fois."


def test_an_unforeseen_error_is_told_without_its_secrets(kind, caplog):
    def broken(work):
        raise ValueError("secret")

    kind.does = broken
    work = ask(kind)
    works.go_on(work.pk)
    assert "Travail impossible (ValueError)" in fresh(work).failure
    assert "secret" not in fresh(work).failure
    assert "secret" in caplog.text


def test_killed_on_the_way_nothing_of_it_stays_and_it_is_taken_again(kind, monkeypatch):
    def killed(work):
        JournalEntry.objects.create(actor="alix", action="essai", target="x", summary="x")
        raise SystemExit

    kind.does = killed
    work = ask(kind)
    with pytest.raises(SystemExit):
        works.go_on(work.pk)
    assert not JournalEntry.objects.filter(action="essai").exists()
    assert works.state_of(fresh(work)) == State.RUNNING  # nobody can tell yet
    assert works.go_on(work.pk) == 0
    later(monkeypatch, minutes=2)
    assert works.state_of(fresh(work)) == State.STOPPED
    assert works.unfinished() == [work.pk]
    kind.does = lambda work: Outcome(told="Repris.")
    assert works.go_on(work.pk) == 1
    assert fresh(work).told == "Repris."


def test_a_database_that_is_gone_is_no_failure_of_the_work(kind, monkeypatch):
    def gone(work):
        raise OperationalError("server closed the connection")

    kind.does = gone
    work = ask(kind)
    with pytest.raises(OperationalError):
        works.go_on(work.pk)
    assert fresh(work).finished_at is None
    later(monkeypatch, minutes=2)
    kind.does = lambda work: Outcome(told="Repris.")
    assert works.go_on(work.pk) == 1


def test_what_kills_its_workers_again_and_again_is_left_aside(kind, monkeypatch):
    def killed(work):
        raise SystemExit

    kind.does = killed
    work = ask(kind)
    for _ in range(works.MOST):
        with pytest.raises(SystemExit):
            works.go_on(work.pk)
        later(monkeypatch, minutes=2)
    assert works.go_on(work.pk) == 0
    assert "Arrêté 3 fois en route" in fresh(work).failure


def test_a_worker_that_had_seemed_dead_writes_nothing(kind):
    """Suspended, its work was given to another: what it does then is undone."""

    def suspended(work):
        JournalEntry.objects.create(actor="alix", action="essai", target="x", summary="x")
        Work.objects.filter(pk=work.pk).update(holder=uuid.uuid4())
        return Outcome(told="Trop tard.")

    kind.does = suspended
    work = ask(kind)
    works.go_on(work.pk)
    assert fresh(work).finished_at is None
    assert not JournalEntry.objects.filter(action="essai").exists()


def test_who_may_follow_a_work(kind, django_user_model):
    alix = django_user_model.objects.create(username="alix", is_staff=True, is_superuser=True)
    other = django_user_model.objects.create(username="dominique", is_staff=True)
    work = ask(kind)
    assert list(works.visible(alix)) == [work]
    assert list(works.visible(other)) == []


def test_a_work_may_make_a_file(kind):
    kept = documents.store(b"octets", content_type="text/csv", suffix=".csv")
    kind.does = lambda work: Outcome(told="Prêt.", document=kept, file_name="f.csv")
    work = ask(kind)
    works.go_on(work.pk)
    assert fresh(work).document == kept


@pytest.mark.django_db(transaction=True)
def test_a_long_work_keeps_saying_that_it_is_alive(kind, monkeypatch, unguarded):
    """Its hold is renewed while it goes on; read from a fact, not from a clock."""
    monkeypatch.setattr(works, "BEAT_SECONDS", 0.01)
    kind.kind = Kind("essai", kind.kind.run, "entsvc.add_upload", "entsvc.add_upload", writes=False)
    monkeypatch.setitem(works.KINDS, "essai", kind.kind)
    pause = threading.Event()

    def slow(work):
        for _ in range(1000):
            if fresh(work).held_until > work.held_until:
                return Outcome(told="Vivant.")
            pause.wait(0.01)
        return Outcome(failure="Aucun signe de vie.")

    kind.does = slow
    work = ask(kind)
    assert works.go_on(work.pk) == 1
    assert (fresh(work).told, fresh(work).failure) == ("Vivant.", "")
