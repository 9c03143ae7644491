"""What stands against handing an état liquidatif over, and what its reader should know.

Décret 2012-1246, art. 24 (bases of the liquidation); the budget lines are those by which the State's
chain imputes a claim. What is found here is frozen in a titre: only annulling it mends it.
"""

from collections.abc import Callable, Iterable

from entsvc.french import plural
from invoicing.liquidation.reading import ZERO, Etat, Piece
from members.identifiers import check_siret

NAMED = 5  # references told in a message
PROGRAMME, ACCOUNT = "Programme", "Compte"


def against(etat: Etat) -> list[str]:
    """Return what keeps an état from being made, each with the pieces concerned."""
    rules: tuple[tuple[str, Callable[[Piece], bool]], ...] = (
        ("programme ou fonds de concours", lambda piece: not piece.imputation.line(PROGRAMME)),
        ("compte", lambda piece: not piece.imputation.line(ACCOUNT)),
        ("centre de coûts", lambda piece: not piece.imputation.cost_centre),
        ("convention ou acte qui fonde la créance", _without_foundation),
        ("bases de liquidation égales au montant", _without_bases),
    )
    found = []
    for words, lacks in rules:
        names = [piece.reference for piece in etat.asked if lacks(piece)]
        if names:
            found.append(f"Il manque « {words} » à {_named(names)} : annulez et ré-émettez.")
    return found


def to_know(etat: Etat) -> list[str]:
    """Return what does not keep the état from being made."""
    asked, told = etat.asked, []
    if etat.specimen:
        told.append("SPÉCIMEN : son comptable ou son signataire est fictif, ne le remettez pas.")
    if etat.rank > 1:
        recalled = plural(len(etat.recalled), "pièce déjà demandée", "pièces déjà demandées")
        told.append(
            f"{plural(etat.rank - 1, 'état a déjà été produit', 'états ont déjà été produits')} : "
            f"celui-ci rappelle {recalled}, sans les demander de nouveau."
            + ("" if asked else " Il ne demande rien de plus.")
        )
    own = [piece.reference for piece in asked if piece.own_number]
    if own:
        told.append(
            f"{_named(own)} : notre série leur donne un numéro définitif. Pour que la chaîne de l'État "
            "numérote les prochains, réglez « Numérotation des séries » sur « externe »."
        )
    wrong = [f"{piece.debtor} ({piece.reference})" for piece in asked if not _is_siret(piece.siret)]
    if wrong:
        told.append(f"SIRET faux, que Chorus refusera : {_named(wrong)}.")
    if len(etat.signatories) > 1:
        told.append(
            f"{plural(len(etat.signatories), 'ordonnateur a', 'ordonnateurs ont')} émis ces pièces : "
            "l'état a une signature pour chacun."
        )
    return told


def _without_foundation(piece: Piece) -> bool:
    return piece.is_titre and not piece.foundations


def _without_bases(piece: Piece) -> bool:
    return sum((line.amount for line in piece.bases), ZERO) != piece.total


def _is_siret(text: str) -> bool:
    try:
        check_siret(text)
    except ValueError:
        return False
    return True


def _named(names: Iterable[str]) -> str:
    names = list(names)
    more = f" et {len(names) - NAMED} de plus" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
