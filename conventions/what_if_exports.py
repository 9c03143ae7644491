"""A simulation as a workbook: every difference and every total is a formula over the members."""

import io
from collections.abc import Iterator
from datetime import date
from typing import Any

from openpyxl import Workbook

from conventions.what_if import NO_KIND, NO_SIZE, SIZES, Comparison, kind_of
from conventions.what_if_simulation import Simulation
from entsvc.french import short_date
from entsvc.workbook import EUROS, WHOLE, Column, Formula, add_sheet
from members.models import Member

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PERCENT = "+0.0%;-0.0%;0.0%"
SIGNED = '+#,##0.00 "€";-#,##0.00 "€";0.00 "€"'
MEMBERS = "Par membre"
AMOUNTS = (
    Column("Aujourd'hui", 16, EUROS, summed=True),
    Column("Simulé", 16, EUROS, summed=True),
    Column("Écart", 16, SIGNED, summed=True),
    Column("Écart en %", 11, PERCENT),
)
ROWS = (
    Column("SIRET", 17),
    Column("Membre", 45),
    Column("Type", 16),
    Column("Taille", 24),
    Column("Élèves", 10, WHOLE, summed=True),
    *AMOUNTS,
)
# Columns of the sheet of members that the others add up.
KIND, SIZE, TODAY, SIMULATED, DIFFERENCE = "C", "D", "F", "G", "H"
NUMBERS = (
    Column("Membres", 10, WHOLE, summed=True),
    Column("Paient plus", 10, WHOLE, summed=True),
    Column("Paient moins", 10, WHOLE, summed=True),
    Column("Inchangés", 10, WHOLE, summed=True),
)
SUMMARY = (Column("Ensemble", 34), Column("Montant", 18, EUROS), Column("Nombre", 12, WHOLE),
           Column("Part", 12, PERCENT))  # fmt: skip
TARIFF = (Column("Code", 18), Column("Ligne tarifaire", 45), Column("Aujourd'hui", 60),
          Column("Simulé", 60), Column("Modifiée", 12))  # fmt: skip
APART = (
    Column("SIRET", 17),
    Column("Membre", 45),
    Column("Type", 16),
    Column("Aujourd'hui, si connu", 16, EUROS),
    Column("Simulé, si connu", 16, EUROS),
    Column("Pourquoi il n'est pas comparé", 100),
)
FACTS = (Column("Hypothèse", 34), Column("Valeur", 110))


def write_simulation(simulation: Simulation, on: date) -> bytes:
    """Return the workbook of a simulation made on a day."""
    comparison = simulation.comparison
    workbook = Workbook(write_only=True)
    workbook.properties.title = f"Simulation – {simulation.reading.schedule}, {simulation.year}"
    add_sheet(workbook, "Synthèse", SUMMARY, _summary(comparison))
    add_sheet(workbook, "Tarif", TARIFF, _tariff(simulation))
    add_sheet(workbook, MEMBERS, ROWS, _rows(comparison))
    kinds = [*(str(label) for label in Member.Kind.labels), NO_KIND]
    sizes = [*(label for _, label in SIZES), NO_SIZE]
    last = len(comparison.rows) + 1
    for title, heading, labels, column in (
        ("Par type", "Type de membre", kinds, KIND),
        ("Par taille", "Taille du membre", sizes, SIZE),
    ):
        columns = (Column(heading, 26), *NUMBERS, *AMOUNTS)
        add_sheet(workbook, title, columns, _groups(labels, column, max(last, 2)))
    add_sheet(workbook, "À part", APART, _apart(comparison))
    add_sheet(workbook, "Hypothèses", FACTS, _facts(simulation, on))
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()


def _summary(comparison: Comparison) -> Iterator[list[Any]]:
    last = max(len(comparison.rows) + 1, 2)

    def of(letter: str) -> str:
        return f"'{MEMBERS}'!${letter}$2:${letter}${last}"

    # Rows 2 and 3 hold the totals that row 4 compares.
    yield ["Total aujourd'hui", Formula(f"=SUM({of(TODAY)})"), None, None]
    yield ["Total simulé", Formula(f"=SUM({of(SIMULATED)})"), None, None]
    yield ["Écart", Formula("=B3-B2"), None, Formula('=IF(B2=0,"",B4/B2)')]
    for label, test in (("Paient plus", ">0"), ("Paient moins", "<0"), ("Inchangés", "=0")):
        total = Formula(f'=SUMIF({of(DIFFERENCE)},"{test}")')
        yield [label, total, Formula(f'=COUNTIF({of(DIFFERENCE)},"{test}")'), None]
    yield ["Membres comparés", None, len(comparison.rows), None]
    yield ["Membres à part (voir « À part »)", None, len(comparison.apart), None]


def _rows(comparison: Comparison) -> Iterator[list[Any]]:
    for row in comparison.rows:
        yield [
            row.siret,
            row.name,
            kind_of(row.kind),
            row.size,
            row.pupils,
            row.today,
            row.simulated,
            Formula(f"={SIMULATED}{{row}}-{TODAY}{{row}}"),
            Formula(f'=IF({TODAY}{{row}}=0,"",{DIFFERENCE}{{row}}/{TODAY}{{row}})'),
        ]


def _groups(labels: list[str], column: str, last: int) -> Iterator[list[Any]]:
    def of(letter: str) -> str:
        return f"'{MEMBERS}'!${letter}$2:${letter}${last}"

    group = f"{of(column)},$A{{row}}"
    for label in labels:
        yield [
            label,
            Formula(f"=COUNTIF({group})"),
            *(Formula(f'=COUNTIFS({group},{of(DIFFERENCE)},"{test}")') for test in (">0", "<0", "=0")),
            Formula(f"=SUMIF({group},{of(TODAY)})"),
            Formula(f"=SUMIF({group},{of(SIMULATED)})"),
            Formula("=G{row}-F{row}"),
            Formula('=IF(F{row}=0,"",H{row}/F{row})'),
        ]


def _tariff(simulation: Simulation) -> Iterator[list[Any]]:
    for step in simulation.steps:
        yield [step.code, step.label, step.before, step.after, "oui" if step.changed else ""]


def _apart(comparison: Comparison) -> Iterator[list[Any]]:
    for row in comparison.apart:
        reasons = " ".join(row.reasons)
        yield [row.siret, row.name, kind_of(row.kind), row.today, row.simulated, reasons]


def _facts(simulation: Simulation, on: date) -> Iterator[list[Any]]:
    yield ["Simulation du", short_date(on)]
    yield ["Portée", "Sans valeur d'appel : rien n'est enregistré ni appelé."]
    yield ["Barème", str(simulation.reading.schedule)]
    yield ["Membres et effectifs de", simulation.year]
    yield ["Aujourd'hui", simulation.today]
    yield ["Simulé", simulation.tariff]
    for words in simulation.counts:
        yield ["Effectifs", words]
    if simulation.changes.approximate:
        yield ["Effectifs approchés", "Admis des deux côtés."]
    decided = "Enveloppes, déductions, ajustements, écoles écartées et anomalies acceptées de l'année."
    yield ["Décisions reprises", decided]
