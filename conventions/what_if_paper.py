"""A simulation on two pages for the committee, whatever the number of members: never more, never less.

What has no room is counted, and sent to the workbook: nothing is cut without a word.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from conventions.what_if import Comparison
from conventions.what_if_hypotheses import Step
from conventions.what_if_simulation import Simulation
from entsvc import charts
from entsvc.charts import Chart
from entsvc.pdf import STYLESHEETS, render_pdf

TEMPLATE = "pdf/simulation.html"
STYLES = (*STYLESHEETS, "entsvc/simulation.css")
# Room of the first page for the tariff: lines of text, and letters that a line of a cell holds.
TARIFF_LINES, LETTERS, LABEL_LETTERS, LONGEST = 15, 38, 28, 150
EXTREMES, NAME, REASONS, REASON, REASON_NAME = 12, 52, 4, 80, 32


def draw_simulation(simulation: Simulation, on: date) -> bytes:
    """Return the PDF of a simulation made on a day."""
    comparison = simulation.comparison
    steps, left = _fitting(simulation.steps)
    context = {
        "simulation": simulation,
        "issuer": simulation.reading.schedule.issuer,
        "created": on.isoformat(),
        "title": short(str(simulation.reading.schedule), 90),
        "tariff": short(simulation.tariff, 110),
        "today": short(simulation.today, 200),
        "counts": short(" · ".join(simulation.counts), 200),
        "steps": steps,
        "steps_left": left,
        "sums": comparison.sums,
        "charts": charts_of(comparison),
        "extremes": [
            ("Les plus fortes hausses", _named(comparison.increases(EXTREMES))),
            ("Les plus fortes baisses", _named(comparison.decreases(EXTREMES))),
        ],
        "groups": [
            ("Par type de membre", "Type", comparison.by_kind),
            ("Par taille", "Taille", comparison.by_size),
        ],
        "apart": [
            (short(row.name, REASON_NAME), short(" ".join(row.reasons), REASON))
            for row in comparison.apart[:REASONS]
        ],
        "apart_number": len(comparison.apart),
        "apart_left": max(len(comparison.apart) - REASONS, 0),
    }
    return render_pdf(TEMPLATE, context, stylesheets=STYLES)


def charts_of(comparison: Comparison) -> list[Chart]:
    """Return the charts of a simulation: totals by type, then differences by size."""
    kinds, sizes = comparison.by_kind, comparison.by_size
    totals: dict[str, list[Decimal]] = {
        "Aujourd'hui": [group.today for group in kinds],
        "Simulé": [group.simulated for group in kinds],
    }
    return [
        charts.columns("Total par type de membre", [group.label for group in kinds], totals),
        charts.bars("Écart par taille de membre", [(group.label, group.difference) for group in sizes]),
    ]


def short(text: str, most: int) -> str:
    """Return a text on one line, cut with an ellipsis beyond `most` letters."""
    text = " ".join(text.split(" "))
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _fitting(steps: Iterable[Step]) -> tuple[list[tuple[Step, bool]], int]:
    """Return the charges for which the first page has room, and how many are left out."""
    steps = list(steps)
    shown: list[tuple[Step, bool]] = []
    room = TARIFF_LINES
    for step in steps:
        label = short(step.label, 2 * LABEL_LETTERS)
        cut = Step(step.code, label, short(step.before, LONGEST), short(step.after, LONGEST))
        room -= max(
            _lines(label, LABEL_LETTERS), _lines(cut.before, LETTERS), _lines(cut.after, LETTERS)
        )
        if room < 0:
            break
        shown.append((cut, step.changed))
    return shown, len(steps) - len(shown)


def _lines(text: str, letters: int) -> int:
    return -(-len(text) // letters)


def _named(rows: Iterable[Any]) -> list[tuple[str, Any]]:
    return [(short(row.name, NAME), row) for row in rows]
