"""What a PES v2 file says, before it is checked and written: plain facts, in euros and days.

The names of the elements are those of the PES v2 (recette aller, revision 0).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property

ORDINARY, CORRECTIVE = "01", "02"  # TypBord and TypPce
REVENUE, REDUCTION = "01", "06"  # NatPce
WITHOUT_TREATMENT, BY_CHORUS_PRO = "04", "02"  # Edition
SUPPORTING, INVOICE, COMPLEMENT = "002", "006", "008"  # TypePJ
STATE_SIRET = "11000201100044"  # the one SIRET under which the State's services are billed

# CatTiers and NatJur by type of member.
CATEGORIES = {
    "commune": ("23", "09"),
    "epci": ("24", "09"),
    "syndicat": ("24", "09"),
    "departement": ("22", "09"),
    "region": ("21", "09"),
    "etat": ("20", "07"),
}


@dataclass(frozen=True)
class Place:
    """A postal address: the lines of the street, then the post code and the city."""

    lines: tuple[str, ...]
    postal_code: str
    city: str


@dataclass(frozen=True)
class Post:
    """The accountant's office; `code` is its codique."""

    code: str
    name: str
    place: Place


@dataclass(frozen=True)
class Body:
    """The body that bills; `code` and `budget` are those that the accountant knows it by in Hélios.

    `bank_reference` is its creditor identifier (ICS), or the number of issuer that precedes it; the two
    payment facts are those of PayFiP, if any.
    """

    siret: str
    code: str
    budget: str
    name: str
    place: Place
    bank_reference: str = ""
    payment_code: str = ""
    payment_url: str = ""
    phone: str = ""


@dataclass(frozen=True)
class Signatory:
    """Who orders the claims."""

    first_name: str
    last_name: str
    quality: str


@dataclass(frozen=True)
class Bordereau:
    """The numbered list; `count` and `total` are what was issued, `cumulated` the exercice so far."""

    exercice: int
    number: int
    issued_on: date
    kind: str
    count: int
    total: Decimal
    cumulated: Decimal


@dataclass(frozen=True)
class Debtor:
    """Who owes; `kind` is a type of member, a key of `CATEGORIES`."""

    siret: str
    kind: str
    name: str
    place: Place


@dataclass(frozen=True)
class Line:
    """An amount of an imputation; negative when it is deducted."""

    label: str
    product: str
    nature: str
    function: str
    amount: Decimal


@dataclass(frozen=True)
class Origin:
    """The titre that a correction corrects."""

    exercice: int
    number: int


@dataclass(frozen=True)
class Kept:
    """The bytes of a stored document, read only once they are written: there may be thousands."""

    sha256: str
    size: int
    read: Callable[[], bytes] = field(compare=False, repr=False)

    def __len__(self) -> int:
        return self.size


@dataclass(frozen=True)
class Attachment:
    """A document of the flow; `kind` is a TypePJ."""

    id: str
    name: str
    kind: str
    mime: str
    content: bytes | Kept
    description: str

    def read(self) -> bytes:
        """Return its bytes; raises what its store raises when they are lost."""
        return self.content.read() if isinstance(self.content, Kept) else self.content


@dataclass(frozen=True)
class Piece:
    """A titre, or the correction of one; `attachments` are identifiers of those of the flow.

    `key` is its row, for the links of what has to be mended.
    """

    key: str
    number: int
    kind: str
    nature: str
    edition: str
    issued_on: date
    subject: str
    invoice_number: str
    total: Decimal
    debtor: Debtor
    lines: tuple[Line, ...]
    engagement: str = ""
    service: str = ""
    origin: Origin | None = None
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flow:
    """A whole file: one bordereau, its pieces and their documents.

    `settlement` and `remedies` are the texts of the ASAP. A `specimen` is made of fictitious facts: an
    identifier of zeros passes, as it does on its documents.
    """

    file_name: str
    made_on: date
    post: Post
    body: Body
    signatory: Signatory
    bordereau: Bordereau
    pieces: tuple[Piece, ...]
    attachments: tuple[Attachment, ...] = ()
    settlement: str = ""
    remedies: str = ""
    specimen: bool = False
    sent_before: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def by_id(self) -> dict[str, Attachment]:
        """Return the attachments by identifier."""
        return {attachment.id: attachment for attachment in self.attachments}

    @cached_property
    def times(self) -> Counter[str]:
        """Count how many attachments bear each identifier."""
        return Counter(attachment.id for attachment in self.attachments)

    @cached_property
    def cited(self) -> set[str]:
        """Return the identifiers that pieces name."""
        return {name for piece in self.pieces for name in piece.attachments}

    def of_piece(self, piece: Piece) -> list[Attachment]:
        """Return the attachments of a piece, in the order in which it names them."""
        return [self.by_id[name] for name in piece.attachments if name in self.by_id]


def netted(piece: Piece) -> list[Line]:
    """Return one line per imputation, deductions taken off, in the order of first appearance.

    A line of the PES is positive: one that is not is refused by the rules.
    """
    sums: dict[tuple[str, str, str], Decimal] = {}
    for line in piece.lines:
        key = line.product, line.nature, line.function
        sums[key] = sums.get(key, Decimal("0.00")) + line.amount
    return [Line(piece.subject, *key, amount) for key, amount in sums.items()]
