"""The sheets of a campaign that hold rows: titres, detail by school, movements; streamed, row by row."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from openpyxl import Workbook
from openpyxl.utils import get_column_letter

from entsvc.workbook import DAY, EUROS, WHOLE, Column, add_sheet
from invoicing.campaign_accounts import Account
from invoicing.campaign_pieces import Piece, pieces
from invoicing.models import Campaign, Payment, TitreLine
from invoicing.payments import paid
from members.models import Issuer
from tariffs.engine import ADJUSTMENT, DEDUCTION

CHUNK = 2000
PRICE = '#,##0.00## "€"'
# Lines of which each has a label of its own, told apart in the detail alone.
COMMON_LABELS = {DEDUCTION: "Déductions décidées", ADJUSTMENT: "Ajustements manuels"}


@dataclass(frozen=True)
class Table:
    """A sheet of rows, and where its columns are for the formulas of the others."""

    title: str
    columns: Mapping[str, Column]
    last: int

    def range(self, key: str) -> str:
        """Return the cells of a column, as a formula names them."""
        letter = get_column_letter(list(self.columns).index(key) + 1)
        return f"'{self.title}'!${letter}$2:${letter}${max(self.last, 2)}"


def add_titres(
    workbook: Workbook,
    campaign: Campaign,
    accounts: Mapping[UUID, Account],
    charges: Mapping[str, str],
    named: dict[UUID, tuple[str, str]],
) -> Table:
    """Add a row for each titre, with a column for each charge; put its reference and debtor in `named`.

    `charges` are {code: label}.
    """
    budget_lines = imputation_labels(campaign.schedule.issuer.regime)
    columns = {
        "reference": Column("Référence", 18),
        "exercice": Column("Exercice", 9, "0"),
        "budget": Column("Budget", 8),
        "number": Column("N°", 9, "0"),
        "external": Column("N° du comptable", 18),
        "bordereau": Column("Bordereau", 11, "0"),
        "issued_on": Column("Émis le", 12, DAY),
        "due_on": Column("Échéance", 12, DAY),
        "debtor": Column("Débiteur", 42),
        "siret": Column("SIRET", 17),
        "kind": Column("Type de membre", 16),
        **{f"charge:{code}": Column(label, 16, EUROS, summed=True) for code, label in charges.items()},
        "total": Column("Montant", 16, EUROS, summed=True),
        "corrected": Column("Annulations et réductions", 16, EUROS, summed=True),
        "received": Column("Encaissé", 16, EUROS, summed=True),
        "remaining": Column("Reste dû", 16, EUROS, summed=True),
        "overpaid": Column("Trop-perçu", 14, EUROS, summed=True),
        "status": Column("État", 24),
        **{f"line:{label}": Column(label, 14) for label in budget_lines},
        "imputation": Column("Imputation", 42),
        "payment": Column("Référence de paiement", 28),
        "service": Column("Code service", 18),
        "engagement": Column("N° d'engagement", 18),
        "subject": Column("Objet", 45),
    }

    def rows() -> Iterator[list[Any]]:
        for piece in pieces(campaign, accounts):
            named[piece.key] = (piece.reference, piece.debtor_name)
            yield _titre(piece, charges, budget_lines)

    return _add(workbook, "Titres", columns, rows())


def add_detail(workbook: Workbook, campaign: Campaign, accounts: Mapping[UUID, Account]) -> Table:
    """Add a row for each line of each titre: what a school, or a whole charge, costs."""
    columns = {
        "reference": Column("Titre", 18),
        "debtor": Column("Débiteur", 42),
        "siret": Column("SIRET", 17),
        "agreement": Column("Convention", 22),
        "uai": Column("UAI", 11),
        "school": Column("École", 40),
        "commune": Column("Commune", 22),
        "code": Column("Code du tarif", 14),
        "charge": Column("Ligne tarifaire", 32),
        "quantity": Column("Quantité", 10, WHOLE),
        "unit": Column("Unité", 14),
        "price": Column("Prix unitaire", 14, PRICE),
        "amount": Column("Montant", 14, EUROS, summed=True),
        "explanation": Column("Explication", 60),
    }
    names = (
        "titre__reference", "titre__debtor_name", "titre__siret", "agreement", "uai", "school",
        "commune", "charge", "charge_label", "quantity", "unit", "unit_price", "amount", "explanation",
    )  # fmt: skip
    found = TitreLine.objects.filter(titre__campaign=campaign, titre__original__isnull=True)
    found = found.order_by("titre__exercice", "titre__budget", "titre__number", "position")
    rows = (
        row
        for key, *row in found.values_list("titre", *names).iterator(chunk_size=CHUNK)
        if key in accounts
    )
    return _add(workbook, "Détail par école", columns, rows)


def add_movements(
    workbook: Workbook,
    campaign: Campaign,
    accounts: Mapping[UUID, Account],
    named: Mapping[UUID, tuple[str, str]],
) -> Table:
    """Add a row for each correction, then for each receipt and each cancellation of one."""
    columns = {
        "on": Column("Date", 12, DAY),
        "reference": Column("Titre", 18),
        "debtor": Column("Débiteur", 42),
        "kind": Column("Nature", 26),
        "piece": Column("Pièce", 18),
        "exercice": Column("Exercice", 9, "0"),
        "budget": Column("Budget", 8),
        "bordereau": Column("Bordereau de corrections", 14, "0"),
        "corrected": Column("Annulations et réductions", 16, EUROS, summed=True),
        "received": Column("Encaissé", 16, EUROS, summed=True),
    }
    return _add(workbook, "Mouvements", columns, _movements(campaign, accounts, named))


def imputation_labels(regime: str) -> tuple[str, ...]:
    """Return the budget lines that the titres of a regime name, in their order."""
    account = "Compte" if regime == Issuer.Regime.STATE else "Nature"
    return ("Programme", account, "Fonction", "Code produit local")


def _titre(piece: Piece, charges: Mapping[str, str], budget_lines: Iterable[str]) -> list[Any]:
    amounts = dict.fromkeys(charges, Decimal("0.00"))
    for code, _, amount in piece.charges:
        amounts[code] += amount
    return [
        piece.reference,
        piece.exercice,
        piece.budget,
        piece.number,
        piece.external_reference,
        piece.bordereau_number,
        piece.issued_on,
        piece.due_on,
        piece.debtor_name,
        piece.siret,
        piece.member_kind,
        *amounts.values(),
        piece.total,
        piece.corrected,
        piece.received,
        piece.remaining,
        piece.overpaid,
        piece.status,
        *(piece.imputation.get(label, "") for label in budget_lines),
        piece.imputed,
        piece.payment_reference,
        piece.service_code,
        piece.engagement_number,
        piece.subject,
    ]


def _movements(
    campaign: Campaign, accounts: Mapping[UUID, Account], named: Mapping[UUID, tuple[str, str]]
) -> Iterator[list[Any]]:
    for piece in pieces(campaign, accounts, titres=False, corrections=True):
        original = named[accounts[piece.key].original]
        about = (piece.kind_label, piece.reference, piece.exercice, piece.budget)
        yield [piece.issued_on, *original, *about, piece.bordereau_number, piece.total, None]
    for key, account in accounts.items():
        for on, kind, amount in account.history.payments:
            label = str(Payment.Kind(kind).label)
            yield [on, *named[key], label, *[None] * 5, paid([(kind, amount)])]


def _add(
    workbook: Workbook, title: str, columns: Mapping[str, Column], rows: Iterable[list[Any]]
) -> Table:
    return Table(title, columns, add_sheet(workbook, title, list(columns.values()), rows))
