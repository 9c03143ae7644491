"""How invoices are put into the files that Chorus Pro takes: one PDF alone, or `.tar.gz` of several."""

import gzip
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass

# One call takes a file of 10 MB at most (error 20001 GDP_MSG_11.022), one flow 500 invoices.
LARGEST = 10_000_000  # bytes
MOST = 500
_FRAME = 1_536  # bytes that a member of an archive adds: its header, and what completes its last block
_ENDS = 20_480  # bytes of the end of an archive and of its compression


@dataclass(frozen=True)
class Invoice:
    """The file of an invoice: its name within a lot, its bytes."""

    name: str
    content: bytes


def fits(size: int) -> bool:
    """Tell whether an invoice of so many bytes may be deposited at all."""
    return size <= LARGEST - _FRAME - _ENDS


def parted(sizes: Iterable[int], largest: int = LARGEST) -> list[list[int]]:
    """Part invoices, known by their sizes in bytes, into lots; return the places of each lot.

    Kept in their order. A PDF hardly compresses: what it weighs is what its lot will, at most.
    """
    lots: list[list[int]] = []
    weight = 0
    for place, size in enumerate(sizes):
        added = size + _FRAME
        if not lots or weight + added > largest - _ENDS or len(lots[-1]) == MOST:
            lots.append([])
            weight = 0
        lots[-1].append(place)
        weight += added
    return lots


def packed(invoices: list[Invoice]) -> bytes:
    """Return the bytes of a lot: the PDF itself when it is alone; the same invoices, the same bytes."""
    if len(invoices) == 1:
        return invoices[0].content
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for invoice in invoices:
            member = tarfile.TarInfo(invoice.name)
            member.size = len(invoice.content)
            tar.addfile(member, io.BytesIO(invoice.content))
    return gzip.compress(archive.getvalue(), mtime=0)
