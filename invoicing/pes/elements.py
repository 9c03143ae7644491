"""How elements of the PES are written: empty but for their attribute V, in the order of the calls."""

import base64
import gzip
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import partial

from lxml import etree

from invoicing.pes.facts import CATEGORIES, Body, Debtor, Flow, Place
from invoicing.pes.latin import ENCODING, fitted, latin
from invoicing.pes.places import WIDTH, name_lines, street_of

NAMESPACE = "http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller"
VERSION, FILE_TYPE = 2, "PESALR1"
SIRET_NUMBER, MAIN_ADDRESS, MAIN_DEBTOR = "01", 1, "01"

child = etree.SubElement


def put(parent: etree._Element, name: str, value: object) -> None:
    """Add an element that says a value; nothing when there is none."""
    text = _text(value)
    if text:
        child(parent, name).set("V", text)


def saying(parent: etree._Element) -> Callable[[str, object], None]:
    """Return what adds elements to a parent (see `put`)."""
    return partial(put, parent)


def begin(flow: Flow, file_name: str) -> etree._Element:
    """Return the root of a document of the flow, with its envelope and its header."""
    root = etree.Element(f"{{{NAMESPACE}}}PES_Aller", nsmap={"n": NAMESPACE})
    settings = saying(child(child(root, "Enveloppe"), "Parametres"))
    settings("Version", VERSION)
    settings("TypFic", FILE_TYPE)
    settings("NomFic", file_name)
    header = saying(child(root, "EnTetePES"))
    header("DteStr", flow.made_on)
    header("IdPost", flow.post.code)
    header("LibellePoste", fitted(flow.post.name, WIDTH))
    header("IdColl", flow.body.siret)
    header("CodCol", flow.body.code)
    header("CodBud", flow.body.budget)
    header("LibelleColBud", fitted(flow.body.name, WIDTH))
    return root


def put_debtor(parent: etree._Element, debtor: Debtor) -> None:
    """Add who owes: a public body, known by its SIRET."""
    category, nature = CATEGORIES.get(debtor.kind, ("", ""))
    identity = child(parent, "InfoTiers")
    put_identity(identity, debtor.siret, category, nature, MAIN_DEBTOR, name_lines(debtor.name))
    put_address(child(parent, "Adresse"), debtor.place)


def put_identity(
    parent: etree._Element, siret: str, category: str, nature: str, kind: str, names: list[str]
) -> None:
    """Add what names someone; without a SIRET when it is not asked."""
    say = saying(parent)
    say("IdTiers", siret)
    say("NatIdTiers", SIRET_NUMBER if siret else "")
    say("CatTiers", category)
    say("NatJur", nature)
    say("TypTiers", kind)
    for name, value in zip(("Nom", "ComplNom"), names, strict=False):
        say(name, value)


def put_body(parent: etree._Element, body: Body, kind: str) -> None:
    """Add the body that bills: a group of local bodies."""
    names = name_lines(body.name)[:2]
    put_identity(child(parent, "InfoTiers"), body.siret, *CATEGORIES["syndicat"], kind, names)
    put_address(child(parent, "Adresse"), body.place)


def put_address(parent: etree._Element, place: Place, *, street: bool = True) -> None:
    """Add an address in France, or its town alone."""
    lines, say = street_of(place), saying(parent)
    say("TypAdr", MAIN_ADDRESS)
    if street:
        say("Adr1", lines.above)
        say("Adr2", lines.itself)
        say("Adr3", lines.below)
    say("CP", place.postal_code)
    say("Ville", place.city)
    say("CodRes", 0)


def packed(content: bytes) -> str:
    """Return the bytes of an attachment as the PES carries them, the same whenever they are packed."""
    return base64.b64encode(gzip.compress(content, mtime=0)).decode("ascii")


def written(root: etree._Element) -> bytes:
    """Return the bytes of a document."""
    return etree.tostring(root, xml_declaration=True, encoding=ENCODING)


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if isinstance(value, date):
        return value.isoformat()
    return "" if value is None else latin(str(value))
