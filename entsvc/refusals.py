"""The refused or flagged rows of a file, given back as a workbook to look at and to mend."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from entsvc.importing import Finding, lines_of
from entsvc.tabular import normalise

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True)
class Verdict:
    """What findings say of rows: the title of their sheet, and of the column that tells why."""

    title: str
    reason: str


REFUSED = Verdict("Lignes refusées", "motif du refus")
FLAGGED = Verdict("À vérifier", "motif à vérifier")


def write_rows(path: Path, findings: Iterable[Finding], target: Any, verdict: Verdict) -> None:
    """Write the rows of a file that findings are about, each once, all the reasons in a last column.

    What the file lacks comes first: a row with nothing but the value, in its column if the file has it.
    Every cell is text, so that codes keep their leading zeros and nothing is taken for a formula. What
    stood right of the last named column stays right of the reason: the row is refused until mended.
    `target` is a path or a binary stream.
    """
    lacking, reasons = [], defaultdict(list)
    for finding in findings:
        if finding.line is None:
            lacking.append(finding)
        else:
            reasons[finding.line].append(_reason(finding))
    titles, rows = lines_of(path, reasons)
    # A file of these rows that comes back has the column already.
    titles = [title for title in titles if normalise(title) != normalise(verdict.reason)]
    columns = [normalise(title) for title in titles]
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet(verdict.title)
    sheet.freeze_panes = "A2"
    sheet.append([_text(sheet, title) for title in (*titles, verdict.reason)])
    for finding in lacking:
        cells = [finding.value if column == finding.field else "" for column in columns]
        sheet.append([_text(sheet, cell) for cell in (*cells, _reason(finding))])
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
