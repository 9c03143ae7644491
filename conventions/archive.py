"""The papers of a production as one ZIP, sent as it is made, with the list of what it holds."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from django.utils import timezone

from conventions import on_file
from conventions.models import Paper, PaperKind, Production, ProductionItem
from conventions.papers import kept
from conventions.productions import YEARLY
from entsvc import documents, school_year, zipped

MANIFEST = zipped.MANIFEST
COLUMNS = (
    "référence",
    "avenant",
    "membre",
    "SIRET",
    "fichier",
    "SHA-256",
    "version du texte",
    "état",
    "état de la convention",
    "remarque",
)
DRAFT = "projet"
SIGNED_SINCE = "Reçu signé depuis : relancez la production pour l'avoir."
SENT_SINCE = "Envoyé depuis : relancez la production pour avoir le document tel qu'il est conservé."
TAKEN_BACK = "Repris depuis : ce document n'est plus celui de la convention."
NO_SCAN = "Le document signé n'est pas conservé ici : déposez son scan dans la convention."


def name_of(production: Production) -> str:
    """Return the name of the ZIP: issuer, paper, school year and day tell it from any other."""
    day = timezone.localtime(production.at).strftime("%Y%m%d-%H%M%S")
    year = school_year.label(production.school_year)
    return f"{_plain(production.issuer.code)}-{production.kind}-{year}-{day}.zip"


def stream(production: Production) -> Iterator[bytes]:
    """Give the ZIP piece by piece, one document in memory at a time; the manifest comes last.

    A document that is missing or damaged in the store is left out, and the manifest says so: the others
    are still worth having.
    """
    return zipped.stream(_files(production), production.at)


def _files(production: Production) -> Iterator[tuple[str, bytes]]:
    manifest = zipped.Manifest(COLUMNS)
    for item, name in _named(_items(production)):
        missing = item.failure
        if item.document:
            try:
                content = documents.read(item.document)
            except documents.CorruptDocument as error:
                missing = str(error)
            else:
                yield name, content
        elif not missing:
            missing = "À produire encore."
        manifest.add(_missing_row(item, missing) if missing else _given_row(item, name, production.kind))
    yield manifest.file()


def _items(production: Production) -> Iterable[ProductionItem]:
    rows = production.items.select_related(
        "convention__party", "convention__debtor", "amendment", "document", "paper", "text"
    ).prefetch_related("convention__papers")
    return rows.order_by("convention__reference", "amendment__number", "pk").iterator(chunk_size=200)


def _named(items: Iterable[ProductionItem]) -> Iterator[tuple[ProductionItem, str]]:
    """Give each paper its file name; two references that read alike once plain get a number."""
    taken: dict[str, int] = {}
    for item in items:
        parts = [_plain(item.convention.reference), _plain(item.convention.party.name)[:60]]
        parts += [f"avenant-{item.amendment.number}"] if item.amendment else []
        parts += [] if item.paper else ["PROJET"]
        stem = "_".join(part for part in parts if part)
        taken[stem.lower()] = taken.get(stem.lower(), 0) + 1
        rank = taken[stem.lower()]
        yield item, f"{stem}.pdf" if rank == 1 else f"{stem}_{rank}.pdf"


def _missing_row(item: ProductionItem, why: str) -> list[str]:
    return [*_about(item), "", "", _text(item), "", _state_of_agreement(item), why]


def _given_row(item: ProductionItem, name: str, kind: str) -> list[str]:
    return [
        *_about(item),
        name,
        item.document.sha256,
        _text(item),
        item.paper.role_in_words.lower() if item.paper else DRAFT,
        _state_of_agreement(item),
        _remark(item, kind),
    ]


def _remark(item: ProductionItem, kind: str) -> str:
    """Say what the reader of a paper should know: another one holds now, or none was ever kept."""
    if kind in YEARLY:
        return ""
    papers = [
        paper
        for paper in item.convention.papers.all()
        if paper.kind == kind and paper.amendment_id == item.amendment_id
    ]
    holds = kept.holding(papers, (item.amendment or item.convention).status)
    if holds == item.paper:
        lacks = kind == PaperKind.AGREEMENT and on_file.lacks_scan(item.convention, papers)
        return NO_SCAN if lacks else ""
    if holds is None:
        return TAKEN_BACK
    return SIGNED_SINCE if holds.role == Paper.Role.SIGNED else SENT_SINCE


def _about(item: ProductionItem) -> list[str]:
    convention = item.convention
    return [
        convention.reference,
        str(item.amendment.number) if item.amendment else "",
        convention.party.name,
        convention.party.siret or convention.debtor.siret or "",
    ]


def _text(item: ProductionItem) -> str:
    return str(item.text) if item.text else ""


def _state_of_agreement(item: ProductionItem) -> str:
    """Return the state of what the paper is about: the amendment, or the agreement itself."""
    return (item.amendment or item.convention).get_status_display()


def _plain(text: str) -> str:
    """Return a part of a file name: letters, figures and hyphens only."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9.]+", "-", ascii_only).strip("-.")
