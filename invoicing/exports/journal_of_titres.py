"""The journal of titres: those of an exercice and their corrections, and what became of them."""

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.db.models import Case, F, QuerySet, Value, When
from openpyxl import Workbook

from entsvc.cells import neutral
from entsvc.french import short_date
from entsvc.workbook import DAY, EUROS, WHOLE, Column, add_sheet
from invoicing.bordereaux import state_of
from invoicing.models import Bordereau, Titre
from invoicing.payments import remaining
from invoicing.statuses import FOLLOWED, history_of, steps_of
from members.models import Issuer

CHUNK = 500
ZERO = Decimal("0.00")
CONTENT_TYPES = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}
COLUMNS = (
    Column("Budget", 8),
    Column("Nature", 12),
    Column("N°", 9, WHOLE),
    Column("Référence", 18),
    Column("N° du comptable", 18),
    Column("Bordereau", 11, WHOLE),
    Column("Date", 12, DAY),
    Column("Titre d'origine", 18),
    Column("Débiteur", 45),
    Column("SIRET", 17),
    Column("Imputation", 38),
    Column("Objet", 45),
    Column("Titres", 16, EUROS, summed=True),
    Column("Annulations et réductions", 16, EUROS, summed=True),
    Column("Encaissé", 16, EUROS, summed=True),
    Column("Reste dû", 16, EUROS, summed=True),
    Column("Trop-perçu", 16, EUROS, summed=True),
    Column("État", 24),
    Column("Depuis le", 12, DAY),
)
BORDEREAUX = (
    Column("Budget", 8),
    Column("Nature", 28),
    Column("N°", 9, WHOLE),
    Column("Date", 12, DAY),
    Column("Signataire", 45),
    Column("Pièces", 9, WHOLE, summed=True),
    Column("Total", 16, EUROS, summed=True),
    Column("État", 24),
)


def write_journal(*, issuer: Issuer, exercice: int, kind: str) -> bytes:
    """Return the journal of an issuer's exercice, as « xlsx » or « csv »; amounts in euros.

    Titres less corrections less what was received equal what is left due less what was paid in excess.
    """
    return _csv(issuer, exercice) if kind == "csv" else _workbook(issuer, exercice)


def rows_of(issuer: Issuer, exercice: int) -> Iterator[list[Any]]:
    """Return a row per titre, then per correction, of each budget, as `COLUMNS` has it."""
    for titre in _titres(issuer, exercice).iterator(chunk_size=CHUNK):
        history = history_of(titre)
        step = steps_of(history)[-1]
        is_titre = titre.kind == Titre.Kind.TITRE
        received = history.received if is_titre else None
        yield [
            titre.budget,
            titre.get_kind_display(),
            titre.number,
            titre.reference,
            titre.external_reference,
            titre.bordereau.number,
            titre.issued_on,
            titre.original.reference if titre.original else "",
            titre.debtor_name,
            titre.siret,
            " · ".join(f"{item['label']} {item['value']}" for item in titre.imputation),
            titre.subject,
            titre.total if is_titre else None,
            None if is_titre else titre.total,
            received,
            remaining(history.due, received) if is_titre else None,
            max(received - history.due, ZERO) if is_titre else None,
            step.status.label,
            step.on,
        ]


def _titres(issuer: Issuer, exercice: int) -> QuerySet[Titre]:
    corrections_last = Case(When(kind=Titre.Kind.TITRE, then=Value(0)), default=Value(1))
    return (
        Titre.objects.filter(issuer=issuer, exercice=exercice)
        .annotate(imputation=F("payload__imputation"), series=corrections_last)
        .select_related("bordereau", "original")
        .defer("payload", "original__payload")
        .prefetch_related(*FOLLOWED)
        .order_by("budget", "series", "number")
    )


def _workbook(issuer: Issuer, exercice: int) -> bytes:
    workbook = Workbook(write_only=True)
    workbook.properties.title = f"Journal des titres – {issuer.name}, exercice {exercice}"
    add_sheet(workbook, f"Journal {exercice}", COLUMNS, rows_of(issuer, exercice))
    add_sheet(workbook, "Bordereaux", BORDEREAUX, _bordereaux(issuer, exercice))
    target = io.BytesIO()
    workbook.save(target)
    return target.getvalue()


def _bordereaux(issuer: Issuer, exercice: int) -> Iterator[list[Any]]:
    rows = Bordereau.objects.filter(issuer=issuer, exercice=exercice).prefetch_related("events")
    for bordereau in rows.order_by("budget", "-kind", "number"):
        yield [
            bordereau.budget,
            bordereau.get_kind_display(),
            bordereau.number,
            bordereau.issued_on,
            bordereau.signatory,
            bordereau.count,
            bordereau.total,
            state_of(bordereau).label,
        ]


def _csv(issuer: Issuer, exercice: int) -> bytes:
    """Write what a French spreadsheet opens: semicolons, decimal commas, a byte order mark, a total."""
    target = io.StringIO()
    writer = csv.writer(target, delimiter=";", lineterminator="\r\n")
    writer.writerow([column.heading for column in COLUMNS])
    totals = [ZERO if column.summed else None for column in COLUMNS]
    for row in rows_of(issuer, exercice):
        writer.writerow([_text(value) for value in row])
        totals = [
            total if total is None else total + (value or ZERO)
            for total, value in zip(totals, row, strict=True)
        ]
    writer.writerow(["Total", *(_text(total) for total in totals[1:])])
    return target.getvalue().encode("utf-8-sig")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return str(value).replace(".", ",")
    if isinstance(value, str | int):
        return neutral(str(value))
    return short_date(value)
