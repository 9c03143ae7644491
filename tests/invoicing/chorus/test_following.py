"""What Chorus Pro says of a deposit, then of each invoice: deposited, accepted, made available."""

import datetime as dt
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from entsvc.models import JournalEntry
from invoicing.announcing import deadline as announced_deadline
from invoicing.balance import standings_at
from invoicing.campaign_accounts import read
from invoicing.chorus.client import Unclear
from invoicing.chorus.depositing import prepare, record, send
from invoicing.chorus.following import follow, follow_all, to_follow, to_handle
from invoicing.models import Deposit, ReminderStep, Titre
from invoicing.portal import own
from invoicing.reminders import due_reminders
from tests.invoicing.chorus.fake_server import DEPOSIT, HISTORY, REPORT, SEARCH

AVAILABLE = dt.date(2025, 3, 10)
DUE = dt.date(2025, 4, 9)


@pytest.fixture
def deposit(bordereau, chorus, client_of):
    [written] = record(bordereau=bordereau, actor="alix")
    return send(written, client=client_of, actor="alix")


@pytest.fixture
def refused(bordereau, chorus, client_of, titres):
    """A lot of which Chorus Pro rejects the first invoice."""
    chorus.refuses = {titres[0].reference: "Le code service est obligatoire"}
    [written] = record(bordereau=bordereau, actor="alix")
    written = send(written, client=client_of, actor="alix")
    chorus.integrate()
    return written


def read_again(deposit, client):
    deposit = Deposit.objects.get(pk=deposit.pk)
    return follow(deposit, client=client, actor="alix")


def pieces(deposit):
    rows = deposit.pieces.select_related("titre").order_by("titre__number")
    return [(row.status, row.closed) for row in rows]


def test_deposited_is_not_accepted(deposit, client_of, chorus, titres):
    assert follow(deposit, client=client_of, actor="alix") == {}
    assert (deposit.flow_state, deposit.is_accepted) == ("IN_RECU", False)
    assert pieces(deposit) == [("", False)] * 3
    chorus.integrate()
    changed = read_again(deposit, client_of)
    deposit.refresh_from_db()
    assert deposit.is_accepted
    assert changed == {titre.reference: "Déposée" for titre in titres}


def test_each_status_is_read_with_its_day_and_asked_for_no_more_than_needed(
    deposit, client_of, chorus, titres
):
    chorus.integrate()
    read_again(deposit, client_of)
    for titre in titres:
        chorus.move(titre.reference, "MISE_A_DISPOSITION")
    read_again(deposit, client_of)
    assert chorus.count(HISTORY) == 3
    chorus.move(titres[1].reference, "SUSPENDUE", "Le bon de commande manque")
    assert read_again(deposit, client_of) == {titres[1].reference: "Suspendue"}
    assert chorus.count(HISTORY) == 3
    assert chorus.count(REPORT) == 1
    rows = list(deposit.pieces.select_related("titre").order_by("titre__number"))
    assert [row.made_available_on for row in rows] == [AVAILABLE] * 3
    assert "portail de Chorus Pro" in to_handle(rows[1])
    assert "Le bon de commande manque" in to_handle(rows[1])
    assert to_handle(rows[0]) == ""


def test_in_a_lot_each_document_has_its_own_result(refused, client_of, titres):
    changed = follow(refused, client=client_of, actor="alix")
    assert changed == {
        titres[0].reference: "Rejetée", titres[1].reference: "Déposée", titres[2].reference: "Déposée",
    }  # fmt: skip
    assert refused.flow_state == "IN_INTEGRE_PARTIEL"
    assert pieces(refused) == [("REJETEE", True), ("DEPOSEE", False), ("DEPOSEE", False)]
    assert "code service" in refused.pieces.get(closed=True).reason
    assert "code service" in refused.report


def test_a_rejected_document_is_deposited_again_without_the_accepted_ones(
    refused, bordereau, client_of, chorus, titres
):
    follow(refused, client=client_of, actor="alix")
    assert prepare(bordereau).ready == titres[:1]
    chorus.refuses = {}
    [second] = record(bordereau=bordereau, actor="alix")
    send(second, client=client_of, actor="alix")
    assert second.sending.file_name == "FACTURX_LOC002025B1E2.pdf"
    chorus.integrate()
    assert read_again(second, client_of) == {titres[0].reference: "Déposée"}
    assert refused.pieces.filter(closed=True).count() == 1


