"""What an état liquidatif says, read from the titres of a campaign as they were frozen.

Décret 2012-1246, art. 24: the bases of the liquidation are given for each debtor.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from invoicing.campaign_pieces import OfKind
from invoicing.models import Bordereau, Campaign, Sending, Titre, TitreLine

CHUNK = 500
SPECIMEN = "SPECIMEN_"
ZERO = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Signatory:
    """Who ordered a piece."""

    first_name: str
    last_name: str
    quality: str
    delegation: str


@dataclass(frozen=True, slots=True)
class Imputation:
    """Where an amount goes: the budget lines that the document prints, and the cost centre."""

    exercice: int
    lines: tuple[tuple[str, str], ...]
    cost_centre: str

    def line(self, label: str) -> str:
        """Return one budget line, nothing when the document has none of that name."""
        return dict(self.lines).get(label, "")

    def __str__(self) -> str:
        words = [f"{label} {value}" for label, value in self.lines]
        centre = [f"Centre de coûts {self.cost_centre}"] if self.cost_centre else []
        return " · ".join([*words, *centre, f"Exercice {self.exercice}"])


@dataclass(frozen=True, slots=True)
class Piece(OfKind):
    """A titre or a correction; `total` in euros, never negative; `asked_by` is the état n° that first
    asked for it.

    `number` is the one that the accountant's chain gave, once read. `own_number`: our series gives it a
    definitive one.
    """

    key: UUID
    reference: str
    number: str
    kind: str
    own_number: bool
    specimen: bool
    asked_by: int
    bordereau: UUID
    bordereau_label: str
    issued_on: date
    original: str
    original_number: str
    reason: str
    debtor: str
    siret: str
    address: tuple[str, ...]
    service_code: str
    engagement: str
    party: str
    subject: str
    foundations: tuple[str, ...]
    sources: tuple[str, ...]
    imputation: Imputation
    total: Decimal
    bases: tuple[TitreLine, ...]
    signatory: Signatory


@dataclass(frozen=True)
class Sums:
    """Titres and corrections, counted and added up in euros."""

    titres: int = 0
    called: Decimal = ZERO
    corrections: int = 0
    corrected: Decimal = ZERO

    @property
    def net(self) -> Decimal:
        """Return what is called, less what is corrected; below zero when corrections exceed it."""
        return self.called - self.corrected


@dataclass(frozen=True)
class Etat:
    """The état n° `rank` of a campaign: it asks for what no former one asked for, and recalls the rest.

    `issuer`, `accountant` are the frozen facts of the last piece; `bordereaux` those of the pieces.
    """

    campaign: Campaign
    rank: int
    on: date
    pieces: tuple[Piece, ...]
    issuer: dict[str, Any]
    accountant: dict[str, Any]
    bordereaux: tuple[Bordereau, ...] = field(compare=False)

    @property
    def asked(self) -> list[Piece]:
        """Return the pieces that this état asks for."""
        return [piece for piece in self.pieces if piece.asked_by == self.rank]

    @property
    def recalled(self) -> list[Piece]:
        """Return the pieces that a former état asked for."""
        return [piece for piece in self.pieces if piece.asked_by != self.rank]

    @property
    def specimen(self) -> bool:
        """Tell whether a signatory or the accountant is fictitious."""
        return any(piece.specimen for piece in self.pieces)

    @property
    def stem(self) -> str:
        """Return the name of its files, without their suffix."""
        mark = SPECIMEN if self.specimen else ""
        return f"{mark}etat-liquidatif-{self.campaign.slug}-n{self.rank}"

    @property
    def signatories(self) -> list[tuple[Signatory, Sums]]:
        """Return who signs, each with the sums of what it ordered among the pieces asked for.

        When nothing is, those of all.
        """
        rows = self.asked or self.pieces
        found = dict.fromkeys(piece.signatory for piece in rows)
        return [(who, sums_of(p for p in rows if p.signatory == who)) for who in found]

    def by_imputation(self) -> list[tuple[Imputation, Sums]]:
        """Return the sums of the pieces asked for by imputation, in its order."""
        asked = self.asked
        found = sorted({piece.imputation for piece in asked}, key=str)
        return [(where, sums_of(p for p in asked if p.imputation == where)) for where in found]


def sums_of(pieces: Iterable[Piece]) -> Sums:
    """Add pieces up."""
    titres, corrections = [], []
    for piece in pieces:
        (titres if piece.is_titre else corrections).append(piece.total)
    return Sums(len(titres), sum(titres, ZERO), len(corrections), sum(corrections, ZERO))


def read_etat(campaign: Campaign, *, rank: int, on: date) -> Etat | None:
    """Return the état n° `rank` of a campaign, dated `on`; None while no titre is issued."""
    asked_by = {
        reference: former
        for former, names in Sending.objects.filter(campaign=campaign, rank__lt=rank)
        .order_by("-rank")
        .values_list("rank", "attachments")
        for reference in names
    }
    titres = Titre.objects.filter(campaign=campaign).select_related("bordereau__issuer", "original")
    titres = titres.defer("original__payload").prefetch_related("lines")
    pieces, last, bordereaux = [], None, {}
    for titre in titres.order_by("issued_on", "kind", "number", "pk").iterator(chunk_size=CHUNK):
        pieces.append(_piece(titre, asked_by.get(titre.reference, rank)))
        bordereaux[titre.bordereau_id] = titre.bordereau
        last = titre.payload
    if last is None:
        return None
    pieces.sort(key=lambda piece: (not piece.is_titre, piece.imputation.exercice, piece.reference))
    return Etat(
        campaign, rank, on, tuple(pieces), last["issuer"], last["accountant"],
        tuple(sorted(bordereaux.values(), key=str)),
    )  # fmt: skip


def _piece(titre: Titre, asked_by: int) -> Piece:
    frozen, original = titre.payload, titre.original
    debtor, document = frozen["debtor"], frozen["document"]
    return Piece(
        key=titre.pk,
        reference=titre.reference,
        number=titre.external_reference,
        kind=titre.kind,
        own_number=not document.get("external", False),
        specimen=document["specimen"],
        asked_by=asked_by,
        bordereau=titre.bordereau_id,
        bordereau_label=str(titre.bordereau),
        issued_on=titre.issued_on,
        original=original.reference if original else "",
        original_number=original.external_reference if original else "",
        reason=titre.reason,
        debtor=debtor["name"],
        siret=debtor["siret"],
        address=tuple(line for line in debtor["address"] if line.strip()),
        service_code=debtor["service_code"],
        engagement=debtor["engagement_number"],
        party=debtor.get("party", ""),
        subject=frozen["subject"],
        foundations=tuple(frozen["foundations"]),
        sources=tuple(frozen["sources"]),
        imputation=Imputation(
            titre.exercice,
            tuple((item["label"], item["value"]) for item in frozen["imputation"]),
            frozen["issuer"]["cost_centre"],
        ),
        total=titre.total,
        bases=tuple(sorted(titre.lines.all(), key=lambda line: line.position)),
        signatory=Signatory(**frozen["signatory"]),
    )
