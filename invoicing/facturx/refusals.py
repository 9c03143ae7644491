"""What a titre still lacks for its electronic invoice, in French words that say what to do."""

import re
from collections.abc import Iterable
from typing import Any

from stdnum import iban
from stdnum.fr import siret

from entsvc.french import euros
from invoicing.facturx.amounts import Line, amounts_of

REFERENCE = re.compile(r"[A-Za-z0-9_/+-]{1,20}")
OUT_OF_SCOPE = re.compile(r"hors\s+(du\s+)?champ|non\s+assujetti", re.IGNORECASE)
POSTAL_LINE = re.compile(r"\d{5} \S.*")
EXTERNAL = (
    "Projet sous une référence provisoire : la chaîne de l'État donne le numéro et dépose elle-même la "
    "facture de ce titre."
)


def refusals(payload: dict[str, Any], lines: Iterable[Line], total: Any) -> list[str]:
    """Return why no electronic invoice can be written of a titre or of a correction; nothing if it can.

    Sources: EN 16931 (BR-02 to BR-16, BR-O), the French rules BR-FR-09 and BR-FR-32, Chorus Pro for the
    invoice number (20 characters). The IBAN is checked here: the library would write a false one under
    another name without a word.
    """
    document = payload["document"]
    if document.get("external"):
        return [EXTERNAL]
    return [
        *_identity(document),
        *_party("Émetteur", payload["issuer"]),
        *_party("Débiteur", payload["debtor"]),
        *_vat(payload["vat"]),
        *(_payment(payload) if document["kind"] == "titre" else []),
        *_amounts(lines, total),
    ]


def _identity(document: dict[str, Any]) -> list[str]:
    if REFERENCE.fullmatch(document["reference"]):
        return []
    return [
        f"Référence {document['reference']} : un numéro de facture a au plus vingt lettres, chiffres, "
        "tirets, barres ou signes plus."
    ]


def _party(who: str, party: dict[str, Any]) -> list[str]:
    found = [] if party["name"].strip() else [f"{who} : nom absent."]
    if not siret.is_valid(party["siret"]):
        told = f"faux ({party['siret']})" if party["siret"] else "absent"
        found.append(f"{who} : SIRET {told}. Une facture électronique nomme chacun par le sien.")
    if not party["address"] or not POSTAL_LINE.fullmatch(party["address"][-1]):
        found.append(f"{who} : code postal ou ville absent de l'adresse.")
    return found


def _vat(mention: str) -> list[str]:
    if OUT_OF_SCOPE.search(mention):
        return []
    told = f"« {mention} »" if mention else "absente"
    return [
        f"Mention de TVA {told} : seules les créances hors du champ de la TVA ont ici leur facture "
        "électronique."
    ]


def _payment(payload: dict[str, Any]) -> list[str]:
    found = []
    account = payload["accountant"]["iban"]
    if not iban.is_valid(account):
        told = f"faux ({account})" if account else "absent"
        found.append(f"Comptable assignataire : IBAN {told}.")
    if not payload["document"]["due_text"].strip():
        found.append("Textes légaux : le délai de paiement est vide.")
    return found


def _amounts(lines: Iterable[Line], total: Any) -> list[str]:
    due = amounts_of(lines).due
    if due == total:
        return []
    return [f"Ses lignes font {euros(due)} au lieu de {euros(total)} : signalez cet écart."]
