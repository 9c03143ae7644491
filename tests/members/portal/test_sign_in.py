"""Coming in by a mailed link: the same answer for all, a link that serves once, and never the staff."""

import logging
import time
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from sesame import tokens_v2

from entsvc.mail import deliver
from entsvc.models import OutgoingMail
from entsvc.redaction import WithoutTokens
from members.models import Contact, LinkRequest, PortalAccess, User
from members.portal import access, links
from tests.factories import MemberFactory
from tests.members.portal.people import link_in, signed_in, token_in

pytestmark = pytest.mark.django_db
SIGN_IN = "/espace/connexion/"
HOME = "/espace/"


@pytest.fixture
def saubens():
    return MemberFactory(name="Saubens", email="Mairie@Saubens.example")


def ask(client, address, **headers):
    return client.post(SIGN_IN, {"email": address}, **headers)


def come_in(client, message):
    return client.post("/espace/connexion/lien/", {"jeton": token_in(message)})


def test_a_mayor_comes_in_by_the_mailed_link(client, saubens):
    assert client.get(HOME).headers["Location"] == SIGN_IN
    answer = ask(client, "mairie@saubens.example")
    assert answer.headers["Location"] == "/espace/connexion/envoye/"
    [message] = mail.outbox
    assert message.to == ["mairie@saubens.example"]
    assert message.subject == "Votre lien de connexion"
    page = client.get(link_in(message))
    assert "Ouvrir mon espace" in page.content.decode()
    assert come_in(client, message).headers["Location"] == HOME
    home = client.get(HOME)
    assert home.status_code == 200
    assert "<h1>Saubens</h1>" in home.content.decode()


def test_a_mail_filter_that_opens_the_link_uses_nothing_up(client, saubens):
    ask(client, "mairie@saubens.example")
    [message] = mail.outbox
    for _ in range(3):
        assert client.get(link_in(message)).status_code == 200
        assert client.head(link_in(message)).status_code == 200
    assert client.get(HOME).status_code == 302
    assert come_in(client, message).headers["Location"] == HOME


def test_a_link_serves_once(client, saubens):
    ask(client, "mairie@saubens.example")
    [message] = mail.outbox
    come_in(client, message)
    client.post("/espace/deconnexion/")
    for again in (come_in(client, message), client.get(link_in(message))):
        assert again.status_code == 410
        assert "Ce lien ne sert plus" in again.content.decode()
        assert SIGN_IN in again.content.decode()
    assert client.get(HOME).status_code == 302


def test_a_used_link_leads_home_who_is_in_already(client, saubens):
    """The mail is opened a second time: he needs no other link."""
    ask(client, "mairie@saubens.example")
    [message] = mail.outbox
    come_in(client, message)
    again = client.get(link_in(message))
    assert again.status_code == 410
    text = again.content.decode()
    assert "Vous êtes déjà connecté" in text
    assert "Recevoir un nouveau lien" not in text


def test_of_two_clicks_at_once_one_waits_for_the_other(client, saubens):
    """By a lock of the account; SQLite has one writer at a time, from the first word on."""
    ask(client, "mairie@saubens.example")
    [message] = mail.outbox
    with CaptureQueriesContext(connection) as queries:
        come_in(client, message)
    reads = [query["sql"] for query in queries if query["sql"].startswith('SELECT "members_user"')]
    if connection.vendor == "postgresql":
        assert reads[0].endswith("FOR UPDATE")
    else:
        assert connection.settings_dict["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


def test_a_link_ends_after_a_quarter_of_an_hour(client, saubens, monkeypatch):
    ask(client, "mairie@saubens.example")
    [message] = mail.outbox
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 15 * 60 - 2)
    assert client.get(link_in(message)).status_code == 200
    monkeypatch.setattr(time, "time", lambda: now + 15 * 60 + 1)
    assert client.get(link_in(message)).status_code == 410
    assert come_in(client, message).status_code == 410


@pytest.mark.parametrize(
    "token", ["", "x", "AAAA", "é" * 40, "a" * 5000, "AAAAAAAAAAE-_-_-_-_-_-_-_-_-_-_"]
)
def test_an_invented_token_opens_nothing(client, saubens, token):
    assert client.get("/espace/connexion/lien/", {"jeton": token}).status_code == 410
    assert client.post("/espace/connexion/lien/", {"jeton": token}).status_code == 410


def test_a_token_made_for_something_else_opens_nothing(client, saubens):
    other = tokens_v2.create_token(access.account_of("mairie@saubens.example"), "autre")
    assert client.post("/espace/connexion/lien/", {"jeton": other}).status_code == 410


