"""A row of a file of agreements already signed, checked on its own."""

import re
from dataclasses import dataclass
from datetime import date

from conventions.policies import POLICIES
from entsvc import school_year
from entsvc.cells import RowError, checked, parse_count, parse_date
from entsvc.importing import Flag, Options
from entsvc.tabular import Row
from members import identifiers

CODE = re.compile(r"[A-Za-z0-9_-]{1,20}")
ENDS_TOO_EARLY = "La convention prend fin avant d'être signée."


@dataclass(frozen=True)
class Record:
    """A checked row, with its codes as the file writes them until they are known to the database.

    No debtor, schools, options, units or text means that the file has no word on them.
    """

    line: int
    party: str
    debtor: str
    schedule: str
    reference: str
    signed_on: date | None
    ends_on: date | None
    first_year: int
    last_year: int | None
    schools: tuple[str, ...]
    options: tuple[str, ...]
    units: tuple[tuple[str, int], ...]
    policy: str = ""

    @property
    def ends_before_signature(self) -> bool:
        """Tell whether its dates contradict each other."""
        return bool(self.signed_on and self.ends_on and self.ends_on < self.signed_on)


def parse(row: Row, flag: Flag, options: Options) -> Record:
    """Read an agreement; raise RowError for what can't be kept."""
    values = row.values
    if not values["reference"]:
        raise RowError("reference", "", "La référence est obligatoire.")
    debtor = values.get("siret_debiteur", "")
    last = values["derniere_annee"]
    record = Record(
        line=row.line,
        party=checked("siret_membre", values["siret_membre"], identifiers.check_siret),
        debtor=checked("siret_debiteur", debtor, identifiers.check_siret) if debtor else "",
        schedule=values["bareme"],
        reference=values["reference"][:50],
        signed_on=parse_date("date_signature", values["date_signature"]),
        ends_on=parse_date("date_fin", values["date_fin"]),
        first_year=checked("premiere_annee", values["premiere_annee"], school_year.parse),
        last_year=checked("derniere_annee", last, school_year.parse) if last else None,
        schools=_schools(values["ecoles"]),
        options=_options(values["options"]),
        units=_units(values["unites"]),
        policy=_policy(values.get("texte", "")),
    )
    _check_dates(record, values)
    if not record.signed_on:
        flag("date_signature", "", "Date de signature absente : le début ne peut pas être établi.")
    return record


def _schools(text: str) -> tuple[str, ...]:
    codes = [checked("ecoles", code, identifiers.check_uai) for code in text.split()]
    twice = sorted({code for code in codes if codes.count(code) > 1})
    if twice:
        raise RowError("ecoles", " ".join(twice), "École inscrite deux fois dans la convention.")
    return tuple(sorted(codes))


def _options(text: str) -> tuple[str, ...]:
    codes = tuple(text.split())
    for code in codes:
        if not CODE.fullmatch(code):
            raise RowError("options", code, "Un code d'option compte au plus vingt caractères.")
    return codes


def _units(text: str) -> tuple[tuple[str, int], ...]:
    units, seen = [], set()
    for item in text.split():
        code, _, quantity = item.partition("=")
        if not CODE.fullmatch(code) or not quantity or code.upper() in seen:
            raise RowError("unites", item, "Unités attendues sous la forme DEMIJOURNEE=3.")
        seen.add(code.upper())
        units.append((code, parse_count("unites", quantity)))
    return tuple(units)


def _policy(code: str) -> str:
    if code and code not in POLICIES:
        known = ", ".join(POLICIES)
        raise RowError("texte", code, f"Texte de convention inconnu ; textes possibles : {known}.")
    return code


def _check_dates(record: Record, values: dict[str, str]) -> None:
    if record.last_year is not None and record.last_year < record.first_year:
        message = "La dernière année précède la première."
        raise RowError("derniere_annee", values["derniere_annee"], message)
    if record.ends_before_signature:
        raise RowError("date_fin", values["date_fin"], ENDS_TOO_EARLY)
