"""Staff pages of the ground floor: dated texts, stored documents, the journal."""

from django.contrib import admin

from entsvc.models import DatedText, JournalEntry, StoredDocument
from entsvc.staff import ReadOnlyAdmin, StaffAdmin


@admin.register(DatedText)
class DatedTextAdmin(StaffAdmin):
    list_display = ["code", "scope", "valid_from", "source"]
    list_filter = ["scope", "code"]
    search_fields = ["code", "body", "source"]


@admin.register(StoredDocument)
class StoredDocumentAdmin(ReadOnlyAdmin):
    list_display = ["sha256", "content_type", "size", "stored_at"]
    search_fields = ["sha256"]


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor", "action", "summary"]
    list_filter = ["action"]
    search_fields = ["actor", "summary", "target"]
