"""The amounts still to call at 31 December as a workbook: « produits à rattacher »."""

import io
from collections.abc import Iterable

from openpyxl import Workbook

from entsvc import school_year
from entsvc.workbook import EUROS, Column, add_sheet
from invoicing.unbilled import Unbilled

COLUMNS = (
    Column("Barème", 18),
    Column("Année scolaire", 13),
    Column("Service", 24),
    Column("SIRET", 17),
    Column("Payeur", 45),
    Column("Conventions", 28),
    Column("Dû pour l'année", 16, EUROS, summed=True),
    Column("Déjà appelé", 16, EUROS, summed=True),
    Column("Reste à appeler", 16, EUROS, summed=True),
    Column("Bases", 80),
    Column("À réparer avant d'appeler", 60),
)


def write_unbilled(rows: Iterable[Unbilled], *, issuer: str, exercice: int) -> bytes:
    """Return the workbook of what is still to call at the end of an exercice; amounts in euros."""
    workbook = Workbook(write_only=True)
    workbook.properties.title = f"Produits à rattacher – {issuer}, 31 décembre {exercice}"
    add_sheet(workbook, f"À rattacher {exercice}", COLUMNS, map(_row, rows))
    target = io.BytesIO()
    workbook.save(target)
    return target.getvalue()


def _row(row: Unbilled) -> list:
    return [
        row.schedule,
        school_year.label(row.year),
        "fait" if row.is_done else "en cours, dû en entier",
        row.siret,
        row.name,
        row.agreements,
        row.owed,
        row.issued,
        row.left,
        row.basis,
        row.to_mend,
    ]
