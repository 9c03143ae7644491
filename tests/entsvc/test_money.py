"""One way to round money: half up, to the cent, and never a float."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entsvc.money import round_cents

amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=6)


@pytest.mark.parametrize(
    ("amount", "rounded"),
    [
        ("1.004", "1.00"),
        ("1.005", "1.01"),
        ("1.015", "1.02"),
        ("2.675", "2.68"),
        ("0.0049", "0.00"),
        ("-1.005", "-1.01"),
        ("45", "45.00"),
    ],
)
def test_half_a_cent_goes_up(amount, rounded):
    assert str(round_cents(Decimal(amount))) == rounded


@given(amounts)
def test_a_rounded_amount_is_within_half_a_cent_and_stays_put(amount):
    rounded = round_cents(amount)
    assert abs(rounded - amount) <= Decimal("0.005")
    assert round_cents(rounded) == rounded
    assert rounded.as_tuple().exponent == -2


@given(amounts, amounts)
def test_rounding_keeps_the_order(one, other):
    if one <= other:
        assert round_cents(one) <= round_cents(other)


@pytest.mark.parametrize("amount", [1.005, 45, "45.00", None])
def test_only_decimals_are_money(amount):
    with pytest.raises(TypeError):
        round_cents(amount)
