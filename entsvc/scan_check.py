"""Whether a PDF is a plain document: read to its end in a process of its own, within strict limits.

A scan needs pages and nothing else: what opens, runs, embeds or hides is refused, and so is what can't
be read to the end. An electronic signature is accepted. `entsvc.scans` runs this file by its path, the
PDF on its standard input: it knows nothing of Django, so that it starts fast and holds no secret.
"""

import logging
import resource
import sys
from collections.abc import Iterator
from io import BytesIO

from pypdf import PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    IndirectObject,
    NameObject,
    PdfObject,
)

MEGABYTE = 1024 * 1024
MOST_PAGES = 200
MOST_OBJECTS = 20_000
MOST_PARTS = 2_000_000  # entries of dictionaries and arrays, all objects together
DEEPEST = 50
# A scan of 20 MB takes a tenth of this time and a third of this memory; a file of some kilobytes may
# claim any amount once inflated.
CPU_SECONDS = 5
MEMORY_MB = 768

TAKEN, REFUSED = 0, 3  # how the process ends; otherwise it was killed, or broke

START, END = b"%PDF-", b"%%EOF"
BLANKS = b"\x00\t\n\x0c\r "

# An entry that holds a program, a form that runs, another file, or an action that nobody asked for.
ACTIVE_KEYS = frozenset(
    {"/JS", "/JavaScript", "/XFA", "/EmbeddedFiles", "/EF", "/RichMediaContent", "/AA"}
)
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


class RefusedFile(Exception):
    """The file can't be taken; the message says why and what to do."""


def check_shape(content: bytes) -> None:
    """Refuse what is not a PDF from its first byte to its last: no other file hides around it."""
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


def check_inside(content: bytes) -> None:
    """Refuse (RefusedFile, in French) an encrypted or active PDF, or one of no page or of over 200.

    A hostile file may take any time and memory: call it within the limits of `main`.
    """
    try:
        _check_inside(content)
    except RefusedFile:
        raise
    except MemoryError as error:
        raise too_much() from error
    except (
        PyPdfError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        OverflowError,
        RecursionError,
        ArithmeticError,
        AssertionError,
        NotImplementedError,
    ) as error:
        # What a hostile or broken file makes a reader raise has no end; all of it means the same.
        raise RefusedFile(
            "Ce PDF est abîmé ou incomplet : numérisez ou exportez de nouveau le document."
        ) from error


def too_much() -> RefusedFile:
    """Return the refusal of what takes more time or memory than a signed document."""
    return RefusedFile(
        "Ce PDF est trop compliqué pour être un document signé : numérisez-le de nouveau."
    )


def main() -> int:
    """Check the PDF of the standard input within the limits; write why it is refused."""
    logging.disable(logging.CRITICAL)  # a hostile file makes the reader complain without end
    _limit(resource.RLIMIT_CPU, CPU_SECONDS)
    _limit(resource.RLIMIT_AS, MEMORY_MB * MEGABYTE)
    _limit(resource.RLIMIT_CORE, 0)
    try:
        check_inside(sys.stdin.buffer.read())
    except RefusedFile as refused:
        sys.stdout.buffer.write(str(refused).encode())
        return REFUSED
    return TAKEN


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    held = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (held, held))


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
    """Look at every object of the file, wherever it hangs."""
    keys = {
        (number, generation)
        for generation, table in reader.xref.items()
        for number in table
        if generation != 65535  # the head of the list of free objects
    } | {(number, 0) for number in reader.xref_objStm}
    if len(keys) > MOST_OBJECTS:
        raise too_much()
    parts = _refuse_active(reader.trailer, 0)
    for number, generation in sorted(keys):
        found = reader.get_object(IndirectObject(number, generation, reader))
        parts = _refuse_active(found, parts)


def _refuse_active(found: PdfObject | None, parts: int) -> int:
    """Refuse an object that does something, itself or by what it holds; return the parts seen so far."""
    for part in _walk(found):
        parts += 1
        if parts > MOST_PARTS:
            raise too_much()
        if isinstance(part, DictionaryObject) and _is_active(part):
            raise _active()
    return parts


def _walk(found: PdfObject | None) -> Iterator[PdfObject | None]:
    """Give an object and what it holds in itself; what it refers to has its own number."""
    waiting: list[tuple[PdfObject | None, int]] = [(found, 0)]
    while waiting:
        part, depth = waiting.pop()
        yield part
        if depth > DEEPEST:
            raise too_much()
        if isinstance(part, DictionaryObject):
            waiting += [(value, depth + 1) for value in part.values()]
        elif isinstance(part, ArrayObject):
            waiting += [(value, depth + 1) for value in part]


def _is_active(part: DictionaryObject) -> bool:
    if ACTIVE_KEYS & part.keys():
        return True
    # A place to open at is an array; anything else there is an action, done without a click.
    if "/OpenAction" in part and not isinstance(_held(part, "/OpenAction"), ArrayObject):
        return True
    for key, names in ACTIVE_NAMES.items():
        value = _held(part, key) if key in part else None
        if isinstance(value, NameObject) and value in names:
            return True
    return False


def _held(part: DictionaryObject, key: str) -> PdfObject | None:
    """Return what an entry holds, at the end of its references: a name may be written elsewhere."""
    value = part.raw_get(key)
    for _ in range(DEEPEST):
        if not isinstance(value, IndirectObject):
            return value
        value = value.get_object()
    raise too_much()


def _count_pages(reader: PdfReader) -> int:
    """Count the pages by walking their tree, at most once through each node."""
    root = reader.trailer["/Root"].get_object()
    waiting, seen, pages = [root.raw_get("/Pages")], set(), 0
    while waiting and pages <= MOST_PAGES:
        node = waiting.pop()
        mark = getattr(node, "idnum", None)
        if mark in seen:
            raise too_much()
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


if __name__ == "__main__":
    sys.exit(main())
