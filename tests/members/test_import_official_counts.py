"""Counts of official files: every known header, which column is read, for which year, and its traps.

Rows are real ones. Source: ministère de l'Éducation nationale – DEPP, data.education.gouv.fr,
Licence Ouverte / Etalab 2.0.
"""

import datetime as dt

import openpyxl
import pytest
from django.conf import settings

from members.importers.official_counts import rentree
from members.models import Headcount, HeadcountSource, School
from tests.factories import HeadcountSourceFactory, SchoolFactory
from tests.members.files import run, run_refused, snapshot, write_csv

pytestmark = pytest.mark.django_db

DATA = settings.BASE_DIR.parent / "shared" / "data"
real_files = pytest.mark.skipif(not DATA.is_dir(), reason="les fichiers réels ne sont pas là")

ECOLES_2023 = (
    "Rentrée scolaire;Région académique;Académie;Département;Commune;Numéro de l'école;"
    "Dénomination principale;Patronyme;Secteur;REP;REP +;Nombre total de classes;"
    "Nombre total d'élèves;Nombre d'élèves en pré-élémentaire hors ULIS;"
    "Nombre d'élèves en élémentaire hors ULIS;Nombre d'élèves en ULIS;tri;Code Postal"
)
FROMENTIERES_2023 = (
    "{rentree};PAYS DE LA LOIRE;NANTES;MAYENNE;FROMENTIERES;0530215W;ECOLE PRIMAIRE PUBLIQUE;"
    "ELISEE ET BERTHE MAUTAINT;PUBLIC;0;0;4;{eleves};31;45;0;1;53200"
)
ECOLES_API = (
    "rentree_scolaire;code_region_aca;code_region_insee;region_academique;code_academie;academie;"
    "code_departement;departement;code_postal;commune;numero_ecole;denomination_principale;patronyme;"
    "secteur;rep;rep_plus;nombre_total_classes;nombre_total_eleves;"
    "nombre_eleves_preelementaire_hors_ulis;nombre_eleves_elementaire_hors_ulis;nombre_eleves_ulis;"
    "nombre_eleves_ueea"
)
BOURGON = (
    "2024;17;52;PAYS DE LA LOIRE;17;NANTES;53;MAYENNE;53410;BOURGON;0530712L;ECOLE PRIMAIRE PRIVEE;"
    "SAINT JOSEPH;PRIVE;0;0;3;65;19;46;0;0"
)
LAVAL = (
    "2024;17;52;PAYS DE LA LOIRE;17;NANTES;53;MAYENNE;53000;LAVAL;0530859W;ECOLE ELEMENTAIRE PUBLIQUE;"
    "G.S. SAINT EXUPERY;PUBLIC;0;0;5;83;10;65;0;8"
)
LONG_LABEL = (
    "Nombre d'élèves total (nombre d'élèves dans les formations du 1er cycle du 2nd degré et non "
    "du nombre total d'élèves inscrits dans l'établissement, les DIMA et les dispositifs-relais sont "
    "exclus)"
)
COLLEGES_2023 = (
    "Rentrée scolaire;Région académique;Académie;Département;Commune;Numéro du collège;"
    f"Dénomination principale;Patronyme;Secteur;REP;REP +;{LONG_LABEL};"
    "Nombre d'élèves total hors Segpa hors ULIS;Nombre d'élèves total Segpa"
)
FONTENAY_2023 = (
    "2022;ILE-DE-FRANCE;VERSAILLES;YVELINES;FONTENAY-LE-FLEURY;0780185C;COLLEGE;DESCARTES;PUBLIC;0;0;"
    "623;554;60"
)
COLLEGES_2025 = (
    "num_ligne;Rentrée scolaire;Code région académique;Région académique;Code académie;Académie;"
    "Code département;Département;Code postal;Commune;UAI;Dénomination principale;Patronyme;Secteur;REP;"
    "REP +;Nombre d'élèves total;Nombre d'élèves total hors Segpa hors ULIS;Nombre d'élèves total Segpa"
)
FONTENAY_2025 = (
    "30020;2022;10;ILE-DE-FRANCE;25;VERSAILLES;078;YVELINES;78330;FONTENAY-LE-FLEURY;0780185C;COLLEGE;"
    "DESCARTES;PUBLIC;0;0;623;554;60"
)
PORCHEVILLE_2025 = (
    "30090;2022;10;ILE-DE-FRANCE;25;VERSAILLES;078;YVELINES;78440;PORCHEVILLE;0781948U;"
    "LYCEE POLYVALENT;ANTOINE LAVOISIER;PUBLIC;0;0;17;17;0"
)
COLLEGES_API = (
    "rentree_scolaire;numero_college;denomination_principale;secteur;rep;rep0;nombre_eleves_total"
)
FONTENAY_API = "2022;0780185C;COLLEGE;PUBLIC;0;0;623"
SECOND_DEGREE = (
    "Annee_scolaire;Academie;Numero_d_etablissement;nom_etablissement;Type_d_etablissement;"
    "Secteur_d_enseignement;Nombre_d_eleves;libelle_region;libelle_departement;Code_departement;adresse;"
    "code_postal;localite_acheminement;Code_region"
)
OLD_FONTENAY = (
    "2018-2019;VERSAILLES;0780185C;DESCARTES;COLLEGE;PUBLIC;623;ILE-DE-FRANCE;YVELINES;078;;78330;"
    "FONTENAY LE FLEURY;11"
)
PLACEHOLDER = "2018-2019;RENNES;0351122O;;COLLEGE;PRIVE;12;BRETAGNE;ILLE-ET-VILAINE;035;;35000;RENNES;53"
IPS = (
    "rentree_scolaire;academie;code_du_departement;departement;uai;nom_de_l_etablissment;"
    "code_insee_de_la_commune;nom_de_la_commune;secteur;effectifs;ips"
)
AIX = (
    "2022-2023;LILLE;059;NORD;0596424M;ECOLE PRIMAIRE DES PRES VERTS;59004;AIX EN PEVELE;public;"
    "{effectifs};125.3"
)
ANNUAIRE = (
    "Identifiant_de_l_etablissement;Nom_etablissement;Type_etablissement;Statut_public_prive;"
    "SIREN_SIRET;Nombre_d_eleves;etat"
)
SAUBENS = (
    "0310891A;Ecole élémentaire publique Le Petit Prince;Ecole;Public;21310533100028;143;OUVERT",
    "0301326D;Collège André Chamson;Collège;Public;19301326500015;;OUVERT",
)


