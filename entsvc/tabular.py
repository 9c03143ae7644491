"""How a CSV, XLSX or JSON file becomes rows of text: nothing is converted before it is checked."""

import codecs
import csv
import json
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from entsvc.extents import MAX_CELLS, Extent
from entsvc.french import integer

MAX_BYTES = 100 * 1024**2
MAX_UNPACKED_BYTES = 1024**3
CHUNK = 1024**2
ZIP, OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
# « é » encoded in UTF-8, read as Windows-1252 and encoded again.
ENCODED_TWICE = re.compile("Ã©".encode())
# An accented letter or a typographic sign in UTF-8: nobody writes « Ã© » or « â€™ » in Windows-1252.
SURELY_UTF_8 = re.compile(rb"\xc3[\x80-\xbf]|\xe2\x80[\x90-\xaf]")
LONGEST_SEQUENCE = 4  # bytes of what these two look for
# What formulas leave around an amount, and what nobody types.
CENT, NOISE, MOST_TYPED_DECIMALS = Decimal("0.01"), Decimal("0.000005"), 6
LARGEST = Decimal(10) ** 15  # beyond, a float has no decimals left
# What JSON and XLSX can spell and no database keeps: NUL, half of a pair.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class UnreadableFile(Exception):
    """The file as a whole can't be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: its number in the file (the header is line 1) and its text values.

    `beyond` holds what stands right of the last named column, by its rank: nobody can tell what it is.
    """

    line: int
    values: dict[str, str]
    beyond: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table read from a file: its columns as written and normalised, then its rows, read once."""

    titles: list[str]
    columns: list[str]
    rows: Iterator[Row]


def normalise(header: str) -> str:
    """Return a column name without case, accents, spaces or punctuation: "Code postal" → code_postal.

    Its plus signs are words: « REP » and « REP + » are two columns of the official counts.
    """
    words = header.replace("+", " plus ")
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


def read_table(path: Path) -> Table:
    """Read a CSV (`;`, UTF-8 with or without BOM, else Windows-1252), the first sheet of an XLSX or a
    JSON list of objects.

    Rows come one by one: those of a CSV are never all in memory. A row of JSON is an object, or one of
    the list of objects it holds; its number is its rank among these rows.
    Raises UnreadableFile (French message), at once for a missing, too large, empty or undecodable file
    and for a header with a column twice, while rows are read for quotes left open and for characters
    that no database keeps.
    """
    if not path.is_file():
        raise UnreadableFile(f"Le fichier {path.name} est introuvable.")
    if path.stat().st_size > MAX_BYTES:
        raise UnreadableFile(f"Le fichier {path.name} dépasse {MAX_BYTES // 1024**2} Mo.")
    numbered = ((number, cells) for number, cells in _storable(path) if any(cells))
    header = next(numbered, None)
    if header is None:
        raise UnreadableFile(f"Le fichier {path.name} est vide.")
    titles = header[1]
    while not titles[-1]:
        titles.pop()
    columns = [normalise(title) for title in titles]
    _check_header(titles, columns, path.name)
    rows = (Row(number, _named(columns, cells), _beyond(columns, cells)) for number, cells in numbered)
    return Table(titles, columns, rows)


def _storable(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Refuse the file at the first cell that no database keeps."""
    for number, cells in _lines(path):
        if UNSTORABLE.search("".join(cells)):
            where = f", ligne {number}" if number else ", nom de colonne"
            raise UnreadableFile(f"{path.name}{where} : caractère illisible, reprenez sa source.")
        yield number, cells


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    with path.open("rb") as stream:
        start = stream.read(4)
    if start == ZIP:
        return _xlsx_lines(path)
    if start == OLD_EXCEL:
        raise UnreadableFile(f"{path.name} est un ancien classeur Excel : enregistrez-le en XLSX.")
    encoding = _encoding(path)
    if start.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"[", b"{"):
        return _json_lines(path, encoding)
    return _csv_lines(path, encoding)


def _check_header(titles: list[str], columns: list[str], name: str) -> None:
    if len(titles) == 1 and re.search(r"[,\t]", titles[0]):
        raise UnreadableFile(f"Les colonnes de {name} doivent être séparées par des points-virgules.")
    twice = {column for column in columns if column and columns.count(column) > 1}
    if twice:
        raise UnreadableFile(f"Colonne en double dans {name} : {', '.join(sorted(twice))}.")


def _named(columns: list[str], cells: list[str]) -> dict[str, str]:
    padded = cells + [""] * (len(columns) - len(cells))
    return {name: cell for name, cell in zip(columns, padded, strict=False) if name}


def _beyond(columns: list[str], cells: list[str]) -> dict[int, str]:
    first = len(columns)
    return {rank: cell for rank, cell in enumerate(cells[first:], start=first + 1) if cell}


def _csv_lines(path: Path, encoding: str) -> Iterator[tuple[int, list[str]]]:
    with path.open(encoding=encoding, newline="") as stream:
        reader = csv.reader(stream, delimiter=";", strict=True)
        try:
            for cells in reader:
                yield reader.line_num, [cell.strip() for cell in cells]
        except csv.Error as error:
            where = f"{path.name}, ligne {reader.line_num}"
            # The module has one type of error for all: only its words tell this one.
            if "field limit" in str(error):
                limit = integer(csv.field_size_limit())
                message = f"une case dépasse {limit} caractères ; des guillemets sont-ils mal fermés ?"
            else:
                message = "guillemets mal fermés."
            raise UnreadableFile(f"{where} : {message}") from error


