"""What was measured in real annuaires and in the lists that people make of them."""

import datetime as dt

import openpyxl
import pytest

from members.identifiers import uai_letter
from members.models import Commune, School
from tests.members.editions import row, write_rows
from tests.members.files import run, snapshot

pytestmark = pytest.mark.django_db

UAI = "Identifiant_de_l_etablissement"


def load(tmp_path, *rows, name="annuaire.csv"):
    return run("import_annuaire", write_rows(tmp_path / name, *rows))


def stored(tmp_path, **cells):
    """Import one row of Saubens with some cells changed, and return its school."""
    outcome = load(tmp_path, row(**cells))
    assert not outcome.refused
    return School.objects.get()


def without(*columns, **cells):
    return {name: cell for name, cell in row(**cells).items() if name not in columns}


def test_it_works(tmp_path):
    outcome = load(tmp_path, row())
    assert (outcome.counts, outcome.flagged) == ((1, 1, 0, 0, 0, 0), [])


# Keys.


def test_several_sites_under_one_uai_are_all_refused_and_none_wins(tmp_path):
    load(tmp_path, row())
    before = snapshot()
    sites = [
        row(multi_uai="1", Nom_etablissement="Cité scolaire (collège)", Type_etablissement="Collège"),
        row(multi_uai="1", Nom_etablissement="Cité scolaire (lycée)", Type_etablissement="Lycée"),
    ]
    for rows in (sites, sites[::-1]):
        outcome = load(tmp_path, *rows)
        assert [value for _, _, value in outcome.refused] == ["0310891A", "0310891A"]
        assert snapshot() == before


def test_one_site_of_a_uai_that_has_several_is_kept_and_flagged(tmp_path):
    outcome = load(tmp_path, row(multi_uai="1"))
    assert (outcome.counts, outcome.flagged) == ((1, 1, 0, 0, 0, 1), [(2, UAI.lower(), "0310891A")])


@pytest.mark.parametrize("written", ["0310891a", "0310891A  ", " 0310891a"])
def test_a_uai_in_lower_case_or_with_spaces_is_the_same_school(tmp_path, written):
    assert stored(tmp_path, **{UAI: written}).uai == "0310891A"


@pytest.mark.parametrize(
    "written", ["0351122O", "09110776Z", "031089A", "0310891", "310891A", "0310891B", "0310819A"]
)
def test_a_uai_with_the_letter_o_or_a_digit_too_many_missing_or_swapped_is_refused(tmp_path, written):
    assert load(tmp_path, row(**{UAI: written})).refused == [(2, UAI.lower(), written)]


# SIRET.


@pytest.mark.parametrize("written", ["2,17003E+13", "2.17003E+13", "2,17E13"])
def test_a_siret_rounded_by_a_spreadsheet_is_refused(tmp_path, written):
    assert load(tmp_path, row(SIREN_SIRET=written)).refused == [(2, "siren_siret", written)]


@pytest.mark.parametrize("written", ["21120288800042", "21802000870005", "21810107900055"])
def test_a_siret_whose_key_is_wrong_is_flagged_and_kept(tmp_path, written):
    outcome = load(tmp_path, row(SIREN_SIRET=written))
    assert outcome.flagged == [(2, "siren_siret", written)]
    assert School.objects.get().siren_siret == written


@pytest.mark.parametrize("written", ["21120288800042", "2131053310002", "213105332"])
def test_a_siret_whose_key_is_wrong_does_not_replace_the_one_that_is_known(tmp_path, written):
    load(tmp_path, row())
    outcome = load(tmp_path, row(SIREN_SIRET=written))
    assert (outcome.counts, outcome.flagged) == ((1, 0, 0, 1, 0, 1), [(2, "siren_siret", written)])
    assert School.objects.get().siren_siret == "21310533100028"
    other = "21310004300016"
    assert load(tmp_path, row(SIREN_SIRET=other)).report["updated"] == 1
    assert School.objects.get().siren_siret == other


@pytest.mark.parametrize("rounded", [2.17003e13, 2.1310533e13])
def test_a_number_that_a_workbook_rounded_is_refused_and_what_is_known_stays(tmp_path, rounded):
    load(tmp_path, row())
    before = snapshot()
    book = openpyxl.Workbook()
    cells = row(SIREN_SIRET=rounded)
    book.active.append(list(cells))
    book.active.append(list(cells.values()))
    book.save(tmp_path / "arrondi.xlsx")
    outcome = run("import_annuaire", tmp_path / "arrondi.xlsx")
    assert outcome.refused == [(2, "siren_siret", f"{rounded:.0f}")]
    assert snapshot() == before


