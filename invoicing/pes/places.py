"""How names and addresses share out the narrow fields of the PES, without losing a word."""

from dataclasses import dataclass

from invoicing.pes import values
from invoicing.pes.facts import Place
from invoicing.pes.latin import wrapped

WIDTH = 38
NAME_LINES, ADDRESS_LINES = 2, 3
# What comes after the street, in a French address.
AFTER = ("BP", "B.P.", "CS", "TSA", "LIEU-DIT", "LIEU DIT", "CEDEX")


@dataclass(frozen=True)
class Street:
    """The three lines of a street: Adr1 above it, Adr2 itself, Adr3 below it."""

    above: str = ""
    itself: str = ""
    below: str = ""


def name_lines(name: str) -> list[str]:
    """Return Nom, then ComplNom; a third line when the name does not fit."""
    return wrapped(name, WIDTH)


def street_lines(place: Place) -> list[str]:
    """Return the lines of a street, each at most as wide as its field; more than three do not fit."""
    return [part for line in place.lines for part in wrapped(line, WIDTH)]


def street_of(place: Place) -> Street:
    """Share out the lines of a street that fit (see `street_lines`)."""
    lines = street_lines(place)[:ADDRESS_LINES]
    if len(lines) == 3:
        return Street(*lines)
    if len(lines) == 2:
        first, second = lines
        if second.upper().startswith(AFTER):
            return Street(itself=first, below=second)
        return Street(above=first, itself=second)
    return Street(itself="".join(lines))


def is_name(name: str) -> bool:
    """Tell whether a name fits its two fields."""
    lines = name_lines(name)
    return 1 <= len(lines) <= NAME_LINES and all(values.is_text(line, WIDTH) for line in lines)


def is_street(place: Place) -> bool:
    """Tell whether a street fits its three fields."""
    lines = street_lines(place)
    return 1 <= len(lines) <= ADDRESS_LINES and all(values.is_text(line, WIDTH) for line in lines)


def is_place(place: Place) -> bool:
    """Tell whether a whole address fits its fields."""
    return (
        is_street(place)
        and values.is_postal_code(place.postal_code)
        and values.is_text(place.city, WIDTH)
    )