def test_a_rejected_lot_is_rejected_whole_with_its_reason(deposit, client_of, chorus, bordereau, titres):
    flow = chorus.flows[deposit.flow]
    flow.errors = [{"codeErreur": "GDP_REJ_02", "libelleErreur": "Archive illisible"}]
    chorus.integrate()
    follow(deposit, client=client_of, actor="alix")
    assert pieces(deposit) == [("REJETEE", True)] * 3
    assert deposit.pieces.order_by("pk").first().reason == "GDP_REJ_02 Archive illisible"
    assert prepare(bordereau).ready == titres
    assert not to_follow().exists()


def test_what_the_debtor_rejects_later_may_be_deposited_again(
    deposit, client_of, chorus, bordereau, titres
):
    chorus.integrate()
    chorus.move(titres[2].reference, "MISE_A_DISPOSITION")
    read_again(deposit, client_of)
    chorus.move(titres[2].reference, "REJETEE", "Mauvais destinataire")
    read_again(deposit, client_of)
    assert deposit.pieces.get(closed=True).reason == "Mauvais destinataire"
    assert prepare(bordereau).ready == [titres[2]]


def test_half_an_answer_keeps_what_was_read(deposit, client_of, chorus, titres):
    chorus.integrate()
    chorus.faults[SEARCH] = ["half"] * 3
    with pytest.raises(Unclear):
        follow(deposit, client=client_of, actor="alix")
    deposit = Deposit.objects.get()
    assert (deposit.is_accepted, deposit.read_at) == (True, None)
    assert len(read_again(deposit, client_of)) == 3


def test_one_that_can_not_be_read_stops_no_other(deposit, client_of, chorus, bordereau, titres):
    chorus.integrate()
    chorus.move(titres[0].reference, "REJETEE", "Non")
    follow(deposit, client=client_of, actor="alix")
    [second] = record(bordereau=bordereau, actor="alix")
    send(second, client=client_of, actor="alix")
    chorus.integrate()
    chorus.faults[SEARCH] = ["500"] * 3
    done = follow_all(list(to_follow()), client=client_of, actor="alix")
    assert (len(done.read), len(done.failed), done.left) == (1, 1, 0)
    chorus.faults[SEARCH] = ["403"]
    done = follow_all(list(to_follow()), client=client_of, actor="alix")
    assert (len(done.read), len(done.failed), done.left) == (0, 1, 1)


def test_what_can_not_be_kept_stops_no_other(deposit, client_of, chorus, titres):
    chorus.integrate()
    for invoice in chorus.invoices:
        invoice.identifier = chorus.invoices[0].identifier
    done = follow_all(to_follow(), client=client_of, actor="alix")
    assert "ne peut pas être gardé" in done.failed[0]
    assert deposit.pieces.exclude(identifier="").count() == 1


def test_out_of_time_the_rest_is_left_for_the_next_call(deposit, client_of, bordereau, chorus, titres):
    chorus.integrate()
    chorus.move(titres[0].reference, "REJETEE", "Non")
    follow(deposit, client=client_of, actor="alix")
    record(bordereau=bordereau, actor="alix")
    [second] = Deposit.objects.filter(state="a-deposer")
    send(second, client=client_of, actor="alix")
    done = follow_all(list(to_follow()), client=client_of, actor="alix", seconds=0)
    assert ([row.pk for row in done.read], done.left) == ([second.pk], 1)


def test_what_is_over_is_not_asked_about_any_more(deposit, client_of, chorus, titres):
    chorus.integrate()
    for titre in titres:
        chorus.move(titre.reference, "MISE_EN_PAIEMENT")
    follow(deposit, client=client_of, actor="alix")
    assert not to_follow().exists()


def test_reading_twice_tells_the_journal_once(deposit, client_of, chorus):
    chorus.integrate()
    read_again(deposit, client_of)
    read_again(deposit, client_of)
    [entry] = JournalEntry.objects.filter(action="chorus-suivi")
    assert entry.data["state"] == "IN_INTEGRE"
    assert len(entry.data["changed"]) == 3


# --- The deadline -------------------------------------------------------------------------------


@pytest.fixture
def available(deposit, client_of, chorus, titres):
    """The first titre was made available on 10 March."""
    chorus.integrate()
    chorus.move(titres[0].reference, "MISE_A_DISPOSITION")
    read_again(deposit, client_of)
    return titres[0]


