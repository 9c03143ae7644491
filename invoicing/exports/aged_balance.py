"""What remains to collect, as a workbook: titre by titre, then debtor by debtor."""

import io
from collections.abc import Iterator
from typing import Any

from openpyxl import Workbook

from entsvc import school_year
from entsvc.french import short_date
from entsvc.workbook import DAY, EUROS, WHOLE, Column, add_sheet
from invoicing.balance import Age, Balance
from members.models import Issuer

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
AMOUNTS = (
    Column("Titres", 16, EUROS, summed=True),
    Column("Annulations et réductions", 16, EUROS, summed=True),
    Column("Encaissé", 16, EUROS, summed=True),
    Column("Reste dû", 16, EUROS, summed=True),
    Column("Trop-perçu", 16, EUROS, summed=True),
    Column("Mandat demandé", 16, EUROS, summed=True),
)
AGES = tuple(Column(age.label, 16, EUROS, summed=True) for age in Age)
TITRES = (
    Column("Référence", 18),
    Column("N° du comptable", 18),
    Column("Débiteur", 45),
    Column("SIRET", 17),
    Column("Objet", 40),
    Column("Année scolaire", 12),
    Column("Émis le", 12, DAY),
    Column("Échéance", 12, DAY),
    Column("Échéance approchée", 12),
    Column("Jours de retard", 10, WHOLE),
    *AMOUNTS,
    *AGES,
    Column("Prescription du recouvrement", 14, DAY),
)
DEBTORS = (
    Column("Débiteur", 45),
    Column("SIRET", 17),
    Column("Nombre de titres", 10, WHOLE, summed=True),
    *AMOUNTS,
    *AGES,
)


def write_balance(issuer: Issuer, balance: Balance) -> bytes:
    """Return the workbook; on each row titres − corrections − received = left due − paid in excess."""
    workbook = Workbook(write_only=True)
    workbook.properties.title = f"Reste à recouvrer – {issuer.name}, {short_date(balance.on)}"
    add_sheet(workbook, f"Titres au {balance.on.isoformat()}", TITRES, _titres(balance))
    add_sheet(workbook, "Débiteurs", DEBTORS, _debtors(balance))
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()


def _titres(balance: Balance) -> Iterator[list[Any]]:
    for standing in balance.standings:
        age = standing.age(balance.on)
        yield [
            standing.reference,
            standing.external_reference,
            standing.debtor_name,
            standing.siret,
            standing.subject,
            school_year.label(standing.school_year),
            standing.issued_on,
            standing.due_on,
            "oui" if standing.is_approximate else "",
            max(standing.days_late(balance.on), 0),
            standing.total,
            standing.corrected,
            standing.received,
            standing.remaining,
            standing.overpaid,
            standing.asked_by_mandat,
            *(standing.remaining if age == column else None for column in Age),
            standing.limit.until,
        ]


def _debtors(balance: Balance) -> Iterator[list[Any]]:
    for row in balance.debtors:
        yield [
            row.name,
            row.siret,
            row.titres,
            row.total,
            row.corrected,
            row.received,
            row.remaining,
            row.overpaid,
            row.asked_by_mandat,
            *row.by_age,
        ]
