"""The table of EPCI: which communes are part of them, from which day."""

import datetime as dt

import pytest

from entsvc.models import ImportRecord
from entsvc.tabular import UnreadableFile
from members.importers.communes import IMPORTER as COMMUNES
from members.importers.epcis import IMPORTER
from members.models import Member, Membership
from tests.factories import MemberFactory
from tests.members.files import run, write_csv, write_xlsx
from tests.members.territory import (
    DATA,
    FLAT_HEADER,
    ORCHIES,
    TEMPLEUVE,
    communes_of,
    flagged,
    refused,
    table,
    take,
    territory,
)

pytestmark = pytest.mark.django_db

HEADER = "siren;raison_sociale;nature_juridique;insee;siren_membre;nom_membre;pmun"
PEVELE = "200041960;CC Pévèle-Carembault;CC"
IN_ORCHIES = f"{PEVELE};59449;215904491;Orchies;8390"
IN_TEMPLEUVE = f"{PEVELE};59586;215905860;Templeuve-en-Pévèle;6979"
DAY, NEXT = dt.date(2025, 1, 1), dt.date(2026, 1, 1)
JSON = {
    "code": "200041960",
    "nom": "CC Pévèle-Carembault",
    "type": "CC",
    "modeFinancement": "FPU",
    "populationTotale": 97000,
    "membres": [
        {"code": "59449", "siren": "215904491", "nom": "Orchies", "populationTotale": 8500},
        {"code": "59586", "siren": "215905860", "nom": "Templeuve-en-Pévèle"},
    ],
}
BANATIC = (
    "dept;siren;raison_sociale;nature_juridique;mode_financ;nb_membres;total_pop_tot;total_pop_mun;dep_com;"
    "insee;siren_membre;nom_membre;ptot_2025;pmun_2025"
)


def epcis(tmp_path, *rows):
    return write_csv(tmp_path / "epci.csv", HEADER, *rows)


@pytest.fixture
def communes(tmp_path):
    take(COMMUNES, write_csv(tmp_path / "c.csv", FLAT_HEADER, *(alone(r) for r in (ORCHIES, TEMPLEUVE))))


def alone(row):
    return row.replace("200041960;CC Pévèle-Carembault;CC", ";;")


def pevele():
    return Member.objects.get(siren="200041960")


def test_it_works(tmp_path, communes):
    report, counts = take(IMPORTER, epcis(tmp_path, IN_ORCHIES, IN_TEMPLEUVE), as_of=DAY)
    assert counts == (2, 2, 0, 0, 0)
    assert not report.refused + report.flagged
    assert (pevele().kind, pevele().name, pevele().siret) == ("epci", "CC Pévèle-Carembault", None)
    assert communes_of(pevele()) == {"59449": (DAY, None), "59586": (DAY, None)}


def test_every_form_of_the_table_says_the_same(tmp_path, communes):
    take(IMPORTER, epcis(tmp_path, IN_ORCHIES, IN_TEMPLEUVE), as_of=DAY)
    before = territory()
    banatic = [
        f"59;{PEVELE};FPU;38;98000;97000;59;{row.split(';', 3)[3]};0"
        for row in (IN_ORCHIES, IN_TEMPLEUVE)
    ]
    for path in (
        table(tmp_path / "epci.json", [JSON]),
        write_xlsx(tmp_path / "banatic.xlsx", BANATIC, *banatic),
    ):
        _, counts = take(IMPORTER, path, as_of=DAY)
        assert counts == (2, 0, 0, 2, 0), path.name
        assert territory() == before


def test_the_command_line_takes_it_too(tmp_path, communes):
    assert run("import_epcis", epcis(tmp_path, IN_ORCHIES)).counts == (1, 1, 0, 0, 0, 0)


def test_a_zero_taken_off_by_a_spreadsheet_is_restored_when_the_departement_says_so(tmp_path):
    row = "1;200042935;HB;CC;FPU;1;1;1;{};1262;210102620;Montluel;1;1"
    report, _ = take(IMPORTER, write_csv(tmp_path / "a.csv", BANATIC, row.format("1")))
    assert not report.refused
    assert Member.objects.get(kind="commune").insee_code == "01262"
    report, _ = take(IMPORTER, write_csv(tmp_path / "b.csv", BANATIC, row.format("12")))
    assert refused(report) == [(2, "insee", "1262")]


def test_a_commune_not_known_yet_is_made_with_its_siren_and_no_siret(tmp_path):
    report, counts = take(IMPORTER, epcis(tmp_path, IN_ORCHIES))
    assert counts == (1, 1, 0, 0, 0)
    assert flagged(report) == [(None, "siren_membre")]
    commune = Member.objects.get(kind="commune")
    assert (commune.siren, commune.siret, commune.insee_code) == ("215904491", None, "59449")
    take(COMMUNES, write_csv(tmp_path / "c.csv", FLAT_HEADER, ORCHIES))
    commune.refresh_from_db()
    assert (commune.siret, commune.siret_to_verify) == ("21590449100010", True)


