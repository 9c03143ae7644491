"""A file sent by an account: tried, confirmed once, abandoned; its refused rows given back."""

import datetime as dt
import io
import json

import openpyxl
import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from entsvc import uploads
from entsvc.documents import CorruptDocument
from entsvc.importing import IMPORTERS, LOCK, Finding, Importer, Layout, Option, Report, run_import
from entsvc.models import ImportRecord, JournalEntry, StoredDocument, Upload
from entsvc.refusals import FLAGGED, REFUSED, write_rows
from entsvc.tabular import UnreadableFile, read_table
from members.models import Member, User
from tests.factories import IssuerFactory, MemberFactory, valid_siret
from tests.invoicing.scratch import POSTGRESQL, until

pytestmark = pytest.mark.django_db
ONE, TWO, THREE = (valid_siret(number) for number in (1, 2, 3))
HEADER = "siret;nom;type"
MEMBERS = "membres"


@pytest.fixture
def admin(db):
    return User.objects.create(username="admin", is_staff=True, is_superuser=True)


def tried(user, *lines, name="membres.csv", encoding="utf-8"):
    content = ("\n".join([HEADER, *lines]) + "\n").encode(encoding)
    return uploads.try_file(IMPORTERS[MEMBERS], [content], name=name, given={}, user=user)


def test_it_works(admin):
    upload = tried(admin, f"{ONE};Un;commune", "x;Deux;commune")
    assert (upload.report["created"], len(upload.report["refused"])) == (1, 1)
    assert not Member.objects.exists()
    record = uploads.confirm(upload, user=admin)
    assert (record.actor, record.file_name, record.importer) == ("admin", "membres.csv", MEMBERS)
    assert Member.objects.get().name == "Un"
    assert not Upload.objects.exists()


def test_trying_writes_nothing_but_the_file_to_confirm(admin):
    tried(admin, f"{ONE};Un;commune")
    assert Upload.objects.count() == 1
    assert not ImportRecord.objects.exists()
    assert not JournalEntry.objects.exists()


def test_a_file_of_an_old_spreadsheet_is_read_in_its_encoding(admin):
    uploads.confirm(tried(admin, f"{ONE};Évry;commune", encoding="cp1252"), user=admin)
    assert Member.objects.get().name == "Évry"


@pytest.mark.parametrize("content", [b"\x89PNG\x00", b"", b"autre;colonne\n1;2\n", b'"jamais ferm'])
def test_nothing_is_kept_of_an_unreadable_file(admin, content):
    with pytest.raises(UnreadableFile, match="envoi.csv"):
        uploads.try_file(IMPORTERS[MEMBERS], [content], name="envoi.csv", given={}, user=admin)
    assert not Upload.objects.exists()
    assert not StoredDocument.objects.exists()


def test_a_second_click_is_told_that_the_file_is_already_imported(admin):
    upload = tried(admin, f"{ONE};Un;commune")
    uploads.confirm(upload, user=admin)
    with pytest.raises(uploads.NotWaiting, match="déjà été importé ou abandonné"):
        uploads.confirm(upload, user=admin)
    assert ImportRecord.objects.count() == 1


def test_a_click_that_arrives_while_the_first_is_importing_writes_nothing(admin, monkeypatch):
    """The row is there when the click begins and gone when its import would commit."""
    upload = tried(admin, f"{ONE};Un;commune")
    upload_id = upload.pk

    def first_click_ends_meanwhile(*args, **kwargs):
        Upload.objects.filter(pk=upload_id).delete()
        return run_import(*args, **kwargs)

    monkeypatch.setattr(uploads, "run_import", first_click_ends_meanwhile)
    with pytest.raises(uploads.NotWaiting):
        uploads.confirm(upload, user=admin)
    assert not Member.objects.exists()
    assert not ImportRecord.objects.exists()


def test_a_click_whose_file_the_first_has_just_taken_is_told_so(admin, monkeypatch):
    upload = tried(admin, f"{ONE};Un;commune")

    def first_click_ends_meanwhile(kept):
        Upload.objects.all().delete()
        raise CorruptDocument("Le fichier est absent.")

    monkeypatch.setattr(uploads.documents, "read", first_click_ends_meanwhile)
    with pytest.raises(uploads.NotWaiting):
        uploads.confirm(upload, user=admin)


def test_a_file_is_abandoned_once_and_leaves_no_row(admin):
    upload = tried(admin, f"{ONE};Un;commune")
    uploads.abandon(upload)
    assert not Upload.objects.exists()
    with pytest.raises(uploads.NotWaiting):
        uploads.abandon(upload)


