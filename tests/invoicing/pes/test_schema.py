"""The schema that the operator provides, tried on the one that the environment or a neighbour gives."""

from pathlib import Path

import pytest
from django.conf import settings
from lxml import etree

from invoicing.pes.schema import NoSchema, breaches
from invoicing.pes.writing import write
from tests.invoicing.pes.flows import correction, flow

BESIDE = settings.BASE_DIR.parent / "shared" / "data" / "pes"
FOLDER = Path(settings.PES_XSD_DIR) if settings.PES_XSD_DIR else BESIDE
pytestmark = pytest.mark.skipif(
    not any(FOLDER.glob("*.xsd")) and not any(FOLDER.rglob("PES_Aller.xsd")),
    reason="PES_XSD_DIR n'est pas donné : le fichier n'est pas confronté au schéma",
)


@pytest.mark.parametrize("made", [flow(), flow(correction())], ids=["titres", "corrections"])
def test_what_we_write_passes_the_schema(made):
    assert breaches(write(made), FOLDER) == []


def value(path, text):
    return lambda root: root.find(f".//{path}").set("V", text)


def without(path):
    def take(root):
        gone = root.find(f".//{path}")
        gone.getparent().remove(gone)

    return take


def last(path):
    def move(root):
        moved = root.find(f".//{path}")
        moved.getparent().append(moved)

    return move


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("IdPost", value("IdPost", "000000")),
        ("CodCol", value("CodCol", "12")),
        ("CodBud", value("CodBud", "0A")),
        ("IdBord", value("IdBord", "12345678")),
        ("MtBordHt", value("MtBordHt", "0.00")),
        ("MtBordHt", value("MtBordHt", "1.001")),
        ("CodProdLoc", value("CodProdLoc", "ENT-1")),
        ("CodProdLoc", without("CodProdLoc")),
        ("Nature", value("Nature", "7475A")),
        ("NumeroFacture", value("NumeroFacture", "N° 1")),
        ("IdUnique", value("PJRef/IdUnique", "A-1")),
        ("NomPJ", value("PJ/NomPJ", "titre")),
        ("Nom", value("InfoTiers/Nom", "x" * 39)),
        ("CP", value("Adresse/CP", "8000")),
        ("TypPce", last("TypPce")),
        ("CodCol", without("EnTetePES/CodCol")),
    ],
)
def test_the_schema_refuses_what_is_changed(name, change):
    root = etree.fromstring(write(flow()))
    change(root)
    told = breaches(etree.tostring(root, encoding="ISO-8859-1"), FOLDER)
    assert told
    assert any(name in line for line in told)


def test_an_entity_is_never_followed(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("à ne pas lire")
    content = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]><x>&e;</x>'.encode()
    assert not any("à ne pas lire" in told for told in breaches(content, FOLDER))


def test_a_folder_without_a_schema_says_so(tmp_path):
    with pytest.raises(NoSchema, match="PES_XSD_DIR"):
        breaches(b"<x/>", tmp_path)
    (tmp_path / "casse.xsd").write_text("http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller")
    with pytest.raises(NoSchema, match="ne se lit pas"):
        breaches(b"<x/>", tmp_path)
