"""A run beside another one, or beside what was issued last year: totals, members, and why they changed.

Pure: both sides come as `review_causes.Side`, read from the frozen rows of runs and titres.
"""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from entsvc.money import rate_of
from invoicing.review_causes import ORDER, ZERO, Account, Effect, Side, effects_of

NOBODY = Account("", "")


@dataclass(frozen=True)
class Row:
    """One member, in euros: `now` and `before` are its accounts, None on the side where it has none."""

    key: int
    now: Account | None
    before: Account | None
    effects: tuple[Effect, ...] = ()

    @property
    def known(self) -> Account:
        """Return its account, the present one first: its name and SIRET are read there."""
        return self.now or self.before or NOBODY

    @cached_property
    def total(self) -> Decimal:
        """Return what it is called for now."""
        return self.now.total if self.now else ZERO

    @cached_property
    def former(self) -> Decimal:
        """Return what it was called for."""
        return self.before.total if self.before else ZERO

    @property
    def difference(self) -> Decimal:
        """Return what it pays more; negative when it pays less."""
        return self.total - self.former

    @property
    def rate(self) -> Decimal | None:
        """Return the difference as a part of what was called, None from nothing."""
        return rate_of(self.former, self.total)

    @property
    def is_changed(self) -> bool:
        """Tell whether anything moved, even where the causes make up for each other."""
        return bool(self.effects) or bool(self.difference) or not (self.now and self.before)


@dataclass(frozen=True)
class Sum:
    """A total of both sides, in euros, and the number of members it is made of."""

    label: str
    now: Decimal
    before: Decimal
    members: int = 0

    @property
    def difference(self) -> Decimal:
        """Return how much more it is now."""
        return self.now - self.before

    @property
    def rate(self) -> Decimal | None:
        """Return the difference as a part of what it was, None from nothing."""
        return rate_of(self.before, self.now)


@dataclass(frozen=True)
class CauseTotal:
    """A cause over the whole run: euros, and how many members it moved."""

    cause: str
    amount: Decimal
    members: int


@dataclass(frozen=True)
class Review:
    """A run, member by member, beside something else; `then` is None without anything to compare."""

    now: Side
    then: Side | None
    rows: tuple[Row, ...]

    @cached_property
    def total(self) -> Sum:
        """Return the total of both sides."""
        return Sum(
            "Total",
            sum((row.total for row in self.rows), ZERO),
            sum((row.former for row in self.rows), ZERO),
            sum(1 for row in self.rows if row.now),
        )

    @cached_property
    def by_charge(self) -> list[Sum]:
        """Return the totals by charge, in the order of the tariff, then what is decided by hand."""
        sums: dict[str, list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
        members: dict[str, set[int]] = defaultdict(set)
        for row in self.rows:
            for rank, account in enumerate((row.now, row.before)):
                for line in account.lines if account else ():
                    sums[line.charge][rank] += line.amount
                    if rank == 0:
                        members[line.charge].add(row.key)
        former = self.then.charges if self.then else {}
        order = [*self.now.charges, *former, *LABELS]
        labels = {**{code: charge.label for code, charge in former.items()}}
        labels |= {code: charge.label for code, charge in self.now.charges.items()} | LABELS
        return [
            Sum(labels.get(code, code), *sums[code], len(members[code]))
            for code in sorted(sums, key=lambda c: (order.index(c) if c in order else len(order), c))
        ]

    @cached_property
    def causes(self) -> list[CauseTotal]:
        """Return the causes of the difference over the run; their amounts add up to it."""
        amounts: dict[str, Decimal] = defaultdict(lambda: ZERO)
        members: dict[str, set[int]] = defaultdict(set)
        for row in self.rows:
            for effect in row.effects:
                amounts[effect.cause] += effect.amount
                members[effect.cause].add(row.key)
        return [
            CauseTotal(cause, amounts[cause], len(members[cause])) for cause in ORDER if members[cause]
        ]

    @cached_property
    def new(self) -> list[Row]:
        """Return the members that were called for nothing before, the largest first."""
        rows = [row for row in self.rows if row.before is None] if self.then else []
        return sorted(rows, key=lambda row: (-row.total, row.known.name))

    @cached_property
    def gone(self) -> list[Row]:
        """Return the members that are no longer called, the largest first."""
        rows = [row for row in self.rows if row.now is None]
        return sorted(rows, key=lambda row: (-row.former, row.known.name))

    def largest(self, most: int) -> list[Row]:
        """Return the members that moved most, up or down, the largest variation first."""
        moved = (row for row in self.rows if row.difference)
        return sorted(moved, key=lambda row: (-abs(row.difference), row.known.siret))[:most]


LABELS = {"AJUSTEMENT": "Ajustements manuels", "DEDUCTION": "Déductions décidées"}


def compare(now: Side, then: Side | None) -> Review:
    """Compare two sides member by member, by name; without `then`, nothing is explained."""
    keys = [*now.accounts, *(key for key in (then.accounts if then else ()) if key not in now.accounts)]
    rows = (row_of(key, now, then) for key in keys)
    return Review(now, then, tuple(sorted(rows, key=lambda row: (row.known.name, row.key))))


def row_of(key: int, now: Side, then: Side | None) -> Row:
    """Return one member of such a comparison."""
    before = then.accounts.get(key) if then else None
    effects = effects_of(key, then, now) if then else ()
    return Row(key, now.accounts.get(key), before, effects)
