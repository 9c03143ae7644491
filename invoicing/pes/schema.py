"""The schema that the operator provides, when there is one: ours is no substitute for Hélios's check."""

from functools import lru_cache
from pathlib import Path

from lxml import etree

from invoicing.pes.elements import NAMESPACE

PARSER = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": True}
ENTRY = "PES_Aller.xsd"


class NoSchema(Exception):
    """The folder given holds no usable schema of the PES; the message says so, in French."""


def breaches(content: bytes, folder: Path) -> list[str]:
    """Return what the schema of a folder holds against a file, by line; raise NoSchema without one."""
    schema = _schema(folder)
    root = etree.fromstring(content, etree.XMLParser(**PARSER))
    schema.validate(root)
    return [f"ligne {error.line} : {error.message}" for error in schema.error_log]


@lru_cache(maxsize=4)
def _schema(folder: Path) -> etree.XMLSchema:
    path = _entry(folder)
    try:
        return etree.XMLSchema(etree.parse(path, etree.XMLParser(**PARSER)))
    except (etree.XMLSyntaxError, etree.XMLSchemaParseError, OSError) as error:
        raise NoSchema(f"Le schéma {path.name} ne se lit pas : {error}.") from error


def _entry(folder: Path) -> Path:
    """Return the file that declares the root, the official one where it is there."""
    official = sorted(folder.rglob(ENTRY))
    for path in official or sorted(folder.glob("*.xsd")):
        if NAMESPACE in path.read_text(encoding="utf-8", errors="replace"):
            return path
    raise NoSchema(
        f"Aucun schéma du PES dans {folder} : donnez dans PES_XSD_DIR le dossier des fichiers .xsd."
    )
