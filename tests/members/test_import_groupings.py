"""RPI and syndicats: a list made by hand, and what the annuaire proposes."""

import datetime as dt

import pytest

from entsvc.models import JournalEntry
from members.groupings import create_rpis, proposed_rpis
from members.importers.groupings import IMPORTER
from members.models import Commune, GroupedSchool, Member, Membership
from tests.factories import MemberFactory, SchoolFactory, valid_siret
from tests.members.files import run, write_csv
from tests.members.territory import communes_of, flagged, refused, take

pytestmark = pytest.mark.django_db

HEADER = "type;code;nom;siret;forme_juridique;representant;communes;ecoles;depuis"
DAY, LATER = dt.date(2024, 9, 1), dt.date(2025, 9, 1)
SIVOS = valid_siret(77)


@pytest.fixture
def place():
    """Two communes, one school each."""
    for code in ("80001", "80002", "80003"):
        MemberFactory(insee_code=code, siret=valid_siret(int(code)))
    return [SchoolFactory(commune_code=code).uai for code in ("80001", "80002")]


def rpi(
    schools="", communes="80001 80002", day="01/09/2024", code="080001", representative="", siret=""
):
    return f"rpi;{code};RPI du Bois;{siret};convention;{representative};{communes};{schools};{day}"


def syndicat(communes="80001 80002", siret=SIVOS, name="SIVOS du Bois", schools=""):
    return f"syndicat;;{name};{siret};;;{communes};{schools};2024-09-01"


def groupings(tmp_path, *rows):
    return write_csv(tmp_path / "g.csv", HEADER, *rows)


def schools_of(body):
    rows = GroupedSchool.objects.filter(body=body).order_by("school__uai", "valid_from")
    return [(row.school.uai, row.valid_from, row.valid_to) for row in rows]


def the_rpi():
    return Member.objects.get(kind="rpi")


def test_it_works(tmp_path, place):
    representative = valid_siret(80001)
    report, counts = take(
        IMPORTER, groupings(tmp_path, rpi(" ".join(place), representative=representative), syndicat())
    )
    assert counts == (2, 2, 0, 0, 0)
    assert not report.refused + report.flagged
    member = the_rpi()
    assert (member.name, member.group_code, member.siret) == ("RPI du Bois", "080001", None)
    assert (member.legal_form, member.representative.insee_code) == ("convention", "80001")
    assert communes_of(member) == {"80001": (DAY, None), "80002": (DAY, None)}
    assert schools_of(member) == [(uai, DAY, None) for uai in sorted(place)]
    sivos = Member.objects.get(kind="syndicat")
    assert (sivos.siret, sivos.siret_to_verify) == (SIVOS, False)
    assert communes_of(sivos) == {"80001": (DAY, None), "80002": (DAY, None)}


def test_the_same_file_twice_changes_nothing(tmp_path, place):
    path = groupings(tmp_path, rpi(" ".join(place), representative=SIVOS), syndicat())
    assert run("import_groupings", path).counts == (2, 2, 0, 0, 0, 0)
    assert run("import_groupings", path).counts == (2, 0, 0, 2, 0, 0)


def test_a_syndicat_of_the_same_file_may_represent_a_rpi(tmp_path, place):
    report, _ = take(IMPORTER, groupings(tmp_path, rpi(representative=SIVOS), syndicat()))
    assert not report.refused
    assert the_rpi().representative.siret == SIVOS


def test_a_siret_for_a_rpi_is_refused_with_what_to_give_instead(tmp_path, place):
    report, _ = take(IMPORTER, groupings(tmp_path, rpi(siret=SIVOS), syndicat()))
    assert refused(report) == [(2, "siret", SIVOS)]
    assert "représentant" in report.refused[0].message
    assert Member.objects.filter(kind="syndicat").exists()


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (rpi(code=""), "code"),
        (rpi(code="0" * 21), "code"),
        (rpi(day=""), "depuis"),
        (rpi(day="rentrée"), "depuis"),
        (rpi(communes="8001"), "communes"),
        (rpi(communes="80001 80001"), "communes"),
        (rpi("0800001A"), "ecoles"),
        (rpi(representative="1234"), "representant"),
        (rpi().replace("RPI du Bois", ""), "nom"),
        (rpi().replace("rpi;", "epci;"), "type"),
        (syndicat(siret=""), "siret"),
        (syndicat(schools="0310891A"), "ecoles"),
        (rpi(communes="80009"), "communes"),
        (rpi("0310891A"), "ecoles"),
        (rpi(representative=valid_siret(1)), "representant"),
    ],
)
def test_a_bad_row_is_refused_and_stops_no_other(tmp_path, place, row, column):
    other = rpi(code="080009", communes="80003")
    report, counts = take(IMPORTER, groupings(tmp_path, row, other))
    assert [(finding.line, finding.field) for finding in report.refused] == [(2, column)]
    assert counts[1] == 1
    assert the_rpi().group_code == "080009"


