"""Staff pages of what is kept: stored documents, the journal."""

from django.contrib import admin

from entsvc.models import JournalEntry, StoredDocument
from entsvc.staff import ReadOnlyAdmin


@admin.register(StoredDocument)
class StoredDocumentAdmin(ReadOnlyAdmin):
    list_display = ["sha256", "content_type", "size", "stored_at"]
    search_fields = ["sha256"]


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnlyAdmin):
    """Events of all issuers together: for those who see all of them."""

    list_display = ["at", "actor", "action", "summary"]
    list_filter = ["action"]
    search_fields = ["actor", "summary", "target"]

    def has_view_permission(self, request, obj=None):
        return request.user.is_active and request.user.is_superuser
