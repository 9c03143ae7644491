"""The pages of imports: send a file, read what it would do, confirm or abandon, look back."""

import datetime as dt

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from entsvc import documents, forms
from entsvc.models import ImportRecord, StoredDocument, Upload
from members.models import Member
from tests.entsvc.import_pages.sending import (
    MEMBERS,
    ONE,
    TWO,
    cells,
    file_of,
    imported,
    send,
    url,
    words,
)
from tests.factories import MemberFactory

pytestmark = pytest.mark.django_db


def test_it_works(gestionnaire):
    assert "Liste de membres" in words(gestionnaire.get(url("send")))
    assert gestionnaire.get(url("try", *MEMBERS)).status_code == 200
    sent = send(gestionnaire, f"{ONE};Un;commune", "x;Deux;commune")
    preview = gestionnaire.get(sent.url)
    assert ("à créer", "1") in preview.context["counts"]
    assert "Un SIRET compte quatorze chiffres" in words(preview)
    assert not Member.objects.exists()
    confirmed = gestionnaire.post(sent.url)
    record = ImportRecord.objects.get()
    assert confirmed.url == url("change", record.pk)
    page = gestionnaire.get(confirmed.url)
    assert ("créées", "1") in page.context["counts"]
    assert record.document.sha256 in words(page)
    assert "gestionnaire" in words(gestionnaire.get(url("changelist")))
    assert Member.objects.get().name == "Un"


def test_a_file_of_an_old_spreadsheet_is_read_with_its_accents(gestionnaire):
    sent = send(gestionnaire, f"{ONE};Évry;commune", encoding="cp1252")
    gestionnaire.post(sent.url)
    assert Member.objects.get().name == "Évry"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89PNG\x00\x01", "ni un CSV ni un XLSX"),
        (b"autre;colonne\n1;2\n", "Colonne absente de envoi.csv : siret, nom, type"),
        ("siret;nom;type\n".encode("utf-16"), "UTF-16"),
        (b"siret,nom,type\n1,2,3\n", "points-virgules"),
        (b"", "Ce fichier est vide."),
    ],
)
def test_an_unreadable_file_is_told_on_the_form_and_not_kept(gestionnaire, content, said):
    file = SimpleUploadedFile("envoi.csv", content)
    page = gestionnaire.post(url("try", *MEMBERS), {"file": file})
    assert page.status_code == 200
    assert said in words(page)
    assert not Upload.objects.exists()
    assert not StoredDocument.objects.exists()


def test_a_form_without_a_file_asks_for_it(gestionnaire):
    assert "Choisissez un fichier." in words(gestionnaire.post(url("try", *MEMBERS)))


def test_a_file_too_large_is_refused_before_anything_is_read(gestionnaire, monkeypatch):
    monkeypatch.setattr(forms, "MAX_BYTES", 10)
    page = send(gestionnaire, f"{ONE};Un;commune")
    assert "Ce fichier dépasse 0 Mo : découpez-le" in words(page)
    assert not Upload.objects.exists()
    assert not StoredDocument.objects.exists()


def test_reading_pages_writes_nothing(gestionnaire):
    sent = send(gestionnaire, f"{ONE};Un;commune", "x;Deux;commune")
    upload = Upload.objects.get()
    for page in (sent.url, url("preview_refused", upload.pk), url("send"), url("changelist")):
        assert gestionnaire.get(page).status_code == 200
    assert gestionnaire.get(url("abandon", upload.pk)).status_code == 405
    assert Upload.objects.count() == 1
    assert not Member.objects.exists()


def test_an_abandoned_file_is_forgotten(gestionnaire):
    sent = send(gestionnaire, f"{ONE};Un;commune")
    answer = gestionnaire.post(url("abandon", Upload.objects.get().pk), follow=True)
    assert "membres.csv est abandonné : rien n&#x27;a été écrit." in words(answer)
    assert not Upload.objects.exists()
    late = gestionnaire.post(sent.url, follow=True)
    assert "déjà été importé ou abandonné" in words(late)
    assert not Member.objects.exists()


def test_a_second_click_is_told_that_it_is_done(gestionnaire):
    sent = send(gestionnaire, f"{ONE};Un;commune")
    gestionnaire.post(sent.url)
    second = gestionnaire.post(sent.url, follow=True)
    assert "Ce fichier a déjà été importé ou abandonné." in words(second)
    late = gestionnaire.post(sent.url + "abandon/", follow=True)
    assert "Ce fichier a déjà été importé ou abandonné." in words(late)
    assert ImportRecord.objects.count() == 1


