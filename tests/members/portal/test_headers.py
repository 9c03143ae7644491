"""What the answers of /espace/ carry, and that the staff pages carry none of it."""

import pytest
from django.test import Client

from members.portal import headers
from tests.factories import MemberFactory
from tests.members.portal.people import signed_in

pytestmark = pytest.mark.django_db
POLICY = {
    "default-src 'none'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
}


def assert_strict(response):
    assert set(response.headers["Content-Security-Policy"].split("; ")) == POLICY
    assert "geolocation=()" in response.headers["Permissions-Policy"]
    assert response.headers["Referrer-Policy"] == "strict-origin"
    assert response.headers["Cache-Control"] == "private, no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    page = response.content.decode()
    assert "<script" not in page
    assert "style=" not in page
    assert "<style" not in page


def test_every_page_of_the_espace_is_strict(client):
    MemberFactory(email="mairie@saubens.example")
    mayor = signed_in("mairie@saubens.example")
    for path in ("/espace/", "/espace/acces/"):
        assert_strict(mayor.get(path))
    for path in ("/espace/connexion/", "/espace/connexion/envoye/", "/espace/connexion/lien/"):
        assert_strict(client.get(path))


@pytest.mark.parametrize("who", ["anonymous", "mayor"])
def test_its_error_pages_are_strict_french_and_have_a_way_back(who, monkeypatch):
    MemberFactory(email="mairie@saubens.example")
    client = signed_in("mairie@saubens.example") if who == "mayor" else Client()
    client.raise_request_exception = False
    missing = client.get("/espace/nulle-part/")
    assert missing.status_code == 404
    assert "Page introuvable" in missing.content.decode()
    refused = Client(enforce_csrf_checks=True).post("/espace/connexion/", {"email": "a@b.example"})
    assert refused.status_code == 403
    monkeypatch.setattr("members.portal.views.AddressForm", None)
    monkeypatch.setattr("members.portal.views.addresses", None)
    broken = client.get("/espace/acces/" if who == "mayor" else "/espace/connexion/")
    assert broken.status_code == 500
    assert "Rien n'a été enregistré" in broken.content.decode()
    for page in (missing, refused, broken):
        assert_strict(page)
        assert 'lang="fr"' in page.content.decode()
        assert 'href="/espace/"' in page.content.decode()


def test_the_staff_pages_keep_their_scripts(admin_client, client):
    for response in (
        client.get("/admin/login/"),
        admin_client.get("/admin/"),
        admin_client.get("/nulle-part/"),
        client.get("/espaces-verts/"),
    ):
        assert "Content-Security-Policy" not in response.headers
        assert "Permissions-Policy" not in response.headers


def test_only_the_espace_is_the_espace(rf):
    assert headers.is_portal(rf.get("/espace/x/"))
    assert not headers.is_portal(rf.get("/espaceur/"))
    assert not headers.is_portal(rf.get("/admin/espace/"))
