"""The office of who signs is told that a paper waits, and staff that it came back."""

import pytest

from conventions import filings, life, states
from conventions.models import Paper
from conventions.policies import PARTNERSHIP_2020
from entsvc.french import typography
from entsvc.models import OutgoingMail
from members.models import Contact
from tests.conventions.paper_world import a_partnership, an_amendment
from tests.conventions.world import PER_SCHOOL, a_schedule, account
from tests.factories import MemberFactory, PaperFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    monkeypatch.setattr("conventions.papers.drawing.render_pdf", lambda *_, **__: b"%PDF essai")


def step(convention, name):
    return f"/admin/conventions/convention/{convention.pk}/etape-{name}/"


def test_every_address_of_who_signs_is_told_that_an_agreement_waits():
    convention = a_partnership(status=states.DRAFT)
    Contact.objects.create(member=convention.party, email="secretariat@example.org")
    life.move(convention, "envoyer", actor="essai")
    first, second = OutgoingMail.objects.order_by("recipient")
    assert (first.recipient, second.recipient) == ("mairie@example.org", "secretariat@example.org")
    assert first.subject == typography("Convention ENT-2024-031 à signer")
    assert "/espace/" in first.text


def test_a_sending_that_is_refused_tells_nobody():
    convention = a_partnership(schools=0, status=states.DRAFT)
    with pytest.raises(life.Refused):
        life.move(convention, "envoyer", actor="essai")
    assert not OutgoingMail.objects.exists()


def test_before_sending_staff_read_who_is_told_or_that_nobody_can_be(client):
    convention = a_partnership(status=states.DRAFT)
    account(client, "gestionnaire", convention.schedule.issuer)
    assert "mairie@example.org" in client.get(step(convention, "envoyer")).content.decode()
    convention.party = MemberFactory(name="Commune sans courriel", email="")
    convention.save()
    assert "par la poste" in client.get(step(convention, "envoyer")).content.decode()


def test_before_signing_staff_read_what_the_office_sent_back(client):
    convention = a_partnership(status=states.SENT)
    account(client, "gestionnaire", convention.schedule.issuer)
    facts = {"convention": convention, "actor": "mairie@example.org"}
    PaperFactory(role=Paper.Role.SENT, **facts)
    assert "déjà déposé" not in client.get(step(convention, "signer")).content.decode()
    PaperFactory(role=Paper.Role.SIGNED, text=None, name="convention-signee.pdf", **facts)
    page = client.get(step(convention, "signer")).content.decode()
    assert "déjà déposé" in page
    assert "convention-signee.pdf" in page


def test_an_amendment_that_staff_produce_is_announced_to_who_signs_it():
    schedule = a_schedule(PER_SCHOOL, years=(2020,))
    years = {"first_year": 2020, "last_year": 2020}
    convention = a_partnership(policy=PARTNERSHIP_2020.code, schedule=schedule, **years)
    amendment = an_amendment(convention, school_year=2020)
    filings.send(amendment=amendment, actor="essai", invite=True)
    (mail,) = OutgoingMail.objects.order_by("pk")
    assert mail.subject == "Avenant n° 1 à signer"
    assert "ENT-2024-031" in mail.text
