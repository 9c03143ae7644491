"""The pages of an agreement of many schools ask as few questions as those of one of a few schools."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conventions import filings, states
from conventions.models import Paper, PaperKind
from conventions.papers.defaults import load_default_texts
from tests.conventions.amending import IN_TIME, a_public_school, an_agreement, in_state
from tests.conventions.paper_world import a_partnership, an_amendment
from tests.conventions.world import PER_PUPIL, a_schedule, account
from tests.factories import HeadcountFactory, PaperFactory

pytestmark = pytest.mark.django_db

MANY = 30
YEARS = (2019, 2020, 2023, 2024)


def counted(convention):
    """Give each school of an agreement its pupils of every year."""
    for row in convention.enrolments.select_related("school").order_by("pk"):
        for year in YEARS:
            HeadcountFactory(school=row.school, school_year=year)
    return convention


def proof(convention):
    """Return a proof of transmission, kept among the papers of the agreement."""
    paper = PaperFactory(convention=convention, kind=PaperKind.AMENDMENT, role=Paper.Role.SUPPORTING)
    return {"transmission_proof": paper.document, "received_on": IN_TIME}


def asked_for(client, url):
    """Return how many queries a page makes."""
    with CaptureQueriesContext(connection) as asked:
        response = client.get(url)
    assert response.status_code == 200
    return len(asked)


@pytest.mark.parametrize(("step", "most"), [("decide", 18), ("send_back", 6), ("drop", 6)])
def test_the_step_of_an_amendment(client, step, most):
    schedule = a_schedule(PER_PUPIL, years=(2019, 2020))
    account(client, "gestionnaire", schedule.issuer)
    asked = []
    for number in (4, MANY):
        convention = counted(an_agreement(number, schedule=schedule))
        schools = filings.enrolled(convention, 2020)
        wanted = [*schools[: number // 2], *(a_public_school() for _ in range(number // 2))]
        state = states.TO_SIGN if step == "drop" else states.FILED
        row = in_state(convention, state, wanted, transmitted_on=IN_TIME, **proof(convention))
        page = reverse(f"admin:conventions_amendment_{step}", args=[row.pk])
        asked.append(asked_for(client, page))
    assert asked[0] == asked[1] <= most


@pytest.mark.parametrize(
    ("kind", "most"), [("convention", 17), ("annexe", 17), ("certificat", 17), ("avenant", 18)]
)
def test_the_draft_of_a_paper(client, kind, most):
    schedule = a_schedule(PER_PUPIL)
    account(client, "gestionnaire", schedule.issuer)
    load_default_texts()
    asked = []
    for number in (4, MANY):
        named = {"schedule": schedule, "reference": f"ENT-{number}", "texts": False}
        convention = counted(a_partnership(number, **named))
        row = an_amendment(convention, added=number // 2, removed=1)
        page = reverse("conventions:draft", args=[convention.pk, kind])
        page += f"?avenant={row.pk}" if kind == PaperKind.AMENDMENT else ""
        asked.append(asked_for(client, page))
    assert asked[0] == asked[1] <= most
