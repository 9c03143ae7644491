"""The refused rows of a file, given back as a workbook to mend and import again."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from entsvc.importing import Finding, lines_of
from entsvc.tabular import normalise

REASON = "motif du refus"
CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def write_refused_rows(path: Path, refused: Iterable[Finding], target: Any) -> None:
    """Write the rows of a file that were refused, each once, with all the reasons in a last column.

    Every cell is text, so that codes keep their leading zeros and nothing is taken for a formula. What
    stood right of the last named column stays right of the reason: the row is refused until mended.
    `target` is a path or a binary stream.
    """
    reasons = defaultdict(list)
    for finding in refused:
        if finding.line is not None:
            reasons[finding.line].append(_reason(finding))
    titles, rows = lines_of(path, reasons)
    # A file of refused rows that comes back has the column already.
    titles = [title for title in titles if normalise(title) != normalise(REASON)]
    columns = [normalise(title) for title in titles]
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet("Lignes refusées")
    sheet.freeze_panes = "A2"
    sheet.append([_text(sheet, title) for title in (*titles, REASON)])
    for row in rows:
        cells = [row.values.get(column, "") for column in columns]
        told = " ; ".join(dict.fromkeys(reasons[row.line]))
        beyond = [row.beyond[rank] for rank in sorted(row.beyond)]
        sheet.append([_text(sheet, cell) for cell in (*cells, told, *beyond)])
    workbook.save(target)


def _reason(finding: Finding) -> str:
    value = f" « {finding.value} »" if finding.value else ""
    return f"{finding.field}{value} : {finding.message}"


def _text(sheet: Any, text: str) -> Cell:
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub(" ", text))
    cell.data_type = "s"
    cell.number_format = "@"
    return cell
