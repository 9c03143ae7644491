"""The take-over of agreements: which rows are refused or flagged, and what the report says of them."""

import pytest

from conventions.models import Convention
from members.models import Member, School
from tests.conventions.take_over import (
    EPCI,
    HEADER,
    SAUBENS,
    changed,
    conventions,
    snapshot,
    what_it_writes,
)
from tests.factories import valid_siret
from tests.members.files import run, run_refused

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("schedules")]


def test_a_refused_row_makes_nothing_pending(tmp_path, known):
    run("import_conventions", conventions(tmp_path, SAUBENS))
    early = changed(changed(SAUBENS, "date_signature", ""), "date_fin", "2024-01-01")
    early = changed(early, "siret_debiteur", valid_siret(9))
    outcome = run("import_conventions", conventions(tmp_path, early))
    assert outcome.refused == [(2, "date_fin", "2024-01-01")]
    assert not Member.objects.filter(siret=valid_siret(9)).exists()


def test_a_date_that_contradicts_a_stored_one_is_refused(tmp_path, known):
    run("import_conventions", conventions(tmp_path, SAUBENS))
    early = changed(changed(SAUBENS, "date_signature", ""), "date_fin", "2024-01-01")
    both = what_it_writes(conventions(tmp_path, EPCI))
    outcome = run("import_conventions", conventions(tmp_path, early, EPCI))
    assert outcome.refused == [(2, "date_fin", "2024-01-01")]
    assert outcome.report["created"] == 1
    assert snapshot() == both


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("siret_membre", "21310533100011"),
        ("siret_membre", ""),
        ("siret_debiteur", "2,13105E+13"),
        ("bareme", "AUTRE"),
        ("reference", ""),
        ("date_signature", "septembre 2024"),
        ("date_signature", "2024-09-31"),
        ("premiere_annee", ""),
        ("premiere_annee", "2024"),
        ("derniere_annee", "2023-2024"),
        ("derniere_annee", "2024-2026"),
        ("date_fin", "2024-09-01"),
        ("ecoles", "0310891B"),
        ("options", "UNE-OPTION-AU-NOM-BIEN-TROP-LONG"),
        ("unites", "DEMIJOURNEE"),
        ("unites", "DEMIJOURNEE="),
        ("unites", "UNE-UNITE-AU-NOM-BIEN-TROP-LONG=1"),
    ],
)
def test_a_bad_row_is_refused_with_line_field_and_value_and_stops_no_other(
    tmp_path, known, column, value
):
    outcome = run("import_conventions", conventions(tmp_path, EPCI, changed(SAUBENS, column, value)))
    assert outcome.refused == [(3, column, value)]
    assert [c.reference for c in Convention.objects.order_by("pk")] == ["ENT-2"]


@pytest.mark.parametrize("quantity", ["-1", "1.5", "99999999999"])
def test_a_quantity_that_is_no_count_is_refused(tmp_path, known, quantity):
    row = changed(EPCI, "unites", f"DEMIJOURNEE={quantity}")
    outcome = run("import_conventions", conventions(tmp_path, row))
    assert [finding[:2] for finding in outcome.refused] == [(2, "unites")]


def test_a_school_or_a_unit_named_twice_in_a_row_is_refused(tmp_path, known):
    outcome = run(
        "import_conventions",
        conventions(
            tmp_path,
            changed(SAUBENS, "ecoles", "0310891A 0310891a"),
            changed(EPCI, "unites", "DEMIJOURNEE=1 DEMIJOURNEE=2"),
        ),
    )
    assert outcome.refused == [(2, "ecoles", "0310891A"), (3, "unites", "DEMIJOURNEE=2")]


def test_the_schedules_possible_are_told(tmp_path, known):
    outcome = run("import_conventions", conventions(tmp_path, changed(SAUBENS, "bareme", "OCC")))
    assert "NPDC-ENT, OCC-ENT-ECOLE" in outcome.report["refused"][0]["message"]


def test_a_reference_present_twice_is_refused_everywhere(tmp_path, known):
    twin = changed(EPCI, "reference", "ENT-1")
    other = changed(twin, "bareme", "OCC-ENT-ECOLE")
    outcome = run("import_conventions", conventions(tmp_path, SAUBENS, other, twin))
    shown = "OCC-ENT-ECOLE ENT-1"
    assert outcome.refused == [(2, "reference", shown), (3, "reference", shown)]
    assert Convention.objects.get().schedule.code == "NPDC-ENT"


def test_the_same_reference_in_another_case_of_the_schedule_is_a_twin(tmp_path, known):
    twin = changed(SAUBENS, "bareme", "occ-ent-ecole")
    outcome = run("import_conventions", conventions(tmp_path, SAUBENS, twin))
    assert [finding[:2] for finding in outcome.refused] == [(2, "reference"), (3, "reference")]


def test_a_missing_signature_is_flagged_not_refused(tmp_path, known):
    outcome = run("import_conventions", conventions(tmp_path, changed(SAUBENS, "date_signature", "")))
    assert outcome.flagged == [(2, "date_signature", "")]
    assert Convention.objects.get().signed_on is None


def test_members_and_schools_not_known_yet_are_pending_and_flagged(tmp_path):
    path = conventions(tmp_path, changed(SAUBENS, "siret_debiteur", valid_siret(2)))
    outcome = run("import_conventions", path)
    assert outcome.counts == (1, 1, 0, 0, 0, 3)
    assert sorted(outcome.flagged) == [
        (2, "siret", valid_siret(2)),
        (2, "siret", "21310533100010"),
        (2, "uai", "0310891A"),
    ]
    assert School.objects.get().name == ""
    assert {m.name for m in Member.objects.all()} == {""}


def test_a_file_without_a_required_column_changes_nothing(tmp_path, known):
    path = conventions(tmp_path, SAUBENS, header=HEADER.replace("ecoles", "etablissements"))
    assert "ecoles" in run_refused("import_conventions", path)
