"""What a probe learns: alive, ready, late or unable; nothing else, and soon."""

import json
import socket
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from entsvc import health
from entsvc.models import OutgoingMail

PROBE = """
import json, time
import django
django.setup()
from django.test import Client
began = time.monotonic()
answer = Client().get("/sante/prete/")
print(json.dumps([answer.status_code, answer.json(), time.monotonic() - began]))
"""


@pytest.fixture
def late_mail(db):
    mail = OutgoingMail.objects.create(recipient="mairie@example.org", template="x", subject="x")
    OutgoingMail.objects.filter(pk=mail.pk).update(due_at=timezone.now() - timedelta(minutes=40))
    return mail


def broken(*arguments, **options):
    raise OperationalError('connection to server at "10.0.0.5", user "entsvc" failed')


def test_it_works(client, db):
    answer = client.get("/sante/prete/")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_a_live_process_answers_without_the_database(client):
    answer = client.get("/sante/")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


@pytest.mark.parametrize("path", ["/sante/", "/sante/prete/"])
def test_a_probe_has_no_host_name_nor_https_nor_session_nor_cache(client, db, settings, path):
    settings.ALLOWED_HOSTS = ["entsvc.example"]
    settings.SECURE_SSL_REDIRECT = True
    answer = client.get(path, headers={"host": "10.0.0.7:8000"})
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert answer["Content-Type"] == "application/json"
    assert not answer.cookies
    assert client.get("/", headers={"host": "10.0.0.7:8000"}).status_code == 400


@pytest.mark.parametrize("path", ["/sante/", "/sante/prete/"])
def test_a_probe_only_reads(client, db, path):
    assert client.head(path).status_code == 200
    for method in (client.post, client.put, client.delete, client.patch, client.options):
        assert method(path).status_code == 405


def test_without_its_database_a_site_is_not_ready_and_keeps_the_reason_to_itself(
    client, db, monkeypatch, caplog
):
    monkeypatch.setattr(health, "unapplied", broken)
    answer = client.get("/sante/prete/")
    assert answer.status_code == 503
    assert answer.json() == {"status": "unavailable", "database": "La base de données ne répond pas."}
    assert "10.0.0.5" in caplog.text


def test_a_database_that_never_answers_is_told_in_bounded_time(tmp_path):
    """A server that accepts connections and says nothing: the worst there is to wait for."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-c", PROBE],
            cwd=settings.BASE_DIR,
            env={
                "DJANGO_SETTINGS_MODULE": "entsvc.settings",
                "DATABASE_URL": f"postgres://nobody@127.0.0.1:{port}/nothing",
                "MEDIA_ROOT": str(tmp_path),
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    status, document, seconds = json.loads(done.stdout)
    assert (status, document["status"]) == (503, "unavailable")
    assert seconds < 20


def test_a_migration_to_apply_is_told(client, db):
    MigrationRecorder(connection).record_unapplied("entsvc", "0001_initial")
    answer = client.get("/sante/prete/")
    assert answer.status_code == 503
    assert answer.json()["migrations"] == "Migrations à appliquer : 1 (manage.py migrate)."


def test_a_migration_that_others_replace_is_not_missing(db, monkeypatch):
    applied = set(MigrationRecorder(connection).applied_migrations())
    known = {("entsvc", "0001_squashed"): (("entsvc", "0001_initial"),)}
    monkeypatch.setattr(health, "known_migrations", lambda: known)
    assert ("entsvc", "0001_initial") in applied
    assert health.unapplied() == set()


def test_a_folder_that_cannot_be_written_is_told(client, db, settings, tmp_path):
    (tmp_path / "file").touch()
    settings.MEDIA_ROOT = tmp_path / "file" / "media"
    answer = client.get("/sante/prete/")
    assert answer.status_code == 503
    assert list(answer.json()) == ["status", "documents"]


def test_the_probe_of_the_folder_leaves_nothing_in_it(client, db, media):
    assert client.get("/sante/prete/").status_code == 200
    assert list(media.iterdir()) == []


def test_a_mail_that_waits_too_long_is_told_without_stopping_the_site(client, late_mail):
    answer = client.get("/sante/prete/")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "degraded",
        "mails": "Un courriel attend depuis 40 minutes : send_mails tourne-t-il ?",
    }


@pytest.mark.parametrize("state", [OutgoingMail.State.FAILED, OutgoingMail.State.SENT])
def test_a_mail_that_is_settled_waits_for_nobody(late_mail, state, client):
    sent_at = timezone.now() if state == OutgoingMail.State.SENT else None
    OutgoingMail.objects.update(state=state, sent_at=sent_at)
    assert client.get("/sante/prete/").json() == {"status": "ready"}


def test_a_mail_that_is_to_be_tried_later_is_not_late(late_mail, client):
    OutgoingMail.objects.update(due_at=timezone.now() + timedelta(hours=1))
    assert client.get("/sante/prete/").json() == {"status": "ready"}


def test_work_left_to_a_worker_that_is_stopped_is_told(blank):
    """In a process of its own: the table of tasks is there with TASKS_BACKEND=database only."""
    done = blank.run("-c", MIGRATE_TASKS + LEAVE_A_TASK + PROBE, TASKS_BACKEND="database")
    assert done.returncode == 0, done.stderr
    status, document, _ = json.loads(done.stdout)
    assert (status, document["status"]) == (200, "degraded")
    assert document["tasks"] == "Un travail attend depuis 3 heures : db_worker tourne-t-il ?"


MIGRATE_TASKS = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", "django_tasks_database", verbosity=0)
"""
LEAVE_A_TASK = """
import django
django.setup()
from datetime import timedelta
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from entsvc.background import go_on_task
go_on_task.enqueue("travail", "00000000-0000-0000-0000-000000000001")
DBTaskResult.objects.update(enqueued_at=timezone.now() - timedelta(hours=3))
"""


@pytest.mark.parametrize(("minutes", "said"), [(14, ""), (15, "15 minutes"), (119, "119 minutes")])
def test_the_age_of_what_is_late(minutes, said):
    assert health._waiting_since(timezone.now() - timedelta(minutes=minutes)) == said


def test_being_ready_costs_little(client, db, django_assert_max_num_queries):
    client.get("/sante/prete/")
    began = time.perf_counter()
    with django_assert_max_num_queries(8):
        client.get("/sante/prete/")
    assert time.perf_counter() - began < 5
