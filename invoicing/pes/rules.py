"""Every rule that a PES flow must keep, before a byte of it is written.

They come from the public schemas of the PES v2 and from their notes: types and lengths, enumerations,
totals, what an « avis des sommes à payer » by Chorus Pro asks for. None of them is Hélios's own check.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from invoicing.pes import facts, values
from invoicing.pes.facts import Flow, Piece
from invoicing.pes.findings import Finding, Rule
from invoicing.pes.latin import latin
from invoicing.pes.piece_rules import LINE, PIECE, total_of
from invoicing.pes.places import WIDTH, is_place

DESCRIPTION, SETTLEMENT, REMEDIES = 250, 250, 420
TYPES_OF_ATTACHMENT = {facts.SUPPORTING, facts.INVOICE, facts.COMPLEMENT}
NOTICE_TYPE = b'<TypeFact V="09"/>'
LARGEST_NAME, LARGEST_FILE_NAME = 100, 100

FLOW = (
    Rule(
        "nom-fichier",
        "Enveloppe/NomFic",
        lambda flow, _: not values.is_text(flow.file_name, LARGEST_FILE_NAME),
        f"le nom du fichier a de 1 à {LARGEST_FILE_NAME} caractères : produisez-le de nouveau.",
    ),
    Rule(
        "codique",
        "EnTetePES/IdPost",
        lambda flow, _: not values.is_codique(flow.post.code),
        "le codique a six ou sept chiffres, pas tous nuls : corrigez-le dans « Comptables », codique ; "
        "les titres déjà émis gardent celui de leur émission.",
        "accountant",
    ),
    Rule(
        "libelle-poste",
        "EnTetePES/LibellePoste",
        lambda flow, _: not latin(flow.post.name),
        "la dénomination du comptable manque : donnez-la dans « Comptables ».",
        "accountant",
    ),
    Rule(
        "siret-emetteur",
        "EnTetePES/IdColl",
        lambda flow, _: not values.is_siret(flow.body.siret, specimen=flow.specimen),
        "le SIRET de l'émetteur a quatorze chiffres et une clé juste : corrigez-le dans « Émetteurs ».",
        "issuer",
    ),
    Rule(
        "code-collectivite",
        "EnTetePES/CodCol",
        lambda flow, _: not values.is_body_code(flow.body.code),
        "le code de la collectivité a trois chiffres : demandez-le au comptable et donnez-le dans "
        "« Canaux d'envoi ».",
        "channel",
    ),
    Rule(
        "code-budget",
        "EnTetePES/CodBud",
        lambda flow, _: not values.is_budget_code(flow.body.budget),
        "le code du budget est un chiffre ou une majuscule, puis un chiffre (00, 01, A0) : corrigez-le "
        "dans « Émetteurs », code du budget.",
        "issuer",
    ),
    Rule(
        "libelle-collectivite",
        "EnTetePES/LibelleColBud",
        lambda flow, _: not latin(flow.body.name),
        "la dénomination de l'émetteur manque : donnez-la dans « Émetteurs ».",
        "issuer",
    ),
    Rule(
        "exercice",
        "BlocBordereau/Exer",
        lambda flow, _: (
            not values.is_number(flow.bordereau.exercice, 4) or flow.bordereau.exercice < 1900
        ),
        "l'exercice est une année sur quatre chiffres.",
    ),
    Rule(
        "numero-bordereau",
        "BlocBordereau/IdBord",
        lambda flow, _: not values.is_number(flow.bordereau.number, 7),
        "le numéro de bordereau a de un à sept chiffres et n'est pas nul.",
    ),
    Rule(
        "date-bordereau",
        "BlocBordereau/DteBordEm",
        lambda flow, _: flow.bordereau.issued_on < values.OLDEST,
        "la date du bordereau est postérieure à 1900.",
    ),
    Rule(
        "type-bordereau",
        "BlocBordereau/TypBord",
        lambda flow, _: flow.bordereau.kind not in (facts.ORDINARY, facts.CORRECTIVE),
        "un bordereau est ordinaire (01) ou d'annulations et de réductions (02).",
    ),
    Rule(
        "nombre-pieces",
        "BlocBordereau/NbrPce",
        lambda flow, _: (
            flow.bordereau.count != len(flow.pieces) or not values.is_number(len(flow.pieces), 5)
        ),
        "le nombre de pièces du bordereau n'est pas celui de ses pièces : vérifiez le registre "
        "(verify_ledger).",
    ),
    Rule(
        "cumul",
        "BlocBordereau/MtCumulAnnuel",
        lambda flow, _: (
            not values.is_amount(flow.bordereau.cumulated)
            or flow.bordereau.cumulated < flow.bordereau.total
        ),
        "le cumul de l'exercice comprend ce bordereau et tient sur quatorze chiffres.",
    ),
    Rule(
        "total-bordereau",
        "BlocBordereau/MtBordHt",
        lambda flow, _: (
            not values.is_amount(flow.bordereau.total)
            or flow.bordereau.total != total_of(line for piece in flow.pieces for line in piece.lines)
        ),
        "le total du bordereau est positif, sur quatorze chiffres au plus, et la somme de ses lignes : "
        "vérifiez le registre (verify_ledger).",
    ),
    Rule(
        "numeros-distincts",
        "BlocPiece/IdPce",
        lambda flow, _: len({piece.number for piece in flow.pieces}) != len(flow.pieces),
        "deux pièces du bordereau portent le même numéro.",
    ),
)
# What the « avis des sommes à payer » says, where at least a piece has one.
NOTICE = (
    Rule(
        "signataire",
        "Emetteur/Signataire",
        lambda flow, _: (
            not all(
                values.is_text(name, WIDTH)
                for name in (flow.signatory.first_name, flow.signatory.last_name)
            )
        ),
        f"le nom et le prénom du signataire ont de 1 à {WIDTH} caractères : corrigez-les dans "
        "« Signataires ».",
        "signatory",
    ),
    Rule(
        "role-signataire",
        "Emetteur/Signataire/Role",
        lambda flow, _: not latin(flow.signatory.quality),
        "la qualité du signataire manque : donnez-la dans « Signataires ».",
        "signatory",
    ),
    Rule(
        "reference-bancaire",
        "InfoSuppl/RefBdf",
        lambda flow, _: not values.is_text(flow.body.bank_reference, 35),
        "l'identifiant créancier (ICS) manque : demandez-le au comptable et donnez-le dans « Canaux "
        "d'envoi ».",
        "channel",
    ),
    Rule(
        "payfip",
        "InfoSuppl/CodeTipi",
        lambda flow, _: (
            bool(flow.body.payment_code)
            and not (values.is_payment_code(flow.body.payment_code) and flow.body.payment_url)
        ),
        "le code PayFiP a six chiffres et va avec l'adresse de paiement : donnez-les dans « Canaux "
        "d'envoi » et « Comptables », paiement en ligne.",
        "channel",
    ),
    Rule(
        "adresse-emetteur",
        "Emetteur/Adresse",
        lambda flow, _: not is_place(flow.body.place),
        f"l'adresse de l'émetteur tient sur trois lignes de {WIDTH} caractères, un code postal et une "
        "ville : corrigez-la dans « Émetteurs ».",
        "issuer",
    ),
    Rule(
        "adresse-comptable",
        "Tiers 26/Adresse",
        lambda flow, _: not is_place(flow.post.place),
        f"l'adresse du comptable tient sur trois lignes de {WIDTH} caractères, un code postal et une "
        "ville : corrigez-la dans « Comptables ».",
        "accountant",
    ),
    Rule(
        "modalites-reglement",
        "FactureIndiv/ModalitesReglement",
        lambda flow, _: not values.is_text(flow.settlement, SETTLEMENT),
        f"le texte a de 1 à {SETTLEMENT} caractères : donnez ou abrégez « asap-reglement » dans « "
        "Textes légaux », il n'est jamais coupé pour vous.",
        "text",
    ),
    Rule(
        "modalites-contestation",
        "FactureIndiv/ModalitesContestation",
        lambda flow, _: not values.is_text(flow.remedies, REMEDIES),
        f"le texte a de 1 à {REMEDIES} caractères : donnez ou abrégez « asap-contestation » dans « "
        "Textes légaux », il n'est jamais coupé pour vous.",
        "text",
    ),
)
ATTACHMENT = (
    Rule(
        "identifiant-pj",
        "PES_PJ/IdUnique",
        lambda item, _: not values.is_identifier(item.id),
        "l'identifiant d'une pièce jointe a de 1 à 50 lettres et chiffres, sans tiret.",
    ),
    Rule(
        "identifiant-unique",
        "PES_PJ/IdUnique",
        lambda item, flow: item.id in flow.sent_before or flow.times[item.id] > 1,
        "l'identifiant d'une pièce jointe ne sert qu'une fois, d'un envoi à l'autre aussi : produisez "
        "un nouvel envoi.",
    ),
    Rule(
        "nom-pj",
        "PES_PJ/NomPJ",
        lambda item, _: (
            not values.is_attachment_name(latin(item.name)) or len(latin(item.name)) > LARGEST_NAME
        ),
        f"le nom d'une pièce jointe a une extension de 2 à 4 lettres et {LARGEST_NAME} caractères au "
        "plus.",
    ),
    Rule(
        "type-pj",
        "PES_PJ/TypePJ",
        lambda item, _: item.kind not in TYPES_OF_ATTACHMENT,
        "une pièce jointe est justificative (002), un avis des sommes à payer (006) ou son complément "
        "(008).",
    ),
    Rule(
        "contenu-pj",
        "PES_PJ/Contenu",
        lambda item, _: not item.content or "/" not in item.mime,
        "le contenu d'une pièce jointe est vide, ou son type MIME manque.",
    ),
    Rule(
        "type-facture",
        "PES_Facture/TypeFact",
        lambda item, _: item.kind == facts.INVOICE and NOTICE_TYPE not in item.read(),
        "un avis des sommes à payer par Chorus Pro a le type 09 : produisez le fichier de nouveau.",
    ),
    Rule(
        "description-pj",
        "PES_PJ/Description",
        lambda item, _: not values.is_text(item.description, DESCRIPTION),
        f"la description d'une pièce jointe a de 1 à {DESCRIPTION} caractères.",
    ),
    Rule(
        "pj-citee",
        "PES_PJ/IdUnique",
        lambda item, flow: item.id not in flow.cited,
        "aucune pièce ne cite cette pièce jointe.",
    ),
)
RULES = (*FLOW, *NOTICE, *PIECE, *LINE, *ATTACHMENT)


REISSUED = " Un titre déjà émis s'annule et s'émet de nouveau."


def check(flow: Flow) -> list[Finding]:
    """Return all that stands against writing a flow, in French; nothing when it may be written."""
    found = [*of_whole(flow), *of_pieces(flow.pieces, flow)]
    for item in flow.attachments:
        found += _broken(ATTACHMENT, item, flow, item.name or item.id)
    return found


def of_whole(flow: Flow) -> Iterator[Finding]:
    """Give what breaks the rules of a bordereau, whatever its pieces."""
    yield from _broken(FLOW, flow, flow, "Bordereau")
    if any(piece.edition == facts.BY_CHORUS_PRO for piece in flow.pieces):
        yield from _broken(NOTICE, flow, flow, "Avis des sommes à payer")


def of_pieces(
    pieces: Iterable[Piece], flow: Flow, *, rules: tuple[Rule, ...] = PIECE, tail: str = REISSUED
) -> Iterator[Finding]:
    """Give what breaks the rules of each piece of a flow, and of its lines.

    `tail` is added to what an issued titre keeps, `rules` are those of a piece (see `of_drafts`).
    """
    for piece in pieces:
        named = f"{piece.invoice_number or piece.number}, {piece.debtor.name}"
        yield from _broken(rules, piece, flow, named, piece.key, tail)
        for line in facts.netted(piece):
            what = f"{named}, imputation {line.nature or '?'}"
            yield from _broken(LINE, line, flow, what, piece.key)


def of_drafts(pieces: Iterable[Piece], flow: Flow) -> Iterator[Finding]:
    """Give what would break the rules of pieces still to issue, which have no document yet."""
    return of_pieces(pieces, flow, rules=_OF_DRAFTS, tail="")


_OF_DRAFTS = tuple(rule for rule in PIECE if not rule.drawn)


def _broken(
    rules: tuple[Rule, ...], found: Any, flow: Flow, where: str, key: str = "", tail: str = ""
) -> Iterator[Finding]:
    for rule in rules:
        if rule.broken(found, flow):
            message = f"{rule.message}{tail}" if rule.frozen else rule.message
            yield Finding(rule.code, rule.element, where, message, rule.page, key)
