"""The main SIRET of départements: looked up, sure, and none for those who are not one."""

import pytest

from members.importers.communes import IMPORTER as COMMUNES
from members.importers.departement_names import HELD_BY, NAMES
from members.importers.departements import IMPORTER
from members.models import Member
from tests.factories import MemberFactory
from tests.members.files import run, write_csv
from tests.members.territory import DATA, FLAT_HEADER, flagged, refused, take

pytestmark = pytest.mark.django_db

HEADER = "code_departement;siren;siret_principal"
SOMME = "80;228000014;22800001400016"
NORD = "59;225900018;22590001801244"
PARIS = "75;217500016;21750001600019"
PARIS_COMMUNE = "75056;Paris;75;11;217500016;21750001600019;75001|75002;2103778;;;"
REAL = DATA / "departements_siret.csv"


def departements(tmp_path, *rows):
    return write_csv(tmp_path / "d.csv", HEADER, *rows)


def test_it_works(tmp_path):
    report, counts = take(IMPORTER, departements(tmp_path, SOMME, NORD))
    assert counts == (2, 2, 0, 0, 0)
    assert not report.refused + report.flagged
    nord, somme = Member.objects.order_by("siren")
    assert (somme.name, somme.insee_code) == ("Département de la Somme", "80")
    assert (nord.name, nord.siret, nord.siret_to_verify) == (
        "Département du Nord",
        "22590001801244",
        False,
    )
    assert nord.kind == "departement"


def test_the_same_file_twice_changes_nothing(tmp_path):
    path = departements(tmp_path, SOMME, NORD, PARIS)
    assert run("import_departements", path).counts == (3, 3, 0, 0, 0, 1)
    assert run("import_departements", path).counts == (3, 0, 0, 3, 0, 1)


def test_every_departement_has_a_name_and_101_are_known():
    assert len(NAMES) == 101
    assert set(HELD_BY) < set(NAMES)
    assert all(name.startswith(("de ", "de l'", "du ", "des ", "d'")) for name in NAMES.values())


@pytest.mark.parametrize("code", ["2A", "2B", "67", "68", "972", "973", "02A", "067"])
def test_a_territory_without_a_departement_is_refused_with_who_holds_its_rights(tmp_path, code):
    report, _ = take(IMPORTER, departements(tmp_path, f"{code};200076958;20007695800012"))
    [finding] = report.refused
    assert "SIREN 200" in finding.message
    assert not Member.objects.exists()


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        ("80;228000014;22800001400017", "siret_principal", "22800001400017"),
        ("80;225900018;22800001400016", "siren", "225900018"),
        ("98;228000014;22800001400016", "code_departement", "98"),
        ("988;228000014;22800001400016", "code_departement", "988"),
    ],
)
def test_a_bad_row_is_refused_and_stops_no_other(tmp_path, row, column, value):
    report, counts = take(IMPORTER, departements(tmp_path, row, NORD))
    assert refused(report) == [(2, column, value)]
    assert counts[1] == 1


def test_a_proposed_siret_is_replaced_by_the_one_of_the_table(tmp_path):
    member = MemberFactory(
        kind="departement", name="Le Nord", siret="22590001800014", siret_to_verify=True, insee_code=""
    )
    _, counts = take(IMPORTER, departements(tmp_path, NORD))
    member.refresh_from_db()
    assert counts == (1, 0, 1, 0, 0)
    assert (member.siret, member.siret_to_verify) == ("22590001801244", False)
    assert (member.name, member.insee_code) == ("Le Nord", "59")


def test_a_siret_that_staff_verified_stays_and_the_difference_is_flagged(tmp_path):
    member = MemberFactory(kind="departement", siret="22590001800014", insee_code="59")
    report, counts = take(IMPORTER, departements(tmp_path, NORD))
    member.refresh_from_db()
    assert (member.siret, counts[3]) == ("22590001800014", 1)
    assert flagged(report) == [(2, "siret_principal")]


@pytest.mark.parametrize("first", ["departements", "communes"])
def test_paris_is_commune_and_departement_and_one_member(tmp_path, first):
    tables = {
        "departements": (IMPORTER, departements(tmp_path, PARIS)),
        "communes": (COMMUNES, write_csv(tmp_path / "c.csv", FLAT_HEADER, PARIS_COMMUNE)),
    }
    for name in sorted(tables, key=lambda name: name != first):
        report, _ = take(*tables[name])
        if name == "departements":
            assert flagged(report) == [(2, "code_departement")]
    member = Member.objects.get()
    assert (member.kind, member.insee_code, member.siret) == ("commune", "75056", "21750001600019")
    assert not member.siret_to_verify


@pytest.mark.skipif(not REAL.exists(), reason="les fichiers officiels ne sont pas là")
def test_the_real_table_imports_with_the_counts_measured_on_it():
    report, counts = take(IMPORTER, REAL)
    assert counts == (95, 95, 0, 0, 0)
    assert not report.refused
    assert Member.objects.filter(kind="departement").count() == 94
    assert flagged(report) == [(73, "code_departement")]
