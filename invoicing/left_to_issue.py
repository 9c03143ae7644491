"""Which calls are left to issue, and what keeps the others from being issued."""

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Exists, OuterRef, QuerySet

from invoicing.mentions import missing_for_debtor
from invoicing.models import Anomaly, Call, Run, Titre
from invoicing.payments import ZERO


@dataclass
class NotIssued:
    """The calls of the latest run that have no titre: how many, and the euros of each reason."""

    blocked: int = 0
    blocked_total: Decimal = ZERO
    incomplete: int = 0
    incomplete_total: Decimal = ZERO
    ready: int = 0
    ready_total: Decimal = ZERO
    nothing: int = 0


def unissued() -> QuerySet[Call]:
    """Return the calls that their campaign has not issued; `is_blocked`: an anomaly stops them."""
    had = Titre.objects.filter(
        campaign=OuterRef("run__campaign"), original__isnull=True, debtor=OuterRef("debtor")
    )
    blocking = Anomaly.objects.filter(call=OuterRef("pk"), blocking=True)
    return Call.objects.filter(~Exists(had)).annotate(is_blocked=Exists(blocking))


def to_issue() -> QuerySet[Call]:
    """Return those that would be issued: neither blocked nor null."""
    return unissued().filter(is_blocked=False, total__gt=0)


def not_issued(run: Run | None) -> NotIssued:
    """Return the calls of a run that its campaign has not issued, and what stops them; one query.

    Blocked by an anomaly, incomplete for want of a fact of the debtor, of a null amount, or ready.
    """
    found = NotIssued()
    if run is None:
        return found
    for call in unissued().filter(run=run).select_related("debtor").order_by("pk"):
        if call.is_blocked:
            found.blocked += 1
            found.blocked_total += call.total
        elif not call.total:
            found.nothing += 1
        elif missing_for_debtor(call.debtor):
            found.incomplete += 1
            found.incomplete_total += call.total
        else:
            found.ready += 1
            found.ready_total += call.total
    return found
