"""The document of a bordereau, drawn from issued rows alone and stored once, to be signed and sent."""

from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet, Sum

from entsvc import documents
from entsvc.french import amount_in_words, plural
from entsvc.models import StoredDocument
from entsvc.pdf import STYLESHEETS, render_pdf
from invoicing.models import Bordereau, BordereauDocument, Titre, TitreDocument
from members.models import Issuer

TITLES = {
    Issuer.Regime.STATE: "Bordereau de titres de perception",
    Issuer.Regime.LOCAL: "Bordereau de titres de recettes",
}
CORRECTIONS_TITLE = "Bordereau d'annulations et de réductions de titres"
COLUMNS = (
    "kind", "number", "reference", "debtor_name", "siret", "subject", "total", "reason",
    "original__number", "original__reference", "payload__imputation",
)  # fmt: skip
PDF = TitreDocument.Role.PDF
ZERO = Decimal("0.00")


def document_of(bordereau: Bordereau) -> StoredDocument:
    """Return the stored PDF of a bordereau, drawn now if nothing did it yet."""
    link = BordereauDocument.objects.filter(bordereau=bordereau).select_related("document").first()
    return link.document if link else _store(bordereau, draw_bordereau(bordereau))


def draw_complete(titres: QuerySet[Titre], failures: list[str] | None = None) -> None:
    """Draw the documents still missing of the bordereaux of these titres, once each titre has its own.

    Given a list of `failures`, one that can't be drawn or stored adds a French message to it and stops
    no other.
    """
    undrawn = Titre.objects.filter(bordereau=OuterRef("pk")).exclude(documents__role=PDF)
    stored = BordereauDocument.objects.filter(bordereau=OuterRef("pk"))
    todo = Bordereau.objects.filter(
        ~Exists(stored), ~Exists(undrawn), pk__in=titres.order_by().values("bordereau")
    )
    for bordereau in todo.order_by("issuer", "exercice", "kind", "number"):
        try:
            document_of(bordereau)
        except Exception as error:
            if failures is None:
                raise
            failures.append(f"{bordereau} : PDF à produire de nouveau ({error}).")


def draw_bordereau(bordereau: Bordereau) -> bytes:
    """Return the PDF of a bordereau: the same bytes whenever it is drawn, for its rows are sealed."""
    stylesheets = (*STYLESHEETS, "entsvc/bordereau.css")
    return render_pdf("pdf/bordereau.html", content_of(bordereau), stylesheets=stylesheets)


def content_of(bordereau: Bordereau) -> dict[str, Any]:
    """Return all that the document says; each row with the euros listed so far."""
    frozen = bordereau.titres.order_by("number").first().payload
    titres = bordereau.kind == Bordereau.Kind.TITRES
    previous = _previous(bordereau)
    external = frozen["document"].get("external", False)
    return {
        "document": {
            "title": TITLES[frozen["document"]["regime"]] if titres else CORRECTIONS_TITLE,
            "corrections": not titres,
            "external": external,
            "number": bordereau.number,
            "exercice": bordereau.exercice,
            "issued_on": bordereau.issued_on,
            "specimen": frozen["document"]["specimen"],
        },
        **{name: frozen[name] for name in ("issuer", "accountant", "signatory")},
        "rows": _rows(bordereau),
        "count": _count(bordereau),
        "total": bordereau.total,
        "total_words": amount_in_words(bordereau.total),
        "previous": previous,
        "cumulated": previous + bordereau.total,
    }


def _previous(bordereau: Bordereau) -> Decimal:
    """Return the euros of the earlier bordereaux of its series and exercice."""
    earlier = Bordereau.objects.filter(
        issuer=bordereau.issuer_id,
        budget=bordereau.budget,
        exercice=bordereau.exercice,
        kind=bordereau.kind,
        number__lt=bordereau.number,
    )
    return earlier.aggregate(sum=Sum("total"))["sum"] or ZERO


def _rows(bordereau: Bordereau) -> list[dict[str, Any]]:
    carried, rows = ZERO, []
    for row in bordereau.titres.order_by("number").values(*COLUMNS):
        carried += row["total"]
        imputation = [f"{item['label']} {item['value']}" for item in row["payload__imputation"]]
        rows.append(
            {
                **row,
                "kind_label": Titre.Kind(row["kind"]).label,
                "imputation": " · ".join(imputation),
                "carried": carried,
            }
        )
    return rows


def _count(bordereau: Bordereau) -> str:
    if bordereau.kind == Bordereau.Kind.TITRES:
        return plural(bordereau.count, "titre")
    return plural(bordereau.count, "annulation ou réduction", "annulations ou réductions")


def _store(bordereau: Bordereau, content: bytes) -> StoredDocument:
    document = documents.store(content, content_type="application/pdf", suffix=".pdf")
    try:
        with transaction.atomic():
            BordereauDocument.objects.create(bordereau=bordereau, document=document)
    except IntegrityError:
        # Another process drew it meanwhile: its document is the one that counts.
        return BordereauDocument.objects.get(bordereau=bordereau).document
    return document
