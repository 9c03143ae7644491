"""A school gone from the annuaire that an agreement still enrols is told to staff."""

import datetime as dt

import pytest

from entsvc.importing import run_import
from members.importers.annuaire import IMPORTER
from members.importers.perimeter import parse_perimeter
from members.models import School
from tests.factories import (
    ConventionFactory,
    EnrolmentFactory,
    IssuerFactory,
    LocalIssuerFactory,
    ScheduleFactory,
    SchoolFactory,
    valid_uai,
)
from tests.members.editions import row, write_rows

pytestmark = pytest.mark.django_db

GONE = valid_uai(1)
YEAR, DAY = 2026, dt.date(2026, 9, 15)


@pytest.fixture
def gone():
    return SchoolFactory(uai=GONE, departement_code="31")


def load(tmp_path, *, perimeter="departement:31", issuers=None, dry_run=False):
    """Import a complete annuaire without the school, and return what is said of agreements."""
    options = {"perimeter": parse_perimeter(perimeter), "as_of": DAY}
    path = write_rows(tmp_path / "annuaire.csv", row())
    report = run_import(IMPORTER, path, dry_run=dry_run, actor="essai", options=options, issuers=issuers)
    assert all(f.issuer for f in report.flagged if "inscrite" in f.message)
    assert not any(f.issuer for f in report.flagged if "inscrite" not in f.message)
    return [f.message for f in report.flagged if "inscrite" in f.message]


def enrol(school, **values):
    values = {"reference": "C-1", "first_year": 2024, "last_year": None} | values
    enrolment = {name: values.pop(name) for name in ("until", "since") if name in values}
    convention = ConventionFactory(**values)
    return EnrolmentFactory(
        convention=convention,
        school=school,
        first_year=enrolment.get("since", convention.first_year),
        last_year=enrolment.get("until"),
    )


def test_it_works(tmp_path, gone):
    enrol(gone, schedule=ScheduleFactory(code="BAR"))
    assert load(tmp_path) == [
        "Absente de l'annuaire mais inscrite dans la convention C-1 (barème BAR) : fermez son "
        "inscription, ou vérifiez qu'elle existe."
    ]
    assert School.objects.get(uai=GONE).absent_since == DAY


def test_an_enrolled_school_is_said_at_each_complete_file_the_others_once(tmp_path, gone):
    enrol(gone)
    assert load(tmp_path) == load(tmp_path) != []


def test_a_dry_run_says_it_too(tmp_path, gone):
    enrol(gone)
    assert len(load(tmp_path, dry_run=True)) == 1


def test_a_school_that_no_agreement_enrols_is_not_said(tmp_path, gone):
    assert load(tmp_path) == []


def test_a_school_that_the_annuaire_still_names_is_not_said(tmp_path, gone):
    named = SchoolFactory(uai="0310891A", departement_code="31")
    enrol(named)
    assert load(tmp_path) == []


@pytest.mark.parametrize(
    ("years", "said"),
    [
        ({}, 1),
        ({"last_year": YEAR}, 1),
        ({"last_year": YEAR - 1}, 0),
        ({"until": YEAR}, 1),
        ({"until": YEAR - 1}, 0),
        ({"first_year": YEAR + 1}, 1),
    ],
)
def test_only_enrolments_of_the_school_year_of_the_file_or_later_are_said(tmp_path, gone, years, said):
    enrol(gone, **years)
    assert len(load(tmp_path)) == said


def test_an_agreement_that_enrols_it_twice_is_said_once(tmp_path, gone):
    enrolment = enrol(gone)
    EnrolmentFactory(convention=enrolment.convention, school=gone, first_year=YEAR)
    assert len(load(tmp_path)) == 1


def test_two_agreements_are_said_in_order(tmp_path, gone):
    enrol(gone, reference="C-2")
    enrol(gone, reference="C-1")
    assert [message.split()[8] for message in load(tmp_path)] == ["C-1", "C-2"]


def test_an_account_reads_of_the_agreements_of_its_issuers_only(tmp_path, gone):
    enrol(gone, schedule=ScheduleFactory(issuer=IssuerFactory(), code="ETAT"))
    mine = ScheduleFactory(issuer=LocalIssuerFactory(), code="LOCAL")
    enrol(gone, schedule=mine, reference="C-2")
    (message,) = load(tmp_path, issuers=frozenset({mine.issuer_id}))
    assert "C-2 (barème LOCAL)" in message


def test_outside_of_the_territory_nothing_is_said(tmp_path, gone):
    other = SchoolFactory(uai=valid_uai(2), departement_code="80", absent_since=dt.date(2025, 9, 1))
    enrol(other)
    assert load(tmp_path) == []


def test_without_a_territory_nothing_is_said(tmp_path, gone):
    School.objects.filter(uai=GONE).update(absent_since=dt.date(2025, 9, 1))
    enrol(gone)
    assert load(tmp_path, perimeter="") == []
