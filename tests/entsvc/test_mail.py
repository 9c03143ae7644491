"""The outbox: written with what it tells, sent afterwards, never lost, never twice but after a kill."""

import json
import smtplib
from datetime import timedelta
from io import StringIO

import pytest
from django.core import mail as django_mail
from django.core.mail.backends.base import BaseEmailBackend
from django.core.management import call_command
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from entsvc import afterwards, mail
from entsvc.models import OutgoingMail

pytestmark = pytest.mark.django_db
STATE = OutgoingMail.State


class Broken(BaseEmailBackend):
    """A server that answers nobody."""

    def send_messages(self, messages):
        raise ConnectionRefusedError("personne ne répond")


class Refusing(BaseEmailBackend):
    """A server that knows no such mailbox."""

    def send_messages(self, messages):
        raise smtplib.SMTPRecipientsRefused({messages[0].to[0]: (550, b"inconnu")})


@pytest.fixture(autouse=True)
def no_job_left():
    yield
    afterwards._jobs().clear()


@pytest.fixture
def letter(tmp_path, settings):
    """A template of a mail with an apostrophe, an ampersand and a value to be escaped in HTML only."""
    from django.template import engines

    folder = tmp_path / "mail"
    folder.mkdir()
    (folder / "essai.txt").write_text("Sujet de {{ name }}\n\nL'école de {{ name }}\n")
    (folder / "essai.html").write_text(
        "{% extends 'mail/base.html' %}{% block content %}<p>L'école de {{ name }}</p>{% endblock %}"
    )
    loaders = engines["django"].engine.template_loaders
    before = [loader.dirs for loader in loaders[0].loaders] if hasattr(loaders[0], "loaders") else None
    filesystem = loaders[0].loaders[0] if before is not None else loaders[0]
    filesystem.dirs = [tmp_path, settings.BASE_DIR / "templates"]
    yield "essai"
    filesystem.dirs = None
    for loader in loaders:
        loader.reset()


def post(letter, *to, **options):
    mail.post(to or ["a@essai.example"], letter, {"name": "L'Isle & Cie"}, **options)


def test_each_recipient_gets_a_mail_of_its_own(letter):
    post(letter, "a@essai.example", "b@essai.example", "a@essai.example", "")
    assert mail.deliver().sent == 2
    assert sorted(m.to for m in django_mail.outbox) == [["a@essai.example"], ["b@essai.example"]]


def test_text_is_plain_and_html_is_escaped(letter):
    post(letter)
    mail.deliver()
    [message] = django_mail.outbox
    assert message.subject == "Sujet de L'Isle & Cie"
    assert message.body == "L'école de L'Isle & Cie\n"
    [(html, kind)] = message.alternatives
    assert kind == "text/html"
    assert "L&#x27;Isle &amp; Cie" in html
    assert 'lang="fr"' in html


def test_a_subject_never_breaks_into_headers(letter):
    mail.post(["a@essai.example"], letter, {"name": "x\r\nBcc: tous@essai.example"})
    assert mail.deliver().sent == 1
    [message] = django_mail.outbox
    assert "\n" not in message.subject
    assert message.recipients() == ["a@essai.example"]


def test_a_recipient_never_breaks_into_headers(letter):
    post(letter, "a@essai.example\nBcc: tous@essai.example", "b@essai.example")
    done = mail.deliver()
    assert (done.sent, done.failed) == (1, 1)
    assert django_mail.outbox[0].recipients() == ["b@essai.example"]


def test_nothing_leaves_of_a_transaction_that_is_undone(letter):
    with transaction.atomic():
        post(letter)
        transaction.set_rollback(True)
    assert mail.deliver().sent == 0


def test_mail_leaves_once_the_response_is_sent(client, letter, monkeypatch):
    post(letter)
    assert django_mail.outbox == []
    afterwards.run_pending()
    assert len(django_mail.outbox) == 1
    afterwards.run_pending()
    assert len(django_mail.outbox) == 1


def test_a_delivery_that_fails_is_tried_again_later_and_loses_nothing(letter, settings):
    settings.EMAIL_BACKEND = "tests.entsvc.test_mail.Broken"
    post(letter)
    done = mail.deliver()
    assert (done.sent, done.postponed) == (0, 1)
    row = OutgoingMail.objects.get()
    assert row.state == STATE.WAITING
    assert row.attempts == 1
    assert "ConnectionRefusedError" in row.error
    assert mail.deliver().postponed == 0, "not before its time"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    OutgoingMail.objects.update(due_at=timezone.now())
    assert mail.deliver().sent == 1
    row.refresh_from_db()
    assert (row.state, row.error) == (STATE.SENT, "")


