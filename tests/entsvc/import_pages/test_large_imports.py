"""A file too long for a click is tried and imported in the background, once, all or nothing."""

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile

from entsvc import import_works, uploads, works
from entsvc.models import ImportRecord, Upload, Work
from members.models import Member
from tests.entsvc.import_pages.sending import MEMBERS, ONE, TWO, account, file_of, send, url, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def large(monkeypatch):
    """Call large any file of more than one row."""
    monkeypatch.setattr(import_works, "LARGE", 1)


@pytest.fixture
def on_commit(django_capture_on_commit_callbacks):
    return lambda: django_capture_on_commit_callbacks(execute=True)


ROWS = (f"{ONE};Commune d'Un;commune", f"{TWO};Commune de Deux;commune")


def tried(client, on_commit, *lines):
    """Send a large file, and return the page of its trial once it is over."""
    with on_commit():
        sent = send(client, *lines)
    return followed(client, on_commit, sent)


def followed(client, on_commit, sent):
    """Return the page of a work once it is done: a request later."""
    with on_commit():
        client.get(sent.url)
    return client.get(sent.url)


def test_a_large_file_is_tried_then_imported_behind_the_page(gestionnaire, large, on_commit):
    page = tried(gestionnaire, on_commit, *ROWS)
    assert "membres.csv est lu" in words(page)
    assert not Member.objects.exists()
    [upload] = Upload.objects.all()
    preview = page.context["result"]
    assert preview == url("preview", upload.pk)
    assert default_storage.listdir("uploads")[1] == [upload.path.split("/")[1]]
    with on_commit():
        asked = gestionnaire.post(preview)
        assert gestionnaire.post(preview).url == asked.url  # a double click
    page = followed(gestionnaire, on_commit, asked)
    assert "membres.csv est importé" in words(page)
    assert page.context["result"] == url("change", ImportRecord.objects.get().pk)
    assert Member.objects.count() == 2
    assert not Upload.objects.exists()
    assert default_storage.listdir("uploads")[1] == []
    assert gestionnaire.post(preview, follow=True).status_code == 200  # said to be over, done once
    assert ImportRecord.objects.count() == 1


def test_a_small_file_still_answers_in_the_same_click(gestionnaire):
    sent = send(gestionnaire, *ROWS)
    assert "/waiting/" in sent.url
    gestionnaire.post(sent.url)
    assert Member.objects.count() == 2
    assert not Work.objects.exists()


def test_a_large_file_that_cannot_be_read_says_why(gestionnaire, large, on_commit):
    file = SimpleUploadedFile("a.csv", b"autre\n1\n2\n3\n")
    with on_commit():
        sent = gestionnaire.post(url("try", *MEMBERS), {"file": file})
    page = followed(gestionnaire, on_commit, sent)
    assert "Colonne absente" in words(page)
    assert page.context["result"] == url("try", *MEMBERS)
    assert default_storage.listdir("uploads")[1] == []
    with on_commit():
        again = gestionnaire.post(f"{sent.url}recommencer/")
    assert "envoyez-le de nouveau" in words(followed(gestionnaire, on_commit, again))


def test_data_changed_since_the_preview_ask_for_another_reading(
    gestionnaire, large, on_commit, monkeypatch
):
    preview = tried(gestionnaire, on_commit, *ROWS).context["result"]
    with on_commit():
        asked = gestionnaire.post(preview)
        Member.objects.create(siret=ONE, name="Déjà là", kind="commune")
    page = followed(gestionnaire, on_commit, asked)
    assert "Les données ont changé" in words(page)
    assert page.context["result"] == preview
    assert Member.objects.count() == 1
    assert "à modifier" in words(gestionnaire.get(preview))


def test_an_import_given_up_meanwhile_writes_nothing(gestionnaire, large, on_commit):
    preview = tried(gestionnaire, on_commit, *ROWS).context["result"]
    with on_commit():
        asked = gestionnaire.post(preview)
        uploads.abandon(Upload.objects.get())
    assert "déjà été importé ou abandonné" in words(followed(gestionnaire, on_commit, asked))
    assert not Member.objects.exists()


def test_an_account_closed_or_deprived_meanwhile_imports_nothing(gestionnaire, large, on_commit):
    user = account("lecture", name="autre")
    for change in ({"is_active": False}, {}):
        work = works.ask(
            kind=import_works.TRY,
            once=f"{change}",
            title="Essai",
            arguments={"importer": "membres", "name": "a.csv", "path": "uploads/x", "given": {}},
            actor=user.username,
        )
        type(user).objects.filter(pk=user.pk).update(**{"is_active": True, **change})
        works.go_on(work.pk)
        told = Work.objects.get(pk=work.pk).failure
        assert "n'est plus actif" in told or "n'a plus le droit" in told


def test_another_account_follows_nothing_of_it(client, gestionnaire, large, on_commit):
    with on_commit():
        sent = send(gestionnaire, *ROWS)
    client.force_login(account("finances"))
    assert client.get(sent.url).status_code == 404
    assert client.post(f"{sent.url}recommencer/").status_code == 404


def test_a_compressed_file_is_judged_by_its_bytes(monkeypatch):
    file = file_of(*ROWS, name="a.XLSX")
    assert not import_works.is_large_file(file)
    monkeypatch.setattr(import_works, "LARGE_XLSX", 10)
    assert import_works.is_large_file(file)