def test_the_answer_is_the_same_whether_the_address_is_known_or_not(client, saubens):
    known = ask(client, "mairie@saubens.example")
    unknown = ask(client, "personne@ailleurs.example")
    assert known.status_code == unknown.status_code == 302
    assert known.headers["Location"] == unknown.headers["Location"]
    assert known.content == unknown.content
    assert set(known.cookies) == set(unknown.cookies)
    assert [message.to for message in mail.outbox] == [["mairie@saubens.example"]]


def test_nothing_that_depends_on_the_address_is_done_before_the_response(client, saubens, monkeypatch):
    waiting = []
    monkeypatch.setattr(links, "after_response", waiting.append)
    counts = []
    for address in ("mairie@saubens.example", "personne@ailleurs.example"):
        with CaptureQueriesContext(connection) as queries:
            ask(client, address)
        counts.append([query["sql"].split()[0:3] for query in queries])
    assert counts[0] == counts[1]
    assert not OutgoingMail.objects.exists()
    assert not User.objects.exists()
    for job in waiting:
        job()
    assert OutgoingMail.objects.count() == 1


@pytest.mark.parametrize("address", ["", "pas une adresse", "a@b", "x" * 250 + "@saubens.example"])
def test_an_address_that_is_not_one_is_told_and_tied_to_its_field(client, address):
    page = ask(client, address).content.decode()
    assert 'href="#id_email"' in page
    assert 'aria-invalid="true"' in page
    assert not LinkRequest.objects.exists()


def test_a_line_break_in_an_address_makes_no_header(client, saubens):
    ask(client, "mairie@saubens.example\nBcc: tous@ailleurs.example")
    assert mail.outbox == []


def test_an_address_that_only_looks_alike_gets_nothing(client):
    MemberFactory(email="mairie@kommune.example")
    ask(client, "mairie@\u212aommune.example")
    assert all(message.to == ["mairie@kommune.example"] for message in mail.outbox)


# --- Never the staff --------------------------------------------------------------------------


def test_the_address_of_an_administrator_opens_an_account_of_its_own(client, saubens):
    boss = User.objects.create_superuser("chef", "mairie@saubens.example", "motdepasse")
    ask(client, "mairie@saubens.example")
    come_in(client, mail.outbox[0])
    account = User.objects.get(pk=client.session["_auth_user_id"])
    assert account != boss
    assert account.username == "espace:mairie@saubens.example"
    assert not account.is_staff
    assert not account.is_superuser
    assert not account.has_usable_password()
    assert not account.get_all_permissions()
    assert client.get("/admin/").status_code == 302


def test_no_token_ever_opens_an_account_of_the_staff(client, saubens):
    boss = User.objects.create_superuser("chef", "mairie@saubens.example", "motdepasse")
    clerk = User.objects.create_user("agent", "mairie@saubens.example", "motdepasse", is_staff=True)
    plain = User.objects.create_user("sans-rien", "mairie@saubens.example", "motdepasse")
    for user in (boss, clerk, plain):
        token = tokens_v2.create_token(user, links.SCOPE)
        assert links.owner(token) is None
        assert client.post("/espace/connexion/lien/", {"jeton": token}).status_code == 410


def test_the_database_refuses_to_make_staff_of_an_account_of_the_espace(saubens):
    account = access.account_of("mairie@saubens.example")
    for right in ("is_staff", "is_superuser"):
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.filter(pk=account.pk).update(**{right: True})


def test_a_signed_in_administrator_is_not_let_into_the_espace(admin_client, saubens):
    assert admin_client.get(HOME).headers["Location"] == SIGN_IN
    assert admin_client.get(SIGN_IN).status_code == 200


def test_the_accounts_of_the_espace_are_not_among_those_of_the_staff(admin_client, saubens):
    account = access.account_of("mairie@saubens.example")
    listed = admin_client.get(reverse("admin:members_user_changelist")).context["cl"].queryset
    assert account not in listed
    page = admin_client.get(reverse("admin:members_user_change", args=[account.pk]))
    assert page.status_code == 302


def test_a_very_long_address_has_an_account_too():
    address = "a" * 60 + "@" + ".".join(["b" * 60] * 3) + ".example"
    account = access.account_of(address)
    assert account.email == address
    assert access.account_of(address.upper()) == account


def test_a_closed_account_no_longer_comes_in(client, saubens):
    account = access.account_of("mairie@saubens.example")
    User.objects.filter(pk=account.pk).update(is_active=False)
    ask(client, "mairie@saubens.example")
    assert mail.outbox == []


