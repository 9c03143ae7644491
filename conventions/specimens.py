"""Agreements of the demonstration that go through their whole life: sent, signed, in force.

Their rows are those of a file of agreements: imported afterwards, it finds them as it says they are.
"""

from collections.abc import Iterable
from datetime import date
from io import BytesIO

from pypdf import PdfReader, PdfWriter

from conventions import life
from conventions.models import Convention, Enrolment, Paper, PaperKind
from entsvc import documents, scans, school_year
from entsvc.french import long_date
from entsvc.pdf import render_pdf
from members.models import Member, School
from tariffs.models import Schedule

STAMP = "Exemplaire signé le {day} – SPÉCIMEN de démonstration"


def conclude(rows: Iterable[dict[str, str]], *, actor: str) -> list[Convention]:
    """Send, sign and put in force the agreements of these rows, each with its own papers.

    A row has the columns of a file of agreements; the member, its schools and its tariff are there.
    """
    return [_concluded(row, actor) for row in rows]


def _concluded(row: dict[str, str], actor: str) -> Convention:
    convention, signed_on = _draft(row), date.fromisoformat(row["date_signature"])
    life.move(convention, "envoyer", actor=actor)
    sent = convention.papers.select_related("document").get(
        kind=PaperKind.AGREEMENT, role=Paper.Role.SENT
    )
    content = stamped(documents.read(sent.document), STAMP.format(day=long_date(signed_on)))
    scan = scans.checked(content, f"convention-signee-{convention.reference}.pdf")
    life.move(convention, "signer", actor=actor, on=signed_on, scan=scan)
    life.move(convention, "mettre_en_vigueur", actor=actor)
    return convention


def _draft(row: dict[str, str]) -> Convention:
    party = Member.objects.get(siret=row["siret_membre"])
    first, last = school_year.parse(row["premiere_annee"]), school_year.parse(row["derniere_annee"])
    convention = Convention.objects.create(
        schedule=Schedule.objects.select_related("issuer").get(code=row["bareme"]),
        reference=row["reference"],
        policy=row["texte"],
        party=party,
        debtor=party,
        first_year=first,
        last_year=last,
        ends_on=date.fromisoformat(row["date_fin"]),
    )
    for uai in row["ecoles"].split():
        school = School.objects.get(uai=uai)
        Enrolment.objects.create(convention=convention, school=school, first_year=first)
    return convention


def stamped(content: bytes, words: str) -> bytes:
    """Return a PDF with these words in the top margin of each page, as a scan would show a signature."""
    [stamp] = PdfReader(BytesIO(render_pdf("pdf/specimen.html", {"words": words}, stylesheets=()))).pages
    writer = PdfWriter()
    for page in PdfReader(BytesIO(content)).pages:
        writer.add_page(page).merge_page(stamp)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()
