"""Whether a file that someone sends is a plain PDF: read by its content, never run, never shown.

A scan needs pages and nothing else: what opens, runs, embeds or hides is refused, and so is what can't
be read to the end. An electronic signature is accepted.
"""

import logging
import time
from collections.abc import Iterator
from io import BytesIO

from django.conf import settings
from django.core.files import File
from pypdf import PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, NameObject, PdfObject

MEGABYTE = 1024 * 1024
MOST_PAGES = 200
MOST_OBJECTS = 50_000
MOST_PARTS = 2_000_000  # entries of dictionaries and arrays, all objects together
DEEPEST = 50
SECONDS = 20

START, END = b"%PDF-", b"%%EOF"
BLANKS = b"\x00\t\n\x0c\r "

# An entry that holds a program, a form that runs, or another file.
ACTIVE_KEYS = frozenset({"/JS", "/JavaScript", "/XFA", "/EmbeddedFiles", "/EF", "/RichMediaContent"})
# What an action does (/S), an annotation or an object is (/Subtype, /Type).
ACTIVE_NAMES = {
    "/S": frozenset(
        {
            "/JavaScript", "/Launch", "/ImportData", "/SubmitForm", "/GoToE", "/GoToR", "/Rendition",
            "/Movie", "/Sound", "/RichMediaExecute", "/SetOCGState", "/Trans", "/GoTo3DView",
        }
    ),
    "/Subtype": frozenset({"/RichMedia", "/Movie", "/Screen", "/3D", "/FileAttachment", "/Sound"}),
    "/Type": frozenset({"/EmbeddedFile"}),
}  # fmt: skip
# Long enough never to come by chance in a compressed picture; they may hide in an older revision.
RAW = (b"/JavaScript", b"/EmbeddedFile", b"/RichMedia")

log = logging.getLogger(__name__)


class RefusedFile(Exception):
    """The file can't be taken; the message says why and what to do."""


def check_pdf(content: bytes) -> None:
    """Raise RefusedFile (French message) unless the bytes are a plain PDF, of a decent size.

    Neither encrypted, nor active, nor with other files inside; from one to 200 pages.
    """
    _check_size(content)
    _check_shape(content)
    try:
        _check_inside(content)
    except RefusedFile:
        raise
    except (
        PyPdfError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        OverflowError,
        RecursionError,
        MemoryError,
        ArithmeticError,
        AssertionError,
        NotImplementedError,
    ) as error:
        # What a hostile or broken file makes a reader raise has no end; all of it means the same.
        log.info("PDF illisible : %s", error)
        raise RefusedFile(
            "Ce PDF est abîmé ou incomplet : numérisez ou exportez de nouveau le document."
        ) from error  # fmt: skip


def read(file: File) -> bytes:
    """Return the bytes of a file that someone sends, no more than it takes to see that it is too big."""
    return file.read(_largest() * MEGABYTE + 1)


def _largest() -> int:
    return settings.LARGEST_SCAN_MB


def _check_size(content: bytes) -> None:
    if not content:
        raise RefusedFile("Ce fichier est vide : choisissez le PDF du document signé.")
    if len(content) > _largest() * MEGABYTE:
        raise RefusedFile(
            f"Ce fichier pèse plus que les {_largest()} Mo permis : numérisez-le en moins fin."
        )


def _check_shape(content: bytes) -> None:
    """A PDF from its first byte to its last: no other kind of file hides before or after it."""
    if not content.startswith(START):
        raise RefusedFile(
            "Ce fichier n'est pas un PDF, quel que soit son nom : numérisez ou exportez le document "
            "en PDF."
        )
    if not content.rstrip(BLANKS).endswith(END):
        raise RefusedFile(
            "Ce PDF est incomplet ou suivi d'autre chose : numérisez ou exportez de nouveau le document."
        )
    if any(name in content for name in RAW):
        raise _active()


def _check_inside(content: bytes) -> None:
    reader = PdfReader(BytesIO(content))
    if "/Encrypt" in reader.trailer or reader.is_encrypted:
        raise RefusedFile(
            "Ce PDF est protégé par un mot de passe ou chiffré : enregistrez-le sans protection."
        )
    _check_objects(reader)
    pages = _count_pages(reader)
    if not 1 <= pages <= MOST_PAGES:
        raise RefusedFile(
            "Ce PDF n'a aucune page."
            if pages < 1
            else f"Ce PDF a plus de {MOST_PAGES} pages : envoyez le seul document signé."
        )


def _check_objects(reader: PdfReader) -> None:
    """Look at every object of the file, wherever it hangs, within a bounded time."""
    keys = {
        (number, generation)
        for generation, table in reader.xref.items()
        for number in table
        if generation != 65535  # the head of the list of free objects
    } | {(number, 0) for number in reader.xref_objStm}
    if len(keys) > MOST_OBJECTS:
        raise _too_much()
    limit, parts = time.monotonic() + SECONDS, 0
    _refuse_active(reader.trailer)
    for number, generation in sorted(keys):
        if time.monotonic() > limit:
            raise _too_much()
        found = reader.get_object(IndirectObject(number, generation, reader))
        for part in _walk(found):
            parts += 1
            if parts > MOST_PARTS:
                raise _too_much()
            _refuse_active(part)


def _walk(found: PdfObject | None) -> Iterator[PdfObject]:
    """Give an object and what it holds in itself; what it refers to has its own number."""
    waiting: list[tuple[PdfObject | None, int]] = [(found, 0)]
    while waiting:
        part, depth = waiting.pop()
        yield part
        if depth > DEEPEST:
            raise _too_much()
        if isinstance(part, DictionaryObject):
            waiting += [(value, depth + 1) for value in part.values()]
        elif isinstance(part, ArrayObject):
            waiting += [(value, depth + 1) for value in part]


def _refuse_active(part: PdfObject | None) -> None:
    if not isinstance(part, DictionaryObject):
        return
    if ACTIVE_KEYS & part.keys():
        raise _active()
    for key, names in ACTIVE_NAMES.items():
        value = part.raw_get(key) if key in part else None
        if isinstance(value, NameObject) and value in names:
            raise _active()


def _count_pages(reader: PdfReader) -> int:
    """Count the pages by walking their tree, at most once through each node."""
    root = reader.trailer["/Root"].get_object()
    waiting, seen, pages = [root.raw_get("/Pages")], set(), 0
    while waiting and pages <= MOST_PAGES:
        node = waiting.pop()
        mark = getattr(node, "idnum", None)
        if mark in seen:
            raise _too_much()
        if mark is not None:
            seen.add(mark)
        node = node.get_object()
        if "/Kids" in node:
            waiting += list(node["/Kids"])
        elif node.get("/Type") in ("/Page", None):
            pages += 1
    return pages


def _active() -> RefusedFile:
    return RefusedFile(
        "Ce PDF contient un programme, un formulaire actif ou un autre fichier : imprimez-le puis "
        "numérisez-le, ou exportez-le en PDF simple."
    )


def _too_much() -> RefusedFile:
    return RefusedFile(
        "Ce PDF est trop compliqué pour être un document signé : numérisez-le de nouveau."
    )