# --- Which members ----------------------------------------------------------------------------


def test_several_people_open_one_member_and_one_person_opens_several(saubens):
    muret = MemberFactory(name="Muret", email="")
    for member in (saubens, muret):
        Contact.objects.create(member=member, email="Secretaire@RPI.example")
    assert access.addresses(saubens) == ["mairie@saubens.example", "secretaire@rpi.example"]
    assert access.addresses(muret) == ["secretaire@rpi.example"]
    person = access.account_of("secretaire@rpi.example")
    assert set(access.members_of(person)) == {saubens, muret}
    browser = signed_in("secretaire@rpi.example")
    choice = browser.get(HOME).content.decode()
    assert "Saubens" in choice
    assert "Muret" in choice
    assert browser.get(f"/espace/membre/{muret.pk}/").status_code == 200
    mayor = signed_in("mairie@saubens.example")
    assert mayor.get(f"/espace/membre/{saubens.pk}/").status_code == 200
    assert mayor.get(f"/espace/membre/{muret.pk}/").status_code == 404


def test_members_without_address_are_open_to_nobody():
    MemberFactory(email="")
    account = User.objects.create(username=f"{User.PORTAL}vide", email="")
    assert not access.members_of(account).exists()


def test_access_ends_as_soon_as_the_address_is_removed(saubens):
    contact = Contact.objects.create(member=saubens, email="adjoint@saubens.example")
    browser = signed_in("adjoint@saubens.example")
    assert browser.get(HOME).status_code == 200
    contact.delete()
    page = browser.get(HOME)
    assert page.status_code == 403
    assert "n'ouvre plus aucune page" in page.content.decode()
    assert "Se déconnecter" in page.content.decode()


def test_a_link_asked_for_before_the_address_was_removed_opens_nothing(client, saubens):
    ask(client, "mairie@saubens.example")
    saubens.email = "nouvelle@saubens.example"
    saubens.save()
    assert come_in(client, mail.outbox[0]).status_code == 410


# --- Session ----------------------------------------------------------------------------------


def test_the_session_is_short_and_its_cookie_closed(client, saubens, settings):
    ask(client, "mairie@saubens.example")
    cookie = come_in(client, mail.outbox[0]).cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["max-age"] == 3600


def test_the_session_slides_for_an_hour_and_ends_after_eight(client, saubens, monkeypatch):
    ask(client, "mairie@saubens.example")
    start = time.time()
    come_in(client, mail.outbox[0])
    clock = {"now": start}
    monkeypatch.setattr(time, "time", lambda: clock["now"])
    for passed in range(3000, 8 * 3600, 3000):
        clock["now"] = start + passed
        assert client.get(HOME).status_code == 200, passed
    clock["now"] = start + 8 * 3600 + 60
    assert client.get(HOME).status_code == 302
    assert "_auth_user_id" not in client.session


def test_the_session_ends_after_an_hour_without_a_page(saubens, monkeypatch):
    browser = signed_in("mairie@saubens.example")
    later = time.time() + 3700
    monkeypatch.setattr(time, "time", lambda: later)
    assert browser.get(HOME).status_code == 302


def test_signing_out_asks_for_a_post_and_ends_the_session(saubens):
    browser = signed_in("mairie@saubens.example")
    assert browser.get("/espace/deconnexion/").status_code == 405
    assert browser.get(HOME).status_code == 200
    assert browser.post("/espace/deconnexion/").headers["Location"] == "/espace/deconnexion/faite/"
    assert browser.get("/espace/deconnexion/faite/").status_code == 200
    assert browser.get(HOME).status_code == 302


def test_coming_in_changes_the_key_of_the_session(client, saubens):
    session = client.session
    session["avant"] = 1
    session.save()
    before = session.session_key
    ask(client, "mairie@saubens.example")
    come_in(client, mail.outbox[0])
    assert client.session.session_key != before


# --- Limits -----------------------------------------------------------------------------------


def test_an_address_gets_only_so_many_links_in_a_quarter_of_an_hour(client, saubens, settings):
    settings.ESPACE_LINKS_PER_ADDRESS = 3
    answers = [ask(client, "mairie@saubens.example") for _ in range(5)]
    assert len({(answer.status_code, answer.headers["Location"]) for answer in answers}) == 1
    assert len(mail.outbox) == 3
    assert come_in(client, mail.outbox[0]).headers["Location"] == HOME, "those sent still work"


