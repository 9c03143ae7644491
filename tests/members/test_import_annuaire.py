"""The annuaire: which rows become schools, and what the report says of the others."""

import datetime as dt

import pytest

from entsvc.models import JournalEntry
from members.models import School
from tests.factories import SchoolFactory, valid_siret
from tests.members.files import run, run_refused, snapshot, with_columns, write_csv, write_xlsx

pytestmark = pytest.mark.django_db

HEADER = (
    "Identifiant_de_l_etablissement;Nom_etablissement;Type_etablissement;Statut_public_prive;"
    "Adresse_1;Code_postal;Code_commune;Nom_commune;Ecole_maternelle;Ecole_elementaire;"
    "SIREN_SIRET;etat;date_ouverture"
)
PETIT_PRINCE = (
    "0310891A;Ecole élémentaire publique Le Petit Prince;Ecole;Public;11 rue des Ecoles;31600;"
    "31533;Saubens;0;1;21310533100028;OUVERT;1966-05-02"
)
MATERNELLE = (
    "0312522Y;Ecole maternelle publique le petit prince;Ecole;Public;rue des Ecoles;31600;"
    "31533;Saubens;1;0;21310533100044;OUVERT;1965-05-01"
)
COLLEGE = (
    "0341301E;Collège d'essai;Collège;Privé;1 rue du Collège;34000;34172;Montpellier;;;"
    f"{valid_siret(1)};OUVERT;"
)


def annuaire(tmp_path, *rows, header=HEADER, name="annuaire.csv", **form):
    return write_csv(tmp_path / name, header, *rows, **form)


def changed(row, column, value):
    cells = row.split(";")
    cells[HEADER.split(";").index(column)] = value
    return ";".join(cells)


def test_it_works(tmp_path):
    outcome = run("import_annuaire", annuaire(tmp_path, PETIT_PRINCE, MATERNELLE, COLLEGE))

    assert outcome.counts == (3, 3, 0, 0, 0, 0)
    assert outcome.report["file"] == "annuaire.csv"
    school = School.objects.get(uai="0310891A")
    assert (school.degree, school.level, school.sector) == ("premier", "EE", "public")
    assert (school.commune_code, school.commune_name, school.postal_code) == (
        "31533",
        "Saubens",
        "31600",
    )
    assert (school.siren_siret, school.state) == ("21310533100028", "OUVERT")
    assert school.opened_on == dt.date(1966, 5, 2)
    assert School.objects.get(uai="0312522Y").level == "EM"
    college = School.objects.get(uai="0341301E")
    assert (college.degree, college.sector, college.level) == ("college", "prive", "")


def test_a_school_is_found_without_case_nor_accent(tmp_path):
    run("import_annuaire", annuaire(tmp_path, changed(COLLEGE, "Nom_commune", "Évry")))
    assert School.objects.filter(search__contains="evry").exists()


def test_the_date_the_annuaire_writes_when_it_knows_none_is_no_date(tmp_path):
    run("import_annuaire", annuaire(tmp_path, MATERNELLE))
    assert School.objects.get().opened_on is None


def test_the_same_file_twice_changes_nothing(tmp_path):
    path = annuaire(tmp_path, PETIT_PRINCE, MATERNELLE, COLLEGE)
    run("import_annuaire", path)
    before, entries = snapshot(), JournalEntry.objects.count()

    outcome = run("import_annuaire", path)

    assert outcome.counts == (3, 0, 0, 3, 0, 0)
    assert snapshot() == before
    assert JournalEntry.objects.count() == entries


def test_a_changed_row_updates_its_school(tmp_path):
    run("import_annuaire", annuaire(tmp_path, PETIT_PRINCE, MATERNELLE))
    renamed = changed(PETIT_PRINCE, "Nom_etablissement", "École Antoine")

    outcome = run("import_annuaire", annuaire(tmp_path, renamed, MATERNELLE))

    assert outcome.counts == (2, 0, 1, 1, 0, 0)
    school = School.objects.get(uai="0310891A")
    assert school.name == "École Antoine"
    assert "ecole antoine" in school.search


