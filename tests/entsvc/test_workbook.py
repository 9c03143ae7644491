"""A workbook that is kept: dated of its day, the same sheets give the same bytes."""

import datetime as dt
import io
import zipfile

from openpyxl import Workbook, load_workbook

from entsvc.workbook import Column, add_sheet, saved

DAY = dt.date(2025, 3, 3)


def a_workbook(cell="un"):
    workbook = Workbook(write_only=True)
    add_sheet(workbook, "Essai", [Column("Texte", 10), Column("Nombre", 10)], [[cell, 1]])
    return workbook


def test_the_same_sheets_give_the_same_bytes_on_any_day():
    content = saved(a_workbook(), DAY)
    assert saved(a_workbook(), DAY) == content
    assert saved(a_workbook("deux"), DAY) != content
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        assert {part.date_time for part in parts.infolist()} == {(2025, 3, 3, 0, 0, 0)}


def test_it_is_read_back_dated_of_its_day():
    workbook = load_workbook(io.BytesIO(saved(a_workbook(), DAY)))
    assert workbook["Essai"]["A2"].value == "un"
    assert workbook.properties.modified == workbook.properties.created == dt.datetime(2025, 3, 3)
