"""Which codes are valid: UAI, SIREN, SIRET, INSEE and ACTES codes, IBAN and BIC.

Each function returns the code in its canonical form, or raises ValueError with a French message.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime

from django.core.exceptions import ValidationError
from stdnum import bic, iban, luhn
from stdnum.exceptions import ValidationError as StdnumError
from stdnum.fr import siren, siret

from entsvc.cells import is_rounded

UAI_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
# Corsica is 2A and 2B since 1976: 20 is only found in former codes of communes, such as 20004.
INSEE_DEPARTEMENT = re.compile(r"0[1-9]|1[0-9]|2[1-9AB]|[3-8][0-9]|9[0-5]|9[78][0-9]")
INSEE_COMMUNE = re.compile(r"(0[1-9]|[1-8][0-9]|2[AB]|9[0-578])[0-9]{3}")
ACTES = re.compile(
    r"(?P<departement>[0-9][0-9AB][0-9AB])-(?P<siren>[0-9]{9})-(?P<date>[0-9]{8})"
    r"-(?P<number>[A-Z0-9_]{1,15})-(?P<nature>[A-Z]{2})"
)
ACTES_NATURES = {
    "DE": "délibération",
    "AR": "acte réglementaire",
    "AI": "acte individuel",
    "CC": "contrat ou convention",
    "BF": "document budgétaire",
    "AU": "autre acte",
}


def uai_letter(digits: str) -> str:
    """Return the check letter of a UAI's seven digits: number mod 23 in an alphabet without I, O, Q.

    Source: répertoire national des établissements; verified on 47 035 official codes.
    """
    return UAI_LETTERS[int(digits) % 23]


def check_uai(text: str) -> str:
    """Return a UAI in upper case; raise ValueError when its form or its key is wrong."""
    code = text.strip().upper()
    if not re.fullmatch(r"[0-9]{7}[A-Z]", code):
        raise ValueError("Un UAI s'écrit avec sept chiffres et une lettre, comme 0310891A.")
    if uai_letter(code[:7]) != code[7]:
        raise ValueError(f"La lettre de contrôle du code {code} est fausse : vérifiez-le.")
    return code


def check_siret(text: str) -> str:
    """Return the 14 digits of a SIRET; raise ValueError when its form or its key is wrong."""
    if is_rounded(text):
        raise ValueError(
            "Un tableur a remplacé ce SIRET par un nombre arrondi : reprenez-le de sa source."
        )
    if len("".join(text.split())) == 13:
        raise ValueError(
            "Un SIRET compte quatorze chiffres, celui-ci treize : un tableur a pu ôter un zéro de tête. "
            "Reprenez-le de sa source."
        )
    try:
        return siret.validate(text)
    except StdnumError as error:
        raise ValueError(
            "Un SIRET compte quatorze chiffres et une clé de contrôle : celui-ci est faux."
        ) from error


def check_siren(text: str) -> str:
    """Return the 9 digits of a SIREN; raise ValueError when its form or its key is wrong."""
    if is_rounded(text):
        raise ValueError(
            "Un tableur a remplacé ce SIREN par un nombre arrondi : reprenez-le de sa source."
        )
    try:
        return siren.validate(text)
    except StdnumError as error:
        raise ValueError(
            "Un SIREN compte neuf chiffres et une clé de contrôle : celui-ci est faux."
        ) from error


def proposed_siret(siren_digits: str) -> str:
    """Return the most likely main SIRET of a SIREN: its first establishment, 0001, and the key.

    Right for about 95 % of communes: always to be verified, never for a département.
    """
    start = f"{siren_digits}0001"
    return start + luhn.calc_check_digit(start)


def check_commune_code(text: str) -> str:
    """Return an INSEE commune code (5 characters, not a postal code); raise ValueError."""
    code = text.strip().upper()
    if not INSEE_COMMUNE.fullmatch(code):
        raise ValueError("Un code commune INSEE compte cinq caractères, comme 31533 ou 2A004.")
    return code


def check_departement_code(text: str) -> str:
    """Return a département code as INSEE writes it, 80 for 080 and 2A for 02A; raise ValueError."""
    code = text.strip().upper()
    short = code[1:] if len(code) == 3 and code[0] == "0" else code
    if not INSEE_DEPARTEMENT.fullmatch(short):
        raise ValueError("Un code de département s'écrit comme 31, 2A ou 974.")
    return short


def departement_of(commune_code: str) -> str:
    """Return the département code of a commune: 31 for 31533, 2A for 2A004, 974 for 97411."""
    return commune_code[:3] if commune_code[:2] in ("97", "98") else commune_code[:2]


@dataclass(frozen=True)
class ActesId:
    """The identifier an act receives when it is transmitted (protocole @CTES)."""

    departement: str
    siren: str
    date: date
    number: str
    nature: str

    def __str__(self) -> str:
        """Write the identifier as the prefecture's receipt does: 031-213105331-20240620-…-DE."""
        day = self.date.strftime("%Y%m%d")
        return f"{self.departement:0>3}-{self.siren}-{day}-{self.number}-{self.nature}"


