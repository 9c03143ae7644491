"""Whether the rows that the journal tells are still there, and say what it tells of them.

An event names its row by what it follows up (its target) and by a key in its data, or by its action
alone where that comes once. What an old event does not tell is not compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Model, QuerySet

from entsvc.models import JournalEntry
from invoicing.models import (
    Bordereau,
    BordereauEvent,
    ClosedExercice,
    MandatRequest,
    Payment,
    Titre,
    TitreEvent,
)
from invoicing.verification.findings import Deviation, Scope, batches

Name = tuple[str, str]


@dataclass(frozen=True)
class Kept:
    """A kind of rows that follow up a titre or a bordereau, and what their events tell of them."""

    model: type[Model]
    parent: str
    of: type[Model]
    words: str
    actions: tuple[str, ...]
    key: str = ""
    # By the name of a column and of the data of the event: what the deviation calls it.
    facts: dict[str, str] = field(default_factory=dict)

    def target(self, parent: Any) -> str:
        """Return the target of the events of what a titre or bordereau bears."""
        return f"{self.of._meta.label_lower}:{parent}"

    def name(self, row: dict[str, Any]) -> Name:
        """Return what names a row in the journal."""
        own = str(row["pk"]) if self.key else f"bordereau-{row['kind']}"
        return self.target(row[self.parent]), own

    def named(self, entry: dict[str, Any]) -> Name | None:
        """Return what an event names, None for an old one that names nothing."""
        own = entry["data"].get(self.key) if self.key else entry["action"]
        return (entry["target"], str(own)) if own else None

    def rows(self, rows: QuerySet) -> QuerySet:
        """Return the rows as what is compared of them."""
        columns = ["pk", self.parent, *self.facts]
        return rows.values(*columns if self.key else [*columns, "kind"])


KEPT = (
    Kept(
        Payment,
        "titre_id",
        Titre,
        "l'encaissement",
        ("payment", "payment-cancelled"),
        "payment",
        {"received_on": "la date", "reference": "la référence"},
    ),
    Kept(
        MandatRequest,
        "titre_id",
        Titre,
        "la demande de mandat",
        ("request-mandat",),
        "request",
        {"amount": "le montant"},
    ),
    Kept(
        TitreEvent,
        "titre_id",
        Titre,
        "la réponse du comptable",
        ("titre-pris-en-charge", "titre-rejete"),
        "event",
        {"on": "la date"},
    ),
    Kept(
        BordereauEvent,
        "bordereau_id",
        Bordereau,
        "l'étape du bordereau",
        ("bordereau-signe", "bordereau-envoye"),
        facts={"on": "la date", "signatory": "le signataire", "delegation": "la délégation"},
    ),
)
# The rows that are themselves the target of their events.
TARGETS = ((Bordereau, "le bordereau"), (ClosedExercice, "la clôture"))
COLUMNS = ("target", "action", "data", "summary")


def deviations(scope: Scope) -> Iterator[Deviation]:
    """Compare the rows of a part of the ledger with their events; name what the whole of it has lost."""
    for kept in KEPT:
        yield from _changed(scope, kept)
        if scope.is_whole:
            yield from _lost(kept)
    yield from _of_numbers(scope)
    if scope.is_whole:
        for model, words in TARGETS:
            yield from _lost_targets(model, words)


def _changed(scope: Scope, kept: Kept) -> Iterator[Deviation]:
    path = kept.parent.removesuffix("id") + "_"
    rows = kept.rows(scope.of(kept.model.objects.order_by("pk"), path))
    for batch in batches(rows.iterator()):
        targets = list({kept.target(row[kept.parent]) for row in batch})
        entries = JournalEntry.objects.filter(target__in=targets, action__in=kept.actions)
        told = {kept.named(entry): entry for entry in entries.order_by("pk").values(*COLUMNS)}
        for row in batch:
            entry = told.get(kept.name(row))
            for column, words in kept.facts.items() if entry else ():
                known, said = row[column], entry["data"].get(column)
                if said is not None and not _same(said, known):
                    yield Deviation(
                        "Journal",
                        f"« {entry['summary']} » : {words} dit « {said} », la base « {known} »",
                    )


def _same(said: str, known: Any) -> bool:
    return Decimal(said) == known if isinstance(known, Decimal) else said == str(known)


def _of_numbers(scope: Scope) -> Iterator[Deviation]:
    """Compare the accountant's numbers with those that the journal told last."""
    rows = scope.of(Titre.objects.order_by("pk")).values_list("pk", "reference", "external_reference")
    for batch in batches(rows.iterator()):
        targets = [f"{Titre._meta.label_lower}:{key}" for key, _, _ in batch]
        entries = JournalEntry.objects.filter(target__in=targets, action="external-reference")
        told = dict(entries.order_by("pk").values_list("target", "data"))
        for target, (_, reference, number) in zip(targets, batch, strict=True):
            said = told.get(target, {"number": ""}).get("number", number)
            if said != number:
                yield Deviation(
                    reference,
                    f"son numéro du comptable, « {number} », n'est pas celui du journal, « {said} »",
                )


def _lost(kept: Kept) -> Iterator[Deviation]:
    """Name the rows that the journal tells and that are no more where it tells them."""
    entries = JournalEntry.objects.filter(action__in=kept.actions).order_by("pk")
    for batch in batches(entries.values(*COLUMNS).iterator()):
        told = {kept.named(entry): entry["summary"] for entry in batch}
        told.pop(None, None)
        parents = list({target.partition(":")[2] for target, _ in told})
        rows = kept.model.objects.filter(**{f"{kept.parent}__in": parents}).order_by("pk")
        known = {kept.name(row) for row in kept.rows(rows)}
        for name in sorted(told.keys() - known):
            yield Deviation("Journal", f"{kept.words} de « {told[name]} » a disparu")


def _lost_targets(model: type[Model], words: str) -> Iterator[Deviation]:
    label = model._meta.label_lower
    entries = JournalEntry.objects.filter(target__startswith=f"{label}:").order_by("pk")
    for batch in batches(entries.values_list("target", "summary").iterator()):
        keys = {target.partition(":")[2]: summary for target, summary in batch}
        known = model.objects.filter(pk__in=list(keys)).order_by("pk")
        found = {str(key) for key in known.values_list("pk", flat=True)}
        for key in sorted(keys.keys() - found):
            yield Deviation("Journal", f"{words} de « {keys[key]} » a disparu")
