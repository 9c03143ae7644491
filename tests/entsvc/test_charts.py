"""Where bars and lines go: in proportion, within the drawing, said in words, readable in grey."""

import re
from decimal import Decimal

import pytest
from django.template import engines
from hypothesis import given
from hypothesis import strategies as st

from entsvc import charts

MONEY = st.decimals(-10_000_000, 10_000_000, places=2)


def drawn(chart, tag="{% chart figure %}"):
    return engines["django"].from_string("{% load charts %}" + tag).render({"figure": chart})


def widths(chart):
    return [Decimal(bar.width) for bar in chart.rects]


def test_bars_are_as_long_as_what_they_count():
    chart = charts.bars("Essai", [("Amiens", Decimal(200)), ("Albert", Decimal(-100))])
    long, short = widths(chart)
    assert abs(long - 2 * short) <= Decimal("0.2")


def test_a_negative_bar_goes_left_of_the_axis():
    chart = charts.bars("Essai", [("A", Decimal(10)), ("B", Decimal(-10))])
    up, down = chart.rects
    assert Decimal(down.x) + Decimal(down.width) <= Decimal(up.x) + Decimal("0.2")


@given(st.lists(MONEY, min_size=1, max_size=12))
def test_whatever_the_amounts_the_bars_stay_in_the_drawing(values):
    chart = charts.bars("Essai", [("Commune d'un nom plutôt long, vraiment", value) for value in values])
    for bar in chart.rects:
        assert 0 <= float(bar.x) <= float(bar.x) + float(bar.width) <= charts.WIDTH
    assert len(chart.rows) == len(values)


@given(MONEY, MONEY)
def test_the_marks_of_an_axis_are_round_and_hold_what_is_shown(a, b):
    low, high = min(a, b), max(a, b)
    marks = charts.ticks(low, high)
    assert marks[0] <= low <= high <= marks[-1]
    assert 2 <= len(marks) <= 8
    assert len({later - earlier for earlier, later in zip(marks, marks[1:], strict=False)}) == 1


@given(st.lists(st.none() | MONEY, min_size=1, max_size=40))
def test_columns_and_lines_stay_in_the_drawing(values):
    labels = [f"mois {rank}" for rank in range(len(values))]
    columns = charts.columns("Essai", labels, {"Appelé": values, "Encaissé": values})
    line = charts.lines("Essai", labels, {"Appelé": values})
    known = sum(value is not None for value in values)
    assert (len(columns.rects), len(line.dots)) == (2 * known, known)
    for bar in columns.rects:
        assert 0 <= float(bar.y) <= float(bar.y) + float(bar.height) <= float(columns.height)
    for dot in line.dots:
        assert 0 <= float(dot.x) <= charts.WIDTH
        assert 0 <= float(dot.y) <= float(line.height)


def test_a_missing_value_breaks_the_line():
    chart = charts.lines("Essai", ["1", "2", "3"], {"É": [Decimal(1), None, Decimal(3)]}, unit="élèves")
    assert not [stroke for stroke in chart.strokes if stroke.tone]
    assert chart.rows[1] == ("2", "–")


def test_several_series_are_told_apart_without_colour():
    chart = charts.lines("Essai", ["1"], {"A": [Decimal(1)], "B": [Decimal(2)]})
    assert len({key.dash for key in chart.keys}) == 2


def test_the_page_says_the_picture_and_its_figures():
    page = drawn(charts.bars("Plus fortes hausses", [("Amiens", Decimal("1234.5"))]))
    assert 'role="img" aria-label="Plus fortes hausses. En euros : Amiens."' in page
    assert "<td>1\u202f234,50\u00a0€</td>" in page
    assert "<table" not in drawn(charts.bars("X", [("A", Decimal(1))]), "{% chart figure table=False %}")


def test_nothing_to_show_is_said():
    assert "Aucune donnée." in drawn(charts.bars("Essai", []))


@pytest.mark.parametrize("chart", [
    charts.bars("Essai", [("<b>", Decimal("0.5"))]),
    charts.columns("Essai", ["a"], {"<i>": [Decimal("0.25")], "B": [Decimal(2)]}),
])  # fmt: skip
def test_a_strict_policy_and_a_french_page_do_not_spoil_it(chart):
    page = drawn(chart)
    assert "style=" not in page
    assert "<script" not in page
    assert "<b>" not in page
    assert "<i>" not in page
    for value in re.findall(r' (?:x|y|width|height|x1|x2|y1|y2)="([^"]*)"', page):
        assert value == "100%" or float(value) >= 0
