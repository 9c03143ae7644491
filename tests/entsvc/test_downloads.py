"""Kept bytes leave as a file to save, and only if they are still those that were kept."""

import pytest

from entsvc import documents
from entsvc.downloads import attachment

CONTENT = b"%PDF-1.7 essai"


@pytest.mark.django_db
def test_a_document_leaves_as_a_file_that_no_page_of_ours_shows(media):
    document = documents.store(CONTENT, content_type="application/pdf", suffix=".pdf")
    response = attachment(document, 'été "2024".pdf')
    assert response.content == CONTENT
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"].startswith("attachment; filename*=utf-8''")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]
    assert response["Cache-Control"] == "private, no-store"


@pytest.mark.django_db
def test_bytes_that_changed_never_leave(media):
    document = documents.store(CONTENT, content_type="application/pdf", suffix=".pdf")
    path = media / document.path
    path.chmod(0o600)
    path.write_bytes(b"autre")
    with pytest.raises(documents.CorruptDocument):
        attachment(document, "a.pdf")
