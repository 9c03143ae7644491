"""The « avis des sommes à payer » of a titre: a document of its own, attached to its piece (PJ 006).

Hélios lays it out and puts it on Chorus Pro once the titre is taken in charge. Its order is that of the
public schemas of PES_Facture (editions of 2016 and 5.3), which no file provided here holds; its lengths
are checked by `rules`.
"""

from decimal import Decimal

from lxml import etree

from invoicing.pes.elements import (
    begin,
    child,
    put_address,
    put_body,
    put_debtor,
    put_identity,
    saying,
    written,
)
from invoicing.pes.facts import CATEGORIES, Flow, Line, Piece, netted
from invoicing.pes.latin import fitted
from invoicing.pes.places import name_lines

CHORUS_PRO = "09"  # TypeFact
CASHING_CENTRE, POST, ISSUER = "25", "26", "20"
CENTRE = ("CENTRE D'ENCAISSEMENT", "DES FINANCES PUBLIQUES")
WITHOUT_SLIP = 1
SUBJECT, LABEL, ROLE = 160, 200, 50
NO_CONDITION = "Sans objet"  # asked for, never printed
NO_VAT = Decimal("0.00")


def notice(flow: Flow, piece: Piece) -> bytes:
    """Return the document of a piece; the facts are those of the flow, which `rules` checks."""
    root = begin(flow, f"{piece.invoice_number}.xml")
    invoices = child(root, "PES_Facture")
    say = saying(invoices)
    say("IdVer", 2)
    say("Annee", flow.bordereau.exercice)
    say("TypeFact", CHORUS_PRO)
    say("Date", piece.issued_on)
    _put_issuer(invoices, flow)
    _put_posts(invoices, flow)
    _put_invoice(invoices, flow, piece)
    child(invoices, "Nomenclatures")
    return written(root)


def _put_issuer(parent: etree._Element, flow: Flow) -> None:
    issuer = child(parent, "Emetteur")
    put_body(issuer, flow.body, ISSUER)
    more = saying(child(issuer, "InfoSuppl"))
    more("NumTel", flow.body.phone)
    if flow.body.payment_code:
        more("CodeTipi", flow.body.payment_code)
        more("AdrTipi", flow.body.payment_url)
    more("RefBdf", flow.body.bank_reference)
    signatory = child(issuer, "Signataire")
    person = saying(child(signatory, "Personne"))
    person("Nom", flow.signatory.last_name)
    person("Prenom", flow.signatory.first_name)
    saying(signatory)("Role", fitted(flow.signatory.quality, ROLE))


def _put_posts(parent: etree._Element, flow: Flow) -> None:
    """Add the centre that cashes, whose street is refused, and the accountant's office, each once."""
    category, nature = CATEGORIES["etat"]
    for kind, names in ((CASHING_CENTRE, list(CENTRE)), (POST, name_lines(flow.post.name)[:2])):
        post = child(parent, "Tiers")
        put_identity(child(post, "InfoTiers"), "", category, nature, kind, names)
        put_address(child(post, "Adresse"), flow.post.place, street=kind != CASHING_CENTRE)


def _put_invoice(parent: etree._Element, flow: Flow, piece: Piece) -> None:
    invoice = child(parent, "FactureIndiv")
    say = saying(invoice)
    say("DateEmission", piece.issued_on)
    say("NumeroFacture", piece.invoice_number)
    put_debtor(child(invoice, "Debiteur"), piece.debtor)
    say("Objet", fitted(piece.subject, SUBJECT))
    for rank, line in enumerate(shown_lines(piece), start=1):
        _put_line(invoice, piece, line, rank)
    total = saying(child(invoice, "TotalAPayer"))
    total("MtTotalHT", piece.total)
    total("MtTotalTVA", NO_VAT)
    total("MtTotalTTC", piece.total)
    titre = saying(child(invoice, "RefTitre"))
    titre("Exercice", flow.bordereau.exercice)
    titre("NumBordereau", flow.bordereau.number)
    titre("NumTitre", piece.number)
    titre("NumLigne", 1)
    say("ModalitesReglement", flow.settlement)
    say("ModalitesContestation", flow.remedies)
    say("ModeRecouvrement", WITHOUT_SLIP)
    say("ConditionsGen", NO_CONDITION)


def _put_line(parent: etree._Element, piece: Piece, line: Line, rank: int) -> None:
    say = saying(child(parent, "LigneFacture"))
    say("Date", piece.issued_on)
    say("Libelle", fitted(line.label, LABEL))
    say("Quantite", 1)
    say("MtUnitaire", line.amount)
    say("MtHT", line.amount)
    say("TauxTVA", NO_VAT)
    say("MtTVA", NO_VAT)
    say("MtTTC", line.amount)
    say("Ordre", rank)


def shown_lines(piece: Piece) -> list[Line]:
    """Return the lines to show: those of the titre, or one per imputation when some are deducted."""
    if all(line.amount > 0 for line in piece.lines):
        return list(piece.lines)
    return netted(piece)
