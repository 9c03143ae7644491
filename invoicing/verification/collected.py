"""Whether payments are well formed and are those that were written down when they were recorded."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef

from entsvc.french import euros
from entsvc.models import JournalEntry
from invoicing.models import Payment, Titre
from invoicing.verification.findings import Deviation, Scope, batches

COLUMNS = (
    "pk", "kind", "amount", "titre", "titre__reference", "titre__kind", "cancels",
    "cancels__amount", "cancels__titre", "cancels__kind",
)  # fmt: skip
ACTIONS = ("payment", "payment-cancelled")


def deviations(scope: Scope) -> Iterator[Deviation]:
    """Read the payments a few hundred at a time, each batch with its events of the journal."""
    rows = scope.of(Payment.objects.order_by("titre", "pk"), "titre__")
    for batch in batches(rows.values(*COLUMNS).iterator()):
        amounts = _told(batch)
        for row in batch:
            for message in _of_payment(row, amounts):
                yield Deviation(row["titre__reference"], message)
    if scope.is_whole:
        orphans = Payment.objects.filter(~Exists(Titre.objects.filter(pk=OuterRef("titre_id"))))
        for reference in orphans.order_by("pk").values_list("reference", flat=True).iterator():
            yield Deviation("Encaissements", f"l'encaissement « {reference} » est sans titre")


def _told(batch: list[dict[str, Any]]) -> dict[str, str]:
    """Return the amount that the journal tells of each payment of a batch, by its key."""
    targets = list({f"{Titre._meta.label_lower}:{row['titre']}" for row in batch})
    entries = JournalEntry.objects.filter(target__in=targets, action__in=ACTIONS).order_by("pk")
    told = defaultdict(str)
    for data in entries.values_list("data", flat=True):
        told[data.get("payment", "")] = data.get("amount", "")
    return told


def _of_payment(row: dict[str, Any], amounts: dict[str, str]) -> Iterator[str]:
    name = f"l'encaissement de {euros(row['amount'])}"
    if row["amount"] <= 0:
        yield f"{name} n'est pas positif"
    if row["titre__kind"] != Titre.Kind.TITRE:
        yield f"{name} porte sur une correction"
    if (row["kind"] == Payment.Kind.CANCELLATION) != (row["cancels"] is not None):
        yield f"{name} : une annulation, et elle seule, nomme un encaissement"
    if row["cancels"] is not None:
        same = (row["titre"], row["amount"], Payment.Kind.RECEIPT)
        if same != (row["cancels__titre"], row["cancels__amount"], row["cancels__kind"]):
            yield f"{name} : l'annulation n'est pas celle de tout l'encaissement qu'elle nomme"
    told = amounts[str(row["pk"])]
    if not told:
        yield f"{name} n'est pas au journal"
    elif Decimal(told) != row["amount"]:
        yield f"{name} est écrit au journal pour {euros(Decimal(told))}"
