"""The flow of an issued bordereau, from what was frozen at its issue and the documents stored then.

Two facts come from elsewhere: the channel of the issuer, and the type of each debtor, which no document
prints.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Prefetch, QuerySet, Sum

from conventions.models import Paper, PaperKind
from entsvc import documents
from entsvc import texts as dated_texts
from entsvc.models import StoredDocument
from invoicing.models import Bordereau, Channel, CostStatement, Sending, Titre, TitreDocument
from invoicing.pes import facts
from invoicing.pes.asap import notice
from invoicing.pes.facts import Attachment, Flow, Line, Origin, Piece, Place
from invoicing.pes.latin import latin

SETTLEMENT, REMEDIES = "asap-reglement", "asap-contestation"
PDF = TitreDocument.Role.PDF
SPECIMEN = "SPECIMEN_"
_PLACE = re.compile(r"(\d{5}) (.+)")
_NOT_PLAIN = re.compile(r"[^0-9A-Za-z]")


def read_flow(bordereau: Bordereau, *, channel: Channel, rank: int, on: date) -> Flow:
    """Return the flow of the sending `rank` of a bordereau, made on a day; nothing is checked yet.

    Raises CorruptDocument when a stored document is no longer what it was.
    """
    titres = list(_titres(bordereau))
    frozen = titres[0].payload
    specimen = frozen["document"]["specimen"]
    texts = dated_texts.in_force(
        [frozen["document"]["regime"], bordereau.issuer.code], bordereau.issued_on
    )
    values = {
        "tribunal": bordereau.issuer.tribunal,
        "emetteur": frozen["issuer"]["name"],
        "comptable": frozen["accountant"]["name"],
    }
    mark = mark_of(bordereau, rank)
    flow = Flow(
        file_name=f"{SPECIMEN if specimen else ''}PESALR1_{mark}.xml",
        made_on=on,
        post=facts.Post(
            frozen["accountant"]["codique"],
            frozen["accountant"]["name"],
            place_of(frozen["accountant"]["address"]),
        ),
        body=_body(frozen, bordereau, channel),
        signatory=facts.Signatory(
            *(frozen["signatory"][name] for name in ("first_name", "last_name", "quality"))
        ),
        bordereau=_head(bordereau),
        pieces=(),
        settlement=dated_texts.fill(texts.get(SETTLEMENT, ""), values),
        remedies=dated_texts.fill(texts.get(REMEDIES, ""), values),
        specimen=specimen,
        sent_before=frozenset(_sent_before(bordereau)),
    )
    held = _Attachments(mark, _papers(titres), _statements(titres))
    for titre in titres:
        held.add_piece(flow, _piece(titre), titre)
    return replace(flow, pieces=tuple(held.pieces), attachments=tuple(held.items))


def mark_of(bordereau: Bordereau, rank: int) -> str:
    """Return what names a sending among all those of every issuer, in letters and digits alone."""
    letter = "B" if bordereau.kind == Bordereau.Kind.TITRES else "C"
    issuer = _NOT_PLAIN.sub("", bordereau.issuer.code).upper()
    return f"{issuer}{bordereau.budget}{bordereau.exercice}{letter}{bordereau.number}E{rank}"


def place_of(address: list[str]) -> Place:
    """Return the address that a document prints, whose last line is the post code and the city."""
    *lines, last = address or [""]
    found = _PLACE.fullmatch(last)
    code, city = found.groups() if found else ("", last)
    return Place(tuple(line.strip() for line in lines if line.strip()), code, city)


def _titres(bordereau: Bordereau) -> QuerySet[Titre]:
    pdf = TitreDocument.objects.filter(role=PDF).select_related("document").order_by("pk")
    originals = Titre.objects.defer("payload").order_by("pk")
    return (
        bordereau.titres.select_related("debtor", "campaign__schedule")
        .prefetch_related("lines", Prefetch("documents", pdf), Prefetch("original", originals))
        .order_by("number")
    )


def _body(frozen: dict[str, Any], bordereau: Bordereau, channel: Channel) -> facts.Body:
    return facts.Body(
        siret=frozen["issuer"]["siret"],
        code=channel.body_code,
        budget=bordereau.budget,
        name=frozen["issuer"]["name"],
        place=place_of(frozen["issuer"]["address"]),
        bank_reference=channel.bank_reference,
        payment_code=channel.payment_code,
        payment_url=frozen["accountant"]["payment_url"] if channel.payment_code else "",
        phone=frozen["issuer"]["contact"]["phone"],
    )


def _head(bordereau: Bordereau) -> facts.Bordereau:
    same = Bordereau.objects.filter(
        issuer=bordereau.issuer_id,
        budget=bordereau.budget,
        exercice=bordereau.exercice,
        kind=bordereau.kind,
        number__lte=bordereau.number,
    )
    ordinary = bordereau.kind == Bordereau.Kind.TITRES
    return facts.Bordereau(
        exercice=bordereau.exercice,
        number=bordereau.number,
        issued_on=bordereau.issued_on,
        kind=facts.ORDINARY if ordinary else facts.CORRECTIVE,
        count=bordereau.count,
        total=bordereau.total,
        cumulated=same.aggregate(sum=Sum("total"))["sum"],
    )


def _piece(titre: Titre) -> Piece:
    frozen, ordinary = titre.payload, titre.kind == Titre.Kind.TITRE
    debtor = frozen["debtor"]
    return Piece(
        key=str(titre.pk),
        number=titre.number,
        kind=facts.ORDINARY if ordinary else facts.CORRECTIVE,
        nature=facts.REVENUE if ordinary else facts.REDUCTION,
        edition=facts.BY_CHORUS_PRO if ordinary else facts.WITHOUT_TREATMENT,
        issued_on=titre.issued_on,
        subject=frozen["subject"],
        invoice_number=titre.reference,
        total=titre.total,
        debtor=facts.Debtor(
            debtor["siret"], titre.debtor.kind, debtor["name"], place_of(debtor["address"])
        ),
        lines=tuple(_lines(frozen)),
        engagement=debtor["engagement_number"],
        service=debtor["service_code"],
        origin=None if ordinary else Origin(titre.original.exercice, titre.original.number),
    )


def _lines(frozen: dict[str, Any]) -> Iterator[Line]:
    """Give what a document sums up by charge, under the imputation that it prints."""
    imputation = {item["label"]: item["value"] for item in frozen["imputation"]}
    for charge in frozen["charges"]:
        words = f"{charge['label']} : {charge['formula']}" if charge["formula"] else charge["label"]
        yield Line(
            label=words,
            product=imputation.get("Code produit local", ""),
            nature=imputation.get("Nature", ""),
            function=imputation.get("Fonction", ""),
            amount=Decimal(charge["amount"]),
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
            content = documents.read(document)
            self.known[document.pk] = self._add(name, kind, document.content_type, content, what)
        return self.known[document.pk]

    def _add(self, name: str, kind: str, mime: str, content: bytes, what: str) -> str:
        identifier = f"{self.mark}P{len(self.items) + 1}"
        self.items.append(Attachment(identifier, name, kind, mime, content, what))
        return identifier
