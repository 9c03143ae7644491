"""A complete annuaire: the schools that it no longer names are marked absent, and never deleted."""

import datetime as dt
import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from entsvc.cells import read_day
from entsvc.models import ImportRecord, JournalEntry
from members.importers.annuaire import IMPORTER
from members.importers.perimeter import Perimeter, parse_perimeter
from members.models import Commune, School
from tests.factories import SchoolFactory, valid_uai
from tests.members.editions import row, write_rows
from tests.members.files import run, snapshot

pytestmark = pytest.mark.django_db

DAY = "2026-09-01"
UAI = "Identifiant_de_l_etablissement"
NAMED, GONE = valid_uai(1), valid_uai(2)


def rows(*uais, **cells):
    return [row(**{UAI: uai}, **cells) for uai in uais]


def load(tmp_path, *lines, perimeter="departement:31", as_of=DAY, dry_run=False):
    """Import a complete file from the command line, and return its report."""
    path = write_rows(tmp_path / "annuaire.csv", *lines)
    asked = [f"--perimeter={perimeter}"] if perimeter else []
    asked += [f"--as-of={as_of}"] if as_of else []
    asked += ["--dry-run"] if dry_run else []
    out = io.StringIO()
    call_command("import_annuaire", str(path), "--json", *asked, stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def refused(tmp_path, *lines, **asked):
    """Import a file that must change nothing, and return the message."""
    before = snapshot()
    with pytest.raises(CommandError) as refusal:
        load(tmp_path, *lines, **asked)
    assert snapshot() == before
    return str(refusal.value)


def absences():
    return dict(School.objects.order_by("uai").values_list("uai", "absent_since"))


def flags(report):
    return [(f["line"], f["field"], f["value"]) for f in report["flagged"]]


def school(number, **values):
    return SchoolFactory(uai=valid_uai(number), departement_code="31", **values)


def many(count):
    """Store the schools 1 to `count`: so many that one or two gone are no surprise."""
    return [school(number).uai for number in range(1, count + 1)]


def test_it_works(tmp_path):
    uais = many(30)
    report = load(tmp_path, *rows(*uais[:-1]))

    assert School.objects.count() == 30
    assert absences() == dict.fromkeys(uais[:-1]) | {uais[-1]: dt.date(2026, 9, 1)}
    assert (report["absent"], report["returned"], report["rows"]) == (1, 0, 29)
    assert flags(report) == [(None, UAI.lower(), uais[-1])]
    assert report["flagged"][0]["message"] == "Absente de l'annuaire complet depuis le 01/09/2026."


def test_without_a_perimeter_nothing_is_marked(tmp_path):
    many(2)
    report = load(tmp_path, *rows(NAMED), perimeter="", as_of="")
    assert set(absences().values()) == {None}
    assert (report["absent"], report["flagged"]) == (0, [])


def test_without_a_date_they_are_absent_since_today(tmp_path):
    many(2)
    load(tmp_path, *rows(NAMED), as_of="")
    assert absences()[GONE] == timezone.localdate()


def test_a_school_absent_already_keeps_its_date_and_is_not_repeated(tmp_path):
    school(1)
    school(2, absent_since=dt.date(2025, 9, 1))
    report = load(tmp_path, *rows(NAMED))
    assert absences()[GONE] == dt.date(2025, 9, 1)
    assert (report["absent"], report["flagged"]) == (0, [])


@pytest.mark.parametrize("perimeter", ["departement:31", "departement:75", ""])
def test_a_school_named_again_is_no_longer_absent(tmp_path, perimeter):
    school(1, absent_since=dt.date(2025, 9, 1))
    other = SchoolFactory(uai=GONE, departement_code="75")
    named = rows(NAMED) + rows(other.uai, Code_departement="075", Code_commune="75056")
    report = load(tmp_path, *named, perimeter=perimeter)
    assert absences()[NAMED] is None
    assert report["returned"] == 1


def test_the_same_complete_file_twice_changes_nothing_the_second_time(tmp_path):
    many(30)
    lines = rows(*(valid_uai(number) for number in range(2, 31)))
    first = load(tmp_path, *lines)
    before = snapshot()
    kept, entries = ImportRecord.objects.count(), JournalEntry.objects.count()

    second = load(tmp_path, *lines)

    assert (first["absent"], second["absent"], second["flagged"]) == (1, 0, [])
    assert snapshot() == before
    assert (ImportRecord.objects.count(), JournalEntry.objects.count()) == (kept, entries)


def test_a_file_known_already_that_only_marks_absences_is_kept_in_the_history(tmp_path):
    many(30)
    lines = rows(*(valid_uai(number) for number in range(2, 31)))
    load(tmp_path, *lines, perimeter="", as_of="")

    report = load(tmp_path, *lines)

    assert (report["created"], report["updated"], report["absent"]) == (0, 0, 1)
    record = ImportRecord.objects.latest("at")
    assert record.report["absent"] == 1
    assert record.options == {"perimeter": "departement:31", "as_of": DAY}
    assert JournalEntry.objects.filter(action="import").count() == 2


def test_a_dry_run_reports_the_same_and_marks_nothing(tmp_path):
    many(30)
    lines = rows(*(valid_uai(number) for number in range(2, 31)))
    before = snapshot()
    tried = load(tmp_path, *lines, dry_run=True)
    assert snapshot() == before
    done = load(tmp_path, *lines)
    assert tried | {"dry_run": False} == done


# Which rows name their school.


@pytest.mark.parametrize(
    "cells",
    [
        {"Nom_etablissement": ""},
        {"SIREN_SIRET": "2,17003E+13"},
        {UAI: f"  {GONE.lower()}", "Code_commune": "x"},
        {UAI: f"{GONE[:7]}O"},
    ],
)
def test_a_refused_row_names_its_school_too(tmp_path, cells):
    many(2)
    lines = [*rows(NAMED), row(**{UAI: GONE} | cells)]
    report = load(tmp_path, *lines)
    assert len(report["refused"]) == 1
    assert absences()[GONE] is None


def test_a_row_too_wide_names_its_school_too(tmp_path):
    many(2)
    path = write_rows(tmp_path / "annuaire.csv", *rows(NAMED, GONE))
    text = path.read_text(encoding="utf-8").rstrip("\n") + ";de trop\n"
    path.write_text(text, encoding="utf-8")
    call_command("import_annuaire", str(path), "--perimeter=departement:31", stdout=io.StringIO())
    assert absences()[GONE] is None


def test_rows_refused_for_a_uai_given_twice_name_their_school(tmp_path):
    many(2)
    report = load(tmp_path, *rows(NAMED, GONE, GONE))
    assert len(report["refused"]) == 2
    assert absences()[GONE] is None


def test_a_uai_that_lacks_a_digit_names_nobody(tmp_path):
    many(2)
    load(tmp_path, *rows(NAMED, GONE[:6] + GONE[7:]))
    assert absences()[GONE] == dt.date(2026, 9, 1)


# Territories.


@pytest.fixture
def scattered():
    """One school of each place, beside the one that the file names."""
    school(1, academy_code="16", commune_code="31533")
    for number, (departement, academy, commune) in enumerate(
        [("31", "16", "31533"), ("31", "16", "31555"), ("09", "16", "09122"), ("80", "20", "80021")],
        start=2,
    ):
        SchoolFactory(
            uai=valid_uai(number),
            departement_code=departement,
            academy_code=academy,
            commune_code=commune,
        )


@pytest.mark.parametrize(
    ("perimeter", "gone"),
    [
        ("departement:31", [2, 3]),
        ("departement:031", [2, 3]),
        ("Département : 31, 9", [2, 3, 4]),
        ("academie:16", [2, 3, 4]),
        ("académie:16,20", [2, 3, 4, 5]),
        ("communes:31533", [2]),
        ("communes:31533,31555", [2, 3]),
        ("tout", [2, 3, 4, 5]),
    ],
)
def test_only_the_schools_of_the_territory_are_marked(tmp_path, scattered, perimeter, gone):
    load(tmp_path, *rows(NAMED), perimeter=perimeter)
    assert [uai for uai, day in absences().items() if day] == [valid_uai(n) for n in gone]


def test_a_school_whose_departement_is_not_known_is_held_by_that_of_its_commune(tmp_path):
    school(1)
    SchoolFactory(uai=GONE, departement_code="", commune_code="31555")
    load(tmp_path, *rows(NAMED))
    assert absences()[GONE] == dt.date(2026, 9, 1)


def test_a_school_known_by_its_uai_alone_is_in_no_territory_but_the_whole(tmp_path):
    school(1)
    School.objects.create(uai=GONE)
    load(tmp_path, *rows(NAMED), perimeter="departement:31")
    assert absences()[GONE] is None
    load(tmp_path, *rows(NAMED), perimeter="tout")
    assert absences()[GONE] == dt.date(2026, 9, 1)


def test_schools_that_the_file_brings_are_in_the_territory(tmp_path):
    report = load(tmp_path, *rows(NAMED, GONE))
    assert (report["created"], report["absent"], report["flagged"]) == (2, 0, [])


# What must be a mistake.


def test_a_file_that_names_no_school_of_its_territory_changes_nothing(tmp_path):
    many(2)
    message = refused(tmp_path, *rows(valid_uai(3)), perimeter="departement:80")
    assert message == (
        "Le fichier ne nomme aucune école du territoire departement:80 : vérifiez l'un et l'autre."
    )


@pytest.mark.parametrize(("left", "said"), [(27, 0), (26, 1)])
def test_more_than_one_school_gone_out_of_ten_is_flagged(tmp_path, left, said):
    uais = many(30)
    # Those that the file brings do not make up for those that it loses.
    report = load(tmp_path, *rows(*uais[:left], *(valid_uai(n) for n in range(100, 140))))
    found = [f for f in report["flagged"] if f["value"] == "departement:31"]
    assert len(found) == said
    assert all("4 écoles sur 30" in f["message"] and f["line"] is None for f in found)


@pytest.mark.parametrize("code", ["31534", "75115"])
def test_a_territory_of_former_communes_or_arrondissements_is_refused(tmp_path, code):
    today = Commune.objects.create(code="31533", name="Saubens")
    Commune.objects.create(code=code, name="Partie", kind=Commune.Kind.FORMER, today=today)
    assert "31533" in refused(tmp_path, *rows(NAMED), perimeter=f"communes:{code}")


@pytest.mark.parametrize(
    "text", ["31", "departement", "departement:", "region:76", "tout:31", "departement:99", "academie:x"]
)
def test_what_is_no_territory_is_refused(text):
    with pytest.raises(ValueError, match="."):
        parse_perimeter(text)


def test_a_wrong_territory_or_date_is_a_wrong_argument(tmp_path):
    for asked in ({"perimeter": "31"}, {"as_of": "septembre"}):
        with pytest.raises(CommandError) as refusal:
            load(tmp_path, *rows(NAMED), **asked)
        assert refusal.value.returncode == 2


@pytest.mark.parametrize("text", ["departement:02,80", "academie:20", "communes:31533", "tout"])
def test_a_territory_is_written_as_it_is_read(text):
    assert str(parse_perimeter(text)) == text


def test_nothing_told_is_no_territory_and_no_date():
    assert parse_perimeter(" ") is None
    assert read_day("") is None
    assert read_day("01/09/2026") == read_day(DAY) == dt.date(2026, 9, 1)


def test_equal_territories_are_the_same():
    assert parse_perimeter("departement:80,2") == parse_perimeter("Departements: 02 080")
    assert isinstance(parse_perimeter("tout"), Perimeter)


def test_the_schools_gone_are_marked_whatever_their_number(tmp_path):
    School.objects.bulk_create(
        School(uai=valid_uai(number), departement_code="31") for number in range(1, 2502)
    )
    report = load(tmp_path, *rows(NAMED))
    assert report["absent"] == 2500
    assert School.objects.filter(absent_since=dt.date(2026, 9, 1)).count() == 2500


def test_the_page_of_imports_asks_for_the_territory():
    assert [option.flag for option in IMPORTER.options] == ["--perimeter", "--as-of"]
    assert all(option.label and option.help for option in IMPORTER.options)


def test_the_other_imports_do_not_touch_absences(tmp_path):
    school(1, absent_since=dt.date(2025, 9, 1))
    path = tmp_path / "effectifs.csv"
    path.write_text(f"uai;annee_scolaire;eleves;source\n{NAMED};2024-2025;;DEPP\n", encoding="utf-8")
    run("import_headcounts", path)
    assert absences()[NAMED] == dt.date(2025, 9, 1)
