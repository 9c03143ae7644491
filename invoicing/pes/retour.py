"""What a PES retour of Hélios says of each titre: waiting, taken in charge, rejected and why, annulled.

Its elements are those of the schemas of the PES retour recette, editions of 2009 to 2016 and 5.3: one
file tells of the titres of a budget, whatever their bordereau. It was never tried on a real one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from lxml import etree

from invoicing.pes.facts import CORRECTIVE, ORDINARY
from invoicing.pes.returns import Unreadable, parsed, value

CODES = re.compile(r"[0-9]{2}(-[0-9]{2})*")
MOTIFS = {
    "01": "caractère exécutoire absent",
    "02": "créance non indiquée",
    "03": "débiteur non indiqué",
    "04": "imputation budgétaire erronée",
    "05": "créance prescrite",
    "06": "autre motif",
    "07": "pièce d'origine non indiquée",
    "08": "type de bordereau inexistant",
    "09": "exercice du bordereau non ouvert",
    "10": "bordereau sans date d'émission",
    "11": "montant du bordereau incohérent",
    "12": "bordereau non signé",
    "13": "TVA absente",
    "14": "ordonnateur incompétent",
    "15": "pièces justificatives insuffisantes",
    "16": "pièces justificatives absentes ou non valables",
    "17": "domiciliation bancaire absente ou erronée",
    "18": "numéro de bordereau déjà pris",
    "19": "information à compléter",
    "20": "titre récapitulatif attendu",
    "21": "titre incomplet",
    "30": "code produit inconnu",
    "31": "SIRET de la collectivité bénéficiaire inexistant",
    "32": "collectivité non assujettie à la TVA",
    "35": "domiciliation erronée",
    "36": "domiciliation inexistante",
}


class State(StrEnum):
    """Where a piece stands for the accountant, by its code (EtatPce)."""

    WAITING = "01"
    TAKEN = "02"
    PARTLY = "03"
    REJECTED = "04"
    ANNULLED = "05"


# The element that dates a state; the day of the file stands for one that is missing.
DAYS = {State.WAITING: "DtePceInst", State.TAKEN: "DtePcePec", State.REJECTED: "DtePceRej"}


@dataclass(frozen=True)
class Told:
    """What is told of a piece: where it stands, since when and why; `amount` in euros, all lines.

    `again` tells that a rejected one was taken in charge before: its number can't serve twice.
    """

    exercice: str
    kind: str
    bordereau: str
    number: str
    state: State
    on: date
    amount: Decimal
    reason: str
    again: bool = False

    @property
    def name(self) -> str:
        """Return how a message names it."""
        return f"Pièce {self.number}, bordereau {self.bordereau} de {self.exercice}"


@dataclass(frozen=True)
class Retour:
    """A PES retour: the body it is for, as the accountant knows it, and its pieces.

    `others` counts those that are no titre of a bordereau sent: receipts that wait for one.
    """

    file_name: str
    siret: str
    body: str
    budget: str
    pieces: tuple[Told, ...]
    others: int


def read_retour(content: bytes) -> Retour:
    """Return what a PES retour says of titres; raise Unreadable for anything else."""
    root = parsed(content, "PES_RETOUR", "un PES retour")
    day = _day(root, "EnTetePES/DteStr", "en-tête")
    header = root.find("EnTetePES")
    found = root.find("PES_RecetteRetour")
    if header is None or day is None or found is None:
        raise Unreadable("Ce PES retour ne parle pas de recettes : il n'y a rien à relire ici.")
    pieces: list[Told] = []
    others = 0
    for bordereau in found.iterfind("Bordereau"):
        kind = value(bordereau, "BlocBordereau/TypBord")
        for piece in bordereau.iterfind("Piece"):
            if kind in (ORDINARY, CORRECTIVE):
                pieces.append(_told(bordereau, piece, day))
            else:
                others += 1
    return Retour(
        file_name=value(root, "Enveloppe/Parametres/NomFic"),
        siret=value(header, "IdColl"),
        body=value(header, "CodCol") or value(header, "CodColl"),
        budget=value(header, "CodBud"),
        pieces=tuple(pieces),
        others=others,
    )


def _told(bordereau: etree._Element, piece: etree._Element, day: date) -> Told:
    block = piece.find("BlocPiece")
    if block is None:
        block = piece.find("InfoPiece")
    number = "" if block is None else value(block, "IdPce").lstrip("0")
    if block is None or not number:
        raise Unreadable("Une pièce de ce PES retour n'a pas de numéro : redemandez le fichier.")
    try:
        state = State(value(block, "EtatPce"))
    except ValueError as error:
        raise Unreadable(
            f"Pièce {number} : l'état « {value(block, 'EtatPce')} » n'existe pas."
        ) from error
    on = _day(block, DAYS[state], f"pièce {number}") if state in DAYS else None
    return Told(
        exercice=value(bordereau, "BlocBordereau/Exer"),
        kind=value(bordereau, "BlocBordereau/TypBord"),
        bordereau=value(bordereau, "BlocBordereau/IdBord").lstrip("0"),
        number=number,
        state=state,
        on=on or day,
        amount=_amount(piece, number),
        reason="; ".join(dict.fromkeys(_reasons(block, piece))),
        again=state == State.REJECTED and bool(value(block, "DtePcePec")),
    )


def _reasons(block: etree._Element, piece: etree._Element) -> Iterator[str]:
    yield from _observed(block)
    for line in piece.iterfind("LigneDePiece/BlocLignePiece/InfoLignePiece"):
        for words in _observed(line):
            yield f"ligne {value(line, 'IdLigne')} : {words}"


def _observed(parent: etree._Element) -> Iterator[str]:
    """Yield the reasons given: codes of the list, then what the accountant wrote."""
    for name in ("ObsEtat", "CodInst-Rej"):
        said = value(parent, name)
        if CODES.fullmatch(said):
            yield from (MOTIFS.get(code, f"motif {code}") for code in said.split("-"))
        elif said:
            yield said
    comment = value(parent, "Commentaire")
    if comment:
        yield comment


def _amount(piece: etree._Element, number: str) -> Decimal:
    total = Decimal("0.00")
    for line in piece.iterfind("LigneDePiece/BlocLignePiece/InfoLignePiece"):
        for name in ("MtHT", "MtTVA"):
            said = value(line, name)
            try:
                total += Decimal(said or 0)
            except InvalidOperation as error:
                raise Unreadable(f"Pièce {number} : le montant « {said} » ne se lit pas.") from error
    return total


def _day(parent: etree._Element, path: str, where: str) -> date | None:
    said = value(parent, path)
    try:
        return date.fromisoformat(said) if said else None
    except ValueError as error:
        raise Unreadable(f"{where.capitalize()} : la date « {said} » ne se lit pas.") from error