@pytest.fixture(autouse=True)
def sources():
    HeadcountSourceFactory(code="DEPP", rank=1)
    HeadcountSourceFactory(code="ANNUAIRE", rank=3, billable=False)
    HeadcountSourceFactory(code="IPS", rank=4, billable=False)


def official(tmp_path, *lines, **form):
    return write_csv(tmp_path / "officiel.csv", *lines, **form)


def kept():
    return snapshot()["headcounts"]


def test_it_works(tmp_path):
    path = official(tmp_path, ECOLES_API, BOURGON, LAVAL, encoding="utf-8-sig", newline="\r\n")
    outcome = run("import_headcounts", path)
    assert outcome.counts == (2, 2, 0, 0, 0, 2)
    assert kept() == [("0530712L", 2024, "DEPP", 65), ("0530859W", 2024, "DEPP", 83)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((ECOLES_2023, FROMENTIERES_2023.format(rentree=2022, eleves=76)), ("0530215W", 2022, 76)),
        ((ECOLES_API, LAVAL), ("0530859W", 2024, 83)),
        ((COLLEGES_2023, FONTENAY_2023), ("0780185C", 2022, 623)),
        ((COLLEGES_2025, FONTENAY_2025), ("0780185C", 2022, 623)),
        ((COLLEGES_API, FONTENAY_API), ("0780185C", 2022, 623)),
        ((SECOND_DEGREE, OLD_FONTENAY), ("0780185C", 2018, 623)),
    ],
    ids=["écoles 2023", "écoles API", "collèges 2023", "collèges 2025", "collèges API", "2nd degré"],
)
def test_each_known_header_gives_the_official_total_of_its_rentree(tmp_path, lines, expected):
    run("import_headcounts", official(tmp_path, *lines))
    uai, year, pupils = expected
    assert kept() == [(uai, year, "DEPP", pupils)]


