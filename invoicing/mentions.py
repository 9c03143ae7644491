"""Which legal mentions a titre still lacks, and which field to fill.

State: décret 2012-1246 art. 24 and 117–118, loi 2010-1658 art. 55, CRPA L.212-1. Local: CGCT L.1617-5.
"""

import re
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
        "accountant.payment_url": "Comptable assignataire : paiement en ligne",
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


PLACEHOLDER = re.compile(r"à compléter|à remplacer|fictif|exemple|example", re.IGNORECASE)


def missing_for_issuer(
    facts: Mapping[str, Any], regime: str, texts: Mapping[str, str], *, specimen: bool = False
) -> list[str]:
    """Return the fields of issuer, schedule, accountant, signatory and texts still to fill.

    What the project ships to be replaced counts as missing, but on a specimen, which says so.
    """
    labels = {**ISSUER, **BY_REGIME[regime]}
    absent = [label for key, label in labels.items() if not facts.get(key)]
    if not specimen:
        absent += [label for key, label in labels.items() if _is_placeholder(facts.get(key))]
    absent += [f"Textes légaux : {code}" for code in REQUIRED_TEXTS if not texts.get(code)]
    return absent


def _is_placeholder(value: Any) -> bool:
    """Tell what stands for a real value: a SIRET or an IBAN of zeros, or words that say so."""
    if not isinstance(value, str) or not value:
        return False
    digits = value[4:] if value.startswith("FR") else value
    zeros = len(value) > 8 and set(digits) == {"0"}
    return zeros or PLACEHOLDER.search(value) is not None


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
