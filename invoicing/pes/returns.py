"""What an acknowledgement of Hélios (PES_ACQUIT) says of a file that was sent, read without trust.

Its shape is that of its public schema: ACQUIT/ElementACQUIT with EtatAck, Erreur and DetailPiece, an
element for each bordereau and one for each attachment. It was never tried on a real one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from invoicing.pes.schema import PARSER

LARGEST = 20 * 1024 * 1024
ACCEPTED = ("1", "true")  # EtatAck is a boolean of XML Schema
ROOT = "PES_ACQUIT"
# Where the other answers of Hélios are read, by their root.
ELSEWHERE = {
    ROOT: "C'est un acquittement : relisez-le depuis l'envoi qu'il nomme.",
    "PES_RETOUR": "C'est un PES retour : « Lire un PES retour », dans la liste des envois, le relit.",
}


class Unreadable(Exception):
    """The file is no acknowledgement; the message says so, in French."""


@dataclass(frozen=True)
class Element:
    """What is said of a bordereau, of an attachment, or of the whole file when none is named.

    `pieces` gives the reason of each piece that has one; `reason` is that of the whole. `attachment` is
    the identifier of the one that the element is about.
    """

    accepted: bool
    exercice: str = ""
    bordereau: str = ""
    reason: str = ""
    attachment: str = ""
    pieces: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Acknowledgement:
    """An acknowledgement: the name of the file it answers, and its elements."""

    file_name: str
    elements: tuple[Element, ...]

    @property
    def accepted(self) -> bool:
        """Tell whether everything is accepted."""
        return all(element.accepted for element in self.elements)


def read_acknowledgement(content: bytes) -> Acknowledgement:
    """Return what an acknowledgement says; raise Unreadable for anything else."""
    root = parsed(content, ROOT, "un acquittement")
    elements = tuple(_element(found) for found in root.iterfind("ACQUIT/ElementACQUIT"))
    name = value(root, "Enveloppe/Parametres/NomFic")
    if not name or not elements:
        raise Unreadable("Cet acquittement ne nomme pas de fichier ou ne dit rien de lui.")
    return Acknowledgement(name, elements)


def parsed(content: bytes, root: str, named: str) -> etree._Element:
    """Return the root of an answer, which must be that one; raise Unreadable, which says what to do."""
    if len(content) > LARGEST:
        raise Unreadable(f"Ce fichier est trop gros pour {named}.")
    try:
        found = etree.fromstring(content, etree.XMLParser(**{**PARSER, "huge_tree": False}))
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"Ce fichier n'est pas du XML : {error.msg}.") from error
    name = etree.QName(found).localname.upper()
    if name != root:
        raise Unreadable(f"Ce fichier n'est pas {named}. {ELSEWHERE.get(name, '')}".strip())
    return found


def value(parent: etree._Element, path: str) -> str:
    """Return what an element below says by its attribute V, empty without it."""
    found = parent.find(path)
    return "" if found is None else found.get("V", "").strip()


def _element(found: etree._Element) -> Element:
    pieces = {}
    for detail in found.iterfind("DetailPiece"):
        reason = "; ".join(dict.fromkeys(_reasons(detail)))
        number = value(detail, "NumPiece").lstrip("0")
        if reason and number:
            pieces[number] = reason
    return Element(
        accepted=value(found, "EtatAck") in ACCEPTED,
        exercice=value(found, "ExerciceBord"),
        bordereau=value(found, "NumBord").lstrip("0"),
        reason="; ".join(dict.fromkeys(_errors(found))),
        attachment=value(found, "IdUnique"),
        pieces=pieces,
    )


def _reasons(detail: etree._Element) -> Iterator[str]:
    yield from _errors(detail)
    for line in detail.iterfind("DetailLigne"):
        where = value(line, "NumLigne")
        for reason in _errors(line):
            yield f"ligne {where} : {reason}" if where else reason


def _errors(parent: etree._Element) -> Iterator[str]:
    for error in parent.iterfind("Erreur"):
        words = " ".join(filter(None, (value(error, "NumAnoAck"), value(error, "LibelleAnoAck"))))
        if words:
            yield words
