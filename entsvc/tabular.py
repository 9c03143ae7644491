"""How a CSV or XLSX file becomes rows of text: nothing is converted before it is checked."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

MAX_BYTES = 200 * 1024 * 1024


class UnreadableFile(Exception):
    """The file as a whole can't be used; the message says what to do."""


@dataclass(frozen=True)
class Row:
    """One line of a table: its number in the file (the header is line 1) and its text values.

    `beyond` holds what stands right of the last named column, by its rank: nobody can tell what it is.
    """

    line: int
    values: dict[str, str]
    beyond: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table read from a file: normalised column names, then rows."""

    columns: list[str]
    rows: list[Row]


def normalise(header: str) -> str:
    """Return a column name without case, accents, spaces or punctuation: "Code postal" → code_postal."""
    plain = unicodedata.normalize("NFKD", header).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


def read_table(path: Path) -> Table:
    """Read a CSV (`;`, UTF-8 with or without BOM, else Windows-1252) or the first sheet of an XLSX.

    Raises UnreadableFile (French message) for a missing, too large, empty or undecodable file, and
    for a header with a column twice.
    """
    if not path.is_file():
        raise UnreadableFile(f"Le fichier {path.name} est introuvable.")
    if path.stat().st_size > MAX_BYTES:
        raise UnreadableFile(f"Le fichier {path.name} dépasse {MAX_BYTES // 1024**2} Mo.")
    content = path.read_bytes()
    lines = _xlsx_lines(path) if content[:4] == b"PK\x03\x04" else _csv_lines(content, path.name)
    numbered = ((number, cells) for number, cells in lines if any(cells))
    header = next(numbered, None)
    if header is None:
        raise UnreadableFile(f"Le fichier {path.name} est vide.")
    columns = [normalise(cell) for cell in header[1]]
    twice = {name for name in columns if name and columns.count(name) > 1}
    if twice:
        raise UnreadableFile(f"Colonne en double dans {path.name} : {', '.join(sorted(twice))}.")
    while columns and not columns[-1]:
        columns.pop()
    rows = [Row(number, _named(columns, cells), _beyond(columns, cells)) for number, cells in numbered]
    return Table(columns, rows)


def _named(columns: list[str], cells: list[str]) -> dict[str, str]:
    padded = cells + [""] * (len(columns) - len(cells))
    return {name: cell for name, cell in zip(columns, padded, strict=False) if name}


def _beyond(columns: list[str], cells: list[str]) -> dict[int, str]:
    first = len(columns)
    return {rank: cell for rank, cell in enumerate(cells[first:], start=first + 1) if cell}


def _csv_lines(content: bytes, name: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(_decode(content, name), newline=""), delimiter=";", strict=True)
    try:
        for cells in reader:
            yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise UnreadableFile(
            f"{name}, ligne {reader.line_num} : guillemets mal fermés ({error})."
        ) from error


def _decode(content: bytes, name: str) -> str:
    if b"\x00" in content:
        raise UnreadableFile(f"{name} n'est ni un CSV ni un XLSX.")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UnreadableFile(f"{name} n'est ni en UTF-8 ni en Windows-1252 : enregistrez-le en UTF-8.")


def _xlsx_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
        rows = sheet.to_python(skip_empty_area=False)
    except (CalamineError, IndexError, OSError) as error:
        raise UnreadableFile(f"{path.name} n'est pas un classeur XLSX lisible.") from error
    for number, cells in enumerate(rows, start=1):
        yield number, [_cell_text(cell) for cell in cells]


def _cell_text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell).strip()