def test_a_siret_left_blank_is_flagged_and_erases_nothing(tmp_path):
    load(tmp_path, row())
    assert load(tmp_path, row(SIREN_SIRET="")).flagged == [(2, "siren_siret", "")]
    assert School.objects.get().siren_siret == "21310533100028"


def test_a_siret_too_long_is_flagged_and_not_cut(tmp_path):
    outcome = load(tmp_path, row(SIREN_SIRET="213105331000288"))
    assert outcome.flagged == [(2, "siren_siret", "213105331000288")]
    assert School.objects.get().siren_siret == ""


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("213 105 331 00028", "21310533100028"),
        ("213105331", "213105331"),
        ("35600000000048", "35600000000048"),
    ],
)
def test_a_siret_with_spaces_a_siren_and_that_of_la_poste_are_right(tmp_path, written, kept):
    outcome = load(tmp_path, row(SIREN_SIRET=written))
    assert not outcome.flagged
    assert School.objects.get().siren_siret == kept


def test_a_private_school_is_kept_with_its_siren(tmp_path):
    school = stored(tmp_path, Statut_public_prive="Privé", SIREN_SIRET="77684512500058")
    assert (school.sector, school.siren_siret) == ("prive", "77684512500058")


# Places.


@pytest.mark.parametrize(
    ("written", "commune", "code"),
    [
        ("070", "70285", "70"),
        ("70", "70285", "70"),
        ("21", "21231", "21"),
        ("1", "01053", "01"),
        ("001", "01053", "01"),
        ("02A", "2A004", "2A"),
        ("2b", "2B033", "2B"),
        ("974", "97411", "974"),
        ("", "97411", "974"),
        ("", "2A004", "2A"),
        ("", "98818", "988"),
    ],
)
def test_a_departement_whose_zeros_a_spreadsheet_took_is_written_as_insee_does(
    tmp_path, written, commune, code
):
    outcome = load(tmp_path, row(Code_departement=written, Code_commune=commune))
    assert School.objects.get().departement_code == code
    assert not outcome.flagged


def test_without_its_column_the_departement_is_that_of_the_commune(tmp_path):
    outcome = load(tmp_path, without("Code_departement", Code_commune="2A004"))
    assert (outcome.report["created"], School.objects.get().departement_code) == (1, "2A")


@pytest.mark.parametrize("written", ["620", "Somme", "0310"])
def test_an_impossible_departement_is_flagged_and_that_of_the_commune_kept(tmp_path, written):
    outcome = load(tmp_path, row(Code_departement=written))
    assert outcome.flagged == [(2, "code_departement", written)]
    assert School.objects.get().departement_code == "31"


def test_a_departement_that_is_not_that_of_the_commune_is_flagged(tmp_path):
    outcome = load(tmp_path, row(Code_departement="034"))
    assert outcome.flagged == [(2, "code_commune", "31533")]
    assert School.objects.get().departement_code == "34"


@pytest.mark.parametrize(
    ("digits", "departement", "commune"),
    [
        ("6200088", "02A", "2A041"),
        ("7200088", "02B", "2B033"),
        ("9830002", "988", "98818"),
        ("9840001", "987", "98735"),
        ("9870001", "986", "98613"),
        ("9710001", "977", "97701"),
        ("9710002", "978", "97801"),
    ],
)
def test_a_uai_of_corsica_or_overseas_says_nothing_of_its_departement(
    tmp_path, digits, departement, commune
):
    uai = digits + uai_letter(digits)
    outcome = load(tmp_path, row(**{UAI: uai}, Code_departement=departement, Code_commune=commune))
    assert (outcome.refused, outcome.flagged) == ([], [])
    school = School.objects.get()
    assert (school.uai, school.departement_code, school.commune_code) == (
        uai,
        departement.lstrip("0"),
        commune,
    )


@pytest.mark.parametrize(
    ("kind", "former", "today", "name"),
    [
        (Commune.Kind.DISTRICT, "75115", "75056", "Paris"),
        (Commune.Kind.DISTRICT, "69383", "69123", "Lyon"),
        (Commune.Kind.DISTRICT, "13201", "13055", "Marseille"),
        (Commune.Kind.DELEGATED, "14472", "14654", "Saint-Pierre-en-Auge"),
        (Commune.Kind.FORMER, "49144", "44180", "Vallons-de-l'Erdre"),
    ],
)
def test_arrondissements_and_former_codes_are_brought_to_the_commune_of_today(
    tmp_path, kind, former, today, name
):
    commune = Commune.objects.create(code=today, name=name)
    Commune.objects.create(code=former, name="Partie", kind=kind, today=commune)
    departement = f"0{today[:2]}"

    outcome = load(tmp_path, row(Code_commune=former, Code_departement=departement))

    school = School.objects.get()
    assert (school.commune_code, school.commune_name) == (today, name)
    assert not outcome.flagged
    again = load(tmp_path, row(Code_commune=former, Code_departement=departement))
    assert again.counts == (1, 0, 0, 1, 0, 0)


