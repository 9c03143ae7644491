"""The titres of a mayor's office: as stored, with what is paid, and nobody else's."""

import datetime as dt
from decimal import Decimal

import pytest
from django.urls import reverse

from entsvc import documents
from invoicing.models import Titre
from invoicing.payments import cancel_payment, record_payment
from invoicing.rendering import render_missing
from tests.conventions.portal.test_pages import home, plain
from tests.conventions.world import a_member
from tests.invoicing.world import a_world
from tests.members.portal.people import signed_in

pytestmark = pytest.mark.django_db
OFFICE = "mairie@example.org"


@pytest.fixture(scope="module")
def kept_issue(kept):
    def write():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "invoicing.rendering.render_pdf", lambda _, context: f"%PDF {context['total']}".encode()
            )
            list(render_missing(Titre.objects.filter(pk__in=[t.pk for t in a_world().issue().titres])))

    kept(write)


@pytest.fixture
def titre(kept_issue, db):
    """A titre of 90 €, its document stored, that an office owes; two others are those of others."""
    titre = Titre.objects.get(total=Decimal("90.00"))
    titre.debtor.email = OFFICE
    titre.debtor.save()
    return titre


@pytest.fixture
def office(titre):
    return signed_in(OFFICE)


def url_of(name, titre):
    return reverse(f"espace-titres:{name}", args=[titre.pk])


def pay(titre, amount, reference="VIR-1"):
    return record_payment(
        titre=titre,
        amount=Decimal(amount),
        received_on=dt.date(2025, 4, 1),
        reference=reference,
        actor="agent",
    )


def test_the_home_page_shows_the_titre_and_what_remains(office, titre):
    text = home(office)
    assert titre.reference in text
    assert f"Payer le titre {titre.reference} : 90,00 €" in text
    pay(titre, "60.00")
    text = home(office)
    assert f"Payer le titre {titre.reference} : 30,00 €" in text
    assert "60,00 €" in text
    pay(titre, "30.00", "VIR-2")
    assert "Payer le titre" not in home(office)


def test_only_its_own_titres_are_there(office, titre):
    others = Titre.objects.exclude(pk=titre.pk)
    text = home(office)
    for other in others:
        assert other.reference not in text
        assert office.get(url_of("titre", other)).status_code == 404
        assert office.get(url_of("pdf", other)).status_code == 404
        assert office.get(reverse("espace-titres:list", args=[other.debtor_id])).status_code == 404


def test_nobody_reads_a_titre_without_coming_in(client, titre):
    for url in (
        url_of("titre", titre),
        url_of("pdf", titre),
        reverse("espace-titres:list", args=[titre.debtor_id]),
    ):
        assert client.get(url).url == reverse("espace:sign-in")


def test_its_page_tells_how_to_pay_from_what_was_frozen(office, titre):
    titre.issuer.name = "Un autre nom"
    titre.issuer.save()
    text = plain(office.get(url_of("titre", titre)))
    assert "Région académique d'essai" in text
    assert "Un autre nom" not in text
    assert titre.payload["document"]["payment_reference"] in text
    assert "FR14 2004 1010" in text
    assert "2 écoles × 45,00 €" in text


def test_its_page_tells_what_was_paid_and_cancelled(office, titre):
    payment = pay(titre, "100.00")
    text = plain(office.get(url_of("titre", titre)))
    assert "1er avril 2025 : 100,00 €, référence VIR-1" in text
    assert "10,00 € de trop" in text
    assert "Pour payer" not in text
    cancel_payment(payment=payment, reason="rejet", actor="agent")
    text = plain(office.get(url_of("titre", titre)))
    assert "(annulé)" in text
    assert "Pour payer" in text


def test_the_document_is_given_as_stored(office, titre):
    answer = office.get(url_of("pdf", titre))
    assert answer.content == b"%PDF 90.00"
    assert answer["Content-Disposition"] == f'attachment; filename="{titre.reference}.pdf"'


def test_a_document_that_is_no_longer_what_was_stored_is_not_given(office, titre, monkeypatch):
    def fail(document):
        raise documents.CorruptDocument("modifié")

    monkeypatch.setattr("entsvc.documents.read", fail)
    answer = office.get(url_of("pdf", titre))
    assert answer.status_code == 503
    assert "ne peut pas vous être remis" in plain(answer)


def test_a_member_without_titre_is_told_so(db):
    a_member(email="neuve@example.org")
    assert "Aucun titre ne vous a été adressé." in home(signed_in("neuve@example.org"))


def test_the_list_opens_in_few_queries(office, titre, django_assert_max_num_queries):
    for rank in range(4):
        pay(titre, "1.00", f"VIR-{rank}")
    with django_assert_max_num_queries(20):
        office.get(reverse("espace-titres:list", args=[titre.debtor_id]))
    with django_assert_max_num_queries(20):
        office.get(url_of("titre", titre))
