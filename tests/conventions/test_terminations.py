"""How an agreement is ended: the ways of its text only, each date in its turn, and what stays due."""

import datetime as dt

import pytest

from conventions import states, terminations
from conventions.life import Refused
from conventions.models import Convention, Termination, Transition
from conventions.policies import (
    CHARTER,
    FRAMEWORK,
    PARTNERSHIP_2020,
    PARTNERSHIP_2024,
    TRANSFER,
    Ending,
)
from conventions.terminations import drop, open_termination, pronounce, record_step
from members.models import Act
from tests.factories import ActFactory, ConventionFactory

pytestmark = pytest.mark.django_db
ACTOR = "camille"
TODAY = dt.date(2025, 3, 1)
MEMBER, ISSUER = Termination.Author.MEMBER, Termination.Author.ISSUER


@pytest.fixture(autouse=True)
def today(monkeypatch):
    monkeypatch.setattr("django.utils.timezone.localdate", lambda *_: TODAY)


def of_montpellier(**facts):
    """Return an agreement of 2020-2021, in force until the end of October 2021."""
    known = {"signed_on": dt.date(2020, 9, 10), "first_year": 2020}
    return agreement(PARTNERSHIP_2020, **{**known, **facts})


def agreement(policy, **facts):
    return ConventionFactory(policy=policy.code, **{"last_year": None, **facts})


def begin(convention, ending, author=MEMBER, grounds="Le service n'est pas rendu."):
    return open_termination(
        convention=convention, ending=ending, author=author, grounds=grounds, actor=ACTOR
    )


def dated(termination, record, on, **more):
    return record_step(termination=termination, record=record, on=on, actor=ACTOR, **more)


def refusal(function, **asked):
    with pytest.raises(Refused) as error:
        function(actor=ACTOR, **asked)
    return str(error.value).replace("\u00a0", " ")


def deliberation(convention, **facts):
    return ActFactory(issuer=None, member=convention.party, **facts)


def test_it_works():
    """Occitanie: formal notice, failed conciliation, second letter, then the end fifteen days later."""
    convention = agreement(PARTNERSHIP_2024, ends_on=dt.date(2025, 9, 5))
    termination = begin(convention, Ending.BREACH)
    dated(termination, "formal_notice", dt.date(2025, 1, 10))
    dated(termination, "conciliation_failed", dt.date(2025, 2, 10))
    termination = dated(termination, "second_letter", dt.date(2025, 2, 12))
    shown = terminations.progress(termination)
    assert (shown.following, shown.earliest, shown.ready) == ("", dt.date(2025, 2, 27), True)
    assert shown.consequences == [
        "Une année commencée est due en entier : la dernière due est 2024-2025.",
        "Les sommes perçues ne sont pas remboursées.",
    ]
    early = refusal(pronounce, termination=termination, on=dt.date(2025, 2, 26))
    assert early == "La fin est possible à partir du 27 février 2025."
    late = refusal(pronounce, termination=termination, on=dt.date(2025, 3, 2))
    assert "à venir" in late
    pronounce(termination=termination, on=dt.date(2025, 2, 28), actor=ACTOR)
    stored = Convention.objects.get()
    assert (stored.status, stored.ends_on) == (states.TERMINATED, dt.date(2025, 2, 28))
    assert (stored.first_year, stored.last_year) == (2024, 2024)
    done = stored.terminations.get()
    assert (done.status, done.ended_on) == (Termination.Status.DONE, dt.date(2025, 2, 28))
    assert [row.action for row in stored.transitions.all()] == [
        "resiliation_ouverte",
        *["resiliation_etape"] * 3,
        "resilier",
    ]
    assert "déjà « Aboutie »" in refusal(pronounce, termination=termination, on=TODAY)


def test_only_the_ways_of_its_text_are_open():
    for policy in (CHARTER, FRAMEWORK, TRANSFER, PARTNERSHIP_2020, PARTNERSHIP_2024):
        convention = agreement(policy)
        assert terminations.open_ways(convention) == policy.endings
        for ending in Ending:
            if ending not in policy.endings:
                message = refusal(
                    open_termination,
                    convention=convention,
                    ending=ending,
                    author=MEMBER,
                    grounds="motif",
                )
                assert "n'ouvre pas la voie" in message
    assert not Termination.objects.exists()
    assert terminations.open_ways(ConventionFactory(policy="")) == ()


def test_only_an_agreement_in_force_is_ended_and_by_one_way_at_a_time():
    convention = agreement(PARTNERSHIP_2020)
    begin(convention, Ending.NOTICE)
    with pytest.raises(Refused, match="déjà en cours"):
        begin(convention, Ending.BREACH)
    for state in states.AGREEMENT_STATES:
        if state != states.IN_FORCE:
            Convention.objects.update(status=state)
            with pytest.raises(Refused, match="Seule une convention en vigueur"):
                begin(convention, Ending.NOTICE)


