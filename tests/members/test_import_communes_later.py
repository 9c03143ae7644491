"""Tables of communes that follow one another: what moves, what an older one may not undo."""

import datetime as dt

import pytest

from entsvc.models import ImportRecord
from members.importers.annuaire import IMPORTER as ANNUAIRE
from members.importers.communes import IMPORTER
from members.models import Commune, Member, Membership, School
from tests.factories import MemberFactory, SchoolFactory
from tests.members.files import write_csv
from tests.members.territory import (
    CORDIEUX,
    FLAT_HEADER,
    MARSEILLE,
    MARSEILLE_1,
    MONTLUEL,
    ORCHIES,
    TEMPLEUVE,
    flagged,
    table,
    take,
    territory,
)

pytestmark = pytest.mark.django_db

DAY, NEXT, THEN = dt.date(2025, 1, 1), dt.date(2026, 1, 1), dt.date(2027, 1, 1)
ALONE = {**CORDIEUX, "type": "commune-actuelle", "siren": "210101200"}
LYON = {**MARSEILLE, "code": "69123", "nom": "Lyon", "departement": "69", "siren": "216901231"}
LYON_1 = {
    **MARSEILLE_1,
    "code": "69381",
    "nom": "Lyon 1er Arrondissement",
    "departement": "69",
    "commune": "69123",
}


@pytest.fixture
def before(tmp_path):
    """The table of the day when Cordieux was a commune."""
    path = table(tmp_path / "before.json", [ALONE, MONTLUEL])
    take(IMPORTER, path, as_of=DAY)
    return path


@pytest.fixture
def after(tmp_path):
    return table(tmp_path / "after.json", [CORDIEUX, MONTLUEL])


def cordieux():
    return Member.objects.get(insee_code="01120")


def test_it_works(before, after):
    report, counts = take(IMPORTER, after, as_of=NEXT)
    assert counts == (2, 0, 1, 1, 0)
    assert report.moved == 1
    assert (cordieux().successor.insee_code, cordieux().merged_on) == ("01262", NEXT)
    assert take(IMPORTER, after, as_of=NEXT)[0].moved == 0


# What moves is counted, so that the history keeps it.


@pytest.fixture
def lyon(tmp_path):
    path = table(tmp_path / "lyon.json", [LYON, LYON_1])
    take(IMPORTER, path)
    return path


def test_a_school_brought_to_the_commune_of_today_is_counted_and_kept_once(lyon):
    school = SchoolFactory(commune_code="69123", commune_name="Lyon")
    School.objects.filter(pk=school.pk).update(commune_code="69381")
    before = ImportRecord.objects.count()
    for moved in (1, 0):
        report, counts = take(IMPORTER, lyon)
        assert (counts, report.moved) == ((2, 0, 0, 2, 0), moved)
        assert ImportRecord.objects.count() == before + 1


@pytest.mark.parametrize(
    ("schools", "words"),
    [
        (1, "1\u00a0école ramenée au code de sa commune"),
        (2, "2\u00a0écoles ramenées au code de leur commune"),
    ],
)
def test_the_schools_brought_back_are_told_in_good_french(lyon, schools, words):
    SchoolFactory.create_batch(schools, commune_code="69381")
    [finding] = take(IMPORTER, lyon)[0].flagged
    assert words in finding.message


def test_a_school_takes_the_name_of_its_commune_and_is_found_by_it(lyon):
    school = SchoolFactory(commune_code="69381", commune_name="Ancienne")
    take(IMPORTER, lyon)
    school.refresh_from_db()
    assert (school.commune_code, school.commune_name) == ("69123", "Lyon")
    assert "lyon" in school.search
    assert "ancienne" not in school.search


def test_the_annuaire_and_the_table_write_the_same_commune_in_either_order(tmp_path):
    communes = table(tmp_path / "lyon.json", [LYON, LYON_1])
    annuaire = write_csv(
        tmp_path / "annuaire.csv",
        "uai;nom_etablissement;type_etablissement;statut_public_prive;code_commune;nom_commune",
        "0310891A;Le Petit Prince;Ecole;Public;69381;Lyon 1er Arrondissement",
    )
    take(ANNUAIRE, annuaire)
    take(IMPORTER, communes)
    stored = School.objects.values().get()
    assert take(ANNUAIRE, annuaire)[1] == (1, 0, 0, 1, 0)
    assert School.objects.values().get() == stored
    assert (stored["commune_code"], stored["commune_name"]) == ("69123", "Lyon")


