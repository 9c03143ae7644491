"""Whether a series has every number once, in the order of its dates, and its counter agrees."""

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import chain

from django.db.models import Exists, OuterRef, Q

from entsvc.french import euros, short_date
from invoicing.models import Bordereau, Counter, Series, Titre
from invoicing.numbering import ranges_of, taken_in
from invoicing.verification.figures import ExerciceFigures, place
from invoicing.verification.findings import Deviation, Scope

OF_PIECES = {
    Series.TITRE: (Titre, Q(kind=Titre.Kind.TITRE)),
    Series.CORRECTION: (Titre, ~Q(kind=Titre.Kind.TITRE)),
    Series.BORDEREAU: (Bordereau, Q(kind=Bordereau.Kind.TITRES)),
    Series.CORRECTION_BORDEREAU: (Bordereau, Q(kind=Bordereau.Kind.CORRECTIONS)),
}


def deviations(figures: ExerciceFigures) -> Iterator[Deviation]:
    """Tell what is wrong with the numbers, dates and totals of an exercice."""
    counters = {c.kind: c for c in figures.scope.of(Counter.objects).order_by("kind")}
    for series in Series:
        where = place(figures.issuer.code, figures.budget, figures.exercice, series)
        found = figures.series[series]
        model, wanted = OF_PIECES[series]
        rows = figures.scope.of(model.objects.filter(wanted)).order_by("number", "pk")
        ranges = ranges_of(figures.issuer, figures.budget, figures.exercice, series)
        expected = chain.from_iterable(taken_in(ranges, found.last or 0))
        latest = None
        if found.count:
            walk = _Walk(rows.values_list("number", "issued_on").iterator(), expected)
            yield from (Deviation(where, message) for message in walk.messages())
            latest = walk.latest
        message = _of_counter(counters.get(series), found.last, latest)
        if message:
            yield Deviation(where, message)
    if figures.net != figures.net_of_bordereaux:
        yield Deviation(
            str(figures),
            f"titres moins corrections font {euros(figures.net)}, leurs bordereaux "
            f"{euros(figures.net_of_bordereaux)}",
        )


def lost_counters(scope: Scope, seen: Iterable[ExerciceFigures]) -> Iterator[Deviation]:
    """Name the counters that have given numbers in an exercice that holds no piece at all."""
    known = {(figures.issuer.pk, figures.budget, figures.exercice) for figures in seen}
    counters = scope.of(Counter.objects.filter(last_number__gt=0)).select_related("issuer")
    for counter in counters.order_by("pk"):
        if (counter.issuer_id, counter.budget, counter.exercice) not in known:
            where = place(counter.issuer.code, counter.budget, counter.exercice, counter.kind)
            yield Deviation(where, f"le compteur est à {counter.last_number} mais aucune pièce n'existe")


class _Walk:
    """Numbers and dates of a series, compared one by one with those it must hold."""

    def __init__(self, rows: Iterable[tuple[int, date]], expected: Iterable[int]) -> None:
        self.rows, self.expected = rows, iter(expected)
        self.latest: date | None = None

    def messages(self) -> Iterator[str]:
        """Tell what is missing, what is too much, and where dates go backwards."""
        wanted = next(self.expected, None)
        for number, on in self.rows:
            if wanted is None or number < wanted:
                yield f"le n° {number} est en double ou hors de la numérotation réglée"
            else:
                if number > wanted:
                    first, last = wanted, wanted
                    while wanted is not None and wanted < number:
                        last, wanted = wanted, next(self.expected, None)
                    yield _absent(first, last)
                if wanted == number:
                    wanted = next(self.expected, None)
                else:
                    yield f"le n° {number} est hors de la numérotation réglée"
            if self.latest and on < self.latest:
                yield (
                    f"le n° {number} est daté du {short_date(on)}, après un numéro du "
                    f"{short_date(self.latest)} : les dates reculent"
                )
            self.latest = max(on, self.latest or on)


def _absent(first: int, last: int) -> str:
    if first == last:
        return f"le n° {first} manque"
    return f"les n° {first} à {last} manquent"


def _of_counter(counter: Counter | None, last: int | None, latest: date | None) -> str:
    """Compare the counter of a series with its last number and date; empty when they agree."""
    if counter is None:
        return f"aucun compteur, alors que le dernier numéro est {last}" if last else ""
    if counter.last_number != (last or 0):
        return f"le compteur est à {counter.last_number}, le dernier numéro est {last or 0}"
    if counter.last_date and latest and counter.last_date != latest:
        return (
            f"le compteur est au {short_date(counter.last_date)}, la dernière pièce au "
            f"{short_date(latest)}"
        )
    return ""


def orphans(scope: Scope) -> Iterator[Deviation]:
    """Name the pieces whose bordereau is gone."""
    known = Bordereau.objects.filter(pk=OuterRef("bordereau_id"))
    rows = scope.of(Titre.objects.filter(~Exists(known))).order_by("reference")
    for reference in rows.values_list("reference", flat=True).iterator():
        yield Deviation(reference, "son bordereau a disparu")