def test_a_blank_never_overwrites(tmp_path):
    run("import_annuaire", annuaire(tmp_path, PETIT_PRINCE))
    blank = PETIT_PRINCE
    for column in ("Adresse_1", "Code_postal", "Nom_commune", "SIREN_SIRET", "date_ouverture"):
        blank = changed(blank, column, "")
    before = snapshot()

    outcome = run("import_annuaire", annuaire(tmp_path, blank))

    assert outcome.report["unchanged"] == 1
    assert snapshot() == before


def test_a_school_absent_from_the_file_is_left_alone(tmp_path):
    absent = SchoolFactory(uai="0341301E")
    run("import_annuaire", annuaire(tmp_path, PETIT_PRINCE))
    assert School.objects.filter(pk=absent.pk, name=absent.name).exists()


def test_a_dry_run_reports_the_same_and_writes_nothing(tmp_path):
    run("import_annuaire", annuaire(tmp_path, PETIT_PRINCE))
    path = annuaire(
        tmp_path,
        changed(PETIT_PRINCE, "Nom_commune", "Saubens-sur-Garonne"),
        changed(MATERNELLE, "etat", "A FERMER"),
        changed(COLLEGE, "Identifiant_de_l_etablissement", "0341301F"),
    )
    before, entries = snapshot(), JournalEntry.objects.count()

    tried = run("import_annuaire", path, dry_run=True)

    assert snapshot() == before
    assert JournalEntry.objects.count() == entries
    done = run("import_annuaire", path)
    assert tried.report.pop("dry_run")
    assert not done.report.pop("dry_run")
    assert tried.report == done.report
    assert done.counts == (3, 1, 1, 0, 1, 1)


@pytest.mark.parametrize(
    ("column", "value", "field"),
    [
        ("Identifiant_de_l_etablissement", "0310891B", "identifiant_de_l_etablissement"),
        ("Identifiant_de_l_etablissement", "", "identifiant_de_l_etablissement"),
        ("Nom_etablissement", "", "nom_etablissement"),
        ("Statut_public_prive", "Mixte", "statut_public_prive"),
        ("Code_commune", "3153", "code_commune"),
        ("SIREN_SIRET", "2,17003E+13", "siren_siret"),
        ("SIREN_SIRET", "2.17003E13", "siren_siret"),
        ("date_ouverture", "1er mai 1965", "date_ouverture"),
    ],
)
def test_a_bad_row_is_refused_with_line_field_and_value_and_stops_no_other(
    tmp_path, column, value, field
):
    path = annuaire(tmp_path, COLLEGE, changed(PETIT_PRINCE, column, value), MATERNELLE)

    outcome = run("import_annuaire", path)

    assert outcome.refused == [(3, field, value)]
    assert outcome.report["created"] == 2
    assert not School.objects.filter(uai="0310891A").exists()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("etat", "A FERMER"),
        ("SIREN_SIRET", ""),
        ("SIREN_SIRET", "21120288800042"),
        ("Statut_public_prive", ""),
    ],
)
def test_what_deserves_a_look_is_flagged_not_refused(tmp_path, column, value):
    outcome = run("import_annuaire", annuaire(tmp_path, changed(PETIT_PRINCE, column, value)))
    assert outcome.flagged == [(2, column.lower(), value)]
    assert not outcome.refused
    assert School.objects.filter(uai="0310891A").exists()


def test_a_key_present_twice_is_refused_everywhere_so_that_no_row_silently_wins(tmp_path):
    annexe = changed(PETIT_PRINCE, "Nom_etablissement", "Annexe")
    outcome = run("import_annuaire", annuaire(tmp_path, PETIT_PRINCE, MATERNELLE, annexe))
    assert outcome.refused == [
        (2, "identifiant_de_l_etablissement", "0310891A"),
        (4, "identifiant_de_l_etablissement", "0310891A"),
    ]
    assert list(School.objects.values_list("uai", flat=True)) == ["0312522Y"]


def test_a_school_stored_before_a_duplicate_stays_as_it_was(tmp_path):
    run("import_annuaire", annuaire(tmp_path, PETIT_PRINCE))
    before = snapshot()
    annexe = changed(PETIT_PRINCE, "Nom_etablissement", "Annexe")
    run("import_annuaire", annuaire(tmp_path, annexe, changed(annexe, "etat", "A FERMER")))
    assert snapshot() == before


