"""The table of communes: codes of today and of yesterday, members with their SIREN, EPCI."""

import datetime as dt

import pytest
from django.utils import timezone

from entsvc.tabular import UnreadableFile
from members.importers.communes import IMPORTER
from members.models import Commune, Member, Membership, School
from tests.factories import MemberFactory, SchoolFactory
from tests.members.files import run, write_csv
from tests.members.territory import (
    AMIENS,
    ARBIGNIEU,
    ARBOYS,
    CORDIEUX,
    DATA,
    FLAT_HEADER,
    MARSEILLE,
    MARSEILLE_1,
    MIQUELON,
    MONTLUEL,
    ORCHIES,
    SAINT_PIERRE,
    TABLE,
    TEMPLEUVE,
    communes_of,
    flagged,
    refused,
    table,
    take,
    territory,
)

pytestmark = pytest.mark.django_db

REAL = DATA / "communes_siren_epci_2025.csv"
DAY = dt.date(2025, 1, 1)


@pytest.fixture
def json_table(tmp_path):
    return table(tmp_path / "communes.json", TABLE)


def flat(tmp_path, *rows):
    return write_csv(tmp_path / "communes.csv", FLAT_HEADER, *rows)


def test_it_works(json_table):
    report, counts = take(IMPORTER, json_table)

    # Arbignieu has the code of the commune it is now part of: it brings nothing.
    assert counts == (7, 6, 0, 1, 0)
    assert not report.refused
    member = Member.objects.get(siren="200053668")
    assert (member.kind, member.name, member.insee_code) == ("commune", "Arboys en Bugey", "01015")
    assert (member.siret, member.siret_to_verify) == ("20005366800014", True)
    assert (member.postal_code, member.city) == ("01300", "Arboys en Bugey")
    assert member.search.startswith("arboys en bugey")
    assert dict(Commune.objects.order_by("code").values_list("code", "today_id")) == {
        "01015": None,
        "01120": "01262",
        "01262": None,
        "01340": "01015",
        "13055": None,
        "13201": "13055",
        "97502": None,
    }


def test_the_command_line_takes_it_too(json_table):
    assert run("import_communes", json_table).counts == (7, 6, 0, 1, 0, 1)


@pytest.mark.parametrize("form", ["json", "flat"])
def test_the_same_file_twice_changes_nothing(tmp_path, json_table, form):
    path = json_table if form == "json" else flat(tmp_path, ORCHIES, TEMPLEUVE, AMIENS, MIQUELON)
    take(IMPORTER, path, as_of=DAY)
    before = territory()
    report, (rows, *changes) = take(IMPORTER, path, as_of=DAY)
    assert changes == [0, 0, rows, 0]
    assert territory() == before


def test_a_dry_run_tells_the_same_and_writes_nothing(json_table):
    tried, counts = take(IMPORTER, json_table, dry_run=True)
    assert not Commune.objects.exists()
    assert not Member.objects.exists()
    done, same = take(IMPORTER, json_table)
    assert counts == same
    assert tried.flagged == done.flagged


def test_a_commune_without_siren_is_a_code_and_no_member_and_is_told_once(tmp_path, json_table):
    report, _ = take(IMPORTER, json_table)
    assert flagged(report) == [(None, "siren")]
    assert Commune.objects.filter(code="97502").exists()
    assert not Member.objects.filter(insee_code="97502").exists()


def test_the_siren_is_looked_up_never_computed(tmp_path):
    take(IMPORTER, flat(tmp_path, AMIENS))
    assert Member.objects.get(insee_code="80021").siren == "218000198"


def test_a_siren_whose_key_is_wrong_is_refused(tmp_path):
    report, counts = take(IMPORTER, flat(tmp_path, AMIENS.replace("218000198", "218000199"), ORCHIES))
    assert refused(report) == [(2, "siren", "218000199")]
    assert counts[:2] == (2, 1)


def test_two_communes_with_one_siren_are_both_refused(tmp_path):
    other = TEMPLEUVE.replace("215905860", "215904491")
    report, _ = take(IMPORTER, flat(tmp_path, ORCHIES, other, AMIENS))
    assert [finding.line for finding in report.refused] == [2, 3]
    assert list(Member.objects.filter(kind="commune").values_list("insee_code", flat=True)) == ["80021"]


@pytest.mark.parametrize("given", ["21800019800019", "21590449100012"])
def test_a_siret_of_the_table_that_can_not_be_right_is_flagged_and_another_proposed(tmp_path, given):
    report, _ = take(IMPORTER, flat(tmp_path, AMIENS.replace("21800019800018", given)))
    assert flagged(report) == [(2, "siret_principal_derive_a_verifier")]
    assert Member.objects.get().siret == "21800019800018"


