"""Kept bytes leave as a file to save, and only if they are still those that were kept."""

import pytest

from entsvc import documents
from entsvc.downloads import attachment
from entsvc.models import JournalEntry
from members.models import User

CONTENT = b"%PDF-1.7 essai"


@pytest.fixture
def request_of(rf):
    """A request of somebody, for a page that gives a file."""

    def make(**facts):
        request = rf.get("/")
        request.user = User(**{"username": "lecture", "is_staff": True, **facts})
        return request

    return make


@pytest.mark.django_db
def test_a_document_leaves_as_a_file_that_no_page_of_ours_shows(media, request_of):
    document = documents.store(CONTENT, content_type="application/pdf", suffix=".pdf")
    response = attachment(request_of(), document, 'été "2024".pdf')
    assert response.content == CONTENT
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"].startswith("attachment; filename*=utf-8''")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]
    assert response["Cache-Control"] == "private, no-store"


@pytest.mark.django_db
def test_bytes_that_changed_never_leave(media, request_of):
    document = documents.store(CONTENT, content_type="application/pdf", suffix=".pdf")
    path = media / document.path
    path.chmod(0o600)
    path.write_bytes(b"autre")
    with pytest.raises(documents.CorruptDocument):
        attachment(request_of(), document, "a.pdf")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("facts", "actor"),
    [({}, "lecture"), ({"is_staff": False, "email": "mairie@example.org"}, "mairie@example.org")],
    ids=["staff", "mairie"],
)
def test_the_journal_says_who_took_which_bytes(media, request_of, facts, actor):
    document = documents.store(CONTENT, content_type="application/pdf", suffix=".pdf")
    attachment(request_of(**facts), document, "OCC-2025-000001.pdf")
    entry = JournalEntry.objects.get(action="download")
    assert (entry.actor, entry.summary) == (actor, "Téléchargé : OCC-2025-000001.pdf")
    assert entry.data == {"sha256": document.sha256}


@pytest.mark.django_db
def test_what_could_not_be_given_is_not_said_to_be_taken(media, request_of):
    document = documents.store(CONTENT, content_type="application/pdf", suffix=".pdf")
    (media / document.path).unlink()
    with pytest.raises(documents.CorruptDocument):
        attachment(request_of(), document, "a.pdf")
    assert not JournalEntry.objects.exists()