def test_a_commune_that_leaves_ends_the_day_before_the_table(tmp_path, communes):
    take(IMPORTER, epcis(tmp_path, IN_ORCHIES, IN_TEMPLEUVE), as_of=DAY)
    report, counts = take(IMPORTER, epcis(tmp_path, IN_ORCHIES), as_of=NEXT)
    assert counts == (1, 0, 0, 1, 0)
    assert flagged(report) == [(None, "insee")]
    assert communes_of(pevele()) == {"59449": (DAY, None), "59586": (DAY, dt.date(2025, 12, 31))}


def test_a_commune_that_joins_again_has_a_second_membership(tmp_path, communes):
    for rows, day in (
        ((IN_ORCHIES, IN_TEMPLEUVE), DAY),
        ((IN_ORCHIES,), NEXT),
        ((IN_ORCHIES, IN_TEMPLEUVE), dt.date(2027, 1, 1)),
    ):
        take(IMPORTER, epcis(tmp_path, *rows), as_of=day)
    spans = Membership.objects.filter(commune__insee_code="59586").order_by("valid_from")
    assert [(span.valid_from.year, span.valid_to and span.valid_to.year) for span in spans] == [
        (2025, 2025),
        (2027, None),
    ]


def test_an_epci_the_table_does_not_list_keeps_its_communes(tmp_path, communes):
    take(IMPORTER, epcis(tmp_path, IN_ORCHIES), as_of=DAY)
    other = IN_TEMPLEUVE.replace(PEVELE, "245900410;Métropole;METRO")
    take(IMPORTER, epcis(tmp_path, other), as_of=NEXT)
    assert communes_of(pevele()) == {"59449": (DAY, None)}


def test_the_communes_of_other_departements_neither_enter_nor_leave(tmp_path, communes):
    far = f"{PEVELE};80021;218000198;Amiens;1"
    take(IMPORTER, epcis(tmp_path, IN_ORCHIES, far), as_of=DAY)
    _, counts = take(IMPORTER, epcis(tmp_path, IN_TEMPLEUVE, IN_ORCHIES), as_of=NEXT, departements="59")
    assert counts == (2, 1, 0, 1, 0)
    assert communes_of(pevele())["80021"] == (DAY, None)


def test_a_commune_in_two_epci_of_one_table_is_refused_twice(tmp_path, communes):
    other = IN_ORCHIES.replace(PEVELE, "245900410;Métropole;METRO")
    report, counts = take(IMPORTER, epcis(tmp_path, IN_ORCHIES, other, IN_TEMPLEUVE))
    assert refused(report) == [(2, "insee", "59449"), (3, "insee", "59449")]
    assert counts[:2] == (3, 1)


METROPOLE = "245900410;Métropole;METRO"


def test_a_commune_that_leaves_counts_and_is_kept_in_the_history_once(tmp_path, communes):
    take(IMPORTER, epcis(tmp_path, IN_ORCHIES, IN_TEMPLEUVE), as_of=DAY)
    before = ImportRecord.objects.count()
    path = write_csv(tmp_path / "fewer.csv", HEADER, IN_ORCHIES)
    for moved in (1, 0):
        report, counts = take(IMPORTER, path, as_of=NEXT)
        assert (counts, report.moved) == ((1, 0, 0, 1, 0), moved)
        assert ImportRecord.objects.count() == before + 1


def test_a_commune_that_enters_another_epci_counts_once(tmp_path, communes):
    take(IMPORTER, epcis(tmp_path, IN_ORCHIES, IN_TEMPLEUVE), as_of=DAY)
    other = IN_TEMPLEUVE.replace(PEVELE, METROPOLE)
    report, counts = take(IMPORTER, epcis(tmp_path, IN_ORCHIES, other), as_of=NEXT)
    assert (counts[1], report.moved) == (1, 0)


@pytest.mark.parametrize(
    "refusals",
    [
        [IN_TEMPLEUVE.replace("215905860", "215905861")],
        [IN_TEMPLEUVE.replace("200041960", "200041961")],
        [IN_TEMPLEUVE.replace("59586", "5958")],
        [IN_TEMPLEUVE.replace("200041960", "2,00E+08").replace("59586", "")],
        [IN_TEMPLEUVE.replace("Templeuve-en-Pévèle", "")],
        [f"{IN_TEMPLEUVE};un;mot de trop"],
        [IN_TEMPLEUVE, IN_TEMPLEUVE],
        [IN_TEMPLEUVE, IN_TEMPLEUVE.replace(PEVELE, METROPOLE)],
        [IN_TEMPLEUVE.replace(PEVELE, METROPOLE).replace("215905860", "215905861")],
        [
            IN_TEMPLEUVE.replace("215905860", "215905861"),
            IN_TEMPLEUVE.replace(PEVELE, METROPOLE),
        ],
    ],
    ids=[
        "SIREN de la commune faux",
        "SIREN de l'EPCI faux",
        "code INSEE faux",
        "ni l'EPCI ni la commune",
        "sans nom",
        "cellules en trop",
        "deux fois la même",
        "dans deux EPCI",
        "refusée sous un autre EPCI",
        "refusée ici, bonne ailleurs",
    ],
)
def test_a_commune_that_only_refused_rows_name_does_not_leave(tmp_path, communes, refusals):
    take(IMPORTER, epcis(tmp_path, IN_ORCHIES, IN_TEMPLEUVE), as_of=DAY)
    report, _ = take(IMPORTER, epcis(tmp_path, IN_ORCHIES, *refusals), as_of=NEXT)
    assert len(report.refused) == len(refusals)
    assert communes_of(pevele()) == {"59449": (DAY, None), "59586": (DAY, None)}
    assert report.moved == 0