def test_only_the_departements_asked_for_are_taken(tmp_path):
    report, counts = take(IMPORTER, flat(tmp_path, ORCHIES, AMIENS, MIQUELON), departements="62 80")
    assert counts == (3, 1, 0, 0, 2)
    assert Commune.objects.get().code == "80021"


def test_departements_are_written_as_people_do():
    [option, _] = IMPORTER.options
    assert option.parse("80, 062;2a 974") == "2A 62 80 974"
    with pytest.raises(ValueError, match="département"):
        option.parse("80,999")


def test_what_staff_entered_is_never_overwritten(tmp_path):
    entered = MemberFactory(
        siret="21800019800190",
        name="Ville d'Amiens",
        insee_code="",
        postal_code="80027",
        city="Amiens Cedex",
    )
    _, counts = take(IMPORTER, flat(tmp_path, AMIENS))
    entered.refresh_from_db()
    assert (entered.name, entered.siret, entered.siret_to_verify) == (
        "Ville d'Amiens",
        "21800019800190",
        False,
    )
    assert (entered.insee_code, entered.postal_code, entered.city) == ("80021", "80027", "Amiens Cedex")
    assert Member.objects.count() == 1


def test_a_member_known_by_its_siret_alone_is_completed(tmp_path):
    Member.objects.create(siret="21800019800018")
    take(IMPORTER, flat(tmp_path, AMIENS))
    member = Member.objects.get()
    assert (member.kind, member.name, member.siret_to_verify) == ("commune", "Amiens", False)


def test_a_member_known_by_its_insee_code_gets_its_siren(tmp_path):
    Member.objects.create(kind="commune", name="Amiens", insee_code="80021")
    take(IMPORTER, flat(tmp_path, AMIENS))
    member = Member.objects.get()
    assert (member.siren, member.siret, member.siret_to_verify) == (
        "218000198",
        "21800019800018",
        True,
    )


def test_another_siren_is_flagged_and_nothing_else_is_done(tmp_path):
    MemberFactory(siret="21590449100010", name="Amiens", insee_code="80021")
    before = list(Member.objects.values())
    report, counts = take(IMPORTER, flat(tmp_path, AMIENS))
    assert flagged(report) == [(2, "siren")]
    assert list(Member.objects.values()) == before


def test_two_members_of_one_siren_are_flagged_and_one_is_completed(tmp_path):
    for siret in ("21800019800018", "21800019800190"):
        MemberFactory(siret=siret, insee_code="80021" if siret.endswith("190") else "")
    report, _ = take(IMPORTER, flat(tmp_path, AMIENS))
    assert flagged(report) == [(2, "siren")]
    assert Member.objects.filter(insee_code="80021").count() == 1


def test_a_siret_that_is_already_someone_s_makes_no_second_member(tmp_path):
    paris = "75056;Paris;75;11;217500016;;75001;2103778;;;"
    MemberFactory(siret="21750001600019", kind="departement", insee_code="75")
    report, _ = take(IMPORTER, flat(tmp_path, paris))
    assert flagged(report) == [(2, "siren")]
    assert Member.objects.count() == 1


def test_the_table_of_communes_knows_their_epci_from_a_day(tmp_path):
    take(IMPORTER, flat(tmp_path, ORCHIES, TEMPLEUVE, AMIENS), as_of=DAY)
    epci = Member.objects.get(kind="epci")
    assert (epci.name, epci.siren, epci.siret) == ("CC Pévèle-Carembault", "200041960", None)
    assert communes_of(epci) == {"59449": (DAY, None), "59586": (DAY, None)}


def test_without_a_date_the_table_holds_from_1_january_of_this_year(tmp_path):
    take(IMPORTER, flat(tmp_path, ORCHIES))
    assert Membership.objects.get().valid_from == dt.date(timezone.localdate().year, 1, 1)


def test_joining_another_epci_ends_the_former_the_day_before(tmp_path):
    take(IMPORTER, flat(tmp_path, ORCHIES, TEMPLEUVE), as_of=DAY)
    moved = ORCHIES.replace("200041960;CC Pévèle-Carembault", "245900410;Métropole")
    _, counts = take(IMPORTER, flat(tmp_path, moved, TEMPLEUVE), as_of=dt.date(2026, 1, 1))
    assert counts == (2, 0, 1, 1, 0)
    former, new = Member.objects.filter(kind="epci").order_by("siren")
    assert communes_of(former) == {"59449": (DAY, dt.date(2025, 12, 31)), "59586": (DAY, None)}
    assert communes_of(new) == {"59449": (dt.date(2026, 1, 1), None)}


