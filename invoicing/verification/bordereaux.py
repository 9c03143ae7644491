"""Whether each bordereau holds what it says, and was issued as the journal tells."""

from collections.abc import Iterator
from itertools import groupby
from uuid import UUID

from django.db.models import Count, F, Q, Sum

from entsvc.french import euros, integer
from entsvc.models import JournalEntry
from invoicing.models import Bordereau, Titre
from invoicing.seals import SEAL, seal
from invoicing.verification.figures import SERIES_OF_BORDEREAU, ZERO, place
from invoicing.verification.findings import Deviation, Scope, batches

LABEL = Bordereau._meta.label_lower


def deviations(scope: Scope) -> Iterator[Deviation]:
    """Tell what is wrong with the bordereaux of a part of the ledger."""
    yield from _of_sums(scope)
    yield from _of_pieces(scope)
    yield from _of_journal(scope)


def _of_sums(scope: Scope) -> Iterator[Deviation]:
    rows = (
        scope.of(Bordereau.objects)
        .order_by("issuer", "budget", "exercice", "kind", "number")
        .values("pk", "issuer__code", "budget", "exercice", "number", "count", "total")
        .annotate(series=SERIES_OF_BORDEREAU, pieces=Count("titres"), euros=Sum("titres__total"))
    )
    for row in rows.iterator():
        where = _where(row)
        if row["count"] != row["pieces"]:
            yield Deviation(
                where, f"{integer(row['count'])} pièces annoncées, {integer(row['pieces'])} trouvées"
            )
        if row["total"] != (row["euros"] or ZERO):
            yield Deviation(
                where,
                f"total annoncé de {euros(row['total'])}, ses pièces font {euros(row['euros'] or ZERO)}",
            )


def _of_pieces(scope: Scope) -> Iterator[Deviation]:
    """Name the pieces that are not of the issuer, exercice, date or kind of their bordereau."""
    alike = Q(
        issuer=F("bordereau__issuer"),
        budget=F("bordereau__budget"),
        exercice=F("bordereau__exercice"),
        issued_on=F("bordereau__issued_on"),
    )
    titre, titres = Q(kind=Titre.Kind.TITRE), Q(bordereau__kind=Bordereau.Kind.TITRES)
    kinds = (titre & titres) | (~titre & ~titres)
    rows = scope.of(Titre.objects.filter(~(alike & kinds))).order_by("reference")
    for reference in rows.values_list("reference", flat=True).iterator():
        yield Deviation(reference, "son bordereau n'a pas le même émetteur, exercice, date ou nature")


def _of_journal(scope: Scope) -> Iterator[Deviation]:
    """Compare the titres of each bordereau with what the journal kept of them when it was issued."""
    rows = scope.of(Bordereau.objects.filter(kind=Bordereau.Kind.TITRES))
    rows = rows.order_by("issuer", "budget", "exercice", "number")
    names = ("pk", "issuer__code", "budget", "exercice", "number")
    found = rows.annotate(series=SERIES_OF_BORDEREAU).values(*names, "series")
    seals = _seals(scope)
    for batch in batches(found.iterator()):
        events = _events([f"{LABEL}:{row['pk']}" for row in batch])
        for row in batch:
            told = events.get(f"{LABEL}:{row['pk']}")
            now = seals.get(row["pk"])
            if told is None:
                yield Deviation(_where(row), "son émission n'est pas au journal")
            elif told and told != now:
                yield Deviation(_where(row), "ses pièces n'ont plus l'empreinte que le journal a gardée")


def _seals(scope: Scope) -> dict[UUID, str]:
    titres = scope.of(Titre.objects.filter(kind=Titre.Kind.TITRE))
    pieces = titres.order_by("bordereau", "reference")
    rows = pieces.values_list("bordereau", "reference", "sha256").iterator()
    return {
        key: seal((reference, sha256) for _, reference, sha256 in group)[SEAL]
        for key, group in groupby(rows, key=lambda row: row[0])
    }


def _events(targets: list[str]) -> dict[str, str]:
    """Return what the journal kept of some bordereaux: empty for those issued before it kept any."""
    entries = JournalEntry.objects.filter(target__in=targets, action="issue").order_by("pk")
    return {target: data.get(SEAL, "") for target, data in entries.values_list("target", "data")}


def _where(row: dict) -> str:
    series = place(row["issuer__code"], row["budget"], row["exercice"], row["series"])
    return f"{series}, n° {row['number']}"
