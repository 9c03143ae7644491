"""The yearly call as a workbook: reopened, it says what the run says, and adds up to the cent."""

import datetime as dt
import io
import re
from decimal import Decimal

import pytest
from openpyxl import load_workbook
from openpyxl.utils import column_index_from_string

from entsvc.cells import neutral
from invoicing.exports.yearly_call import write_yearly_call
from invoicing.models import Call, CallLine
from members.models import Member, School
from tariffs.models import Charge
from tests.factories import HeadcountFactory
from tests.invoicing.world import YEAR, a_world

SUMMARY_HEAD = ["SIRET", "Membre", "Écoles", "Élèves"]
SUMMARY_TAIL = ["Total", "État", "Titre", "Émis le"]
HEADINGS = {
    "Détail": [
        "SIRET",
        "Membre",
        "Convention",
        "UAI",
        "École",
        "Commune",
        "Ligne tarifaire",
        "Quantité",
        "Unité",
        "Prix unitaire",
        "Montant",
        "Explication",
    ],
    "Anomalies": ["SIRET", "Membre", "UAI", "Code", "Bloquante", "Message", "Acceptée, motif"],
    "Effectifs": [
        "SIRET",
        "Membre",
        "Convention",
        "UAI",
        "École",
        "Commune",
        "Élèves",
        "Source",
        "Élèves actifs",
        "Source des actifs",
        "Écartée, motif",
    ],
    "Bases": ["Base", "Valeur", "Montant"],
}


def reopen(run):
    stream = io.BytesIO()
    write_yearly_call(run, stream)
    return load_workbook(stream)


def headings(sheet):
    return [cell.value for cell in sheet[1]]


def rows(sheet):
    """The rows between the headings and the total, as dictionaries."""
    names = headings(sheet)
    values = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
    return [dict(zip(names, row, strict=True)) for row in values if row[0] != "Total"]


def evaluate(sheet, cell):
    """The value of a cell: a number, or what SUM and SUBTOTAL(109) make of their range."""
    if not isinstance(cell.value, str):
        return Decimal(str(cell.value or 0))
    found = re.fullmatch(r"=(?:SUM\(|SUBTOTAL\(109,)([A-Z]+)(\d+):([A-Z]+)(\d+)\)", cell.value)
    assert found, cell.value
    first, top, last, bottom = found.groups()
    return sum(
        (
            evaluate(sheet, sheet.cell(row, column))
            for row in range(int(top), int(bottom) + 1)
            for column in range(column_index_from_string(first), column_index_from_string(last) + 1)
        ),
        start=Decimal(0),
    )


def total(sheet, heading):
    """The value of the total under a column."""
    assert sheet.cell(sheet.max_row, 1).value == "Total"
    cell = sheet.cell(sheet.max_row, headings(sheet).index(heading) + 1)
    assert cell.value.startswith("=SUBTOTAL(109,")
    return evaluate(sheet, cell)


@pytest.fixture
def rich(db):
    """Two charges, counts, a blocked member, and one member already issued."""
    per_pupil = {
        "code": "ELEVES",
        "label": "Par élève",
        "metric": Charge.Metric.PUPILS,
        "unit_label": "élève",
        "unit_plural": "élèves",
        "unit_price": Decimal("1.3125"),
    }
    world = a_world(charges=[{}, per_pupil])
    for number, school in enumerate(School.objects.order_by("pk")):
        HeadcountFactory(school=school, school_year=YEAR, pupils=101 + number)
    world.join(1)
    Member.objects.exclude(pk=world.members[0].pk).update(address="")
    world.run = world.compute()
    world.issued = world.issue(world.run)
    assert len(world.issued.titres) == 1
    return world


def test_it_works(rich):
    book = reopen(rich.run)
    assert book.sheetnames == ["Synthèse", "Détail", "Anomalies", "Effectifs", "Bases"]
    assert str(rich.run) in book.properties.title


def test_headings_are_french(rich):
    book = reopen(rich.run)
    labels = ["Participation par école", "Par élève"]
    assert headings(book["Synthèse"]) == SUMMARY_HEAD + labels + SUMMARY_TAIL
    for name, expected in HEADINGS.items():
        assert headings(book[name]) == expected


