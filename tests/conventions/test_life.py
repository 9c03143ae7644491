"""The life of an agreement: no undeclared step, and each asks for its papers."""

import datetime as dt
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from conventions import life, requirements, states
from conventions.life import Refused, move, move_amendment
from conventions.models import Amendment, Convention, Paper, PaperKind, Transition
from conventions.policies import CHARTER, FRAMEWORK, PARTNERSHIP_2020, PARTNERSHIP_2024, TRANSFER
from entsvc.scans import CheckedPdf
from tests.factories import (
    ActFactory,
    AmendmentFactory,
    ConditionsFactory,
    ConventionFactory,
    EnrolmentFactory,
    PaperFactory,
    TerminationFactory,
)

ACTOR = "camille"
TODAY = dt.date(2024, 10, 1)
MACHINES = [
    (states.AGREEMENT_ACTIONS, states.AGREEMENT_STATES),
    (states.AMENDMENT_ACTIONS, states.AMENDMENT_STATES),
]


@pytest.fixture(autouse=True)
def today(monkeypatch):
    monkeypatch.setattr("django.utils.timezone.localdate", lambda *_: TODAY)


@pytest.fixture
def papers(monkeypatch):
    """Papers kept without drawing them: (kind, convention) of each."""
    kept = []

    def freeze_to_sign(convention, *, actor):
        kept.append(PaperKind.AGREEMENT)
        return [PaperFactory(convention=convention, actor=actor)]

    def receive(content, name, convention, amendment=None, *, kind, actor, role):
        kept.append((kind, name))
        return PaperFactory(convention=convention, kind=kind, role=role, name=name, actor=actor)

    fake = SimpleNamespace(freeze_to_sign=freeze_to_sign, receive=receive)
    monkeypatch.setattr(life, "freezing", fake)
    return kept


def agreement(status=states.DRAFT, policy=PARTNERSHIP_2024, **facts):
    return ConventionFactory(status=status, policy=policy.code, **facts)


def refusal(convention, code, **asked):
    with pytest.raises(Refused) as error:
        move(convention, code, actor=ACTOR, **asked)
    return str(error.value).replace("\u00a0", " ")


# --- Which steps exist ------------------------------------------------------------------------


def test_every_pair_of_a_state_and_an_action_is_declared_or_refused():
    for actions, labels in MACHINES:
        for state in labels:
            for code, action in actions.items():
                if state in action.before:
                    assert states.after(actions, code, state, labels) == action.after
                else:
                    with pytest.raises(states.IllegalTransition, match="n'est possible que depuis"):
                        states.after(actions, code, state, labels)
            assert [a.code for a in states.possible(actions, state)] == [
                code for code, action in actions.items() if state in action.before
            ]


def test_every_action_leads_from_a_state_to_another_one_that_exists():
    for actions, labels in MACHINES:
        for action in actions.values():
            assert set(action.before) <= set(labels)
            assert action.after in labels
            assert action.after not in action.before


def test_every_action_of_an_agreement_says_what_it_asks_for():
    assert set(requirements.REQUIREMENTS) == set(states.AGREEMENT_ACTIONS)
    assert set(life.CHANGES) | set(life.PAPERS) <= set(states.AGREEMENT_ACTIONS)


@given(st.lists(st.sampled_from(sorted(states.AGREEMENT_ACTIONS)), max_size=12))
def test_whatever_is_clicked_an_agreement_that_ended_never_comes_back(clicks):
    state = states.DRAFT
    for code in clicks:
        before = state
        try:
            state = states.after(states.AGREEMENT_ACTIONS, code, state, states.AGREEMENT_STATES)
        except states.IllegalTransition:
            assert state == before
        assert before not in (states.TERMINATED, states.EXPIRED) or state == before


def test_no_illegal_step_of_an_agreement_changes_anything(db):
    convention = agreement()
    for state in states.AGREEMENT_STATES:
        Convention.objects.update(status=state)
        for code, action in states.AGREEMENT_ACTIONS.items():
            if state not in action.before:
                with pytest.raises(states.IllegalTransition):
                    move(convention, code, actor=ACTOR, comment="essai", on=TODAY)
        assert Convention.objects.get().status == state
    assert not Transition.objects.exists()


