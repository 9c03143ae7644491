"""Staff pages of the ground floor."""

from entsvc.admin.imports import ImportRecordAdmin
from entsvc.admin.mails import OutgoingMailAdmin
from entsvc.admin.records import JournalEntryAdmin, StoredDocumentAdmin

__all__ = ["ImportRecordAdmin", "JournalEntryAdmin", "OutgoingMailAdmin", "StoredDocumentAdmin"]
