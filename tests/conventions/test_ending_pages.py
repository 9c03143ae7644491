"""The pages that end an agreement, as someone walks through them: keys, dates, what is said before."""

import datetime as dt
import re

import pytest

from conventions import states, terminations
from conventions.models import Convention, Termination
from conventions.policies import CHARTER, PARTNERSHIP_2024, TRANSFER, Ending
from members.models import Act
from tests.conventions.test_life_pages import followed, text, url
from tests.conventions.world import account
from tests.factories import ActFactory, ConventionFactory, IssuerFactory

pytestmark = pytest.mark.django_db
TODAY = dt.date(2026, 11, 22)
STEPS = ("resiliation-etape", "resiliation-fin", "resiliation-sans-suite")


@pytest.fixture(autouse=True)
def today(monkeypatch):
    monkeypatch.setattr("django.utils.timezone.localdate", lambda *_: TODAY)


@pytest.fixture
def manager(client):
    """A « gestionnaire » of the issuer of these agreements."""
    account(client, "gestionnaire", IssuerFactory())
    return client


def begun(policy=PARTNERSHIP_2024, ending=Ending.BREACH, **facts):
    convention = ConventionFactory(policy=policy.code, **facts)
    terminations.open_termination(
        convention=convention, ending=ending, author="membre", grounds="Panne durable.", actor="x"
    )
    return convention


def dated(convention, **days):
    for record, day in days.items():
        given = {"act": day} if record == "voted" else {"act": None}
        terminations.record_step(
            termination=Termination.objects.get(convention=convention),
            record=record,
            on=None if record == "voted" else day,
            actor="x",
            **given,
        )
    return convention


def leaving(**facts):
    """A member of the Somme that voted its end in June 2025."""
    convention = begun(CHARTER, Ending.GENERAL_INTEREST_BY_MEMBER, last_year=None)
    act = ActFactory(issuer=None, member=convention.party, date=dt.date(2025, 6, 20), **facts)
    return dated(convention, voted=act)


def test_each_step_is_a_link_that_a_keyboard_reaches(manager):
    convention = begun()
    shown = text(manager.get(url(convention)))
    for page in STEPS:
        assert f'href="{url(convention, page)}"' in shown
    assert "Résiliation en cours</a>" not in shown
    assert "actionDropdownOpen" not in shown


def test_who_only_reads_has_no_link_to_them(client):
    convention = begun()
    account(client, "lecture", convention.schedule.issuer)
    shown = text(client.get(url(convention)))
    assert "Résiliation en cours" in shown
    assert "resiliation-" not in shown


def test_the_first_of_a_month_is_written_in_french(manager):
    convention = dated(
        begun(),
        formal_notice=dt.date(2025, 1, 1),
        conciliation_failed=dt.date(2025, 2, 1),
        second_letter=dt.date(2025, 2, 14),
    )
    shown = text(manager.get(url(convention)))
    for day in ("1er janvier 2025", "1er février 2025", "1er mars 2025"):
        assert f"– {day}" in shown
    assert not re.search(r"\D1 (janvier|février|mars) 2025", shown)


def test_a_date_recorded_is_offered_to_be_corrected_with_its_day(manager):
    convention = dated(begun(), formal_notice=dt.date(2025, 1, 10))
    shown = text(manager.get(url(convention, "resiliation-etape")))
    assert "Mise en demeure (corriger le 10 janvier 2025)" in shown
    assert ">Échec de la conciliation<" in shown


def test_a_wrong_date_is_answered_by_how_to_write_it(manager):
    convention = begun()
    for page, given in (
        ("resiliation-etape", {"record": "formal_notice", "on": "2025-13-45"}),
        ("resiliation-fin", {"on": "hier"}),
    ):
        shown = text(manager.post(url(convention, page), given))
        assert "Écrivez la date comme 03/03/2025." in shown
    assert "Donnez la date de la fin" in text(manager.post(url(convention, "resiliation-fin"), {}))


def test_the_days_between_which_the_end_may_be_pronounced_are_said(manager):
    convention = leaving()
    shown = text(manager.get(url(convention, "resiliation-fin")))
    assert "Du 20 juin 2025 au 22 novembre 2026." in shown


