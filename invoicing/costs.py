"""What remains of a year's expenses to share out: paid, less the issuer's own part, less subsidies.

Charter of 24 June 2014 (Somme): the committee charges the non-proportional part of each category to its
own budget; members share the rest, as actually paid to the suppliers, net of subsidies. Pure: euros as
Decimal, no database.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from entsvc.money import round_cents

ZERO = Decimal("0.00")
HUNDRED = Decimal(100)


class StatementWrong(Exception):
    """The figures of a statement contradict each other; the message says which, in French."""


@dataclass(frozen=True)
class Share:
    """The part of a category charged to the issuer's own budget: euros, or a rate in per cent."""

    category: str
    amount: Decimal | None = None
    rate: Decimal | None = None


@dataclass(frozen=True)
class CategoryNet:
    """A category: euros paid, charged to the issuer's own budget, and left to the members."""

    category: str
    paid: Decimal
    own: Decimal

    @property
    def net(self) -> Decimal:
        """Return what the members are left to share, before subsidies."""
        return self.paid - self.own


@dataclass(frozen=True)
class NetCost:
    """The whole statement: its categories, the subsidies, and the pool to share out."""

    categories: tuple[CategoryNet, ...]
    subsidies: Decimal

    @property
    def paid(self) -> Decimal:
        """Return the euros paid to the suppliers."""
        return sum((row.paid for row in self.categories), ZERO)

    @property
    def own(self) -> Decimal:
        """Return the euros charged to the issuer's own budget."""
        return sum((row.own for row in self.categories), ZERO)

    @property
    def pool(self) -> Decimal:
        """Return the euros that the members share out."""
        return self.paid - self.own - self.subsidies


def net_cost(
    expenses: Iterable[tuple[str, Decimal]],
    shares: Iterable[Share],
    subsidies: Iterable[Decimal],
    labels: Mapping[str, str],
) -> NetCost:
    """Return what is left to share of expenses (category, euros), category by category.

    A rate is rounded once, on the category's sum. `labels` gives the categories in their order, as they
    are printed. Raises StatementWrong for a part beyond its category, or subsidies beyond the rest.
    """
    paid = dict.fromkeys(labels, ZERO)
    for category, amount in expenses:
        paid[category] += amount
    own = {share.category: _own(share, paid[share.category]) for share in shares}
    for category, part in own.items():
        if part > paid[category]:
            raise StatementWrong(
                f"{labels[category]} : la part du budget propre dépasse les dépenses payées. "
                "Corrigez-la, ou saisissez les dépenses qui manquent."
            )
    rows = [CategoryNet(code, paid[code], own.get(code, ZERO)) for code in labels]
    cost = NetCost(tuple(rows), sum(subsidies, ZERO))
    if cost.pool < 0:
        raise StatementWrong(
            "Les subventions dépassent ce qui reste à répartir : vérifiez leur montant et leur année."
        )
    return cost


def _own(share: Share, paid: Decimal) -> Decimal:
    if share.amount is not None:
        return share.amount
    return round_cents(paid * (share.rate or ZERO) / HUNDRED)
