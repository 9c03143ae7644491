"""What each member is shown before the bill is frozen, told once, and held against what changes."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction

from conventions import etat_facts, etat_reading, etats, objections, states
from conventions.etats import EtatRefused
from conventions.models import Convention, EtatContradictoire, MemberEtat, Objection
from conventions.objections import ObjectionRefused
from entsvc.models import JournalEntry, OutgoingMail
from members.models import Member, School
from tariffs.adoption import NotAdopted
from tests.conventions.etat_world import OPENED, OTHER, TOWN, UNTIL, WITHIN, EtatWorld, count
from tests.conventions.world import PER_USER, YEAR, a_member, a_school
from tests.factories import EnrolmentFactory, UsageFactory

pytestmark = pytest.mark.django_db
LATE = dt.datetime(2025, 1, 29, 0, 30, tzinfo=dt.timezone(dt.timedelta(hours=1)))
Kind, Answer = Objection.Kind, Objection.Answer


@pytest.fixture
def world():
    world = EtatWorld()
    world.open()
    return world


def object_to(world, kind=Kind.PUPILS, school="Le Lac", at=WITHIN, **facts):
    facts = {"words": "Trois élèves sont partis.", "actor": TOWN, **facts}
    school = world.school(school) if isinstance(school, str) else school
    return objections.file_objection(shown=world.shown(), kind=kind, school=school, at=at, **facts)


def respond(objection, accepted=True, **facts):
    return objections.respond(objection=objection, accepted=accepted, actor="agent", at=WITHIN, **facts)


def changes(world, member=None):
    shown = world.shown(member)
    now = etat_reading.current(shown.etat, [shown])
    return etat_facts.changes(shown.facts, now.get(shown.debtor_id))


# Opening.


def test_each_member_is_shown_its_own_schools_with_source_and_date(world):
    assert MemberEtat.objects.count() == 2
    facts = world.shown().facts
    assert facts["active"] is False
    [agreement] = facts["agreements"]
    assert agreement["reference"] == world.agreement.reference
    lac = etat_facts.schools(facts)[world.school("Le Lac").uai]
    assert lac["pupils"] == 120
    assert lac["source"] == "Constat de rentrée"
    assert dt.date.fromisoformat(lac["counted_on"])
    assert "active" not in lac
    assert etat_facts.totals(facts) == (2, 200)
    assert etat_facts.totals(world.shown(world.saubens).facts) == (1, 50)
    entry = JournalEntry.objects.get(action="etat-open")
    told = entry.summary.replace("\xa0", " ")
    assert told.endswith("ouvert à 2 membres, contestations jusqu'au 28 janvier 2025")


def test_active_pupils_are_shown_where_the_tariff_reads_them():
    world = EtatWorld(PER_USER)
    UsageFactory(school=world.school("Le Lac"), school_year=YEAR, active_pupils=90)
    world.open()
    schools = etat_facts.schools(world.shown().facts)
    assert schools[world.school("Le Lac").uai]["active"] == 90
    assert schools[world.school("La Tour").uai]["active"] is None


def test_it_opens_once_whoever_clicks_twice(world):
    with pytest.raises(EtatRefused, match="déjà ouvert"):
        world.open()
    assert MemberEtat.objects.count() == 2


def test_it_opens_neither_in_the_past_nor_on_nothing():
    world = EtatWorld()
    with pytest.raises(EtatRefused, match="passé"):
        etats.open_etat(
            schedule=world.schedule, year=YEAR, until=dt.date(2025, 1, 12), actor="agent", at=OPENED
        )
    with pytest.raises(NotAdopted):
        etats.open_etat(schedule=world.schedule, year=YEAR + 1, until=UNTIL, actor="agent", at=OPENED)
    assert not EtatContradictoire.objects.exists()


def test_each_member_with_an_address_is_written_to_once(world):
    Member.objects.filter(pk=world.saubens.pk).update(email="")
    assert etats.tell(etat=world.etat, actor="agent", at=WITHIN) == 1
    assert etats.tell(etat=world.etat, actor="agent", at=WITHIN) == 0
    mail = OutgoingMail.objects.get(template="etat_ouvert")
    assert mail.recipient == TOWN
    assert f"/espace/etats/{world.shown().pk}/" in mail.text
    assert "28 janvier 2025 inclus" in mail.text.replace("\xa0", " ")
    assert [(str(row.debtor), found) for row, found in etats.untold(world.etat)] == [("Saubens", [])]
    Member.objects.filter(pk=world.saubens.pk).update(email=OTHER)
    assert etats.tell(etat=world.etat, actor="agent", at=WITHIN) == 1
    assert world.shown(world.saubens).told_to == [OTHER]
    with pytest.raises(EtatRefused, match="pris fin"):
        etats.tell(etat=world.etat, actor="agent", at=LATE)


def test_who_took_over_a_member_is_written_to_as_well(world):
    new = a_member(name="Muret-Nouvelle", email="neuve@muret.example")
    Member.objects.filter(pk=world.muret.pk).update(successor=new)
    etats.tell(etat=world.etat, actor="agent", at=WITHIN)
    assert world.shown().told_to == [TOWN, "neuve@muret.example"]


def test_the_delay_is_put_off_with_a_reason_and_never_brought_forward(world):
    later = dt.date(2030, 2, 3)
    for until in (UNTIL, dt.date(2025, 1, 20)):
        with pytest.raises(EtatRefused, match="ne se raccourcit pas"):
            etats.extend(etat=world.etat, until=until, reason="Neige", actor="agent")
    with pytest.raises(EtatRefused, match="motif"):
        etats.extend(etat=world.etat, until=later, reason=" ", actor="agent")
    etat = etats.extend(etat=world.etat, until=later, reason="Neige", actor="agent")
    assert etat.objections_until == later
    assert JournalEntry.objects.get(action="etat-extend").data == {"reason": "Neige"}
    assert etat.history.first().history_change_reason == "Neige"
    assert object_to(world, at=LATE).pk


def test_a_member_that_comes_later_is_added_and_the_others_keep_what_they_saw(world):
    frozen = world.shown().facts
    count(world.school("Le Lac"), 119)
    came = a_member(name="Seysses")
    world.join(came, ("Mairie", 10))
    assert etats.newcomers(world.etat) == [came]
    assert etats.complete(etat=world.etat, actor="agent", at=WITHIN) == 1
    assert etats.complete(etat=world.etat, actor="agent", at=WITHIN) == 0
    assert world.shown().facts == frozen
    assert etat_facts.totals(world.shown(came).facts) == (1, 10)
    with pytest.raises(EtatRefused, match="prolongez"):
        etats.complete(etat=world.etat, actor="agent", at=LATE)


# What changed since.


def test_what_changed_since_is_derived_from_the_data(world):
    assert changes(world) == []
    count(world.school("Le Lac"), 118)
    gone = world.agreement.enrolments.get(school__name="La Tour")
    gone.delete()
    EnrolmentFactory(convention=world.agreement, school=a_school(name="Le Pré"))
    assert [line.replace("\xa0", " ") for line in changes(world)] == [
        "Le Lac : 118 élèves aujourd'hui",
        "La Tour : retirée depuis",
        "Le Pré : ajoutée depuis",
    ]
    assert changes(world, world.saubens) == []
    Convention.objects.filter(pk=world.agreement.pk).update(status=states.DROPPED)
    assert changes(world) == ["Aucune convention en vigueur n'est plus à payer pour cette année."]


def test_the_same_number_counted_again_is_no_change(world):
    count(world.school("Le Lac"), 121)
    count(world.school("Le Lac"), 120)
    assert changes(world) == []


# Objections.


def test_a_member_objects_until_the_last_day_included_in_paris(world):
    object_to(world, at=dt.datetime(2025, 1, 28, 22, 59, tzinfo=dt.UTC))
    with pytest.raises(ObjectionRefused, match="pris fin le 28.janvier.2025"):
        object_to(world, school="La Tour", at=dt.datetime(2025, 1, 28, 23, 1, tzinfo=dt.UTC))
    [objection] = Objection.objects.all()
    assert (objection.filed_by, objection.is_open) == (TOWN, True)
    mail = OutgoingMail.objects.get(template="contestation_deposee")
    assert mail.recipient == "ent@academie.example"
    assert f"/contestations/{objection.pk}/" in mail.text


def test_the_same_objection_is_not_filed_twice(world):
    object_to(world)
    with pytest.raises(ObjectionRefused, match="déjà déposée"):
        object_to(world)
    object_to(world, Kind.OTHER, school=None, words="Une école est fermée.")
    with pytest.raises(ObjectionRefused, match="déjà déposée"):
        object_to(world, Kind.OTHER, school=None, words="Une école est fermée. ")
    assert object_to(world, Kind.REMOVE).pk, "of the same school, another matter"


def test_it_says_something_of_a_school_that_was_shown(world):
    for facts, told in (
        ({"words": "  "}, "quelques mots"),
        ({"words": "x" * 2001}, "trop long"),
        ({"school": a_school()}, "école de votre état"),
        ({"school": None}, "école de votre état"),
        ({"kind": Kind.ACTIVE}, "élèves actifs"),
    ):
        with pytest.raises(ObjectionRefused, match=told):
            object_to(world, **facts)
    assert not Objection.objects.exists()


def test_it_is_withdrawn_until_it_is_answered(world):
    objection = object_to(world)
    objections.withdraw(objection=objection, actor=TOWN)
    with pytest.raises(ObjectionRefused):
        objections.withdraw(objection=objection, actor=TOWN)
    with pytest.raises(ObjectionRefused, match="rechargez"):
        respond(objection, granted=117)
    answered = object_to(world)
    respond(answered, granted=117)
    with pytest.raises(ObjectionRefused, match="déjà sa réponse"):
        objections.withdraw(objection=answered, actor=TOWN)


def test_to_agree_closes_nothing(world):
    shown = world.shown()
    objections.agree(shown=shown, actor=TOWN, at=WITHIN)
    objections.agree(shown=shown, actor="autre@muret.example", at=WITHIN)
    assert world.shown().agreed_by == TOWN
    objection = object_to(world)
    assert objections.figures(world.etat) == {
        "members": 2, "objected": 1, "agreed": 0, "silent": 1, "told": 0, "filed": 1, "waiting": 1,
        "accepted": 0, "rejected": 0,
    }  # fmt: skip
    objections.withdraw(objection=objection, actor=TOWN)
    assert objections.figures(world.etat)["agreed"] == 1
    with pytest.raises(ObjectionRefused, match="pris fin"):
        objections.agree(shown=world.shown(world.saubens), actor=OTHER, at=LATE)


def test_one_who_objects_does_not_agree(world):
    object_to(world)
    with pytest.raises(ObjectionRefused, match="contestation en cours"):
        objections.agree(shown=world.shown(), actor=TOWN, at=WITHIN)


# Answers.


def test_an_answer_is_given_once_and_written_to_the_member(world):
    objection = object_to(world, claimed=117)
    with pytest.raises(ObjectionRefused, match="motif du rejet"):
        respond(objection, accepted=False)
    with pytest.raises(ObjectionRefused, match="nombre retenu"):
        respond(objection)
    found = respond(objection, accepted=False, words="Le constat fait foi.")
    assert (found.answer, found.answered_by, found.granted) == (Answer.REJECTED, "agent", None)
    with pytest.raises(ObjectionRefused, match="rechargez"):
        respond(objection, granted=117)
    mail = OutgoingMail.objects.get(template="contestation_repondue")
    assert mail.recipient == TOWN
    assert "Le constat fait foi." in mail.text


def test_an_address_that_lost_its_access_is_not_written_to(world):
    objection = object_to(world, actor="parti@muret.example")
    respond(objection, accepted=False, words="Non.")
    sent = OutgoingMail.objects.filter(template="contestation_repondue")
    assert list(sent.values_list("recipient", flat=True)) == [TOWN]


@pytest.mark.parametrize("kind", [Kind.PUPILS, Kind.REMOVE, Kind.MISSING, Kind.OTHER])
def test_an_accepted_objection_waits_until_the_data_says_so(world, kind):
    came = a_school(name="Le Pré")
    school = world.school("Le Lac") if kind in Objection.OF_A_SCHOOL else None
    objection = object_to(world, kind, school)
    granted = {"granted": 117} if kind == Kind.PUPILS else {}
    found = respond(objection, school=came, **granted)

    def left():
        current = etat_reading.current(world.etat, [world.shown()])
        return objections.to_mend([found], current)

    if kind == Kind.OTHER:
        assert left() == [], "nothing tells what is to be mended: whoever accepts has mended it"
        return
    assert left() == [found]
    if kind == Kind.PUPILS:
        count(school, 116)
        assert left() == [found]
        count(school, 117)
    elif kind == Kind.REMOVE:
        world.agreement.enrolments.get(school=school).delete()
    else:
        EnrolmentFactory(convention=world.agreement, school=came)
    assert left() == []


# What the database itself refuses.


def bare(world, **facts):
    facts = {"kind": Kind.OTHER, "words": "Essai.", "filed_by": TOWN, "filed_at": WITHIN, **facts}
    return Objection(shown=world.shown(), **facts)


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"words": ""}, "objection_has_words"),
        ({"kind": Kind.PUPILS}, "objection_names_its_school"),
        ({"claimed": 3}, "objection_number_of_pupils"),
        ({"withdrawn_at": WITHIN}, "objection_withdrawn_unanswered"),
        ({"answer": "acceptee"}, "objection_answered_in_full"),
        ({"answered_by": "agent"}, "objection_answered_in_full"),
        ({"answer": "rejetee", "answered_by": "a", "answered_at": WITHIN}, "rejected_with_words"),
        (
            {"kind": Kind.MISSING, "answer": "acceptee", "answered_by": "a", "answered_at": WITHIN},
            "objection_accepted_says_what",
        ),
    ],
)
def test_the_database_keeps_an_objection_whole(world, facts, name):
    row = bare(world, **facts)
    with pytest.raises(ValidationError):
        row.full_clean()
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        row.save()


def test_the_database_keeps_days_in_order_and_one_state_each(world):
    for facts in (
        {"school_year": YEAR + 1, "opened_on": UNTIL, "objections_until": dt.date(2025, 1, 27)},
        {"school_year": YEAR, "opened_on": UNTIL, "objections_until": UNTIL},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            EtatContradictoire.objects.create(schedule=world.schedule, opened_by="agent", **facts)
    with pytest.raises(IntegrityError), transaction.atomic():
        MemberEtat.objects.create(etat=world.etat, debtor=world.muret, facts={}, shown_at=WITHIN)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE conventions_memberetat SET facts = '{}'",
        "DELETE FROM conventions_memberetat",
        "UPDATE conventions_objection SET words = 'autre'",
        "DELETE FROM conventions_objection",
        "UPDATE conventions_etatcontradictoire SET opened_on = '2020-01-01'",
    ],
)
def test_what_was_shown_and_objected_cannot_be_rewritten_even_by_hand(world, statement):
    object_to(world)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert School.objects.exists()
