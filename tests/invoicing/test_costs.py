"""What is left to share of a year's expenses (charter of 24 June 2014, Somme)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.costs import Share, StatementWrong, net_cost
from invoicing.models import Category
from tariffs.engine import share_out

LABELS = dict(Category.choices)
D = Decimal
euros = st.decimals(min_value=0, max_value=10**6, places=2)


def test_worked_example_b_of_the_premier_degre():
    """10 000.00 paid, 2 500.00 of its own, 1 000.00 of subsidy: 6 500.00 over 300 + 500 + 133 pupils."""
    cost = net_cost(
        [("comptes", D("6000.00")), ("administration", D("4000.00"))],
        [Share("administration", amount=D("2500.00"))],
        [D("1000.00")],
        LABELS,
    )
    assert (cost.paid, cost.own, cost.pool) == (D("10000.00"), D("2500.00"), D("6500.00"))
    parts = share_out(cost.pool, {"1": 300, "2": 500, "3": 133})
    assert parts == {"1": D("2090.03"), "2": D("3483.39"), "3": D("926.58")}


def test_every_category_is_listed_even_without_expense():
    cost = net_cost([("contenus", D("12.30"))], [], [], LABELS)
    assert [row.category for row in cost.categories] == list(LABELS)
    assert {row.category: row.net for row in cost.categories}["contenus"] == D("12.30")


def test_a_rate_is_rounded_once_on_the_sum_of_its_category():
    """33.33 % of 0.05 twice would be 0.02 + 0.02; of 0.10 it is 0.03."""
    rows = [("plateforme", D("0.05")), ("plateforme", D("0.05"))]
    assert net_cost(rows, [Share("plateforme", rate=D("33.33"))], [], LABELS).own == D("0.03")


def test_a_part_beyond_its_category_is_refused():
    with pytest.raises(StatementWrong, match="Comptes des élèves : la part du budget propre dépasse"):
        net_cost([("comptes", D("10.00"))], [Share("comptes", amount=D("10.01"))], [], LABELS)


def test_subsidies_beyond_what_is_left_are_refused():
    with pytest.raises(StatementWrong, match="Les subventions dépassent"):
        net_cost(
            [("comptes", D("10.00"))],
            [Share("comptes", rate=D("50"))],
            [D("3.00"), D("2.01")],
            LABELS,
        )


@given(st.lists(st.tuples(st.sampled_from(list(LABELS)), euros)), st.decimals(0, 100, places=2))
def test_what_is_paid_is_own_or_shared_to_the_cent(expenses, rate):
    shares = [Share(category, rate=rate) for category in LABELS]
    cost = net_cost(expenses, shares, [], LABELS)
    assert cost.pool + cost.own == cost.paid == sum((amount for _, amount in expenses), D("0.00"))
    assert all(row.net >= 0 for row in cost.categories)