def check_actes_id(text: str) -> ActesId:
    """Return the parts of an ACTES identifier; raise ValueError saying which one is wrong."""
    match = ACTES.fullmatch(text.strip().upper())
    if not match:
        raise ValueError(
            "Un identifiant ACTES s'écrit comme 031-213105331-20240620-202436-DE : "
            "département, SIREN, date, numéro, nature."
        )
    if match["nature"] not in ACTES_NATURES:
        known = ", ".join(f"{code} ({label})" for code, label in ACTES_NATURES.items())
        raise ValueError(f"Nature d'acte inconnue : {match['nature']} ; natures possibles : {known}.")
    try:
        day = datetime.strptime(match["date"], "%Y%m%d").date()
    except ValueError as error:
        raise ValueError(f"Date d'acte impossible : {match['date']}.") from error
    return ActesId(
        departement=check_departement_code(match["departement"]),
        siren=check_siren(match["siren"]),
        date=day,
        number=match["number"],
        nature=match["nature"],
    )


def check_postal_code(text: str) -> str:
    """Return a postal code, five digits; raise ValueError."""
    if not (len(text) == 5 and text.isascii() and text.isdigit()):
        raise ValueError("Un code postal compte cinq chiffres.")
    return text


def check_iban(text: str) -> str:
    """Return an IBAN without spaces; raise ValueError when its key is wrong."""
    try:
        return iban.validate(text)
    except StdnumError as error:
        raise ValueError("Cet IBAN est faux : vérifiez-le auprès du comptable.") from error


def check_bic(text: str) -> str:
    """Return a BIC; raise ValueError when its form is wrong."""
    try:
        return bic.validate(text)
    except StdnumError as error:
        raise ValueError("Ce BIC est faux : vérifiez-le auprès du comptable.") from error


def validate_departements(value: str) -> None:
    """Field validator of a list of département codes."""
    for code in value.split():
        _validate(check_departement_code, code)


def validate_postal_code(value: str) -> None:
    """Field validator of a postal code."""
    _validate(check_postal_code, value)


def validate_uai(value: str) -> None:
    """Field validator of a UAI."""
    _validate(check_uai, value)


def validate_siret(value: str) -> None:
    """Field validator of a SIRET."""
    _validate(check_siret, value)


def validate_siren(value: str) -> None:
    """Field validator of a SIREN."""
    _validate(check_siren, value)


def validate_iban(value: str) -> None:
    """Field validator of an IBAN."""
    _validate(check_iban, value)


def validate_bic(value: str) -> None:
    """Field validator of a BIC."""
    _validate(check_bic, value)


def _validate(check: callable, value: str) -> None:
    try:
        check(value)
    except ValueError as error:
        raise ValidationError(str(error)) from error