def test_no_illegal_step_of_an_amendment_changes_anything(db):
    amendment = AmendmentFactory(received_on=TODAY, dated=TODAY, ruling="essai")
    for state in states.AMENDMENT_STATES:
        Amendment.objects.update(status=state)
        for code, action in states.AMENDMENT_ACTIONS.items():
            if state not in action.before:
                with pytest.raises(states.IllegalTransition):
                    move_amendment(amendment, code, actor=ACTOR)
        assert Amendment.objects.get().status == state
    assert not Transition.objects.exists()


# --- A whole life -----------------------------------------------------------------------------


def test_it_works(db, papers):
    convention = agreement(signed_on=None)
    EnrolmentFactory(convention=convention)
    move(convention, "envoyer", actor=ACTOR)
    assert convention.status == states.SENT
    assert papers == [PaperKind.AGREEMENT]
    move(
        convention,
        "signer",
        actor=ACTOR,
        on=dt.date(2024, 9, 2),
        scan=CheckedPdf(b"%PDF-", "signee.pdf"),
        comment="reçue par courrier",
    )
    assert papers[1:] == [(PaperKind.AGREEMENT, "signee.pdf")]
    assert (convention.status, convention.signed_on) == (states.SIGNED, dt.date(2024, 9, 2))
    move(convention, "mettre_en_vigueur", actor=ACTOR)
    stored = Convention.objects.get()
    assert (stored.status, stored.signed_on) == (states.IN_FORCE, dt.date(2024, 9, 2))
    rows = list(Transition.objects.all())
    assert [(r.action, r.before, r.after, r.actor, r.comment) for r in rows] == [
        ("envoyer", states.DRAFT, states.SENT, ACTOR, ""),
        ("signer", states.SENT, states.SIGNED, ACTOR, "reçue par courrier"),
        ("mettre_en_vigueur", states.SIGNED, states.IN_FORCE, ACTOR, ""),
    ]
    assert [life.label_of(row) for row in rows] == [
        "Envoyer pour signature",
        "Enregistrer la convention signée",
        "Mettre en vigueur",
    ]
    assert life.state_names(rows[0]) == ("Projet", "À signer")
    reasons = list(convention.history.values_list("history_change_reason", flat=True))
    assert reasons[:3] == ["Mettre en vigueur", "Enregistrer la convention signée", reasons[2]]


def test_a_framework_is_sent_without_a_list_of_schools(db, papers):
    move(agreement(policy=FRAMEWORK), "envoyer", actor=ACTOR)
    assert papers == [PaperKind.AGREEMENT]


def test_sending_asks_for_the_text_and_the_schools(db, papers):
    assert "Choisissez d'abord le texte" in refusal(
        ConventionFactory(status=states.DRAFT, policy=""), "envoyer"
    )
    assert "au moins une école" in refusal(agreement(policy=PARTNERSHIP_2020), "envoyer")
    assert papers == []


