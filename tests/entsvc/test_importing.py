"""The one shape of every import: check each row, plan, then apply in one transaction."""

import datetime as dt
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entsvc.cells import RowError, parse_count, parse_date
from entsvc.changes import plan_changes, write
from entsvc.importing import REMARKS, Importer, Layout, run_import
from entsvc.models import ImportRecord, JournalEntry
from entsvc.tabular import UnreadableFile
from members.models import Member
from tests.factories import MemberFactory, valid_siret

FIELDS = ["name", "city"]


@dataclass(frozen=True)
class Record:
    line: int
    member: Member


def parse(row, flag, options):
    if row.values["nom"] == "faux":
        flag("nom", "faux", "Drôle de nom.")
        raise RowError("nom", "faux", "Ce nom est faux.")
    if not row.values["nom"]:
        flag("nom", "", "Sans nom.")
    return Record(row.line, Member(siret=row.values["siret"], name=row.values["nom"]))


def apply(records, job):
    plan = plan_changes(Member, "siret", (r.member for r in records), FIELDS)
    plan.count_in(job.report)
    write(plan, Member, FIELDS)


IMPORTER = Importer(
    name="essai",
    title="Essai",
    layouts=(Layout(name="essai", columns=("siret", "nom"), aliases={"numero": "siret"}, parse=parse),),
    permissions=(),
    key=lambda record: record.member.siret,
    key_column="siret",
    apply=apply,
)
ONE, TWO, THREE = (valid_siret(number) for number in (1, 2, 3))


@pytest.fixture
def imported(tmp_path, db):
    def run(*lines, dry_run=False, importer=IMPORTER):
        path = tmp_path / "essai.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return run_import(importer, path, dry_run=dry_run, actor="essai")

    return run


def test_it_works(imported):
    report = imported("siret;nom", f"{ONE};Un", f"{TWO};Deux")
    assert (report.rows, report.created, report.updated, report.unchanged) == (2, 2, 0, 0)
    assert set(Member.objects.values_list("name", flat=True)) == {"Un", "Deux"}


def test_a_column_may_have_another_name(imported):
    assert imported("Numéro;nom", f"{ONE};Un").created == 1


def test_a_column_and_its_other_name_together_are_refused(imported):
    with pytest.raises(UnreadableFile, match="double.*siret"):
        imported("siret;numéro;nom", f"{ONE};{TWO};Un")


def test_a_missing_column_is_told_with_those_that_were_read(imported):
    with pytest.raises(UnreadableFile, match=r"absente de essai\.csv : nom\. .*siret, adresse"):
        imported("siret;adresse", f"{ONE};ici")


def test_a_row_wider_than_the_header_is_refused(imported):
    report = imported("siret;nom;", f"{ONE};Un;;", f"{TWO};Deux;;trop", f"{THREE};Trois;trop")
    assert (report.rows, report.created) == (3, 1)
    found = [(f.line, f.field, f.value) for f in report.refused]
    assert found == [(3, "colonne 4", "trop"), (4, "colonne 3", "trop")]
    assert report.refused[0].message.startswith("Cellule en trop")


def test_findings_come_in_the_order_of_the_lines(imported):
    report = imported(
        "siret;nom", f"{TWO};Deux", f"{ONE};faux", f"{THREE};", f"{TWO};Encore", f"{ONE};faux"
    )
    assert [finding.line for finding in report.refused] == [2, 3, 5, 6]
    assert [finding.line for finding in report.flagged] == sorted(f.line for f in report.flagged)


def test_what_the_rooms_above_say_comes_before_the_rest(imported, monkeypatch):
    def remark(job):
        job.report.flag(3, "nom", "", "Titre émis.")
        job.report.flag(None, "nom", "", "Inscrite.")

    def apply_and_flag(records, job):
        for line in (None, 2):
            job.report.flag(line, "nom", "", "À voir.")

    monkeypatch.setitem(REMARKS, IMPORTER.name, [remark])
    noisy = Importer(**{**vars(IMPORTER), "apply": apply_and_flag})
    report = imported("siret;nom", f"{ONE};Un", importer=noisy)
    assert [(f.line, f.message) for f in report.flagged] == [
        (None, "Inscrite."), (3, "Titre émis."), (None, "À voir."), (2, "À voir."),
    ]  # fmt: skip


