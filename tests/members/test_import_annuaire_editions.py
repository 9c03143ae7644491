"""Every edition of the annuaire gives the same schools."""

import csv
import datetime as dt
import json
from collections import Counter

import openpyxl
import pytest
from django.conf import settings
from django.db.models import Count

from members.importers.headers import ANNUAIRE_ALIASES
from members.models import School
from tests.members.editions import COLUMNS, EDITIONS, table, write_edition, write_workbook
from tests.members.files import run, snapshot

pytestmark = pytest.mark.django_db

SHARED = settings.BASE_DIR.parent / "shared" / "data"
REGION = SHARED / "annuaire_occitanie_2024-11-26.csv"
SOMME = SHARED / "somme_colleges_publics_2020.csv"
EVERY = pytest.mark.parametrize("edition", EDITIONS.values(), ids=EDITIONS)


@EVERY
def test_it_works(tmp_path, edition):
    outcome = run("import_annuaire", write_edition(tmp_path / "annuaire.csv", edition))

    # A school without SIRET, one whose SIRET is wrong.
    assert outcome.counts == (7, 7, 0, 0, 0, 2)
    school = School.objects.get(uai="0310891A")
    assert (school.name, school.kind, school.degree, school.level, school.sector) == (
        "Ecole élémentaire publique Le Petit Prince",
        "Ecole",
        "premier",
        "EE",
        "public",
    )
    assert (school.commune_code, school.commune_name, school.postal_code) == (
        "31533",
        "Saubens",
        "31600",
    )
    assert (school.departement_code, school.academy_code) == ("31", "16")
    assert school.circumscription == "Circonscription d'inspection du 1er degré de Muret"
    assert (school.address, school.siren_siret) == ("11 rue des Ecoles", "21310533100028")
    assert (school.state, school.opened_on) == ("OUVERT", dt.date(1965, 11, 15))
    assert (school.rpi, school.rpi_code) == ("", "")
    assert School.objects.get(uai="0811008F").name == 'I.M.E. SAINT-JEAN "L\'ECHAPPEE VERTE" ALBI'


@EVERY
def test_a_workbook_of_every_edition_gives_the_same_schools(tmp_path, edition):
    run("import_annuaire", write_edition(tmp_path / "annuaire.csv", edition))
    outcome = run("import_annuaire", write_workbook(tmp_path / "annuaire.xlsx", edition))
    assert outcome.counts == (7, 0, 0, 7, 0, 2)


def test_an_older_edition_erases_nothing_of_a_newer_one(tmp_path):
    run("import_annuaire", write_edition(tmp_path / "2024.csv", EDITIONS["2024-11"]))
    before = snapshot()
    for name in ("2023-06", "2026-05", "API"):
        run("import_annuaire", write_edition(tmp_path / f"{name}.csv", EDITIONS[name]))
    assert snapshot() == before


def test_the_circumscription_has_its_code_since_2024(tmp_path):
    run("import_annuaire", write_edition(tmp_path / "2023.csv", EDITIONS["2023-06"]))
    assert School.objects.get(uai="0310891A").circumscription_code == ""
    run("import_annuaire", write_edition(tmp_path / "2024.csv", EDITIONS["2024-11"]))
    assert School.objects.get(uai="0310891A").circumscription_code == "0311339M"


def test_the_headers_are_those_that_were_measured():
    width = {name: len(table(edition)[0]) for name, edition in EDITIONS.items()}
    assert width == {"2023-06": 69, "2024-11": 72, "2026-05": 71, "API": 72}
    assert set(ANNUAIRE_ALIASES.values()) <= {name.lower() for name in COLUMNS}


def test_the_answer_of_the_api_in_json_gives_the_same_schools(tmp_path):
    edition = EDITIONS["API"]
    run("import_annuaire", write_edition(tmp_path / "annuaire.csv", edition))
    header, *rows = table(edition)
    answer = [dict(zip(header, row, strict=True)) for row in rows]
    for school in answer:
        for name in ("ecole_maternelle", "ecole_elementaire", "rpi_concentre", "code_nature"):
            school[name] = int(school[name]) if school[name] else None
        school["position"] = {"lon": 1.35, "lat": 43.48}
    path = tmp_path / "annuaire.json"
    path.write_text(json.dumps(answer), encoding="utf-8")
    assert run("import_annuaire", path).counts == (7, 0, 0, 7, 0, 2)