def test_a_file_only_tried_is_no_stored_document_and_goes_when_abandoned(
    admin, django_capture_on_commit_callbacks
):
    upload = tried(admin, f"{ONE};Un;commune")
    assert upload.path.startswith("uploads/")
    assert upload.size == default_storage.size(upload.path)
    assert not StoredDocument.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        uploads.abandon(upload)
    assert not default_storage.exists(upload.path)
    assert not StoredDocument.objects.exists()


def test_a_confirmed_file_becomes_a_stored_document(admin, django_capture_on_commit_callbacks):
    upload = tried(admin, f"{ONE};Un;commune")
    with django_capture_on_commit_callbacks(execute=True):
        record = uploads.confirm(upload, user=admin)
    assert (record.document.sha256, record.document.size) == (upload.sha256, upload.size)
    assert not default_storage.exists(upload.path)


def test_a_plan_that_changed_stores_no_document_yet(admin):
    upload = tried(admin, f"{ONE};Un;commune")
    MemberFactory(siret=ONE, name="Autre")
    with pytest.raises(uploads.PlanChanged):
        uploads.confirm(upload, user=admin)
    assert default_storage.exists(upload.path)
    assert not default_storage.exists(f"documents/{upload.sha256[:2]}/{upload.sha256[2:4]}")


@pytest.mark.parametrize("content", [b"siret;nom;type\n", None])
def test_a_tried_file_changed_or_lost_meanwhile_is_not_imported(admin, content):
    upload = tried(admin, f"{ONE};Un;commune")
    default_storage.delete(upload.path)
    if content is not None:
        with default_storage.open(upload.path, "wb") as stream:
            stream.write(content)
    with pytest.raises(CorruptDocument):
        uploads.confirm(upload, user=admin)
    assert not Member.objects.exists()


def test_files_waiting_for_more_than_thirty_days_are_forgotten(
    admin, django_capture_on_commit_callbacks
):
    old, recent = (tried(admin, f"{siret};Un;commune") for siret in (ONE, TWO))
    now = timezone.now()
    Upload.objects.filter(pk=old.pk).update(at=now - dt.timedelta(days=31))
    Upload.objects.filter(pk=recent.pk).update(at=now - dt.timedelta(days=29))
    with django_capture_on_commit_callbacks(execute=True):
        uploads.forget_old(now)
    assert Upload.objects.get() == recent
    assert not default_storage.exists(old.path)
    assert default_storage.exists(recent.path)


def test_a_plan_that_changed_since_it_was_shown_is_shown_again_and_not_applied(admin):
    upload = tried(admin, f"{ONE};Un;commune", f"{TWO};Deux;commune")
    MemberFactory(siret=TWO, name="Autre")
    with pytest.raises(uploads.PlanChanged):
        uploads.confirm(upload, user=admin)
    assert Member.objects.get().name == "Autre"
    assert not ImportRecord.objects.exists()
    upload.refresh_from_db()
    assert (upload.report["created"], upload.report["updated"]) == (1, 1)
    assert upload.report["dry_run"] is True
    assert uploads.confirm(upload, user=admin).report["updated"] == 1


def test_the_same_file_again_leaves_no_second_row_of_history(admin):
    lines = [f"{ONE};Un;commune", "x;Deux;commune"]
    assert uploads.confirm(tried(admin, *lines), user=admin)
    assert uploads.confirm(tried(admin, *lines), user=admin) is None
    assert (ImportRecord.objects.count(), JournalEntry.objects.count()) == (1, 1)
    assert StoredDocument.objects.count() == 1


def test_the_same_plan_is_the_same_counts_for_the_same_rows():
    one, other = (Report("a", rows=1, created=1, dry_run=dry_run) for dry_run in (True, False))
    assert one.plan() == other.plan()
    other.refuse(2, "siret", "x", "Faux.")
    assert one.plan() != other.plan()
    one.refuse(3, "siret", "x", "Faux.")
    assert one.plan() != other.plan()
    assert Report("a", absent=1).plan() != Report("a").plan()
    assert Report("a", moved=1).plan() != Report("a").plan()


def test_what_else_is_written_is_a_change_and_is_counted():
    report = Report("a", moved=2)
    assert report.changes
    assert ("autres changements", 2) in report.counts()
    assert report.as_json()["moved"] == 2
    assert "autres changements" not in dict(Report("a").counts())


def test_what_a_complete_file_no_longer_names_is_counted_only_when_there_is_some():
    names = [name for name, _ in Report("a", absent=2, returned=1).counts()]
    assert {"absentes du fichier", "de nouveau dans le fichier"} < set(names)
    assert not {"absentes du fichier", "de nouveau dans le fichier"} & dict(Report("a").counts()).keys()


def test_a_report_is_read_back_as_it_was_kept():
    report = Report("a", rows=3, created=1, skipped=1, dry_run=True)
    report.refuse(2, "siret", "x", "Faux.")
    report.flag(None, "uai", "", "Absente.")
    report.flag(4, "eleves", "", "Titre émis.", issuer=3)
    assert Report.from_json(json.loads(json.dumps(report.to_keep()))) == report


