"""The titres and corrections of a campaign as files tell them: what each froze, and where it stands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Case, F, QuerySet, Value, When

from entsvc import school_year
from invoicing.campaign_accounts import Account
from invoicing.models import Campaign, Titre, TitreLine
from members.models import Member

CHUNK = 500
_COLUMNS = (
    "pk", "kind", "number", "reference", "external_reference", "exercice", "budget", "issued_on",
    "debtor_name", "siret", "subject", "total", "sha256", "original__reference", "bordereau__number",
    "document", "debtor_facts", "imputation_facts", "charges_facts",
)  # fmt: skip


class OfKind:
    """What the `kind` of a piece tells."""

    __slots__ = ()
    kind: str

    @property
    def is_titre(self) -> bool:
        """Tell a titre from a correction."""
        return self.kind == Titre.Kind.TITRE

    @property
    def kind_label(self) -> str:
        """Return « Titre », « Annulation » or « Réduction »."""
        return str(Titre.Kind(self.kind).label)


@dataclass(frozen=True, slots=True)
class Piece(OfKind):
    """A titre or a correction, in the words of its document; amounts in euros, `total` never negative.

    `imputation` is {label: value} of the budget lines, in their order; `charges` are (code, label,
    euros) of each charge printed.
    """

    key: UUID
    kind: str
    number: int
    reference: str
    external_reference: str
    original_reference: str
    exercice: int
    budget: str
    bordereau: UUID
    bordereau_number: int
    issued_on: date
    due_on: date
    schedule: str
    school_year: str
    subject: str
    debtor_name: str
    siret: str
    member_kind: str
    address: str
    service_code: str
    engagement_number: str
    imputation: Mapping[str, str]
    charges: list[tuple[str, str, Decimal]]
    total: Decimal
    corrected: Decimal
    received: Decimal
    remaining: Decimal
    overpaid: Decimal
    status: str
    payment_reference: str
    sha256: str

    @property
    def account(self) -> str:
        """Return the account, which the local bodies call « nature »."""
        return self.imputation.get("Compte") or self.imputation.get("Nature") or ""

    @property
    def imputed(self) -> str:
        """Return its budget lines in a few words."""
        return " · ".join(f"{label} {value}" for label, value in self.imputation.items())


def pieces(
    campaign: Campaign,
    accounts: Mapping[UUID, Account],
    *,
    titres: bool = True,
    corrections: bool = False,
) -> Iterator[Piece]:
    """Give the titres of a campaign one by one and, if asked, their corrections, in order of numbers.

    `accounts` are those of `campaign_accounts.read`: what was issued since they were read is left out.
    """
    year = school_year.label(campaign.school_year)
    for row in _rows(campaign, titres, corrections).values(*_COLUMNS).iterator(chunk_size=CHUNK):
        if row["pk"] in accounts:
            yield _piece(row, accounts[row["pk"]], campaign.schedule.code, year)


def lines_of(keys: list[UUID]) -> dict[UUID, list[TitreLine]]:
    """Return the lines of some titres, each in their order."""
    found: dict[UUID, list[TitreLine]] = {}
    for line in TitreLine.objects.filter(titre__in=keys).order_by("titre", "position"):
        found.setdefault(line.titre_id, []).append(line)
    return found


def _rows(campaign: Campaign, titres: bool, corrections: bool) -> QuerySet[Titre]:
    rows = Titre.objects.filter(campaign=campaign)
    if not (titres and corrections):
        rows = rows.filter(original__isnull=titres)
    return rows.annotate(
        document=F("payload__document"),
        debtor_facts=F("payload__debtor"),
        imputation_facts=F("payload__imputation"),
        charges_facts=F("payload__charges"),
        corrections_last=Case(When(kind=Titre.Kind.TITRE, then=Value(0)), default=Value(1)),
    ).order_by("exercice", "budget", "corrections_last", "number")


def _piece(row: dict[str, Any], account: Account, schedule: str, year: str) -> Piece:
    debtor = row["debtor_facts"]
    return Piece(
        key=row["pk"],
        original_reference=row["original__reference"] or "",
        bordereau=account.bordereau,
        bordereau_number=row["bordereau__number"],
        due_on=account.due_on,
        schedule=schedule,
        school_year=year,
        member_kind=str(Member.Kind(account.member_kind).label),
        address=", ".join(debtor["address"]),
        service_code=debtor["service_code"],
        engagement_number=debtor["engagement_number"],
        imputation={item["label"]: item["value"] for item in row["imputation_facts"]},
        charges=[
            (item["code"], item["label"], Decimal(item["amount"])) for item in row["charges_facts"]
        ],
        corrected=account.corrected,
        received=account.received,
        remaining=account.remaining,
        overpaid=account.overpaid,
        status=account.status.label,
        payment_reference=row["document"]["payment_reference"],
        **{name: row[name] for name in _COPIED},
    )


_COPIED = (
    "kind", "number", "reference", "external_reference", "exercice", "budget", "issued_on",
    "debtor_name", "siret", "subject", "total", "sha256",
)  # fmt: skip
