"""What a spreadsheet took from a code, put back only where another column confirms it.

Each function returns the code as it should be written, or raises ValueError with a French message.
"""

import re

from members import identifiers

RPI_CODE = re.compile(r"(0[0-9]{2}|02[AB]|9[78][0-9])[0-9]{3}")


def departement_code(text: str) -> str:
    """Return a département code as INSEE writes it: 080, 80 → 80; 001, 1 → 01; 02A → 2A."""
    return identifiers.check_departement_code(text.zfill(2))


def commune_code(text: str, *, departement: str, postal_code: str) -> str:
    """Return an INSEE commune code, with its lost zero when the département says so.

    Without a département, the postal code tells, be its own zero lost too.
    """
    if not re.fullmatch(r"[0-9]{4}", text):
        return identifiers.check_commune_code(text)
    restored = f"0{text}"
    told = departement or (f"{postal_code:0>5}"[:2] if len(postal_code) in (4, 5) else "")
    if told != restored[:2]:
        raise ValueError(
            "Un code commune INSEE compte cinq caractères, et rien ne confirme qu'un zéro manque devant "
            "celui-ci : corrigez-le."
        )
    return identifiers.check_commune_code(restored)


def postal_code(text: str, *, departement: str) -> str:
    """Return a postal code, with its lost zero when the département says so."""
    code = f"0{text}" if len(text) == 4 and departement == f"0{text[:1]}" else text
    if not re.fullmatch(r"[0-9]{5}", code):
        raise ValueError("Un code postal compte cinq chiffres : celui-ci n'est pas repris.")
    return code


def academy_code(text: str) -> str:
    """Return the two digits of an académie: 3 → 03."""
    if not re.fullmatch(r"[0-9]{1,2}", text):
        raise ValueError("Un code d'académie compte deux chiffres : celui-ci n'est pas repris.")
    return text.zfill(2)


def rpi_code(text: str, *, departement: str) -> str:
    """Return the code of a RPI, three characters of département and a number: 70073 → 070073.

    Its lost zeros come back when what they make is of the school's département.
    """
    code = text.upper().zfill(6)
    whole = len(text) == 6 or code.startswith(f"{departement:0>3}")
    if not whole or not RPI_CODE.fullmatch(code):
        raise ValueError("Un code de RPI s'écrit comme 031037 : celui-ci n'est pas repris.")
    return code
