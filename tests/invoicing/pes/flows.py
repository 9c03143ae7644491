"""A flow that keeps every rule, and what changes it: made up, but for the keys of its SIRETs."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

from invoicing.pes import facts
from invoicing.pes.asap import notice
from invoicing.pes.facts import (
    Attachment,
    Body,
    Bordereau,
    Debtor,
    Flow,
    Line,
    Origin,
    Piece,
    Place,
    Post,
    Signatory,
)
from tests.factories import valid_siret

DAY = dt.date(2025, 3, 3)
TOWN = Place(("Hôtel de ville", "1 place de l'Église"), "80100", "Saint-Œuvre")


def line(amount="45.00", *, product="ENT1", nature="74751", function="020"):
    return Line("Contribution ENT – écoles", product, nature, function, Decimal(amount))


def piece(number=1, /, *, lines=None, **changes):
    lines = (line("60.00"), line("-15.00")) if lines is None else lines
    asked = {
        "key": str(number), "number": number, "kind": facts.ORDINARY, "nature": facts.REVENUE,
        "edition": facts.BY_CHORUS_PRO, "issued_on": DAY,
        "subject": "Contribution au service ENT – année « 2024-2025 »",
        "invoice_number": f"LOC-2025-{number:06d}",
        "total": sum((item.amount for item in lines), Decimal("0.00")),
        "debtor": Debtor(valid_siret(1000 + number), "commune", f"Commune n° {number}", TOWN),
        "lines": tuple(lines), "engagement": "ENG-2025-1", "service": "EDUC",
        "attachments": (f"PJF{number}", f"PJT{number}"), **changes,
    }  # fmt: skip
    return Piece(**asked)


def flow(*pieces, **changes):
    """Return a flow of these pieces, or of two titres, with their documents."""
    pieces = pieces or (piece(1), piece(2, lines=(line("100.10"),)))
    total = sum((item.total for item in pieces), Decimal("0.00"))
    made = Flow(
        file_name="PESALR1_LOC_2025_1_1.xml",
        made_on=DAY,
        post=Post("031000", "Trésorerie d'essai", Place(("2 rue du Trésor",), "31000", "Toulouse")),
        body=Body(valid_siret(900001), "123", "00", "Syndicat mixte d'essai", TOWN, "FR00ZZZ999999",
                  "999999", "https://paiement.example.org/", "03 00 00 00 00"),
        signatory=Signatory("Prénom", "FICTIF", "Président"),
        bordereau=Bordereau(2025, 7, DAY, pieces[0].kind, len(pieces), total, total),
        pieces=pieces,
        settlement="Payez par virement en rappelant la référence.",
        remedies="Contestation dans les deux mois devant le tribunal administratif.",
    )  # fmt: skip
    documents = [item for one in pieces for item in documents_of(made, one)]
    return replace(made, **{"attachments": tuple(documents), **changes})


def documents_of(made, one):
    titre = Attachment(
        f"PJT{one.number}", f"{one.invoice_number}.pdf", facts.COMPLEMENT, "application/pdf",
        b"%PDF essai", "Titre",
    )  # fmt: skip
    if one.edition != facts.BY_CHORUS_PRO:
        return [replace(titre, kind=facts.SUPPORTING)]
    invoice = Attachment(
        f"PJF{one.number}", f"{one.invoice_number}.xml", facts.INVOICE, "application/xml",
        notice(made, one), "Avis des sommes à payer",
    )  # fmt: skip
    return [invoice, titre]


def correction(number=1, /, **changes):
    """Return a réduction of a titre of the same exercice, one document attached."""
    asked = {
        "kind": facts.CORRECTIVE, "nature": facts.REDUCTION, "edition": facts.WITHOUT_TREATMENT,
        "origin": Origin(2025, 12), "attachments": (f"PJT{number}",), **changes,
    }  # fmt: skip
    return piece(number, **asked)
