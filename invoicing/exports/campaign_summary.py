"""The first sheet of a campaign's workbook, whose every figure is a formula over the sheets of rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment

from entsvc.cells import neutral
from entsvc.workbook import A4, EUROS, HEADER_FILL, HEADER_FONT, TEXT, TOTAL_FONT, WHOLE
from invoicing.exports.campaign_sheets import Table

TITLE = "Synthèse"
WIDTHS = (58, 16, 18, 26, 18, 18, 18)
OF_TITRES = {
    "total": "Titres",
    "corrected": "Annulations et réductions",
    "received": "Encaissé",
    "remaining": "Reste dû",
    "overpaid": "Trop-perçu",
}
OF_LINES = {"amount": "Montant"}


@dataclass
class Section:
    """A block of the sheet: the rows of a table grouped by one of its columns.

    `rows` are (words, value of the column); `amounts` are {column: heading} of what is summed. `total`
    are the cells of the first amount: those that a check adds up.
    """

    title: str
    counted: str
    table: Table
    key: str
    rows: Sequence[tuple[str, str]]
    amounts: Mapping[str, str]
    first: int = 0

    @property
    def last(self) -> int:
        """Return the number of its last row; an empty section has one that says so."""
        return self.first + max(len(self.rows), 1) - 1

    @property
    def total(self) -> str:
        """Return the cells of its first amount, as a formula names them."""
        return f"'{TITLE}'!$C${self.first}:$C${self.last}"


@dataclass
class Summary:
    """What is written at the top, then the sections; `verdict` is the formula of all the checks."""

    heading: str
    facts: Sequence[tuple[str, str]]
    verdict: str
    sections: Sequence[Section]

    def __post_init__(self) -> None:
        """Give each section its place before anything is written: the checks name its cells."""
        row = len(self.facts) + 3
        for section in self.sections:
            section.first = row + 2
            row = section.last + 2


def add_summary(workbook: Workbook, summary: Summary) -> None:
    """Add the sheet and put it first."""
    sheet = workbook.create_sheet(TITLE)
    for letter, width in zip("ABCDEFG", WIDTHS, strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", A4
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.append([_bold(sheet, summary.heading)])
    for label, value in summary.facts:
        sheet.append([_text(sheet, label), _text(sheet, value)])
    sheet.append([_bold(sheet, "Rapprochement"), _bold(sheet, summary.verdict)])
    for section in summary.sections:
        sheet.append([])
        _append(sheet, section)
    workbook.move_sheet(TITLE, -len(workbook.worksheets) + 1)
    workbook.active = 0


def _append(sheet: Any, section: Section) -> None:
    headings = (section.counted, *section.amounts.values())
    sheet.append([_head(sheet, section.title, "left"), *(_head(sheet, text) for text in headings)])
    for words, value in section.rows:
        sheet.append([_text(sheet, words), *_figures(sheet, _formulas(section, value))])
    if not section.rows:
        sheet.append([_text(sheet, "Aucun titre")])
    letters = "BCDEFG"[: len(headings)]
    sums = [f"=SUM({letter}{section.first}:{letter}{section.last})" for letter in letters]
    sheet.append([_bold(sheet, "Total"), *_figures(sheet, sums, bold=True)])


def _formulas(section: Section, value: str) -> list[str]:
    """Count and sum the rows of the table whose column has a value."""
    table, cells, wanted = section.table, section.table.range(section.key), criterion(value)
    sums = [f"=SUMIFS({table.range(name)},{cells},{wanted})" for name in section.amounts]
    return [f"=COUNTIFS({cells},{wanted})", *sums]


def criterion(text: str) -> str:
    """Return a text as a formula compares it, to the letter: its wildcards and quotes are its own."""
    plain = neutral(text)
    for mark in "~*?":
        plain = plain.replace(mark, f"~{mark}")
    return '"{}"'.format(plain.replace('"', '""'))


def _figures(sheet: Any, formulas: Iterable[str], *, bold: bool = False) -> list[WriteOnlyCell]:
    cells = []
    for index, formula in enumerate(formulas):
        cell = WriteOnlyCell(sheet, formula)
        cell.number_format = EUROS if index else WHOLE
        if bold:
            cell.font = TOTAL_FONT
        cells.append(cell)
    return cells


def _text(sheet: Any, text: str) -> WriteOnlyCell:
    cell = WriteOnlyCell(sheet, neutral(text))
    cell.data_type, cell.number_format = "s", TEXT
    return cell


def _bold(sheet: Any, text: str) -> WriteOnlyCell:
    cell = WriteOnlyCell(sheet, text)
    cell.font = TOTAL_FONT
    return cell


def _head(sheet: Any, text: str, side: str = "right") -> WriteOnlyCell:
    cell = WriteOnlyCell(sheet, neutral(text))
    cell.font, cell.fill = HEADER_FONT, HEADER_FILL
    cell.alignment = Alignment(horizontal=side, vertical="center", wrap_text=True)
    return cell
