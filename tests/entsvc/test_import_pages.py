"""The pages of imports: send a file, read what it would do, confirm or abandon, look back."""

import datetime as dt
import io

import openpyxl
import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from entsvc import documents, forms
from entsvc.importing import IMPORTERS, REMARKS, Importer, Layout, Option, Report
from entsvc.models import ImportRecord, StoredDocument, Upload
from invoicing.roles import create_groups
from members.models import Member, User
from tests.factories import IssuerFactory, MemberFactory, valid_siret

pytestmark = pytest.mark.django_db
ONE, TWO = valid_siret(1), valid_siret(2)
LIST = "admin:entsvc_importrecord_changelist"
MEMBERS = ["membres"]


def url(name, *args):
    return reverse(f"admin:entsvc_importrecord_{name}", args=args)


def account(role, name=None):
    create_groups()
    user = User.objects.create(username=name or role, is_staff=True, is_superuser=role == "admin")
    user.groups.set(Group.objects.filter(name=role))
    user.issuers.add(IssuerFactory())
    return user


@pytest.fixture
def gestionnaire(client):
    client.force_login(account("gestionnaire"))
    return client


def file_of(*lines, name="membres.csv", encoding="utf-8"):
    content = ("\n".join(["siret;nom;type", *lines]) + "\n").encode(encoding)
    return SimpleUploadedFile(name, content)


def send(client, *lines, **kwargs):
    return client.post(url("try", *MEMBERS), {"file": file_of(*lines, **kwargs)})


def imported(client, *lines):
    sent = send(client, *lines)
    return client.post(sent.url)


def words(response):
    return " ".join(response.content.decode().split())


def cells(response):
    sheet = openpyxl.load_workbook(io.BytesIO(response.getvalue())).active
    return [list(row) for row in sheet.iter_rows(values_only=True)]


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


# Options.


def whole(text):
    if not text.isdigit():
        raise ValueError("Écrivez un nombre entier.")
    return int(text)


@pytest.fixture
def optional(monkeypatch):
    """An importer with one option of each sort; what it was asked is kept."""
    asked = []

    def apply(records, job):
        asked.append(job.options)
        job.report.created += len(records)
        job.report.flag(None, "siret", "", "Rien sur cette ligne.")

    importer = Importer(
        name="essai",
        title="Essai d'options",
        layouts=(Layout("essai", ("siret",), lambda row, flag, options: row),),
        key=lambda row: row.line,
        key_column="siret",
        apply=apply,
        permissions=(),
        options=(
            Option("limit", "--limit", "Limite", "Combien, à ±20 % près.", whole, default=7),
            Option("strict", "--strict", "Tout refuser", "Au moindre doute.", bool, default=False),
        ),
    )
    monkeypatch.setitem(IMPORTERS, "essai", importer)
    return asked


def try_options(client, **options):
    file = SimpleUploadedFile("a.csv", b"siret\n1\n")
    return client.post(url("try", "essai"), {"file": file, **options})


def test_options_are_fields_of_the_form(gestionnaire, optional):
    page = words(gestionnaire.get(url("try", "essai")))
    assert "Combien, à ±20 % près." in page
    assert 'type="checkbox" name="option_strict"' in page


def test_options_are_taken_from_the_form_and_told_in_the_history(gestionnaire, optional):
    sent = try_options(gestionnaire, option_limit="12", option_strict="on")
    gestionnaire.post(sent.url)
    assert optional == [{"limit": 12, "strict": True}] * 2
    page = gestionnaire.get(url("change", ImportRecord.objects.get().pk))
    assert page.context["options"] == [("Limite", "12"), ("Tout refuser", "oui")]
    assert "—" in words(page)


def test_an_option_left_blank_is_its_default(gestionnaire, optional):
    assert try_options(gestionnaire).status_code == 302
    assert optional == [{"limit": 7, "strict": False}]


def test_a_wrong_option_is_told_beside_its_field(gestionnaire, optional):
    page = try_options(gestionnaire, option_limit="beaucoup")
    assert page.context["form"].errors == {"option_limit": ["Écrivez un nombre entier."]}
    assert optional == []


# Who may do what.


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
    finances = {
        name
        for name, importer in IMPORTERS.items()
        if all(permission.startswith("invoicing.") for permission in importer.permissions)
    }
    assert offered == IMPORTERS.keys() - finances
    assert "numeros-comptable" in finances


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
    assert alone == {"conventions", "numeros-comptable", "encaissements"}


def test_an_import_is_limited_to_the_issuers_of_the_account(gestionnaire, optional, monkeypatch):
    seen = []
    limited = Importer(**{**vars(IMPORTERS["essai"]), "apply": lambda _, job: seen.append(job.issuers)})
    monkeypatch.setitem(IMPORTERS, "essai", limited)
    try_options(gestionnaire)
    gestionnaire.force_login(account("admin"))
    try_options(gestionnaire)
    [issuer] = User.objects.get(username="gestionnaire").issuers.order_by("pk")
    assert seen == [{issuer.pk}, None]


# The history.


def keep(count):
    document = documents.store(b"x", content_type="text/csv", suffix=".csv")
    report = Report("a.csv", rows=1234, created=3)
    for line in range(2, 6):
        report.refuse(line, "siret", "x", "Faux.")
    for number in range(count):
        ImportRecord.objects.create(
            importer="membres", file_name=f"{number}.csv", document=document, actor="a",
            report=report.as_json(),
        )  # fmt: skip


def test_the_history_counts_without_reading_the_reports(gestionnaire, django_assert_max_num_queries):
    keep(30)
    with django_assert_max_num_queries(20):
        page = gestionnaire.get(url("changelist"))
    rows = list(page.context["cl"].result_list)
    assert "report" in rows[0].get_deferred_fields()
    assert (rows[0].count_rows, rows[0].count_created, rows[0].count_refused) == (1234, 3, 4)
    assert [row.at for row in rows] == sorted((row.at for row in rows), reverse=True)


def test_a_page_of_the_history_makes_few_queries(gestionnaire, django_assert_max_num_queries):
    keep(1)
    with django_assert_max_num_queries(20):
        gestionnaire.get(url("change", ImportRecord.objects.get().pk))


@pytest.mark.parametrize("column", range(2, 10))
def test_the_history_is_sorted_by_any_of_its_columns(gestionnaire, column):
    keep(3)
    assert gestionnaire.get(url("changelist"), {"o": column}).status_code == 200


def test_the_history_is_filtered_by_kind_and_found_by_fingerprint(gestionnaire):
    keep(2)
    for query, found in (
        ({"importer": "membres"}, 2),
        ({"importer": "annuaire"}, 0),
        ({"q": "1.csv"}, 1),
    ):
        assert gestionnaire.get(url("changelist"), query).context["cl"].result_count == found


def test_the_history_is_never_written_by_hand(client):
    keep(1)
    client.force_login(account("admin"))
    assert client.get(reverse("admin:entsvc_importrecord_add")).status_code == 403
    delete = reverse("admin:entsvc_importrecord_delete", args=[ImportRecord.objects.get().pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403


def test_an_unknown_row_of_history_leads_back_to_the_list(gestionnaire):
    assert gestionnaire.get(url("change", "inconnu")).status_code == 302


def test_an_importer_that_is_no_more_keeps_its_history(gestionnaire, monkeypatch):
    keep(1)
    record = ImportRecord.objects.get()
    monkeypatch.delitem(IMPORTERS, "membres")
    gestionnaire.force_login(account("admin"))
    assert gestionnaire.get(url("change", record.pk)).context["kind"] == "membres"
    assert gestionnaire.get(url("changelist")).status_code == 200
