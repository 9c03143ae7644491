"""An agreement whose signed paper is not kept says so, to staff, until its scan is added."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from conventions import on_file, states
from conventions.models import Convention, Paper, PaperKind
from conventions.policies import PARTNERSHIP_2024
from conventions.readiness import FINDINGS, counts
from entsvc.models import JournalEntry
from tests.conventions.amending import a_scan
from tests.conventions.world import PER_SCHOOL, a_schedule, account, scope_of
from tests.factories import AmendmentFactory, ConventionFactory, PaperFactory

pytestmark = pytest.mark.django_db

SENT, SIGNED = Paper.Role.SENT, Paper.Role.SIGNED


@pytest.fixture
def schedule():
    return a_schedule(PER_SCHOOL)


def an_agreement(schedule, *roles, status=states.IN_FORCE):
    """Make an agreement with its papers, in the order in which they came."""
    convention = ConventionFactory(schedule=schedule, policy=PARTNERSHIP_2024.code, status=status)
    for role in roles:
        text = {} if role == SENT else {"text": None}
        PaperFactory(convention=convention, role=role, **text)
    return convention


def page(client, convention):
    response = client.get(reverse("admin:conventions_convention_change", args=[convention.pk]))
    assert response.status_code == 200
    return response.content.decode()


def test_it_works(client, schedule):
    """Taken over without its scan, an agreement asks for it; added, nobody asks any more."""
    convention = an_agreement(schedule)
    account(client, "gestionnaire", schedule.issuer)
    shown, link = page(client, convention), reverse("conventions:deposit-paper", args=[convention.pk])
    assert "Scan manquant" in shown
    assert "aucun PDF de cette convention" in shown
    assert f'href="{link}">Ajouter le scan' in shown
    # The form asks for the signed agreement first.
    form = client.get(link).context["form"]
    first = {name: form.fields[name].choices[0][0] for name in ("kind", "role")}
    assert first == {"kind": PaperKind.AGREEMENT, "role": SIGNED}
    sent = {**first, "amendment": "", "file": SimpleUploadedFile("2020.pdf", a_scan())}
    assert client.post(link, sent).status_code == 302
    assert "Scan manquant" not in page(client, convention)
    assert JournalEntry.objects.get(action="document-signe").actor == "gestionnaire"
    assert counts(scope_of(schedule))["sans-scan"] == 0


@pytest.mark.parametrize(
    ("roles", "downloads", "lacks"),
    [
        ((), False, True),
        ((SENT,), True, True),
        ((SIGNED,), True, False),
        ((SENT, SIGNED), True, False),
        ((SIGNED, SENT), True, True),
        ((SENT, SIGNED, SENT), True, True),
        ((Paper.Role.SUPPORTING,), False, True),
    ],
)
def test_only_the_agreement_signed_since_it_was_last_sent_is_its_scan(schedule, roles, downloads, lacks):
    convention = an_agreement(schedule, *roles)
    papers = list(convention.papers.order_by("at"))
    assert on_file.has_paper(papers) is downloads
    assert on_file.lacks_scan(convention, papers) is lacks
    assert Convention.objects.filter(on_file.without_scan()).exists() is lacks


def test_the_papers_of_an_amendment_or_an_annex_are_not_the_agreement(schedule):
    convention = an_agreement(schedule)
    amendment = AmendmentFactory(convention=convention)
    PaperFactory(convention=convention, amendment=amendment, role=SIGNED, kind=PaperKind.AMENDMENT)
    PaperFactory(convention=convention, role=SIGNED, kind=PaperKind.ANNEX)
    papers = list(convention.papers.order_by("at"))
    assert not on_file.has_paper(papers)
    assert on_file.lacks_scan(convention, papers)
    assert Convention.objects.filter(on_file.without_scan()).get() == convention


@pytest.mark.parametrize("status", states.AGREEMENT_STATES)
def test_what_nobody_has_signed_lacks_no_scan(schedule, status):
    ended = {"ends_on": "2025-03-01"} if status in (states.TERMINATED, states.EXPIRED) else {}
    convention = ConventionFactory(
        schedule=schedule, policy=PARTNERSHIP_2024.code, status=status, **ended
    )
    lacks = status in (states.SIGNED, states.IN_FORCE, states.TERMINATED, states.EXPIRED)
    assert on_file.lacks_scan(convention, []) is lacks
    assert list(FINDINGS["sans-scan"].rows(scope_of(schedule))) == [convention] * lacks


def test_what_was_sent_and_never_came_back_is_told_apart(client, schedule):
    convention = an_agreement(schedule, SENT)
    account(client, "gestionnaire", schedule.issuer)
    assert "que le document envoyé, sans signature" in page(client, convention)


def test_a_reader_is_told_and_adds_nothing(client, schedule):
    account(client, "lecture", schedule.issuer)
    shown = page(client, an_agreement(schedule))
    assert "Scan manquant" in shown
    assert "Ajouter le scan" not in shown


def test_a_scan_added_later_is_checked_as_any_other(client, schedule):
    convention = an_agreement(schedule)
    account(client, "gestionnaire", schedule.issuer)
    sent = {"kind": "convention", "role": SIGNED, "file": SimpleUploadedFile("a.pdf", b"MZ")}
    answer = client.post(reverse("conventions:deposit-paper", args=[convention.pk]), sent)
    assert answer.status_code == 200
    assert answer.context["form"].errors["file"]
    assert not Paper.objects.exists()


def test_the_number_of_the_page_leads_to_the_agreements(client, schedule):
    missing = an_agreement(schedule)
    an_agreement(schedule, SIGNED)
    account(client, "gestionnaire", schedule.issuer)
    shown = client.get(reverse("conventions:readiness"), {"emetteur": "TST", "annee": "2024-2025"})
    [line] = [x for _, rows in shown.context["groups"] for x in rows if x.finding.code == "sans-scan"]
    assert line.number == 1
    listed = client.get(line.link)
    assert list(listed.context["cl"].queryset) == [missing]
