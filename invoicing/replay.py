"""Whether a past calculation, done again from its frozen basis, gives the same to the cent."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice, zip_longest

from entsvc.canonical import fingerprint
from entsvc.french import euros
from invoicing.calculation import recompute
from invoicing.models import CallLine, Run
from tariffs import engine

BATCH = 500
# What makes the amount of a line; its words may be better told by a later version of the engine.
FIGURES = ("charge", "agreement", "uai", "quantity", "unit_price", "amount")


def basis_changed(run: Run) -> str:
    """Tell in French that the basis of a run is not the one it was computed on, or an empty text."""
    if fingerprint(run.basis) == run.basis_sha256:
        return ""
    return "ses bases de calcul ont été modifiées : elles n'ont plus leur empreinte"


def differences(run: Run) -> Iterator[str]:
    """Tell in French what a run keeps that its basis does not give: total, calls, lines.

    The basis and its results are in memory at once, the calls and lines kept a few hundred at a time.
    """
    try:
        results = {result.member.siret: result for result in recompute(run)}
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        yield f"ses bases de calcul ne se relisent plus ({type(error).__name__} : {error})"
        return
    total = sum((result.total for result in results.values()), start=Decimal("0.00"))
    if total != run.total:
        yield f"total conservé {euros(run.total)}, recalculé {euros(total)}"
    calls = run.calls.order_by("siret").values_list("pk", "siret", "total").iterator()
    while batch := list(islice(calls, BATCH)):
        lines = _lines([key for key, _, _ in batch])
        for key, siret, amount in batch:
            yield from _of_call(siret, amount, lines[key], results.pop(siret, None))
    for siret in sorted(results):
        yield f"l'appel de {siret} a disparu"


def _lines(calls: list[int]) -> dict[int, list[tuple]]:
    found = defaultdict(list)
    rows = CallLine.objects.filter(call__in=calls).order_by("call", "position")
    for call, *figures in rows.values_list("call", *FIGURES):
        found[call].append(tuple(figures))
    return found


def _of_call(
    siret: str, amount: Decimal, kept: list[tuple], result: engine.Result | None
) -> Iterator[str]:
    if result is None:
        yield f"l'appel de {siret} ne vient pas de ses bases"
        return
    if result.total != amount:
        yield f"appel de {siret} conservé pour {euros(amount)}, recalculé {euros(result.total)}"
    found = [tuple(getattr(line, name) for name in FIGURES) for line in result.lines]
    for position, (old, new) in enumerate(zip_longest(kept, found), start=1):
        if old != new:
            yield (f"appel de {siret}, ligne {position} : {_told(old)} conservé, {_told(new)} recalculé")


def _told(figures: tuple | None) -> str:
    if figures is None:
        return "rien"
    charge, _, uai, quantity, _, amount = figures
    return " ".join(filter(None, (charge, uai, f"quantité {quantity},", euros(amount))))
