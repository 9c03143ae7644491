"""A file given to a mayor's office: as stored, or a page that says that it can't be for now."""

import logging

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from entsvc import downloads
from entsvc.documents import CorruptDocument
from entsvc.models import StoredDocument

logger = logging.getLogger(__name__)


def give(request: HttpRequest, document: StoredDocument, name: str) -> HttpResponse:
    """Answer with a stored document; staff are told in the log when its bytes are missing or changed."""
    try:
        return downloads.attachment(request, document, name)
    except CorruptDocument:
        logger.exception("Document %s", document.pk)
        return render(request, "espace/no_file.html", status=503)
