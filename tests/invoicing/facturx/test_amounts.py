"""How the lines of a titre become those of an invoice: whatever they are, its total is kept."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from invoicing.facturx.amounts import Line, amounts_of
from tests.invoicing.facturx.examples import titre_of


def a_line(amount="45.00", quantity=1, price="45.00", **facts):
    words = dict.fromkeys(("agreement", "uai", "school", "commune", "explanation"), "")
    return Line(
        **{
            **words,
            "charge": "ECOLE",
            "label": "Participation",
            "quantity": quantity,
            "unit_price": None if price is None else Decimal(price),
            "amount": Decimal(amount),
            **facts,
        }
    )


cents = st.integers(min_value=-(10**9), max_value=10**9).map(lambda n: Decimal(n) / 100)
prices = st.none() | st.integers(min_value=0, max_value=10**8).map(lambda n: Decimal(n) / 10_000)
lines = st.builds(
    a_line,
    amount=cents,
    quantity=st.integers(min_value=0, max_value=10**6),
    price=prices,
)


@given(st.lists(lines, max_size=30))
def test_the_lines_less_the_allowances_are_the_total_to_the_cent(rows):
    found = amounts_of(rows)
    assert found.due == sum((row.amount for row in rows), Decimal(0))
    assert found.of_lines - found.allowed == found.due
    assert len(found.lines) + len(found.allowances) == len(rows)


@given(st.lists(lines, max_size=30))
def test_no_price_is_negative_and_each_makes_its_amount_exactly(rows):
    for item in amounts_of(rows).lines:
        assert item.price >= 0
        assert item.price * item.quantity == item.line.amount


def test_a_price_by_pupil_is_kept_with_its_quantity():
    [item] = amounts_of([a_line("535.60", 412, "1.3000")]).lines
    assert (item.quantity, item.price) == (412, Decimal("1.3"))


def test_a_share_a_band_and_a_rounded_amount_are_lumps():
    rows = [a_line("2090.03", 300, None), a_line("315.50", 1, None), a_line("0.33", 3, "0.1111")]
    for item, row in zip(amounts_of(rows).lines, rows, strict=True):
        assert (item.quantity, item.price) == (1, row.amount)


def test_what_example_a_deducts_is_an_allowance_on_the_whole():
    _, rows, _ = titre_of("A")
    found = amounts_of(rows)
    assert (found.of_lines, found.allowed) == (Decimal("7476.90"), Decimal("1000.00"))
    assert found.due == Decimal("6476.90")
