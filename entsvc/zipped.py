"""A ZIP sent as it is made: one file in memory at a time, and the list of what it holds at its end."""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from django.utils import timezone

from entsvc.cells import neutral

MANIFEST = "manifeste.csv"


class Manifest:
    """The list of what a ZIP holds, as a CSV that a French spreadsheet opens; no cell is a formula."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._text = io.StringIO()
        self._writer = csv.writer(self._text, delimiter=";", lineterminator="\r\n")
        self._writer.writerow(columns)

    def add(self, row: Iterable[str]) -> None:
        """Add a row."""
        self._writer.writerow(neutral(cell) for cell in row)

    def file(self) -> tuple[str, bytes]:
        """Return its name and bytes, once all is listed."""
        return MANIFEST, self._text.getvalue().encode("utf-8-sig")


def stream(files: Iterable[tuple[str, bytes]], made: datetime) -> Iterator[bytes]:
    """Give a ZIP of (name, bytes) piece by piece, every file dated of the same moment.

    Files are stored as they are, PDF being compressed already; the manifest is compressed.
    """
    out, at = _Pipe(), timezone.localtime(made).timetuple()[:6]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            how = zipfile.ZIP_DEFLATED if name == MANIFEST else zipfile.ZIP_STORED
            archive.writestr(zipfile.ZipInfo(name, at), content, how)
            yield out.taken()
    yield out.taken()


class _Pipe(io.RawIOBase):
    """What a ZIP writes to when nothing is kept: no seeking back, bytes taken as they come."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)
