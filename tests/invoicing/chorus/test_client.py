"""What the client makes of each answer: above all, whether a deposit may have been taken."""

import json

import pytest

from invoicing.chorus import client as client_module
from invoicing.chorus.access import Access
from invoicing.chorus.client import ChorusClient, NotSent, Refused, Unclear
from tests.invoicing.chorus.fake_server import (
    ACCOUNT,
    CLIENT,
    DEPOSIT,
    REPORT,
    SEARCH,
    TOKEN,
    Invoice,
)

SYNTAX = "IN_DP_E2_CII_FACTURX"


@pytest.fixture
def access(chorus, settings):
    return Access(settings.CHORUS_OAUTH_URL, settings.CHORUS_API_URL, *CLIENT, *ACCOUNT)


@pytest.fixture
def client(access, waits):
    return ChorusClient(access, sleep=waits.append)


def test_one_token_serves_every_call(client, chorus):
    flow = client.deposit("essai.pdf", b"%PDF", SYNTAX).flow
    client.report(flow)
    assert (chorus.given, chorus.count(TOKEN)) == (1, 1)


def test_a_token_about_to_end_is_asked_for_again(client, chorus, monkeypatch):
    flow = client.deposit("essai.pdf", b"%PDF", SYNTAX).flow
    now = client_module.time.monotonic()
    monkeypatch.setattr(client_module.time, "monotonic", lambda: now + 3600 - client_module.EARLY + 1)
    client.report(flow)
    assert chorus.given == 2


def test_a_token_revoked_before_its_end_is_asked_for_again_once(client, chorus):
    flow = client.deposit("essai.pdf", b"%PDF", SYNTAX).flow
    chorus.revoke()
    assert client.report(flow).state == "IN_RECU"
    assert chorus.given == 2
    chorus.faults[DEPOSIT] = ["401", "401"]
    with pytest.raises(NotSent, match="compte technique"):
        client.deposit("essai.pdf", b"%PDF", SYNTAX)
    assert chorus.count(DEPOSIT) == 3


@pytest.mark.parametrize(
    ("fault", "expected", "told"),
    [
        ("403", NotSent, "mot de passe expire"),
        ("429", NotSent, "demande d'attendre 1"),
        ("302", NotSent, "CHORUS_API_URL"),
        ("refused", Refused, "20001 GDP_MSG_11.999"),
        ("500", Unclear, "HTTP 500"),
        ("408", Unclear, "HTTP 408"),
        ("half", Unclear, "demi-réponse"),
        ("lost", Unclear, "s'est coupée"),
        ("slow", Unclear, "pas répondu à temps"),
    ],
)
def test_a_deposit_that_fails_says_whether_it_may_have_arrived_and_is_never_tried_again(
    client, chorus, waits, fault, expected, told
):
    chorus.faults[DEPOSIT] = [fault]
    with pytest.raises(expected, match=told) as failed:
        client.deposit("essai.pdf", b"%PDF", SYNTAX)
    assert type(failed.value) is expected
    assert (chorus.count(DEPOSIT), waits) == (1, [])


def test_an_answer_that_never_ends_is_given_up(client, chorus, monkeypatch):
    flow = client.deposit("essai.pdf", b"%PDF", SYNTAX).flow
    monkeypatch.setattr(client_module, "LARGEST", 10)
    with pytest.raises(Unclear, match="n'en finit pas"):
        client.deposit("essai.pdf", b"%PDF", SYNTAX)
    assert flow in chorus.flows


def test_a_receipt_without_its_flow_is_half_an_answer(client, chorus, monkeypatch):
    monkeypatch.setattr(chorus, "deposit", lambda asked: (200, {"codeRetour": 0}))
    with pytest.raises(Unclear, match="numeroFluxDepot"):
        client.deposit("essai.pdf", b"%PDF", SYNTAX)


@pytest.mark.parametrize("code", ["0", "", None, 0])
def test_an_accepted_deposit_is_never_taken_for_a_refused_one(client, chorus, monkeypatch, code):
    plain = chorus.deposit
    monkeypatch.setattr(chorus, "deposit", lambda asked: (200, plain(asked)[1] | {"codeRetour": code}))
    assert client.deposit("essai.pdf", b"%PDF", SYNTAX).flow in chorus.flows


