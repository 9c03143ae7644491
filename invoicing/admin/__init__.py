"""Staff pages of what is computed, issued, decided and paid."""

from invoicing.admin import (
    bordereaux,
    closing,
    corrections,
    costs,
    decisions,
    numbering,
    payments,
    receipts,
    reminders,
    runs,
    titres,
)

__all__ = [
    "bordereaux",
    "closing",
    "corrections",
    "costs",
    "decisions",
    "numbering",
    "payments",
    "receipts",
    "reminders",
    "runs",
    "titres",
]
