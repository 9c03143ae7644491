"""The list of members: which rows become members, and what the report says of the others."""

import pytest

from members.models import Member
from tests.factories import MemberFactory, valid_siret
from tests.members.files import run, run_refused, snapshot, with_columns, write_csv, write_xlsx

pytestmark = pytest.mark.django_db

HEADER = "siret;nom;type;code_insee;adresse;code_postal;ville;courriel"
SAUBENS = (
    "21310533100010;Commune de Saubens;commune;31533;Hôtel de ville;31600;Saubens;mairie@example.org"
)
SOMME = "22800001400016;Département de la Somme;departement;;43 rue de la République;80000;Amiens;"
EPCI = f"{valid_siret(1)};CA d'Évry;epci;;1 place;62000;Évry;contact@example.org"


def members(tmp_path, *rows, header=HEADER, **form):
    return write_csv(tmp_path / "membres.csv", header, *rows, **form)


def changed(row, column, value):
    cells = row.split(";")
    cells[HEADER.split(";").index(column)] = value
    return ";".join(cells)


def test_it_works(tmp_path):
    outcome = run("import_members", members(tmp_path, SAUBENS, SOMME, EPCI))

    assert outcome.counts == (3, 3, 0, 0, 0, 0)
    member = Member.objects.get(siret="21310533100010")
    assert (member.name, member.kind, member.insee_code) == (
        "Commune de Saubens",
        "commune",
        "31533",
    )
    assert (member.address, member.postal_code, member.city, member.email) == (
        "Hôtel de ville",
        "31600",
        "Saubens",
        "mairie@example.org",
    )
    assert Member.objects.filter(search__contains="evry").count() == 1


def test_the_same_file_twice_changes_nothing(tmp_path):
    path = members(tmp_path, SAUBENS, SOMME)
    run("import_members", path)
    before = snapshot()
    assert run("import_members", path).counts == (2, 0, 0, 2, 0, 0)
    assert snapshot() == before


def test_a_changed_row_updates_its_member(tmp_path):
    run("import_members", members(tmp_path, SAUBENS, SOMME))
    outcome = run("import_members", members(tmp_path, changed(SAUBENS, "nom", "Ville"), SOMME))
    assert outcome.counts == (2, 0, 1, 1, 0, 0)
    member = Member.objects.get(siret="21310533100010")
    assert (member.name, member.search.split()[0]) == ("Ville", "ville")


def test_a_blank_never_overwrites(tmp_path):
    run("import_members", members(tmp_path, SAUBENS))
    MemberFactory(siret=valid_siret(5), name="Saisi à la main", email="saisi@example.org")
    blank = SAUBENS
    for column in ("code_insee", "adresse", "code_postal", "ville", "courriel"):
        blank = changed(blank, column, "")
    before = snapshot()

    outcome = run(
        "import_members",
        members(tmp_path, blank, f"{valid_siret(5)};Saisi à la main;commune;;;;;"),
    )

    assert outcome.report["unchanged"] == 2
    assert snapshot() == before


def test_columns_of_other_screens_are_left_alone(tmp_path):
    MemberFactory(siret="21310533100010", service_code="FACTURES", service_code_required=True)
    run("import_members", members(tmp_path, SAUBENS))
    member = Member.objects.get()
    assert (member.service_code, member.service_code_required) == ("FACTURES", True)


def test_a_dry_run_reports_the_same_and_writes_nothing(tmp_path):
    run("import_members", members(tmp_path, SAUBENS))
    path = members(tmp_path, changed(SAUBENS, "ville", "Muret"), SOMME, changed(EPCI, "type", "région"))
    before = snapshot()
    tried = run("import_members", path, dry_run=True)
    assert snapshot() == before
    done = run("import_members", path)
    assert tried.counts == done.counts == (3, 1, 1, 0, 1, 0)
    assert tried.report["refused"] == done.report["refused"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("siret", "21310533100011"),
        ("siret", "213105331"),
        ("siret", ""),
        ("siret", "2,13105E+13"),
        ("nom", ""),
        ("type", "région"),
        ("type", ""),
        ("code_insee", "3153"),
        ("code_postal", "3160"),
        ("code_postal", "F-316"),
        ("courriel", "mairie"),
        ("courriel", f"{'a' * 60}@{'b.' * 120}example.org"),
    ],
)
def test_a_bad_row_is_refused_with_line_field_and_value_and_stops_no_other(tmp_path, column, value):
    path = members(tmp_path, SOMME, changed(SAUBENS, column, value), EPCI)
    outcome = run("import_members", path)
    assert outcome.refused == [(3, column, value)]
    assert outcome.report["created"] == 2
    assert Member.objects.count() == 2


def test_the_types_possible_are_told(tmp_path):
    outcome = run("import_members", members(tmp_path, changed(SAUBENS, "type", "mairie")))
    [finding] = outcome.report["refused"]
    for kind in ("commune", "epci", "departement", "syndicat", "autre"):
        assert kind in finding["message"]


@pytest.mark.parametrize("column", ["adresse", "code_postal", "ville"])
def test_an_incomplete_address_is_flagged_not_refused(tmp_path, column):
    outcome = run("import_members", members(tmp_path, changed(SAUBENS, column, "")))
    assert [finding[:2] for finding in outcome.flagged] == [(2, "adresse")]
    assert Member.objects.count() == 1


def test_a_siret_present_twice_is_refused_everywhere(tmp_path):
    spaced = changed(changed(SAUBENS, "siret", "213 105 331 00010"), "nom", "Autre")
    outcome = run("import_members", members(tmp_path, SAUBENS, SOMME, spaced))
    assert outcome.refused == [(2, "siret", "21310533100010"), (4, "siret", "21310533100010")]
    assert [member.siret for member in Member.objects.order_by("pk")] == ["22800001400016"]


@pytest.mark.parametrize(
    "form",
    [
        {"encoding": "utf-8-sig"},
        {"newline": "\r\n"},
        {"encoding": "cp1252"},
        {"header": HEADER.upper()},
    ],
)
def test_every_form_of_csv_gives_the_same_members(tmp_path, form):
    run("import_members", members(tmp_path, SAUBENS, EPCI))
    assert run("import_members", members(tmp_path, SAUBENS, EPCI, **form)).counts == ((2, 0, 0, 2, 0, 0))


def test_the_order_of_the_columns_changes_nothing(tmp_path):
    run("import_members", members(tmp_path, SAUBENS))
    turned = with_columns([HEADER, SAUBENS], [7, 2, 0, 1, 6, 5, 4, 3])
    assert run("import_members", write_csv(tmp_path / "b.csv", *turned)).counts == ((1, 0, 0, 1, 0, 0))


def test_a_workbook_gives_the_same_members(tmp_path):
    run("import_members", members(tmp_path, SAUBENS, EPCI))
    path = write_xlsx(tmp_path / "membres.xlsx", HEADER, SAUBENS, EPCI)
    assert run("import_members", path).counts == (2, 0, 0, 2, 0, 0)


def test_the_required_columns_suffice(tmp_path):
    path = write_csv(tmp_path / "m.csv", "nom;type;siret", "Saubens;COMMUNE;21310533100010")
    assert run("import_members", path).report["created"] == 1


def test_a_file_without_a_required_column_changes_nothing(tmp_path):
    path = members(tmp_path, SAUBENS, header=HEADER.replace("type", "nature"))
    message = run_refused("import_members", path)
    assert "type" in message
    assert "nature" in message
