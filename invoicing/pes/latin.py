"""How a French text enters a file in ISO-8859-1: no character is lost without a stand-in."""

import re
import textwrap
import unicodedata

ENCODING = "ISO-8859-1"
STAND_INS = str.maketrans(
    {
        "€": "EUR", "œ": "oe", "Œ": "OE", "Ÿ": "Y", "’": "'", "‘": "'", "‚": ",", "“": '"', "”": '"',
        "„": '"', "–": "-", "—": "-", "‑": "-", "−": "-", "…": "...", "•": "-", "ﬁ": "fi", "ﬂ": "fl",
        "Š": "S", "š": "s", "Ž": "Z", "ž": "z", "™": "(TM)",
    }
)  # fmt: skip
CUT = "..."
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\xa0\xad]+")


def latin(text: str) -> str:
    """Return a text on one line, all of whose characters ISO-8859-1 can write: the same twice over."""
    text = unicodedata.normalize("NFC", text).translate(STAND_INS)
    written = text if _is_written(text) else "".join(map(_written, text))
    return " ".join(_CONTROLS.sub(" ", written).split())


def fitted(text: str, most: int) -> str:
    """Return a text of at most `most` characters, cut between words and saying that it is."""
    text = latin(text)
    if len(text) <= most:
        return text
    return textwrap.shorten(text, most, placeholder=CUT) if " " in text[:most] else text[:most]


def wrapped(text: str, width: int) -> list[str]:
    """Return a text on lines of at most `width` characters, cut between words where it can be."""
    return textwrap.wrap(latin(text), width, break_on_hyphens=False)


def _is_written(text: str) -> bool:
    try:
        text.encode(ENCODING)
    except UnicodeEncodeError:
        return False
    return True


def _written(character: str) -> str:
    if _fits(character):
        return character
    if character.isspace():
        return " "
    parts = unicodedata.normalize("NFKD", character)
    kept = "".join(part for part in parts if _fits(part) and not unicodedata.combining(part))
    return kept or ("" if unicodedata.combining(character) else "?")


def _fits(character: str) -> bool:
    return ord(character) < 256
