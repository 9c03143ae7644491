"""An address typed wrong leads somewhere, never to an error of ours."""

import pytest
from django.urls import reverse

from tests.conventions.world import account
from tests.factories import AmendmentFactory, IssuerFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("page", ["resiliation", "etape-envoyer", "reprise", "history"])
def test_a_step_of_no_agreement_is_not_found(client, page):
    account(client, "gestionnaire", IssuerFactory())
    assert client.get(f"/admin/conventions/convention/2x/{page}/").status_code == 404


def test_an_amendment_that_is_none_leads_back_to_the_admin(client):
    account(client, "gestionnaire", IssuerFactory())
    key = AmendmentFactory().pk
    answer = client.get(f"/admin/conventions/amendment/{key}x/change/")
    assert (answer.status_code, answer.url) == (302, reverse("admin:index"))


def test_signing_in_from_the_bare_page_opens_the_admin(client):
    user = account(client, "lecture", IssuerFactory())
    user.set_password("un mot de passe d'essai")
    user.save()
    client.logout()
    form = {"username": user.username, "password": "un mot de passe d'essai"}
    answer = client.post(reverse("admin:login"), form)
    assert (answer.status_code, answer.url) == (302, reverse("admin:index"))
