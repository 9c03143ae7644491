"""The page of a campaign and its downloads: what they show, to whom, in how many queries."""

import csv
import hashlib
import io
import zipfile

import pytest
from django.contrib.auth.models import Permission
from django.core.files.storage import default_storage
from django.urls import reverse
from openpyxl import load_workbook

from conventions.models import Enrolment
from entsvc.models import JournalEntry
from invoicing.exports import campaign_documents
from invoicing.models import BordereauDocument, ExportColumn, ExportLayout, TitreDocument
from tests.conventions.world import account
from tests.factories import IssuerFactory
from tests.invoicing.campaigns import annul, campaign_of, day, lived
from tests.invoicing.world import a_world

FILES = ("campaign-workbook", "campaign-pdf")


@pytest.fixture(scope="module")
def kept_issue(kept_drawn):
    def issued():
        world = a_world()
        return world, lived(world)

    return kept_drawn(issued)


@pytest.fixture
def world(own_issue):
    return own_issue[0]


@pytest.fixture
def titres(own_issue, blank_pdf):
    return own_issue[1]


@pytest.fixture
def layout(world):
    layout = ExportLayout.objects.create(issuer=world.issuer, name="Ma suite comptable")
    ExportColumn.objects.create(layout=layout, position=1, code="reference")
    return layout


def address(name, titre, *more):
    return reverse(f"collection:{name}", args=[titre.campaign_id, *more])


def words(page):
    return " ".join(page.content.decode().replace("\xa0", " ").replace("\u202f", " ").split())


def test_it_works(client, world, titres, layout):
    account(client, "finances", world.issuer)
    page = client.get(address("campaign", titres[0]))
    text = words(page)
    for amount in ("270,00 €", "35,00 €", "120,00 €", "125,00 €", "10,00 €"):
        assert amount in text
    assert "Appelé, encaissé, reste dû : par mois" in text
    assert "par type de membre" in text
    assert "Ma suite comptable (CSV)" in text
    assert "bordereau 1" in text
    assert "bordereau d&#x27;annulations et de réductions 1" in text
    assert "Calcul 1" in text


def test_each_status_leads_to_the_titres_it_counts(client, world, titres):
    account(client, "lecture", world.issuer)
    page = client.get(address("campaign", titres[0]))
    for row in page.context["statuses"]:
        listed = client.get(row["url"]).context["cl"]
        assert listed.result_count == row["sums"].titres == 1
    assert client.get(page.context["titres_url"]).context["cl"].result_count == 3


def test_the_page_takes_few_queries_and_no_more_for_more_titres(
    client, world, titres, layout, django_assert_max_num_queries
):
    account(client, "finances", world.issuer)
    url = address("campaign", titres[0])
    with django_assert_max_num_queries(20) as few:
        client.get(url)
    for _ in range(3):
        world.join(1)
    world.issue(on=day(90))
    with django_assert_max_num_queries(len(few)):
        client.get(url)


def test_what_changed_since_the_issue_is_shown_when_asked_for(client, world, titres):
    account(client, "finances", world.issuer)
    url = address("campaign", titres[0])
    assert "Comparer les titres" in words(client.get(url))
    assert "Ni les effectifs ni les listes" in words(client.get(f"{url}?ecarts=1"))
    Enrolment.objects.filter(convention__party=world.members[2]).order_by("pk").first().delete()
    assert "Liste d'écoles changée après le titre" in words(client.get(f"{url}?ecarts=1"))


@pytest.mark.parametrize("role", ["gestionnaire", "finances", "lecture"])
def test_who_reads_titres_reads_the_page_and_its_files(client, world, titres, layout, role):
    account(client, role, world.issuer)
    assert client.get(address("campaign", titres[0])).status_code == 200
    for name in FILES:
        assert client.get(address(name, titres[0])).status_code == 200
    assert client.get(address("campaign-csv", titres[0], layout.pk)).status_code == 200


def test_who_may_not_read_payments_is_refused(client, world, titres, layout):
    user = account(client, "nobody", world.issuer)
    user.user_permissions.add(Permission.objects.get(codename="view_titre"))
    for name in ("campaign", *FILES, "campaign-announce"):
        assert client.get(address(name, titres[0])).status_code == 403
    assert client.get(address("campaign-csv", titres[0], layout.pk)).status_code == 403


def test_the_campaign_of_another_issuer_is_not_found(client, world, titres, layout):
    account(client, "finances", IssuerFactory(code="AUTRE"))
    for name in ("campaign", *FILES, "campaign-announce"):
        assert client.get(address(name, titres[0])).status_code == 404
    assert client.get(address("campaign-csv", titres[0], layout.pk)).status_code == 404


