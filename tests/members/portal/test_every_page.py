"""Every address × every kind of account: nobody opens what isn't theirs, whatever is added later."""

import datetime as dt
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls.converters import IntConverter, UUIDConverter

from conventions.etats import open_etat
from conventions.forecasts import letters
from conventions.models import Convention
from conventions.objections import file_objection
from conventions.policies import PARTNERSHIP_2020
from invoicing.models import Titre
from invoicing.roles import ROLES, create_groups
from members.models import Contact, Member, User
from tests.conventions.forecasts.foretelling import sent
from tests.factories import AmendmentFactory, IssuerFactory, MemberFactory, PaperFactory
from tests.invoicing.world import YEAR, a_world
from tests.members.portal.people import signed_in
from tests.members.portal.walk import addresses, every

pytestmark = pytest.mark.django_db
# What anybody may open: the door.
OPEN = {
    "/espace/connexion/",
    "/espace/connexion/envoye/",
    "/espace/connexion/lien/",
    "/espace/deconnexion/",
    "/espace/deconnexion/faite/",
}
# Open where an identity provider is configured, not there elsewhere.
PROVIDER = {"/espace/connexion/fournisseur/", "/espace/connexion/fournisseur/retour/"}
STAFF_DOOR = {"/admin/login/", "/admin/logout/"}


def staff(role):
    account = User.objects.create_user(role, f"{role}@essai.example", is_staff=True)
    account.issuers.add(IssuerFactory())
    if role == "chef":
        User.objects.filter(pk=account.pk).update(is_superuser=True)
    else:
        account.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(account)
    return client


def both(client, address):
    return client.get(address), client.post(address)


def test_the_walk_finds_the_pages():
    espace = set(addresses("/espace/"))
    assert OPEN | PROVIDER | {"/espace/", "/espace/acces/", "/espace/membre/1/"} <= espace
    admin = set(addresses("/admin/"))
    assert {"/admin/", "/admin/members/member/", "/admin/members/member/1/change/"} <= admin
    assert len(admin) > 150


def test_whoever_is_not_of_a_mairie_is_sent_to_the_door_of_every_page():
    create_groups()
    visitors = [Client(), *(staff(role) for role in (*ROLES, "chef"))]
    for address in addresses("/espace/"):
        if address in OPEN | PROVIDER:
            continue
        for client in visitors:
            for answer in both(client, address):
                assert answer.status_code in (302, 405), (address, answer.status_code)
                if answer.status_code == 302:
                    assert urlsplit(answer.headers["Location"]).path == "/espace/connexion/", address


def test_whoever_has_no_member_left_reads_nothing_but_that():
    member = MemberFactory(email="mairie@saubens.example")
    browser = signed_in("mairie@saubens.example")
    member.email = ""
    member.save()
    for address in addresses("/espace/"):
        if address in OPEN | PROVIDER:
            continue
        for answer in both(browser, address):
            assert answer.status_code in (403, 405), (address, answer.status_code)


def test_an_account_of_the_espace_opens_no_page_of_the_staff():
    member = MemberFactory(email="mairie@saubens.example")
    Contact.objects.create(member=member, email="adjoint@saubens.example")
    browser = signed_in("mairie@saubens.example")
    for address in addresses("/admin/"):
        if address in STAFF_DOOR:
            continue
        for answer in both(browser, address):
            assert answer.status_code in (302, 403, 404, 405), (address, answer.status_code)
            if answer.status_code == 302:
                assert "/admin/login/" in answer.headers["Location"], address


def test_the_door_answers_everyone():
    create_groups()
    MemberFactory(email="mairie@saubens.example")
    mayor = signed_in("mairie@saubens.example")
    for address in OPEN | PROVIDER:
        for client in (Client(), mayor, staff("chef") if address == "/espace/connexion/" else Client()):
            assert client.get(address).status_code in (200, 302, 404, 405, 410), address


def test_the_page_of_a_member_is_for_its_own_people():
    saubens = MemberFactory(email="mairie@saubens.example")
    muret = MemberFactory(email="mairie@muret.example")
    pages = {
        saubens.pk: signed_in("mairie@saubens.example"),
        muret.pk: signed_in("mairie@muret.example"),
    }
    for mine, browser in pages.items():
        for pk in pages:
            assert browser.get(f"/espace/membre/{pk}/").status_code == (200 if pk == mine else 404)


def test_nobody_opens_anything_of_another_member(monkeypatch):
    """Every address, with the keys of the rows of another: those that no test of their own names too."""
    world = a_world(members=1)
    world.issue()
    [theirs] = world.members
    Member.objects.filter(pk=theirs.pk).update(email="mairie@muret.example")
    Convention.objects.filter(party=theirs).update(policy=PARTNERSHIP_2020.code)
    convention = Convention.objects.get(party=theirs)
    amendment = AmendmentFactory(convention=convention)
    paper = PaperFactory(convention=convention)
    titre = Titre.objects.get()
    monkeypatch.setattr(letters, "render_pdf", lambda *asked, **options: b"%PDF essai")
    told = sent(convention.schedule, year=2024).amounts.get()
    etat = open_etat(
        schedule=world.schedule, year=YEAR, until=dt.date(2100, 1, 1), actor="agent"
    ).members.get()
    objection = file_objection(
        shown=etat, kind="autre", words="Une école manque.", actor="mairie@muret.example"
    )
    # Its own key is no key of theirs, in any table: what it opens with one of those is another's.
    MemberFactory(pk=10**6, email="mairie@saubens.example")
    owner, stranger = signed_in("mairie@muret.example"), signed_in("mairie@saubens.example")
    keys = {
        IntConverter: {str(row.pk) for row in (theirs, convention, amendment, etat, objection)}
        | {"2024"},
        UUIDConverter: {str(paper.pk), str(titre.pk), str(told.pk)},
    }
    opened = set()
    for pattern, address in every("/espace/", keys):
        if "<" not in pattern:
            continue
        if owner.get(address).status_code == 200:
            opened.add(pattern)
        for answer in both(stranger, address):
            assert answer.status_code in (404, 405), (address, answer.status_code)
    assert {
        "/espace/membre/<int:pk>/",
        "/espace/conventions/<int:pk>/",
        "/espace/etats/<int:pk>/",
        "/espace/etats/<int:pk>/contester/",
        "/espace/etats/<int:pk>/etat.pdf",
        "/espace/contestations/<int:pk>/retirer/",
        "/espace/membre/<int:pk>/titres/",
        "/espace/titres/<uuid:pk>/",
        "/espace/previsions/<uuid:pk>/",
        "/espace/previsions/<uuid:pk>/detail/",
    } <= opened, "the walk reaches pages that their owner reads"