def test_an_edition_saved_by_a_spreadsheet_gives_the_same_schools(tmp_path):
    """Zeros lost, dates turned to days, numbers to numbers: all of it comes back for sure."""
    edition = EDITIONS["2024-11"]
    run("import_annuaire", write_edition(tmp_path / "annuaire.csv", edition))
    header, *rows = table(edition)
    book = openpyxl.Workbook()
    book.active.append(header)
    for row in rows:
        named = dict(zip(header, row, strict=True))
        cells = {name: int(cell) if cell.isdigit() else cell for name, cell in named.items()}
        cells["date_ouverture"] = dt.date.fromisoformat(named["date_ouverture"])
        book.active.append(list(cells.values()))
    book.save(tmp_path / "tableur.xlsx")

    outcome = run("import_annuaire", tmp_path / "tableur.xlsx")

    assert outcome.counts == (7, 0, 0, 7, 0, 2)


@pytest.mark.skipif(not REGION.exists(), reason="annuaire d'Occitanie absent de ../shared/data")
def test_the_annuaire_of_a_whole_region(tmp_path):
    outcome = run("import_annuaire", REGION)

    assert outcome.counts == (6240, 6234, 0, 0, 6, 413)
    assert Counter(value for _, _, value in outcome.refused) == {
        "0311631E": 2,
        "0342266D": 2,
        "0460054J": 2,
    }
    assert {f["message"] for f in outcome.report["refused"]} == {
        "Présent 2 fois dans le fichier : gardez une seule ligne."
    }
    flagged = Counter((field, bool(value)) for _, field, value in outcome.flagged)
    assert flagged == {
        ("siren_siret", False): 258,
        ("siren_siret", True): 6,
        ("statut_public_prive", False): 149,
    }
    wrong = {value for _, field, value in outcome.flagged if field == "siren_siret" and value}
    assert wrong >= {"21120288800042", "21802000870005", "21810107900055"}
    assert run("import_annuaire", REGION).counts == (6240, 0, 0, 6234, 6, 413)


@pytest.mark.skipif(not REGION.exists(), reason="annuaire d'Occitanie absent de ../shared/data")
def test_the_schools_of_a_whole_region():
    run("import_annuaire", REGION)

    assert _by("degree") == {"premier": 4579, "college": 651, "lycee": 555, "autre": 449}
    # As the flags of the file say: 2 126 + 5 + 2, 1 308 + 3 + 2, 1 131 + 2.
    assert _by("level") == {"EP": 2133, "EE": 1313, "EM": 1133, "": 1655}
    assert _by("academy_code") == {"16": 3438, "11": 2796}
    assert len(_by("departement_code")) == 13
    assert _by("rpi") == {"concentre": 86, "disperse": 898, "": 5250}
    groups = School.objects.exclude(rpi_code="").order_by()
    assert (groups.count(), groups.values("rpi_code").distinct().count()) == (942, 435)
    assert not School.objects.filter(opened_on=dt.date(1965, 5, 1)).exists()


@pytest.mark.skipif(not SOMME.exists(), reason="collèges de la Somme absents de ../shared/data")
def test_the_colleges_of_the_somme():
    outcome = run("import_annuaire", SOMME)

    # None has a SIRET.
    assert outcome.counts == (50, 50, 0, 0, 0, 50)
    assert {(field, value) for _, field, value in outcome.flagged} == {("siren_siret", "")}
    assert _by("degree") == {"college": 50}
    assert _by("departement_code") == {"80": 50}
    assert School.objects.filter(opened_on=None).count() == 23


def _by(column):
    rows = School.objects.order_by(column).values_list(column).annotate(n=Count("pk"))
    return dict(rows)


def test_the_sample_is_what_the_editions_are_made_of(tmp_path):
    """A row of the sample that held a semicolon would not be read as it was written."""
    path = write_edition(tmp_path / "annuaire.csv", EDITIONS["2024-11"])
    with path.open(encoding="utf-8-sig", newline="") as stream:
        assert list(csv.reader(stream, delimiter=";")) == table(EDITIONS["2024-11"])
