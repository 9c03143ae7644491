"""Which titres still lack their document, and how it is drawn from what was frozen.

Nothing says "being rendered": what is left to do is read from the rows, so a killed process loses
nothing and the next call goes on where it stopped.
"""

from collections.abc import Iterator

from django.db.models import Exists, OuterRef, QuerySet

from entsvc.pdf import render_pdf
from invoicing import bordereau_pdf
from invoicing.facturx.production import produce_wanted
from invoicing.keeping import PDF, keep
from invoicing.models import Titre, TitreDocument
from tariffs.printed import printed_line

CHUNK = 100


def without_document(titres: QuerySet[Titre]) -> QuerySet[Titre]:
    """Return the titres that have no PDF yet, in the order of their numbers."""
    stored = TitreDocument.objects.filter(titre=OuterRef("pk"), role=PDF)
    return titres.filter(~Exists(stored)).order_by("issuer", "exercice", "kind", "number")


def render_missing(titres: QuerySet[Titre], failures: list[str] | None = None) -> Iterator[Titre]:
    """Render and store the missing documents one by one, yielding each titre done, then that of their
    bordereau once none of its titres lacks its own, then the electronic invoices that it asks for.

    Each is stored as soon as it is drawn, outside any transaction of the caller. Given a list of
    `failures`, a titre that can't be drawn or stored adds a French message to it and stops no other.
    """
    keys = list(without_document(titres).values_list("pk", flat=True))
    for start in range(0, len(keys), CHUNK):
        batch = Titre.objects.prefetch_related("lines").in_bulk(keys[start : start + CHUNK])
        for key in keys[start : start + CHUNK]:
            titre = batch[key]
            try:
                keep(titre, draw(titre), PDF)
            except Exception as error:
                if failures is None:
                    raise
                failures.append(f"{titre.reference} : PDF à produire de nouveau ({error}).")
            else:
                yield titre
    bordereau_pdf.draw_complete(titres, failures)
    produce_wanted(titres, failures)


def draw(titre: Titre) -> bytes:
    """Return the PDF of a titre or of a correction, from its frozen payload and lines alone."""
    lines = sorted(titre.lines.all(), key=lambda line: line.position)
    context = {**titre.payload, "lines": [printed_line(line) for line in lines]}
    template = "pdf/titre.html" if titre.kind == Titre.Kind.TITRE else "pdf/correction.html"
    return render_pdf(template, context)