def test_a_network_asks_for_only_so_many_links_in_a_quarter_of_an_hour(client, settings):
    settings.ESPACE_LINKS_PER_NETWORK = 2
    for number in range(4):
        MemberFactory(email=f"mairie{number}@essai.example")
        ask(client, f"mairie{number}@essai.example", REMOTE_ADDR="203.0.113.7")
    assert len(mail.outbox) == 2
    ask(client, "mairie3@essai.example", REMOTE_ADDR="203.0.113.8")
    assert len(mail.outbox) == 3


def test_the_limits_slide_and_old_requests_are_forgotten(client, saubens, settings):
    settings.ESPACE_LINKS_PER_ADDRESS = 1
    ask(client, "mairie@saubens.example")
    ask(client, "mairie@saubens.example")
    assert len(mail.outbox) == 1
    LinkRequest.objects.update(at=timezone.now() - timedelta(minutes=15, seconds=1))
    ask(client, "mairie@saubens.example")
    assert len(mail.outbox) == 2
    assert LinkRequest.objects.count() == 1


def test_requests_keep_no_address(client, saubens):
    ask(client, "mairie@saubens.example", REMOTE_ADDR="203.0.113.7")
    kept = str(LinkRequest.objects.values().get())
    assert "saubens" not in kept
    assert "203.0.113" not in kept


# --- Accesses ---------------------------------------------------------------------------------


def test_each_access_is_shown_to_the_mairie_with_an_abbreviated_address(client, saubens):
    ask(client, "mairie@saubens.example")
    agent = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"
    client.post(
        "/espace/connexion/lien/",
        {"jeton": token_in(mail.outbox[0])},
        REMOTE_ADDR="203.0.113.77",
        HTTP_USER_AGENT=agent,
    )
    row = PortalAccess.objects.get()
    assert (row.member, row.email, row.network) == (saubens, "mairie@saubens.example", "203.0.113.x")
    page = client.get("/espace/acces/").content.decode()
    assert "Firefox sur Windows" in page
    assert "203.0.113.x" in page
    assert "203.0.113.77" not in page


def test_accesses_to_another_member_are_not_shown(saubens):
    other = MemberFactory(email="mairie@muret.example")
    PortalAccess.objects.create(member=other, email="mairie@muret.example", device="Chrome sur Linux")
    assert "muret" not in signed_in("mairie@saubens.example").get("/espace/acces/").content.decode()


def test_accesses_of_more_than_a_year_are_forgotten(client, saubens):
    long_ago = timezone.now() - timedelta(days=366)
    with patch("django.utils.timezone.now", return_value=long_ago):
        PortalAccess.objects.create(member=saubens, email="ancienne@saubens.example")
    ask(client, "mairie@saubens.example")
    come_in(client, mail.outbox[0])
    assert [row.email for row in PortalAccess.objects.all()] == ["mairie@saubens.example"]


# --- What stays secret ------------------------------------------------------------------------


def test_the_link_is_not_kept_once_sent_nor_shown_to_the_staff(client, admin_client, saubens, settings):
    settings.EMAIL_BACKEND = "tests.entsvc.test_mail.Broken"
    ask(client, "mairie@saubens.example")
    row = OutgoingMail.objects.get()
    assert "jeton=" in row.text
    page = admin_client.get(reverse("admin:entsvc_outgoingmail_change", args=[row.pk]))
    assert page.status_code == 200
    assert "jeton=" not in page.content.decode()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    OutgoingMail.objects.update(due_at=timezone.now())
    assert deliver().sent == 1
    row.refresh_from_db()
    assert (row.text, row.html) == ("", "")


def test_the_token_leaves_by_no_referrer_and_no_cache(client, saubens):
    ask(client, "mairie@saubens.example")
    page = client.get(link_in(mail.outbox[0]))
    assert page.headers["Referrer-Policy"] == "strict-origin"
    assert "no-store" in page.headers["Cache-Control"]


def test_the_log_of_the_development_server_keeps_no_token(caplog):
    record = logging.LogRecord(
        "django.server", logging.INFO, "", 0, '"%s" %s',
        ("GET /espace/connexion/lien/?jeton=SECRET&x=1 HTTP/1.1", "200"), None,
    )  # fmt: skip
    assert WithoutTokens().filter(record)
    assert "SECRET" not in record.getMessage()
    assert "jeton=***&x=1" in record.getMessage()


def test_a_form_without_its_key_is_refused_in_french(saubens):
    answer = Client(enforce_csrf_checks=True).post(SIGN_IN, {"email": "mairie@saubens.example"})
    assert answer.status_code == 403
    assert "Ce formulaire a expiré" in answer.content.decode()
    assert mail.outbox == []
