"""Titres announced to members: once each, to those who can read them, by finances alone."""

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from entsvc.models import JournalEntry, OutgoingMail
from invoicing import announcing
from invoicing.announcing import AnnouncementRefused, announce, waiting
from invoicing.bordereaux import send, sign
from invoicing.models import Announcement, Titre, TitreEvent
from invoicing.rendering import render_missing
from members.models import Contact, Member
from tests.conventions.world import account
from tests.factories import IssuerFactory, MemberFactory
from tests.invoicing.campaigns import accounts_of, annul, campaign_of, day, issued, pay, reduce
from tests.invoicing.world import a_world


@pytest.fixture(scope="module")
def kept_issue(kept_drawn):
    def addressed():
        world = a_world()
        for rank, member in enumerate(world.members, start=1):
            Member.objects.filter(pk=member.pk).update(email=f"mairie{rank}@example.org")
        return world, issued(world)

    return kept_drawn(addressed)


@pytest.fixture
def world(own_issue):
    return own_issue[0]


@pytest.fixture
def titres(own_issue, blank_pdf):
    """Titres of 45, 90 and 135 €, drawn, of members that have an address."""
    return own_issue[1]


def still(titre):
    return waiting(campaign_of(titre), accounts_of(titre))


def ready(titre):
    return [row for rows in still(titre).ready.values() for row in rows]


def tell(titre, rows=None):
    rows = ready(titre) if rows is None else rows
    return announce(campaign=campaign_of(titre), rows=rows, actor="essai")


def plain(text):
    return text.replace("\xa0", " ").replace("\u202f", " ")


def test_it_works(titres, mailoutbox):
    assert tell(titres[0]) == 3
    assert Announcement.objects.count() == 3
    assert OutgoingMail.objects.count() == 3
    mail = OutgoingMail.objects.get(recipient="mairie1@example.org")
    assert plain(mail.subject) == f"Titre {titres[0].reference} : 45,00 €"
    for text in (plain(mail.text), plain(mail.html)):
        assert titres[0].reference in text
        assert "45,00 €" in text
        assert "Texte delai" in text
        assert "/espace/" in text
        assert "Reste à payer" not in text
        assert "connexion/" not in text, "jamais un lien qui ouvre une page par lui-même"
    entry = JournalEntry.objects.get(action="announce")
    assert entry.data["titres"][titres[0].reference] == ["mairie1@example.org"]


def test_a_titre_is_announced_once(titres):
    rows = ready(titres[0])
    tell(titres[0])
    assert ready(titres[0]) == []
    assert still(titres[0]).announced == 3
    with pytest.raises(AnnouncementRefused, match="Aucun titre"):
        tell(titres[0])
    with pytest.raises(AnnouncementRefused, match="Un autre poste"):
        tell(titres[0], rows)
    assert OutgoingMail.objects.count() == 3


def test_a_later_titre_alone_is_announced_by_a_second_click(world, titres, blank_pdf):
    tell(titres[0])
    world.join(4, email="neuve@example.org")
    for titre in world.issue(on=day(1)).titres:
        list(render_missing(Titre.objects.filter(pk=titre.pk)))
    assert [row.addresses for row in ready(titres[0])] == [["neuve@example.org"]]
    assert tell(titres[0]) == 1


def test_two_clicks_that_share_a_titre_write_nothing_the_second_time(titres):
    first, second = ready(titres[0])[:2], ready(titres[0])[1:]
    tell(titres[0], first)
    with pytest.raises(AnnouncementRefused):
        tell(titres[0], second)
    assert Announcement.objects.count() == OutgoingMail.objects.count() == 2


def test_what_is_paid_cancelled_rejected_or_undrawn_is_not_announced(world, titres, blank_pdf):
    pay(titres[0], "45.00", day(1))
    annul(world, titres[1], day(1))
    TitreEvent.objects.create(
        titre=titres[2], kind=TitreEvent.Kind.REJECTED, on=day(1), comment="Non", recorded_by="essai"
    )
    world.join(4, email="neuve@example.org")
    [late] = world.issue(on=day(2)).titres
    found = still(titres[0])
    assert found.ready == {}
    assert [titre.pk for titre in found.rejected] == [titres[2].pk]
    assert [titre.pk for titre in found.without_pdf] == [late.pk]


def test_a_member_without_address_is_listed(titres):
    Member.objects.filter(pk=titres[0].debtor_id).update(email="")
    found = still(titres[0])
    assert [titre.pk for titre in found.without_address] == [titres[0].pk]
    assert found.count == 2


def test_every_address_that_opens_the_page_is_told(titres):
    debtor = titres[0].debtor
    Contact.objects.create(member=debtor, email="Compta@example.org")
    addresses = next(row.addresses for row in ready(titres[0]) if row.titre.pk == titres[0].pk)
    assert addresses == ["mairie1@example.org", "compta@example.org"]