def test_a_server_that_is_not_there_took_nothing(access, client, chorus):
    client._bearer()
    client._access = Access(access.oauth_url, "http://127.0.0.1:9", *CLIENT, *ACCOUNT)
    with pytest.raises(NotSent, match="injoignable"):
        client.deposit("essai.pdf", b"%PDF", SYNTAX)


@pytest.mark.parametrize("fault", ["500", "slow", "half", "lost", "401"])
def test_without_a_token_nothing_was_sent(client, chorus, fault):
    chorus.faults[TOKEN] = [fault]
    with pytest.raises(NotSent):
        client.deposit("essai.pdf", b"%PDF", SYNTAX)
    assert chorus.count(DEPOSIT) == 0


def test_a_wrong_application_or_account_says_what_to_verify(access, chorus):
    wrong = Access(access.oauth_url, access.api_url, "client", "faux", *ACCOUNT)
    with pytest.raises(NotSent, match="CHORUS_CLIENT_SECRET"):
        ChorusClient(wrong).report("CPP1")
    wrong = Access(access.oauth_url, access.api_url, *CLIENT, ACCOUNT[0], "faux")
    with pytest.raises(NotSent, match="compte technique"):
        ChorusClient(wrong).report("CPP1")


def test_what_only_reads_is_tried_again_as_late_as_it_is_asked(client, chorus, waits):
    flow = client.deposit("essai.pdf", b"%PDF", SYNTAX).flow
    chorus.faults[REPORT] = ["429", "500"]
    assert client.report(flow).state == "IN_RECU"
    assert waits == [1, 1]
    chorus.faults[REPORT] = ["500"] * 3
    with pytest.raises(Unclear):
        client.report(flow)


def test_it_does_not_wait_for_ever(client, chorus, waits, monkeypatch):
    monkeypatch.setattr(client_module, "WAITS", 0)
    chorus.faults[REPORT] = ["429"]
    with pytest.raises(NotSent, match="trop d'appels"):
        client.report("CPP1")
    assert waits == []


def test_every_page_of_a_search_is_read(client, chorus):
    for number in range(5):
        client.deposit("essai.pdf", b"%PDF", SYNTAX)
        flow = list(chorus.flows.values())[-1]
        flow.errors, flow.numbers = [], [f"F{number}"]
    chorus.integrate()
    for invoice in chorus.invoices:
        invoice.flow = "CPPX"
    chorus.page = 2
    assert [row.number for row in client.invoices_of("CPPX")] == [f"F{n}" for n in range(5)]
    assert chorus.count(SEARCH) == 3
    assert [row.number for row in client.invoices_numbered("F3")] == ["F3"]


@pytest.mark.parametrize("told", [{}, {"pages": None}, {"pages": "3"}, "trois"])
def test_pages_not_told_or_told_as_text_are_all_read(client, chorus, told, monkeypatch):
    chorus.page = 2
    for number in range(5):
        chorus.invoices.append(Invoice(number + 1, f"N{number}", "CPP1"))
        chorus.move(f"N{number}", "DEPOSEE")
    plain = chorus.search
    monkeypatch.setattr(
        chorus, "search", lambda asked: (200, plain(asked)[1] | {"parametresRetour": told})
    )
    assert [row.number for row in client.invoices_of("CPP1")] == [f"N{n}" for n in range(5)]


def test_a_search_that_always_gives_the_same_page_ends(client, chorus, monkeypatch):
    chorus.invoices.append(Invoice(1, "N0", "CPP1"))
    chorus.move("N0", "DEPOSEE")
    plain = chorus.search
    monkeypatch.setattr(
        chorus,
        "search",
        lambda asked: (
            200,
            plain({"numeroFluxDepot": "CPP1"})[1] | {"parametresRetour": {"pages": 1_000_000}},
        ),
    )
    assert [row.number for row in client.invoices_of("CPP1")] == ["N0"]


def test_no_secret_is_shown_nor_told(access, chorus):
    secrets = (*CLIENT[1:], *ACCOUNT)
    assert not any(secret in repr(access) for secret in secrets)
    chorus.faults[DEPOSIT] = ["refused"]
    with pytest.raises(Refused) as failed:
        ChorusClient(access).deposit("essai.pdf", b"%PDF", SYNTAX)
    assert not any(secret in json.dumps(str(failed.value)) for secret in secrets)