FORMS = {
    "LF": {},
    "CRLF": {"newline": "\r\n"},
    "BOM": {"encoding": "utf-8-sig"},
    "BOM and CRLF": {"encoding": "utf-8-sig", "newline": "\r\n"},
    "Windows-1252": {"encoding": "cp1252"},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_of_csv_gives_the_same_schools(tmp_path, form):
    rows = (PETIT_PRINCE, MATERNELLE, COLLEGE)
    run("import_annuaire", annuaire(tmp_path, *rows))
    outcome = run("import_annuaire", annuaire(tmp_path, *rows, **form))
    assert outcome.counts == (3, 0, 0, 3, 0, 0)


@pytest.mark.parametrize(
    "header",
    [
        HEADER.lower(),
        HEADER.upper(),
        HEADER.replace("Code_postal", "Code postal"),
        HEADER.replace("Identifiant_de_l_etablissement", "UAI"),
        HEADER.replace("Identifiant_de_l_etablissement", " Identifiant de l'établissement "),
    ],
)
def test_headers_are_matched_without_case_accents_nor_punctuation(tmp_path, header):
    run("import_annuaire", annuaire(tmp_path, PETIT_PRINCE))
    outcome = run("import_annuaire", annuaire(tmp_path, PETIT_PRINCE, header=header))
    assert outcome.counts == (1, 0, 0, 1, 0, 0)


def test_the_order_of_the_columns_and_columns_unknown_change_nothing(tmp_path):
    lines = [f"{HEADER};Fiche_onisep", f"{PETIT_PRINCE};x", f"{COLLEGE};"]
    run("import_annuaire", annuaire(tmp_path, PETIT_PRINCE, COLLEGE))
    turned = with_columns(lines, list(range(13, -1, -1)))
    outcome = run("import_annuaire", write_csv(tmp_path / "autre.csv", *turned))
    assert outcome.counts == (2, 0, 0, 2, 0, 0)


def test_a_quoted_field_may_hold_the_separator_and_quotes(tmp_path):
    quoted = PETIT_PRINCE.replace("11 rue des Ecoles", '"11; rue ""des"" Ecoles"')
    run("import_annuaire", annuaire(tmp_path, quoted))
    assert School.objects.get().address == '11; rue "des" Ecoles'


def test_a_workbook_gives_the_same_schools(tmp_path):
    run("import_annuaire", annuaire(tmp_path, PETIT_PRINCE, COLLEGE))
    path = write_xlsx(tmp_path / "annuaire.xlsx", HEADER, PETIT_PRINCE, COLLEGE)
    assert run("import_annuaire", path).counts == (2, 0, 0, 2, 0, 0)


def test_the_required_columns_suffice(tmp_path):
    header = "UAI;Nom_etablissement;Type_etablissement;Statut_public_prive;Code_commune"
    outcome = run(
        "import_annuaire",
        write_csv(tmp_path / "a.csv", header, "0310891a ;Petit Prince;ecole;PUBLIC;31533"),
    )
    assert outcome.report["created"] == 1
    school = School.objects.get(uai="0310891A")
    assert (school.degree, school.sector) == ("premier", "public")


@pytest.mark.parametrize(
    "column", ["Identifiant_de_l_etablissement", "Nom_etablissement", "Statut_public_prive"]
)
def test_a_file_without_a_required_column_changes_nothing(tmp_path, column):
    header = HEADER.replace(column, "Autre")
    message = run_refused("import_annuaire", annuaire(tmp_path, PETIT_PRINCE, header=header))
    assert column.lower() in message


def test_a_file_that_names_the_uai_in_two_columns_changes_nothing(tmp_path):
    path = annuaire(tmp_path, f"{PETIT_PRINCE};", header=f"{HEADER};UAI")
    assert "double" in run_refused("import_annuaire", path)


def test_a_file_that_does_not_exist_changes_nothing(tmp_path):
    assert "introuvable" in run_refused("import_annuaire", tmp_path / "absent.csv")


def test_the_import_is_written_in_the_journal(tmp_path):
    run("import_annuaire", annuaire(tmp_path, PETIT_PRINCE, changed(COLLEGE, "Code_commune", "x")))
    entry = JournalEntry.objects.get()
    assert (entry.action, entry.summary) == ("import", "Import annuaire : annuaire.csv")
    assert (entry.data["created"], entry.data["refused"]) == (1, 1)
    assert entry.actor.startswith("système:")