def test_the_thirty_days_start_when_it_is_made_available(available, issued, titres):
    found = {row.reference: row for row in standings_at(issued.issuer, dt.date(2025, 5, 1))}
    mine, other = found[available.reference], found[titres[1].reference]
    assert (mine.due_on, mine.is_approximate) == (DUE, False)
    assert (other.due_on, other.is_approximate) == (dt.date(2025, 4, 2), True)
    assert (mine.is_sent, other.is_sent) == (True, False)
    before = {row.reference: row for row in standings_at(issued.issuer, dt.date(2025, 3, 9))}
    assert before[available.reference].is_approximate


def test_the_campaign_the_portal_and_the_announcement_say_the_same_day(available, titres):
    accounts = read(available.campaign)
    assert (accounts[available.pk].due_on, accounts[available.pk].is_approximate) == (DUE, False)
    row = next(row for row in own.rows_of(available.debtor) if row.titre == available)
    assert (row.deadline.day, row.deadline.posted_on) == (DUE, AVAILABLE)
    assert not row.late
    assert own.row(row.titre, [], dt.date(2025, 4, 10)).late
    words = available.payload["document"]["due_text"]
    assert announced_deadline(available.issued_on, words, AVAILABLE).day == DUE


def test_the_reminders_count_from_that_day(available, issued):
    ReminderStep.objects.create(
        issuer=issued.issuer, level=1, days=10, title="Rappel", body="{reference}"
    )

    def references(on):
        return {row.titre.reference for row in due_reminders(issued.issuer, on)}

    assert available.reference not in references(DUE + dt.timedelta(days=9))
    assert available.reference in references(DUE + dt.timedelta(days=10))
    assert len(references(DUE + dt.timedelta(days=5))) == 2


def test_a_titre_rejected_after_it_was_available_has_no_day_any_more(
    available, deposit, client_of, chorus, issued
):
    chorus.move(available.reference, "REJETEE", "Non")
    read_again(deposit, client_of)
    [mine] = [
        row
        for row in standings_at(issued.issuer, dt.date(2025, 5, 1))
        if row.reference == available.reference
    ]
    assert mine.is_approximate


def test_many_titres_ask_for_no_more_than_few(available, issued):
    with CaptureQueriesContext(connection) as asked:
        standings_at(issued.issuer, dt.date(2025, 5, 1))
    assert sum("depositedpiece" in row["sql"] for row in asked) == 1


# --- The command --------------------------------------------------------------------------------


def command(*args, capsys):
    call_command("follow_chorus", *args, "--json")
    return json.loads(capsys.readouterr().out)


def test_the_command_reads_and_deposits_nothing(deposit, bordereau, chorus, titres, capsys):
    chorus.integrate()
    told = command(capsys=capsys)
    [row] = told["read"]
    assert (row["issuer"], row["flow"], row["accepted"]) == ("LOC", deposit.flow, True)
    assert [piece["status"] for piece in row["pieces"]] == ["DEPOSEE"] * 3
    assert told["changed"] == {titre.reference: "Déposée" for titre in titres}
    assert (told["failed"], told["left"], chorus.count(DEPOSIT)) == ([], 0, 1)


def test_the_command_searches_what_nobody_answered(bordereau, chorus, client_of, capsys):
    [written] = record(bordereau=bordereau, actor="alix")
    chorus.faults[DEPOSIT] = ["lost"]
    with pytest.raises(Unclear):
        send(written, client=client_of, actor="alix")
    chorus.integrate()
    [row] = command("--issuer", "LOC", capsys=capsys)["read"]
    assert (row["state"], row["accepted"]) == ("depose", True)


def test_with_nothing_to_read_the_command_succeeds(bordereau, capsys):
    assert command(capsys=capsys) == {"read": [], "changed": {}, "failed": [], "left": 0}


def test_the_command_fails_when_nothing_could_be_read(deposit, settings, capsys):
    with pytest.raises(CommandError, match="Aucun émetteur"):
        call_command("follow_chorus", "--issuer", "AUTRE", "--json")
    capsys.readouterr()
    settings.CHORUS_API_URL = ""
    with pytest.raises(CommandError, match="éteint"):
        call_command("follow_chorus", "--json")
    told = json.loads(capsys.readouterr().out)
    assert (told["left"], len(told["failed"])) == (1, 1)
    assert timezone.localdate() == AVAILABLE
    assert Titre.objects.count() == 3