def test_an_unknown_commune_is_flagged_once_the_table_of_its_departement_is_there(tmp_path):
    assert not load(tmp_path, row(Code_commune="31999")).flagged
    Commune.objects.create(code="80021", name="Amiens")
    assert not load(tmp_path, row(Code_commune="31999")).flagged
    Commune.objects.create(code="31533", name="Saubens")
    outcome = load(tmp_path, row(Code_commune="31999"))
    assert outcome.flagged == [(2, "code_commune", "31999")]
    assert School.objects.filter(commune_code="31999").exists()


@pytest.mark.parametrize(
    ("departement", "postal_code"),
    [("001", "01000"), ("1", "1000"), ("", "01000"), ("", "1000"), ("1", "")],
)
def test_a_commune_that_lost_its_zero_gets_it_back_when_another_column_says_so(
    tmp_path, departement, postal_code
):
    school = stored(tmp_path, Code_commune="1053", Code_departement=departement, Code_postal=postal_code)
    assert (school.commune_code, school.departement_code) == ("01053", "01")
    assert school.postal_code in ("01000", "")


@pytest.mark.parametrize(
    ("departement", "postal_code"), [("031", "01000"), ("", "31600"), ("", ""), ("", "100")]
)
def test_a_commune_of_four_digits_that_nothing_confirms_is_refused(tmp_path, departement, postal_code):
    outcome = load(
        tmp_path, row(Code_commune="1053", Code_departement=departement, Code_postal=postal_code)
    )
    assert outcome.refused == [(2, "code_commune", "1053")]


@pytest.mark.parametrize("written", ["3160", "316000", "F-31600"])
def test_a_postal_code_that_is_not_one_is_flagged_and_left_out(tmp_path, written):
    outcome = load(tmp_path, row(Code_postal=written))
    assert outcome.flagged == [(2, "code_postal", written)]
    assert School.objects.get().postal_code == ""


@pytest.mark.parametrize(("written", "code"), [("3", "03"), ("03", "03"), ("16", "16"), ("", "")])
def test_an_academie_has_two_digits(tmp_path, written, code):
    assert stored(tmp_path, Code_academie=written).academy_code == code


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        (("11 rue des Ecoles", "", "31600 SAUBENS"), "11 rue des Ecoles"),
        (("11 rue", "BP 16", "31600 SAUBENS CEDEX"), "11 rue, BP 16, 31600 SAUBENS CEDEX"),
        (("SAUBENS", "SAUBENS", ""), "SAUBENS"),
        (("", "", "31600 Saubens"), ""),
    ],
)  # fmt: skip
def test_an_address_does_not_repeat_the_postal_code_and_the_commune(tmp_path, lines, kept):
    cells = {f"Adresse_{rank}": line for rank, line in enumerate(lines, start=1)}
    assert stored(tmp_path, **cells).address == kept


def test_the_post_writes_st_and_the_annuaire_saint(tmp_path):
    school = stored(tmp_path, Adresse_3="31470 ST LYS", Code_postal="31470", Nom_commune="Saint-Lys")
    assert school.address == "11 rue des Ecoles"


# Kinds, levels, states and days.


@pytest.mark.parametrize(
    ("flags", "nature", "level"),
    [
        (("1", "1"), "151", "EP"),
        (("1", "1"), "101", "EP"),
        (("0", "1"), "151", "EE"),
        (("1", "0"), "101", "EM"),
        (("0", "1"), "162", "EE"),
        (("1", ""), "", "EM"),
        (("", ""), "101", "EM"),
        (("", ""), "102", "EM"),
        (("", ""), "103", "EM"),
        (("", ""), "151", ""),
        (("", ""), "", ""),
    ],
)
def test_the_level_is_that_of_the_flags_else_of_a_nature_that_tells_it(tmp_path, flags, nature, level):
    school = stored(tmp_path, Ecole_maternelle=flags[0], Ecole_elementaire=flags[1], code_nature=nature)
    assert school.level == level


def test_flags_written_as_words_are_read(tmp_path):
    assert stored(tmp_path, Ecole_maternelle="Oui", Ecole_elementaire="Non").level == "EM"