def test_nobody_sees_anything_without_signing_in(client, titres, layout):
    for name in ("campaign", *FILES, "campaign-announce"):
        assert client.get(address(name, titres[0])).url.startswith(reverse("admin:login"))


def test_the_pages_are_only_read(client, world, titres, layout):
    account(client, "finances", world.issuer)
    for name in ("campaign", *FILES):
        assert client.post(address(name, titres[0])).status_code == 405


def test_downloads_are_told_to_the_journal(client, world, titres, layout):
    account(client, "finances", world.issuer)
    client.get(address("campaign-workbook", titres[0]))
    client.get(address("campaign-csv", titres[0], layout.pk))
    client.get(address("campaign-pdf", titres[0]))
    told = JournalEntry.objects.filter(actor="finances").order_by("pk").values_list("action", "summary")
    stem = f"appel-{world.schedule.code}-2024-2025"
    assert [(action, summary.split(" : ")[1]) for action, summary in told] == [
        ("export", f"{stem}.xlsx"),
        ("export", f"{stem}-ma-suite-comptable.csv"),
        ("download", f"{stem}-pdf.zip"),
    ]


def test_the_workbook_is_a_file_to_save(client, world, titres):
    account(client, "finances", world.issuer)
    answer = client.get(address("campaign-workbook", titres[0]))
    assert load_workbook(io.BytesIO(answer.content)).sheetnames[0] == "Synthèse"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"].startswith("attachment")


def test_a_character_that_a_layout_cannot_write_is_told_on_the_page(client, world, titres, layout):
    ExportLayout.objects.filter(pk=layout.pk).update(encoding="cp1252")
    layout.columns.update(title="Réf ő")
    account(client, "finances", world.issuer)
    page = client.get(address("campaign-csv", titres[0], layout.pk), follow=True)
    assert "ne s&#x27;écrit pas en Windows-1252" in page.content.decode()


def test_the_admin_page_and_list_of_campaigns_lead_to_it(client, world, titres):
    account(client, "lecture", world.issuer)
    target = address("campaign", titres[0])
    assert target in client.get(reverse("admin:invoicing_campaign_changelist")).content.decode()
    action = reverse("admin:invoicing_campaign_yearly_call", args=[titres[0].campaign_id])
    assert client.get(action).url == target


# --- The ZIP of the PDFs ----------------------------------------------------------------------


def archive_of(titre):
    campaign = campaign_of(titre)
    stream = campaign_documents.stream(campaign, titre.bordereau.issued_at)
    return zipfile.ZipFile(io.BytesIO(b"".join(stream)))


def manifest_of(archive):
    text = archive.read("manifeste.csv").decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))


def test_the_zip_holds_every_pdf_and_the_manifest_proves_it(world, titres):
    archive = archive_of(titres[0])
    rows = manifest_of(archive)
    names = set(archive.namelist()) - {"manifeste.csv"}
    assert {row["fichier"] for row in rows} == names
    folders = [name.partition("/")[0] for name in sorted(names)]
    assert folders == ["bordereaux"] * 2 + ["corrections"] + ["titres"] * 3
    for row in rows:
        content = archive.read(row["fichier"])
        assert row["SHA-256"] == hashlib.sha256(content).hexdigest()
        assert int(row["octets"]) == len(content)
        assert row["remarque"] == ""
    assert {row["numéro"] for row in rows if row["nature"] == "Titre"} == {"1", "2", "3"}


def test_a_damaged_pdf_is_left_out_and_told(world, titres):
    link = TitreDocument.objects.get(titre=titres[0])
    with default_storage.open(link.document.path, "wb") as file:
        file.write(b"autre chose")
    archive = archive_of(titres[0])
    [row] = [row for row in manifest_of(archive) if row["pièce"] == titres[0].reference]
    assert "sauvegarde" in row["remarque"]
    assert len(archive.namelist()) == 6


def test_the_number_of_the_accountant_is_given_too(world, titres):
    kept = TitreDocument.objects.get(titre=titres[0]).document
    TitreDocument.objects.create(titre=titres[0], role=TitreDocument.Role.NUMBERED, document=kept)
    assert f"titres/{titres[0].reference}-numerote.pdf" in archive_of(titres[0]).namelist()


def test_the_zip_takes_the_same_queries_whatever_its_length(world, titres, django_assert_num_queries):
    with django_assert_num_queries(4):
        archive_of(titres[0])
    annul(world, titres[0], day(90))
    with django_assert_num_queries(4):
        archive_of(titres[0])
    assert BordereauDocument.objects.count() == 2
