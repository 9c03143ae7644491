"""Provisional amounts as a workbook: its totals and differences are formulas, and it checks itself."""

import io
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from openpyxl import Workbook

from conventions.models import Forecast, ForecastAmount
from conventions.what_if import NO_KIND, kind_of
from entsvc.french import long_date
from entsvc.workbook import EUROS, WHOLE, Column, Formula, add_sheet
from members.models import Member

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SIGNED = '+#,##0.00 "€";-#,##0.00 "€";0.00 "€"'
PERCENT = "+0.0%;-0.0%;0.0%"
PRICE = '#,##0.00## "€"'
MEMBERS, DETAIL = "Par membre", "Détail"
SUMMARY = (Column("Ensemble", 46), Column("Montant", 18, EUROS), Column("Nombre", 12, WHOLE))
ROWS = (
    Column("SIRET", 17),
    Column("Membre", 45),
    Column("Type", 16),
    Column("Élèves", 10, WHOLE, summed=True),
    Column("Montant prévisionnel", 18, EUROS, summed=True),
    Column("Au tarif d'aujourd'hui", 18, EUROS, summed=True),
    Column("Écart", 16, SIGNED, summed=True),
    Column("Écart en %", 11, PERCENT),
)
# Columns of the sheet of members that the others add up.
KIND, TOTAL, TODAY, DIFFERENCE = "C", "E", "F", "G"
LINES = (
    Column("SIRET", 17),
    Column("Membre", 40),
    Column("Ligne tarifaire", 36),
    Column("École", 34),
    Column("UAI", 11),
    Column("Commune", 24),
    Column("Quantité", 10, WHOLE),
    Column("Prix unitaire", 13, PRICE),
    Column("Montant", 16, EUROS, summed=True),
    Column("Calcul", 60),
)
AMOUNT = "I"  # among these
KINDS = (Column("Type de membre", 26), Column("Membres", 10, WHOLE, summed=True),
         Column("Montant prévisionnel", 18, EUROS, summed=True),
         Column("Au tarif d'aujourd'hui", 18, EUROS, summed=True))  # fmt: skip
APART = (Column("SIRET", 17), Column("Membre", 45), Column("Pourquoi il n'a pas de lettre", 110))
FACTS = (Column("Hypothèse", 34), Column("Valeur", 110))


def write_forecast(forecast: Forecast) -> bytes:
    """Return the workbook of a forecast, for the committee."""
    workbook = Workbook(write_only=True)
    workbook.properties.title = f"Montants prévisionnels – {forecast}"
    rows = list(forecast.amounts.order_by("name", "siret"))
    add_sheet(workbook, "Synthèse", SUMMARY, _summary(forecast, rows))
    add_sheet(workbook, MEMBERS, ROWS, _rows(rows))
    add_sheet(workbook, "Par type", KINDS, _kinds(len(rows) + 1))
    add_sheet(workbook, DETAIL, LINES, _lines(rows))
    add_sheet(workbook, "Sans lettre", APART, _apart(forecast))
    add_sheet(workbook, "Hypothèses", FACTS, _facts(forecast))
    return _bytes(workbook)


def write_member(amount: ForecastAmount) -> bytes:
    """Return the detail of one member, as it is given to it."""
    workbook = Workbook(write_only=True)
    workbook.properties.title = f"{amount.forecast.payload['document']['title']} – {amount.name}"
    add_sheet(workbook, DETAIL, LINES, _lines([amount]))
    sources = [["Effectifs et conventions", words] for words in amount.payload["sources"]]
    add_sheet(workbook, "Hypothèses", FACTS, [*_told(amount.forecast), *sources])
    return _bytes(workbook)


