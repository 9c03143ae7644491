"""Staff pages of what is computed, issued, decided and paid."""

from invoicing.admin import (
    bordereaux,
    channels,
    closing,
    corrections,
    costs,
    decisions,
    deliveries,
    export_layouts,
    members,
    numbering,
    payments,
    quotes,
    receipts,
    reminders,
    runs,
    titres,
)

__all__ = [
    "bordereaux",
    "channels",
    "closing",
    "corrections",
    "costs",
    "decisions",
    "deliveries",
    "export_layouts",
    "members",
    "numbering",
    "payments",
    "quotes",
    "receipts",
    "reminders",
    "runs",
    "titres",
]
