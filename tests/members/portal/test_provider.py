"""Coming in by an identity provider: only what it signs, for us, for this visit; and never the staff."""

import logging
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from members.models import PortalAccess, User
from tests.factories import MemberFactory
from tests.members.portal.identity import CLIENT, SECRET, Provider

pytestmark = pytest.mark.django_db
START = "/espace/connexion/fournisseur/"
BACK = "/espace/connexion/fournisseur/retour/"


@pytest.fixture
def provider(settings):
    made = Provider(claims={"email": "Mairie@Saubens.example", "email_verified": True})
    server = made.serve()
    settings.OIDC_RP_CLIENT_ID, settings.OIDC_RP_CLIENT_SECRET = CLIENT, SECRET
    settings.OIDC_ISSUER = made.url
    settings.OIDC_OP_AUTHORIZATION_ENDPOINT = f"{made.url}/authorize"
    settings.OIDC_OP_TOKEN_ENDPOINT = f"{made.url}/token"
    settings.OIDC_OP_USER_ENDPOINT = f"{made.url}/userinfo"
    settings.OIDC_OP_JWKS_ENDPOINT = f"{made.url}/jwks"
    settings.OIDC_OP_LOGOUT_ENDPOINT = f"{made.url}/logout"
    settings.OIDC_ACR_VALUES = "eidas1"
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def saubens():
    return MemberFactory(name="Saubens", email="mairie@saubens.example")


def ask(client, provider):
    """Go to the provider; return what the address asks of it."""
    where = client.get(START)
    assert where.status_code == 302
    parts = urlsplit(where.headers["Location"])
    assert f"{parts.scheme}://{parts.netloc}" == provider.url
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    provider.nonce, provider.challenge = asked["nonce"], asked["code_challenge"]
    return asked


def come_back(client, provider):
    return client.get(BACK, {"state": ask(client, provider)["state"], "code": "un-code"})


def signed_in(client):
    return "_auth_user_id" in client.session


def test_without_a_client_there_is_neither_button_nor_page(client):
    assert "ProConnect" not in client.get("/espace/connexion/").content.decode()
    assert client.get(START).status_code == 404
    assert client.get(BACK).status_code == 404


def test_a_mayor_comes_in_by_the_provider(client, provider, saubens):
    assert "Se connecter avec ProConnect" in client.get("/espace/connexion/").content.decode()
    asked = ask(client, provider)
    assert asked["acr_values"] == "eidas1"
    assert asked["scope"] == "openid email"
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == f"http://testserver{BACK}"
    back = client.get(BACK, {"state": asked["state"], "code": "un-code"})
    assert back.headers["Location"] == "/espace/"
    assert "<h1>Saubens</h1>" in client.get("/espace/").content.decode()
    row = PortalAccess.objects.get()
    assert (row.email, row.way) == ("mairie@saubens.example", PortalAccess.Way.PROVIDER)


def test_information_in_plain_json_is_read_too(client, provider, saubens):
    provider.plain_info = True
    assert come_back(client, provider).headers["Location"] == "/espace/"


def test_signing_out_ends_the_session_at_the_provider_too(client, provider, saubens):
    come_back(client, provider)
    policy = client.get("/espace/").headers["Content-Security-Policy"]
    assert f"form-action 'self' {provider.url}" in policy
    out = urlsplit(client.post("/espace/deconnexion/").headers["Location"])
    asked = parse_qs(out.query)
    assert f"{out.scheme}://{out.netloc}{out.path}" == f"{provider.url}/logout"
    assert asked["post_logout_redirect_uri"] == ["http://testserver/espace/deconnexion/faite/"]
    assert asked["id_token_hint"][0].count(".") == 2
    assert not signed_in(client)


FAULTS = {
    "another nonce": {"identity": {"nonce": "autre"}},
    "no nonce": {"identity": {"nonce": None}},
    "another audience": {"identity": {"aud": "autre-service"}},
    "another issuer": {"identity": {"iss": "https://ailleurs.example"}},
    "over": {"identity": {"exp": int(time.time()) - 3600}},
    "without end": {"identity": {"exp": None}},
    "nobody": {"identity": {"sub": None}},
    "another key": {"signing_key": 1},
    "another person": {"info": {"sub": "u2"}},
    "information for another": {"info": {"aud": "autre-service"}},
    "no address": {"claims": {"email_verified": True}},
    "no words for an address": {"claims": {"email": ["a", "b"], "email_verified": True}},
    "not an address": {"claims": {"email": "mairie", "email_verified": True}},
    "not verified": {"claims": {"email": "mairie@saubens.example", "email_verified": False}},
    "not said to be verified": {"claims": {"email": "mairie@saubens.example"}},
    "verified in words": {"claims": {"email": "mairie@saubens.example", "email_verified": "false"}},
    "broken": {"broken": True},
    "unknown member": {"claims": {"email": "mairie@muret.example", "email_verified": True}},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_an_answer_that_is_not_what_was_asked_for_opens_nothing(client, provider, saubens, fault):
    for name, value in fault.items():
        setattr(provider, name, value)
    page = come_back(client, provider)
    assert page.status_code == 403
    assert "La connexion n'a pas abouti" in page.content.decode()
    assert not signed_in(client)
    assert not User.objects.exists()
    assert not PortalAccess.objects.exists()


def test_an_unsigned_identity_opens_nothing(client, provider, saubens, monkeypatch):
    import jwt

    monkeypatch.setattr(provider, "sign", lambda payload: jwt.encode(payload, "", algorithm="none"))
    assert come_back(client, provider).status_code == 403


def test_an_address_not_said_to_be_verified_is_taken_where_the_provider_is_trusted(
    client, provider, saubens, settings
):
    settings.OIDC_EMAIL_TRUSTED = True
    provider.claims = {"email": "mairie@saubens.example"}
    assert come_back(client, provider).headers["Location"] == "/espace/"
    provider.claims = {"email": "mairie@saubens.example", "email_verified": False}
    client.logout()
    assert come_back(client, provider).status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"code": "un-code"},
        {"code": "un-code", "state": "inventé"},
        {"error": "access_denied", "state": "inventé"},
    ],
)
def test_a_return_that_nobody_asked_for_signs_nobody_in_nor_out(admin_client, provider, query):
    assert admin_client.get(BACK, query).status_code == 403
    assert signed_in(admin_client)
    assert provider.asked == []


def test_a_return_serves_once(client, provider, saubens):
    asked = ask(client, provider)
    first = client.get(BACK, {"state": asked["state"], "code": "un-code"})
    assert first.status_code == 302
    assert client.get(BACK, {"state": asked["state"], "code": "un-code"}).status_code == 403


def test_the_visitor_who_says_no_is_told_what_else_to_do(client, provider, saubens):
    state = ask(client, provider)["state"]
    page = client.get(BACK, {"state": state, "error": "access_denied"})
    assert page.status_code == 403
    assert "/espace/connexion/" in page.content.decode()


def test_the_address_of_an_administrator_opens_an_account_of_its_own(client, provider, saubens):
    boss = User.objects.create_superuser("chef", "mairie@saubens.example", "motdepasse")
    come_back(client, provider)
    account = User.objects.get(pk=client.session["_auth_user_id"])
    assert account != boss
    assert not account.is_staff
    assert client.get("/admin/").status_code == 302


def test_the_log_of_a_refusal_names_neither_address_nor_secret(client, provider, saubens, caplog):
    provider.signing_key = 1
    with caplog.at_level(logging.DEBUG, logger="members"):
        come_back(client, provider)
    assert "refusée" in caplog.text
    assert "saubens" not in caplog.text
    assert SECRET not in caplog.text
