"""A session that ends: what was sent is not kept, and the page says so."""

import time

import pytest
from django.conf import settings

from members.portal import access
from tests.factories import MemberFactory
from tests.members.portal.people import signed_in

pytestmark = pytest.mark.django_db
DOOR = "/espace/connexion/"
LOST = "ce que vous venez d'envoyer n'a pas été enregistré"
ENDED = "Votre session a pris fin. Connectez-vous de nouveau."


@pytest.fixture
def browser():
    MemberFactory(email="mairie@saubens.example")
    return signed_in("mairie@saubens.example")


def let_it_end(browser):
    session = browser.session
    session[access.SEEN] = int(time.time()) - settings.ESPACE_IDLE - 1
    session.save()


def told(answer, browser):
    """Return what the page to which an answer leads says."""
    assert answer.status_code == 302
    page = browser.get(answer.headers["Location"])
    return page.content.decode().replace("&#x27;", "'")


def test_a_form_sent_after_the_end_says_that_it_is_lost(browser):
    let_it_end(browser)
    text = told(browser.post("/espace/avenants/1/"), browser)
    assert LOST in text
    assert 'role="status"' in text


def test_nor_is_one_sent_once_the_browser_forgot_the_session(browser, client):
    """Its cookie is gone with the hour: only the form shows that there was a session."""
    assert LOST in told(client.post("/espace/conventions/1/"), client)


def test_a_page_asked_for_after_the_end_says_that_it_ended(browser):
    let_it_end(browser)
    text = told(browser.get("/espace/"), browser)
    assert ENDED in text
    assert LOST not in text


def test_who_just_comes_is_told_nothing(client):
    text = told(client.get("/espace/"), client)
    assert "Votre session" not in text
    assert "Votre session" not in client.get(DOOR, {"session": "autre"}).content.decode()


def test_nothing_more_is_said_once_an_address_is_given(browser, client):
    page = client.post(f"{DOOR}?session={access.LOST}", {"email": "mairie"})
    assert "Votre session" not in page.content.decode()
