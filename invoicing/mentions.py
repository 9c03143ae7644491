"""Which legal mentions a titre still lacks, and which field to fill.

State: décret 2012-1246 art. 24 and 117–118, loi 2010-1658 art. 55, CRPA L.212-1. Local: CGCT L.1617-5.
"""

from collections.abc import Mapping
from typing import Any

from members.models import Issuer, Member

TEXT_CODES = {
    "force-executoire": "enforceability",
    "paiement": "payment",
    "retard": "late",
    "recours": "remedies",
    "delai": "due",
}
REQUIRED_TEXTS = ("force-executoire", "paiement", "recours", "delai")

ISSUER = {
    "issuer.name": "Émetteur : dénomination",
    "issuer.siret": "Émetteur : SIRET",
    "issuer.address": "Émetteur : adresse",
    "issuer.postal_code": "Émetteur : code postal",
    "issuer.city": "Émetteur : ville",
    "issuer.contact.name": "Émetteur : service à contacter",
    "issuer.tribunal": "Émetteur : tribunal administratif",
    "subject": "Barème : objet des titres",
    "foundations": "Convention et acte qui fondent la créance",
    "vat": "Barème : mention de TVA",
    "accountant.name": "Comptable assignataire : dénomination",
    "accountant.address": "Comptable assignataire : adresse",
    "accountant.postal_code": "Comptable assignataire : code postal",
    "accountant.city": "Comptable assignataire : ville",
    "accountant.iban": "Comptable assignataire : IBAN",
    "accountant.bic": "Comptable assignataire : BIC",
    "accountant.contact": "Comptable assignataire : téléphone ou courriel",
    "signatory.first_name": "Signataire : prénom",
    "signatory.last_name": "Signataire : nom",
    "signatory.quality": "Signataire : qualité",
}
BY_REGIME = {
    Issuer.Regime.STATE: {
        "issuer.ministry": "Émetteur : ministère",
        "issuer.service": "Émetteur : service ordonnateur",
        "issuer.cost_centre": "Émetteur : code gestionnaire ou centre de coûts",
        "imputation.programme": "Barème : programme ou fonds de concours",
        "imputation.account": "Barème : compte",
    },
    Issuer.Regime.LOCAL: {
        "issuer.budget": "Émetteur : libellé du budget",
        "accountant.codique": "Comptable assignataire : codique",
        "accountant.hours": "Comptable assignataire : horaires",
        "imputation.account": "Barème : nature",
        "imputation.function": "Barème : fonction",
        "imputation.product": "Barème : code produit local",
    },
}
DEBTOR = {
    "debtor.name": "Débiteur : nom",
    "debtor.siret": "Débiteur : SIRET",
    "debtor.street": "Débiteur : adresse",
    "debtor.postal_code": "Débiteur : code postal",
    "debtor.city": "Débiteur : ville",
}


def missing_for_issuer(facts: Mapping[str, Any], regime: str, texts: Mapping[str, str]) -> list[str]:
    """Return the fields of issuer, schedule, accountant, signatory and texts still to fill."""
    absent = [label for key, label in {**ISSUER, **BY_REGIME[regime]}.items() if not facts.get(key)]
    absent += [f"Textes légaux : {code}" for code in REQUIRED_TEXTS if not texts.get(code)]
    return absent


def missing_for_debtor(debtor: Member) -> list[str]:
    """Return the fields of a debtor still to fill before a titre may name it."""
    facts = {
        "debtor.name": debtor.name,
        "debtor.siret": debtor.siret,
        "debtor.street": debtor.address,
        "debtor.postal_code": debtor.postal_code,
        "debtor.city": debtor.city,
    }
    absent = [label for key, label in DEBTOR.items() if not facts[key]]
    if debtor.service_code_required and not debtor.service_code:
        absent.append("Débiteur : code service (exigé)")
    if debtor.engagement_required and not debtor.engagement_number:
        absent.append("Débiteur : numéro d'engagement (exigé)")
    return absent
