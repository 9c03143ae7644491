"""The same schools as each edition of the annuaire writes them.

Ministère de l'Éducation nationale – DEPP, data.education.gouv.fr, annuaire de l'éducation, seven rows of
the edition of November 2024 without telephones and addresses of mail; Licence Ouverte / Etalab 2.0.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import openpyxl

SAMPLE = Path(__file__).parent / "data" / "annuaire_2024-11.csv"
COLUMNS, *ROWS = csv.reader(io.StringIO(SAMPLE.read_text(encoding="utf-8-sig")), delimiter=";")
NAMES_OF_2023 = {
    "Code_postal": "Code postal",
    "coordX_origine": "coordonnee_X",
    "coordY_origine": "coordonnee_Y",
    "epsg_origine": "epsg",
    "multi_uai": "etablissement_multi_lignes",
}
AFTER_2023 = {
    "code_circonscription",
    "code_zone_animation_pedagogique",
    "libelle_zone_animation_pedagogique",
}


@dataclass(frozen=True)
class Edition:
    """A form of the file: its columns beside those of 2024, its byte order mark and its line ends."""

    names: dict[str, str]
    without: frozenset[str] = frozenset()
    encoding: str = "utf-8-sig"
    newline: str = "\r\n"


EDITIONS = {
    "2023-06": Edition(NAMES_OF_2023, frozenset(AFTER_2023)),
    "2024-11": Edition({}, newline="\n"),
    "2026-05": Edition({}, frozenset({"Nombre_d_eleves"})),
    "API": Edition({name: name.lower() for name in COLUMNS}, encoding="utf-8"),
}


def table(edition: Edition, *changes: dict[str, str]) -> list[list[str]]:
    """Return the header and the rows; each change names its row by `uai` and gives new cells."""
    kept = [name for name in COLUMNS if name not in edition.without]
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
    for change in changes:
        uai = change["uai"]
        row = next(row for row in rows if row["Identifiant_de_l_etablissement"] == uai)
        row |= {name: cell for name, cell in change.items() if name != "uai"}
    return [[edition.names.get(name, name) for name in kept]] + [[row[n] for n in kept] for row in rows]


def write_edition(path: Path, edition: Edition, *changes: dict[str, str]) -> Path:
    """Write the sample as an edition does: quotes around what needs them only."""
    stream = io.StringIO()
    csv.writer(stream, delimiter=";", lineterminator=edition.newline).writerows(table(edition, *changes))
    path.write_bytes(stream.getvalue().encode(edition.encoding))
    return path


def write_workbook(path: Path, edition: Edition, *changes: dict[str, str]) -> Path:
    """Write the sample as text cells of a workbook."""
    book = openpyxl.Workbook()
    for row in table(edition, *changes):
        book.active.append(row)
    book.save(path)
    return path


def row(uai: str = "0310891A", **cells: str) -> dict[str, str]:
    """Return a row of the sample, by column of 2024, with some cells changed."""
    named = (dict(zip(COLUMNS, cells, strict=True)) for cells in ROWS)
    found = next(row for row in named if row["Identifiant_de_l_etablissement"] == uai)
    return found | cells


def write_rows(path: Path, *rows: dict[str, str]) -> Path:
    """Write rows, each with the columns of the first."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), delimiter=";", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(stream.getvalue(), encoding="utf-8")
    return path