def test_a_plan_that_changed_is_shown_again_before_it_is_applied(gestionnaire):
    sent = send(gestionnaire, f"{ONE};Un;commune")
    MemberFactory(siret=ONE, name="Autre")
    again = gestionnaire.post(sent.url, follow=True)
    assert "Les données ont changé depuis l&#x27;aperçu" in words(again)
    assert ("à modifier", "1") in again.context["counts"]
    assert Member.objects.get().name == "Autre"
    gestionnaire.post(sent.url)
    assert Member.objects.get().name == "Un"


def test_a_file_that_changes_nothing_says_so_and_is_kept_once(gestionnaire):
    imported(gestionnaire, f"{ONE};Un;commune")
    sent = send(gestionnaire, f"{ONE};Un;commune")
    assert "ne créera et ne modifiera rien" in words(gestionnaire.get(sent.url))
    answer = gestionnaire.post(sent.url, follow=True)
    assert "membres.csv était déjà importé : rien n&#x27;a changé." in words(answer)
    assert ImportRecord.objects.count() == 1
    assert not Upload.objects.exists()


def test_a_lost_document_is_told_and_nothing_is_imported(gestionnaire, monkeypatch):
    sent = send(gestionnaire, f"{ONE};Un;commune")

    def lost(document):
        raise documents.CorruptDocument("Le fichier est absent : restaurez-le.")

    monkeypatch.setattr(documents, "read", lost)
    assert "restaurez-le" in words(gestionnaire.post(sent.url, follow=True))
    refused = gestionnaire.get(url("preview_refused", Upload.objects.get().pk), follow=True)
    assert "restaurez-le" in words(refused)
    assert not Member.objects.exists()


def test_refused_rows_are_downloaded_before_and_after(gestionnaire):
    sent = send(gestionnaire, f"{ONE};Un;commune", "01;=Deux;commune", name="ma liste.csv")
    before = gestionnaire.get(url("preview_refused", Upload.objects.get().pk))
    gestionnaire.post(sent.url)
    after = gestionnaire.get(url("refused", ImportRecord.objects.get().pk))
    for download in (before, after):
        assert 'filename="refus_ma liste.xlsx"' in download["Content-Disposition"]
    header, row = cells(after)
    assert header == ["siret", "nom", "type", "motif du refus"]
    assert row[:3] == ["01", "=Deux", "commune"]


def test_the_original_is_downloaded_as_it_was_sent(gestionnaire):
    lines = [f"{ONE};Évry;commune"]
    gestionnaire.post(send(gestionnaire, *lines, encoding="cp1252").url)
    download = gestionnaire.get(url("file", ImportRecord.objects.get().pk))
    assert download.getvalue() == file_of(*lines, encoding="cp1252").read()
    assert 'filename="membres.csv"' in download["Content-Disposition"]


def test_more_rows_than_a_page_shows_are_counted_and_all_downloaded(gestionnaire):
    sent = send(gestionnaire, *(f"x{n};Nom;commune" for n in range(130)))
    page = gestionnaire.get(sent.url)
    assert len(page.context["refused"]) == 100
    assert "et 30 de plus" in words(page)
    assert len(cells(gestionnaire.get(url("preview_refused", Upload.objects.get().pk)))) == 131


def test_rows_to_check_are_downloaded_before_and_after(gestionnaire):
    sent = send(gestionnaire, f"{ONE};Un;commune")
    preview = gestionnaire.get(sent.url)
    before = gestionnaire.get(url("preview_flagged", Upload.objects.get().pk))
    gestionnaire.post(sent.url)
    record = ImportRecord.objects.get()
    after = gestionnaire.get(url("flagged", record.pk))
    for page, download in ((preview, before), (gestionnaire.get(url("change", record.pk)), after)):
        assert "À vérifier (XLSX)" in words(page)
        assert 'a_verifier_membres.xlsx"' in download["Content-Disposition"]
        header, row = cells(download)
        assert header == ["siret", "nom", "type", "motif à vérifier"]
        assert row[:3] == [ONE, "Un", "commune"]


def test_files_of_long_ago_are_forgotten_when_another_is_sent(gestionnaire):
    send(gestionnaire, f"{ONE};Un;commune")
    Upload.objects.update(at=timezone.now() - dt.timedelta(days=31))
    gestionnaire.get(url("try", *MEMBERS))
    assert Upload.objects.count() == 1
    send(gestionnaire, f"{TWO};Deux;commune", name="autre.csv")
    assert Upload.objects.get().file_name == "autre.csv"


def test_what_a_file_says_is_shown_as_text(gestionnaire):
    sent = send(gestionnaire, "<script>alert(1)</script>;Un;commune", name="<b>.csv")
    assert "<script>alert" not in gestionnaire.get(sent.url).content.decode()
