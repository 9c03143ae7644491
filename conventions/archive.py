"""The papers of a production as one ZIP, sent as it is made, with the list of what it holds."""

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator

from django.utils import timezone

from conventions.models import Paper, Production, ProductionItem
from entsvc import documents, school_year
from entsvc.cells import neutral

MANIFEST = "manifeste.csv"
COLUMNS = (
    "référence",
    "avenant",
    "membre",
    "SIRET",
    "fichier",
    "SHA-256",
    "version du texte",
    "état",
    "remarque",
)
DRAFT = "projet, non envoyé"


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
    out = _Pipe()
    manifest = io.StringIO()
    writer = csv.writer(manifest, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    made = timezone.localtime(production.at).timetuple()[:6]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for item, name in _named(_items(production)):
            remark = item.failure
            if item.document:
                try:
                    content = documents.read(item.document)
                except documents.CorruptDocument as error:
                    remark = str(error)
                else:
                    archive.writestr(zipfile.ZipInfo(name, made), content)
                    yield out.taken()
            elif not remark:
                remark = "À produire encore."
            writer.writerow(neutral(cell) for cell in _row(item, name, remark))
        listed = manifest.getvalue().encode("utf-8-sig")
        archive.writestr(zipfile.ZipInfo(MANIFEST, made), listed, zipfile.ZIP_DEFLATED)
    yield out.taken()


class _Pipe(io.RawIOBase):
    """What a ZIP writes to when nothing is kept: no seeking back, bytes taken as they come."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _items(production: Production) -> Iterable[ProductionItem]:
    rows = production.items.select_related(
        "convention__party", "convention__debtor", "amendment", "document", "paper", "text"
    )
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


def _row(item: ProductionItem, name: str, remark: str) -> list[str]:
    convention, stored = item.convention, item.document
    kept = stored is not None and not remark
    state = ""
    if kept:
        state = Paper.Role(item.paper.role).label.lower() if item.paper else DRAFT
    return [
        convention.reference,
        str(item.amendment.number) if item.amendment else "",
        convention.party.name,
        convention.party.siret or convention.debtor.siret or "",
        name if kept else "",
        stored.sha256 if kept else "",
        str(item.text) if item.text else "",
        state,
        remark,
    ]


def _plain(text: str) -> str:
    """Return a part of a file name: letters, figures and hyphens only."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9.]+", "-", ascii_only).strip("-.")
