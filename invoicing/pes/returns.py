"""What an acknowledgement of Hélios (PES_ACQUIT) says of a file that was sent, read without trust.

Its shape is that of public readers of such files: ACQUIT/ElementACQUIT with EtatAck, Erreur and
DetailPiece. It was never tried on a real one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from invoicing.pes.schema import PARSER

LARGEST = 20 * 1024 * 1024
ACCEPTED = "1"


class Unreadable(Exception):
    """The file is no acknowledgement; the message says so, in French."""


@dataclass(frozen=True)
class Element:
    """What is said of a bordereau, or of the whole file when no bordereau is named.

    `pieces` gives the reason of each piece that has one; `reason` is that of the whole.
    """

    accepted: bool
    exercice: str = ""
    bordereau: str = ""
    reason: str = ""
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
    if len(content) > LARGEST:
        raise Unreadable("Ce fichier est trop gros pour un acquittement.")
    try:
        root = etree.fromstring(content, etree.XMLParser(**{**PARSER, "huge_tree": False}))
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"Ce fichier n'est pas du XML : {error.msg}.") from error
    if etree.QName(root).localname.upper() != "PES_ACQUIT":
        raise Unreadable(
            "Ce fichier n'est pas un acquittement (PES_ACQUIT) : un PES retour ne se relit pas ici, "
            "notez ses réponses sur les titres."
        )
    elements = tuple(_element(found) for found in root.iterfind("ACQUIT/ElementACQUIT"))
    name = _value(root, "Enveloppe/Parametres/NomFic")
    if not name or not elements:
        raise Unreadable("Cet acquittement ne nomme pas de fichier ou ne dit rien de lui.")
    return Acknowledgement(name, elements)


def _element(found: etree._Element) -> Element:
    pieces = {}
    for detail in found.iterfind("DetailPiece"):
        reason = "; ".join(dict.fromkeys(_reasons(detail)))
        number = _value(detail, "NumPiece").lstrip("0")
        if reason and number:
            pieces[number] = reason
    return Element(
        accepted=_value(found, "EtatAck") == ACCEPTED,
        exercice=_value(found, "ExerciceBord"),
        bordereau=_value(found, "NumBord").lstrip("0"),
        reason="; ".join(dict.fromkeys(_errors(found))),
        pieces=pieces,
    )


def _reasons(detail: etree._Element) -> Iterator[str]:
    yield from _errors(detail)
    for line in detail.iterfind("DetailLigne"):
        where = _value(line, "NumLigne")
        for reason in _errors(line):
            yield f"ligne {where} : {reason}" if where else reason


def _errors(parent: etree._Element) -> Iterator[str]:
    for error in parent.iterfind("Erreur"):
        words = " ".join(filter(None, (_value(error, "NumAnoAck"), _value(error, "LibelleAnoAck"))))
        if words:
            yield words


def _value(parent: etree._Element, path: str) -> str:
    found = parent.find(path)
    return "" if found is None else found.get("V", "").strip()
