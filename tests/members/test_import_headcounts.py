"""Headcounts and usages: which rows are kept, and what the report says of the others."""

import pytest

from entsvc.journal import command_actor
from members.models import Headcount, School, Usage
from tests.factories import HeadcountSourceFactory, SchoolFactory
from tests.members.files import run, run_refused, snapshot, with_columns, write_csv, write_xlsx
from tests.tariffs.bases import spoken

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
    assert (Headcount.current.get().pupils, Usage.current.get().active_pupils) == (heads, active)


def test_a_changed_count_is_kept_beside_the_one_that_replaces_it(tmp_path, schools):
    run("import_headcounts", counts(tmp_path, COLLEGE))
    run("import_headcounts", counts(tmp_path, PETIT_PRINCE, "0341301E;2024-2025;415;380;DEPP"))

    former, latter = Headcount.objects.filter(school__uai="0341301E").order_by("pk")
    assert (former.pupils, latter.pupils) == (412, 415)
    assert former.recorded_at < former.superseded_at < latter.recorded_at
    assert latter.superseded_at is None
    assert Usage.objects.count() == 1


def test_a_count_says_which_line_of_which_file_gave_it_and_who_sent_it(tmp_path, schools):
    run("import_headcounts", counts(tmp_path, PETIT_PRINCE, COLLEGE))
    kept = Headcount.objects.get(school__uai="0341301E")
    assert (kept.imported.file_name, kept.imported.importer, kept.line) == (
        "effectifs.csv",
        "effectifs",
        3,
    )
    assert kept.recorded_by == command_actor()
    assert Usage.objects.get().line == 3


def test_a_count_that_comes_back_replaces_again(tmp_path, schools):
    for pupils in (143, 150, 143):
        run("import_headcounts", counts(tmp_path, f"0310891A;2024-2025;{pupils};;DEPP"))
    assert [h.pupils for h in Headcount.objects.order_by("pk")] == [143, 150, 143]
    assert Headcount.current.get().pupils == 143


def test_a_usage_that_comes_after_its_count_updates(tmp_path, schools):
    run("import_headcounts", counts(tmp_path, "0341301E;2024-2025;412;;DEPP"))
    assert run("import_headcounts", counts(tmp_path, COLLEGE)).counts == (1, 0, 1, 0, 0, 0)
    assert Usage.objects.get().active_pupils == 380


def test_a_usage_alone_is_created(tmp_path, schools):
    outcome = run("import_headcounts", counts(tmp_path, "0341301E;2024-2025;;380;MANUEL"))
    assert outcome.counts == (1, 1, 0, 0, 0, 0)
    assert not Headcount.objects.exists()


def test_a_file_of_usages_alone_is_read(tmp_path, schools):
    run("import_headcounts", counts(tmp_path, "0341301E;2024-2025;412;;DEPP"))
    header = "uai;annee_scolaire;eleves_actifs;source"
    path = counts(tmp_path, "0341301E;2024-2025;380;DEPP", "0310891A;2024-2025;;DEPP", header=header)
    outcome = run("import_headcounts", path)
    assert outcome.counts == (2, 1, 0, 1, 0, 1)
    assert outcome.flagged == [(3, "eleves_actifs", "")]
    assert Usage.objects.get().active_pupils == 380
    assert Headcount.objects.get().pupils == 412


def test_a_usage_above_the_count_retained_is_refused_and_says_both_numbers(tmp_path, schools):
    rows = ("0341301E;2024-2025;600;;MANUEL", "0341301E;2024-2025;700;;IPS")
    run("import_headcounts", counts(tmp_path, "0341301E;2024-2025;412;;DEPP", *rows))
    path = counts(tmp_path, "0341301E;2024-2025;;413;MANUEL", "0341301E;2024-2025;;412;DEPP")
    outcome = run("import_headcounts", path)
    assert outcome.refused == [(2, "eleves_actifs", "413")]
    [refusal] = outcome.report["refused"]
    assert spoken(refusal["message"]) == (
        "413 élèves actifs pour 412 élèves (source DEPP) : corrigez l'un des deux."
    )
    assert Usage.objects.get().active_pupils == 412


