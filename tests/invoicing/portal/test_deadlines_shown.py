"""By when to pay, on the mayor's pages: a date where there is one, and in words once it is over."""

import datetime as dt
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from entsvc.documents import store
from entsvc.models import DatedText
from invoicing.models import DepositedPiece, Sending, Titre
from invoicing.payments import record_payment
from tests.conventions.portal.test_pages import home, plain
from tests.invoicing.world import a_world
from tests.members.portal.people import signed_in

pytestmark = pytest.mark.django_db
OFFICE = "mairie@example.org"
STATE = "avant le 15 du deuxième mois qui suit le mois d'émission"
LOCAL = "30 jours après la mise à disposition sur Chorus Pro"


@pytest.fixture
def on(monkeypatch):
    """Make it noon of a day."""

    def set_day(year, month, day):
        noon = dt.datetime(year, month, day, 12, tzinfo=timezone.get_default_timezone())
        monkeypatch.setattr(timezone, "now", lambda: noon)

    return set_day


def a_titre(words):
    """Issue on 3 March 2025 a titre with these words for its deadline."""
    world = a_world(members=1)
    DatedText.objects.filter(code="delai").update(body=words)
    world.issue()
    titre = Titre.objects.get()
    assert titre.issued_on == dt.date(2025, 3, 3)
    titre.debtor.email = OFFICE
    titre.debtor.save()
    return titre


def titre_page(titre):
    return plain(signed_in(OFFICE).get(reverse("espace-titres:titre", args=[titre.pk])))


def list_page(titre):
    return plain(signed_in(OFFICE).get(reverse("espace-titres:list", args=[titre.debtor_id])))


def test_the_state_gives_a_date(on):
    on(2025, 5, 15)
    titre = a_titre(STATE)
    for text in (home(signed_in(OFFICE)), list_page(titre), titre_page(titre)):
        assert "avant le 15 mai 2025" in text.lower()
        assert "retard" not in text.lower()
    assert f"D'après le titre : {STATE}." in titre_page(titre)


def test_once_it_is_over_every_page_says_so_in_words(on):
    on(2025, 5, 16)
    titre = a_titre(STATE)
    assert "En retard : à payer avant le 15 mai 2025." in home(signed_in(OFFICE))
    assert '<strong class="badge bad">En retard</strong> avant le 15 mai 2025' in list_page(titre)
    text = titre_page(titre)
    assert "Le délai de paiement a pris fin le 15 mai 2025." in text
    assert "Si vous avez déjà payé, ne payez pas une seconde fois" in text


def test_what_is_paid_is_never_late(on):
    on(2025, 8, 1)
    titre = a_titre(STATE)
    record_payment(
        titre=titre,
        amount=Decimal(titre.total),
        received_on=dt.date(2025, 7, 1),
        reference="VIR-1",
        actor="agent",
    )
    for text in (home(signed_in(OFFICE)), list_page(titre), titre_page(titre)):
        assert "En retard" not in text
        assert "a pris fin" not in text


def test_a_local_body_waits_for_a_posting_that_the_page_says_it_does_not_know(on):
    on(2025, 12, 1)
    titre = a_titre(LOCAL)
    assert LOCAL in home(signed_in(OFFICE))
    assert "En retard" not in list_page(titre)
    text = titre_page(titre)
    assert LOCAL in text
    assert "Nous ne connaissons pas la date de cette mise à disposition" in text
    assert "a pris fin" not in text


def test_other_words_of_an_issuer_are_repeated_as_they_are(on):
    on(2025, 12, 1)
    titre = a_titre("sous huit jours")
    text = titre_page(titre)
    assert "sous huit jours" in text
    assert "D'après le titre" not in text
    assert "Nous ne connaissons pas" not in text


def test_once_chorus_pro_told_the_day_the_page_gives_the_date(on):
    on(2025, 5, 3)
    titre = a_titre(LOCAL)
    sending = Sending.objects.create(
        bordereau=titre.bordereau, rank=1, channel="chorus_pro", file_name="essai.pdf",
        document=store(b"%PDF", content_type="application/pdf", suffix=".pdf"), attachments=[],
        schema=False, made_by="essai",
    )  # fmt: skip
    DepositedPiece.objects.create(sending=sending, titre=titre, made_available_on=dt.date(2025, 4, 2))
    text = titre_page(titre)
    assert "avant le 2 mai 2025" in text
    assert "Il y a été mis à disposition le 2 avril 2025." in text
    assert "Le délai de paiement a pris fin le 2 mai 2025." in text
    assert "Nous ne connaissons pas" not in text
    assert "En retard" in list_page(titre)
