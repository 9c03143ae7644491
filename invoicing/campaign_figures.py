"""The figures of a campaign: called, corrected, collected, outstanding, late; by month, type and status.

Whatever the group, called − corrected − collected + overpaid = outstanding.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from invoicing.campaign_accounts import Account
from invoicing.payments import ZERO, paid, remaining
from invoicing.statuses import Status
from members.models import Member

SHORT_MONTHS = (
    "janv.", "févr.", "mars", "avril", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc.",
)  # fmt: skip


@dataclass
class Sums:
    """Euros added up over some titres, and how many they are."""

    titres: int = 0
    called: Decimal = ZERO
    corrected: Decimal = ZERO
    collected: Decimal = ZERO
    outstanding: Decimal = ZERO
    overpaid: Decimal = ZERO
    late: Decimal = ZERO
    late_titres: int = 0

    @property
    def due(self) -> Decimal:
        """Return the euros called once corrected."""
        return self.called - self.corrected

    def add(self, account: Account, on: date) -> None:
        """Add a titre as it stands on a day."""
        self.titres += 1
        self.called += account.total
        self.corrected += account.corrected
        self.collected += account.received
        self.outstanding += account.remaining
        self.overpaid += account.overpaid
        if account.is_late(on):
            self.late += account.remaining
            self.late_titres += 1


@dataclass
class Month:
    """What a month brought, in euros, and what was outstanding and overpaid at its end.

    `called` are the titres issued, `corrected` what corrections took off, `collected` the receipts less
    their cancellations, each in the month of its own date.
    """

    first: date
    called: Decimal = ZERO
    corrected: Decimal = ZERO
    collected: Decimal = ZERO
    outstanding: Decimal = ZERO
    overpaid: Decimal = ZERO

    @property
    def label(self) -> str:
        """Return « mars 25 », « sept. 25 »."""
        return f"{SHORT_MONTHS[self.first.month - 1]} {self.first:%y}"


@dataclass(frozen=True)
class Figures:
    """All the figures of a campaign on a day."""

    on: date
    sums: Sums
    by_status: dict[Status, Sums]
    by_kind: dict[str, Sums]
    months: list[Month]
    is_approximate: bool

    @property
    def kinds(self) -> list[tuple[str, Sums]]:
        """Return the types of members in French, those that owe most first."""
        rows = [(Member.Kind(kind).label, sums) for kind, sums in self.by_kind.items()]
        return sorted(rows, key=lambda row: (-row[1].due, row[0]))


def figures_of(accounts: Iterable[Account], on: date) -> Figures:
    """Add up the titres of a campaign as they stand, late from a day."""
    titres = [account for account in accounts if account.is_titre]
    whole = Sums()
    by_status: dict[Status, Sums] = {status: Sums() for status in Status}
    by_kind: dict[str, Sums] = defaultdict(Sums)
    for account in titres:
        for sums in (whole, by_status[account.status], by_kind[account.member_kind]):
            sums.add(account, on)
    return Figures(
        on=on,
        sums=whole,
        by_status={status: sums for status, sums in by_status.items() if sums.titres},
        by_kind=dict(by_kind),
        months=months_of(titres),
        is_approximate=any(account.is_approximate for account in titres),
    )


def months_of(titres: Iterable[Account]) -> list[Month]:
    """Return every month from the first movement to the last, those without any included.

    What is outstanding is counted titre by titre: one paid in excess never hides what another owes.
    """
    found: dict[date, Month] = {}
    for account in titres:
        _add_movements(account, found)
    rows: list[Month] = []
    for first in _every_month(found):
        month = found.get(first) or Month(first)
        if rows:
            month.outstanding += rows[-1].outstanding
            month.overpaid += rows[-1].overpaid
        rows.append(month)
    return rows


def _add_movements(account: Account, found: dict[date, Month]) -> None:
    """Add what happened to a titre to the months; what is outstanding there is what changed of it."""
    due = received = left = over = ZERO
    for first, called, corrected, collected in _movements(account):
        month = found.setdefault(first, Month(first))
        month.called += called
        month.corrected += corrected
        month.collected += collected
        due += called - corrected
        received += collected
        month.outstanding += remaining(due, received) - left
        month.overpaid += max(received - due, ZERO) - over
        left, over = remaining(due, received), max(received - due, ZERO)


def _movements(account: Account) -> list[tuple[date, Decimal, Decimal, Decimal]]:
    """Return what happened to a titre, in order: (month, called, corrected, collected)."""
    history = account.history
    facts = [(history.issued_on, history.total, ZERO, ZERO)]
    facts += [(on, ZERO, amount, ZERO) for on, amount in history.corrections]
    facts += [(on, ZERO, ZERO, paid([(kind, amount)])) for on, kind, amount in history.payments]
    return [(on.replace(day=1), *amounts) for on, *amounts in sorted(facts, key=lambda fact: fact[0])]


def _every_month(found: Iterable[date]) -> Iterator[date]:
    known = sorted(found)
    month = known[0] if known else date.max
    while known and month <= known[-1]:
        yield month
        month = date(month.year + month.month // 12, month.month % 12 + 1, 1)
