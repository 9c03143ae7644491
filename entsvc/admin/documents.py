"""Staff pages of rows that come with a PDF: their form has a field `file`, their row a `document`."""

from contextlib import suppress
from typing import Any

from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse

from entsvc import documents, scans


class WithDocument:
    """Check and keep the PDF that a page receives."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Check the document before the transaction in which Django runs the page: it takes time."""
        sent = request.FILES.get("file")
        if sent:
            with suppress(scans.RefusedFile):  # the form says it
                scans.checked_upload(sent)
        return super().changeform_view(request, *args, **kwargs)

    def keep_document(self, obj: Model, form: ModelForm) -> None:
        """Give a row the document that its form received, if any."""
        pdf = form.cleaned_data.get("file")
        if pdf:
            obj.document = documents.store(pdf.content, content_type="application/pdf", suffix=".pdf")
