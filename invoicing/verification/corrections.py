"""Whether titres, their corrections and re-issues name the right debtor and respect each other."""

from collections.abc import Iterator

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce

from entsvc.fields import MoneyField
from entsvc.french import euros
from entsvc.models import JournalEntry
from invoicing.models import Titre
from invoicing.verification.findings import Deviation, Scope, batches


def deviations(scope: Scope) -> Iterator[Deviation]:
    """Tell what is wrong between titres."""
    yield from _of_another_debtor(scope)
    yield from _misplaced(scope)
    yield from _beyond(scope)
    yield from _twice(scope)
    yield from _replaced(scope)
    yield from _of_journal(scope)


def _of_another_debtor(scope: Scope) -> Iterator[Deviation]:
    rows = scope.of(Titre.objects.filter(call__isnull=False)).exclude(call__debtor=F("debtor"))
    names = ("reference", "debtor__name", "call__name")
    for reference, debtor, called in rows.order_by("reference").values_list(*names).iterator():
        yield Deviation(reference, f"son débiteur est {debtor}, son appel est celui de {called}")


def _misplaced(scope: Scope) -> Iterator[Deviation]:
    """A correction names a titre of the same issuer, budget, exercice and debtor, not dated after it."""
    fitting = Q(
        original__kind=Titre.Kind.TITRE,
        original__issuer=F("issuer"),
        original__budget=F("budget"),
        original__exercice=F("exercice"),
        original__debtor=F("debtor"),
        original__issued_on__lte=F("issued_on"),
    )
    kind = Q(kind=Titre.Kind.TITRE)
    wrong = (~kind & (Q(original__isnull=True) | ~fitting)) | (kind & Q(original__isnull=False))
    rows = scope.of(Titre.objects.filter(wrong)).order_by("reference")
    for reference, original in rows.values_list("reference", "original__reference").iterator():
        yield Deviation(
            reference,
            f"correction de {original or 'aucun titre'} : ni le même émetteur, budget, exercice et "
            "débiteur, ou datée avant lui",
        )


def _beyond(scope: Scope) -> Iterator[Deviation]:
    rows = (
        scope.of(Titre.objects.filter(original__isnull=False))
        .order_by("original__reference")
        .values("original__reference", "original__total")
        .annotate(corrected=Sum("total"))
        .filter(corrected__gt=F("original__total"))
    )
    for row in rows.iterator():
        yield Deviation(
            row["original__reference"],
            f"corrigé de {euros(row['corrected'])}, plus que son total de "
            f"{euros(row['original__total'])}",
        )


def _twice(scope: Scope) -> Iterator[Deviation]:
    rows = (
        scope.of(Titre.objects.filter(original__isnull=True, replaces__isnull=True))
        .order_by("campaign", "debtor")
        .values("campaign", "debtor", "debtor__name", "campaign__schedule__code")
        .annotate(n=Count("pk"))
        .filter(n__gt=1)
    )
    for row in rows.iterator():
        yield Deviation(
            row["debtor__name"],
            f"{row['n']} titres principaux dans la même campagne de {row['campaign__schedule__code']}",
        )


def _replaced(scope: Scope) -> Iterator[Deviation]:
    rows = (
        scope.of(Titre.objects.filter(replaces__isnull=False))
        .order_by("reference")
        .values("reference", "replaces__reference", "replaces__total")
        .annotate(corrected=Coalesce(Sum("replaces__corrections__total"), 0, output_field=MoneyField()))
        .filter(corrected__lt=F("replaces__total"))
    )
    for row in rows.iterator():
        yield Deviation(
            row["reference"], f"remplace {row['replaces__reference']}, qui n'est pas annulé en entier"
        )


def _of_journal(scope: Scope) -> Iterator[Deviation]:
    """Compare each correction with what the journal kept of it, told of the titre that it corrects."""
    rows = scope.of(Titre.objects.filter(original__isnull=False)).order_by("reference")
    names = ("pk", "reference", "original", "sha256")
    for batch in batches(rows.values_list(*names).iterator()):
        targets = list({f"{Titre._meta.label_lower}:{original}" for _, _, original, _ in batch})
        entries = JournalEntry.objects.filter(target__in=targets, action="correct").order_by("pk")
        told = {data.get("correction"): data for data in entries.values_list("data", flat=True)}
        for key, reference, _, sha256 in batch:
            if str(key) not in told:
                yield Deviation(reference, "son émission n'est pas au journal")
            elif told[str(key)].get("sha256", sha256) != sha256:
                yield Deviation(reference, "elle n'a plus l'empreinte que le journal a gardée")
