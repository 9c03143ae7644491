"""What a titre still lacks for its electronic invoice, in French words that say what to do."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Lack:
    """What an invoice lacks: the rule, the element, what to say, and the kind of page that mends it."""

    rule: str
    element: str
    message: str
    page: str


def refusals(payload: dict[str, Any], lines: Iterable[Line], total: Any) -> list[str]:
    """Return why no electronic invoice can be written of a titre or of a correction; nothing if it can.

    See `lacks`.
    """
    return [lack.message for lack in lacks(payload, lines, total)]


def lacks(payload: dict[str, Any], lines: Iterable[Line], total: Any) -> list[Lack]:
    """Return what a titre or a correction lacks for its electronic invoice; nothing if it lacks nothing.

    Sources: EN 16931 (BR-02 to BR-16, BR-O), the French rules BR-FR-09 and BR-FR-32, Chorus Pro for the
    invoice number (20 characters). The IBAN is checked here: the library would write a false one under
    another name without a word.
    """
    document = payload["document"]
    if document.get("external"):
        return [Lack("externe", "Numéro", EXTERNAL, "numbering")]
    return [
        *_identity(document),
        *_party("Émetteur", payload["issuer"], "issuer"),
        *_party("Débiteur", payload["debtor"], "member"),
        *_vat(payload["vat"]),
        *(_payment(payload) if document["kind"] == "titre" else []),
        *_amounts(lines, total),
    ]


def _identity(document: dict[str, Any]) -> Iterator[Lack]:
    if not REFERENCE.fullmatch(document["reference"]):
        told = (
            f"Référence {document['reference']} : un numéro de facture a au plus vingt lettres, "
            "chiffres, tirets, barres ou signes plus."
        )
        yield Lack("numero-facture", "Numéro de facture (BT-1)", told, "issuer")


def _party(who: str, party: dict[str, Any], page: str) -> Iterator[Lack]:
    if not party["name"].strip():
        yield Lack(f"nom-{page}", f"{who}, nom", f"{who} : nom absent.", page)
    if not siret.is_valid(party["siret"]):
        told = f"faux ({party['siret']})" if party["siret"] else "absent"
        told = f"{who} : SIRET {told}. Une facture électronique nomme chacun par le sien."
        yield Lack(f"siret-{page}", f"{who}, SIRET", told, page)
    if not party["address"] or not POSTAL_LINE.fullmatch(party["address"][-1]):
        told = f"{who} : code postal ou ville absent de l'adresse."
        yield Lack(f"adresse-{page}", f"{who}, adresse", told, page)


def _vat(mention: str) -> Iterator[Lack]:
    if not OUT_OF_SCOPE.search(mention):
        told = f"« {mention} »" if mention else "absente"
        told = (
            f"Mention de TVA {told} : seules les créances hors du champ de la TVA ont ici leur facture "
            "électronique."
        )
        yield Lack("tva", "Mention de TVA (BT-120)", told, "schedule")


def _payment(payload: dict[str, Any]) -> Iterator[Lack]:
    account = payload["accountant"]["iban"]
    if not iban.is_valid(account):
        told = f"faux ({account})" if account else "absent"
        told = f"Comptable assignataire : IBAN {told}."
        yield Lack("iban", "IBAN (BT-84)", told, "accountant")
    if not payload["document"]["due_text"].strip():
        told = "Textes légaux : le délai de paiement est vide."
        yield Lack("delai", "Délai de paiement (BT-20)", told, "text")


def _amounts(lines: Iterable[Line], total: Any) -> Iterator[Lack]:
    due = amounts_of(lines).due
    if due != total:
        told = f"Ses lignes font {euros(due)} au lieu de {euros(total)} : signalez cet écart."
        yield Lack("montants", "Montants (BT-115)", told, "titre")