@pytest.mark.parametrize(
    ("written", "year"),
    [("2022", 2022), ("2026-09-01", 2026), ("2026-01-01", 2026), ("2022-2023", 2022)],
)
def test_a_rentree_is_a_year_a_date_or_a_school_year(written, year):
    assert rentree(written) == year


@pytest.mark.parametrize("written", ["", "22", "2022-2024", "septembre 2022", "1850"])
def test_anything_else_is_no_rentree_and_refuses_its_row(tmp_path, written):
    row = FROMENTIERES_2023.format(rentree=written, eleves=76)
    outcome = run("import_headcounts", official(tmp_path, ECOLES_2023, row))
    assert outcome.refused == [(2, "rentree_scolaire", written)]


def test_a_workbook_with_a_true_date_of_rentree_is_read(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["rentree_scolaire", "numero_ecole", "nombre_total_eleves"])
    book.active.append([dt.date(2026, 9, 1), "0530859W", 83])
    book.save(tmp_path / "ecoles.xlsx")
    run("import_headcounts", tmp_path / "ecoles.xlsx")
    assert kept() == [("0530859W", 2026, "DEPP", 83)]


def test_only_the_rentree_asked_for_is_taken_out_of_a_history(tmp_path):
    rows = [FROMENTIERES_2023.format(rentree=year, eleves=70 + year % 10) for year in range(2009, 2023)]
    outcome = run("import_headcounts", official(tmp_path, ECOLES_2023, *rows), school_year="2021-2022")
    assert (outcome.report["rows"], outcome.report["skipped"]) == (14, 13)
    assert kept() == [("0530215W", 2021, "DEPP", 71)]


def test_the_commune_in_capitals_and_the_sector_of_the_file_change_no_school(tmp_path):
    SchoolFactory(uai="0530712L", commune_name="Bourgon", commune_code="53040", sector="public")
    before = snapshot()["schools"]
    run("import_headcounts", official(tmp_path, ECOLES_API, BOURGON))
    assert snapshot()["schools"] == before


def test_a_lycee_in_the_file_of_colleges_is_taken_and_flagged(tmp_path):
    SchoolFactory(uai="0780185C", degree="college")
    SchoolFactory(uai="0781948U", degree="lycee")
    path = official(tmp_path, COLLEGES_2025, FONTENAY_2025, PORCHEVILLE_2025)
    outcome = run("import_headcounts", path)
    assert outcome.flagged == [(3, "numero_college", "0781948U")]
    assert outcome.report["flagged"][0]["message"] == (
        "Lycée : ce nombre ne compte que ses élèves de collège."
    )
    assert ("0781948U", 2022, "DEPP", 17) in kept()


def test_a_lycee_that_no_annuaire_described_yet_is_told_by_its_name(tmp_path):
    outcome = run("import_headcounts", official(tmp_path, COLLEGES_2025, PORCHEVILLE_2025))
    assert outcome.flagged == [(2, "numero_college", "0781948U"), (2, "uai", "0781948U")]


def test_a_placeholder_code_that_ends_with_the_letter_o_is_refused(tmp_path):
    outcome = run("import_headcounts", official(tmp_path, SECOND_DEGREE, PLACEHOLDER, OLD_FONTENAY))
    assert outcome.refused == [(2, "numero_d_etablissement", "0351122O")]
    assert kept() == [("0780185C", 2018, "DEPP", 623)]


@pytest.mark.parametrize(("written", "pupils"), [("67.0", 67), ("187.0", 187), ("67", 67)])
def test_ips_counts_are_read_as_decimals_and_are_never_billable(tmp_path, written, pupils):
    run("import_headcounts", official(tmp_path, IPS, AIX.format(effectifs=written)))
    assert kept() == [("0596424M", 2022, "IPS", pupils)]
    assert not Headcount.objects.get().source.billable


@pytest.mark.parametrize("written", ["67.5", "1.000", "67,0", "6.7E+01"])
def test_a_count_that_is_not_whole_is_refused_even_there(tmp_path, written):
    outcome = run("import_headcounts", official(tmp_path, IPS, AIX.format(effectifs=written)))
    assert outcome.refused == [(2, "effectifs", written)]


def test_a_decimal_count_is_refused_in_other_official_files(tmp_path):
    row = FROMENTIERES_2023.format(rentree=2022, eleves="76.0")
    outcome = run("import_headcounts", official(tmp_path, ECOLES_2023, row))
    assert outcome.refused == [(2, "nombre_total_eleves", "76.0")]


