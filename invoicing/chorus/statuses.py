"""The states of a flow and of an invoice on Chorus Pro, as its documentation names them, in French.

A code that is not known here is shown as it is: Chorus Pro may add some.
"""

from enum import StrEnum


class FlowState(StrEnum):
    """Where a deposited file stands; the last three don't change any more."""

    RECEIVED = "IN_RECU"
    HANDED = "IN_TRAITE_SE_CPP"
    QUEUED = "IN_EN_ATTENTE_TRAITEMENT_CPP"
    RUNNING = "IN_EN_COURS_TRAITEMENT_CPP"
    TO_RETRY = "IN_EN_ATTENTE_RETRAITEMENT_CPP"
    INCIDENT = "IN_INCIDENTE"
    REJECTED = "IN_REJETE"
    WHOLE = "IN_INTEGRE"
    PARTLY = "IN_INTEGRE_PARTIEL"


class InvoiceStatus(StrEnum):
    """Where an invoice stands."""

    DEPOSITED = "DEPOSEE"
    ON_ITS_WAY = "EN_COURS_ACHEMINEMENT"
    AVAILABLE = "MISE_A_DISPOSITION"
    TAKEN = "PRISE_EN_COMPTE_DESTINATAIRE"
    SUSPENDED = "SUSPENDUE"
    TO_COMPLETE = "A_COMPLETER"
    COMPLETED = "COMPLETEE"
    SERVED = "SERVICE_FAIT"
    REJECTED = "REJETEE"
    TO_RECYCLE = "A_RECYCLER"
    ORDERED = "MANDATEE"
    PAYING = "MISE_EN_PAIEMENT"
    BOOKED = "COMPTABILISEE"


INTEGRATED = (FlowState.WHOLE, FlowState.PARTLY)
# Before it is made available, an invoice has no day from which its deadline counts.
BEFORE_AVAILABLE = ("", InvoiceStatus.DEPOSITED, InvoiceStatus.ON_ITS_WAY, InvoiceStatus.TO_RECYCLE)
OVER = (InvoiceStatus.REJECTED, InvoiceStatus.PAYING, InvoiceStatus.BOOKED)
# What Chorus Pro waits for someone to do on its own portal.
TO_DO = {
    InvoiceStatus.SUSPENDED: "le débiteur demande une pièce ou une précision",
    InvoiceStatus.TO_COMPLETE: "le débiteur demande une pièce ou une précision",
    InvoiceStatus.TO_RECYCLE: "le destinataire, le service ou l'engagement est à corriger",
}
_FLOWS = {
    FlowState.RECEIVED: "reçu par Chorus Pro",
    FlowState.HANDED: "transmis au traitement",
    FlowState.QUEUED: "en attente de traitement",
    FlowState.RUNNING: "en cours de traitement",
    FlowState.TO_RETRY: "en attente d'un nouveau traitement",
    FlowState.INCIDENT: "en incident chez Chorus Pro",
    FlowState.REJECTED: "rejeté",
    FlowState.WHOLE: "accepté",
    FlowState.PARTLY: "accepté en partie",
}
_INVOICES = {
    InvoiceStatus.DEPOSITED: "Déposée",
    InvoiceStatus.ON_ITS_WAY: "En cours d'acheminement",
    InvoiceStatus.AVAILABLE: "Mise à disposition du débiteur",
    InvoiceStatus.TAKEN: "Prise en compte par le débiteur",
    InvoiceStatus.SUSPENDED: "Suspendue",
    InvoiceStatus.TO_COMPLETE: "À compléter",
    InvoiceStatus.COMPLETED: "Complétée",
    InvoiceStatus.SERVED: "Service fait",
    InvoiceStatus.REJECTED: "Rejetée",
    InvoiceStatus.TO_RECYCLE: "À recycler",
    InvoiceStatus.ORDERED: "Mandatée",
    InvoiceStatus.PAYING: "Mise en paiement",
    InvoiceStatus.BOOKED: "Comptabilisée",
}


def label_of_flow(code: str) -> str:
    """Return the French words of a state of a flow."""
    return _FLOWS.get(code, code)


def label_of_invoice(code: str) -> str:
    """Return the French words of a status of an invoice; those of its validators bear their rank."""
    for prefix, words in (("A_VALIDER_", "À valider"), ("VALIDEE_", "Validée")):
        if code.startswith(prefix):
            return f"{words} ({code.removeprefix(prefix)})"
    return _INVOICES.get(code, code)
