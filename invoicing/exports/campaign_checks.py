"""The checks of a campaign's workbook: each compares, by formula, what two of its sheets say."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from openpyxl import Workbook

from entsvc.workbook import Column, Formula, add_sheet
from invoicing.exports.campaign_sheets import Table
from invoicing.exports.campaign_summary import Section, criterion
from invoicing.models import Bordereau, Campaign

TITLE = "Rapprochement"
OK, GAP = "OK", "ÉCART"
NUMBER = "#,##0.00"
COLUMNS = (
    Column("Contrôle", 70),
    Column("Premier calcul", 18, NUMBER),
    Column("Second calcul", 18, NUMBER),
    Column("Écart", 14, NUMBER),
    Column("Verdict", 12),
)


@dataclass(frozen=True)
class Check:
    """Two formulas, without their sign « = », that must give the same number."""

    words: str
    first: str
    second: str


@dataclass(frozen=True)
class Tables:
    """The sheets of rows."""

    titres: Table
    detail: Table
    movements: Table


def add_checks(workbook: Workbook, checks: Iterable[Check]) -> str:
    """Add the sheet of the checks; return the formula that is OK when all of them are."""
    rows = (
        [
            check.words,
            Formula(f"={check.first}"),
            Formula(f"={check.second}"),
            Formula("=ROUND(B{row}-C{row},2)"),
            Formula(f'=IF(D{{row}}=0,"{OK}","{GAP}")'),
        ]
        for check in checks
    )
    last = add_sheet(workbook, TITLE, COLUMNS, rows)
    return f'=IF(COUNTIF(\'{TITLE}\'!$E$2:$E${last},"{OK}")={last - 1},"{OK}","{GAP}")'


def checks_of(
    tables: Tables, charges: Mapping[str, str], sections: Iterable[Section], listed: QuerySet[Bordereau]
) -> Iterator[Check]:
    """Give every check: by charge, as a whole, by section of the summary, by bordereau."""
    titres, detail, movements = tables.titres, tables.detail, tables.movements
    for code, label in charges.items():
        of_lines = f"SUMIFS({detail.range('amount')},{detail.range('code')},{criterion(code)})"
        yield Check(
            f"{label} : titres = lignes du détail", f"SUM({titres.range(f'charge:{code}')})", of_lines
        )
    total, corrected, received, left, over = (
        f"SUM({titres.range(key)})"
        for key in ("total", "corrected", "received", "remaining", "overpaid")
    )
    yield Check("Titres = lignes du détail", total, f"SUM({detail.range('amount')})")
    yield Check("Corrections des titres = mouvements", corrected, f"SUM({movements.range('corrected')})")
    yield Check("Encaissé des titres = mouvements", received, f"SUM({movements.range('received')})")
    yield Check(
        "Titres − corrections − encaissé = reste dû − trop-perçu",
        f"{total}-{corrected}-{received}",
        f"{left}-{over}",
    )
    for section in sections:
        yield Check(f"Synthèse, {section.title.lower()} = titres", f"SUM({section.total})", total)
    for bordereau in listed:
        yield from _of_bordereau(bordereau, tables)


def with_others(bordereaux: QuerySet[Bordereau], campaign: Campaign) -> QuerySet[Bordereau]:
    """Add what each bordereau lists of other campaigns: corrections made together, in particular."""
    others = ~Q(titres__campaign=campaign)
    return bordereaux.select_related("issuer").annotate(
        other_count=Count("titres", filter=others), other_total=Sum("titres__total", filter=others)
    )


def _of_bordereau(bordereau: Any, tables: Tables) -> Iterator[Check]:
    """Compare what a bordereau says with the pieces of the sheets, and those of other campaigns."""
    is_titres = bordereau.kind == Bordereau.Kind.TITRES
    table, amount = (
        (tables.titres, "total") if is_titres else (tables.movements, "corrected")
    )  # fmt: skip
    where = ",".join(
        f"{table.range(key)},{wanted}"
        for key, wanted in (
            ("bordereau", bordereau.number),
            ("exercice", bordereau.exercice),
            ("budget", criterion(bordereau.budget)),
        )
    )
    count, total = f"COUNTIFS({where})", f"SUMIFS({table.range(amount)},{where})"
    elsewhere = ""
    if bordereau.other_count:
        count += f"+{bordereau.other_count}"
        total += f"+{bordereau.other_total or Decimal(0)}"
        elsewhere = f", avec {bordereau.other_count} d'autres campagnes"
    yield Check(f"{bordereau}, nombre de pièces{elsewhere}", count, str(bordereau.count))
    yield Check(f"{bordereau}, total{elsewhere}", total, str(bordereau.total))