@pytest.mark.parametrize(("active", "refused"), [(120, 0), (121, 1)])
def test_a_usage_is_measured_against_the_count_that_its_own_file_brings(
    tmp_path, schools, active, refused
):
    run("import_headcounts", counts(tmp_path, "0341301E;2024-2025;100;;DEPP"))
    rows = (f"0341301E;2024-2025;;{active};MANUEL", "0341301E;2024-2025;120;;DEPP")
    outcome = run("import_headcounts", counts(tmp_path, *rows))
    assert len(outcome.refused) == refused
    assert Headcount.current.get().pupils == 120


def test_a_usage_above_a_mere_approximation_is_taken_and_flagged(tmp_path, schools):
    run("import_headcounts", counts(tmp_path, "0341301E;2024-2025;60;;IPS"))
    outcome = run("import_headcounts", counts(tmp_path, "0341301E;2024-2025;;80;DEPP"))
    assert (outcome.refused, outcome.flagged) == ([], [(2, "eleves_actifs", "80")])
    assert spoken(outcome.report["flagged"][0]["message"]).startswith(
        "80 élèves actifs pour 60 élèves (source IPS)"
    )
    assert Usage.objects.get().active_pupils == 80


def test_a_usage_above_a_billable_count_is_refused_whatever_the_approximation(tmp_path, schools):
    rows = ("0341301E;2024-2025;60;;MANUEL", "0341301E;2024-2025;90;;IPS")
    run("import_headcounts", counts(tmp_path, *rows))
    outcome = run("import_headcounts", counts(tmp_path, "0341301E;2024-2025;;80;DEPP"))
    assert outcome.refused == [(2, "eleves_actifs", "80")]


def test_a_usage_of_another_year_or_school_is_not_measured_against_this_count(tmp_path, schools):
    run("import_headcounts", counts(tmp_path, "0341301E;2024-2025;100;;DEPP"))
    rows = ("0341301E;2023-2024;;120;DEPP", "0310891A;2024-2025;;120;DEPP")
    assert not run("import_headcounts", counts(tmp_path, *rows)).refused


def test_a_count_below_a_known_usage_is_taken_and_flagged(tmp_path, schools):
    run("import_headcounts", counts(tmp_path, COLLEGE))
    outcome = run("import_headcounts", counts(tmp_path, "0341301E;2024-2025;379;;DEPP"))
    assert outcome.flagged == [(2, "eleves", "0341301E")]
    [flag] = outcome.report["flagged"]
    assert spoken(flag["message"]) == (
        "L'effectif retenu (379, source DEPP) est inférieur à l'usage connu (380, source DEPP) : "
        "corrigez l'un des deux."
    )
    assert Headcount.current.get().pupils == 379
    assert not run("import_headcounts", counts(tmp_path, "0341301E;2024-2025;380;;DEPP")).flagged


def test_only_the_school_year_asked_for_is_taken(tmp_path, schools):
    path = counts(tmp_path, PETIT_PRINCE, "0310891A;2023-2024;150;;DEPP")
    outcome = run("import_headcounts", path, school_year="2023-2024")
    assert (outcome.report["created"], outcome.report["skipped"]) == (1, 1)
    assert Headcount.objects.get().pupils == 150


def test_schools_not_known_yet_are_left_aside_when_asked(tmp_path):
    SchoolFactory(uai="0341301E")
    outcome = run("import_headcounts", counts(tmp_path, PETIT_PRINCE, COLLEGE), known_only=True)
    assert outcome.counts == (2, 1, 0, 0, 0, 0)
    assert outcome.report["skipped"] == 1
    assert School.objects.get().uai == "0341301E"


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
