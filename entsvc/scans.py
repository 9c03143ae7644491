"""Whether a file that someone sends is a plain PDF: read by its content, never run, never shown.

It is read in a process of its own (`entsvc.scan_check`), before any transaction: what is kept asks for a
`CheckedPdf`, so that nothing is read while rows are locked, and nothing is kept unread.
"""

import hashlib
import logging
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files import File

from entsvc import scan_check
from entsvc.scan_check import MEGABYTE, MOST_PAGES, RefusedFile

__all__ = [
    "MEGABYTE",
    "MOST_PAGES",
    "CheckedPdf",
    "PdfField",
    "RefusedFile",
    "check_pdf",
    "checked",
    "checked_upload",
    "read",
]

SECONDS = 20  # of wall clock, on a busy machine; the process has its own limit of work

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CheckedPdf:
    """The bytes of a plain PDF, and the name its sender gave it: made by `checked`, nowhere else."""

    content: bytes
    name: str = ""

    @property
    def sha256(self) -> str:
        """Return the digest by which its bytes are kept."""
        return hashlib.sha256(self.content).hexdigest()


def checked(content: bytes, name: str = "") -> CheckedPdf:
    """Return a PDF that may be kept; raise RefusedFile (French message) for anything else.

    Neither encrypted, nor active, nor with other files inside; of a decent size; from one to 200 pages.
    Takes a fraction of a second, and seconds for a hostile file: call it before any transaction.
    """
    check_pdf(content)
    return CheckedPdf(content, name)


def checked_upload(file: File) -> CheckedPdf:
    """Check a file that someone sends, once: asked again, the same answer comes at once.

    A page that Django runs in a transaction asks a first time before it, its form a second time in it.
    """
    if not hasattr(file, "scan_answer"):
        try:
            file.scan_answer = checked(read(file), file.name or "")
        except RefusedFile as refused:
            file.scan_answer = refused
    if isinstance(file.scan_answer, RefusedFile):
        raise RefusedFile(str(file.scan_answer))
    return file.scan_answer


class PdfField(forms.FileField):
    """A PDF that someone sends: its form gives a CheckedPdf, or says what is wrong with it."""

    def clean(self, data: Any, initial: Any = None) -> CheckedPdf | None:
        """Return the PDF once checked, None where none was sent."""
        file = super().clean(data, initial)
        if not file:
            return None
        try:
            return checked_upload(file)
        except RefusedFile as refused:
            raise ValidationError(str(refused)) from refused


def check_pdf(content: bytes) -> None:
    """Raise RefusedFile (French message) unless the bytes are a plain PDF, of a decent size."""
    _check_size(content)
    scan_check.check_shape(content)
    _check_inside(content)


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


def _check_inside(content: bytes) -> None:
    """Read the PDF in another process, which is killed past its time and knows nothing of ours."""
    command = [sys.executable, "-I", scan_check.__file__]
    try:
        done = subprocess.run(
            command, input=content, capture_output=True, timeout=SECONDS, env={}, check=False
        )
    except subprocess.TimeoutExpired as error:
        log.warning("PDF de %s octets : lecture arrêtée après %s s", len(content), SECONDS)
        raise scan_check.too_much() from error
    except OSError as error:
        log.exception("La lecture des PDF ne démarre pas")
        raise _unread() from error
    if done.returncode == scan_check.TAKEN:
        return
    if done.returncode == scan_check.REFUSED:
        raise RefusedFile(done.stdout.decode())
    if done.returncode < 0:  # killed: too much work or memory
        log.warning("PDF de %s octets : lecture tuée (%s)", len(content), done.returncode)
        raise scan_check.too_much()
    log.error("La lecture des PDF est en panne : %s", done.stderr.decode(errors="replace")[-2000:])
    raise _unread()


def _unread() -> RefusedFile:
    return RefusedFile(
        "Ce fichier n'a pas pu être lu, sans que ce soit de votre fait : réessayez dans quelques "
        "minutes, puis prévenez-nous."
    )