def test_what_only_a_member_may_do_is_not_done_by_the_issuer():
    for policy, ending in (
        (CHARTER, Ending.BREACH_BY_MEMBER),
        (CHARTER, Ending.GENERAL_INTEREST_BY_MEMBER),
        (TRANSFER, Ending.STATUTES),
    ):
        with pytest.raises(Refused, match="seul le membre"):
            begin(agreement(policy), ending, author=ISSUER)
    begin(agreement(PARTNERSHIP_2024), Ending.BREACH, author=ISSUER)


def test_motives_are_written_where_they_are_asked_for():
    with pytest.raises(Refused, match="Écrivez les motifs"):
        begin(agreement(CHARTER), Ending.BREACH_BY_MEMBER, grounds="  ")
    begin(agreement(PARTNERSHIP_2020), Ending.NOTICE, grounds="")


def test_a_step_waits_for_the_one_before():
    termination = begin(agreement(PARTNERSHIP_2024), Ending.BREACH)
    day = dt.date(2025, 2, 1)
    late = {"termination": termination, "on": day}
    assert "datez d'abord" in refusal(record_step, record="conciliation_failed", **late)
    dated(termination, "formal_notice", day)
    assert "datez d'abord" in refusal(record_step, record="second_letter", **late)
    assert "n'existe pas" in refusal(record_step, record="notified", **late)
    before = {"termination": termination, "on": dt.date(2025, 1, 31)}
    assert "ne peut pas précéder" in refusal(record_step, record="conciliation_failed", **before)
    ahead = {"termination": termination, "on": dt.date(2025, 3, 2)}
    assert "à venir" in refusal(record_step, record="conciliation_failed", **ahead)
    undated = {"termination": termination, "on": None}
    assert "Donnez la date" in refusal(record_step, record="conciliation_failed", **undated)
    assert "Enregistrez d'abord" in refusal(pronounce, termination=termination, on=day)
    assert Termination.objects.get().conciliation_failed_on is None


def test_a_date_is_corrected_within_its_order_and_both_are_kept():
    termination = begin(of_montpellier(), Ending.NOTICE)
    dated(termination, "notified", dt.date(2021, 2, 3))
    dated(termination, "notified", dt.date(2021, 2, 1))
    assert Termination.objects.get().notified_on == dt.date(2021, 2, 1)
    kept = termination.history.values_list("notified_on", flat=True)
    assert dt.date(2021, 2, 3) in kept


def test_a_notice_of_one_month_ends_the_agreement_of_montpellier():
    termination = dated(begin(of_montpellier(), Ending.NOTICE), "notified", dt.date(2021, 1, 31))
    assert terminations.progress(termination).earliest == dt.date(2021, 2, 28)
    pronounce(termination=termination, on=dt.date(2021, 2, 28), actor=ACTOR)
    stored = Convention.objects.get()
    assert (stored.last_year, stored.ends_on) == (2020, dt.date(2021, 2, 28))


def test_a_member_of_the_somme_leaves_by_its_deliberation():
    convention = agreement(CHARTER)
    termination = begin(convention, Ending.GENERAL_INTEREST_BY_MEMBER)
    assert "Choisissez la délibération" in refusal(
        record_step, termination=termination, record="voted", on=None
    )
    assert "n'est pas une délibération de" in refusal(
        record_step, termination=termination, record="voted", on=None, act=ActFactory()
    )
    act = deliberation(convention, date=dt.date(2025, 2, 20))
    termination = dated(termination, "voted", None, act=act)
    pronounce(termination=termination, on=dt.date(2025, 2, 20), actor=ACTOR)
    assert Convention.objects.get().status == states.TERMINATED


def test_a_withdrawal_reminds_that_the_statutes_are_not_held():
    convention = agreement(TRANSFER)
    termination = begin(convention, Ending.STATUTES, grounds="")
    act = deliberation(convention, date=dt.date(2025, 2, 20))
    shown = terminations.progress(dated(termination, "voted", None, act=act))
    assert "article 16 des statuts" in shown.steps[-1].reason
    assert shown.consequences == [
        "Une année commencée est due en entier : la dernière due est 2024-2025."
    ]


