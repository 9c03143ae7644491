"""The measures as people read them, and as JSON."""

import os
import platform
from collections.abc import Iterable

HEADINGS = ("Base", "Étape", "Quantité", "Durée", "Débit", "× plancher", "Plancher", "Mémoire")
LEFT = (0, 1, 6)


def machine() -> dict:
    """Describe the machine in general words."""
    return {
        "coeurs": os.cpu_count(),
        "python": platform.python_version(),
        "systeme": platform.system(),
    }


def table(title: str, rows: Iterable[dict]) -> str:
    """Return the measures of a data set as a table of text."""
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(HEADINGS))]
    lines = [_line(row, widths) for row in cells]
    return "\n".join([title, lines[0], "  ".join("─" * width for width in widths), *lines[1:]])


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    padded = (
        cell.ljust(width) if index in LEFT else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(padded).rstrip()


def _cells(row: dict) -> tuple[str, ...]:
    rate = row["count"] / row["seconds"] if row["seconds"] > 0 else 0
    return (
        row["database"],
        row["stage"],
        f"{_number(row['count'])} {row['unit']}",
        f"{_number(row['seconds'], 2)} s",
        f"{_number(rate, 1 if rate < 100 else 0)} /s",
        f"{_number(row['seconds'] / row['floor'], 1)}" if row["floor"] else "–",
        f"{row['floor_is']}, {_number(row['floor'], 2)} s" if row["floor"] else "–",
        f"{_number(row['peak_mb'])} Mo",
    )


def _number(value: float, decimals: int = 0) -> str:
    return f"{value:,.{decimals}f}".replace(",", " ").replace(".", ",")