def _summary(forecast: Forecast, rows: list[ForecastAmount]) -> Iterator[list[Any]]:
    """Yield the totals, then what proves that members and lines make the same sum."""
    last = max(len(rows) + 1, 2)
    lines = max(sum(len(row.payload["lines"]) for row in rows) + 1, 2)

    def members(letter: str) -> str:
        return f"'{MEMBERS}'!${letter}$2:${letter}${last}"

    # Rows 2 and 3 hold the two sums that row 5 compares.
    yield ["Total prévisionnel", Formula(f"=SUM({members(TOTAL)})"), len(rows)]
    detail = f"'{DETAIL}'!${AMOUNT}$2:${AMOUNT}${lines}"
    yield ["Somme du détail, ligne par ligne", Formula(f"=SUM({detail})"), lines - 1]
    comparable, known = members(TODAY), sum(1 for row in rows if row.today is not None)
    yield ["Au tarif d'aujourd'hui, membres comparables", Formula(f"=SUM({comparable})"), known]
    yield ["Contrôle : total − somme du détail", Formula("=ROUND(B2-B3,2)"), None]
    yield ["Écart avec aujourd'hui, membres comparables", Formula(f"=SUM({members(DIFFERENCE)})"), None]
    yield ["Membres sans lettre (voir « Sans lettre »)", None, len(forecast.apart)]


def _rows(rows: Iterable[ForecastAmount]) -> Iterator[list[Any]]:
    for row in rows:
        known = row.today is not None
        yield [
            row.siret,
            row.name,
            kind_of(row.kind),
            row.pupils,
            row.total,
            row.today,
            Formula(f"={TOTAL}{{row}}-{TODAY}{{row}}") if known else None,
            Formula(f'=IF({TODAY}{{row}}=0,"",G{{row}}/{TODAY}{{row}})') if known else None,
        ]


def _kinds(last: int) -> Iterator[list[Any]]:
    def of(letter: str) -> str:
        return f"'{MEMBERS}'!${letter}$2:${letter}${max(last, 2)}"

    for label in [*(str(label) for label in Member.Kind.labels), NO_KIND]:
        group = f"{of(KIND)},$A{{row}}"
        yield [
            label,
            Formula(f"=COUNTIF({group})"),
            Formula(f"=SUMIF({group},{of(TOTAL)})"),
            Formula(f"=SUMIF({group},{of(TODAY)})"),
        ]


def _lines(rows: Iterable[ForecastAmount]) -> Iterator[list[Any]]:
    for row in rows:
        for line in row.payload["lines"]:
            yield [
                row.siret,
                row.name,
                line["charge_label"],
                line["school"],
                line["uai"],
                line["commune"],
                line["count"],
                Decimal(line["unit_price"]) if line["unit_price"] else None,
                Decimal(line["amount"]),
                line["explanation"],
            ]


def _apart(forecast: Forecast) -> Iterator[list[Any]]:
    for row in forecast.apart:
        yield [row["siret"], row["name"], " ".join(row["reasons"])]


def _facts(forecast: Forecast) -> Iterator[list[Any]]:
    yield from _told(forecast)
    for price in forecast.payload["prices"]:
        yield ["Tarif annoncé", f"{price['label']} : {price['words']}"]
    for change in forecast.payload["changes"]:
        words = f"{change['label']} : {change['before']} → {change['after']}"
        yield ["Changé par rapport à aujourd'hui", words]
    for words in forecast.payload["counts"]:
        yield ["Effectifs", words]


def _told(forecast: Forecast) -> Iterator[list[Any]]:
    head = forecast.payload
    yield ["Portée", "Estimation pour préparer un budget : ni un appel, ni un titre."]
    yield ["Barème", str(forecast.schedule)]
    yield ["Année scolaire et budget", f"{forecast.school_year_label}, budget {forecast.exercice}"]
    yield ["Lettres du", long_date(forecast.written_on)]
    yield ["Montants calculés sur", head["tariff"]]
    yield ["Membres, écoles et effectifs de", forecast.read_year_label]
    yield ["Décisions", head["decisions"]]


def _bytes(workbook: Workbook) -> bytes:
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()
