"""The pieces of a campaign as the CSV that an accounting suite reads, laid out as its issuer wants."""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

from entsvc.cells import neutral
from entsvc.french import MINUS
from invoicing.campaign_accounts import Account
from invoicing.campaign_pieces import Piece, lines_of, pieces
from invoicing.exports.columns import COLUMNS, Column, Row
from invoicing.models import Campaign, ExportColumn, ExportLayout

CONTENT_TYPES = {
    ExportLayout.Encoding.UTF8: "text/csv; charset=utf-8",
    ExportLayout.Encoding.WINDOWS: "text/csv; charset=windows-1252",
}
TAB = "\t"
BATCH = 200
# What Windows-1252 lacks, and another character of it says as well.
SAID_OTHERWISE = str.maketrans({MINUS: "-", "\u2010": "-", "\u2011": "-", "\u02bc": "’"})


class Unwritable(Exception):
    """A piece has a character that the layout can't write; the message names both, in French."""


def write_csv(layout: ExportLayout, campaign: Campaign, accounts: Mapping[UUID, Account]) -> bytes:
    """Return the file; raises Unwritable for the first character that its encoding has not."""
    target = io.StringIO()
    separator = TAB if layout.separator == ExportLayout.Separator.TAB else layout.separator
    writer = csv.writer(target, delimiter=separator, lineterminator="\r\n")
    writer.writerows(table_of(layout, campaign, accounts))
    return target.getvalue().encode(layout.encoding)


def table_of(
    layout: ExportLayout,
    campaign: Campaign,
    accounts: Mapping[UUID, Account],
    most: int | None = None,
) -> Iterator[list[str]]:
    """Give the rows of the file as texts, the titles first if it has any; at most some of the others."""
    chosen = [column for column in layout.columns.all() if column.code in COLUMNS]
    if layout.header:
        yield [_encodable(_text(str(column)), layout, "les titres", column) for column in chosen]
    for row in islice(_rows(layout, campaign, accounts), most):
        yield [
            _encodable(_cell(row, COLUMNS[column.code], layout), layout, row.piece.reference, column)
            for column in chosen
        ]


def _rows(layout: ExportLayout, campaign: Campaign, accounts: Mapping[UUID, Account]) -> Iterator[Row]:
    found = pieces(campaign, accounts, corrections=layout.corrections)
    if layout.rows == ExportLayout.Rows.PIECE:
        for piece in found:
            yield Row(piece, sign=_sign(piece, layout))
        return
    while batch := list(islice(found, BATCH)):
        lines = lines_of([piece.key for piece in batch])
        for piece in batch:
            for line in lines[piece.key]:
                yield Row(piece, line, _sign(piece, layout))


def _sign(piece: Piece, layout: ExportLayout) -> int:
    return -1 if layout.signed and not piece.is_titre else 1


def _cell(row: Row, column: Column, layout: ExportLayout) -> str:
    value = column.value(row)
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return _number(value, column, layout)
    if isinstance(value, date):
        return value.strftime(layout.dates)
    return _text(value) if isinstance(value, str) else str(value)


def _number(value: Decimal, column: Column, layout: ExportLayout) -> str:
    if layout.amounts == ExportLayout.Amounts.CENTS and not column.price:
        return str(int(value.scaleb(2)))
    written = f"{value:.4f}" if column.price else f"{value:.2f}"
    return written if layout.amounts == ExportLayout.Amounts.POINT else written.replace(".", ",")


def _text(value: Any) -> str:
    """Return a text on one line, its spaces plain, that no spreadsheet takes for a formula."""
    return neutral(" ".join(str(value).split()))


def _encodable(text: str, layout: ExportLayout, where: str, column: ExportColumn) -> str:
    if layout.encoding != ExportLayout.Encoding.WINDOWS:
        return text
    text = text.translate(SAID_OTHERWISE)
    try:
        text.encode(layout.encoding)
    except UnicodeEncodeError as error:
        raise Unwritable(
            f"{where}, colonne « {column} » : « {text[error.start]} » ne s'écrit pas en Windows-1252. "
            "Choisissez UTF-8 dans le format, ou retirez cette colonne."
        ) from error
    return text
