"""The take-over of agreements: what a file writes, changes and leaves as it was."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conventions.models import Convention, DeliveredUnits, Enrolment, Subscription
from members.models import Member
from tests.conventions.take_over import (
    EPCI,
    HEADER,
    SAUBENS,
    changed,
    conventions,
    snapshot,
    what_it_writes,
)
from tests.factories import ChargeFactory, ScheduleFactory, VersionFactory, valid_siret
from tests.members.files import run, with_columns, write_csv, write_xlsx

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("schedules")]


def test_it_works(tmp_path, known):
    outcome = run("import_conventions", conventions(tmp_path, SAUBENS, EPCI))

    assert outcome.counts == (2, 2, 0, 0, 0, 0)
    saubens = Convention.objects.get(reference="ENT-1")
    assert saubens.status == Convention.Status.IN_FORCE
    assert saubens.party == saubens.debtor == Member.objects.get(siret="21310533100010")
    assert (saubens.signed_on, saubens.ends_on) == (dt.date(2024, 9, 2), dt.date(2025, 9, 5))
    assert (saubens.first_year, saubens.last_year) == (2024, 2024)
    epci = Convention.objects.get(reference="ENT-2")
    assert (epci.first_year, epci.last_year, epci.ends_on) == (2023, None, None)
    assert snapshot()["units"] == [("ENT-2", 2023, "DEMIJOURNEE", 3)]
    assert [s.code for s in epci.subscriptions.all()] == ["ACCOMPAGNEMENT"]
    assert {e.school.uai for e in epci.enrolments.all()} == {"0310891A", "0312522Y"}
    assert {e.first_year for e in epci.enrolments.all()} == {2023}


def test_who_pays_may_be_another_member(tmp_path, known):
    run("import_conventions", conventions(tmp_path, changed(SAUBENS, "siret_debiteur", valid_siret(2))))
    saubens = Convention.objects.get()
    assert (saubens.party.siret, saubens.debtor.siret) == ("21310533100010", valid_siret(2))


def test_the_same_file_twice_changes_nothing(tmp_path, known):
    path = conventions(tmp_path, SAUBENS, EPCI)
    run("import_conventions", path)
    before = snapshot()
    assert run("import_conventions", path).counts == (2, 0, 0, 2, 0, 0)
    assert snapshot() == before


@pytest.mark.parametrize(
    ("column", "value", "flagged"),
    [
        ("siret_debiteur", valid_siret(2), True),
        ("date_signature", "2023-06-16", False),
        ("date_fin", "2026-08-31", False),
        ("premiere_annee", "2022-2023", False),
        ("premiere_annee", "2024-2025", False),
        ("derniere_annee", "2025-2026", False),
        ("ecoles", "0310891A 0341301E", True),
        ("ecoles", "0310891A", True),
        ("ecoles", "0310891A 0312522Y 0341301E", False),
        ("options", "FORMATION", False),
        ("options", "ACCOMPAGNEMENT FORMATION", False),
        ("unites", "DEMIJOURNEE=4", False),
        ("unites", "DEMIJOURNEE=3 TABLETTE=1", False),
    ],
)
def test_a_changed_row_brings_the_agreement_to_what_the_file_says(
    tmp_path, known, column, value, flagged
):
    wanted = what_it_writes(conventions(tmp_path, changed(EPCI, column, value)))
    run("import_conventions", conventions(tmp_path, EPCI))

    outcome = run("import_conventions", conventions(tmp_path, changed(EPCI, column, value)))

    assert outcome.counts == (1, 0, 1, 0, 0, 0 + flagged)
    assert outcome.flagged == ([(2, column, value)] if flagged else [])
    assert snapshot() == wanted


WHOLE = changed(changed(EPCI, "siret_debiteur", valid_siret(2)), "date_fin", "2026-08-31")
SAID = ["date_signature", "date_fin", "ecoles", "options", "unites", "siret_debiteur"]


@pytest.mark.parametrize("column", SAID)
def test_a_blank_cell_never_overwrites(tmp_path, known, column):
    run("import_conventions", conventions(tmp_path, WHOLE))
    before = snapshot()
    outcome = run("import_conventions", conventions(tmp_path, changed(WHOLE, column, "")))
    assert outcome.report["unchanged"] == 1
    assert "ecoles" not in dict(finding[1:] for finding in outcome.flagged)
    assert snapshot() == before


@pytest.mark.parametrize("column", SAID)
def test_a_blank_cell_stays_as_stored_while_another_changes(tmp_path, known, column):
    wanted = what_it_writes(conventions(tmp_path, changed(WHOLE, "derniere_annee", "2029-2030")))
    run("import_conventions", conventions(tmp_path, WHOLE))
    row = changed(changed(WHOLE, "derniere_annee", "2029-2030"), column, "")
    assert run("import_conventions", conventions(tmp_path, row)).report["updated"] == 1
    assert snapshot() == wanted


def test_a_file_without_the_column_of_the_debtor_leaves_the_debtor(tmp_path, known):
    run("import_conventions", conventions(tmp_path, WHOLE))
    before = snapshot()
    header, row = HEADER.removesuffix(";siret_debiteur"), WHOLE.rpartition(";")[0]
    outcome = run("import_conventions", conventions(tmp_path, row, header=header))
    assert outcome.counts == (1, 0, 0, 1, 0, 0)
    assert snapshot() == before


def test_another_debtor_is_taken_and_the_old_one_told(tmp_path, known):
    run("import_conventions", conventions(tmp_path, WHOLE))
    Member.objects.filter(siret=valid_siret(2)).update(name="Commune payeuse")
    row = changed(WHOLE, "siret_debiteur", valid_siret(1))
    outcome = run("import_conventions", conventions(tmp_path, row))
    assert outcome.flagged == [(2, "siret_debiteur", valid_siret(1))]
    assert f"Commune payeuse ({valid_siret(2)})" in outcome.report["flagged"][0]["message"]
    assert Convention.objects.get().debtor.siret == valid_siret(1)
    assert not run("import_conventions", conventions(tmp_path, row)).flagged


def test_the_schools_taken_out_are_told(tmp_path, known):
    run("import_conventions", conventions(tmp_path, EPCI))
    row = changed(EPCI, "ecoles", "0341301E")
    outcome = run("import_conventions", conventions(tmp_path, row))
    assert outcome.flagged == [(2, "ecoles", "0341301E")]
    assert "0310891A, 0312522Y" in outcome.report["flagged"][0]["message"]
    assert [e.school.uai for e in Enrolment.objects.select_related("school").order_by("pk")] == [
        "0341301E"
    ]


def test_the_debtor_does_not_follow_a_change_of_party_without_a_word(tmp_path, known):
    run("import_conventions", conventions(tmp_path, SAUBENS))
    row = changed(SAUBENS, "siret_membre", valid_siret(2))
    outcome = run("import_conventions", conventions(tmp_path, row))
    saubens = Convention.objects.get()
    assert (saubens.party.siret, saubens.debtor.siret) == (valid_siret(2), "21310533100010")
    assert outcome.flagged == [(2, "siret_debiteur", "")]
    assert not run("import_conventions", conventions(tmp_path, row)).flagged


@pytest.mark.parametrize("first_year", ["2022-2023", "2024-2025"])
@pytest.mark.parametrize("blank", [True, False])
def test_another_first_year_keeps_what_staff_entered(tmp_path, known, first_year, blank):
    run("import_conventions", conventions(tmp_path, EPCI))
    opened = dt.date(2023, 11, 6)
    Enrolment.objects.filter(school__uai="0310891A").update(opened_on=opened, last_year=2025)
    DeliveredUnits.objects.create(
        convention=Convention.objects.get(), school_year=2025, code="DEMIJOURNEE", quantity=7
    )
    row = changed(EPCI, "premiere_annee", first_year)
    for column in ("ecoles", "options", "unites") if blank else ():
        row = changed(row, column, "")

    run("import_conventions", conventions(tmp_path, row))

    year = int(first_year[:4])
    enrolments = Enrolment.objects.order_by("school__uai")
    assert list(enrolments.values_list("school__uai", "first_year", "last_year", "opened_on")) == [
        ("0310891A", year, 2025, opened),
        ("0312522Y", year, None, None),
    ]
    assert snapshot()["subscriptions"] == [f"('ENT-2', 'ACCOMPAGNEMENT', {year})"]
    delivered = 2023 if blank else year
    assert snapshot()["units"] == [
        ("ENT-2", delivered, "DEMIJOURNEE", 3),
        ("ENT-2", 2025, "DEMIJOURNEE", 7),
    ]


def test_codes_are_found_whatever_their_case_and_stored_as_the_tariff_spells_them(tmp_path, known):
    version = VersionFactory(schedule=ScheduleFactory(code="Ent-minuscule"))
    ChargeFactory(version=version, code="demijournee", subscription="Formation")
    row = changed(EPCI, "bareme", "ENT-MINUSCULE")
    row = changed(row, "options", "FORMATION formation inconnue")
    row = changed(row, "unites", "DemiJournee=2 autre=1")
    path = conventions(tmp_path, row)

    assert run("import_conventions", path).counts == (1, 1, 0, 0, 0, 0)

    assert Convention.objects.get().schedule.code == "Ent-minuscule"
    assert [s.code for s in Subscription.objects.order_by("code")] == ["Formation", "INCONNUE"]
    assert snapshot()["units"] == [("ENT-2", 2023, "AUTRE", 1), ("ENT-2", 2023, "demijournee", 2)]
    assert run("import_conventions", path).counts == (1, 0, 0, 1, 0, 0)


def test_codes_of_another_schedule_are_not_lent(tmp_path, known):
    ChargeFactory(subscription="accompagnement")
    run("import_conventions", conventions(tmp_path, EPCI))
    assert Subscription.objects.get().code == "ACCOMPAGNEMENT"


@pytest.mark.parametrize("again", [False, True])
def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(
    tmp_path, known, again, django_assert_num_queries
):
    def rows(first, count):
        numbers = range(first, first + count)
        made = [changed(WHOLE, "reference", f"{first}-{number}") for number in numbers]
        if again:
            run("import_conventions", conventions(tmp_path, *made))
            made = [
                changed(changed(row, "ecoles", "0341301E"), "siret_debiteur", valid_siret(1))
                for row in made
            ]
        return conventions(tmp_path, *made)

    run("import_conventions", conventions(tmp_path, WHOLE))
    path = rows(1, 2)
    with CaptureQueriesContext(connection) as few:
        run("import_conventions", path)
    path = rows(100, 30)  # what one insert of SQLite takes with its history: 999 parameters
    with django_assert_num_queries(len(few)):
        run("import_conventions", path)


def test_an_empty_last_year_opens_the_agreement(tmp_path, known):
    run("import_conventions", conventions(tmp_path, SAUBENS))
    run("import_conventions", conventions(tmp_path, changed(SAUBENS, "derniere_annee", "")))
    assert Convention.objects.get().last_year is None


def test_what_the_file_has_no_column_for_stays(tmp_path, known):
    run("import_conventions", conventions(tmp_path, EPCI))
    opened = dt.date(2023, 11, 6)
    Enrolment.objects.filter(school__uai="0310891A").update(opened_on=opened)
    DeliveredUnits.objects.create(
        convention=Convention.objects.get(), school_year=2024, code="DEMIJOURNEE", quantity=7
    )

    again = run("import_conventions", conventions(tmp_path, EPCI))
    assert again.report["unchanged"] == 1
    run("import_conventions", conventions(tmp_path, changed(EPCI, "ecoles", "0310891A 0341301E")))

    assert Enrolment.objects.get(school__uai="0310891A").opened_on == opened
    assert ("ENT-2", 2024, "DEMIJOURNEE", 7) in snapshot()["units"]


def test_a_dry_run_reports_the_same_and_writes_nothing(tmp_path):
    run("import_conventions", conventions(tmp_path, SAUBENS))
    path = conventions(
        tmp_path,
        changed(SAUBENS, "derniere_annee", "2025-2026"),
        EPCI,
        changed(changed(EPCI, "reference", "ENT-3"), "bareme", "INCONNU"),
    )
    before = snapshot()
    tried = run("import_conventions", path, dry_run=True)
    assert snapshot() == before
    done = run("import_conventions", path)
    assert tried.counts == done.counts == (3, 1, 1, 0, 1, 2)
    assert tried.refused == done.refused
    assert tried.flagged == done.flagged


@pytest.mark.parametrize(
    "form", [{"encoding": "utf-8-sig"}, {"newline": "\r\n"}, {"header": HEADER.upper()}]
)
def test_every_form_of_csv_gives_the_same_agreements(tmp_path, known, form):
    run("import_conventions", conventions(tmp_path, SAUBENS, EPCI))
    outcome = run("import_conventions", conventions(tmp_path, SAUBENS, EPCI, **form))
    assert outcome.counts == (2, 0, 0, 2, 0, 0)


def test_the_order_of_the_columns_changes_nothing(tmp_path, known):
    run("import_conventions", conventions(tmp_path, EPCI))
    turned = with_columns([HEADER, EPCI], list(range(10, -1, -1)))
    outcome = run("import_conventions", write_csv(tmp_path / "autre.csv", *turned))
    assert outcome.counts == (1, 0, 0, 1, 0, 0)


def test_a_workbook_gives_the_same_agreements(tmp_path, known):
    run("import_conventions", conventions(tmp_path, SAUBENS, EPCI))
    path = write_xlsx(tmp_path / "conventions.xlsx", HEADER, SAUBENS, EPCI)
    assert run("import_conventions", path).counts == (2, 0, 0, 2, 0, 0)


def test_the_debtor_column_is_optional(tmp_path, known):
    header, row = HEADER.removesuffix(";siret_debiteur"), SAUBENS.removesuffix(";")
    assert run("import_conventions", conventions(tmp_path, row, header=header)).counts == (
        (1, 1, 0, 0, 0, 0)
    )
