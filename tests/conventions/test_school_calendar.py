"""When accounts may be opened: the first school day after the next holidays of the académie."""

import datetime as dt
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conventions.school_calendar import (
    OWN_CALENDAR,
    ZONES_OF_2000,
    ZONES_OF_2015,
    CalendarUnknown,
    is_school_day,
    known_days,
    opening_after,
    periods,
    zone_of,
)

AMIENS, LILLE, MONTPELLIER, TOULOUSE, PARIS, LYON, NORMANDIE = "20", "09", "11", "16", "01", "10", "70"


def test_it_works():
    """In the Somme, zone B: validated in November 2010, opened after Christmas."""
    opening = opening_after(date(2010, 11, 15), AMIENS)
    assert opening.day == date(2011, 1, 3)
    told = opening.reason.replace("\u00a0", " ")
    assert told.startswith("Projet validé le 15 novembre 2010 ; vacances de Noël de la zone B")
    assert told.endswith("premier jour de classe ensuite, le 3 janvier 2011.")


@pytest.mark.parametrize(
    ("academy", "validated", "opening"),
    [
        # Zone B, before and after the reform of 2015.
        (AMIENS, date(2014, 10, 1), date(2014, 11, 3)),
        (AMIENS, date(2016, 1, 20), date(2016, 2, 22)),
        (LILLE, date(2024, 1, 9), date(2024, 3, 11)),
        # Easter Monday is the last day of these.
        (AMIENS, date(2025, 3, 3), date(2025, 4, 22)),
        # Zone A until 2015, C after.
        (MONTPELLIER, date(2015, 1, 20), date(2015, 2, 23)),
        (MONTPELLIER, date(2016, 1, 20), date(2016, 3, 7)),
        (TOULOUSE, date(2021, 1, 12), date(2021, 3, 1)),
        (PARIS, date(2010, 5, 3), date(2010, 9, 2)),
        (LYON, date(2025, 1, 10), date(2025, 3, 10)),
        (NORMANDIE, date(2023, 11, 20), date(2024, 1, 8)),
        # The summer.
        (AMIENS, date(2024, 5, 6), date(2024, 9, 2)),
        (AMIENS, date(2025, 6, 30), date(2025, 9, 1)),
    ],
)
def test_a_project_waits_for_the_end_of_the_next_holidays_of_its_zone(academy, validated, opening):
    assert opening_after(validated, academy).day == opening


@pytest.mark.parametrize("day", [5, 12, 21])
def test_a_project_validated_during_holidays_waits_for_the_end_of_these(day):
    assert opening_after(date(2025, 4, day), AMIENS).day == date(2025, 4, 22)


def test_on_the_eve_of_holidays_it_waits_for_these_and_on_the_return_for_the_next():
    assert opening_after(date(2025, 4, 4), AMIENS).day == date(2025, 4, 22)
    assert opening_after(date(2025, 4, 22), AMIENS).day == date(2025, 9, 1)


def test_the_long_weekend_of_ascension_is_no_holiday_period():
    assert opening_after(date(2021, 5, 12), AMIENS).day == date(2021, 9, 1)


def test_a_public_holiday_after_the_holidays_is_skipped():
    """Holidays that end on 1 or 10 November: the 1st and the 11th are public holidays."""
    assert not is_school_day(date(2021, 11, 1), "B")
    assert not is_school_day(date(2024, 11, 11), "B")
    assert is_school_day(date(2024, 11, 12), "B")


def test_montpellier_and_toulouse_changed_zone_with_the_school_year_2015():
    for academy in (MONTPELLIER, TOULOUSE):
        assert zone_of(academy, date(2015, 8, 31)) == "A"
        assert zone_of(academy, date(2015, 9, 1)) == "C"
    assert {zone_of(AMIENS, date(year, 3, 1)) for year in range(2005, 2026)} == {"B"}
    assert zone_of(LILLE, date(2010, 3, 1)) == zone_of(LILLE, date(2020, 3, 1)) == "B"


def test_each_metropolitan_academie_has_one_zone_in_both_tables():
    before = [code for codes in ZONES_OF_2000.values() for code in codes]
    after = [code for codes in ZONES_OF_2015.values() for code in codes]
    assert len(before) == len(set(before)) == 25
    assert set(after) == {*before, NORMANDIE}
    assert len(after) == len(set(after))
    assert not set(after) & set(OWN_CALENDAR)
    # 01 to 25 are those of the metropolis.
    assert set(before) == {f"{number:02d}" for number in range(1, 26)}


@pytest.mark.parametrize(
    ("academy", "told"),
    [
        ("27", "Corse a son propre calendrier"),
        ("28", "La Réunion a son propre calendrier"),
        ("43", "Mayotte a son propre calendrier"),
        ("", "complétez sa fiche"),
        ("99", "L'académie 99 est inconnue"),
    ],
)
def test_an_academie_without_zone_is_refused_in_french(academy, told):
    with pytest.raises(CalendarUnknown, match=told):
        opening_after(date(2024, 1, 9), academy)


def test_normandie_has_no_single_zone_before_the_reform():
    with pytest.raises(CalendarUnknown, match="Caen et Rouen"):
        opening_after(date(2014, 1, 9), NORMANDIE)


@pytest.mark.parametrize("day", [date(1989, 5, 1), date(1999, 5, 1), date(2045, 1, 9)])
def test_a_year_out_of_the_calendar_is_refused_never_guessed(day):
    with pytest.raises(CalendarUnknown, match="Le calendrier scolaire connu va du"):
        opening_after(day, AMIENS)


def test_the_last_holidays_known_may_go_on_and_open_nothing():
    _, last = known_days()
    with pytest.raises(CalendarUnknown):
        opening_after(last - dt.timedelta(days=20), AMIENS)


def test_every_school_year_known_has_its_five_holidays_in_every_zone():
    last = known_days()[1].year
    for zone in "ABC":
        for year in range(2000, last):
            first, end = date(year, 9, 15), date(year + 1, 9, 14)
            found = [p.name for p in periods(zone) if first <= p.first <= end]
            assert len(found) == 5, (zone, year, found)


ACADEMIES = st.sampled_from([code for codes in ZONES_OF_2015.values() for code in codes])
DAYS = st.dates(date(2015, 9, 1), known_days()[1] - dt.timedelta(days=200))


@given(DAYS, ACADEMIES)
def test_accounts_open_on_a_school_day_after_the_validation_and_its_holidays(validated, academy):
    zone, opening = zone_of(academy, validated), opening_after(validated, academy).day
    assert opening > validated
    assert is_school_day(opening, zone)
    assert any(validated <= period.last < opening for period in periods(zone))
    between = [validated + dt.timedelta(days=n) for n in range(1, (opening - validated).days)]
    holidays = [p for p in periods(zone) if p.last >= validated and p.first <= opening]
    assert len(holidays) == 1, "one holiday period is waited for, no more"
    assert not any(is_school_day(day, zone) for day in between if day > holidays[0].last)


@given(DAYS, DAYS, ACADEMIES)
def test_a_project_validated_later_never_opens_earlier(one, other, academy):
    first, second = sorted((one, other))
    assert opening_after(first, academy).day <= opening_after(second, academy).day
