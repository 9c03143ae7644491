"""What the electronic invoice of a titre says: the business terms (BT, BG) of EN 16931.

Read from the frozen payload and lines alone. The library takes amounts as text, ignores a term that it
does not know without a word, and writes an invoice that its schema refuses when BT-72 is absent: the
tests look for each term in the XML.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from entsvc import school_year
from entsvc.french import short_date
from invoicing.facturx.amounts import Amounts, Line, Priced, amounts_of
from invoicing.facturx.profiles import Profile

INVOICE, CREDIT_NOTE = "380", "381"
CREDIT_TRANSFER = "30"
PIECE = "C62"  # « one »: schools, pupils and half-days are counted one by one
OUT_OF_SCOPE, REASON_CODE = "O", "VATEX-EU-O"
SIREN, SIRET, ADDRESS = "0002", "0009", "0225"
SPECIMEN = "SPÉCIMEN – signataire et comptable fictifs : cette facture est sans valeur."
# Required whatever the claim by BR-FR-05; the rules of trade that they tell of don't apply to a titre.
RECOVERY = "Indemnité forfaitaire de recouvrement : sans objet, créance d'une personne publique."
PENALTIES = "Pénalités de retard : aucune n'est prévue par ce titre."
DISCOUNT = "Aucun escompte n'est accordé pour paiement anticipé."


def facts_of(
    payload: dict[str, Any], lines: Sequence[Line], *, year: int, profile: Profile
) -> dict[str, Any]:
    """Return the terms of the invoice of a titre (380) or of its correction (381, naming its titre).

    `year` is the school year billed: its period, and its last day as that of the service (BT-72). To be
    asked only of what `refusals` lets through.
    """
    document = payload["document"]
    is_titre = document["kind"] == "titre"
    amounts = amounts_of(lines)
    return {
        "BT-1": document["reference"],
        "BT-2": date.fromisoformat(document["issued_on"]),
        "BT-3": INVOICE if is_titre else CREDIT_NOTE,
        "BT-5": "EUR",
        "BT-23": str(profile),
        "BG-1": _notes(payload, is_titre),
        **_references(payload["debtor"]),
        "BG-4": _seller(payload["issuer"]),
        "BG-7": _party(payload["debtor"]),
        "BT-72": school_year.last_day(year),
        "BT-73": school_year.first_day(year),
        "BT-74": school_year.last_day(year),
        **(_payment(payload) if is_titre else _correction(payload["original"])),
        **_totals(amounts),
        "BG-20": [_allowance(line) for line in amounts.allowances],
        "BG-23": [
            {
                "BT-116": str(amounts.due),
                "BT-117": "0.00",
                "BT-118": OUT_OF_SCOPE,
                "BT-120": payload["vat"],
                "BT-121": REASON_CODE,
            }
        ],
        "BG-25": [_line(rank, item) for rank, item in enumerate(amounts.lines, start=1)],
    }


def _notes(payload: dict[str, Any], is_titre: bool) -> list[dict[str, str]]:
    late = payload["texts"].get("late", "")
    about = [payload["subject"], *payload["foundations"]]
    if not is_titre:
        error = payload["error"]
        about.append(f"{error['label']} : {error['text']}")
    coded = {"PMT": RECOVERY, "PMD": late or PENALTIES, "AAB": DISCOUNT, "AAI": " ; ".join(about)}
    notes = [{"BT-21": code, "BT-22": text} for code, text in coded.items()]
    return notes + ([{"BT-22": SPECIMEN}] if payload["document"]["specimen"] else [])


def _references(debtor: dict[str, Any]) -> dict[str, str]:
    """Return the service code and the engagement that the debtor asked to find on its invoices."""
    given = {"BT-10": debtor["service_code"], "BT-13": debtor["engagement_number"]}
    return {term: value for term, value in given.items() if value}


def _seller(issuer: dict[str, Any]) -> dict[str, Any]:
    contact = {name: value for name, value in issuer["contact"].items() if value}
    return {**_party(issuer), "contacts": [contact] if contact else []}


def _party(party: dict[str, Any]) -> dict[str, Any]:
    """Return a public body: its SIRET, its SIREN, and its SIREN again as its electronic address."""
    *street, place = party["address"]
    postcode, _, city = place.partition(" ")
    siren = party["siret"][:9]
    return {
        "name": party["name"],
        "identifiers": {SIRET: party["siret"]},
        "legal_identifier": siren,
        "legal_identifier_schemeid": SIREN,
        "einvoicing_addr": siren,
        "einvoicing_addr_schemeid": ADDRESS,
        **_street(street),
        "postcode": postcode,
        "city": city,
        "country_code": "FR",
    }


def _street(lines: Sequence[str]) -> dict[str, str]:
    """Return at most three lines of address; what is beyond joins the third."""
    three = [*lines[:2], ", ".join(lines[2:])]
    return {f"addr_l{rank}": text for rank, text in enumerate(three, start=1) if text}


def _payment(payload: dict[str, Any]) -> dict[str, str]:
    accountant, document = payload["accountant"], payload["document"]
    terms = {
        "BT-20": document["due_text"],
        "BT-81": CREDIT_TRANSFER,
        "BT-83": document["payment_reference"],
        "BT-84": accountant["iban"],
        "BT-85": accountant["name"],
        "BT-86": accountant["bic"],
    }
    return {term: value for term, value in terms.items() if value}


def _correction(original: dict[str, Any]) -> dict[str, Any]:
    """Return what names the titre that is corrected: nothing is to be paid of a correction."""
    issued_on = date.fromisoformat(original["issued_on"])
    reference = original["reference"]
    return {
        "BT-20": f"Rien à payer : vient en déduction du titre {reference} du {short_date(issued_on)}.",
        "BG-3": [{"BT-25": reference, "BT-26": issued_on}],
    }


def _totals(amounts: Amounts) -> dict[str, str]:
    due = str(amounts.due)
    allowed = {"BT-107": str(amounts.allowed)} if amounts.allowances else {}
    without_vat = {"BT-109": due, "BT-110": "0.00", "BT-112": due, "BT-115": due}
    return {"BT-106": str(amounts.of_lines), **allowed, **without_vat}


def _allowance(line: Line) -> dict[str, str]:
    reason = f"{line.label} : {line.explanation}" if line.explanation else line.label
    return {"amount": str(-line.amount), "reason": reason, "vat_category_code": OUT_OF_SCOPE}


def _line(rank: int, item: Priced) -> dict[str, Any]:
    line = item.line
    named = (("UAI", line.uai), ("Commune", line.commune), ("Convention", line.agreement))
    return {
        "BT-126": str(rank),
        "BT-153": f"{line.label} – {line.school}" if line.school else line.label,
        "BT-154": line.explanation,
        "BT-155": line.charge,
        "BG-32": [{"BT-160": name, "BT-161": value} for name, value in named if value],
        "BT-129": str(item.quantity),
        "BT-130": PIECE,
        "BT-146": _price(item.price),
        "BT-131": str(line.amount),
        "BT-151": OUT_OF_SCOPE,
    }


def _price(price: Decimal) -> str:
    """Return a price with its two decimals, or with the three or four that it needs."""
    text = f"{price:.4f}"
    return text[:-2] if text.endswith("00") else text
