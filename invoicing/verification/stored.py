"""Whether every document of the ledger is in storage, with the bytes that were stored."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, QuerySet

from entsvc import documents
from entsvc.french import lower_first
from entsvc.models import StoredDocument
from invoicing.models import (
    BordereauDocument,
    CostStatement,
    MandatRequest,
    Reminder,
    Sending,
    Titre,
    TitreDocument,
)
from invoicing.verification.findings import Deviation, Scope

# The rows that name a stored document, the path to what places them in an exercice, and its words.
SOURCES: tuple[tuple[QuerySet, str, str, str], ...] = (
    (TitreDocument.objects.all(), "titre__", "titre__reference", "document"),
    (BordereauDocument.objects.all(), "bordereau__", "bordereau__number", "PDF du bordereau"),
    (
        Sending.objects.filter(bordereau__isnull=False),
        "bordereau__",
        "file_name",
        "fichier produit pour le comptable",
    ),
    (Reminder.objects.all(), "titre__", "titre__reference", "relance"),
    (MandatRequest.objects.all(), "titre__", "titre__reference", "demande de mandat"),
)


@dataclass
class Checked:
    """How many documents were looked at."""

    count: int = 0


def deviations(scope: Scope, checked: Checked, *, quick: bool) -> Iterator[Deviation]:
    """Look at each document; `quick` compares sizes instead of reading every byte."""
    link = TitreDocument.objects.filter(
        titre=OuterRef("pk"), role=TitreDocument.Role.PDF, document__size__gte=0
    )
    without = scope.of(Titre.objects.filter(~Exists(link))).order_by("reference")
    for reference in without.values_list("reference", flat=True).iterator():
        yield Deviation(reference, "son PDF manque : produisez-le au bordereau")
    for rows, path, name, words in SOURCES:
        yield from _of(scope.of(rows, path), name, words, checked, quick=quick)
    if scope.exercice is None and scope.budget is None:
        yield from _of_years(scope, checked, quick=quick)


def _of_years(scope: Scope, checked: Checked, *, quick: bool) -> Iterator[Deviation]:
    """Look at what belongs to a school year, and so to no exercice."""
    statements = CostStatement.objects.filter(document__isnull=False)
    etats = Sending.objects.filter(campaign__isnull=False)
    if scope.issuer:
        statements = statements.filter(schedule__issuer=scope.issuer)
        etats = etats.filter(campaign__schedule__issuer=scope.issuer)
    yield from _of(statements, "schedule__code", "état des dépenses", checked, quick=quick)
    for link, words in (("document", "état liquidatif"), ("workbook", "classeur de l'état liquidatif")):
        yield from _of(etats, "file_name", words, checked, quick=quick, link=link)


def _of(
    rows: QuerySet, name: str, words: str, checked: Checked, *, quick: bool, link: str = "document"
) -> Iterator[Deviation]:
    lost = rows.filter(~Exists(StoredDocument.objects.filter(pk=OuterRef(f"{link}_id"))))
    for where in lost.order_by("pk").values_list(name, flat=True).iterator():
        yield Deviation(str(where), f"{words} : son document n'est plus enregistré")
    columns = (name, *(f"{link}__{column}" for column in ("path", "sha256", "size")))
    for where, path, sha256, size in rows.order_by("pk").values_list(*columns).iterator():
        checked.count += 1
        try:
            documents.check(path, sha256, size, whole=not quick)
        except documents.CorruptDocument as error:
            yield Deviation(str(where), f"{words} : {lower_first(str(error))}")
