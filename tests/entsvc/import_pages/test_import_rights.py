"""Who imports what, and sees which files and which history."""

import pytest
from django.urls import reverse

from entsvc.importing import IMPORTERS, REMARKS, Importer
from entsvc.models import ImportRecord, Upload
from members.models import User
from tests.entsvc.import_pages.sending import (
    LIST,
    MEMBERS,
    ONE,
    TWO,
    account,
    cells,
    imported,
    send,
    try_options,
    url,
    words,
)
from tests.factories import IssuerFactory

pytestmark = pytest.mark.django_db


def test_readers_see_the_history_and_import_nothing(client, gestionnaire):
    imported(client, f"{ONE};Un;commune", "x;Deux;commune")
    waiting = send(client, f"{TWO};Deux;commune").url
    client.force_login(account("lecture"))
    record = ImportRecord.objects.get()
    for page in ("change", "refused", "file"):
        assert client.get(url(page, record.pk)).status_code == 200
    assert "Importer un fichier" not in words(client.get(url("changelist")))
    for page in (url("send"), url("try", *MEMBERS), waiting):
        assert client.get(page).status_code == 403
    assert client.post(waiting).status_code == 403
    assert client.post(waiting + "abandon/").status_code == 403
    assert send(client, f"{TWO};Deux;commune").status_code == 403
    assert Upload.objects.count() == 1


def test_finances_import_what_the_accountant_sends_and_nothing_else(client, gestionnaire):
    waiting = send(client, f"{TWO};Deux;commune").url
    client.force_login(account("finances"))
    offered = {importer.name for importer in client.get(url("send")).context["importers"]}
    assert "numeros-comptable" in offered
    assert not offered & {"membres", "annuaire", "conventions", "effectifs"}
    assert client.get(url("try", *MEMBERS)).status_code == 403
    assert send(client, f"{TWO};Deux;commune").status_code == 403
    assert client.post(waiting).url == url("changelist")
    assert not ImportRecord.objects.exists()


def test_an_account_without_any_right_opens_nothing(client, gestionnaire):
    imported(client, f"{ONE};Un;commune")
    record = ImportRecord.objects.get()
    client.force_login(User.objects.create(username="nul", is_staff=True))
    for page in ("change", "refused", "flagged", "file"):
        assert client.get(url(page, record.pk)).status_code == 403
    assert client.get(url("changelist")).status_code == 403


def test_nobody_imports_without_signing_in(client):
    for page in (url("send"), url("try", *MEMBERS), url("preview", 1), url("abandon", 1)):
        assert client.post(page).url.startswith(reverse("admin:login"))


def test_a_gestionnaire_may_import_every_kind_of_file_but_those_of_the_accountant(gestionnaire):
    offered = {importer.name for importer in gestionnaire.get(url("send")).context["importers"]}
    assert offered == IMPORTERS.keys() - {"numeros-comptable", "encaissements"}


def test_an_account_imports_only_what_it_may_write(gestionnaire, monkeypatch):
    locked = Importer(
        **{**vars(IMPORTERS["membres"]), "name": "clos", "permissions": ("auth.add_user",)}
    )
    monkeypatch.setitem(IMPORTERS, "clos", locked)
    assert locked not in gestionnaire.get(url("send")).context["importers"]
    assert gestionnaire.get(url("try", "clos")).status_code == 403
    assert gestionnaire.get(url("try", "inconnu")).status_code == 404


def test_an_account_sees_its_own_files_to_confirm_only(client, gestionnaire):
    sent = send(client, f"{ONE};Un;commune")
    client.force_login(account("gestionnaire", "autre"))
    assert list(client.get(url("send")).context["waiting"]) == []
    for answer in (client.get(sent.url), client.post(sent.url)):
        assert answer.url == reverse(LIST)
    assert Upload.objects.count() == 1
    client.force_login(account("admin"))
    assert client.get(sent.url).status_code == 200
    assert len(client.get(url("send")).context["waiting"]) == 1


def test_the_history_of_what_belongs_to_an_issuer_is_for_its_author(client, gestionnaire, monkeypatch):
    private = Importer(**{**vars(IMPORTERS["membres"]), "shared": False})
    monkeypatch.setitem(IMPORTERS, "membres", private)
    imported(client, f"{ONE};Un;commune")
    record = ImportRecord.objects.get()
    assert client.get(url("file", record.pk)).status_code == 200
    client.force_login(account("gestionnaire", "autre"))
    assert client.get(url("file", record.pk)).status_code == 404
    assert client.get(url("changelist")).context["cl"].result_count == 0
    client.force_login(account("admin"))
    assert client.get(url("file", record.pk)).status_code == 200


def test_an_account_reads_nothing_of_the_issuers_of_others(client, gestionnaire, monkeypatch):
    mine = User.objects.get(username="gestionnaire").issuers.get()
    other = IssuerFactory(code="AUTRE")

    def remark(job):
        for issuer in (mine, other):
            job.report.flag(None, "siret", issuer.code, f"Titre de {issuer.code}.", issuer=issuer.pk)

    monkeypatch.setitem(REMARKS, "membres", [remark])
    client.force_login(account("admin"))
    imported(client, f"{ONE};Un;commune")
    record = ImportRecord.objects.get()
    client.force_login(User.objects.get(username="gestionnaire"))
    seen = [words(client.get(url("change", record.pk)))]
    seen.append(str(cells(client.get(url("flagged", record.pk)))))
    for said in seen:
        assert f"Titre de {mine.code}." in said
        assert "Titre de AUTRE." not in said
    client.force_login(User.objects.get(username="admin"))
    assert "Titre de AUTRE." in words(client.get(url("change", record.pk)))
    assert "AUTRE" in str(cells(client.get(url("flagged", record.pk))))


def test_the_history_of_agreements_and_of_titres_is_not_shared():
    alone = {importer.name for importer in IMPORTERS.values() if not importer.shared}
    assert alone == {"conventions", "numeros-comptable", "encaissements", "depenses", "catalogue"}


def test_an_import_is_limited_to_the_issuers_of_the_account(gestionnaire, optional, monkeypatch):
    seen = []
    limited = Importer(**{**vars(IMPORTERS["essai"]), "apply": lambda _, job: seen.append(job.issuers)})
    monkeypatch.setitem(IMPORTERS, "essai", limited)
    try_options(gestionnaire)
    gestionnaire.force_login(account("admin"))
    try_options(gestionnaire)
    [issuer] = User.objects.get(username="gestionnaire").issuers.order_by("pk")
    assert seen == [{issuer.pk}, None]
