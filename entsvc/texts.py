"""Which dated text applies on a day, and how its placeholders are filled."""

import re
from collections.abc import Iterable, Mapping
from datetime import date

from django.core.exceptions import ValidationError

PLACEHOLDERS = {
    "tribunal": "tribunal administratif compétent",
    "comptable": "dénomination du comptable assignataire",
    "emetteur": "dénomination de l'émetteur",
}
_FIELD = re.compile(r"\{([^{}]*)\}")


def check_placeholders(body: str, fields: Iterable[str] = PLACEHOLDERS) -> None:
    """Raise ValidationError naming the placeholders of a text that are not among its `fields`."""
    unknown = sorted(set(_FIELD.findall(body)) - set(fields))
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in fields)
        raise ValidationError(
            {"body": f"Champ inconnu : {', '.join(unknown)}. Champs possibles : {known}."}
        )


def fill(body: str, values: Mapping[str, str]) -> str:
    """Replace {name} by its value; raise KeyError for a name without a value."""
    return _FIELD.sub(lambda match: values[match[1]], body)


def in_force(scopes: Iterable[str], on: date) -> dict[str, str]:
    """Return {code: body} of the texts in force on a day.

    `scopes` goes from the most general to the most particular; the particular wins, then the latest.
    """
    from entsvc.models import DatedText

    order = {scope: rank for rank, scope in enumerate(scopes)}
    rows = DatedText.objects.filter(scope__in=order, valid_from__lte=on)
    ranked = sorted(rows, key=lambda text: (order[text.scope], text.valid_from))
    return {text.code: text.body for text in ranked}
