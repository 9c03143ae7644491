"""Who may open a member's pages is written on its staff page; those concerned are told."""

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.urls import reverse

from entsvc.models import JournalEntry
from invoicing.roles import create_groups
from members.models import Contact, Member, User
from tests.factories import IssuerFactory, MemberFactory
from tests.invoicing.test_scope import sent_back

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk(client):
    create_groups()
    account = User.objects.create_user("gestion", is_staff=True)
    account.groups.add(Group.objects.get(name="gestionnaire"))
    account.issuers.add(IssuerFactory())
    client.force_login(account)
    return client


@pytest.fixture
def saubens():
    return MemberFactory(name="Saubens", email="mairie@saubens.example")


def save(client, member, **changed):
    url = reverse("admin:members_member_change", args=[member.pk])
    page = client.get(url)
    assert page.status_code == 200
    return client.post(url, {**sent_back(page), **changed})


def contact(row, email, **more):
    return {
        f"contacts-{row}-email": email,
        f"contacts-{row}-quality": "",
        "contacts-TOTAL_FORMS": row + 1,
    } | more


def test_a_clerk_adds_an_address_which_is_invited_and_the_mairie_told(clerk, saubens):
    answer = save(clerk, saubens, **contact(0, "adjoint@saubens.example"))
    assert answer.status_code == 302
    assert saubens.contacts.get().email == "adjoint@saubens.example"
    sent = {message.to[0]: message for message in mail.outbox}
    assert set(sent) == {"adjoint@saubens.example", "mairie@saubens.example"}
    assert sent["adjoint@saubens.example"].subject == "Vous avez accès à l'espace de Saubens"
    assert "/espace/connexion/" in sent["adjoint@saubens.example"].body
    assert "- adjoint@saubens.example" in sent["mairie@saubens.example"].body
    entry = JournalEntry.objects.get(action="espace-acces")
    assert entry.data == {"added": ["adjoint@saubens.example"], "removed": []}
    assert entry.actor == "gestion"


def test_the_former_address_is_told_when_it_is_replaced(clerk, saubens):
    save(clerk, saubens, email="accueil@saubens.example")
    assert [message.to for message in mail.outbox] == [["mairie@saubens.example"]]
    assert "accueil@saubens.example" in mail.outbox[0].body


def test_the_first_address_of_a_member_warns_nobody(clerk):
    member = MemberFactory(email="")
    save(clerk, member, email="mairie@muret.example")
    assert Member.objects.get(pk=member.pk).email == "mairie@muret.example"
    assert mail.outbox == []


def test_a_member_saved_unchanged_warns_nobody(clerk, saubens):
    Contact.objects.create(member=saubens, email="adjoint@saubens.example")
    assert save(clerk, saubens).status_code == 302
    assert mail.outbox == []
    assert not JournalEntry.objects.exists()


def test_the_same_address_twice_is_refused_in_french(clerk, saubens):
    Contact.objects.create(member=saubens, email="adjoint@saubens.example")
    page = save(clerk, saubens, **contact(1, "ADJOINT@saubens.example"))
    assert page.status_code == 200
    assert "Cette adresse a déjà accès aux pages de ce membre." in page.content.decode()


def test_a_member_is_made_with_its_accesses(clerk):
    url = reverse("admin:members_member_add")
    page = clerk.get(url)
    data = {**sent_back(page), "name": "Muret", "kind": "commune", **contact(0, "adjoint@muret.example")}
    assert clerk.post(url, data).status_code == 302
    assert Contact.objects.get().member.name == "Muret"


def test_the_accesses_are_listed_for_the_clerk_and_the_reader_sees_none(clerk, client):
    page = reverse("admin:members_portalaccess_changelist")
    assert clerk.get(page).status_code == 200
    reader = User.objects.create_user("lecteur", is_staff=True)
    reader.groups.add(Group.objects.get(name="lecture"))
    client.force_login(reader)
    assert client.get(page).status_code == 403