@pytest.mark.parametrize(
    ("kind", "degree"),
    [
        ("Ecole", "premier"),
        ("École", "premier"),
        ("ECOLE", "premier"),
        ("Collège", "college"),
        ("Lycée", "lycee"),
        ("EREA", "autre"),
        ("Médico-social", "autre"),
        ("Service Administratif", "autre"),
        ("Information et orientation", "autre"),
        ("Autre", "autre"),
    ],
)
def test_each_type_has_its_degree(tmp_path, kind, degree):
    outcome = load(tmp_path, row(Type_etablissement=kind))
    school = School.objects.get()
    assert (school.kind, school.degree) == (kind, degree)
    assert (school.level != "") == (degree == "premier")
    assert not outcome.flagged


def test_an_unknown_type_is_flagged_and_kept(tmp_path):
    outcome = load(tmp_path, row(Type_etablissement="Groupe scolaire"))
    assert outcome.flagged == [(2, "type_etablissement", "Groupe scolaire")]
    assert School.objects.get().degree == "autre"


@pytest.mark.parametrize(("nature", "degree"), [("151", "premier"), ("400", "autre"), ("", "autre")])
def test_without_a_type_the_nature_of_an_ecole_gives_the_degree(tmp_path, nature, degree):
    assert stored(tmp_path, Type_etablissement="", code_nature=nature).degree == degree


def test_an_empty_type_does_not_erase_a_known_degree(tmp_path):
    load(tmp_path, row())
    outcome = load(tmp_path, row(Type_etablissement="", code_nature=""))
    assert outcome.counts == (1, 0, 0, 1, 0, 0)
    assert School.objects.get().degree == "premier"


def test_a_school_known_by_its_uai_alone_is_completed_without_a_type_too(tmp_path):
    School.objects.create(uai="0310891A")
    assert stored(tmp_path, Type_etablissement="", code_nature="").degree == "autre"


def test_an_empty_sector_is_kept_and_flagged(tmp_path):
    outcome = load(tmp_path, row(Statut_public_prive=""))
    assert outcome.flagged == [(2, "statut_public_prive", "")]
    assert School.objects.get().sector == ""


@pytest.mark.parametrize(
    ("written", "state", "flagged"),
    [
        ("OUVERT", "OUVERT", False),
        ("Ouvert", "OUVERT", False),
        ("", "", False),
        ("A FERMER", "A FERMER", True),
        ("À fermer", "A FERMER", True),
        ("A OUVRIR", "A OUVRIR", True),
        ("FERME", "FERME", True),
    ],
)
def test_a_school_to_open_to_close_or_in_an_unknown_state_is_flagged(tmp_path, written, state, flagged):
    outcome = load(tmp_path, row(etat=written))
    assert School.objects.get().state == state
    assert outcome.flagged == ([(2, "etat", state)] if flagged else [])


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("1998-09-01", dt.date(1998, 9, 1)),
        ("01/09/1998", dt.date(1998, 9, 1)),
        ("1965-05-01", None),
        ("01/05/1965", None),
        ("2099-01-01", None),
        ("2027-09-01", dt.date(2027, 9, 1)),
        ("", None),
    ],
)
def test_the_dates_that_mean_unknown_are_no_dates(tmp_path, written, day):
    assert stored(tmp_path, date_ouverture=written).opened_on == day


# What is too long.


def test_a_name_too_long_is_refused_rather_than_cut(tmp_path):
    outcome = load(tmp_path, row(Nom_etablissement="École " * 40))
    assert [(line, field) for line, field, _ in outcome.refused] == [(2, "nom_etablissement")]
    assert stored(tmp_path, Nom_etablissement="É" * 200).name == "É" * 200


@pytest.mark.parametrize(
    ("column", "field", "length"),
    [
        ("Nom_commune", "commune_name", 100),
        ("nom_circonscription", "circumscription", 100),
        ("Adresse_1", "address", 200),
    ],
)
def test_what_is_cut_is_flagged(tmp_path, column, field, length):
    outcome = load(tmp_path, row(**{column: "x" * (length + 1)}))
    assert outcome.flagged == [(2, column.lower(), "x" * 50)]
    assert getattr(School.objects.get(), field) == "x" * length


def test_an_impossible_code_of_circumscription_is_flagged_and_left_out(tmp_path):
    outcome = load(tmp_path, row(code_circonscription="0311339A"))
    assert outcome.flagged == [(2, "code_circonscription", "0311339A")]
    assert School.objects.get().circumscription_code == ""
