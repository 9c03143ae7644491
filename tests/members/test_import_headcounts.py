"""Headcounts and usages: which rows are kept, and what the report says of the others."""

import datetime as dt

import pytest
from django.utils import timezone

from members.models import Headcount, School, Usage
from tests.factories import HeadcountSourceFactory, SchoolFactory
from tests.members.files import run, run_refused, snapshot, with_columns, write_csv, write_xlsx

pytestmark = pytest.mark.django_db

HEADER = "uai;annee_scolaire;eleves;eleves_actifs;source"
PETIT_PRINCE = "0310891A;2024-2025;143;;DEPP"
COLLEGE = "0341301E;2024-2025;412;380;DEPP"


@pytest.fixture(autouse=True)
def sources():
    HeadcountSourceFactory(code="DEPP", rank=1)
    HeadcountSourceFactory(code="MANUEL", rank=2)
    HeadcountSourceFactory(code="IPS", rank=4, billable=False)


@pytest.fixture
def schools():
    return [SchoolFactory(uai="0310891A"), SchoolFactory(uai="0341301E", degree="college")]


def counts(tmp_path, *rows, header=HEADER, **form):
    return write_csv(tmp_path / "effectifs.csv", header, *rows, **form)


def test_it_works(tmp_path, schools):
    outcome = run("import_headcounts", counts(tmp_path, PETIT_PRINCE, COLLEGE))

    assert outcome.counts == (2, 2, 0, 0, 0, 0)
    assert snapshot()["headcounts"] == [
        ("0310891A", 2024, "DEPP", 143),
        ("0341301E", 2024, "DEPP", 412),
    ]
    assert snapshot()["usages"] == [("0341301E", 2024, "DEPP", 380)]


def test_the_same_file_twice_changes_nothing(tmp_path, schools):
    path = counts(tmp_path, PETIT_PRINCE, COLLEGE)
    run("import_headcounts", path)
    before = snapshot()
    assert run("import_headcounts", path).counts == (2, 0, 0, 2, 0, 0)
    assert snapshot() == before


@pytest.mark.parametrize(
    ("row", "heads", "active"),
    [
        ("0341301E;2024-2025;415;380;DEPP", 415, 380),
        ("0341301E;2024-2025;412;381;DEPP", 412, 381),
        ("0341301E;2024-2025;415;381;DEPP", 415, 381),
    ],
)
def test_a_changed_row_updates_and_counts_once(tmp_path, schools, row, heads, active):
    run("import_headcounts", counts(tmp_path, COLLEGE))
    outcome = run("import_headcounts", counts(tmp_path, row))
    assert outcome.counts == (1, 0, 1, 0, 0, 0)
    assert (Headcount.objects.get().pupils, Usage.objects.get().active_pupils) == (heads, active)


def test_an_updated_count_says_when(tmp_path, schools):
    run("import_headcounts", counts(tmp_path, COLLEGE))
    long_ago = timezone.make_aware(dt.datetime(2020, 1, 1))
    Headcount.objects.update(recorded_at=long_ago)
    Usage.objects.update(recorded_at=long_ago)

    run("import_headcounts", counts(tmp_path, "0341301E;2024-2025;415;381;DEPP"))

    assert Headcount.objects.get().recorded_at > long_ago
    assert Usage.objects.get().recorded_at > long_ago


def test_a_usage_that_comes_after_its_count_updates(tmp_path, schools):
    run("import_headcounts", counts(tmp_path, "0341301E;2024-2025;412;;DEPP"))
    assert run("import_headcounts", counts(tmp_path, COLLEGE)).counts == (1, 0, 1, 0, 0, 0)
    assert Usage.objects.get().active_pupils == 380


def test_a_usage_alone_is_created(tmp_path, schools):
    outcome = run("import_headcounts", counts(tmp_path, "0341301E;2024-2025;;380;MANUEL"))
    assert outcome.counts == (1, 1, 0, 0, 0, 0)
    assert not Headcount.objects.exists()


def test_a_blank_never_overwrites_and_is_flagged(tmp_path, schools):
    run("import_headcounts", counts(tmp_path, COLLEGE))
    before = snapshot()
    outcome = run("import_headcounts", counts(tmp_path, "0341301E;2024-2025;;;DEPP"))
    assert outcome.counts == (1, 0, 0, 1, 0, 1)
    assert outcome.flagged == [(2, "eleves", "")]
    assert snapshot() == before


def test_a_row_without_any_count_makes_no_pending_school(tmp_path):
    outcome = run("import_headcounts", counts(tmp_path, "0341301E;2024-2025;;;DEPP", PETIT_PRINCE))
    assert outcome.counts == (2, 1, 0, 1, 0, 2)
    assert outcome.flagged == [(2, "eleves", ""), (3, "uai", "0310891A")]
    assert [school.uai for school in School.objects.order_by("pk")] == ["0310891A"]


def test_years_and_sources_stand_side_by_side(tmp_path, schools):
    run("import_headcounts", counts(tmp_path, COLLEGE))
    outcome = run(
        "import_headcounts",
        counts(tmp_path, "0341301E;2023-2024;400;;DEPP", "0341301E;2024-2025;287;;IPS", COLLEGE),
    )
    assert outcome.counts == (3, 2, 0, 1, 0, 0)
    assert Headcount.objects.count() == 3


