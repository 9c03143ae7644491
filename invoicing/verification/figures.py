"""What the series of an exercice amount to: how many numbers, from which to which, how many euros."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Case, CharField, Count, Max, Min, QuerySet, Sum, Value, When

from invoicing.models import Bordereau, Series, Titre, TitreDocument
from invoicing.verification.findings import Scope
from members.models import Issuer

ZERO = Decimal("0.00")
SERIES_OF_TITRE = Case(
    When(kind=Titre.Kind.TITRE, then=Value(Series.TITRE.value)),
    default=Value(Series.CORRECTION.value),
    output_field=CharField(),
)
SERIES_OF_BORDEREAU = Case(
    When(kind=Bordereau.Kind.TITRES, then=Value(Series.BORDEREAU.value)),
    default=Value(Series.CORRECTION_BORDEREAU.value),
    output_field=CharField(),
)


@dataclass(frozen=True)
class SeriesFigures:
    """A series: its number of pieces, first and last numbers, euros."""

    count: int = 0
    first: int | None = None
    last: int | None = None
    total: Decimal = ZERO


@dataclass
class ExerciceFigures:
    """The four series of an issuer's budget in an exercice."""

    issuer: Issuer
    budget: str
    exercice: int
    series: dict[str, SeriesFigures] = field(default_factory=dict)

    def __str__(self) -> str:
        return place(self.issuer.code, self.budget, self.exercice)

    @property
    def net(self) -> Decimal:
        """Return the euros of the titres less those of what corrects them."""
        return self.series[Series.TITRE].total - self.series[Series.CORRECTION].total

    @property
    def net_of_bordereaux(self) -> Decimal:
        """Return the same euros as the bordereaux tell them."""
        of = self.series
        return of[Series.BORDEREAU].total - of[Series.CORRECTION_BORDEREAU].total

    @property
    def scope(self) -> Scope:
        """Return this exercice as a part of the ledger."""
        return Scope(self.issuer, self.exercice, self.budget)


def place(code: str, budget: str, exercice: int, series: str = "") -> str:
    """Name an exercice, or one of its series: OCC 2025, budget 01, titres."""
    names = [f"{code} {exercice}", "" if budget == "00" else f"budget {budget}"]
    names.append(Series(series).label.lower() if series else "")
    return ", ".join(filter(None, names))


def exercices(scope: Scope) -> list[ExerciceFigures]:
    """Return the exercices of a part of the ledger that have pieces, in order: three queries."""
    found: dict[tuple, ExerciceFigures] = {}
    rows = [*_grouped(scope.of(Titre.objects), SERIES_OF_TITRE)]
    rows += _grouped(scope.of(Bordereau.objects), SERIES_OF_BORDEREAU)
    issuers = Issuer.objects.in_bulk({row["issuer"] for row in rows})
    for row in rows:
        issuer = issuers[row["issuer"]]
        key = (issuer.code, row["budget"], row["exercice"])
        empty = {series.value: SeriesFigures() for series in Series}
        exercice = found.setdefault(key, ExerciceFigures(issuer, row["budget"], row["exercice"], empty))
        exercice.series[row["series"]] = SeriesFigures(
            row["pieces"], row["first"], row["last"], row["euros"]
        )
    return [found[key] for key in sorted(found)]


def of_exercice(issuer: Issuer, budget: str, exercice: int) -> ExerciceFigures:
    """Return the figures of one exercice, all zero where it has no piece."""
    found = exercices(Scope(issuer, exercice, budget))
    empty = {series.value: SeriesFigures() for series in Series}
    return found[0] if found else ExerciceFigures(issuer, budget, exercice, empty)


def proof(figures: ExerciceFigures) -> dict[str, Any]:
    """Return what a closing freezes of an exercice, as JSON: nothing that comes later changes it."""
    count, digest = _documents_digest(figures.scope)
    return {
        "series": [
            {
                "series": series.value,
                "label": series.label,
                "count": found.count,
                "first": found.first,
                "last": found.last,
                "total": str(found.total),
            }
            for series, found in ((s, figures.series[s.value]) for s in Series)
        ],
        "net": str(figures.net),
        "net_of_bordereaux": str(figures.net_of_bordereaux),
        "documents": {"count": count, "sha256": digest},
    }


def _grouped(rows: QuerySet, series: Case) -> Iterator[dict[str, Any]]:
    keys = ("issuer", "budget", "exercice", "series")
    return (
        rows.annotate(series=series)
        .order_by(*keys)
        .values(*keys)
        .annotate(pieces=Count("pk"), first=Min("number"), last=Max("number"), euros=Sum("total"))
        .iterator()
    )


def _documents_digest(scope: Scope) -> tuple[int, str]:
    """Return how many PDF the pieces have and the SHA-256 of the list « reference SHA-256 »."""
    links = scope.of(TitreDocument.objects.filter(role=TitreDocument.Role.PDF), "titre__")
    rows = links.order_by("titre__reference").values_list("titre__reference", "document__sha256")
    digest, count = hashlib.sha256(), 0
    for reference, sha256 in rows.iterator():
        digest.update(f"{reference} {sha256}\n".encode())
        count += 1
    return count, digest.hexdigest()
