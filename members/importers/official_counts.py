"""Which column of each official file is the number of pupils, of which year, and what it is worth."""

import re
from collections.abc import Callable
from datetime import date

from entsvc import school_year
from entsvc.cells import checked, parse_count
from entsvc.importing import Flag, Layout, Options
from entsvc.tabular import Row, UnreadableFile
from members import identifiers
from members.importers import headers
from members.importers.count_rows import Record, is_asked
from members.models import School

DEPP, IPS, ANNUAIRE = "DEPP", "IPS", "ANNUAIRE"
WHOLE_FLOAT = re.compile(r"([0-9]+)\.0")

Parse = Callable[[Row, Flag, Options], Record | None]


def rentree(text: str) -> int:
    """Return the school year that begins with a rentrée: 2024 for "2024", "2024-2025", "2024-09-01".

    Raises ValueError (French message) for anything else.
    """
    try:
        year = int(text) if re.fullmatch(r"[0-9]{4}", text) else date.fromisoformat(text).year
    except ValueError:
        return school_year.parse(text)
    return school_year.parse(school_year.label(year))


def whole(column: str, text: str) -> int | None:
    """Read a count that the IPS files write as 187.0; raise RowError for 187.5 or 1.000."""
    match = WHOLE_FLOAT.fullmatch(text)
    return parse_count(column, match[1] if match else text)


def _reads(uai: str, year: str, pupils: str, source: str) -> Parse:
    """Return the reader of a file that gives the pupils of a rentrée in these columns."""
    count = whole if source == IPS else parse_count

    def parse(row: Row, flag: Flag, options: Options) -> Record | None:
        begun = checked(year, row.values[year], rentree)
        if not is_asked(begun, options):
            return None
        return _record(row, uai, begun, count(pupils, row.values[pupils]), source)

    return parse


def _record(row: Row, uai: str, year: int, pupils: int | None, source: str, degree: str = "") -> Record:
    return Record(
        line=row.line,
        uai=checked(uai, row.values[uai], identifiers.check_uai),
        year=year,
        pupils=pupils,
        active_pupils=None,
        source=source,
        official=True,
        degree=degree,
    )


def _parse_college(row: Row, flag: Flag, options: Options) -> Record | None:
    """Read a collège; the file also holds lycées, for their few pupils of collège."""
    year = checked("rentree_scolaire", row.values["rentree_scolaire"], rentree)
    if not is_asked(year, options):
        return None
    is_lycee = row.values.get("denomination_principale", "").upper().startswith(("LYCEE", "LYCÉE"))
    degree = School.Degree.LYCEE if is_lycee else School.Degree.COLLEGE
    pupils = parse_count("nombre_eleves_total", row.values["nombre_eleves_total"])
    return _record(row, "numero_college", year, pupils, DEPP, degree)


def _parse_annuaire(row: Row, flag: Flag, options: Options) -> Record:
    """Read the count of an old annuaire: its rentrée, about two years before, is for staff to say."""
    if options["school_year"] is None:
        raise UnreadableFile(
            "L'annuaire ne dit pas de quelle rentrée sont ses effectifs, vieux d'environ deux ans : "
            "indiquez-la (--school-year 2022-2023), ou importez le constat de rentrée."
        )
    pupils = parse_count("nombre_d_eleves", row.values["nombre_d_eleves"])
    return _record(row, "identifiant_de_l_etablissement", options["school_year"], pupils, ANNUAIRE)


LAYOUTS = (
    Layout(
        name="ecoles",
        columns=("numero_ecole", "rentree_scolaire", "nombre_total_eleves"),
        aliases=headers.ECOLES,
        parse=_reads("numero_ecole", "rentree_scolaire", "nombre_total_eleves", DEPP),
    ),
    Layout(
        name="colleges",
        columns=("numero_college", "rentree_scolaire", "nombre_eleves_total"),
        aliases=headers.COLLEGES,
        parse=_parse_college,
    ),
    Layout(
        name="second-degre",
        columns=("numero_d_etablissement", "annee_scolaire", "nombre_d_eleves"),
        parse=_reads("numero_d_etablissement", "annee_scolaire", "nombre_d_eleves", DEPP),
    ),
    Layout(
        name="ips",
        columns=("uai", "rentree_scolaire", "effectifs", "ips"),
        parse=_reads("uai", "rentree_scolaire", "effectifs", IPS),
    ),
    Layout(
        name="annuaire",
        columns=("identifiant_de_l_etablissement", "nombre_d_eleves"),
        parse=_parse_annuaire,
    ),
)