def test_who_took_a_member_over_is_told_too(titres):
    heir = MemberFactory(email="nouvelle@example.org")
    Member.objects.filter(pk=titres[0].debtor_id).update(successor=heir, merged_on=day(1))
    Member.objects.filter(pk=titres[1].debtor_id).update(
        successor=heir, merged_on=timezone.localdate().replace(year=2999)
    )
    told = {row.titre.pk: row.addresses for row in ready(titres[0])}
    assert told[titres[0].pk] == ["mairie1@example.org", "nouvelle@example.org"]
    assert told[titres[1].pk] == ["mairie2@example.org"]


def test_a_titre_reduced_or_paid_in_part_says_what_is_left(world, titres):
    reduce(world, titres[2], "35.00", day(1))
    pay(titres[2], "50.00", day(2))
    tell(titres[0])
    text = plain(OutgoingMail.objects.get(recipient="mairie3@example.org").text)
    assert "Montant : 135,00 €" in text
    assert "Reste à payer : 50,00 €" in text


def test_many_are_announced_some_at_a_time(titres, monkeypatch):
    monkeypatch.setattr(announcing, "AT_ONCE", 2)
    assert [tell(titres[0]), tell(titres[0])] == [2, 1]


def test_an_announcement_is_neither_changed_nor_deleted_nor_doubled(titres):
    tell(titres[0])
    row = Announcement.objects.get(titre=titres[0])
    for write in (
        lambda: Announcement.objects.filter(pk=row.pk).update(told_by="autre"),
        lambda: Announcement.objects.filter(pk=row.pk)._raw_delete("default"),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            write()
    with pytest.raises(IntegrityError), transaction.atomic():
        Announcement.objects.create(titre=titres[0], addresses=[], told_by="essai")


def test_nothing_is_written_when_the_mails_fail(titres, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr(announcing.mail, "post", fail)
    with pytest.raises(RuntimeError), transaction.atomic():
        tell(titres[0])
    assert not Announcement.objects.exists()


def test_the_reading_takes_the_same_queries_whatever_its_length(
    world, titres, blank_pdf, django_assert_num_queries
):
    campaign, accounts = campaign_of(titres[0]), accounts_of(titres[0])
    with django_assert_num_queries(8):
        waiting(campaign, accounts)
    world.join(4, email="neuve@example.org")
    world.issue(on=day(1))
    accounts = accounts_of(titres[0])
    with django_assert_num_queries(8):
        waiting(campaign, accounts)


# --- The page ---------------------------------------------------------------------------------


def address(titre):
    return reverse("collection:campaign-announce", args=[titre.campaign_id])


def posted(client, titre):
    return client.post(address(titre), {"bordereau": [titre.bordereau_id]}, follow=True)


def test_the_page_lists_them_and_the_click_writes_to_them(client, world, titres, mailoutbox):
    account(client, "finances", world.issuer)
    text = client.get(address(titres[0])).content.decode()
    assert "mairie1@example.org" in text
    assert "pas encore envoyé au comptable" in text
    page = posted(client, titres[0])
    assert "3\xa0titres annoncés" in page.content.decode()
    assert len(mailoutbox) == 3
    posted(client, titres[0])
    assert len(mailoutbox) == 3
    told = reverse("admin:invoicing_announcement_changelist")
    listed = client.get(told, {"titre__campaign__id__exact": titres[0].campaign_id})
    assert listed.context["cl"].result_count == 3


def test_what_went_to_the_accountant_is_ticked_and_nothing_else(client, world, titres):
    account(client, "finances", world.issuer)
    assert " checked" not in client.get(address(titres[0])).content.decode()
    bordereau = titres[0].bordereau
    sign(bordereau=bordereau, signatory=world.signatory, on=day(0), actor="essai")
    send(bordereau=bordereau, on=day(0), actor="essai")
    assert " checked" in client.get(address(titres[0])).content.decode()


def test_a_click_that_ticks_nothing_says_so(client, world, titres):
    account(client, "finances", world.issuer)
    page = client.post(address(titres[0]), {}, follow=True)
    assert "cochez au moins un bordereau" in page.content.decode()
    assert not Announcement.objects.exists()


@pytest.mark.parametrize("role", ["gestionnaire", "lecture"])
def test_others_neither_see_the_page_nor_its_button(client, world, titres, role):
    account(client, role, world.issuer)
    assert client.get(address(titres[0])).status_code == 403
    assert client.post(address(titres[0]), {}).status_code == 403
    page = client.get(reverse("collection:campaign", args=[titres[0].campaign_id]))
    assert address(titres[0]) not in page.content.decode()


def test_the_titres_of_another_issuer_are_not_announced(client, titres):
    account(client, "finances", IssuerFactory(code="AUTRE"))
    assert client.post(address(titres[0]), {}).status_code == 404