def test_the_column_of_the_annuaire_is_refused_until_staff_say_its_year(tmp_path):
    path = official(tmp_path, ANNUAIRE, *SAUBENS)
    message = run_refused("import_headcounts", path)
    assert "--school-year" in message
    assert not School.objects.exists()


def test_the_column_of_the_annuaire_is_taken_for_the_year_given_and_not_billable(tmp_path):
    path = official(tmp_path, ANNUAIRE, *SAUBENS)
    outcome = run("import_headcounts", path, school_year="2022-2023")
    assert outcome.counts == (2, 1, 0, 1, 0, 2)
    assert kept() == [("0310891A", 2022, "ANNUAIRE", 143)]
    assert not Headcount.objects.get().source.billable


def test_the_blanks_of_an_official_file_erase_nothing_and_are_told_once(tmp_path):
    rows = [FROMENTIERES_2023.format(rentree=year, eleves="") for year in (2020, 2021)]
    last = FROMENTIERES_2023.format(rentree=2022, eleves=76)
    run("import_headcounts", official(tmp_path, ECOLES_2023, last))
    outcome = run("import_headcounts", official(tmp_path, ECOLES_2023, *rows, last))
    assert outcome.counts == (3, 0, 0, 3, 0, 1)
    assert outcome.flagged == [(None, "eleves", "")]
    assert "2\u00a0lignes sans effectif" in outcome.report["flagged"][0]["message"]


def test_a_2026_annuaire_has_no_count_any_more_and_says_which_column_is_missing(tmp_path):
    path = official(tmp_path, ANNUAIRE.replace("Nombre_d_eleves;", ""))
    message = run_refused("import_headcounts", path, school_year="2024-2025")
    assert "nombre_d_eleves" in message


def test_a_source_never_loaded_refuses_the_file_and_says_how_to_load_it(tmp_path):
    HeadcountSource.objects.filter(code="DEPP").delete()
    message = run_refused("import_headcounts", official(tmp_path, ECOLES_API, LAVAL))
    assert "DEPP" in message
    assert "load_regimes" in message


# The real files.


@real_files
def test_the_1211_ecoles_of_six_departements_are_all_taken():
    path = DATA / "effectifs_ecoles_6dept_rentree2024.csv"
    outcome = run("import_headcounts", path)
    # 1 024 public, 187 private; each is pending until an annuaire describes it.
    assert outcome.counts == (1211, 1211, 0, 0, 0, 1211)
    assert sum(pupils for *_, pupils in kept()) == 114447
    assert {(year, source) for _, year, source, _ in kept()} == {(2024, "DEPP")}
    assert run("import_headcounts", path).counts == (1211, 0, 0, 1211, 0, 0)


@real_files
def test_the_4_colleges_of_the_80_column_header_are_taken_one_being_a_lycee():
    outcome = run("import_headcounts", DATA / "effectifs_colleges_extrait.csv")
    assert outcome.counts == (4, 4, 0, 0, 0, 5)
    assert [row[3] for row in kept()] == [702, 623, 17, 826]


@real_files
def test_the_105_ips_approximations_are_stored_and_not_billable():
    outcome = run("import_headcounts", DATA / "npdc_ecoles_ips_2022.csv")
    assert outcome.counts == (105, 105, 0, 0, 0, 105)
    assert sum(pupils for *_, pupils in kept()) == 10392
    assert not Headcount.objects.filter(source__billable=True).exists()


@real_files
def test_the_annuaire_of_occitanie_gives_4457_ecoles_and_no_college():
    path = DATA / "annuaire_occitanie_2024-11-26.csv"
    outcome = run("import_headcounts", path, school_year="2022-2023")
    # Three UAI stand twice; 1 777 rows are blank: 122 écoles, all collèges, lycées and the others.
    assert outcome.counts == (6240, 4457, 0, 1777, 6, 4458)
    twice = {"0311631E", "0342266D", "0460054J"}
    assert {value.split()[0] for _, _, value in outcome.refused} == twice
    assert sum(pupils for *_, pupils in kept()) == 517921
    # Told of the blanks once, of each school that no annuaire described yet, and nothing else.
    assert sum(line is None for line, *_ in outcome.flagged) == 1
