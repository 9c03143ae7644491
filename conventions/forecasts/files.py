"""The letters of a forecast, one by one, as a ZIP with its manifest, or end to end to be printed."""

from collections.abc import Iterator
from io import BytesIO

from django.db.models import QuerySet
from django.utils.text import slugify
from pypdf import PdfReader, PdfWriter

from conventions.models import Forecast, ForecastAmount
from entsvc import documents, zipped

COLUMNS = ("SIRET", "membre", "montant prévisionnel", "fichier", "SHA-256", "par courriel", "remarque")
TO_DRAW = "Lettre à produire encore."
PER_PRINT = 300  # letters in one file to print
CHUNK = 200


def stem_of(forecast: Forecast) -> str:
    """Return how the names of its files begin: draft or sent, they never look alike."""
    day = f"{forecast.written_on:%Y%m%d}"
    draft = "" if forecast.is_sent else "-PROJET"
    return f"montants-previsionnels-{forecast.schedule.code}-{forecast.exercice}-{day}{draft}"


def name_of(amount: ForecastAmount) -> str:
    """Return the name of the file of a letter."""
    name = slugify(amount.name)[:60]
    return f"montant-previsionnel-{amount.forecast.exercice}-{name}-{amount.siret}.pdf"


def stream(forecast: Forecast) -> Iterator[bytes]:
    """Give the ZIP piece by piece, one letter in memory at a time; the manifest comes last.

    A letter that is missing or damaged in the store is left out, and the manifest says so.
    """
    return zipped.stream(_files(forecast), forecast.made_at)


def to_print(forecast: Forecast, *, by_post: bool) -> QuerySet[ForecastAmount]:
    """Return the letters to print, by name: all of them, or those that no e-mail announced."""
    rows = forecast.amounts.filter(document__isnull=False).select_related("document").defer("payload")
    if by_post:
        rows = rows.filter(notice__isnull=True)
    return rows.order_by("name", "siret")


def joined(letters: QuerySet[ForecastAmount], part: int) -> bytes:
    """Return the letters of a part, from 1 on, end to end in one PDF; raises CorruptDocument."""
    writer = PdfWriter()
    for letter in letters[(part - 1) * PER_PRINT : part * PER_PRINT]:
        writer.append(PdfReader(BytesIO(documents.read(letter.document))), import_outline=False)
    content = BytesIO()
    writer.compress_identical_objects()
    writer.write(content)
    return content.getvalue()


def _files(forecast: Forecast) -> Iterator[tuple[str, bytes]]:
    manifest = zipped.Manifest(COLUMNS)
    rows = forecast.amounts.select_related("document", "notice", "forecast").defer("payload")
    for row in rows.order_by("name", "siret").iterator(chunk_size=CHUNK):
        content, remark = None, "" if row.document else TO_DRAW
        if row.document:
            try:
                content = documents.read(row.document)
            except documents.CorruptDocument as error:
                remark = str(error)
        name = name_of(row) if content else ""
        if content:
            yield name, content
        sha256 = row.document.sha256 if content else ""
        told = "oui" if hasattr(row, "notice") else "non"
        manifest.add([row.siret, row.name, str(row.total), name, sha256, told, remark])
    yield manifest.file()
