"""How the causes of a difference are said, in French."""

from decimal import Decimal

from entsvc.french import NO_BREAK, euros, integer, plural
from invoicing.review_causes import (
    ACTIVE,
    ADJUSTMENT,
    DEDUCTION,
    ENTERED,
    ISSUED,
    LEFT,
    OPTION,
    POOL,
    PRICE,
    PUPILS,
    SHARE,
    UNITS,
    UNPRICED,
    Effect,
)

CAUSES = {
    ENTERED: "Écoles entrées",
    LEFT: "Écoles sorties",
    UNPRICED: "Écoles sans montant d'un des deux côtés",
    PUPILS: "Élèves",
    ACTIVE: "Élèves actifs",
    OPTION: "Options prises ou laissées",
    UNITS: "Prestations à l'unité",
    PRICE: "Tarif",
    SHARE: "Poids des autres membres",
    POOL: "Enveloppe à répartir",
    DEDUCTION: "Déductions",
    ADJUSTMENT: "Ajustements manuels",
    ISSUED: "Déjà appelé",
}
MEANINGS = {
    ENTERED: "Écoles appelées de ce membre, qu'il n'avait pas sur sa liste.",
    LEFT: "Écoles qui ne sont plus sur sa liste.",
    UNPRICED: "Écoles inscrites des deux côtés, mais écartées, en attente d'ouverture ou sans effectif.",
    PUPILS: "L'effectif des mêmes écoles a changé, à l'ancien prix.",
    ACTIVE: "L'usage des mêmes écoles a changé, à l'ancien prix.",
    OPTION: "Une option de la convention a été souscrite ou abandonnée.",
    UNITS: "Le nombre de prestations a changé, à l'ancien prix.",
    PRICE: "La version du tarif a changé, aux nouvelles quantités.",
    SHARE: "Les autres membres pèsent plus ou moins dans la répartition.",
    POOL: "Le montant à répartir a changé.",
    DEDUCTION: "Subventions décidées, qui viennent en moins.",
    ADJUSTMENT: "Lignes ajoutées ou retirées à la main, avec leur motif.",
    ISSUED: "Ce qui était déjà appelé par un titre, et ne l'est donc plus ici.",
}


def in_words(effect: Effect) -> str:
    """Return a cause as a sentence: « 2 écoles entrées : +90,00 € »."""
    return f"{_what(effect)} : {signed(effect.amount)}"


def signed(amount: Decimal) -> str:
    """Return euros with their sign; nought bears none."""
    return ("+" if amount > 0 else "") + euros(amount)


def _what(effect: Effect) -> str:
    cause, about, count = effect.cause, effect.about, effect.count
    more = "de plus" if count > 0 else "de moins"
    if cause == ENTERED:
        return plural(count, "école entrée", "écoles entrées")
    if cause == LEFT:
        return plural(count, "école sortie", "écoles sorties")
    if cause == UNPRICED:
        return f"{plural(count, 'école')} sans montant d'un des deux côtés"
    if cause == PUPILS and count:
        return f"{plural(abs(count), 'élève')} {more}"
    if cause == ACTIVE and count:
        return f"{plural(abs(count), 'élève actif', 'élèves actifs')} {more}"
    if cause == UNITS and count:
        return f"{_quoted(about)}, {integer(abs(count))} {more}"
    if cause == OPTION:
        return f"option {_quoted(about)} {'prise' if effect.amount > 0 else 'laissée'}"
    if cause == PUPILS:
        return "élèves déplacés d'une école à l'autre"
    label, comma, rest = about.rpartition(", de ")
    named = f" {_quoted(label or about)}" if about else ""
    return f"{CAUSES[cause].lower()}{named}{comma}{rest}"


def _quoted(words: str) -> str:
    return f"«{NO_BREAK}{words}{NO_BREAK}»"
