"""Whether the calculations that were issued still have their basis, and give the same again."""

from collections.abc import Iterator

from django.db.models import Exists, OuterRef

from invoicing.models import Bordereau, Run
from invoicing.replay import basis_changed, differences
from invoicing.verification.findings import Deviation, Scope


def deviations(scope: Scope, *, quick: bool) -> Iterator[Deviation]:
    """Read the issued runs one at a time; those that were not issued too for the whole ledger.

    `quick` compares fingerprints alone, and does no calculation again.
    """
    issued = scope.of(Bordereau.objects.filter(run=OuterRef("pk")))
    runs = Run.objects.annotate(is_issued=Exists(issued)).order_by("pk")
    if quick or not scope.is_whole:
        runs = runs.filter(is_issued=True)
    for key in list(runs.values_list("pk", flat=True)):
        run = runs.select_related("campaign__schedule").get(pk=key)
        changed = basis_changed(run)
        if changed:
            yield Deviation(str(run), changed)
        if run.is_issued and not quick:
            for message in differences(run):
                yield Deviation(str(run), message)