def test_every_sheet_can_be_read_filtered_and_printed(rich):
    for sheet in reopen(rich.run):
        assert sheet.freeze_panes == "A2"
        assert re.fullmatch(r"A1:[A-Z]+\d+", sheet.auto_filter.ref)
        assert (sheet.page_setup.orientation, int(sheet.page_setup.paperSize)) == ("landscape", 9)
        assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (1, 0)
        assert sheet.sheet_properties.pageSetUpPr.fitToPage is True
        assert sheet.print_title_rows == "$1:$1"
        assert sheet.oddFooter.right.text == "&P / &N"
        assert all(cell.font.bold for cell in sheet[1])
        assert all(column.width >= 9 for column in sheet.column_dimensions.values())


def test_the_filter_leaves_the_total_out(rich):
    book = reopen(rich.run)
    for name in ("Synthèse", "Détail", "Effectifs"):
        sheet = book[name]
        assert int(re.search(r"(\d+)$", sheet.auto_filter.ref)[1]) == sheet.max_row - 1


def test_amounts_counts_and_dates_are_numbers_and_dates(rich):
    sheet = reopen(rich.run)["Synthèse"]
    row = next(row for row in sheet.iter_rows(min_row=2) if row[6].row and row[7].value == "Émis")
    cells = dict(zip(headings(sheet), row, strict=True))
    assert cells["SIRET"].data_type == "s"
    assert cells["Écoles"].data_type == cells["Élèves"].data_type == "n"
    assert cells["Participation par école"].data_type == "n"
    assert cells["Participation par école"].number_format == '#,##0.00 "€"'
    assert cells["Total"].data_type == "f"
    assert cells["Émis le"].is_date
    assert cells["Émis le"].value.date() == dt.date(2025, 3, 3)
    assert cells["Émis le"].number_format == "dd/mm/yyyy"
    detail = reopen(rich.run)["Détail"]
    for heading in ("Quantité", "Prix unitaire", "Montant"):
        column = headings(detail).index(heading) + 1
        assert {detail.cell(n, column).data_type for n in range(2, detail.max_row)} == {"n"}


def test_the_summary_has_one_row_per_member_with_its_state(rich):
    summary = rows(reopen(rich.run)["Synthèse"])
    assert [(row["SIRET"], row["Écoles"], row["État"], row["Titre"]) for row in summary] == [
        (rich.members[0].siret, 1, "Émis", "TST-2025-000001"),
        (rich.members[1].siret, 2, "À compléter", None),
        (rich.members[2].siret, 3, "À compléter", None),
        (Call.objects.filter(run=rich.run).order_by("siret").last().siret, 1, "Bloqué", None),
    ]


def test_a_member_issued_from_another_run_says_so(rich):
    again = rich.compute()
    assert [row["État"] for row in rows(reopen(again)["Synthèse"])][:1] == ["Émis (autre calcul)"]


def test_the_totals_of_the_summary_are_those_of_the_run(rich):
    sheet = reopen(rich.run)["Synthèse"]
    assert total(sheet, "Total") == rich.run.total
    assert total(sheet, "Écoles") == 7
    assert total(sheet, "Élèves") == sum(range(101, 107))
    for label, code in (("Participation par école", "ECOLE"), ("Par élève", "ELEVES")):
        lines = CallLine.objects.filter(call__run=rich.run, charge=code).order_by("pk")
        assert total(sheet, label) == sum(line.amount for line in lines)


def test_each_member_adds_up_to_its_call(rich):
    sheet = reopen(rich.run)["Synthèse"]
    column = headings(sheet).index("Total") + 1
    calls = rich.run.calls.order_by("siret")
    for number, call in enumerate(calls, start=2):
        assert sheet.cell(number, 1).value == call.siret
        assert sheet.cell(number, column).value.startswith("=SUM(")
        assert evaluate(sheet, sheet.cell(number, column)) == call.total