def test_an_end_that_makes_another_year_due_than_the_one_shown_is_read_again(manager):
    """Voted in June 2025, 2024-2025 is the last year due; pronounced in November 2026, 2026-2027 is."""
    convention = leaving()
    page = manager.get(url(convention, "resiliation-fin"))
    form = page.context["form"]
    assert form["on"].value() == TODAY
    assert "la dernière due est 2026-2027" in text(page)
    given = {"on": "20/06/2025", "due": form["due"].value()}
    again = manager.post(url(convention, "resiliation-fin"), given)
    shown = text(again)
    assert "la dernière année due est 2024-2025, et non 2026-2027" in shown
    assert "la dernière due est 2024-2025" in shown
    assert Termination.objects.get().status == Termination.Status.OPEN
    given["due"] = again.context["form"]["due"].value()
    assert "La fin de la convention est prononcée" in followed(
        manager, convention, "resiliation-fin", given
    )
    stored = Convention.objects.get()
    assert (stored.last_year, stored.ends_on) == (2024, dt.date(2025, 6, 20))


def test_an_end_past_keeps_its_steps_on_the_page(manager):
    convention = leaving()
    terminations.pronounce(termination=Termination.objects.get(), on=dt.date(2025, 7, 1), actor="x")
    shown = text(manager.get(url(convention)))
    assert "Résiliation aboutie" in shown
    assert "fin au 1er juillet 2025" in shown
    assert "Motifs : Panne durable." in shown
    assert "Délibération du membre : 20 juin 2025" in shown


def test_nothing_is_begun_on_what_is_not_in_force(manager):
    convention = ConventionFactory(policy=CHARTER.code, status=states.DRAFT)
    response = manager.get(url(convention, "resiliation"), follow=True)
    assert response.redirect_chain
    assert "Seule une convention en vigueur se résilie" in text(response)


def test_missing_grounds_are_said_beside_them_and_nothing_is_lost(manager):
    convention = ConventionFactory(policy=PARTNERSHIP_2024.code)
    page = manager.post(url(convention, "resiliation"), {"ending": "BREACH", "author": "emetteur"})
    assert "Écrivez les motifs" in page.context["form"].errors["grounds"][0]
    assert page.context["form"]["author"].value() == "emetteur"
    assert "choix par défaut" not in text(page)


def test_who_takes_the_initiative_is_chosen_and_never_presumed(manager):
    convention = ConventionFactory(policy=PARTNERSHIP_2024.code)
    page = manager.post(url(convention, "resiliation"), {"ending": "BREACH", "grounds": "Panne."})
    assert "Dites qui engage la résiliation" in text(page)
    alone = ConventionFactory(policy=TRANSFER.code, last_year=None)
    page = manager.get(url(alone, "resiliation"))
    assert page.context["form"]["author"].value() == Termination.Author.MEMBER


def test_the_act_to_choose_may_be_entered_from_there(manager):
    convention = begun(CHARTER, Ending.GENERAL_INTEREST_BY_MEMBER, last_year=None)
    shown = text(manager.get(url(convention, "resiliation-etape"))).replace("&amp;", "&")
    address = f"/admin/members/act/add/?member={convention.party_id}&kind=deliberation&approves=fin"
    assert address in shown
    page = manager.get(address)
    assert page.context["adminform"].form.initial["approves"] == Act.Approval.ENDING


@pytest.mark.parametrize("policy", ["", TRANSFER.code])
def test_a_text_changed_while_it_is_being_ended_is_said_and_stops_no_page(manager, policy):
    convention = begun()
    Convention.objects.update(policy=policy, last_year=None)
    words = "ce texte n'ouvre pas la voie" if policy else "Choisissez d'abord le texte"
    assert words in text(manager.get(url(convention)))
    for page in STEPS[:2]:
        assert words in text(manager.get(url(convention, page), follow=True))
    shown = followed(manager, convention, STEPS[2], {"comment": "Texte changé."})
    assert "la convention continue" in shown


@pytest.mark.parametrize("page", ["change", "resiliation-etape", "resiliation-fin"])
def test_the_pages_of_an_end_ask_few_questions(manager, page, django_assert_max_num_queries):
    convention = dated(begun(), formal_notice=dt.date(2025, 1, 10))
    manager.get(url(convention, page))
    with django_assert_max_num_queries(20 if page == "change" else 14):
        manager.get(url(convention, page))
