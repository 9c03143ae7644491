"""What a row of counts says, whatever the file, and how our own forms say it."""

from dataclasses import dataclass

from entsvc import school_year
from entsvc.cells import RowError, checked, parse_count
from entsvc.importing import Flag, Layout, Options
from entsvc.tabular import Row
from members import identifiers


@dataclass(frozen=True, slots=True)
class Record:
    """A checked row; `source` is checked against the database when applied.

    `official` files leave thousands of cells blank. `degree` is what the file says of a school, where
    that matters.
    """

    line: int
    uai: str
    year: int
    pupils: int | None
    active_pupils: int | None
    source: str
    official: bool = False
    degree: str = ""

    @property
    def is_blank(self) -> bool:
        """Tell whether the row gives no number at all."""
        return self.pupils is None and self.active_pupils is None


def is_asked(year: int, options: Options) -> bool:
    """Tell whether a row's school year is the one asked for, if any was."""
    return options["school_year"] in (None, year)


def parse(row: Row, flag: Flag, options: Options) -> Record | None:
    """Read the counts of a school from our own form; raise RowError for what can't be kept."""
    values = row.values
    record = Record(
        line=row.line,
        uai=checked("uai", values["uai"], identifiers.check_uai),
        year=checked("annee_scolaire", values["annee_scolaire"], school_year.parse),
        pupils=parse_count("eleves", values.get("eleves", "")),
        active_pupils=parse_count("eleves_actifs", values.get("eleves_actifs", "")),
        source=values["source"].upper(),
    )
    if not is_asked(record.year, options):
        return None
    if None not in (record.pupils, record.active_pupils) and record.active_pupils > record.pupils:
        message = f"Plus d'élèves actifs que d'élèves ({record.pupils})."
        raise RowError("eleves_actifs", str(record.active_pupils), message)
    if record.is_blank:
        column = "eleves" if "eleves" in values else "eleves_actifs"
        flag(column, "", "Aucun nombre : une case vide n'efface rien.")
    return record


LAYOUTS = (
    Layout(name="effectifs", columns=("uai", "annee_scolaire", "eleves", "source"), parse=parse),
    Layout(name="usages", columns=("uai", "annee_scolaire", "eleves_actifs", "source"), parse=parse),
)