def test_an_end_never_makes_an_agreement_longer():
    """Its years stop before the day of the end: that day adds none."""
    convention = agreement(CHARTER, first_year=2022, last_year=2023)
    act = deliberation(convention, date=dt.date(2025, 2, 20))
    termination = begin(convention, Ending.GENERAL_INTEREST_BY_MEMBER)
    pronounce(termination=dated(termination, "voted", None, act=act), on=TODAY, actor=ACTOR)
    stored = Convention.objects.get()
    assert (stored.last_year, stored.ends_on) == (2023, TODAY)


def test_an_agreement_ended_before_its_first_year_owes_nothing():
    convention = agreement(CHARTER, first_year=2025)
    termination = begin(convention, Ending.GENERAL_INTEREST_BY_MEMBER)
    act = deliberation(convention, date=dt.date(2025, 2, 20))
    termination = dated(termination, "voted", None, act=act)
    assert "rien n'est dû" in terminations.progress(termination).consequences[0]
    pronounce(termination=termination, on=TODAY, actor=ACTOR)
    stored = Convention.objects.get()
    assert stored.status == states.ABANDONED
    assert stored.status not in states.OWING


def test_a_way_left_without_effect_leaves_the_agreement_in_force():
    convention = agreement(PARTNERSHIP_2020)
    termination = begin(convention, Ending.NOTICE)
    assert "Dites pourquoi" in refusal(drop, termination=termination, comment=" ")
    drop(termination=termination, actor=ACTOR, comment="retirée par la mairie")
    assert Convention.objects.get().status == states.IN_FORCE
    assert Transition.objects.filter(action="resiliation_laissee").get().comment == (
        "retirée par la mairie"
    )
    assert "déjà « Abandonnée »" in refusal(drop, termination=termination, comment="encore")
    begin(convention, Ending.BREACH)


def test_an_end_refused_by_the_agreement_is_not_half_written():
    termination = dated(begin(of_montpellier(), Ending.NOTICE), "notified", dt.date(2021, 1, 15))
    Convention.objects.update(status=states.EXPIRED)
    with pytest.raises(states.IllegalTransition):
        pronounce(termination=termination, on=dt.date(2021, 3, 1), actor=ACTOR)
    assert Termination.objects.get().status == Termination.Status.OPEN


def test_a_step_is_dated_while_the_agreement_holds():
    termination = begin(of_montpellier(), Ending.NOTICE)
    early = refusal(record_step, termination=termination, record="notified", on=dt.date(2020, 9, 9))
    assert "ne commence que le 10 septembre 2020" in early
    late = refusal(record_step, termination=termination, record="notified", on=dt.date(2021, 11, 1))
    assert "a pris fin le 31 octobre 2021" in late
    assert "constatez son terme" in late
    dated(termination, "notified", dt.date(2020, 9, 10))
    dated(termination, "notified", dt.date(2021, 10, 31))


def test_nothing_is_ended_once_its_term_has_passed():
    termination = dated(begin(of_montpellier(), Ending.NOTICE), "notified", dt.date(2021, 9, 15))
    said = refusal(pronounce, termination=termination, on=dt.date(2021, 11, 1))
    assert "a pris fin le 31 octobre 2021" in said
    pronounce(termination=termination, on=dt.date(2021, 10, 31), actor=ACTOR)
    assert Convention.objects.get().ends_on == dt.date(2021, 10, 31)


def test_only_an_act_that_its_assembly_adopted_ends_an_agreement():
    convention = agreement(CHARTER)
    termination = begin(convention, Ending.GENERAL_INTEREST_BY_MEMBER)

    def said(**facts):
        act = deliberation(convention, date=dt.date(2025, 2, 20), **facts)
        return refusal(record_step, termination=termination, record="voted", on=None, act=act)

    rejected = said(votes_for=5, votes_against=20)
    assert "5 voix pour, 20 contre" in rejected
    assert "non adopté" in rejected
    assert "non adopté" in said(votes_for=6, votes_against=6)
    assert "n'est pas une délibération" in said(kind=Act.Kind.ARRETE)
    assert "approuve « L'adhésion à la charte », pas la fin" in said(approves=Act.Approval.CHARTER)
    for facts in ({}, {"approves": Act.Approval.ENDING, "votes_for": 13, "votes_against": 12}):
        act = deliberation(convention, date=dt.date(2025, 2, 20), **facts)
        dated(termination, "voted", None, act=act)


def test_the_last_year_due_is_said_for_the_day_that_is_chosen():
    """A member that voted in June 2024 owes 2023-2024; pronounced in March 2025, 2024-2025 as well."""
    convention = agreement(CHARTER, first_year=2020)
    assert terminations.last_due(convention, dt.date(2024, 6, 20)) == "2023-2024"
    assert terminations.last_due(convention, TODAY) == "2024-2025"
    assert terminations.last_due(convention, dt.date(2020, 8, 31)) == "aucune"
