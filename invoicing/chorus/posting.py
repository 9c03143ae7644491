"""On which day Chorus Pro made a titre available to its debtor: its deadline counts from it."""

from datetime import date
from typing import Any

from django.db.models import OuterRef, Subquery

from invoicing.models import DepositedPiece


def posted_on(by: date | None = None) -> Subquery:
    """Return the day on which the titre of a query was made available, None unless it is known.

    `by` leaves out what came after a day. A titre is under way once at most (see `DepositedPiece`).
    """
    known: dict[str, Any] = {} if by is None else {"made_available_on__lte": by}
    rows = DepositedPiece.objects.filter(titre=OuterRef("pk"), closed=False, **known).order_by()
    return Subquery(rows.values("made_available_on")[:1])
