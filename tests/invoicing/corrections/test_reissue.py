"""A titre is annulled and issued again, to whoever owes it."""

import pytest

from conventions.models import Convention
from entsvc.models import JournalEntry
from invoicing import reissue
from invoicing.calculation import open_supplement
from invoicing.corrections import MandatNeeded, due
from invoicing.models import Series, Titre
from invoicing.numbering import IssueRefused
from members.models import Member
from tests.factories import EnrolmentFactory, MemberFactory
from tests.invoicing.corrections.correcting import AFTER, DAY, again, annul, counters, move

pytestmark = pytest.mark.django_db


def test_a_titre_is_annulled_and_issued_again_with_mended_data(world, titre):
    Member.objects.filter(pk=titre.debtor_id).update(address="9 rue Réparée")
    run = world.compute()
    done = again(world, titre)
    assert (done.annulation.original, done.annulation.total) == (titre, 90)
    new = Titre.objects.get(pk=done.titre.pk)
    assert (new.replaces, new.total, new.number, new.kind) == (titre, 90, 4, "titre")
    assert new.call.run == run
    assert new.payload["debtor"]["address"][0] == "9 rue Réparée"
    assert new.payload["replaces"] == {
        "reference": titre.reference,
        "number": titre.number,
        "exercice": 2025,
        "issued_on": "2025-03-03",
        "total": "90.00",
    }
    assert (due(titre), due(new)) == (0, 90)
    assert counters()[Series.BORDEREAU] == 2
    assert JournalEntry.objects.filter(action="issue").count() == 2


def test_a_titre_annulled_before_may_still_be_issued_again(world, titre):
    annul(world, titre)
    world.compute()
    done = again(world, titre)
    assert (done.annulation, done.titre.replaces) == (None, titre)
    assert titre.corrections.count() == 1


def test_a_new_titre_may_itself_be_replaced(world, titre):
    world.compute()
    second = again(world, titre).titre
    world.compute()
    third = again(world, second).titre
    assert third.replaces == second
    assert [due(row) for row in (titre, second, third)] == [0, 0, 90]


def test_an_annulled_titre_is_issued_again_from_its_page_only(world, titre):
    annul(world, titre)
    issued = world.issue()
    assert (issued.bordereau, issued.titres) == (None, [])
    [blocked] = issued.blocked
    assert blocked.siret == titre.siret
    assert "« Annuler et ré-émettre »" in blocked.messages[0]
    again(world, titre)
    issued = world.issue()
    assert (issued.titres, issued.blocked) == ([], [])


def test_who_took_over_the_debtor_is_billed_in_its_place(world, titre):
    heir = MemberFactory()
    move(titre.debtor, heir)
    Member.objects.filter(pk=titre.debtor_id).update(successor=heir)
    world.compute()
    [candidate] = reissue.candidates(titre)
    assert (candidate.call.debtor, candidate.reasons) == (heir, [])
    done = again(world, titre, heir, reason_code=Titre.Reason.GONE)
    assert (done.titre.debtor, done.titre.replaces, done.titre.total) == (heir, titre, 90)
    assert done.annulation.debtor == titre.debtor


def test_the_payer_of_the_same_agreement_is_billed_in_place_of_the_wrong_one(world, titre):
    right = MemberFactory()
    move(titre.debtor, right)
    world.compute()
    assert again(world, titre, right).titre.debtor == right
    assert world.issue().titres == []


def test_a_debtor_that_has_its_titre_is_not_billed_twice(world, titres):
    heir = titres[2].debtor
    move(titres[1].debtor, heir)
    Member.objects.filter(pk=titres[1].debtor_id).update(successor=heir)
    world.compute()
    assert reissue.candidates(titres[1]) == []
    with pytest.raises(IssueRefused, match="campagne complémentaire"):
        again(world, titres[1], heir)
    assert not titres[1].corrections.exists()


def test_the_heir_is_not_billed_what_a_supplement_still_asks_of_the_former_debtor(world, titre):
    former, heir = titre.debtor, MemberFactory()
    EnrolmentFactory(convention=Convention.objects.get(debtor=former))
    run = open_supplement(campaign=titre.campaign, reason="école oubliée", actor="essai")
    [other] = world.issue(run, on=DAY).titres
    move(former, heir)
    Member.objects.filter(pk=former.pk).update(successor=heir)
    world.compute()
    [candidate] = reissue.candidates(titre)
    [message] = candidate.reasons
    assert f"déjà appelé de {former.name} par le titre {other.reference}" in message
    with pytest.raises(IssueRefused, match="déjà appelé"):
        again(world, titre, heir, reason_code=Titre.Reason.GONE)
    assert due(titre) == 90
    annul(world, other)
    assert again(world, titre, heir, reason_code=Titre.Reason.GONE).titre.total == 135


def test_the_call_of_a_titre_makes_no_other(world, titre):
    assert reissue.candidates(titre) == []
    with pytest.raises(IssueRefused, match="relancez le calcul"):
        again(world, titre)
    assert due(titre) == 90
    world.compute()
    assert [candidate.call.debtor for candidate in reissue.candidates(titre)] == [titre.debtor]


def test_nothing_is_annulled_when_nothing_can_be_issued(world, titre):
    Member.objects.filter(pk=titre.debtor_id).update(address="")
    world.compute()
    with pytest.raises(IssueRefused, match="À compléter – Débiteur : adresse"):
        again(world, titre)
    with pytest.raises(IssueRefused, match="n'appelle rien de"):
        again(world, titre, world.join(1))
    assert not titre.corrections.exists()
    assert counters() == {"titre": 3, "bordereau": 1}


def test_a_titre_is_replaced_once(world, titre):
    world.compute()
    again(world, titre)
    world.compute()
    with pytest.raises(IssueRefused, match="déjà remplacé par"):
        again(world, titre)
    with pytest.raises(IssueRefused, match="partez du titre d'origine"):
        again(world, titre.corrections.get())


def test_a_titre_of_a_closed_exercice_is_not_issued_again(world, titre):
    world.compute()
    with pytest.raises(MandatNeeded):
        again(world, titre, on=AFTER)
