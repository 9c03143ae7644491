"""How kept bytes leave: always as a file to save, never shown from our own pages."""

from django.http import HttpResponse
from django.utils.http import content_disposition_header

from entsvc import documents
from entsvc.models import StoredDocument


def attachment(document: StoredDocument, name: str) -> HttpResponse:
    """Return the answer that gives a stored document, under a file name.

    Its bytes are those that were stored: raises CorruptDocument (French message) otherwise.
    """
    return as_attachment(documents.read(document), name, document.content_type)


def as_attachment(content: bytes, name: str, content_type: str = "application/pdf") -> HttpResponse:
    """Return the answer that gives bytes to save: a browser neither shows, runs nor keeps them."""
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = content_disposition_header(True, name)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = "private, no-store"
    return response
