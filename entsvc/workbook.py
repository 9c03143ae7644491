"""How a sheet of ours looks in a spreadsheet: real numbers and dates, frozen header, filter, print."""

import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.writer.excel import ExcelWriter

from entsvc.cells import neutral

A4 = 9
HEADER_HEIGHT = 48  # points: three lines of a long heading
EUROS, WHOLE, DAY, TEXT = '#,##0.00 "€"', "#,##0", "dd/mm/yyyy", "@"
HEADER_FONT = Font(name="Calibri", size=11, bold=True, color="FFFFFF")
HEADER_FILL = PatternFill("solid", fgColor="1F3864")
TOTAL_FONT = Font(name="Calibri", size=11, bold=True)


@dataclass(frozen=True)
class Column:
    """A column: heading, width in characters, number format, and whether its total is printed."""

    heading: str
    width: int
    format: str = TEXT
    summed: bool = False


@dataclass(frozen=True)
class Formula:
    """A cell computed by the spreadsheet: `{row}` stands for the row's number."""

    text: str


def add_sheet(
    workbook: Workbook, title: str, columns: Sequence[Column], rows: Iterable[Sequence[Any]]
) -> int:
    """Append a sheet of rows under a frozen header, with a total under the summed columns.

    `workbook` is write-only: rows are streamed, whatever their number. Returns the number of the last of
    them, 1 where there is none.
    """
    sheet = workbook.create_sheet(title)
    letters = [get_column_letter(index) for index in range(1, len(columns) + 1)]
    for letter, column in zip(letters, columns, strict=True):
        sheet.column_dimensions[letter].width = column.width
    sheet.row_dimensions[1].height = HEADER_HEIGHT
    sheet.freeze_panes = "A2"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = A4
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = "1:1"
    sheet.oddFooter.left.text, sheet.oddFooter.right.text = "&A", "&P / &N"
    sheet.append([_header(sheet, column) for column in columns])
    last = 1
    for last, row in enumerate(rows, start=2):
        sheet.append([_cell(sheet, v, c, last) for v, c in zip(row, columns, strict=True)])
    sheet.auto_filter.ref = f"A1:{letters[-1]}{max(last, 2)}"
    if last > 1 and any(column.summed for column in columns):
        sheet.append(
            [
                _total(sheet, c, letter, last, index)
                for index, (c, letter) in enumerate(zip(columns, letters, strict=True))
            ]  # fmt: skip
        )
    return last


def saved(workbook: Workbook, on: date) -> bytes:
    """Return the bytes of a workbook dated of a day: the same sheets give the same bytes.

    For a workbook that is kept: left alone, openpyxl dates it, and each of its parts, of the moment.
    """
    workbook.properties.created = workbook.properties.modified = datetime.combine(on, time())
    written, dated = io.BytesIO(), io.BytesIO()
    ExcelWriter(workbook, zipfile.ZipFile(written, "w")).save()
    with zipfile.ZipFile(written) as parts, zipfile.ZipFile(dated, "w") as archive:
        for name in parts.namelist():
            info = zipfile.ZipInfo(name, (on.year, on.month, on.day, 0, 0, 0))
            archive.writestr(info, parts.read(name), zipfile.ZIP_DEFLATED)
    return dated.getvalue()


def _header(sheet: Any, column: Column) -> Cell:
    cell = WriteOnlyCell(sheet, neutral(column.heading))
    cell.data_type = "s"
    cell.font, cell.fill = HEADER_FONT, HEADER_FILL
    cell.alignment = Alignment(wrap_text=True, vertical="center")
    return cell


def _cell(sheet: Any, value: Any, column: Column, row: int) -> Cell | None:
    if value is None or value == "":
        return None
    if isinstance(value, Formula):
        cell = WriteOnlyCell(sheet, value.text.format(row=row))
    elif isinstance(value, Decimal | int | date):
        cell = WriteOnlyCell(sheet, value)
    else:
        cell = WriteOnlyCell(sheet, neutral(str(value)))
        cell.data_type = "s"
    cell.number_format = column.format
    return cell


def _total(sheet: Any, column: Column, letter: str, last: int, index: int) -> Cell | None:
    """Sum what the filter shows (SUBTOTAL 109), so that the total follows a selection."""
    if not column.summed and index:
        return None
    value = f"=SUBTOTAL(109,{letter}2:{letter}{last})" if column.summed else "Total"
    cell = WriteOnlyCell(sheet, value)
    cell.font = TOTAL_FONT
    cell.number_format = column.format if column.summed else TEXT
    return cell
