"""From what is decided and computed to what is issued."""

from invoicing.models.decisions import Acceptance, DecidedDeduction, Exclusion, YearPool
from invoicing.models.payments import Payment
from invoicing.models.runs import Anomaly, Call, CallLine, Campaign, LineFacts, Run
from invoicing.models.titres import Bordereau, Counter, Series, Titre, TitreDocument, TitreLine

__all__ = [
    "Acceptance",
    "Anomaly",
    "Bordereau",
    "Call",
    "CallLine",
    "Campaign",
    "Counter",
    "DecidedDeduction",
    "Exclusion",
    "LineFacts",
    "Payment",
    "Run",
    "Series",
    "Titre",
    "TitreDocument",
    "TitreLine",
    "YearPool",
]
