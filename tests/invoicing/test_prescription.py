"""Until when a school year may be billed and a titre collected, by dated figures."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entsvc.models import DatedFigure
from invoicing.prescription import COLLECT, ISSUE, Limits, months_after, years_warned
from members.models import Issuer

DAY = dt.date(2025, 3, 12)
LOCAL = Issuer(code="SOMME", regime=Issuer.Regime.LOCAL)


def figure(code, value, unit="ans", *, scope="LOCAL", applies_to="", first=2010):
    return DatedFigure(
        scope=scope, code=code, applies_to=applies_to, value=Decimal(value), unit=unit, source="essai",
        valid_from=dt.date(first, 1, 1),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (dt.date(2025, 3, 12), 48, dt.date(2029, 3, 12)),
        (dt.date(2024, 2, 29), 48, dt.date(2028, 2, 29)),
        (dt.date(2024, 2, 29), 60, dt.date(2029, 2, 28)),
        (dt.date(2025, 8, 31), 1, dt.date(2025, 9, 30)),
    ],
)
def test_months_go_from_a_day_to_the_same_day(day, months, expected):
    assert months_after(day, months) == expected


@given(st.dates(dt.date(2000, 1, 1), dt.date(2090, 1, 1)), st.integers(0, 120))
def test_more_months_never_come_before(day, months):
    assert day <= months_after(day, months) <= months_after(day, months + 1)


@pytest.mark.parametrize(
    ("value", "unit", "until"),
    [
        ("4", "ans", dt.date(2029, 3, 12)),
        ("18", "mois", dt.date(2026, 9, 12)),
        ("10", "jours", dt.date(2025, 3, 22)),
        ("10", "lunes", None),
    ],
)
def test_the_accountant_collects_from_the_day_it_took_the_titre(value, unit, until):
    limit = Limits([figure(COLLECT, value, unit)]).to_collect(LOCAL, dt.date(2025, 3, 3), DAY)
    assert (limit.start, limit.until) == (DAY, until)


def test_a_year_is_billed_from_its_last_day():
    limit = Limits([figure(ISSUE, "5")]).to_issue(LOCAL, 2024)
    assert (limit.start, limit.until) == (dt.date(2025, 8, 31), dt.date(2030, 8, 31))
    assert limit.in_words() == (
        "jusqu'au 31/08/2030 (5 ans depuis la fin de l'année scolaire du 31/08/2025 ; essai)"
    )


def test_a_figure_of_the_issuer_or_of_the_debtor_wins():
    limits = Limits(
        [figure(COLLECT, "4"), figure(COLLECT, "3", applies_to="epci"), figure(COLLECT, "2", scope="X")]
    )
    assert limits.to_collect(LOCAL, DAY, None, "commune").until.year == 2029
    assert limits.to_collect(LOCAL, DAY, None, "epci").until.year == 2028


def test_an_unknown_figure_is_said_and_warns_of_nothing():
    limit = Limits([]).to_collect(LOCAL, DAY, None)
    assert "complétez les chiffres légaux" in limit.in_words()
    assert limit.warning(dt.date(2099, 1, 1)) == ""


def test_calls_not_issued_are_warned_within_a_year_of_prescription(world):
    limits = Limits([figure(ISSUE, "5", scope="ETAT")])
    run = world.compute()
    last = dt.date(2030, 8, 31)
    assert years_warned(world.issuer, last.replace(year=2028), limits) == []
    [found] = years_warned(world.issuer, last.replace(year=2029), limits)
    assert (found.school_year, found.schedule, found.calls) == (2024, world.schedule.code, 3)
    world.compute()  # an older run no longer counts
    assert [row.calls for row in years_warned(world.issuer, last, limits)] == [3]
    world.issue(run.campaign.runs.order_by("-number").first())
    assert years_warned(world.issuer, last, limits) == []
