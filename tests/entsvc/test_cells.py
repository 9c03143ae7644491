"""How an amount is written: one reading or a refusal."""

import pytest

from entsvc.cells import read_euros


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1 234,56", "1234.56"),
        ("1\u202f234\u202f567,5\u00a0€", "1234567.50"),
        ("1234.5", "1234.50"),
        ("45", "45.00"),
        ("45,00 €", "45.00"),
        ("- 12,00", "-12.00"),
        ("\u221212", "-12.00"),
        (str(1.35), "1.35"),
        (str(45.0), "45.00"),
    ],
)
def test_an_amount_is_read_to_the_cent(text, amount):
    assert str(read_euros(text)) == amount


@pytest.mark.parametrize("text", ["1.350", "1,350", "-1 350.000", "12.10000", "1,350 €"])
def test_three_decimals_may_be_thousands_and_are_refused(text):
    with pytest.raises(ValueError, match="écrivez 1350,00"):
        read_euros(text)


@pytest.mark.parametrize("text", ["1 2 3", "12 34", "1234 567", "1 35.00", "1.234,56", "1,5 0", "€", ""])
def test_spaces_part_thousands_only(text):
    with pytest.raises(ValueError, match="au centime"):
        read_euros(text)
