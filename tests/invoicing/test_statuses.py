"""Where a titre stands: read from its own rows, alike in Python and in the database."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entsvc.models import JournalEntry
from invoicing.answers import AnswerRefused, record_event, record_events
from invoicing.bordereaux import send, sign
from invoicing.models import BordereauEvent, Payment, Titre, TitreEvent
from invoicing.statuses import (
    FOLLOWED,
    ORDER,
    History,
    Status,
    Step,
    history_of,
    standings,
    status_of,
    steps_of,
    with_status,
)
from tests.invoicing.world import ISSUED_ON, a_world

TAKEN, REJECTED = TitreEvent.Kind.TAKEN, TitreEvent.Kind.REJECTED
RECEIPT, CANCELLATION = Payment.Kind.RECEIPT, Payment.Kind.CANCELLATION
D = Decimal


def day(number):
    return ISSUED_ON + dt.timedelta(days=number)


def history(**facts):
    return History(**{"total": D("100.00"), "issued_on": day(0), **facts})


# --- The rule ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, Status.ISSUED),
        ({"sent_on": day(1)}, Status.SENT),
        ({"sent_on": day(1), "answers": [(TAKEN, day(2))]}, Status.TAKEN),
        ({"sent_on": day(1), "answers": [(REJECTED, day(2))]}, Status.REJECTED),
        ({"answers": [(REJECTED, day(2)), (TAKEN, day(3))]}, Status.TAKEN),
        ({"answers": [(TAKEN, day(2)), (REJECTED, day(3))]}, Status.REJECTED),
        ({"payments": [(day(3), RECEIPT, D("40.00"))]}, Status.PARTLY_PAID),
        ({"payments": [(day(3), RECEIPT, D("100.00"))]}, Status.PAID),
        ({"payments": [(day(3), RECEIPT, D("120.00"))]}, Status.PAID),
        (
            {"answers": [(TAKEN, day(2))], "payments": [(day(3), RECEIPT, D("40.00"))]},
            Status.PARTLY_PAID,
        ),
        (
            {"payments": [(day(3), RECEIPT, D("9.00")), (day(4), CANCELLATION, D("9.00"))]},
            Status.ISSUED,
        ),
        (
            {
                "corrections": [(day(2), D("60.00"))],
                "payments": [(day(3), RECEIPT, D("40.00"))],
            },
            Status.PAID,
        ),
        ({"corrections": [(day(2), D("100.00"))]}, Status.CANCELLED),
        (
            {
                "corrections": [(day(2), D("30.00")), (day(3), D("70.00"))],
                "payments": [(day(1), RECEIPT, D("50.00"))],
            },
            Status.CANCELLED,
        ),
    ],
)
def test_a_status_by_example(facts, expected):
    assert status_of(history(**facts)) == expected


def test_each_status_has_its_day():
    lived = history(
        sent_on=day(2),
        answers=[(REJECTED, day(3)), (TAKEN, day(5))],
        payments=[(day(10), RECEIPT, D("40.00")), (day(20), RECEIPT, D("60.00"))],
    )
    assert steps_of(lived) == [
        Step(Status.ISSUED, day(0)),
        Step(Status.SENT, day(2)),
        Step(Status.REJECTED, day(3)),
        Step(Status.TAKEN, day(5)),
        Step(Status.PARTLY_PAID, day(10)),
        Step(Status.PAID, day(20)),
    ]


days = st.integers(0, 40).map(day)
amounts = st.integers(1, 12000).map(lambda cents: D(cents).scaleb(-2))
histories = st.builds(
    history,
    sent_on=st.none() | days,
    answers=st.lists(st.tuples(st.sampled_from([TAKEN, REJECTED]), days), max_size=3),
    corrections=st.lists(st.tuples(days, amounts), max_size=2),
    payments=st.lists(st.tuples(days, st.just(RECEIPT), amounts), max_size=3),
)


@given(histories)
def test_the_last_step_is_where_the_titre_stands_and_days_never_go_back(lived):
    steps = steps_of(lived)
    assert steps[-1].status == status_of(lived)
    assert [step.on for step in steps] == sorted(step.on for step in steps)
    assert all(one.status != other.status for one, other in zip(steps, steps[1:], strict=False))


# --- The same answer from the database --------------------------------------------------------


def live(titre, draw):
    """Give a titre a random life: sent or not, answers, receipts, some of them cancelled."""
    if draw(st.booleans()):
        BordereauEvent.objects.get_or_create(
            bordereau=titre.bordereau, kind="envoye", defaults={"on": day(1), "recorded_by": "essai"}
        )
    for kind in draw(st.lists(st.sampled_from([TAKEN, REJECTED]), max_size=3)):
        TitreEvent.objects.create(titre=titre, kind=kind, on=day(2), comment="x", recorded_by="e")
    share = st.sampled_from([D("10.00"), titre.total, titre.total + 1])
    for rank, amount in enumerate(draw(st.lists(share, max_size=3))):
        facts = {"titre": titre, "received_on": day(3), "amount": amount, "recorded_by": "e"}
        receipt = Payment.objects.create(reference=f"R{rank}", **facts)
        if draw(st.booleans()):
            Payment.objects.create(reference="erreur", kind=CANCELLATION, cancels=receipt, **facts)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_the_database_answers_as_the_rule_does(db, data):
    with transaction.atomic():
        world = a_world(members=2)
        for titre in world.issue().titres:
            live(titre, data.draw)
        for titre in with_status(Titre.objects.prefetch_related(*FOLLOWED).order_by("pk")):
            lived = history_of(titre)
            assert ORDER[titre.status_rank] == status_of(lived)
            assert titre.due == lived.due
            assert titre.received == lived.received
            assert titre.due_left == max(lived.due - lived.received, D(0))
            [standing] = standings(Titre.objects.filter(pk=titre.pk))
            assert standing.status == status_of(lived)
            assert (standing.due, standing.received) == (lived.due, lived.received)
            if titre.kind == Titre.Kind.TITRE:
                assert standing.due_left == titre.due_left
        transaction.set_rollback(True)


def test_a_list_of_titres_asks_the_database_once(world, django_assert_num_queries):
    world.issue()
    with django_assert_num_queries(1):
        assert [ORDER[titre.status_rank] for titre in with_status(Titre.objects.all())] == [
            Status.ISSUED
        ] * 3


# --- What the accountant answers --------------------------------------------------------------


@pytest.fixture
def sent(world):
    bordereau = world.issue().bordereau
    sign(bordereau=bordereau, signatory=world.signatory, on=day(1), actor="fin")
    send(bordereau=bordereau, on=day(2), actor="fin")
    return bordereau


def answer(titre, kind=TAKEN, on=None, **facts):
    return record_event(titre=titre, kind=kind, on=on or day(3), actor="fin", **facts)


def test_an_answer_is_recorded_with_its_author_and_journalled(sent):
    titre = sent.titres.order_by("number").first()
    event = answer(titre)
    assert (event.kind, event.on, event.recorded_by) == (TAKEN, day(3), "fin")
    entry = JournalEntry.objects.filter(action="titre-pris-en-charge").get()
    assert entry.summary == f"{titre.reference} : pris en charge le 06/03/2025"
    assert status_of(history_of(titre)) == Status.TAKEN


def test_a_rejection_says_why(sent):
    titre = sent.titres.order_by("number").first()
    with pytest.raises(AnswerRefused, match="Donnez le motif du rejet"):
        answer(titre, REJECTED, comment="  ")
    assert answer(titre, REJECTED, comment="SIRET inconnu").comment == "SIRET inconnu"
    with pytest.raises(IntegrityError), transaction.atomic():
        TitreEvent.objects.create(titre=titre, kind=REJECTED, on=day(3), recorded_by="x")


@pytest.mark.parametrize(
    ("on", "message"),
    [
        (day(1), "a été envoyé le 05/03/2025"),
        (dt.date(2999, 1, 1), "Cette date est à venir"),
    ],
)
def test_an_answer_is_neither_before_the_sending_nor_to_come(sent, on, message):
    with pytest.raises(AnswerRefused, match=message):
        answer(sent.titres.order_by("number").first(), on=on)
    assert not TitreEvent.objects.exists()


def test_what_is_not_sent_has_no_answer(world):
    titre = world.issue().titres[0]
    with pytest.raises(AnswerRefused, match="n'est pas encore envoyé"):
        answer(titre)


def test_the_same_answer_twice_is_refused_and_another_follows_it(sent):
    titre = sent.titres.order_by("number").first()
    answer(titre, on=day(5))
    with pytest.raises(AnswerRefused, match="est déjà pris en charge, le 08/03/2025"):
        answer(titre, on=day(6))
    with pytest.raises(AnswerRefused, match="La dernière réponse .* est du 08/03/2025"):
        answer(titre, REJECTED, on=day(4), comment="x")
    answer(titre, REJECTED, on=day(5), comment="pris en charge par erreur")
    assert status_of(history_of(titre)) == Status.REJECTED


def test_an_answer_to_several_is_for_all_or_none(sent):
    first, *others = sent.titres.order_by("number")
    answer(first)
    with pytest.raises(AnswerRefused, match="déjà pris en charge"):
        record_events(titres=[*others, first], kind=TAKEN, on=day(4), actor="fin")
    assert TitreEvent.objects.count() == 1
    assert len(record_events(titres=others, kind=TAKEN, on=day(4), actor="fin")) == 2
