"""How far from the corner of a sheet its cells lie, told from its XML as it streams."""

import re

MAX_CELLS = 20_000_000
LETTERS, DIGITS = 3, 7  # of a reference; one that has more lies beyond any sheet
LONGEST_TAG = 64 * 1024
# A row or a cell: its name, its reference when plain and first, its other attributes.
_TAG = re.compile(
    rb"""<(row|c|[\w.-]+:(?:row|c))(?=[\s/>])(?: r="([A-Z]{0,3})([0-9]{1,7})")?"""
    rb"""([^<>"']*+(?:(?:"[^"<]*+"|'[^'<]*+')[^<>"']*+)*+)>"""
)
_REFERENCE = re.compile(rb"""\sr\s*=\s*["']\s*([A-Za-z]*)([0-9]*)""")
_OPENING = re.compile(rb"<(?:[\w.-]+:)?(?:row|c)\s")


class Extent:
    """The rectangle from the corner to the farthest filled cell, of a part of a workbook read in pieces.

    The library that reads the sheet fills that rectangle, be it empty. A row or a cell without reference
    follows the one before, as the format says. A part that is no XML has no cell.
    """

    def __init__(self) -> None:
        self.rows = self.columns = 0
        self._row = self._column = 0
        self._tail = b""
        self._is_xml: bool | None = None
        self._ranks: dict[bytes, int] = {}

    @property
    def cells(self) -> int:
        """Return how many cells the rectangle holds."""
        return self.rows * self.columns

    def read(self, piece: bytes) -> None:
        """Take the next piece of the part."""
        text = self._tail + piece.replace(b"\x00", b"")  # UTF-16 reads as ASCII
        if self._is_xml is None:
            self._is_xml = text.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")[:1] == b"<"
        if not self._is_xml:
            return
        cut = text.rfind(b"<")
        whole, self._tail = (text[:cut], text[cut:]) if cut >= 0 else (text, b"")
        for name, letters, digits, attributes in _TAG.findall(whole):
            if not digits and (found := _REFERENCE.search(attributes)):
                letters, digits = found.groups()
            self._take(name, letters, digits, attributes[-1:] == b"/")
        if len(self._tail) > LONGEST_TAG:  # a long text, or a tag made to hide its reference
            if _OPENING.match(self._tail):
                self.rows = self.columns = MAX_CELLS
            self._tail = b""

    def _take(self, name: bytes, letters: bytes, digits: bytes, is_empty: bool) -> None:
        if name[-1:] == b"w":
            self._row = _number(digits) if digits else self._row + 1
            self._column = 0
            return
        self._column = self._rank(letters) if letters else self._column + 1
        if is_empty:  # styled only: no program fills up to it
            return
        self.rows = max(self.rows, _number(digits) if digits else self._row)
        self.columns = max(self.columns, self._column)

    def _rank(self, letters: bytes) -> int:
        """Return the rank of a column, the first being 1; the columns of a table are few."""
        if letters not in self._ranks:
            self._ranks[letters] = _rank(letters)
        return self._ranks[letters]


def _number(digits: bytes) -> int:
    return int(digits) if len(digits) <= DIGITS else MAX_CELLS + 1


def _rank(letters: bytes) -> int:
    if len(letters) > LETTERS:
        return MAX_CELLS + 1
    rank = 0
    for letter in letters.upper():
        rank = rank * 26 + letter - 64
    return rank
