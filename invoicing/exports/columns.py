"""What a column of an export for an accounting suite may hold: its code, its name, where it is read.

All of it comes from the frozen piece and its lines, and from what happened to it since. The codes are
kept by the layouts of the issuers: one is never given another meaning. No product is followed here; a
layout is what fits an issuer's own suite.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """A row of an export: a piece (`campaign_pieces.Piece`), and one of its lines or None.

    `sign` is -1 where the amounts of a correction are written as negative.
    """

    piece: Any
    line: Any = None
    sign: int = 1


@dataclass(frozen=True)
class Column:
    """A column; `value` gives a text, a whole number, a date, a Decimal of euros, or None.

    `of_line`: it is read on a line, and says nothing of a whole piece. `price`: more than two decimals,
    never written in cents.
    """

    label: str
    value: Callable[[Row], Any]
    of_line: bool = False
    price: bool = False


def _of_titre(name: str) -> Callable[[Row], Any]:
    """Read what only a titre has: nobody pays a correction."""
    return lambda row: getattr(row.piece, name) if row.piece.is_titre else None


def _line(label: str, name: str) -> Column:
    return Column(label, lambda row: getattr(row.line, name) if row.line else None, of_line=True)


COLUMNS: dict[str, Column] = {
    "reference": Column("Référence", lambda row: row.piece.reference),
    "number": Column("Numéro", lambda row: row.piece.number),
    "external_reference": Column("Numéro du comptable", lambda row: row.piece.external_reference),
    "kind": Column("Nature de la pièce", lambda row: row.piece.kind_label),
    "original": Column("Titre d'origine", lambda row: row.piece.original_reference),
    "exercice": Column("Exercice", lambda row: row.piece.exercice),
    "budget": Column("Budget", lambda row: row.piece.budget),
    "bordereau": Column("Bordereau", lambda row: row.piece.bordereau_number),
    "issued_on": Column("Date d'émission", lambda row: row.piece.issued_on),
    "due_on": Column("Échéance", _of_titre("due_on")),
    "schedule": Column("Barème", lambda row: row.piece.schedule),
    "school_year": Column("Année scolaire", lambda row: row.piece.school_year),
    "subject": Column("Objet", lambda row: row.piece.subject),
    "debtor": Column("Débiteur", lambda row: row.piece.debtor_name),
    "siret": Column("SIRET", lambda row: row.piece.siret),
    "siren": Column("SIREN", lambda row: row.piece.siret[:9]),
    "member_kind": Column("Type de membre", lambda row: row.piece.member_kind),
    "address": Column("Adresse", lambda row: row.piece.address),
    "service_code": Column("Code service", lambda row: row.piece.service_code),
    "engagement": Column("Numéro d'engagement", lambda row: row.piece.engagement_number),
    "programme": Column("Programme", lambda row: row.piece.imputation.get("Programme", "")),
    "account": Column("Compte ou nature", lambda row: row.piece.account),
    "function": Column("Fonction", lambda row: row.piece.imputation.get("Fonction", "")),
    "product": Column(
        "Code produit local", lambda row: row.piece.imputation.get("Code produit local", "")
    ),
    "imputation": Column("Imputation", lambda row: row.piece.imputed),
    "amount": Column("Montant de la pièce", lambda row: row.sign * row.piece.total),
    "corrected": Column("Annulations et réductions", _of_titre("corrected")),
    "received": Column("Encaissé", _of_titre("received")),
    "remaining": Column("Reste dû", _of_titre("remaining")),
    "overpaid": Column("Trop-perçu", _of_titre("overpaid")),
    "status": Column("État", lambda row: row.piece.status),
    "payment_reference": Column("Référence de paiement", lambda row: row.piece.payment_reference),
    "sha256": Column("Empreinte du contenu", lambda row: row.piece.sha256),
    "line_number": _line("Ligne : ordre", "position"),
    "charge": _line("Ligne : code du tarif", "charge"),
    "charge_label": _line("Ligne : libellé du tarif", "charge_label"),
    "agreement": _line("Ligne : convention", "agreement"),
    "uai": _line("Ligne : UAI", "uai"),
    "school": _line("Ligne : école", "school"),
    "commune": _line("Ligne : commune", "commune"),
    "quantity": _line("Ligne : quantité", "quantity"),
    "unit": _line("Ligne : unité", "unit"),
    "unit_price": Column(
        "Ligne : prix unitaire",
        lambda row: row.line.unit_price if row.line else None,
        of_line=True,
        price=True,
    ),
    "line_amount": Column(
        "Ligne : montant", lambda row: row.sign * row.line.amount if row.line else None, of_line=True
    ),
    "explanation": _line("Ligne : explication", "explanation"),
}


def choices() -> list[tuple[str, str]]:
    """Return (code, name) of each column, as they are offered."""
    return [(code, column.label) for code, column in COLUMNS.items()]


def of_lines(codes: Iterable[str]) -> list[str]:
    """Return the names of the columns that say nothing of a whole piece."""
    known = (COLUMNS[code] for code in codes if code in COLUMNS)
    return [column.label for column in known if column.of_line]