def test_an_import_that_only_moves_leaves_its_history(imported):
    def apply_and_move(records, job):
        job.report.moved += 1

    mover = Importer(**{**vars(IMPORTER), "apply": apply_and_move})
    for _ in range(2):
        imported("siret;nom", f"{ONE};Un", importer=mover)
    assert ImportRecord.objects.count() == 2


def test_a_row_refused_is_refused_once_and_no_twin_of_it_is_said(imported):
    report = imported("siret;nom", f"{ONE};faux", f"{ONE};Un")
    assert [(f.line, f.field) for f in report.refused] == [(2, "nom")]
    assert report.created == 1


def test_what_was_written_is_in_the_journal_with_the_file_s_fingerprint(imported):
    imported("siret;nom", f"{ONE};Un", f"{TWO};faux")
    entry = JournalEntry.objects.get()
    record = ImportRecord.objects.get()
    assert (entry.actor, entry.action) == ("essai", "import")
    assert entry.target == f"entsvc.importrecord:{record.pk}"
    assert (entry.data["created"], entry.data["refused"]) == (1, 1)
    assert len(entry.data["sha256"]) == 64


def test_what_changed_nothing_is_not_in_the_journal(imported):
    imported("siret;nom", f"{ONE};Un")
    imported("siret;nom", f"{ONE};Un")
    imported("siret;nom", f"{TWO};Deux", dry_run=True)
    assert JournalEntry.objects.count() == 1


def test_a_failure_while_applying_leaves_nothing_behind(tmp_path, db):
    def apply_then_fail(records, report):
        apply(records, report)
        raise RuntimeError("panne")

    broken = Importer(**{**vars(IMPORTER), "apply": apply_then_fail})
    path = tmp_path / "essai.csv"
    path.write_text(f"siret;nom\n{ONE};Un\n")
    with pytest.raises(RuntimeError):
        run_import(broken, path, dry_run=False, actor="essai")
    assert not Member.objects.exists()
    assert not JournalEntry.objects.exists()


# The plan.


@pytest.mark.django_db
def test_a_plan_creates_updates_and_leaves():
    MemberFactory(siret=ONE, name="Un", city="Ici")
    MemberFactory(siret=TWO, name="Deux", city="Ici")
    wanted = [
        Member(siret=ONE, name="Un", city=""),
        Member(siret=TWO, name="Deux bis", city=""),
        Member(siret=THREE, name="Trois"),
    ]
    plan = plan_changes(Member, "siret", wanted, FIELDS)
    assert ([m.siret for m in plan.create], [m.siret for m in plan.update], plan.unchanged) == (
        [THREE],
        [TWO],
        1,
    )
    assert plan.update[0].city == "Ici"


@pytest.mark.django_db
def test_a_plan_reads_the_table_once(django_assert_num_queries):
    for number in range(10):
        MemberFactory(siret=valid_siret(number))
    with django_assert_num_queries(1):
        plan_changes(Member, "siret", [Member(siret=valid_siret(n)) for n in range(20)], FIELDS)


# Values.


@pytest.mark.parametrize(
    ("text", "day"),
    [("2024-06-20", dt.date(2024, 6, 20)), ("20/06/2024", dt.date(2024, 6, 20)), ("", None)],
)
def test_dates_are_read_as_people_write_them(text, day):
    assert parse_date("date", text) == day


@pytest.mark.parametrize("text", ["20-06-2024", "2024-02-30", "06/20/2024", "hier", "45463"])
def test_what_is_no_date_is_refused(text):
    with pytest.raises(RowError) as refusal:
        parse_date("date_fin", text)
    assert (refusal.value.column, refusal.value.value) == ("date_fin", text)


@given(st.integers(0, 999_999_999))
def test_a_count_is_read_back(number):
    assert parse_count("eleves", str(number)) == number


def test_no_count_is_not_zero():
    assert parse_count("eleves", "") is None
    assert parse_count("eleves", "0") == 0


@pytest.mark.parametrize(
    "text", ["-1", "1.5", "1,5", "1 213", "1e3", "douze", "²", "٣", "9" * 10, "9" * 5000]
)
def test_what_is_no_count_is_refused(text):
    with pytest.raises(RowError):
        parse_count("eleves", text)
