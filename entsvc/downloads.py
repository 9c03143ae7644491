"""How kept bytes leave: always as a file to save, never shown from our own pages."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.http import content_disposition_header

from entsvc import documents, journal
from entsvc.models import StoredDocument


def attachment(request: HttpRequest, document: StoredDocument, name: str) -> HttpResponse:
    """Return the answer that gives a stored document, under a file name; the journal says to whom.

    Its bytes are those that were stored: raises CorruptDocument (French message) otherwise.
    """
    content = documents.read(document)
    user: Any = request.user
    journal.record(
        actor=user.get_username() if user.is_staff else user.email,
        action="download",
        target=document,
        summary=f"Téléchargé : {name}",
        data={"sha256": document.sha256},
    )
    return as_attachment(content, name, document.content_type)


def as_attachment(content: bytes, name: str, content_type: str = "application/pdf") -> HttpResponse:
    """Return the answer that gives bytes to save: a browser neither shows, runs nor keeps them."""
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = content_disposition_header(True, name)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = "private, no-store"
    return response
