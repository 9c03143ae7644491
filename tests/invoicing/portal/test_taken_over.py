"""Who took over a member reads its titres, says whose they were, and opens nothing else of it."""

import datetime as dt

import pytest
from django.urls import reverse
from django.urls.converters import IntConverter, UUIDConverter
from django.utils import timezone

from conventions.models import Convention
from invoicing.models import Titre
from members.models import Member
from members.portal import reach
from tests.conventions.portal.test_pages import home, plain
from tests.conventions.world import account
from tests.factories import IssuerFactory, MemberFactory, PaperFactory
from tests.invoicing.world import a_world
from tests.members.portal.people import signed_in
from tests.members.portal.test_contacts import save
from tests.members.portal.walk import every

pytestmark = pytest.mark.django_db
OLD, NEW = "mairie@ancienne.example", "mairie@nouvelle.example"


@pytest.fixture
def titre():
    """A titre that a commune owes, which another one took over; a second commune owes another."""
    a_world(members=2).issue()
    titre = Titre.objects.order_by("number").first()
    new = MemberFactory(pk=10**6, name="Commune nouvelle", email=NEW)
    Member.objects.filter(pk=titre.debtor_id).update(
        email=OLD, successor=new, merged_on=dt.date(2025, 1, 1)
    )
    return titre


def url_of(name, titre):
    return reverse(f"espace-titres:{name}", args=[titre.pk])


def test_the_successor_is_asked_to_pay_and_told_whose_it_was(titre):
    text = home(signed_in(NEW))
    assert f"Payer le titre {titre.reference}" in text
    assert f"au nom de {titre.debtor_name}" in text
    page = plain(signed_in(NEW).get(url_of("titre", titre)))
    assert f"Ce titre est au nom de {titre.debtor_name}, que votre collectivité a repris." in page
    assert reverse("espace:member", args=[10**6]) in page
    listed = plain(signed_in(NEW).get(reverse("espace-titres:list", args=[10**6])))
    assert titre.reference in listed


def test_the_former_member_keeps_it_and_knows_who_reads_it_too(titre):
    text = home(signed_in(OLD))
    assert f"Payer le titre {titre.reference}" in text
    assert "Commune nouvelle, qui a repris" in text
    page = plain(signed_in(OLD).get(url_of("titre", titre)))
    assert "que votre collectivité a repris" not in page


def test_it_is_read_along_the_whole_chain(titre):
    last = MemberFactory(name="Grande commune", email="mairie@grande.example")
    Member.objects.filter(email=NEW).update(successor=last)
    text = home(signed_in("mairie@grande.example"))
    assert f"au nom de {titre.debtor_name}" in text


def test_a_succession_to_come_opens_nothing_yet(titre):
    Member.objects.filter(email=OLD).update(merged_on=timezone.localdate() + dt.timedelta(days=1))
    assert titre.reference not in home(signed_in(NEW))
    assert signed_in(NEW).get(url_of("titre", titre)).status_code == 404
    assert "qui a repris" not in home(signed_in(OLD))


def test_the_successor_opens_its_titres_and_nothing_else_of_it(titre):
    """Every address with the keys of the former member, and with those of a commune that is not its."""
    convention = Convention.objects.get(debtor=titre.debtor_id)
    paper = PaperFactory(convention=convention)
    other = Titre.objects.exclude(pk=titre.pk).get()
    keys = {
        IntConverter: {str(titre.debtor_id), str(other.debtor_id), str(convention.pk), "2024"},
        UUIDConverter: {str(paper.pk), str(titre.pk), str(other.pk)},
    }
    browser, opened = signed_in(NEW), set()
    for pattern, address in every("/espace/", keys):
        if "<" not in pattern:
            continue
        if browser.get(address).status_code == 200:
            opened.add(address)
        assert browser.post(address).status_code in (404, 405), address
    assert opened == {url_of("titre", titre)}


def test_the_successor_downloads_the_document_as_stored(titre, monkeypatch):
    from invoicing.rendering import render_missing

    monkeypatch.setattr("invoicing.rendering.render_pdf", lambda *_: b"%PDF essai")
    list(render_missing(Titre.objects.filter(pk=titre.pk)))
    assert signed_in(NEW).get(url_of("pdf", titre)).content == b"%PDF essai"


def test_a_clerk_of_another_issuer_does_not_name_a_successor_to_read_the_titres(client, titre):
    """He could name a member of his own: it counts as writing who opens the pages."""
    Member.objects.filter(email=OLD).update(successor=None, merged_on=None)
    mine, old = Member.objects.get(email=NEW), Member.objects.get(email=OLD)
    account(client, "gestionnaire", IssuerFactory(code="AUTRE"))
    save(client, old, successor=str(mine.pk), city="Muret")
    old.refresh_from_db()
    assert old.city == "Muret", "the rest of the page is written"
    assert old.successor is None
    assert signed_in(NEW).get(url_of("titre", titre)).status_code == 404


def test_a_clerk_of_its_issuer_names_one(client, titre):
    Member.objects.filter(email=OLD).update(successor=None, merged_on=None)
    mine, old = Member.objects.get(email=NEW), Member.objects.get(email=OLD)
    account(client, "gestionnaire", titre.issuer)
    save(client, old, successor=str(mine.pk))
    old.refresh_from_db()
    assert old.successor == mine


def test_the_issuer_of_the_titre_deals_with_the_successor_from_then_on(titre):
    assert reach.issuers_of(Member.objects.get(email=NEW)) == {titre.issuer_id}
