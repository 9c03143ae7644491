"""By when a titre is to be paid: a day where its own words make one, its words elsewhere."""

import datetime as dt
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from num2words import num2words

from invoicing.deadlines import Deadline, days_of, deadline, fifteenth_of_second_month

COMMON = Path("fixtures/regimes/common.toml")
TEXTS = {
    text["scope"]: text["body"].strip()
    for text in tomllib.loads(COMMON.read_text())["text"]
    if text["code"] == "delai"
}
ISSUED = dt.date(2025, 3, 20)


@pytest.mark.parametrize(
    ("issued", "due"),
    [
        ((2025, 3, 20), (2025, 5, 15)),
        ((2025, 3, 1), (2025, 5, 15)),
        ((2025, 3, 31), (2025, 5, 15)),
        ((2025, 10, 15), (2025, 12, 15)),
        ((2025, 11, 30), (2026, 1, 15)),
        ((2025, 12, 31), (2026, 2, 15)),
        ((2024, 12, 1), (2025, 2, 15)),
    ],
)
def test_the_state_is_paid_by_the_15th_of_the_second_month_after_that_of_the_issue(issued, due):
    found = deadline(dt.date(*issued), TEXTS["ETAT"])
    assert found.day == dt.date(*due)
    assert not found.from_posting


@given(st.dates(min_value=dt.date(2010, 1, 1), max_value=dt.date(2099, 12, 31)))
def test_it_leaves_from_43_to_76_days(day):
    due = fifteenth_of_second_month(day)
    assert due.day == 15
    assert 43 <= (due - day).days <= 76


def test_a_local_body_is_paid_30_days_after_a_posting_that_nobody_tells_here():
    found = deadline(ISSUED, TEXTS["LOCAL"])
    assert found == Deadline(TEXTS["LOCAL"], None, from_posting=True)
    assert not found.is_over(dt.date(2099, 1, 1))
    assert found.short == "30 jours après la mise à disposition sur Chorus Pro"


def test_it_is_paid_30_days_after_the_day_that_chorus_pro_tells():
    found = deadline(ISSUED, TEXTS["LOCAL"], dt.date(2025, 4, 2))
    assert found.day == dt.date(2025, 5, 2)
    assert found.short == "avant le 2\u00a0mai\u00a02025"
    assert found.is_over(dt.date(2025, 5, 3))


@pytest.mark.parametrize("scope", ["ETAT", ""])
def test_a_posting_changes_nothing_to_words_that_do_not_count_from_it(scope):
    words = TEXTS.get(scope, "sous huit jours")
    assert deadline(ISSUED, words, dt.date(2025, 4, 2)) == deadline(ISSUED, words)


@pytest.mark.parametrize(
    ("words", "days"),
    [
        ("30 jours après la mise à disposition sur Chorus Pro", 30),
        ("dans un délai de trente jours à compter de la mise à disposition sur Chorus Pro", 30),
        ("sous quarante-cinq jours après la mise à disposition sur Chorus Pro", 45),
        ("soixante (60) jours après la mise à disposition sur Chorus Pro", 60),
        ("TRENTE ET UN JOURS", 31),
        ("un jour", 1),
        ("à la mise à disposition sur Chorus Pro", None),
        ("deux mois après la mise à disposition sur Chorus Pro", None),
        ("quelques jours après", None),
    ],
)
def test_the_number_of_days_is_that_of_the_words(words, days):
    assert days_of(words) == days


@given(st.integers(1, 365))
def test_a_number_in_letters_is_read_as_in_digits(number):
    assert days_of(f"{num2words(number, lang='fr')} jours après") == number
    assert days_of(f"sous {number} jours") == number


@pytest.mark.parametrize("words", ["", "sous huit jours", "au plus tard le 15 mai 2025"])
def test_other_words_of_an_issuer_are_only_repeated(words):
    found = deadline(ISSUED, words)
    assert (found.short, found.day, found.from_posting) == (words, None, False)


def test_it_is_over_the_day_after():
    found = deadline(ISSUED, TEXTS["ETAT"])
    assert found.short == "avant le 15\u00a0mai\u00a02025"
    assert not found.is_over(dt.date(2025, 5, 15))
    assert found.is_over(dt.date(2025, 5, 16))