def test_the_detail_is_that_of_the_lines(rich):
    sheet = reopen(rich.run)["Détail"]
    lines = CallLine.objects.filter(call__run=rich.run).order_by("call__siret", "position")
    assert [(row["SIRET"], row["UAI"], row["Quantité"], row["Explication"]) for row in rows(sheet)] == [
        (line.call.siret, line.uai, line.quantity, line.explanation) for line in lines
    ]
    for row, line in zip(rows(sheet), lines, strict=True):
        assert Decimal(str(row["Prix unitaire"])) == line.unit_price
        assert Decimal(str(row["Montant"])) == line.amount
    assert total(sheet, "Montant") == rich.run.total


def test_the_anomalies_name_their_member_and_school(rich):
    [row] = rows(reopen(rich.run)["Anomalies"])
    anomaly = rich.run.anomalies.get()
    assert (row["SIRET"], row["Membre"]) == (anomaly.call.siret, anomaly.call.name)
    assert (row["UAI"], row["Code"], row["Bloquante"]) == (anomaly.uai, "missing_count", "oui")
    assert row["Message"] == anomaly.message


def test_the_counts_come_with_their_source(rich):
    counted = rows(reopen(rich.run)["Effectifs"])
    assert len(counted) == 7
    assert {row["Source"] for row in counted if row["Élèves"]} == {"DEPP"}
    assert total(reopen(rich.run)["Effectifs"], "Élèves") == sum(range(101, 107))


def test_the_bases_name_schedule_year_version_and_act(rich):
    bases = {row["Base"]: row["Valeur"] for row in rows(reopen(rich.run)["Bases"])}
    assert bases["Barème"] == f"{rich.schedule.code} – {rich.schedule.name}"
    assert bases["Année scolaire"] == "2024-2025"
    assert bases["Version du tarif"] == "v1"
    assert bases["Acte d'adoption"].startswith("Délibération n°")
    assert bases["Empreinte des bases"] == rich.run.basis_sha256
    assert bases["Ligne ECOLE"] == "Participation par école"
    prices = {row["Base"]: row["Montant"] for row in rows(reopen(rich.run)["Bases"])}
    assert prices["Ligne ECOLE"] == 45


def test_a_run_without_agreement_still_makes_a_workbook(db):
    book = reopen(a_world(members=0).compute())
    assert rows(book["Synthèse"]) == []
    [row] = rows(book["Anomalies"])
    assert (row["SIRET"], row["Membre"], row["Code"]) == (
        None,
        "Toute la campagne",
        "no_agreement",
    )


# --- Text is never a formula ------------------------------------------------------------------

TRAPS = ["=1+1", "+33 5", "-2+3", "@SUM(A1)", "\t=1+1", '=HYPERLINK("http://exemple.invalid")']


@pytest.mark.parametrize("trap", TRAPS)
def test_text_that_starts_like_a_formula_is_neutralised(trap):
    assert neutral(trap) == f"'{trap}"


@pytest.mark.parametrize("text", ["Saubens", "", "École = 1", "1+1", "'=1+1"])
def test_other_text_is_left_as_it_is(text):
    assert neutral(text) == text


@pytest.mark.parametrize("trap", ["=1+1", "+33 5", "-2+3", "@SUM(A1)"])
def test_no_cell_of_staff_or_files_becomes_a_formula(db, trap):
    world = a_world(charges=[{"label": trap, "unit_label": trap}])
    Member.objects.update(name=trap)
    School.objects.update(name=trap, commune_name=trap)
    book = reopen(world.compute())
    formulas = [
        cell.value
        for sheet in book
        for row in sheet.iter_rows()
        for cell in row
        if cell.data_type == "f"
    ]
    assert formulas
    assert all(re.match(r"=(SUM|SUBTOTAL)\([\dA-Z]", formula) for formula in formulas)
    assert f"'{trap}" in headings(book["Synthèse"])
    assert {row["Membre"] for row in rows(book["Détail"])} == {f"'{trap}"}


def test_a_control_character_of_a_pasted_name_does_not_break_the_workbook(world):
    Member.objects.filter(pk=world.members[0].pk).update(name="Commune\x0bde\x07Saubens")
    first = rows(reopen(world.compute())["Synthèse"])[0]
    assert first["Membre"] == "Commune de Saubens"


def test_the_workbook_is_written_to_a_path(world, tmp_path):
    target = tmp_path / "appel.xlsx"
    write_yearly_call(world.compute(), target)
    assert load_workbook(target).sheetnames[0] == "Synthèse"
