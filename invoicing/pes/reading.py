"""The flow of an issued bordereau, from what was frozen at its issue and the documents stored then."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import partial

from django.db.models import Prefetch, QuerySet, Sum

from conventions.models import Paper, PaperKind
from entsvc import documents
from entsvc.models import StoredDocument
from invoicing.models import Bordereau, Channel, CostStatement, Sending, Titre, TitreDocument
from invoicing.pes import facts
from invoicing.pes.asap import notice
from invoicing.pes.facts import Attachment, Flow, Kept, Origin, Piece
from invoicing.pes.frozen import flow_of, mark_of, piece_of
from invoicing.pes.latin import latin

PDF = TitreDocument.Role.PDF
_NOT_PLAIN = re.compile(r"[^0-9A-Za-z]")


def read_flow(bordereau: Bordereau, *, channel: Channel, rank: int, on: date) -> Flow:
    """Return the flow of the sending `rank` of a bordereau, made on a day; nothing is checked yet.

    Stored documents are not read yet: raises CorruptDocument when one is absent or of another size.
    """
    titres = list(_titres(bordereau))
    flow = flow_of(
        titres[0].payload,
        bordereau,
        channel=channel,
        rank=rank,
        on=on,
        cumulated=cumulated(bordereau),
    )
    flow = replace(flow, sent_before=frozenset(_sent_before(bordereau)))
    held = _Attachments(mark_of(bordereau, rank), _papers(titres), _statements(titres))
    for titre in titres:
        held.add_piece(flow, _piece(titre), titre)
    return replace(flow, pieces=tuple(held.pieces), attachments=tuple(held.items))


def cumulated(bordereau: Bordereau) -> Decimal:
    """Return the euros of the bordereaux of a series up to one, itself counted once it is saved."""
    same = Bordereau.objects.filter(
        issuer=bordereau.issuer_id,
        budget=bordereau.budget,
        exercice=bordereau.exercice,
        kind=bordereau.kind,
        number__lte=bordereau.number,
    )
    return same.aggregate(sum=Sum("total"))["sum"] or Decimal("0.00")


def _titres(bordereau: Bordereau) -> QuerySet[Titre]:
    pdf = TitreDocument.objects.filter(role=PDF).select_related("document").order_by("pk")
    originals = Titre.objects.defer("payload").order_by("pk")
    return (
        bordereau.titres.select_related("debtor", "campaign__schedule")
        .prefetch_related("lines", Prefetch("documents", pdf), Prefetch("original", originals))
        .order_by("number")
    )


def _piece(titre: Titre) -> Piece:
    original = titre.original
    return piece_of(
        titre.payload,
        key=str(titre.pk),
        total=titre.total,
        debtor_kind=titre.debtor.kind,
        origin=original and Origin(original.exercice, original.number),
    )


def _papers(titres: Iterable[Titre]) -> dict[tuple[int, str], Paper]:
    """Return, by schedule and reference, the signed agreements that were on file at the issue."""
    schedules = {titre.campaign.schedule_id for titre in titres}
    references = {line.agreement for titre in titres for line in titre.lines.all()} - {""}
    issued_at = max(titre.bordereau.issued_at for titre in titres)
    signed = Paper.objects.filter(
        convention__schedule__in=schedules,
        convention__reference__in=references,
        kind=PaperKind.AGREEMENT,
        role=Paper.Role.SIGNED,
        at__lte=issued_at,
    ).select_related("convention", "document")
    return {(p.convention.schedule_id, p.convention.reference): p for p in signed.order_by("at", "pk")}


def _statements(titres: Iterable[Titre]) -> dict[tuple[int, int, str], CostStatement]:
    """Return, by schedule, year and charge, the closed statements of expenses that titres annex."""
    campaigns = {titre.campaign for titre in titres if titre.payload.get("annexes")}
    closed = CostStatement.objects.filter(
        schedule__in={campaign.schedule_id for campaign in campaigns},
        school_year__in={campaign.school_year for campaign in campaigns},
        document__isnull=False,
    ).select_related("document", "schedule")
    return {(row.schedule_id, row.school_year, row.charge): row for row in closed.order_by("pk")}


def _sent_before(bordereau: Bordereau) -> Iterator[str]:
    rows = Sending.objects.filter(bordereau=bordereau).order_by("rank")
    for names in rows.values_list("attachments", flat=True):
        yield from names


@dataclass
class _Attachments:
    """The documents of a flow, numbered as pieces name them; one that several name goes once."""

    mark: str
    papers: dict[tuple[int, str], Paper]
    statements: dict[tuple[int, int, str], CostStatement]
    items: list[Attachment] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    known: dict[int, str] = field(default_factory=dict)

    def add_piece(self, flow: Flow, piece: Piece, titre: Titre) -> None:
        """Add a piece with its documents: the notice and its titre, then what proves it."""
        named = []
        ordinary = piece.edition == facts.BY_CHORUS_PRO
        if ordinary:
            what = f"Avis des sommes à payer du titre {titre.reference}"
            content = notice(flow, piece)
            named.append(
                self._add(f"{titre.reference}.xml", facts.INVOICE, "application/xml", content, what)
            )
        named.append(self._document(titre, facts.COMPLEMENT if ordinary else facts.SUPPORTING))
        named += self._proofs(titre)
        self.pieces.append(replace(piece, attachments=tuple(dict.fromkeys(named))))

    def _document(self, titre: Titre, kind: str) -> str:
        """Return the identifier of the stored titre; one that nothing bears when it is not drawn yet."""
        link = next(iter(titre.documents.all()), None)
        if link is None:
            return f"{self.mark}SANS{titre.number}"
        what = f"{titre.get_kind_display()} {titre.reference}"
        return self._stored(link.document, f"{titre.reference}.pdf", kind, what)

    def _proofs(self, titre: Titre) -> list[str]:
        named, schedule = [], titre.campaign.schedule
        for reference in sorted({line.agreement for line in titre.lines.all()} - {""}):
            paper = self.papers.get((schedule.pk, reference))
            if paper:
                name = f"convention-{_NOT_PLAIN.sub('-', latin(reference))}.pdf"
                what = f"Convention {reference}"
                named.append(self._stored(paper.document, name, facts.SUPPORTING, what))
        if titre.payload.get("annexes"):
            for charge in sorted({item["code"] for item in titre.payload["charges"]}):
                row = self.statements.get((schedule.pk, titre.campaign.school_year, charge))
                if row:
                    name = f"depenses-{row.charge}-{row.school_year}.pdf"
                    what = f"État des dépenses {row.charge} {row.school_year_label}"
                    named.append(self._stored(row.document, name, facts.SUPPORTING, what))
        return named

    def _stored(self, document: StoredDocument, name: str, kind: str, what: str) -> str:
        if document.pk not in self.known:
            documents.check(document.path, document.sha256, document.size, whole=False)
            content = Kept(document.sha256, document.size, partial(documents.read, document))
            self.known[document.pk] = self._add(name, kind, document.content_type, content, what)
        return self.known[document.pk]

    def _add(self, name: str, kind: str, mime: str, content: bytes | Kept, what: str) -> str:
        identifier = f"{self.mark}P{len(self.items) + 1}"
        self.items.append(Attachment(identifier, name, kind, mime, content, what))
        return identifier
