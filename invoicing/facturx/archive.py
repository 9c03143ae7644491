"""The electronic invoices of a bordereau as one ZIP, with the list of what it holds and lacks."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Prefetch

from entsvc import documents, zipped
from invoicing.facturx.production import FACTURX
from invoicing.models import Bordereau, TitreDocument

COLUMNS = ("fichier", "pièce", "nature", "SHA-256", "octets", "remarque")
TO_PRODUCE = "Facture électronique à produire, depuis la page du bordereau."
CHUNK = 200


def stream(bordereau: Bordereau, made: datetime) -> Iterator[bytes]:
    """Give the ZIP piece by piece; what is missing or damaged is left out, and the manifest says so."""
    return zipped.stream(_files(bordereau), made)


def name_of(reference: str) -> str:
    """Return the name of the file of an invoice: at most fifty characters, as Chorus Pro asks."""
    return f"factur-x_{reference}.pdf"


def _files(bordereau: Bordereau) -> Iterator[tuple[str, bytes]]:
    manifest = zipped.Manifest(COLUMNS)
    kept = TitreDocument.objects.filter(role=FACTURX).select_related("document").order_by("pk")
    rows = bordereau.titres.defer("payload").prefetch_related(
        Prefetch("documents", kept, to_attr="invoices")
    )
    for titre in rows.order_by("number").iterator(chunk_size=CHUNK):
        name, about = name_of(titre.reference), [titre.reference, titre.get_kind_display()]
        if not titre.invoices:
            manifest.add(["", *about, "", "", TO_PRODUCE])
            continue
        document = titre.invoices[0].document
        try:
            content = documents.read(document)
        except documents.CorruptDocument as error:
            manifest.add(["", *about, "", "", str(error)])
            continue
        yield name, content
        manifest.add([name, *about, document.sha256, str(len(content)), ""])
    yield manifest.file()