def test_the_document_of_commands_does_not_say_which_issuer_a_finding_concerns():
    report = Report("a")
    report.refuse(2, "siret", "x", "Faux.")
    report.flag(4, "eleves", "", "Titre émis.", issuer=3)
    document = report.as_json()
    for finding in document["refused"] + document["flagged"]:
        assert set(finding) == {"line", "field", "value", "message"}


def test_an_account_reads_the_findings_of_its_issuers_and_of_none():
    report = Report("a", rows=3)
    for issuer in (None, 1, 2):
        report.flag(2, "eleves", str(issuer), "À voir.", issuer=issuer)
    assert [finding.value for finding in report.seen_by(frozenset({2})).flagged] == ["None", "2"]
    assert report.seen_by(None) == report
    assert len(report.flagged) == 3


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("liste.csv", "liste.csv"),
        (r"C:\Users\moi\liste.csv", "liste.csv"),
        ("../../etc/liste.csv", "liste.csv"),
        ("li\x00st\ne.csv", "liste.csv"),
        ("..", "fichier"),
        ("", "fichier"),
        (".csv", ".csv"),
        ("é" * 300 + ".csv", "é" * 73 + ".csv"),
        ("a." + "b" * 300, "a." + "b" * 9),
    ],
)
def test_a_file_keeps_the_name_its_sender_gave_and_nothing_else_of_it(sent, kept):
    assert uploads.base_name(sent) == kept


def test_the_options_given_are_read_again_when_confirming(admin, monkeypatch):
    asked = []

    def apply(records, job):
        asked.append(dict(job.options))
        job.report.created += len(records)

    option = Option("limit", "--limit", "Limite", "", int)
    switch = Option("strict", "--strict", "Strict", "", bool, default=False)
    layout = Layout("essai", ("siret",), lambda row, flag, options: row)
    importer = Importer(
        name="essai",
        title="Essai",
        layouts=(layout,),
        key=lambda row: row.line,
        key_column="siret",
        apply=apply,
        permissions=(),
        options=(option, switch),
    )
    monkeypatch.setitem(IMPORTERS, "essai", importer)
    given = {"limit": " 3 ", "strict": True}
    upload = uploads.try_file(importer, [b"siret\n1\n"], name="a.csv", given=given, user=admin)
    record = uploads.confirm(upload, user=admin)
    assert asked == [{"limit": 3, "strict": True}] * 2
    assert record.options == {"limit": "3", "strict": "True"}
    with pytest.raises(uploads.WrongOption, match="Limite : invalid"):
        uploads.try_file(importer, [b"siret\n1\n"], name="a.csv", given={"limit": "x"}, user=admin)


def test_an_account_is_limited_to_its_issuers(admin):
    issuer = IssuerFactory()
    user = User.objects.create(username="moi")
    user.issuers.add(issuer)
    assert uploads.issuers_of(user) == {issuer.pk}
    assert uploads.issuers_of(admin) is None


# Refused rows, given back.


def refused_rows(path, *findings):
    stream = io.BytesIO()
    write_rows(path, [Finding(*finding) for finding in findings], stream, REFUSED)
    sheet = openpyxl.load_workbook(stream).active
    return [[cell or "" for cell in row] for row in sheet.iter_rows(values_only=True)], stream


@pytest.fixture
def source(tmp_path):
    def write(content, name="source.csv"):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        return path

    return write


def test_refused_rows_keep_their_titles_and_zeros_and_say_why(source):
    path = source("Code postal;Nom;\n01000;Un\n02000;Deux\n")
    rows, _ = refused_rows(path, (3, "nom", "Deux", "Faux."))
    assert rows == [["Code postal", "Nom", REFUSED.reason], ["02000", "Deux", "nom « Deux » : Faux."]]


def test_a_row_refused_for_several_reasons_comes_once_with_all_of_them(source):
    path = source("a;b\n1;2\n")
    rows, _ = refused_rows(path, (2, "a", "1", "Faux."), (2, "b", "", "Vide."))
    assert rows[1:] == [["1", "2", "a « 1 » : Faux. ; b : Vide."]]


def test_what_looks_like_a_formula_stays_text(source):
    path = source('a;b\n=1+1;"@SUM(\x07A1)"\n')
    rows, stream = refused_rows(path, (2, "a", "", "Faux."))
    assert rows[1][:2] == ["=1+1", "@SUM( A1)"]
    assert {cell.data_type for cell in openpyxl.load_workbook(stream).active[2]} == {"s"}


