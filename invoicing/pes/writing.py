"""The bytes of a PES v2 file of titres, in the order of its schema; the same for the same facts."""

from io import BytesIO

from lxml import etree

from invoicing.pes import facts
from invoicing.pes.elements import begin, child, packed, put_debtor, saying
from invoicing.pes.facts import Attachment, Flow, Line, Piece, netted
from invoicing.pes.findings import Finding
from invoicing.pes.latin import ENCODING, fitted
from invoicing.pes.piece_rules import SUBJECT
from invoicing.pes.rules import DESCRIPTION, check

UNSIGNED = 0
ELECTRONIC = "01"


class FlowRefused(Exception):
    """The flow breaks rules: nothing is written. `findings` say which."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        super().__init__(" ".join(map(str, findings)))


def write(flow: Flow) -> bytes:
    """Return the file of a flow; raise FlowRefused, before writing anything, when a rule is broken.

    Its documents are read and written one by one: raises what their store raises when one is lost.
    """
    findings = check(flow)
    if findings:
        raise FlowRefused(findings)
    head = begin(flow, flow.file_name)
    stream = BytesIO()
    with etree.xmlfile(stream, encoding=ENCODING) as file:
        file.write_declaration()
        with file.element(head.tag, nsmap=head.nsmap):
            for part in head:
                file.write(part)
            _write_revenue(file, flow)
            if flow.attachments:
                _write_attachments(file, flow)
    return stream.getvalue()


def _write_revenue(file: etree.xmlfile, flow: Flow) -> None:
    revenue = etree.Element("PES_RecetteAller")
    header = saying(child(revenue, "EnTeteRecette"))
    header("IdVer", 2)
    header("InfoDematerialisee", UNSIGNED)
    bordereau = child(revenue, "Bordereau")
    _put_bordereau(bordereau, flow)
    for piece in flow.pieces:
        _put_piece(child(bordereau, "Piece"), flow, piece)
    file.write(revenue)


def _write_attachments(file: etree.xmlfile, flow: Flow) -> None:
    with file.element("PES_PJ"):
        header = etree.Element("EnTetePES_PJ")
        saying(header)("IdVer", 1)
        file.write(header)
        for item in flow.attachments:
            one = etree.Element("PJ")
            _put_attachment(one, item)
            file.write(one)


def _put_bordereau(parent: etree._Element, flow: Flow) -> None:
    say, bordereau = saying(child(parent, "BlocBordereau")), flow.bordereau
    say("Exer", bordereau.exercice)
    say("IdBord", bordereau.number)
    say("DteBordEm", bordereau.issued_on)
    say("TypBord", bordereau.kind)
    say("NbrPce", len(flow.pieces))
    say("MtCumulAnnuel", bordereau.cumulated)
    say("MtBordHt", bordereau.total)


def _put_piece(parent: etree._Element, flow: Flow, piece: Piece) -> None:
    head = child(parent, "BlocPiece")
    say = saying(head)
    say("IdPce", piece.number)
    say("TypPce", piece.kind)
    say("NatPce", piece.nature)
    say("Edition", piece.edition)
    say("ObjPce", fitted(piece.subject, SUBJECT))
    for item in flow.of_piece(piece):
        reference = saying(child(head, "PJRef"))
        reference("Support", ELECTRONIC)
        reference("IdUnique", item.id)
        reference("NomPJ", item.name)
    if piece.edition == facts.BY_CHORUS_PRO:
        say("NumeroFacture", piece.invoice_number)
    say("NumeroEngagement", piece.engagement)
    say("CodeService", piece.service)
    for rank, line in enumerate(netted(piece), start=1):
        _put_line(child(parent, "LigneDePiece"), piece, line, rank)


def _put_line(parent: etree._Element, piece: Piece, line: Line, rank: int) -> None:
    block = child(parent, "BlocLignePiece")
    say = saying(child(block, "InfoLignePiece"))
    say("IdLigne", rank)
    say("ObjLignePce", fitted(line.label, SUBJECT))
    say("CodProdLoc", line.product)
    say("Nature", line.nature)
    say("Fonction", line.function)
    say("Majo", 0)
    say("TvaIntraCom", 0)
    say("MtHT", line.amount)
    if piece.origin:
        origin = saying(child(block, "RattachPiece"))
        origin("NatPceOrig", facts.REVENUE)
        origin("ExerRat", piece.origin.exercice)
        origin("IdPceOrig", piece.origin.number)
        origin("IdLigneOrig", rank)
    put_debtor(child(parent, "Tiers"), piece.debtor)


def _put_attachment(parent: etree._Element, item: Attachment) -> None:
    document = child(child(parent, "Contenu"), "Fichier")
    document.set("MIMEType", item.mime)
    document.text = packed(item.read())
    say = saying(parent)
    say("IdUnique", item.id)
    say("NomPJ", item.name)
    say("TypePJ", item.kind)
    say("Description", fitted(item.description, DESCRIPTION))
