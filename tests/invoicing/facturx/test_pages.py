"""The pages of electronic invoices: who produces them, what they say of their rules, what they give."""

import io
import zipfile

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from entsvc import documents
from entsvc.models import JournalEntry
from invoicing.facturx import validation
from invoicing.facturx.production import kept_of, produce
from invoicing.facturx.profiles import Profile
from invoicing.models import Titre, TitreDocument
from tests.conventions.world import account
from tests.factories import IssuerFactory
from tests.invoicing.correction_pages import shown
from tests.invoicing.facturx.test_production import drawn as drawn
from tests.invoicing.facturx.test_production import same_pdf as same_pdf
from tests.invoicing.facturx.test_production import titres as titres
from tests.invoicing.facturx.test_production import unchecked as unchecked

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:unclosed file .*sRGB2014:ResourceWarning"),
]
S1 = {"profile": "S1"}


def page_of(row):
    return reverse(f"admin:invoicing_{row._meta.model_name}_facturx", args=[row.pk])


def zip_of(bordereau):
    return reverse("collection:facturx-zip", args=[bordereau.pk])


def test_finances_produce_the_invoice_of_a_titre_then_read_its_rules_and_save_it(client, titres):
    account(client, "finances", titres[0].issuer)
    address = page_of(titres[0])
    before = shown(client.get(address))
    assert "n'a pas de facture électronique" in before
    assert "Cadre de facturation" in before
    assert not TitreDocument.objects.filter(role="facturx").exists()

    after = shown(client.post(address, S1, follow=True))

    assert "1 facture électronique produite : schéma et règles passés." in after
    assert "Schéma XSD : valide." in after
    assert "Règles EN 16931 : aucun écart" in after
    assert "Règles BR-FR : aucun écart" in after
    assert kept_of(titres[1]) is None
    given = client.post(address)
    assert given["Content-Disposition"] == f'attachment; filename="factur-x_{titres[0].reference}.pdf"'
    assert given.content == documents.read(kept_of(titres[0]).document)
    assert JournalEntry.objects.filter(action="download").count() == 1
    titre_page = shown(client.get(reverse("admin:invoicing_titre_change", args=[titres[0].pk])))
    assert "Facture électronique (Factur-X)" in titre_page
    assert address in titre_page


def test_without_the_processor_the_page_says_unchecked_and_never_valid(client, titres, unchecked):
    account(client, "finances", titres[0].issuer)
    address = page_of(titres[0])
    after = shown(client.post(address, S1, follow=True))
    assert "Règles EN 16931 : non vérifié (le moteur de règles n'est pas installé)." in after
    assert "règles non vérifiées" in after
    assert "aucun écart" not in after


def test_who_reads_a_titre_reads_its_invoice_and_does_not_produce_it(client, titres, unchecked):
    account(client, "lecture", titres[0].issuer)
    for row in (titres[0], titres[0].bordereau):
        assert "Cadre de facturation" not in shown(client.get(page_of(row)))
        assert client.post(page_of(row), S1).status_code == 403
    assert client.get(zip_of(titres[0].bordereau)).status_code == 404
    assert not TitreDocument.objects.filter(role="facturx").exists()
    produce(titres=Titre.objects.all(), profile=Profile.REFORM, actor="essai")
    assert client.post(page_of(titres[0])).status_code == 200
    assert client.get(zip_of(titres[0].bordereau)).status_code == 200


def test_nobody_reaches_the_invoices_of_another_issuer(client, titres, unchecked):
    produce(titres=Titre.objects.all(), profile=Profile.REFORM, actor="essai")
    account(client, "finances", IssuerFactory(code="AUTRE"))
    for address in (page_of(titres[0]), page_of(titres[0].bordereau), zip_of(titres[0].bordereau)):
        assert client.get(address).status_code == 404


def test_nobody_reaches_an_invoice_without_signing_in(client, titres):
    for address in (page_of(titres[0]), zip_of(titres[0].bordereau)):
        assert client.get(address).status_code == 302


def test_the_invoices_of_a_bordereau_are_produced_and_given_together(client, titres, unchecked):
    account(client, "finances", titres[0].issuer)
    bordereau = titres[0].bordereau
    assert "0 facture électronique produite sur 3 pièces." in shown(client.get(page_of(bordereau)))
    after = shown(client.post(page_of(bordereau), S1, follow=True))
    assert "3 factures électroniques produites" in after
    assert zip_of(bordereau) in after
    assert "Cadre de facturation" not in after

    answer = client.get(zip_of(bordereau))
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))

    files = [f"factur-x_{titre.reference}.pdf" for titre in titres]
    assert archive.namelist() == [*files, "manifeste.csv"]
    assert archive.read(files[0]) == documents.read(kept_of(titres[0]).document)
    assert all(len(name) <= 50 for name in files)


def test_the_zip_lists_the_invoices_that_it_lacks(client, titres, unchecked):
    account(client, "finances", titres[0].issuer)
    produce(titres=Titre.objects.filter(number=1), profile=Profile.REFORM, actor="essai")
    answer = client.get(zip_of(titres[0].bordereau))
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert len(archive.namelist()) == 2
    manifest = archive.read("manifeste.csv").decode("utf-8-sig")
    assert manifest.count("à produire, depuis la page du bordereau") == 2


def test_what_stops_an_invoice_is_said_before_anything_is_produced(client, world, unchecked):
    world.issue()
    titre = Titre.objects.order_by("number").first()
    account(client, "finances", titre.issuer)
    for row in (titre, titre.bordereau):
        page = shown(client.get(page_of(row)))
        assert "Son PDF n'est pas encore produit" in page
        assert "Cadre de facturation" not in page


def test_a_bordereau_asks_the_database_little_whatever_it_holds(client, world, titres, unchecked):
    account(client, "finances", world.issuer)
    with CaptureQueriesContext(connection) as queries:
        client.get(page_of(titres[0].bordereau))
    assert len(queries) <= 20


def test_a_damaged_invoice_is_not_given(client, titres, unchecked, media):
    account(client, "finances", titres[0].issuer)
    produce(titres=Titre.objects.all(), profile=Profile.REFORM, actor="essai")
    (media / kept_of(titres[0]).document.path).write_bytes(b"%PDF autre")
    for answer in (client.get(page_of(titres[0])), client.post(page_of(titres[0]))):
        assert answer.url == reverse("admin:invoicing_titre_change", args=[titres[0].pk])


def test_a_processor_missing_at_the_check_is_told_on_the_page(client, titres, monkeypatch):
    produce(titres=Titre.objects.filter(number=1), profile=Profile.CHORUS, actor="essai")
    monkeypatch.setattr(validation, "is_installed", lambda: False)
    account(client, "lecture", titres[0].issuer)
    page = shown(client.get(page_of(titres[0])))
    assert "Cadre A1" in page
    assert "non vérifié" in page
    assert "BR-FR" not in page
