"""The members are shared by all issuers: a clerk of one opens nothing of another."""

import re

import pytest
from django.urls import reverse

from conventions import states
from conventions.models import Convention
from entsvc.importing import run_import
from entsvc.models import JournalEntry, OutgoingMail
from invoicing.models import Titre
from members.importers.members import IMPORTER
from members.models import Contact, Member
from members.portal import links, reach
from tests.conventions.world import account
from tests.factories import ConventionFactory, IssuerFactory, ScheduleFactory
from tests.invoicing.world import a_world
from tests.members.files import write_csv
from tests.members.portal.people import signed_in
from tests.members.portal.test_contacts import contact, save

pytestmark = pytest.mark.django_db
MINE = "agent@ailleurs.example"
OFFICE = "mairie@muret.example"


@pytest.fixture
def occ():
    """A member that owes a titre to one issuer, and has no address."""
    world = a_world(members=1)
    world.issue()
    world.issuer.email = "ent@occitanie.example"
    world.issuer.save()
    return world


@pytest.fixture
def npdc():
    return IssuerFactory(code="NPDC", name="Nord-Pas-de-Calais Numérique", email="ent@npdc.example")


def clerk_of(issuer, client):
    account(client, "gestionnaire", issuer)
    return client


def with_agreement(issuer, member, **facts):
    schedule = ScheduleFactory(issuer=issuer, code=f"bareme-{issuer.pk}")
    return ConventionFactory(schedule=schedule, party=member, **facts)


def told(address):
    rows = OutgoingMail.objects.filter(recipient=address, template="acces_modifies_emetteur")
    return list(rows.order_by("pk").values_list("text", flat=True))


def import_address(tmp_path, member, email, issuers):
    row = f"{member.siret};{member.name};{member.kind};{email}"
    path = write_csv(tmp_path / "membres.csv", "siret;nom;type;courriel", row)
    return run_import(IMPORTER, path, dry_run=False, actor="agent", issuers=issuers)


def test_a_clerk_names_nobody_to_the_members_of_another_issuer(client, occ, npdc):
    [member] = occ.members
    clerk = clerk_of(npdc, client)
    page = clerk.get(reverse("admin:members_member_change", args=[member.pk])).content.decode()
    assert f"à qui demander un changement : {occ.issuer.name}." in page
    save(clerk, member, **contact(0, MINE), email=MINE, city="Muret")
    member.refresh_from_db()
    assert member.city == "Muret", "the rest of the page is written"
    assert member.email == ""
    assert not Contact.objects.exists()
    links.send(MINE)
    assert not OutgoingMail.objects.filter(recipient=MINE).exists()
    titre = reverse("espace-titres:titre", args=[Titre.objects.get().pk])
    assert signed_in(MINE).get(titre).status_code == 403


def test_nor_removes_those_that_are_there(client, occ, npdc):
    [member] = occ.members
    Member.objects.filter(pk=member.pk).update(email=OFFICE)
    row = Contact.objects.create(member=member, email="adjoint@muret.example")
    removed = {
        "contacts-TOTAL_FORMS": 1, "contacts-INITIAL_FORMS": 1, "contacts-0-id": row.pk,
        "contacts-0-member": member.pk, "contacts-0-email": MINE, "contacts-0-DELETE": "on",
    }  # fmt: skip
    save(clerk_of(npdc, client), member, **removed)
    assert Contact.objects.get().email == "adjoint@muret.example"


def test_the_issuer_that_bills_it_writes_them_and_tells_nobody_of_its_own(client, occ):
    [member] = occ.members
    assert save(clerk_of(occ.issuer, client), member, email=OFFICE).status_code == 302
    assert Member.objects.get(pk=member.pk).email == OFFICE
    assert told("ent@occitanie.example") == []
    assert signed_in(OFFICE).get(reverse("espace:home")).status_code == 200


def test_an_issuer_that_also_has_an_agreement_writes_them_and_the_other_is_told(client, occ, npdc):
    [member] = occ.members
    with_agreement(npdc, member)
    save(clerk_of(npdc, client), member, email=OFFICE)
    [text] = told("ent@occitanie.example")
    assert f"- ajoutée : {OFFICE}" in text
    assert member.name in text
    assert told("ent@npdc.example") == []
    entry = JournalEntry.objects.get(action="espace-acces")
    assert entry.data == {"added": [OFFICE], "removed": []}


def test_a_draft_gives_no_right_over_the_addresses(occ, npdc):
    [member] = occ.members
    draft = with_agreement(npdc, member, status=states.DRAFT, signed_on=None)
    mine = frozenset({npdc.pk})
    assert reach.issuers_of(member) == {occ.issuer.pk}
    assert not reach.may_write(member, mine)
    Convention.objects.filter(pk=draft.pk).update(status=states.SENT)
    assert reach.may_write(member, mine)
    assert reach.may_write(member, None)
    assert not reach.may_write(member, frozenset())


def test_an_import_leaves_the_address_that_its_account_may_not_write(tmp_path, occ, npdc):
    [member] = occ.members
    report = import_address(tmp_path, member, MINE, frozenset({npdc.pk}))
    assert [(f.line, f.field, f.value) for f in report.flagged if f.field == "courriel"] == [
        (2, "courriel", MINE)
    ]
    assert Member.objects.get(pk=member.pk).email == ""
    assert not JournalEntry.objects.filter(action="espace-acces").exists()


def test_an_import_that_changes_an_address_tells_whom_it_was_and_the_other_issuers(tmp_path, occ, npdc):
    [member] = occ.members
    with_agreement(npdc, member)
    Member.objects.filter(pk=member.pk).update(email=OFFICE)
    import_address(tmp_path, member, "accueil@muret.example", frozenset({npdc.pk}))
    assert Member.objects.get(pk=member.pk).email == "accueil@muret.example"
    assert OutgoingMail.objects.filter(recipient=OFFICE, template="acces_modifies").count() == 1
    [text] = told("ent@occitanie.example")
    assert re.search(r"ajoutée : accueil@muret.example\n- retirée : mairie@muret.example", text)
    entry = JournalEntry.objects.get(action="espace-acces")
    assert entry.actor == "agent"
    import_address(tmp_path, member, "accueil@muret.example", frozenset({npdc.pk}))
    assert len(told("ent@occitanie.example")) == 1, "unchanged, nobody is told again"