def test_an_epci_with_a_refused_row_keeps_all_its_communes_and_the_others_do_not(tmp_path, communes):
    amiens = "248000531;CA Amiens;CA;80021;218000198;Amiens;1"
    albert = "248000531;CA Amiens;CA;80016;218000149;Albert;1"
    take(IMPORTER, epcis(tmp_path, IN_ORCHIES, IN_TEMPLEUVE, amiens, albert), as_of=DAY)
    bad = f"{PEVELE};59001;215900010;;1"
    report, _ = take(IMPORTER, epcis(tmp_path, IN_ORCHIES, bad, amiens), as_of=NEXT)
    assert (None, "siren") in flagged(report)
    assert communes_of(pevele())["59586"] == (DAY, None)
    ended = dict(Membership.objects.order_by("pk").values_list("commune__insee_code", "valid_to"))
    assert ended["80016"] == dt.date(2025, 12, 31)
    assert report.moved == 1


def test_a_count_of_one_is_written_in_the_singular(tmp_path):
    report, _ = take(IMPORTER, epcis(tmp_path, IN_ORCHIES), as_of=DAY)
    assert "1\u00a0commune sans SIRET, connue par" in report.flagged[0].message
    report, _ = take(IMPORTER, epcis(tmp_path, IN_TEMPLEUVE), as_of=NEXT)
    messages = " ".join(finding.message for finding in report.flagged)
    assert "1\u00a0commune que la table ne met plus dans son EPCI" in messages


@pytest.mark.parametrize(
    ("wrong", "column", "value"),
    [
        (("200041960", "200041961"), "siren", "200041961"),
        (("215904491", "215904492"), "siren_membre", "215904492"),
        ((";59449;", ";9449;"), "insee", "9449"),
        (("CC Pévèle-Carembault", ""), "raison_sociale", ""),
    ],
)
def test_a_bad_row_is_refused_and_stops_no_other(tmp_path, wrong, column, value):
    report, counts = take(IMPORTER, epcis(tmp_path, IN_ORCHIES.replace(*wrong), IN_TEMPLEUVE))
    assert refused(report) == [(2, column, value)]
    assert counts[1] == 1


def test_the_list_without_communes_makes_the_epci_and_ends_nothing(tmp_path, communes):
    take(IMPORTER, epcis(tmp_path, IN_ORCHIES), as_of=DAY)
    path = write_csv(
        tmp_path / "e.csv",
        "siren;nom;nature_juridique",
        "200041960;Autre;CC",
        "245900410;Métropole;METRO",
    )
    _, counts = take(IMPORTER, path, as_of=NEXT)
    assert counts == (2, 1, 0, 1, 0)
    assert communes_of(pevele()) == {"59449": (DAY, None)}
    assert pevele().name == "CC Pévèle-Carembault"
    with pytest.raises(UnreadableFile, match="sans choisir de départements"):
        take(IMPORTER, path, departements="59")


def test_a_refused_row_of_a_list_without_communes_says_nothing_of_them(tmp_path):
    path = write_csv(tmp_path / "e.csv", "siren;nom;nature_juridique", "200041961;Faux;CC")
    report, _ = take(IMPORTER, path)
    assert (refused(report), report.flagged) == ([(2, "siren", "200041961")], [])


def test_an_epci_known_by_its_siret_keeps_it(tmp_path):
    known = MemberFactory(kind="", name="", siret="20004196000012")
    take(IMPORTER, epcis(tmp_path, IN_ORCHIES))
    known.refresh_from_db()
    assert (known.kind, known.name, known.siret) == ("epci", "CC Pévèle-Carembault", "20004196000012")


@pytest.mark.skipif(not DATA.exists(), reason="les fichiers officiels ne sont pas là")
def test_the_real_tables_import_with_the_counts_measured_on_them():
    report, counts = take(IMPORTER, DATA / "epci_2025.csv")
    assert counts == (1255, 1255, 0, 0, 0)
    assert not report.refused + report.flagged
    report, counts = take(IMPORTER, DATA / "epci_membres_5_epci.csv")
    assert counts == (190, 190, 0, 0, 0)
    assert not report.refused
    assert Membership.objects.values("body").order_by("body").distinct().count() == 5
    assert Member.objects.filter(kind="commune").count() == 190
    _, counts = take(IMPORTER, DATA / "epci_membres_5_epci.csv")
    assert counts == (190, 0, 0, 190, 0)