def test_a_dry_run_reports_the_same_and_writes_nothing(tmp_path, schools):
    run("import_headcounts", counts(tmp_path, PETIT_PRINCE))
    path = counts(
        tmp_path, "0310891A;2024-2025;150;;DEPP", "0312522Y;2024-2025;89;;DEPP", "x;2024-2025;1;;DEPP"
    )
    before = snapshot()
    tried = run("import_headcounts", path, dry_run=True)
    assert snapshot() == before
    done = run("import_headcounts", path)
    assert tried.counts == done.counts == (3, 1, 1, 0, 1, 1)
    assert tried.refused == done.refused
    assert tried.flagged == done.flagged


@pytest.mark.parametrize(
    ("row", "field", "value"),
    [
        ("0310891B;2024-2025;143;;DEPP", "uai", "0310891B"),
        (";2024-2025;143;;DEPP", "uai", ""),
        ("0310891A;2024;143;;DEPP", "annee_scolaire", "2024"),
        ("0310891A;2024-2026;143;;DEPP", "annee_scolaire", "2024-2026"),
        ("0310891A;;143;;DEPP", "annee_scolaire", ""),
        ("0310891A;2024-2025;143.5;;DEPP", "eleves", "143.5"),
        ("0310891A;2024-2025;-1;;DEPP", "eleves", "-1"),
        ("0310891A;2024-2025;1,43E+02;;DEPP", "eleves", "1,43E+02"),
        ("0310891A;2024-2025;99999999999;;DEPP", "eleves", "99999999999"),
        ("0310891A;2024-2025;143;3000000000;DEPP", "eleves_actifs", "3000000000"),
        ("0310891A;2024-2025;143;144;DEPP", "eleves_actifs", "144"),
        ("0310891A;2024-2025;143;;BANATIC", "source", "BANATIC"),
        ("0310891A;2024-2025;143;;", "source", ""),
    ],
)
def test_a_bad_row_is_refused_with_line_field_and_value_and_stops_no_other(
    tmp_path, schools, row, field, value
):
    outcome = run("import_headcounts", counts(tmp_path, COLLEGE, row))
    assert outcome.refused == [(3, field, value)]
    assert outcome.report["created"] == 1


def test_a_refused_row_creates_no_school(tmp_path):
    run("import_headcounts", counts(tmp_path, "0310891A;2024-2025;143;;BANATIC"))
    assert not School.objects.exists()


def test_a_count_given_twice_is_refused_everywhere(tmp_path, schools):
    other = "0310891a;2024-2025;150;;depp"
    outcome = run("import_headcounts", counts(tmp_path, PETIT_PRINCE, other, COLLEGE))
    shown = "0310891A 2024-2025 DEPP"
    assert outcome.refused == [(2, "uai", shown), (3, "uai", shown)]
    assert [h.pupils for h in Headcount.objects.order_by("pk")] == [412]


def test_an_unknown_uai_makes_a_pending_school_that_the_annuaire_completes(tmp_path):
    outcome = run("import_headcounts", counts(tmp_path, PETIT_PRINCE))
    assert outcome.counts == (1, 1, 0, 0, 0, 1)
    assert outcome.flagged == [(2, "uai", "0310891A")]
    assert (School.objects.get().name, School.objects.get().degree) == ("", "")

    annuaire = write_csv(
        tmp_path / "annuaire.csv",
        "uai;nom_etablissement;type_etablissement;statut_public_prive;code_commune",
        "0310891A;Le Petit Prince;Ecole;Public;31533",
    )
    assert run("import_annuaire", annuaire).report["updated"] == 1
    school = School.objects.get()
    assert (school.name, school.degree) == ("Le Petit Prince", "premier")
    assert Headcount.objects.get().school == school
    assert not run("import_headcounts", counts(tmp_path, PETIT_PRINCE)).flagged


@pytest.mark.parametrize(
    "form",
    [
        {"encoding": "utf-8-sig"},
        {"newline": "\r\n"},
        {"header": "UAI;Année scolaire;Élèves;Élèves actifs;Source"},
    ],
)
def test_every_form_of_csv_gives_the_same_counts(tmp_path, schools, form):
    run("import_headcounts", counts(tmp_path, PETIT_PRINCE, COLLEGE))
    outcome = run("import_headcounts", counts(tmp_path, PETIT_PRINCE, COLLEGE, **form))
    assert outcome.counts == (2, 0, 0, 2, 0, 0)


def test_the_order_of_the_columns_changes_nothing(tmp_path, schools):
    run("import_headcounts", counts(tmp_path, COLLEGE))
    turned = with_columns([HEADER, COLLEGE], [4, 3, 1, 2, 0])
    outcome = run("import_headcounts", write_csv(tmp_path / "b.csv", *turned))
    assert outcome.counts == (1, 0, 0, 1, 0, 0)


def test_a_workbook_gives_the_same_counts(tmp_path, schools):
    run("import_headcounts", counts(tmp_path, PETIT_PRINCE, COLLEGE))
    path = write_xlsx(tmp_path / "effectifs.xlsx", HEADER, PETIT_PRINCE, COLLEGE)
    assert run("import_headcounts", path).counts == (2, 0, 0, 2, 0, 0)


def test_a_file_without_the_optional_column_is_read(tmp_path, schools):
    path = write_csv(
        tmp_path / "e.csv", "uai;annee_scolaire;eleves;source", "0310891A;2024-2025;143;DEPP"
    )
    assert run("import_headcounts", path).report["created"] == 1


def test_a_file_without_a_required_column_changes_nothing(tmp_path, schools):
    path = counts(tmp_path, PETIT_PRINCE, header=HEADER.replace("source", "origine"))
    assert "source" in run_refused("import_headcounts", path)
