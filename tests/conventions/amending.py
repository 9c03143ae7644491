"""An agreement that takes amendments, and amendments in any state, without drawing a paper."""

import datetime as dt
from decimal import Decimal

import pytest

from conventions import filings, states
from conventions.filings import AmendmentRefused
from conventions.models import AmendedSchool, PaperKind
from conventions.policies import PARTNERSHIP_2020
from entsvc.scans import CheckedPdf
from tests.conventions.world import a_member, a_schedule
from tests.factories import (
    AmendmentFactory,
    ConventionFactory,
    EnrolmentFactory,
    PaperTextFactory,
    SchoolFactory,
)

PER_SCHOOL = {"code": "ECOLE", "metric": "schools", "unit_price": Decimal("50.00")}
IN_TIME, LATE = dt.date(2020, 10, 15), dt.date(2020, 10, 20)
SCAN = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\n"
)


def a_scan(mark=""):
    """Return the bytes of a plain PDF of one page, another one for each mark."""
    body, offsets = bytearray(SCAN + f"% {mark}\n".encode()), []
    for number in (1, 2, 3):
        offsets.append(body.index(f"{number} 0 obj".encode()))
    start = len(body)
    body += b"xref\n0 4\n0000000000 65535 f \n"
    body += b"".join(f"{offset:010} 00000 n \n".encode() for offset in offsets)
    body += f"trailer<</Size 4/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(body)


A_SCAN = CheckedPdf(a_scan(), "avenant.pdf")


def an_agreement(schools=4, **facts):
    """Make an agreement for 2019-2020 and 2020-2021 at 50 € a school, in force, naming some schools."""
    schedule = facts.pop("schedule", None) or a_schedule(PER_SCHOOL, years=(2019, 2020))
    given = {
        "policy": PARTNERSHIP_2020.code,
        "party": facts.pop("party", None) or a_member(insee_code="31533"),
        "first_year": 2019,
        "last_year": 2020,
        "signed_on": dt.date(2019, 9, 2),
        **facts,
    }
    convention = ConventionFactory(schedule=schedule, **given)
    for _ in range(schools):
        EnrolmentFactory(convention=convention, school=a_public_school())
    return convention


def a_public_school(**facts):
    return SchoolFactory(**{"departement_code": "31", "state": "OUVERT", **facts})


def in_state(convention, state, schools, *, year=2020, received_on=None, **facts):
    """Make an amendment in a state, asking for these schools."""
    if state == states.FILED and received_on is None and "transmitted_on" not in facts:
        received_on = IN_TIME
    last = convention.amendments.order_by("-number").first()
    number = facts.pop("number", (last.number if last else 0) + 1)
    if state in (states.ACCEPTED, states.WITHOUT_EFFECT):
        facts = {"dated": received_on or IN_TIME, "ruling": "Décision d'essai.", **facts}
    amendment = AmendmentFactory(
        convention=convention,
        number=number,
        school_year=year,
        status=state,
        received_on=received_on,
        **facts,
    )
    AmendedSchool.objects.bulk_create(
        [AmendedSchool(amendment=amendment, school=school) for school in schools]
    )
    return amendment


def decided(convention, schools, received_on=IN_TIME, **facts):
    """File an amendment received on a day, and decide it."""
    filed = in_state(convention, states.FILED, schools, received_on=received_on, **facts)
    return filings.decide(amendment=filed, actor="agent")


def uais(convention, year):
    return {school.uai for school in filings.enrolled(convention, year)}


def a_text():
    """Write the text without which no amendment is drawn."""
    return PaperTextFactory(kind=PaperKind.AMENDMENT, body="Avenant n° {avenant_numero}.")


def schools_of(convention, year=2020):
    return filings.enrolled(convention, year)


def opened(convention, schools, year=2020, **facts):
    given = {"actor": "mairie", **facts}
    return filings.open_amendment(convention=convention, school_year=year, schools=schools, **given)


def refusal(call, **facts):
    """Return in which words an amendment is refused."""
    with pytest.raises(AmendmentRefused) as caught:
        call(**facts)
    return str(caught.value).replace("\u00a0", " ")
