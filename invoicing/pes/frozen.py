"""What a flow reads of the frozen content of titres, whether they are issued or about to be.

Two facts come from elsewhere: the channel of the issuer, and the type of each debtor, which no document
prints.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from entsvc import texts as dated_texts
from invoicing.models import Bordereau, Channel, Titre
from invoicing.pes import facts
from invoicing.pes.facts import Flow, Line, Origin, Piece, Place

SETTLEMENT, REMEDIES = "asap-reglement", "asap-contestation"
SPECIMEN = "SPECIMEN_"
_PLACE = re.compile(r"(\d{5}) (.+)")
_NOT_PLAIN = re.compile(r"[^0-9A-Za-z]")


def flow_of(
    frozen: dict[str, Any],
    bordereau: Bordereau,
    *,
    channel: Channel,
    rank: int,
    on: date,
    cumulated: Decimal,
) -> Flow:
    """Return the flow of the sending `rank` of a bordereau but for its pieces, in one query.

    `frozen` is the content of any of its titres; the row of the bordereau may be one that is not saved
    yet.
    """
    specimen = frozen["document"]["specimen"]
    settlement, remedies = _texts(frozen, bordereau)
    return Flow(
        file_name=f"{SPECIMEN if specimen else ''}PESALR1_{mark_of(bordereau, rank)}.xml",
        made_on=on,
        post=facts.Post(
            frozen["accountant"]["codique"],
            frozen["accountant"]["name"],
            place_of(frozen["accountant"]["address"]),
        ),
        body=_body(frozen, bordereau, channel),
        signatory=facts.Signatory(
            *(frozen["signatory"][name] for name in ("first_name", "last_name", "quality"))
        ),
        bordereau=_head(bordereau, cumulated),
        pieces=(),
        settlement=settlement,
        remedies=remedies,
        specimen=specimen,
    )


def piece_of(
    frozen: dict[str, Any], *, key: str, total: Decimal, debtor_kind: str, origin: Origin | None = None
) -> Piece:
    """Return a titre, or the correction of its `origin`, without its documents."""
    document, debtor = frozen["document"], frozen["debtor"]
    ordinary = document["kind"] == Titre.Kind.TITRE
    return Piece(
        key=key,
        number=document["number"],
        kind=facts.ORDINARY if ordinary else facts.CORRECTIVE,
        nature=facts.REVENUE if ordinary else facts.REDUCTION,
        edition=facts.BY_CHORUS_PRO if ordinary else facts.WITHOUT_TREATMENT,
        issued_on=date.fromisoformat(document["issued_on"]),
        subject=frozen["subject"],
        invoice_number=document["reference"],
        total=total,
        debtor=facts.Debtor(debtor["siret"], debtor_kind, debtor["name"], place_of(debtor["address"])),
        lines=tuple(_lines(frozen)),
        engagement=debtor["engagement_number"],
        service=debtor["service_code"],
        origin=origin,
    )


def mark_of(bordereau: Bordereau, rank: int) -> str:
    """Return what names a sending among all those of every issuer, in letters and digits alone."""
    letter = "B" if bordereau.kind == Bordereau.Kind.TITRES else "C"
    issuer = _NOT_PLAIN.sub("", bordereau.issuer.code).upper()
    return f"{issuer}{bordereau.budget}{bordereau.exercice}{letter}{bordereau.number}E{rank}"


def place_of(address: list[str]) -> Place:
    """Return the address that a document prints, whose last line is the post code and the city."""
    *lines, last = address or [""]
    found = _PLACE.fullmatch(last)
    code, city = found.groups() if found else ("", last)
    return Place(tuple(line.strip() for line in lines if line.strip()), code, city)


def _texts(frozen: dict[str, Any], bordereau: Bordereau) -> tuple[str, str]:
    scopes = [frozen["document"]["regime"], bordereau.issuer.code]
    texts: Mapping[str, str] = dated_texts.in_force(scopes, bordereau.issued_on)
    values = {
        "tribunal": bordereau.issuer.tribunal,
        "emetteur": frozen["issuer"]["name"],
        "comptable": frozen["accountant"]["name"],
    }
    filled = (dated_texts.fill(texts.get(code, ""), values) for code in (SETTLEMENT, REMEDIES))
    settlement, remedies = filled
    return settlement, remedies


def _body(frozen: dict[str, Any], bordereau: Bordereau, channel: Channel) -> facts.Body:
    return facts.Body(
        siret=frozen["issuer"]["siret"],
        code=channel.body_code,
        budget=bordereau.budget,
        name=frozen["issuer"]["name"],
        place=place_of(frozen["issuer"]["address"]),
        bank_reference=channel.bank_reference,
        payment_code=channel.payment_code,
        payment_url=frozen["accountant"]["payment_url"] if channel.payment_code else "",
        phone=frozen["issuer"]["contact"]["phone"],
    )


def _head(bordereau: Bordereau, cumulated: Decimal) -> facts.Bordereau:
    ordinary = bordereau.kind == Bordereau.Kind.TITRES
    return facts.Bordereau(
        exercice=bordereau.exercice,
        number=bordereau.number,
        issued_on=bordereau.issued_on,
        kind=facts.ORDINARY if ordinary else facts.CORRECTIVE,
        count=bordereau.count,
        total=bordereau.total,
        cumulated=cumulated,
    )


def _lines(frozen: dict[str, Any]) -> Iterator[Line]:
    """Give what a document sums up by charge, under the imputation that it prints."""
    imputation = {item["label"]: item["value"] for item in frozen["imputation"]}
    for charge in frozen["charges"]:
        words = f"{charge['label']} : {charge['formula']}" if charge["formula"] else charge["label"]
        yield Line(
            label=words,
            product=imputation.get("Code produit local", ""),
            nature=imputation.get("Nature", ""),
            function=imputation.get("Fonction", ""),
            amount=Decimal(charge["amount"]),
        )
