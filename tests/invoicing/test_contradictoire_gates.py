"""What members object to holds back their call, and the delay holds back every titre."""

import datetime as dt

import pytest
from django.urls import reverse

from conventions import etats, objections
from conventions.models import Enrolment, MemberEtat, Objection
from invoicing.calculation import open_supplement
from invoicing.models import Acceptance, Anomaly, Titre
from invoicing.numbering import IssueRefused
from invoicing.replay import differences
from invoicing.review_errors import groups_of
from invoicing.review_state import state_of
from invoicing.roles import create_groups
from tests.invoicing.test_admin import account
from tests.invoicing.world import ISSUED_ON, YEAR, a_world
from tests.tariffs.bases import spoken

pytestmark = pytest.mark.django_db
OPENED = dt.datetime(2025, 1, 13, 10, tzinfo=dt.UTC)
UNTIL = dt.date(2025, 1, 28)
OFFICE = "mairie@muret.example"
Kind = Objection.Kind


@pytest.fixture
def contested(world):
    """The world's year shown to its members, one of which says that a school is not its own."""
    etats.open_etat(schedule=world.schedule, year=YEAR, until=UNTIL, actor="agent", at=OPENED)
    return world


def object_to(world, kind=Kind.REMOVE, at=OPENED, member=0):
    debtor = world.members[member]
    shown = MemberEtat.objects.select_related("etat__schedule__issuer").get(debtor=debtor)
    school = debtor_schools(debtor).first().school if kind in Objection.OF_A_SCHOOL else None
    return objections.file_objection(
        shown=shown, kind=kind, words="Elle n'est plus à nous.", school=school, actor=OFFICE, at=at
    )


def debtor_schools(debtor):
    return Enrolment.objects.filter(convention__debtor=debtor).order_by("pk")


def respond(objection, accepted=True, **facts):
    return objections.respond(objection=objection, accepted=accepted, actor="agent", **facts)


def held(run):
    rows = Anomaly.objects.filter(run=run, blocking=True).order_by("pk")
    return [(row.call.siret, row.code) for row in rows.select_related("call")]


def test_no_titre_is_dated_of_the_last_day_to_object_nor_before(contested):
    run = contested.compute()
    with pytest.raises(IssueRefused, match="jusqu'au 28.janvier.2025 inclus pour contester"):
        contested.issue(run, on=UNTIL)
    assert not Titre.objects.exists()
    assert len(contested.issue(run, on=UNTIL + dt.timedelta(days=1)).titres) == 3


def test_a_delay_put_off_after_the_run_holds_back_too(contested):
    run = contested.compute()
    etat = MemberEtat.objects.first().etat
    etats.extend(etat=etat, until=dt.date(2030, 3, 3), reason="Neige", actor="agent")
    with pytest.raises(IssueRefused, match="3.mars.2030"):
        contested.issue(run, on=ISSUED_ON)


def test_an_unanswered_objection_blocks_its_member_alone(contested):
    objection = object_to(contested)
    run = contested.compute()
    assert held(run) == [(contested.members[0].siret, "objection_unanswered")]
    [anomaly] = Anomaly.objects.filter(run=run)
    assert spoken(anomaly.message).startswith("Contestation sans réponse (École à retirer")
    assert anomaly.uai == objection.school.uai
    assert len(contested.issue(run).titres) == 2
    [group] = groups_of(run)
    assert group.mend.code == "contestations"
    assert group.link.startswith(reverse("conventions:etats"))


def test_a_rejected_or_withdrawn_one_holds_nothing(contested):
    respond(object_to(contested), accepted=False, words="La convention la nomme.")
    objections.withdraw(objection=object_to(contested, Kind.OTHER), actor=OFFICE)
    assert held(contested.compute()) == []


def test_an_accepted_one_holds_until_the_data_is_mended(contested):
    objection = respond(object_to(contested, member=1))
    assert held(contested.compute()) == [(contested.members[1].siret, "objection_to_mend")]
    debtor_schools(contested.members[1]).get(school=objection.school).delete()
    run = contested.compute()
    assert held(run) == []
    assert run.calls.get(siret=contested.members[1].siret).total == 45


def test_both_may_be_accepted_with_a_reason(contested):
    object_to(contested)
    respond(object_to(contested, member=1))
    for code in (Acceptance.Code.OBJECTION_UNANSWERED, Acceptance.Code.OBJECTION_TO_MEND):
        Acceptance.objects.create(
            schedule=contested.schedule, school_year=YEAR, reason="Vu au téléphone", code=code
        )
    run = contested.compute()
    assert held(run) == []
    assert Anomaly.objects.filter(run=run, accepted="Vu au téléphone").count() == 2


def test_one_filed_or_accepted_since_the_run_asks_for_another(contested):
    run = contested.compute()
    respond(object_to(contested))
    with pytest.raises(IssueRefused, match="calculez de nouveau"):
        contested.issue(run)
    assert len(contested.issue().titres) == 2


def test_what_was_rejected_since_the_run_changes_nothing_of_it(contested):
    objection = object_to(contested)
    run = contested.compute()
    respond(objection, accepted=False, words="Non.")
    assert len(contested.issue(run).titres) == 2, "the run still holds the third back"
    assert state_of(run).changes


def test_a_run_replays_what_it_froze(contested):
    objection = object_to(contested)
    run = contested.compute()
    respond(objection, accepted=False, words="Non.")
    assert list(differences(run)) == []
    frozen = run.basis["facts"]["gates"]["objections"]
    assert list(frozen) == [contested.members[0].siret]


def test_a_basis_frozen_before_there_were_objections_is_read_as_it_was(world):
    run = world.compute()
    del run.basis["facts"]["gates"]["objections"]
    assert list(differences(run)) == []


def test_a_supplementary_campaign_waits_for_answers_not_for_the_delay():
    world = a_world(members=2)
    world.issue()
    etats.open_etat(schedule=world.schedule, year=YEAR, until=UNTIL, actor="agent", at=OPENED)
    world.join(1)
    run = open_supplement(campaign=world.compute().campaign, reason="Oubli", actor="essai")
    assert len(world.issue(run, on=ISSUED_ON).titres) == 1
    etat = MemberEtat.objects.first().etat
    etats.extend(etat=etat, until=dt.date(2030, 3, 3), reason="Neige", actor="agent")
    world.join(1)
    run = open_supplement(campaign=run.campaign, reason="Oubli", actor="essai")
    assert len(world.issue(run, on=ISSUED_ON).titres) == 1


def test_the_review_and_the_home_page_say_what_is_left_to_answer(client, contested):
    create_groups()
    run = contested.compute()
    client.force_login(account("gestionnaire", issuers=[contested.issuer]))
    review = reverse("collection:review", args=[run.pk])
    assert "aucune contestation à traiter" in spoken(client.get(review).content.decode())
    object_to(contested)
    page = spoken(client.get(review).content.decode())
    assert "1 contestation à traiter" in page
    assert f"{reverse('conventions:etat', args=[MemberEtat.objects.first().etat_id])}?voir=" in page
    home = client.get(reverse("admin:index"), {"emetteur": contested.issuer.code, "annee": "2024-2025"})
    page = spoken(home.content.decode())
    assert "1 contestation à traiter" in page
    assert reverse("conventions:etats") in page
