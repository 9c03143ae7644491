"""What the document of an annulation or of a réduction says: a copy of every fact, frozen with it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from entsvc.french import amount_in_words, euros, lower_first
from invoicing.models import Titre, TitreLine
from invoicing.payload import Letterhead

TITLES = {
    Titre.Kind.ANNULATION: "Titre d'annulation",
    Titre.Kind.REDUCTION: "Titre de réduction",
}
EXPLANATION = 300


@dataclass(frozen=True)
class PartOff:
    """What a réduction takes off, in euros: from a line of the titre, else from one of its charges."""

    amount: Decimal
    line: TitreLine | None = None
    charge: str = ""


def mention_of(titre: Titre) -> dict[str, str | int]:
    """Return how a document names another titre."""
    return {
        "reference": titre.reference,
        "number": titre.number,
        "exercice": titre.exercice,
        "issued_on": titre.issued_on.isoformat(),
        "total": str(titre.total),
    }


def lines_of(
    original: Titre, parts: Sequence[PartOff], earlier: Sequence[Titre]
) -> list[dict[str, Any]]:
    """Return the facts of the lines of a correction; without `parts`, those of an annulation.

    An annulation takes the lines of the titre, less what the `earlier` réductions took off already.
    """
    rows = sorted(original.lines.all(), key=lambda line: line.position)
    if parts:
        taken = taken_by_line(earlier)
        facts = [_part(part, rows, taken) for part in parts]
    else:
        facts = [_copy(line) for line in rows] + [_taken_off(titre) for titre in earlier]
    return [{**item, "position": position} for position, item in enumerate(facts, start=1)]


def correction_draft(
    *,
    head: Letterhead,
    original: Titre,
    kind: Titre.Kind,
    reason_code: str,
    reason: str,
    lines: Sequence[dict[str, Any]],
    due: Decimal,
    parts: Sequence[PartOff],
) -> dict[str, Any]:
    """Return the payload of a correction, but for its numbers; `due` is what was due before it.

    The debtor and the imputation are those of the titre corrected: the same article is reduced.
    """
    total = sum((line["amount"] for line in lines), Decimal("0.00"))
    return {
        **head.facts,
        "debtor": original.payload["debtor"],
        "imputation": original.payload["imputation"],
        "subject": subject_of(original, kind),
        "original": {
            **mention_of(original),
            "subject": original.subject,
            "due_before": str(due),
            "due_after": str(due - total),
        },
        "error": {
            "code": reason_code,
            "label": Titre.Reason(reason_code).label,
            "text": reason,
        },
        "parts": [
            {"position": part.line.position, "amount": str(part.amount)} for part in parts if part.line
        ],
        "charges": _charges(lines),
        "sources": [],
        "total": str(total),
        "total_words": amount_in_words(total),
        "texts": {
            "enforceability": "",
            "payment": "",
            "late": "",
            "remedies": head.correction_remedies,
        },
    }


def correction_numbered(
    payload: dict[str, Any],
    *,
    head: Letterhead,
    kind: Titre.Kind,
    number: int,
    bordereau: int,
    reference: str,
    exercice: int,
    on: date,
    external: bool,
) -> dict[str, Any]:
    """Return the payload with the identity that issuing gives to the document: nothing to pay.

    `external`: the accountant's chain gives the number, ours is a provisional reference.
    """
    title = TITLES[Titre.Kind(kind)]
    identity = {
        "kind": Titre.Kind(kind).value,
        "regime": head.regime,
        "title": f"Projet de {lower_first(title)}" if external else title,
        "number": number,
        "reference": reference,
        "issued_on": on.isoformat(),
        "exercice": exercice,
        "bordereau": bordereau,
        "payment_reference": "",
        "due_text": "",
        "external": external,
        "specimen": head.specimen,
    }
    return {**payload, "document": identity}


def taken_by_line(earlier: Sequence[Titre]) -> dict[int, Decimal]:
    """Return {position of a line of the original: euros that réductions took off it}."""
    taken: dict[int, Decimal] = defaultdict(lambda: Decimal("0.00"))
    for correction in earlier:
        for part in correction.payload["parts"]:
            taken[part["position"]] += Decimal(part["amount"])
    return taken


def subject_of(original: Titre, kind: Titre.Kind) -> str:
    """Return the subject of a correction, as long as a titre's may be."""
    words = f"{Titre.Kind(kind).label} du titre {original.reference} : {original.subject}"
    return words[: Titre._meta.get_field("subject").max_length]


def _copy(line: TitreLine) -> dict[str, Any]:
    names = (
        "charge", "charge_label", "agreement", "uai", "school", "commune", "quantity", "unit",
        "unit_price", "amount", "explanation",
    )  # fmt: skip
    return {name: getattr(line, name) for name in names}


def _part(part: PartOff, rows: Sequence[TitreLine], taken: dict[int, Decimal]) -> dict[str, Any]:
    """Return the line of a réduction, under the words of the line or of the charge it comes off.

    Adds the part to what is `taken` off its line.
    """
    off = {"quantity": 1, "unit_price": None, "amount": part.amount}
    if part.line is None:
        line = next(line for line in rows if line.charge == part.charge)
        words = "Montant retiré sur la rubrique"
        nowhere = dict.fromkeys(("agreement", "uai", "school", "commune"), "")
        return {**_copy(line), **nowhere, **off, "explanation": words}
    taken[part.line.position] += part.amount
    left = euros(part.line.amount - taken[part.line.position])
    words = f"{part.line.explanation}, ramenés à {left}"
    return {**_copy(part.line), **off, "explanation": words[:EXPLANATION]}


def _taken_off(reduction: Titre) -> dict[str, Any]:
    return {
        "charge": "REDUCTION",
        "charge_label": f"Réduction {reduction.reference}",
        "agreement": "",
        "uai": "",
        "school": "",
        "commune": "",
        "quantity": 1,
        "unit": "réduction",
        "unit_price": None,
        "amount": -reduction.total,
        "explanation": "Déjà retiré par cette réduction",
    }


def _charges(lines: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """Sum the lines by charge, in the order they are printed."""
    sums: dict[tuple[str, str], Decimal] = {}
    for line in lines:
        key = line["charge"], line["charge_label"]
        sums[key] = sums.get(key, Decimal("0.00")) + line["amount"]
    return [
        {"code": code, "label": label, "formula": "", "amount": str(amount)}
        for (code, label), amount in sums.items()
    ]
