"""From what is decided and computed to what is issued, corrected and paid."""

from invoicing.models.announcements import Announcement
from invoicing.models.channels import Channel, Sending
from invoicing.models.chorus import Deposit, DepositedPiece
from invoicing.models.costs import Category, CostStatement, Expense, OwnShare, Subsidy
from invoicing.models.decisions import (
    Acceptance,
    Adjustment,
    CallRules,
    DecidedDeduction,
    Exclusion,
    VotedAmount,
    YearPool,
)
from invoicing.models.exports import ExportColumn, ExportLayout
from invoicing.models.follow_up import (
    BordereauDocument,
    BordereauEvent,
    ClosedExercice,
    MandatRequest,
    TitreEvent,
)
from invoicing.models.numbering import WIDEST, NumberingPolicy
from invoicing.models.payments import Payment, PendingReceipt, Reminder, ReminderStep
from invoicing.models.quotes import (
    BilledDelivery,
    Catalogue,
    CatalogueItem,
    Quote,
    QuoteEvent,
    QuoteLine,
    ServedLine,
    SupplierInvoice,
)
from invoicing.models.runs import Anomaly, Call, CallLine, Campaign, LineFacts, Run
from invoicing.models.titres import Bordereau, Counter, Series, Titre, TitreDocument, TitreLine

__all__ = [
    "Acceptance",
    "Adjustment",
    "Announcement",
    "Anomaly",
    "BilledDelivery",
    "Bordereau",
    "BordereauDocument",
    "BordereauEvent",
    "Call",
    "CallLine",
    "CallRules",
    "Campaign",
    "Catalogue",
    "CatalogueItem",
    "Category",
    "Channel",
    "ClosedExercice",
    "CostStatement",
    "Counter",
    "DecidedDeduction",
    "Deposit",
    "DepositedPiece",
    "Exclusion",
    "Expense",
    "ExportColumn",
    "ExportLayout",
    "LineFacts",
    "MandatRequest",
    "NumberingPolicy",
    "OwnShare",
    "Payment",
    "PendingReceipt",
    "Quote",
    "QuoteEvent",
    "QuoteLine",
    "Reminder",
    "ReminderStep",
    "Run",
    "Sending",
    "Series",
    "ServedLine",
    "Subsidy",
    "SupplierInvoice",
    "Titre",
    "TitreDocument",
    "TitreEvent",
    "TitreLine",
    "VotedAmount",
    "WIDEST",
    "YearPool",
]