def test_an_epci_that_the_table_completes_counts(tmp_path):
    path = write_csv(tmp_path / "c.csv", FLAT_HEADER, ORCHIES, TEMPLEUVE)
    take(IMPORTER, path, as_of=DAY)
    Member.objects.filter(kind="epci").update(name="")
    _, counts = take(IMPORTER, path, as_of=DAY)
    assert counts == (2, 0, 1, 1, 0)
    assert Member.objects.get(kind="epci").name == "CC Pévèle-Carembault"


# An older table never undoes a merger.


def test_an_older_table_does_not_undo_a_merger_and_is_told(before, after):
    take(IMPORTER, after, as_of=NEXT)
    known = territory()
    report, counts = take(IMPORTER, before, as_of=DAY)
    assert flagged(report) == [(1, "code")]
    assert "table plus ancienne" in report.flagged[0].message
    assert (counts, report.moved) == ((2, 0, 0, 2, 0), 0)
    assert territory() == known


def test_a_table_of_the_day_of_the_merger_does_not_undo_it_either(before, after):
    take(IMPORTER, after, as_of=NEXT)
    assert flagged(take(IMPORTER, before, as_of=NEXT)[0]) == [(1, "code")]
    assert Commune.objects.get(code="01120").today_id == "01262"


def test_a_merger_that_only_its_member_dates_is_not_undone(before):
    Commune.objects.filter(code="01120").update(kind="associee", today="01262")
    Member.objects.filter(insee_code="01120").update(
        successor=Member.objects.get(insee_code="01262"), merged_on=THEN
    )
    assert flagged(take(IMPORTER, before, as_of=NEXT)[0]) == [(1, "code")]


def test_the_codes_that_an_older_table_sends_to_a_former_one_stay_where_they_are(tmp_path, after):
    older = table(tmp_path / "older.json", [{**ALONE, "anciensCodes": ["01999"]}, MONTLUEL])
    take(IMPORTER, older, as_of=DAY)
    take(IMPORTER, after, as_of=NEXT)
    known = territory()
    part = {**CORDIEUX, "code": "01999", "chefLieu": "01120"}
    path = table(tmp_path / "parts.json", [ALONE, MONTLUEL, part])
    take(IMPORTER, path, as_of=DAY)
    assert Commune.objects.get(code="01999").today_id == "01262"
    assert take(IMPORTER, path, as_of=DAY)[1] == (3, 0, 0, 3, 0)
    assert territory()[1:] == known[1:]


def test_a_newer_table_sets_a_commune_up_again(after, before):
    take(IMPORTER, after, as_of=NEXT)
    report, counts = take(IMPORTER, before, as_of=THEN)
    assert counts[:4] == (2, 0, 1, 1)
    assert Commune.objects.get(code="01120").today is None
    assert cordieux().successor is not None
    assert "01120" in [finding.value for finding in report.flagged]


def test_a_part_never_a_member_is_set_up_again_by_a_newer_table_alone(tmp_path, after):
    again = table(tmp_path / "again.json", [ALONE, MONTLUEL])
    take(IMPORTER, after, as_of=NEXT)
    assert flagged(take(IMPORTER, again, as_of=DAY)[0]) == [(1, "code")]
    assert not Member.objects.filter(insee_code="01120").exists()
    report, _ = take(IMPORTER, again, as_of=THEN)
    assert not report.flagged
    assert cordieux().name == "Cordieux"


# A merged commune leaves its EPCI.


@pytest.mark.parametrize(("since", "left"), [(DAY, 1), (NEXT, 0), (THEN, 0)])
def test_what_began_on_the_day_of_the_merger_is_left_and_told(before, after, since, left):
    Membership.objects.create(
        body=MemberFactory(kind="epci", siret=None), commune=cordieux(), valid_from=since
    )
    report, _ = take(IMPORTER, after, as_of=NEXT)
    assert report.moved == 1 + left
    assert Membership.objects.filter(valid_to=None).count() == 1 - left
    assert ((None, "siren_epci") in flagged(report)) is not bool(left)