def test_a_paper_that_can_not_be_drawn_leaves_the_draft_as_it_was(db, papers, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("panne")

    fake = SimpleNamespace(freeze_to_sign=broken)
    monkeypatch.setattr(life, "freezing", fake)
    convention = agreement(policy=FRAMEWORK)
    with pytest.raises(RuntimeError):
        move(convention, "envoyer", actor=ACTOR)
    assert convention.status == Convention.objects.get().status == states.DRAFT
    assert not Transition.objects.exists()


def test_signing_asks_for_a_date_and_for_the_paper_or_where_it_is(db, papers):
    convention = agreement(states.SENT, signed_on=None)
    message = refusal(convention, "signer")
    assert "date de la dernière signature" in message
    assert "Joignez le document signé" in message
    assert "à venir" in refusal(convention, "signer", on=dt.date(2024, 10, 2), comment="au coffre")
    move(convention, "signer", actor=ACTOR, on=TODAY, comment="conservée au service des assemblées")
    assert papers == []
    assert Convention.objects.get().signed_on == TODAY


def test_a_signed_paper_already_received_is_enough(db):
    convention = agreement(states.SENT)
    PaperFactory(convention=convention, role=Paper.Role.SIGNED)
    move(convention, "signer", actor=ACTOR)
    assert convention.status == states.SIGNED


def test_a_paper_signed_before_it_was_sent_again_is_not_enough(db):
    convention = agreement(states.SENT)
    PaperFactory(convention=convention)
    PaperFactory(convention=convention, role=Paper.Role.SIGNED)
    PaperFactory(convention=convention, kind=PaperKind.ANNEX)
    again = PaperFactory(convention=convention)
    assert "Joignez le document signé" in refusal(convention, "signer")
    PaperFactory(convention=convention, role=Paper.Role.SIGNED, document=again.document)
    move(convention, "signer", actor=ACTOR)
    assert convention.status == states.SIGNED


def test_a_signature_after_the_end_is_refused(db):
    convention = agreement(states.SENT, signed_on=None, ends_on=dt.date(2024, 9, 1))
    assert "prend fin avant d'être signée" in refusal(
        convention, "signer", on=dt.date(2024, 9, 2), comment="au coffre"
    )


def test_nothing_is_in_force_before_its_start_is_known(db):
    convention = agreement(states.SIGNED, CHARTER, act=ActFactory(transmitted_on=None))
    assert "n'est pas datée" in refusal(convention, "mettre_en_vigueur")


def test_a_start_to_come_is_waited_for_or_stated(db):
    start = dt.date(2024, 12, 1)
    convention = agreement(
        states.SIGNED, CHARTER, act=ActFactory(transmitted_on=TODAY), transmitted_on=start
    )
    assert requirements.start_to_state(convention) == start
    assert "est à venir" in refusal(convention, "mettre_en_vigueur")
    assert "pas le 1er novembre" in refusal(convention, "mettre_en_vigueur", on=dt.date(2024, 11, 1))
    move(convention, "mettre_en_vigueur", actor=ACTOR, on=start)
    assert convention.status == states.IN_FORCE


def test_a_transfer_asks_for_both_votes_two_thirds_and_the_conditions(db):
    convention = agreement(states.SIGNED, TRANSFER, fixed_start=dt.date(2024, 7, 1))
    assert "deux votes concordants" in refusal(convention, "mettre_en_vigueur")
    convention.act = ActFactory(date=dt.date(2024, 6, 1))
    convention.committee_act = ActFactory(date=dt.date(2024, 6, 2))
    convention.save()
    assert "voix pour et contre" in refusal(convention, "mettre_en_vigueur")
    committee = convention.committee_act
    committee.votes_for, committee.votes_against, committee.abstentions = 19, 10, 30
    committee.save()
    assert "Il faut les deux tiers" in refusal(convention, "mettre_en_vigueur")
    committee.votes_for = 20
    committee.save()
    assert refusal(convention, "mettre_en_vigueur") == (
        "Choisissez la version des conditions que la délibération du membre accepte."
    )
    convention.conditions = ConditionsFactory()
    convention.save()
    move(convention, "mettre_en_vigueur", actor=ACTOR)
    assert convention.status == states.IN_FORCE


def test_taking_over_asks_for_the_paper_or_its_history_and_no_more(db, papers):
    convention = ConventionFactory(status=states.DRAFT, signed_on=None)
    assert "Joignez le document signé" in refusal(convention, "reprise")
    move(convention, "reprise", actor=ACTOR, comment="au coffre", scan=CheckedPdf(b"%PDF-", "scan.pdf"))
    assert convention.status == states.IN_FORCE
    assert papers == [(PaperKind.AGREEMENT, "scan.pdf")]


def test_the_end_is_noted_once_it_has_passed_and_its_last_year_is_told(db):
    convention = agreement(states.IN_FORCE, PARTNERSHIP_2024)
    assert "Le terme, le 5 septembre 2025, n'est pas passé" in refusal(convention, "echoir")
    past = agreement(states.IN_FORCE, PARTNERSHIP_2020, last_year=None, first_year=2020, signed_on=None)
    assert "dernière année scolaire" in refusal(past, "echoir")
    Convention.objects.filter(pk=past.pk).update(last_year=2020)
    TerminationFactory(convention=past)
    assert "Une résiliation est en cours" in refusal(past, "echoir")
    past.terminations.update(status="abandonnee")
    move(past, "echoir", actor=ACTOR)
    assert (past.status, past.ends_on) == (states.EXPIRED, dt.date(2021, 10, 31))
    endless = agreement(states.IN_FORCE, CHARTER)
    assert "pas de terme connu" in refusal(endless, "echoir")


def test_an_agreement_does_not_end_while_an_amendment_is_open(db):
    facts = {"last_year": 2020, "first_year": 2020, "signed_on": None}
    past = agreement(states.IN_FORCE, PARTNERSHIP_2020, **facts)
    amendment = AmendmentFactory(convention=past, status=states.FILED, received_on=dt.date(2020, 9, 2))
    message = refusal(past, "echoir")
    assert "est « Déposé » : décidez-le" in message
    Amendment.objects.filter(pk=amendment.pk).update(status=states.TO_SIGN)
    assert "abandonnez-le" in refusal(past, "echoir")
    for code in ("resilier", "resilier_avant"):
        assert "avant que la convention prenne fin" in refusal(past, code, on=TODAY)
    Amendment.objects.filter(pk=amendment.pk).update(status=states.DROPPED)
    move(past, "echoir", actor=ACTOR)


def test_nothing_ends_without_a_way_that_was_followed(db):
    convention = agreement(states.IN_FORCE)
    for code in ("resilier", "resilier_avant"):
        assert "Engagez une résiliation" in refusal(convention, code, on=TODAY)
    assert convention.status == states.IN_FORCE


def test_a_draft_taken_up_again_keeps_the_papers_that_were_sent(db):
    convention = agreement(states.SENT)
    paper = PaperFactory(convention=convention)
    assert "Dites pourquoi" in refusal(convention, "reprendre", comment="  ")
    move(convention, "reprendre", actor=ACTOR, comment="erreur de payeur")
    assert convention.status == states.DRAFT
    assert list(convention.papers.all()) == [paper]


def test_an_agreement_seen_in_another_state_is_not_moved(db):
    convention = agreement(states.SIGNED)
    message = refusal(convention, "abandonner", comment="doublon", seen=states.DRAFT)
    assert "L'état a changé depuis l'affichage" in message


def test_an_amendment_moves_with_what_is_written(db):
    amendment = AmendmentFactory(status=states.TO_SIGN)
    with pytest.raises(Refused, match="porte la date de sa réception"):
        move_amendment(amendment, "deposer", actor=ACTOR)
    row = move_amendment(
        amendment, "deposer", actor=ACTOR, comment="par la mairie", changes={"received_on": TODAY}
    )
    stored = Amendment.objects.get()
    assert (stored.status, stored.received_on) == (states.FILED, TODAY)
    assert amendment.status == states.FILED
    assert (row.amendment, row.before, row.after) == (stored, states.TO_SIGN, states.FILED)
    assert life.label_of(row) == "Déposer l'avenant signé"


def test_no_row_of_the_log_can_be_changed(db):
    row = move(agreement(), "abandonner", actor=ACTOR, comment="doublon")
    for write in (
        lambda: Transition.objects.update(actor="autre"),
        lambda: Transition.objects.filter(pk=row.pk)._raw_delete("default"),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            write()
    assert Transition.objects.get().actor == ACTOR


def test_nothing_else_writes_the_state_of_an_agreement():
    """Its writers are `life`, and the take-over of files, which logs in bulk."""
    root = Path(life.__file__).parent
    writers = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if "migrations" not in path.parts and "convention.status = " in path.read_text("utf-8")
    }
    assert writers <= {"importing.py"}


def test_a_second_click_gets_a_clear_refusal(db):
    convention = agreement()
    stale = Convention.objects.get()
    move(convention, "abandonner", actor=ACTOR, comment="doublon")
    with pytest.raises(states.IllegalTransition, match="l'état est « Abandonnée »"):
        move(stale, "abandonner", actor=ACTOR, comment="doublon")
    assert Transition.objects.count() == 1


@pytest.mark.parametrize("step", ["mettre_en_vigueur", "reprise"])
def test_an_agreement_rests_on_no_vote_that_was_lost(db, step):
    """What a paper taken over doesn't say of its votes is trusted; what it says must carry."""
    state = states.SIGNED if step == "mettre_en_vigueur" else states.DRAFT
    convention = agreement(state, TRANSFER, fixed_start=dt.date(2024, 7, 1), last_year=None)
    party = convention.party
    voted = {"date": dt.date(2024, 6, 1)}
    convention.act = ActFactory(issuer=None, member=party, votes_for=5, votes_against=30, **voted)
    convention.committee_act = ActFactory(votes_for=11, votes_against=6, **voted)
    convention.conditions = ConditionsFactory()
    convention.save()
    said = refusal(convention, step, comment="au coffre")
    assert "5 voix pour, 30 contre" in said
    assert "Il faut les deux tiers" in said
    for act, voices in ((convention.act, 30), (convention.committee_act, 12)):
        act.votes_for = voices + 1
        act.save()
    move(convention, step, actor=ACTOR, comment="au coffre")
    assert convention.status == states.IN_FORCE
