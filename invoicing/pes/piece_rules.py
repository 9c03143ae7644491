"""The rules that each piece of a PES flow must keep, with its debtor and its lines (see `rules`)."""

from collections.abc import Iterable
from decimal import Decimal

from invoicing.pes import facts, values
from invoicing.pes.facts import Line
from invoicing.pes.findings import Rule
from invoicing.pes.latin import latin
from invoicing.pes.places import WIDTH, is_name, is_street

SUBJECT = 160
TRIPLETS = {(facts.ORDINARY, facts.REVENUE), (facts.CORRECTIVE, facts.REDUCTION)}
EDITIONS = {facts.BY_CHORUS_PRO, facts.WITHOUT_TREATMENT}

PIECE = (
    Rule(
        "numero-piece",
        "BlocPiece/IdPce",
        lambda piece, _: not values.is_number(piece.number, 8),
        "le numéro de la pièce a de un à huit chiffres et n'est pas nul.",
    ),
    Rule(
        "type-piece",
        "BlocPiece/TypPce et NatPce",
        lambda piece, flow: (
            (piece.kind, piece.nature) not in TRIPLETS or piece.kind != flow.bordereau.kind
        ),
        "un titre est 01/01 sur un bordereau 01, une annulation ou une réduction 02/06 sur un bordereau "
        "02.",
    ),
    Rule(
        "edition",
        "BlocPiece/Edition",
        lambda piece, _: piece.edition not in EDITIONS,
        "l'édition est 02 (avis des sommes à payer par Chorus Pro) ou 04 (sans traitement).",
    ),
    Rule(
        "objet",
        "BlocPiece/ObjPce",
        lambda piece, _: not values.is_text(piece.subject[:SUBJECT], SUBJECT),
        "l'objet manque : donnez-le dans « Barèmes », objet des titres.",
        "schedule",
    ),
    Rule(
        "numero-facture",
        "BlocPiece/NumeroFacture",
        lambda piece, _: (
            not values.is_invoice_number(piece.invoice_number)
            if piece.edition == facts.BY_CHORUS_PRO
            else False
        ),
        "la référence du titre a de 1 à 20 lettres sans accent, chiffres, espaces, - / _ ou +.",
    ),
    Rule(
        "engagement",
        "BlocPiece/NumeroEngagement",
        lambda piece, _: not values.is_optional_text(piece.engagement, 50),
        "le numéro d'engagement a 50 caractères au plus, pas tous nuls : corrigez-le dans « Membres ».",
        "member",
        frozen=True,
    ),
    Rule(
        "engagement-etat",
        "BlocPiece/NumeroEngagement",
        lambda piece, _: values.lacks_engagement(piece.debtor.siret, piece.engagement),
        "un service de l'État exige un numéro d'engagement : donnez-le dans « Membres ».",
        "member",
        frozen=True,
    ),
    Rule(
        "code-service",
        "BlocPiece/CodeService",
        lambda piece, _: len(latin(piece.service)) > 100,
        "le code service a 100 caractères au plus : corrigez-le dans « Membres ».",
        "member",
        frozen=True,
    ),
    Rule(
        "piece-facture",
        "BlocPiece/PJRef",
        lambda piece, flow: (
            piece.edition == facts.BY_CHORUS_PRO
            and [item.kind for item in flow.of_piece(piece)].count(facts.INVOICE) != 1
        ),
        "l'édition 02 va avec une pièce jointe 006, l'avis des sommes à payer, et une seule.",
        drawn=True,
    ),
    Rule(
        "piece-jointe",
        "BlocPiece/PJRef",
        lambda piece, flow: not piece.attachments or len(flow.of_piece(piece)) != len(piece.attachments),
        "son document ou une autre pièce jointe manque : produisez d'abord les PDF du bordereau (« PDF "
        "manquants »).",
        "titre",
        drawn=True,
    ),
    Rule(
        "lignes",
        "Piece/LigneDePiece",
        lambda piece, _: not piece.lines,
        "une pièce a au moins une ligne.",
    ),
    Rule(
        "total-piece",
        "BlocPiece/LigneDePiece",
        lambda piece, _: total_of(piece.lines) != piece.total,
        "la somme de ses lignes n'est pas son total : vérifiez le registre (verify_ledger).",
    ),
    Rule(
        "rattachement",
        "BlocLignePiece/RattachPiece",
        lambda piece, _: piece.kind == facts.CORRECTIVE and piece.origin is None,
        "une annulation ou une réduction nomme le titre qu'elle corrige.",
    ),
    Rule(
        "rattachement-de-trop",
        "BlocLignePiece/RattachPiece",
        lambda piece, _: piece.kind == facts.ORDINARY and piece.origin is not None,
        "un titre ordinaire n'en corrige aucun autre.",
    ),
    Rule(
        "exercice-origine",
        "RattachPiece/ExerRat",
        lambda piece, flow: (
            piece.origin is not None and piece.origin.exercice != flow.bordereau.exercice
        ),
        "un titre d'un exercice clos ne se réduit plus : il se compense par un mandat (« Demandes de "
        "mandat »).",
    ),
    Rule(
        "numero-origine",
        "RattachPiece/IdPceOrig",
        lambda piece, _: piece.origin is not None and not values.is_number(piece.origin.number, 8),
        "le numéro du titre d'origine a de un à huit chiffres et n'est pas nul.",
    ),
    Rule(
        "siret-debiteur",
        "InfoTiers/IdTiers",
        lambda piece, _: not values.is_siret(piece.debtor.siret),
        "le SIRET du débiteur a quatorze chiffres et une clé juste : corrigez-le dans « Membres ».",
        "member",
        frozen=True,
    ),
    Rule(
        "categorie-tiers",
        "InfoTiers/CatTiers et NatJur",
        lambda piece, _: piece.debtor.kind not in facts.CATEGORIES,
        "la catégorie du débiteur se lit de son type, commune, EPCI, syndicat ou département : "
        "donnez-le dans « Membres », type.",
        "member",
    ),
    Rule(
        "nom-debiteur",
        "InfoTiers/Nom",
        lambda piece, _: not is_name(piece.debtor.name),
        f"le nom du débiteur tient sur deux lignes de {WIDTH} caractères : abrégez-le dans « Membres ».",
        "member",
        frozen=True,
    ),
    Rule(
        "adresse-debiteur",
        "Tiers/Adresse/Adr2",
        lambda piece, _: not is_street(piece.debtor.place),
        f"la rue du débiteur tient sur trois lignes de {WIDTH} caractères : abrégez-la dans « Membres "
        "», adresse.",
        "member",
        frozen=True,
    ),
    Rule(
        "code-postal",
        "Tiers/Adresse/CP",
        lambda piece, _: not values.is_postal_code(piece.debtor.place.postal_code),
        "le code postal du débiteur a cinq chiffres : corrigez-le dans « Membres ».",
        "member",
        frozen=True,
    ),
    Rule(
        "ville",
        "Tiers/Adresse/Ville",
        lambda piece, _: not values.is_text(piece.debtor.place.city, WIDTH),
        f"la ville du débiteur a de 1 à {WIDTH} caractères : corrigez-la dans « Membres ».",
        "member",
        frozen=True,
    ),
)
LINE = (
    Rule(
        "code-produit",
        "InfoLignePiece/CodProdLoc",
        lambda line, _: not values.is_product(line.product),
        "le code produit local a de une à quatre lettres ou chiffres, pas tous nuls : demandez-le au "
        "comptable et donnez-le dans « Barèmes », code produit local.",
        "schedule",
    ),
    Rule(
        "nature",
        "InfoLignePiece/Nature",
        lambda line, _: not values.is_nature(line.nature),
        "la nature est un compte de 1 à 12 chiffres : corrigez-la dans « Barèmes », compte.",
        "schedule",
    ),
    Rule(
        "fonction",
        "InfoLignePiece/Fonction",
        lambda line, _: not values.is_function(line.function),
        "la fonction a dix chiffres au plus : corrigez-la dans « Barèmes », fonction.",
        "schedule",
    ),
    Rule(
        "montant-ligne",
        "InfoLignePiece/MtHT",
        lambda line, _: not values.is_amount(line.amount),
        "une fois les déductions retirées, le montant de cette imputation doit rester positif, en "
        "centimes, sur quatorze chiffres au plus : le PES n'a pas de ligne nulle ou négative.",
        "titre",
    ),
)


def total_of(lines: Iterable[Line]) -> Decimal:
    """Return the euros of lines."""
    return sum((line.amount for line in lines), Decimal("0.00"))