def test_a_delivery_is_given_up_after_eight_tries_and_can_be_asked_for_again(
    letter, settings, admin_client
):
    settings.EMAIL_BACKEND = "tests.entsvc.test_mail.Broken"
    post(letter)
    for _ in range(8):
        OutgoingMail.objects.update(due_at=timezone.now())
        mail.deliver()
    row = OutgoingMail.objects.get()
    assert (row.state, row.attempts) == (STATE.FAILED, 8)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    admin_client.post(
        reverse("admin:entsvc_outgoingmail_changelist"),
        {"action": "send_again", "_selected_action": [row.pk]},
    )
    assert len(django_mail.outbox) == 1


def test_an_address_that_the_server_refuses_is_given_up_at_once(letter, settings):
    settings.EMAIL_BACKEND = "tests.entsvc.test_mail.Refusing"
    post(letter)
    assert mail.deliver().failed == 1
    assert "550" in OutgoingMail.objects.get().error


def test_a_mail_that_is_being_sent_is_sent_by_nobody_else(letter):
    post(letter)
    mine = mail._claim_next()
    assert mine.state is not None
    assert mail.deliver().sent == 0


def test_a_process_killed_while_sending_leaves_a_mail_that_another_sends_later(letter):
    post(letter)
    killed = mail._claim_next()
    OutgoingMail.objects.update(due_at=timezone.now())
    assert mail.deliver().sent == 1
    [message] = django_mail.outbox
    again = mail._message(killed, connection=None)
    assert message.extra_headers["Message-ID"] == again.extra_headers["Message-ID"]
    mail._settle(killed, state=STATE.WAITING)
    assert OutgoingMail.objects.get().state == STATE.SENT, "the late one changes nothing"


def test_a_secret_mail_is_not_sent_too_late_and_its_text_is_erased(letter):
    post(letter, useful_until=timezone.now() - timedelta(seconds=1))
    assert mail.deliver().failed == 1
    row = OutgoingMail.objects.get()
    assert (row.text, row.html, row.state) == ("", "", STATE.FAILED)
    assert mail.retry([row]) == 0


def test_the_command_sends_what_is_due_and_says_so_in_json(letter):
    post(letter, "a@essai.example", "b@essai.example")
    output = StringIO()
    call_command("send_mails", "--json", stdout=output, stderr=StringIO())
    assert json.loads(output.getvalue()) == {
        "sent": 2, "postponed": 0, "failed": 0, "waiting": 0, "purged": 0,
    }  # fmt: skip


def test_mails_of_more_than_a_year_are_forgotten_but_those_that_wait(letter):
    post(letter, "a@essai.example", "b@essai.example")
    long_ago = timezone.now() - timedelta(days=366)
    OutgoingMail.objects.update(posted_at=long_ago)
    first = OutgoingMail.objects.order_by("pk").first()
    OutgoingMail.objects.filter(pk=first.pk).update(state=STATE.SENT, sent_at=long_ago)
    assert mail.purge() == 1
    assert OutgoingMail.objects.get().state == STATE.WAITING


def test_a_link_of_a_mail_begins_with_the_address_of_the_site(settings):
    settings.SITE_URL = "https://ent.example"
    assert mail.link("espace:sign-in") == "https://ent.example/espace/connexion/"


def test_work_after_the_response_runs_in_threads_of_its_own(settings):
    import threading

    settings.AFTER_RESPONSE = "thread"
    done, names = threading.Event(), []

    def job():
        names.append(threading.current_thread().name)
        done.set()

    afterwards.after_response(job)
    afterwards.run_pending()
    assert done.wait(10)
    assert names[0].startswith("afterwards")


def test_a_job_that_fails_stops_neither_the_others_nor_the_response(caplog):
    seen = []

    def bad():
        raise ZeroDivisionError

    afterwards.after_response(bad)
    afterwards.after_response(lambda: seen.append(1))
    afterwards.run_pending()
    assert seen == [1]
    assert "a échoué" in caplog.text


def test_only_those_who_see_everything_read_the_mails(client, letter, django_user_model):
    from django.contrib.auth.models import Permission

    post(letter)
    row = OutgoingMail.objects.get()
    account = django_user_model.objects.create_user("agent", is_staff=True)
    account.user_permissions.add(Permission.objects.get(codename="view_outgoingmail"))
    client.force_login(account)
    for url in ("changelist", "change"):
        args = [row.pk] if url == "change" else []
        assert client.get(reverse(f"admin:entsvc_outgoingmail_{url}", args=args)).status_code == 403
