"""What a spreadsheet makes of the few formulas that our workbooks write."""

import re
from decimal import Decimal

from openpyxl.utils import range_boundaries

RANGE = re.compile(
    r"'(?P<sheet>[^']+)'!(?P<far>\$[A-Z]+\$\d+:\$[A-Z]+\$\d+)|(?P<near>[A-Z]+\d+:[A-Z]+\d+)"
)
CELL = re.compile(r"(?<![\w\"!$'])([A-Z]{1,2}\d+)(?![\w(])")
TEXT = re.compile(r'"((?:[^"]|"")*)"')


class Book:
    """A workbook read back, whose cells have values."""

    def __init__(self, workbook):
        self.workbook, self.known = workbook, {}

    def value(self, title, place):
        """The value of a cell: a number, a text or None."""
        if (title, place) not in self.known:
            found = self.workbook[title][place].value
            is_formula = isinstance(found, str) and found.startswith("=")
            self.known[title, place] = self._evaluate(title, found[1:]) if is_formula else _plain(found)
        return self.known[title, place]

    def rows(self, title):
        """The values of a sheet, row by row."""
        sheet = self.workbook[title]
        return [[self.value(title, cell.coordinate) for cell in row] for row in sheet.iter_rows()]

    def records(self, title):
        """The rows under the headings of a sheet, as dictionaries, but for its total."""
        heads, *rows = self.rows(title)
        return [dict(zip(heads, row, strict=True)) for row in rows if row[0] != "Total"]

    def _cells(self, title, place):
        left, top, right, bottom = range_boundaries(place.replace("$", ""))
        sheet = self.workbook[title]
        return [
            self.value(title, sheet.cell(row, column).coordinate)
            for row in range(top, bottom + 1)
            for column in range(left, right + 1)
        ]

    def _evaluate(self, title, formula):
        texts, ranges = [], []

        def keep_text(found):
            texts.append(found[1].replace('""', '"'))
            return f"texts[{len(texts) - 1}]"

        def keep_range(found):
            sheet, place = (found["sheet"], found["far"]) if found["far"] else (title, found["near"])
            ranges.append(self._cells(sheet, place))
            return f"ranges[{len(ranges) - 1}]"

        code = RANGE.sub(keep_range, TEXT.sub(keep_text, formula))
        code = CELL.sub(lambda found: f"cell('{found[1]}')", code)
        code = re.sub(r"(?<![\d.\w\[])(\d+(?:\.\d+)?)(?![\d.\]])", r"Decimal('\1')", code)
        code = re.sub(r"(?<![<>=])=(?!=)", "==", code)
        names = {
            "texts": texts, "ranges": ranges, "cell": lambda place: self.value(title, place) or 0,
            "Decimal": Decimal, "SUM": _sum, "SUBTOTAL": lambda _, cells: _sum(cells),
            "SUMIFS": _sumifs, "COUNTIFS": lambda *pairs: len(_matching(pairs)),
            "COUNTIF": lambda *pairs: len(_matching(pairs)), "ROUND": lambda x, n: round(x, int(n)),
            "IF": lambda test, yes, no: yes if test else no,
        }  # fmt: skip
        return eval(code, {"__builtins__": {}}, names)  # noqa: S307


def _plain(value):
    return Decimal(str(value)) if isinstance(value, int | float) else value


def _sum(cells):
    return sum((cell for cell in cells if isinstance(cell, Decimal)), Decimal(0))


def _matching(pairs):
    """The places where every range says what is asked of it."""
    columns = list(zip(pairs[::2], pairs[1::2], strict=True))
    return [
        place
        for place in range(len(columns[0][0]))
        if all(_same(cells[place], wanted) for cells, wanted in columns)
    ]


def _same(value, wanted):
    if isinstance(wanted, str):
        wanted = re.sub(r"~([~*?])", r"\1", wanted)
    return value == wanted


def _sumifs(cells, *pairs):
    return _sum(cells[place] for place in _matching(pairs))
