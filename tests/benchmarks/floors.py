"""What each stage could not go below: the same bytes, rows, cells or pages without our code."""

import csv
import gc
import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from django.db import connection, transaction
from django.db.models import QuerySet
from openpyxl import Workbook
from python_calamine import CalamineWorkbook

from entsvc import pdf

ROUNDS = 3


def best(work: Callable[[], object]) -> float:
    """Return the shortest of a few executions, in seconds."""
    return min(_timed(work) for _ in range(ROUNDS))


def read_csv(path: Path) -> float:
    """Read and parse a CSV file, keeping its rows."""
    return best(lambda: list(csv.reader(io.StringIO(path.read_bytes().decode()), delimiter=";")))


def read_rows(querysets: Sequence[QuerySet]) -> float:
    """Read rows as plain tuples."""
    return best(lambda: [list(queryset.all()) for queryset in querysets])


def write_rows(querysets: Sequence[QuerySet]) -> float:
    """Write the same rows into bare tables: one COPY each on PostgreSQL, executemany on SQLite."""
    tables = [_bare(queryset) for queryset in querysets]
    return best(lambda: _write(tables))


def draw(pages: Sequence[str]) -> float:
    """Draw HTML pages with WeasyPrint alone, fonts and style sheets reused as they are by us."""
    from weasyprint import HTML

    press = pdf._press
    styles = [press.stylesheet(name) for name in pdf.STYLESHEETS]

    def draw_all() -> None:
        for html in pages:
            HTML(string=html, base_url=pdf.SCHEME, url_fetcher=pdf.static_fetcher()).write_pdf(
                pdf_variant="pdf/a-3a", font_config=press.fonts(), stylesheets=styles
            )

    return _timed(draw_all)


def write_cells(path: Path) -> float:
    """Write as many plain cells as a workbook of ours holds, row by row."""
    book = CalamineWorkbook.from_path(path)
    sheets = [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]
    copy = path.with_name("plancher.xlsx")

    def write_all() -> None:
        workbook = Workbook(write_only=True)
        for rows in sheets:
            sheet = workbook.create_sheet()
            for row in rows:
                sheet.append(row)
        workbook.save(copy)

    return _timed(write_all)


def _timed(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _bare(queryset: QuerySet) -> tuple[str, list[str], list[tuple]]:
    """Return (source table, columns, rows) as the database gives them, unconverted."""
    meta = queryset.model._meta
    columns = [f'"{field.column}"' for field in meta.concrete_fields]
    keys = queryset.order_by().values("pk")
    sql, params = keys.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(columns)} FROM {meta.db_table} WHERE {meta.pk.column} IN ({sql})", params
        )
        return meta.db_table, columns, cursor.fetchall()


def _write(tables: list[tuple[str, list[str], list[tuple]]]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for source, columns, rows in tables:
            cursor.execute(f"DROP TABLE IF EXISTS plancher_{source}")
            cursor.execute(
                f"CREATE TABLE plancher_{source} AS SELECT {', '.join(columns)} FROM {source} LIMIT 0"
            )
            if connection.vendor == "postgresql":
                with cursor.copy(f"COPY plancher_{source} FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
            else:
                marks = ", ".join("%s" for _ in columns)
                cursor.executemany(f"INSERT INTO plancher_{source} VALUES ({marks})", rows)