def test_a_school_of_two_rpi_of_the_file_is_refused_twice(tmp_path, place):
    rows = (rpi(place[0]), rpi(place[0], code="080002"), rpi(place[1], code="080003"))
    report, counts = take(IMPORTER, groupings(tmp_path, *rows))
    assert refused(report) == [(2, "ecoles", place[0]), (3, "ecoles", place[0])]
    assert counts[1] == 1


def test_a_siret_of_a_commune_makes_no_syndicat(tmp_path, place):
    report, _ = take(IMPORTER, groupings(tmp_path, syndicat(siret=valid_siret(80001))))
    assert [(finding.line, finding.field) for finding in report.refused] == [(2, "type")]
    assert Member.objects.get(insee_code="80001").kind == "commune"


def test_a_former_code_names_the_commune_of_today(tmp_path, place):
    today = Commune.objects.create(code="80001", name="Bois")
    Commune.objects.create(code="80010", name="Vieux Bois", kind="deleguee", today=today)
    take(IMPORTER, groupings(tmp_path, rpi(communes="80010")))
    assert list(communes_of(the_rpi())) == ["80001"]


def test_a_list_replaces_the_former_from_its_day(tmp_path, place):
    take(IMPORTER, groupings(tmp_path, rpi(" ".join(place))))
    later = rpi(place[1], communes="80002 80003", day="01/09/2025")
    _, counts = take(IMPORTER, groupings(tmp_path, later))
    assert counts == (1, 0, 1, 0, 0)
    last = dt.date(2025, 8, 31)
    assert communes_of(the_rpi()) == {"80001": (DAY, last), "80002": (DAY, None), "80003": (LATER, None)}
    assert sorted(schools_of(the_rpi())) == sorted([(place[0], DAY, last), (place[1], DAY, None)])


def test_an_empty_list_erases_nothing(tmp_path, place):
    take(IMPORTER, groupings(tmp_path, rpi(" ".join(place))))
    _, counts = take(IMPORTER, groupings(tmp_path, rpi(communes="", day="01/09/2025")))
    assert counts == (1, 0, 0, 1, 0)
    assert Membership.objects.filter(valid_to=None).count() == 2


def test_a_list_that_contradicts_what_is_known_since_the_same_day_is_flagged(tmp_path, place):
    take(IMPORTER, groupings(tmp_path, rpi()))
    report, _ = take(IMPORTER, groupings(tmp_path, rpi(communes="80001")))
    assert flagged(report) == [(2, "depuis")]
    assert Membership.objects.filter(valid_to=None).count() == 2


def test_a_school_that_enters_another_rpi_leaves_the_first(tmp_path, place):
    take(IMPORTER, groupings(tmp_path, rpi(place[0])))
    take(IMPORTER, groupings(tmp_path, rpi(place[0], code="080002", day="01/09/2025")))
    first, second = Member.objects.filter(kind="rpi").order_by("group_code")
    assert schools_of(first) == [(place[0], DAY, dt.date(2025, 8, 31))]
    assert schools_of(second) == [(place[0], LATER, None)]


# What the annuaire proposes.


def school(commune, code="031037", **facts):
    facts = {"rpi": "disperse", "departement_code": "31", "commune_name": f"Lieu {commune}", **facts}
    return SchoolFactory(commune_code=commune, rpi_code=code, **facts)


def test_dispersed_rpi_are_proposed_with_their_schools_and_communes():
    school("31002"), school("31001"), school("31001")
    school("31005", code="031038")
    [first, second] = proposed_rpis(["31"])
    assert (first.code, len(first.schools), first.commune_codes) == ("031037", 3, ["31001", "31002"])
    assert first.name == "RPI Lieu 31001 – Lieu 31002"
    assert second.code == "031038"


def test_neither_concentrated_rpi_nor_other_places_nor_absent_schools_are_proposed():
    school("31001", rpi="concentre", code="1")
    school("31001", departement_code="32")
    school("31001", absent_since=DAY)
    school("31001", code="")
    assert proposed_rpis(["31"]) == []


def test_a_rpi_that_is_a_member_is_not_proposed_again():
    school("31001")
    MemberFactory(kind="rpi", siret=None, group_code="031037")
    assert proposed_rpis(["31"]) == []


def test_a_school_already_in_a_rpi_is_left_where_it_is():
    grouped, other = school("31001"), school("31002")
    body = MemberFactory(kind="rpi", siret=None)
    GroupedSchool.objects.create(body=body, school=grouped, valid_from=DAY)
    [proposed] = proposed_rpis(["31"])
    assert proposed.schools == [other]


def test_rpi_are_created_in_bulk_with_what_is_missing_told():
    school("31001"), school("31002")
    commune = MemberFactory(insee_code="31001")
    done = create_rpis(departements=["31"], since=DAY, actor="essai")
    [member] = done.members
    assert done.strangers == ["31002"]
    assert (member.kind, member.group_code, member.siret) == ("rpi", "031037", None)
    assert Membership.objects.get().commune == commune
    assert len(schools_of(member)) == 2
    assert JournalEntry.objects.get().data == {"codes": ["031037"]}
    assert create_rpis(departements=["31"], since=DAY, actor="essai").members == []
    assert JournalEntry.objects.count() == 1
