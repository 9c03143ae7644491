"""What the text of a reminder may name, and how it is filled."""

from collections.abc import Mapping

from entsvc import texts

FIELDS = {
    "reference": "référence du titre",
    "objet": "objet du titre",
    "emis_le": "date d'émission",
    "echeance": "échéance, « avant le 15 mai 2025 »",
    "montant": "montant dû, corrections déduites",
    "paye": "montant payé à notre connaissance",
    "reste": "montant qui reste à payer",
    "debiteur": "nom du débiteur",
    "comptable": "dénomination du comptable",
    "emetteur": "dénomination de l'émetteur",
}


def check(body: str) -> None:
    """Raise ValidationError naming the fields of a text that do not exist."""
    texts.check_placeholders(body, FIELDS)


def paragraphs(body: str, values: Mapping[str, str]) -> list[str]:
    """Return the paragraphs of a text, its fields filled; empty lines part them."""
    parts = texts.fill(body, values).replace("\r\n", "\n").split("\n\n")
    return [part.strip() for part in parts if part.strip()]
