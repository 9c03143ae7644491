"""The workbook of provisional amounts adds up by its own formulas."""

import io

import pytest
from openpyxl import load_workbook

from conventions.forecasts.workbook import write_forecast, write_member
from tests.conventions.forecasts.foretelling import a_world, prepared
from tests.conventions.what_if_world import join
from tests.invoicing.spreadsheet import Book

pytestmark = pytest.mark.django_db


def book_of(content):
    return Book(load_workbook(io.BytesIO(content)))


def sheets_of(content):
    workbook = load_workbook(io.BytesIO(content))
    return {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in workbook}


def test_it_works(press):
    schedule = a_world()
    join(schedule, None, name="Inconnue")
    content = write_forecast(prepared(schedule, given={"prix-ELEVES": "6,10"}))
    summary = {row["Ensemble"]: row["Montant"] for row in book_of(content).records("Synthèse")}
    assert summary["Total prévisionnel"] == summary["Somme du détail, ligne par ligne"] == 9224
    assert summary["Contrôle : total − somme du détail"] == 0
    assert summary["Écart avec aujourd'hui, membres comparables"] == 149
    sheets = sheets_of(content)
    assert list(sheets) == ["Synthèse", "Par membre", "Par type", "Détail", "Sans lettre", "Hypothèses"]
    rows = sheets["Par membre"]
    assert [row[1] for row in rows[1:4]] == ["Ensemble", "Grande", "Petite"]
    assert rows[3][2:7] == ["Commune", 40, 289, 285, "=E4-F4"]
    assert rows[4][4] == "=SUBTOTAL(109,E2:E4)"
    detail = sheets["Détail"][1:-1]
    assert sum(line[8] for line in detail) == sum(row[4] for row in rows[1:4])
    assert {len(row[0]) for row in detail} == {14}
    facts = {row[0]: row[1:] for row in sheets["Synthèse"]}
    assert facts["Total prévisionnel"] == ["=SUM('Par membre'!$E$2:$E$4)", 3]
    assert facts["Somme du détail, ligne par ligne"] == ["=SUM('Détail'!$I$2:$I$7)", 6]
    assert facts["Contrôle : total − somme du détail"] == ["=ROUND(B2-B3,2)", None]
    assert sheets["Sans lettre"][1][1] == "Inconnue"
    assert ["Montants calculés sur", "un projet de tarif pour 2025-2026, qui n'est pas encore voté"] in (
        sheets["Hypothèses"]
    )


def test_a_member_is_given_its_own_lines_only(press):
    amount = prepared(a_world()).amounts.select_related("forecast__schedule").get(name="Petite")
    sheets = sheets_of(write_member(amount))
    assert list(sheets) == ["Détail", "Hypothèses"]
    assert {row[1] for row in sheets["Détail"][1:-1]} == {"Petite"}