def test_an_older_table_never_rewrites_what_a_newer_one_said(tmp_path):
    moved = ORCHIES.replace("200041960;CC Pévèle-Carembault", "245900410;Métropole")
    take(IMPORTER, flat(tmp_path, moved), as_of=dt.date(2026, 1, 1))
    before = territory()[2]
    report, _ = take(IMPORTER, flat(tmp_path, ORCHIES), as_of=DAY)
    assert flagged(report) == [(2, "siren_epci")]
    assert territory()[2] == before


def test_schools_move_to_the_commune_of_today(json_table):
    SchoolFactory(commune_code="13201", name="École du port")
    SchoolFactory(commune_code="01340")
    SchoolFactory(commune_code="31533")
    report, _ = take(IMPORTER, json_table)
    assert sorted(School.objects.values_list("commune_code", flat=True)) == ["01015", "13055", "31533"]
    assert School.objects.filter(search__contains="13055").count() == 1
    assert (None, "code_commune") in flagged(report)


def test_a_merged_commune_keeps_its_row_and_names_its_successor(tmp_path):
    take(
        IMPORTER,
        table(tmp_path / "a.json", [{**CORDIEUX, "type": "commune-actuelle", "siren": "210101200"}]),
    )
    take(IMPORTER, table(tmp_path / "b.json", [CORDIEUX, MONTLUEL]), as_of=DAY)
    merged = Member.objects.get(insee_code="01120")
    assert (merged.successor.insee_code, merged.merged_on) == ("01262", DAY)
    assert merged.siret == "21010120000017"
    assert Commune.objects.get(code="01120").kind == "associee"


def test_a_code_whose_commune_merged_since_follows_it(tmp_path):
    take(IMPORTER, table(tmp_path / "a.json", [MARSEILLE, MARSEILLE_1]))
    gone = {**MARSEILLE, "type": "commune-deleguee", "chefLieu": "01262", "siren": ""}
    take(IMPORTER, table(tmp_path / "b.json", [MONTLUEL, gone]))
    assert Commune.objects.get(code="13201").today_id == "01262"


def test_a_former_code_of_corsica_is_kept(tmp_path):
    ajaccio = {"code": "2A004", "nom": "Ajaccio", "departement": "2A", "type": "commune-actuelle"}
    report, _ = take(IMPORTER, table(tmp_path / "a.json", [{**ajaccio, "anciensCodes": ["20004"]}]))
    assert not report.refused
    assert Commune.objects.get(code="20004").today_id == "2A004"


def test_a_part_of_an_unknown_commune_is_refused(tmp_path):
    report, _ = take(IMPORTER, table(tmp_path / "a.json", [MARSEILLE_1, ARBOYS, ARBIGNIEU]))
    assert refused(report) == [(1, "cheflieu", "13055")]


@pytest.mark.parametrize(
    ("column", "value"), [("type", "commune-nouvelle"), ("code", "1015"), ("nom", "")]
)
def test_a_bad_row_is_refused_and_stops_no_other(tmp_path, column, value):
    report, _ = take(IMPORTER, table(tmp_path / "a.json", [SAINT_PIERRE, {**ARBOYS, column: value}]))
    assert refused(report) == [(2, column, value)]
    assert Commune.objects.get().code == "97502"


def test_a_file_of_something_else_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="Colonne absente"):
        take(IMPORTER, write_csv(tmp_path / "x.csv", "siren;nom", "1;2"))


@pytest.mark.skipif(not REAL.exists(), reason="les fichiers officiels ne sont pas là")
def test_the_whole_of_france_imports_with_the_counts_measured_on_its_file():
    report, counts = take(IMPORTER, REAL, as_of=DAY)
    assert counts == (34969, 34969, 0, 0, 0)
    assert not report.refused
    assert [finding.message for finding in report.flagged] == [
        "94\u00a0communes sans SIREN dans la table : code gardé, sans membre."
    ]
    kinds = [Member.objects.filter(kind=kind).count() for kind in ("commune", "epci")]
    assert kinds == [34875, 1255]
    assert Membership.objects.filter(valid_to=None, valid_from=DAY).count() == 34871
    assert Member.objects.filter(siret_to_verify=True).count() == 34875
    # Four islands are in no EPCI.
    alone = Member.objects.filter(kind="commune", communities=None).order_by("insee_code")
    assert list(alone.values_list("insee_code", flat=True)) == ["22016", "29083", "29155", "85113"]
