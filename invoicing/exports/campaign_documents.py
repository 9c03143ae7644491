"""The stored PDFs of a campaign as one ZIP, with the list of what it holds and of what it lacks."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Prefetch

from entsvc import documents, zipped
from entsvc.models import StoredDocument
from invoicing.campaign_accounts import bordereaux_of
from invoicing.models import Bordereau, Campaign, Titre, TitreDocument
from invoicing.rendering import without_document

CHUNK = 200
COLUMNS = ("fichier", "pièce", "nature", "numéro", "SHA-256", "octets", "remarque")
TITRES, CORRECTIONS, BORDEREAUX = "titres", "corrections", "bordereaux"
TO_DRAW = "PDF à produire, depuis la page du bordereau."
PDF = TitreDocument.Role.PDF


def stream(campaign: Campaign, made: datetime) -> Iterator[bytes]:
    """Give the ZIP piece by piece: titres, corrections, bordereaux, then the manifest.

    A PDF that is missing or damaged in the store is left out, and the manifest says so.
    """
    return zipped.stream(_files(campaign), made)


def lacking(campaign: Campaign) -> int:
    """Return how many titres, corrections and bordereaux have no PDF yet."""
    titres = without_document(Titre.objects.filter(campaign=campaign))
    return titres.count() + bordereaux_of(campaign).filter(pdf__isnull=True).count()


def _files(campaign: Campaign) -> Iterator[tuple[str, bytes]]:
    manifest = zipped.Manifest(COLUMNS)
    for name, about, document in (*_titres(campaign), *_bordereaux(campaign)):
        content, remark = None, TO_DRAW
        if document is not None:
            try:
                content, remark = documents.read(document), ""
            except documents.CorruptDocument as error:
                remark = str(error)
        if content is None:
            manifest.add(["", *about, "", "", remark])
            continue
        yield name, content
        manifest.add([name, *about, document.sha256, str(len(content)), ""])
    yield manifest.file()


def _titres(campaign: Campaign) -> Iterator[tuple[str, list[str], StoredDocument | None]]:
    kept = TitreDocument.objects.select_related("document").order_by("-role")
    rows = Titre.objects.filter(campaign=campaign).defer("payload")
    rows = rows.prefetch_related(Prefetch("documents", kept, to_attr="kept"))
    for titre in rows.order_by("exercice", "reference").iterator(chunk_size=CHUNK):
        folder = TITRES if titre.kind == Titre.Kind.TITRE else CORRECTIONS
        about = [titre.reference, titre.get_kind_display(), str(titre.number)]
        roles = {link.role: link.document for link in titre.kept}
        yield f"{folder}/{titre.reference}.pdf", about, roles.pop(PDF, None)
        for role, document in roles.items():
            about = [titre.reference, TitreDocument.Role(role).label, titre.external_reference]
            yield f"{folder}/{titre.reference}-{role}.pdf", about, document


def _bordereaux(campaign: Campaign) -> Iterator[tuple[str, list[str], StoredDocument | None]]:
    for bordereau in bordereaux_of(campaign).select_related("issuer", "pdf__document"):
        document = bordereau.pdf.document if hasattr(bordereau, "pdf") else None
        about = [str(bordereau), "Bordereau", str(bordereau.number)]
        yield f"{BORDEREAUX}/{name_of(bordereau)}", about, document


def name_of(bordereau: Bordereau) -> str:
    """Return the name of the file of a bordereau; a budget other than the main one is part of it."""
    kind = "" if bordereau.kind == Bordereau.Kind.TITRES else "-corrections"
    budget = "" if bordereau.budget == "00" else f"-{bordereau.budget}"
    return f"bordereau{kind}-{bordereau.issuer.code}{budget}-{bordereau.exercice}-{bordereau.number}.pdf"
