"""When a school may open: the first school day after the next holidays of its académie.

Holidays come from `vacances-scolaires-france`, public holidays from `jours-feries-france`; what they do
not know is refused, never guessed. Neither the database nor the clock is read here.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from jours_feries_france import JoursFeries
from vacances_scolaires_france import SchoolHolidayDates

from entsvc import school_year
from entsvc.french import long_date, lower_first

ONE_DAY = timedelta(days=1)
# A long weekend is no holiday period that a project waits for.
LONG_WEEKEND = "Pont de l'Ascension"

# By the code that the annuaire gives to an académie. Arrêté du 28 novembre 2000, article 3.
ZONES_OF_2000 = {
    "A": ("05", "06", "08", "10", "11", "12", "14", "16", "17"),
    "B": ("02", "03", "07", "09", "13", "15", "18", "19", "20", "21", "22", "23"),
    "C": ("01", "04", "24", "25"),
}
# Arrêté du 16 avril 2015; 70 is Normandie, which took over Caen (05) and Rouen (21) in 2020.
ZONES_OF_2015 = {
    "A": ("03", "04", "06", "07", "08", "10", "13", "22"),
    "B": ("02", "05", "09", "12", "14", "15", "17", "18", "19", "20", "21", "23", "70"),
    "C": ("01", "11", "16", "24", "25"),
}
REFORM = 2015
NORMANDIE = "70"
OWN_CALENDAR = {
    "27": "Corse",
    "28": "La Réunion",
    "31": "Martinique",
    "32": "Guadeloupe",
    "33": "Guyane",
    "40": "Nouvelle-Calédonie",
    "41": "Polynésie française",
    "42": "Wallis-et-Futuna",
    "43": "Mayotte",
    "44": "Saint-Pierre-et-Miquelon",
    "77": "Saint-Barthélemy",
    "78": "Saint-Martin",
}


class CalendarUnknown(Exception):
    """The calendar of an académie is not known for a day; the message says so in French."""


@dataclass(frozen=True)
class Holidays:
    """A holiday period of a zone, both days included."""

    name: str
    first: date
    last: date


@dataclass(frozen=True)
class Opening:
    """The first day on which accounts may be opened, and why (a French sentence)."""

    day: date
    reason: str


def opening_after(validated_on: date, academy_code: str) -> Opening:
    """Return when accounts may be opened once the IEN has validated a project.

    Source: convention cadre of 2010 of the Somme: after the next school-holiday period. A project
    validated during holidays waits for the end of these: what is awaited is a return to school, and the
    text asks for no shortest delay. Raises CalendarUnknown.
    """
    zone = zone_of(academy_code, validated_on)
    first, last = known_days()
    if validated_on < first:
        raise CalendarUnknown(_out_of_calendar(validated_on))
    for holidays in periods(zone):
        if holidays.last >= validated_on:
            day = _first_school_day(holidays.last + ONE_DAY, zone)
            if day <= last:
                return Opening(day, _reason(validated_on, holidays, zone, day))
            break
    raise CalendarUnknown(_out_of_calendar(validated_on))


def zone_of(academy_code: str, day: date) -> str:
    """Return the holiday zone, A, B or C, of an académie in the school year of a day."""
    year = school_year.containing(day)
    if academy_code in OWN_CALENDAR:
        raise CalendarUnknown(
            f"{OWN_CALENDAR[academy_code]} a son propre calendrier de vacances, qui n'est pas connu ici."
        )
    if not academy_code:
        raise CalendarUnknown("L'académie de l'école n'est pas connue : complétez sa fiche.")
    if year < school_year.FIRST:
        raise CalendarUnknown(_out_of_calendar(day))
    for zone, codes in (ZONES_OF_2015 if year >= REFORM else ZONES_OF_2000).items():
        if academy_code in codes:
            return zone
    if academy_code == NORMANDIE:
        raise CalendarUnknown(
            "Avant 2015, Caen et Rouen n'avaient pas la même zone : donnez à l'école l'académie d'alors."
        )
    raise CalendarUnknown(f"L'académie {academy_code} est inconnue : corrigez la fiche de l'école.")


def is_school_day(day: date, zone: str) -> bool:
    """Tell whether a day is one of class: no weekend, public holiday nor holidays of the zone."""
    off = day.weekday() >= 5 or JoursFeries.is_bank_holiday(day)
    return not off and not _calendar().is_holiday_for_zone(day, zone)


def known_days() -> tuple[date, date]:
    """Return the first and the last day that the calendar knows."""
    days = _calendar().data
    return min(days), max(days)


@lru_cache(maxsize=3)
def periods(zone: str) -> tuple[Holidays, ...]:
    """Return the holiday periods of a zone in order, without the long weekends."""
    found: list[Holidays] = []
    for day, row in sorted(_calendar().data.items()):
        name = row["nom_vacances"]
        if not row[f"vacances_zone_{zone.lower()}"] or name == LONG_WEEKEND:
            continue
        if found and found[-1].name == name and found[-1].last == day - ONE_DAY:
            found[-1] = Holidays(name, found[-1].first, day)
        else:
            found.append(Holidays(name, day, day))
    return tuple(found)


@lru_cache(maxsize=1)
def _calendar() -> SchoolHolidayDates:
    return SchoolHolidayDates()


def _first_school_day(day: date, zone: str) -> date:
    _, last = known_days()
    while day <= last and not is_school_day(day, zone):
        day += ONE_DAY
    return day


def _reason(validated_on: date, holidays: Holidays, zone: str, day: date) -> str:
    return (
        f"Projet validé le {long_date(validated_on)} ; {lower_first(holidays.name)} de la zone {zone} "
        f"jusqu'au {long_date(holidays.last)} ; premier jour de classe ensuite, le {long_date(day)}."
    )


def _out_of_calendar(day: date) -> str:
    first, last = known_days()
    first = max(first, school_year.first_day(school_year.FIRST))
    return (
        f"Le calendrier scolaire connu va du {long_date(first)} au {long_date(last)} : il ne dit pas "
        f"quand finissent les vacances qui suivent le {long_date(day)}."
    )