def test_a_file_of_refused_rows_that_comes_back_has_one_column_of_reasons(source, tmp_path):
    _, stream = refused_rows(source("a;b\n1;2\n"), (2, "a", "1", "Faux."))
    again = tmp_path / "refus.xlsx"
    again.write_bytes(stream.getvalue())
    rows, _ = refused_rows(again, (2, "b", "2", "Encore."))
    assert rows == [["a", "b", REFUSED.reason], ["1", "2", "b « 2 » : Encore."]]


def test_a_row_too_wide_stays_too_wide_until_it_is_mended(source, tmp_path):
    _, stream = refused_rows(source("a;b\n1;2;3\n"), (2, "colonne 3", "3", "Cellule en trop."))
    again = tmp_path / "refus.xlsx"
    again.write_bytes(stream.getvalue())
    assert [row.beyond for row in read_table(again).rows] == [{4: "3"}]


def test_refused_objects_of_a_json_file_are_given_back_as_rows(source):
    path = source('[{"code": "01", "noms": ["a", "b"]}, {"code": "02"}]', "source.json")
    rows, _ = refused_rows(path, (1, "code", "01", "Faux."))
    assert rows == [["code", "noms", REFUSED.reason], ["01", "a b", "code « 01 » : Faux."]]


def test_only_the_refused_row_of_a_nested_object_is_given_back(source):
    path = source('[{"code": "1", "membres": [{"siren": "a"}, {"siren": "b"}]}]', "source.json")
    rows, _ = refused_rows(path, (2, "membres_siren", "b", "Faux."))
    assert rows[1:] == [["1", "b", "membres_siren « b » : Faux."]]


def test_flagged_rows_are_given_back_after_what_the_file_lacks(source):
    path = source("UAI;Nom;motif à vérifier\n1;Un;ancien\n2;Deux;ancien\n")
    findings = [(3, "nom", "", "À voir."), (None, "uai", "0310001A", "Absente."), (None, "x", "y", "Z.")]
    stream = io.BytesIO()
    write_rows(path, [Finding(*finding) for finding in findings], stream, FLAGGED)
    sheet = openpyxl.load_workbook(stream).active
    assert [[cell or "" for cell in row] for row in sheet.iter_rows(values_only=True)] == [
        ["UAI", "Nom", "motif à vérifier"],
        ["0310001A", "", "uai « 0310001A » : Absente."],
        ["", "", "x « y » : Z."],
        ["2", "Deux", "nom : À voir."],
    ]


def test_refused_rows_once_mended_are_imported_as_they_are(admin, tmp_path):
    upload = tried(admin, f"{ONE};Un;commune", f"{TWO};;commune")
    record = uploads.confirm(upload, user=admin)
    stream = io.BytesIO()
    with uploads.file_of(record.document, record.file_name) as path:
        write_rows(path, Report.from_json(record.report).refused, stream, REFUSED)
    book = openpyxl.load_workbook(stream)
    assert book.active["A2"].value == TWO
    book.active["B2"] = "Deux"
    book.save(tmp_path / "mended.xlsx")
    report = run_import(IMPORTERS[MEMBERS], tmp_path / "mended.xlsx", dry_run=False, actor="essai")
    assert (report.created, report.refused) == (1, [])


# Two clicks at once, by real processes.

READY = """
import django
django.setup()
from entsvc import uploads
from entsvc.importing import IMPORTERS
from entsvc.models import ImportRecord, Upload
from members.models import User
"""
TRY = f"""{READY}
user = User.objects.create(username="clic", is_superuser=True)
content = b"{HEADER}\\n{ONE};Un;commune\\n"
uploads.try_file(IMPORTERS["{MEMBERS}"], [content], name="a.csv", given={{}}, user=user)
"""
CLICK = f"""{READY}
try:
    record = uploads.confirm(Upload.objects.get(), user=User.objects.get(username="clic"))
    print(record.actor)
except (uploads.NotWaiting, Upload.DoesNotExist):
    print("trop tard")
"""
WAITING = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def test_two_clicks_at_once_import_once(scratch):
    tried_once = scratch.run("-c", TRY)
    assert tried_once.returncode == 0, tried_once.stderr
    if POSTGRESQL:
        with scratch.connection() as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
            clicks = [scratch.start("-c", CLICK) for _ in range(2)]
            until(lambda: len(scratch.rows(WAITING)) == 2)
    else:  # SQLite has one writer: nothing shows which process waits
        clicks = [scratch.start("-c", CLICK) for _ in range(2)]
    said = [click.communicate(timeout=120) for click in clicks]
    assert sorted(out.strip() for out, _ in said) == ["clic", "trop tard"], said
    assert scratch.rows("SELECT actor FROM entsvc_importrecord WHERE actor = 'clic'") == [("clic",)]
    assert scratch.rows("SELECT id FROM entsvc_upload") == []