def _encoding(path: Path) -> str:
    """Return the encoding of a text file, reading it through once."""
    with path.open("rb") as stream:
        if stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise UnreadableFile(f"{path.name} est en UTF-16 : enregistrez-le en « CSV UTF-8 ».")
    try:
        if _holds(path, "utf-8-sig", ENCODED_TWICE):
            message = "sont abîmés (« Ã© » pour « é ») : reprenez sa source."
            raise UnreadableFile(f"Les accents de {path.name} {message}")
        return "utf-8-sig"
    except UnicodeDecodeError:
        pass
    try:
        if _holds(path, "cp1252", SURELY_UTF_8):
            line = _first_line_not_in_utf_8(path)
            message = (
                "un caractère n'est pas en UTF-8 comme le reste : corrigez-le, enregistrez en UTF-8."
            )
            raise UnreadableFile(f"{path.name}, ligne {line} : {message}")
        return "cp1252"
    except UnicodeDecodeError as error:
        message = "n'est ni en UTF-8 ni en Windows-1252 : enregistrez-le en UTF-8."
        raise UnreadableFile(f"{path.name} {message}") from error


def _holds(path: Path, encoding: str, pattern: re.Pattern[bytes]) -> bool:
    """Tell whether a file holds a sequence of bytes; raise UnicodeDecodeError for another encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    tail, found = b"", False
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            decoder.decode(chunk)
            if b"\x00" in chunk:
                raise UnreadableFile(f"{path.name} n'est ni un CSV ni un XLSX.")
            found = found or bool(pattern.search(tail + chunk))
            tail = chunk[-LONGEST_SEQUENCE:]
    decoder.decode(b"", final=True)
    return found


def _first_line_not_in_utf_8(path: Path) -> int:
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 1


def _json_lines(path: Path, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """Read a list of objects: each is one row, or one for each object of the list it holds."""
    try:
        objects = json.loads(path.read_text(encoding=encoding))
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"{path.name} n'est pas un JSON lisible ({_why(error)}).") from error
    if not isinstance(objects, list) or not all(isinstance(item, dict) for item in objects):
        raise UnreadableFile(f"{path.name} doit être une liste d'objets JSON.")
    unfolded = [cells for item in objects for cells in _unfold(item)]
    columns = list(dict.fromkeys(name for cells in unfolded for name in cells))
    yield 0, columns
    for rank, cells in enumerate(unfolded, start=1):
        yield rank, [_cell_text(cells.get(name, "")) for name in columns]


def _why(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"ligne {error.lineno}, colonne {error.colno}"
    if isinstance(error, RecursionError):
        return "trop de listes les unes dans les autres"
    return "un nombre trop long"


def _unfold(item: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Return an object as rows: one for each member of the first list of objects it holds, if any."""
    name = next((name for name, value in item.items() if _are_objects(value)), None)
    if name is None:
        return [item]
    flat = {other: value for other, value in item.items() if other != name}
    return [{**flat, **{f"{name}_{key}": value for key, value in part.items()}} for part in item[name]]


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(part, dict) for part in value)


def _xlsx_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    _check_parts(path)
    try:
        sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
        rows = sheet.iter_rows()
    except (CalamineError, IndexError, OSError) as error:
        raise UnreadableFile(f"{path.name} n'est pas un classeur XLSX lisible.") from error
    # Empty rows at the top are given, empty columns at the left are not.
    left = [""] * (sheet.start[1] if sheet.start else 0)
    for number, cells in enumerate(rows, start=1):
        yield number, left + [_cell_text(cell) for cell in cells]


def _check_parts(path: Path) -> None:
    """Refuse a workbook that unpacks beyond measure, that declares entities or whose cells lie absurdly
    far apart: the library that reads it takes memory for every cell between them, or dies of it.
    """
    size = 0
    try:
        with zipfile.ZipFile(path) as archive:
            for part in archive.infolist():
                with archive.open(part) as stream:
                    chunk = stream.read(CHUNK)
                    if b"<!DOCTYPE" in chunk.replace(b"\x00", b"").upper():
                        message = "contient un DOCTYPE : ce n'est pas un XLSX ordinaire."
                        raise UnreadableFile(f"{path.name} {message}")
                    extent = Extent()
                    while chunk:
                        extent.read(chunk)
                        if extent.cells > MAX_CELLS:
                            raise UnreadableFile(
                                f"{path.name} a des cellules remplies très loin de son tableau "
                                f"({part.filename}) : supprimez ces lignes et ces colonnes."
                            )
                        size += len(chunk)
                        if size > MAX_UNPACKED_BYTES:
                            limit = f"{MAX_UNPACKED_BYTES // 1024**2} Mo une fois décompressé"
                            raise UnreadableFile(f"{path.name} dépasse {limit}.")
                        chunk = stream.read(CHUNK)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, OSError) as error:
        raise UnreadableFile(f"{path.name} n'est pas un classeur XLSX lisible.") from error


def _cell_text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, list):
        return " ".join(_cell_text(part) for part in cell)
    if isinstance(cell, float):
        return _number_text(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell).strip()


def _number_text(cell: float) -> str:
    """Return a number as its sheet shows it: without useless zeros nor what a formula adds to cents.

    90.00000000000001 is 90: within half a thousandth of a cent, with more decimals than anyone types.
    A true fraction of a cent (33.333…) stays whole, to be refused where cents are asked.
    """
    if cell.is_integer():
        return str(int(cell))
    exact = Decimal(repr(cell))
    if not exact.is_finite():
        return str(cell)
    cents = exact.quantize(CENT) if abs(exact) < LARGEST else exact
    noisy = -exact.as_tuple().exponent > MOST_TYPED_DECIMALS and abs(exact - cents) <= NOISE
    if not noisy:
        return str(cell)
    return f"{cents.normalize():f}" if cents else "0"
