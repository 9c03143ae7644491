"""The pages of a production: asked for, followed, downloaded, by whom it concerns."""

import io
import zipfile
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from conventions import productions
from conventions.models import Production
from conventions.papers import drawing
from tests.conventions.productions.producing import finish, write
from tests.conventions.world import account
from tests.factories import IssuerFactory

pytestmark = pytest.mark.django_db
PAGE = "/admin/produire/"
ASKED = {"emetteur": "TST", "annee": "2024-2025"}


# --- Pages --------------------------------------------------------------------------------------


def test_a_person_produces_follows_and_downloads(
    client, schedule, agreements, press, django_capture_on_commit_callbacks
):
    account(client, "gestionnaire", schedule.issuer)
    page = client.get(PAGE, ASKED)
    assert "Produire les documents" in page.content.decode()
    press.broken = {"R2": drawing.PaperRefused("Il manque le SIRET.")}
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(f"{PAGE}?emetteur=TST&annee=2024-2025", {"document": "convention"})
    page = client.get(answer.url)
    assert "3 à produire" in page.content.decode()
    with CaptureQueriesContext(connection) as queries:
        page = client.get(answer.url)
    assert len(queries) <= 20
    text = page.content.decode()
    assert "2 documents produits" in text.replace("\xa0", " ")
    assert "Il manque le SIRET." in text
    zipped = client.get(page.context["production"] and f"{answer.url}documents.zip")
    assert zipped["Content-Type"] == "application/zip"
    assert zipped["Content-Disposition"].startswith('attachment; filename="TST-convention-2024-2025-')
    content = b"".join(zipped.streaming_content)
    assert len(zipfile.ZipFile(io.BytesIO(content)).namelist()) == 3
    press.broken = {}
    with django_capture_on_commit_callbacks(execute=True):
        client.post(f"{answer.url}reprendre/")
    client.get(answer.url)
    assert productions.progress(page.context["production"]).done == 3
    assert client.post(f"{answer.url}continuer/").status_code == 302


REFRESH = '<meta http-equiv="refresh"'


def test_the_page_follows_the_work_until_nothing_is_left(
    client, schedule, agreements, press, monkeypatch
):
    production = write(schedule)
    account(client, "gestionnaire", schedule.issuer)
    address = reverse("conventions:production", args=[production.pk])
    shown = client.get(address).content.decode()
    assert f'{REFRESH} content="5;url={address}">' in shown
    assert "va seul jusqu'au bout" in shown
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(minutes=2))
    stalled = client.get(address).content.decode()
    assert "Plus rien n'avance" in stalled
    assert REFRESH in stalled
    answer = client.post(f"{address}continuer/")  # drawn once the response is sent: here, at once
    assert answer.url == f"{address}?repris=1"
    shown = client.get(answer.url).content.decode()
    assert REFRESH not in shown
    assert "Reprendre</button>" not in shown
    assert press.drawn == ["R1", "R2", "R3"]


def test_work_just_asked_for_is_not_said_to_be_stalled(client, schedule, agreements, monkeypatch):
    production = write(schedule)
    account(client, "gestionnaire", schedule.issuer)
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(minutes=2))
    address = reverse("conventions:production", args=[production.pk])
    assert "Plus rien n'avance" not in client.get(f"{address}?repris=1").content.decode()


def test_the_page_tells_the_time_that_is_left(client, schedule, agreements, press, monkeypatch):
    production = write(schedule)
    account(client, "lecture", schedule.issuer)
    address = reverse("conventions:production", args=[production.pk])
    for seconds, words in ((None, ""), (10, "moins d'une minute"), (61, "environ 2 minutes")):
        told = productions.Progress(total=3, done=1, failed=0, seconds_left=seconds)
        monkeypatch.setattr(productions, "progress", lambda production, told=told: told)
        shown = client.get(address).content.decode().replace("\u00a0", " ").replace("&#x27;", "'")
        assert (f"Temps restant : {words}." in shown) is bool(words)


def test_a_reader_looks_and_starts_nothing(client, schedule, agreements, press):
    production = finish(write(schedule))
    account(client, "lecture", schedule.issuer)
    address = reverse("conventions:production", args=[production.pk])
    assert client.get(address).status_code == 200
    assert client.get(f"{address}documents.zip").status_code == 200
    assert "Produire</button>" not in client.get(PAGE, ASKED).content.decode()
    asked = f"{PAGE}?emetteur=TST&annee=2024-2025"
    assert client.post(asked, {"document": "convention"}).status_code == 403
    assert client.post(f"{address}continuer/").status_code == 403
    assert client.post(f"{address}reprendre/").status_code == 403


def test_another_issuer_sees_nothing_of_it(client, schedule, agreements, press):
    production = finish(write(schedule))
    account(client, "gestionnaire", IssuerFactory(code="OTHER"))
    address = reverse("conventions:production", args=[production.pk])
    for path in (address, f"{address}documents.zip"):
        assert client.get(path).status_code == 404
    for path in (f"{address}continuer/", f"{address}reprendre/"):
        assert client.post(path).status_code == 404
    assert client.get(PAGE, ASKED).status_code == 404


def test_changes_happen_on_post_only_and_bad_input_gets_a_clear_answer(client, schedule, agreements):
    production = write(schedule)
    account(client, "gestionnaire", schedule.issuer)
    address = reverse("conventions:production", args=[production.pk])
    assert client.get(f"{address}continuer/").status_code == 405
    assert client.get(f"{address}reprendre/").status_code == 405
    assert client.get(f"{address}documents.zip").status_code == 404
    asked = f"{PAGE}?emetteur=TST&annee=2024-2025"
    for kind, words in (("", "Choisissez le document"), ("avenant", "Aucun document de ce type")):
        page = client.post(asked, {"document": kind}, follow=True)
        assert words in page.content.decode()
    assert Production.objects.count() == 1
