"""A deposit is written before it is made, made once, and searched for before it is made again."""

import datetime as dt
import io
import tarfile
from unittest.mock import Mock

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from entsvc import documents, works
from entsvc.models import JournalEntry
from invoicing.chorus import depositing, lots
from invoicing.chorus.access import ChorusOff, access_of, suffix_of
from invoicing.chorus.client import NotSent, Refused, Unclear
from invoicing.chorus.depositing import (
    DepositRefused,
    give_up,
    prepare,
    record,
    search,
    send,
    send_all,
    settle,
)
from invoicing.chorus.following import follow, follow_all, to_follow
from invoicing.chorus.works import deposit_later
from invoicing.corrections import correct
from invoicing.facturx import validation
from invoicing.models import (
    BordereauEvent,
    Channel,
    Deposit,
    DepositedPiece,
    Sending,
    Titre,
    TitreDocument,
)
from invoicing.rendering import render_missing
from tests.factories import PaymentFactory
from tests.invoicing.chorus.conftest import DAY
from tests.invoicing.chorus.fake_server import DEPOSIT

State = Deposit.State


@pytest.fixture
def deposit(bordereau, chorus):
    [written] = record(bordereau=bordereau, actor="alix")
    return written


def later(monkeypatch, **delay):
    moment = timezone.now() + dt.timedelta(**delay)
    monkeypatch.setattr(timezone, "now", lambda: moment)


def adrift(deposit, client, chorus, fault="lost"):
    chorus.faults[DEPOSIT] = [fault]
    with pytest.raises(Unclear):
        send(deposit, client=client, actor="alix")
    deposit.refresh_from_db()
    return deposit


def left_out(bordereau):
    return {row.titre.reference: row.why for row in prepare(bordereau).left_out}


# --- What is deposited --------------------------------------------------------------------------


def test_a_bordereau_is_written_with_its_bytes_before_any_call(deposit, chorus, titres):
    sending = deposit.sending
    assert (deposit.state, sending.channel, sending.rank) == (State.WAITING, "chorus_pro", 1)
    assert sending.file_name == "FACTURX_LOC002025B1E1.tar.gz"
    with tarfile.open(fileobj=io.BytesIO(documents.read(sending.document))) as tar:
        assert tar.getnames() == [f"factur-x_{titre.reference}.pdf" for titre in titres]
    assert [row.titre for row in deposit.pieces.order_by("titre__number")] == titres
    assert chorus.calls == []
    entry = JournalEntry.objects.get(action="chorus-prepare")
    assert (entry.actor, entry.data["sha256"]) == ("alix", sending.document.sha256)


def test_deposited_it_bears_its_flow_and_is_not_accepted_yet(deposit, client_of, chorus, titres):
    send(deposit, client=client_of, actor="alix")
    [flow] = chorus.flows.values()
    assert (deposit.state, deposit.flow, deposit.asked_by) == (State.DEPOSITED, flow.number, "alix")
    assert flow.numbers == [titre.reference for titre in titres]
    assert (deposit.told_state, deposit.is_accepted) == ("Déposé", False)


def test_one_titre_goes_as_its_pdf_and_a_heavy_bordereau_in_several_files(
    bordereau, chorus, client_of, monkeypatch, titres
):
    invoices = TitreDocument.objects.filter(role="facturx").select_related("document")
    heaviest = max(row.document.size for row in invoices)
    monkeypatch.setattr(
        depositing.lots, "parted", lambda sizes, p=lots.parted: p(sizes, heaviest + 25_000)
    )
    deposits = record(bordereau=bordereau, actor="alix")
    assert [row.sending.file_name for row in deposits] == [
        f"FACTURX_LOC002025B1E{n}.pdf" for n in (1, 2, 3)
    ]
    done = send_all(deposits, client=client_of, actor="alix")
    assert (len(done.deposited), done.failed) == (3, [])
    assert [flow.numbers for flow in chorus.flows.values()] == [[t.reference] for t in titres]


def test_an_invoice_too_heavy_for_chorus_is_left_out_alone(bordereau, chorus, monkeypatch, titres):
    sizes = iter([False, True, True])
    monkeypatch.setattr(depositing.lots, "fits", lambda size: next(sizes))
    prepared = prepare(bordereau)
    assert [row.titre for row in prepared.left_out] == titres[:1]
    assert "10 Mo" in prepared.left_out[0].why
    assert prepared.ready == titres[1:]


def test_what_lacks_its_invoice_stops_no_other(bordereau, chorus, titres, monkeypatch):
    plain = depositing._pieces

    def pieces(row):
        found = list(plain(row))
        found[0].invoices = []
        return found

    monkeypatch.setattr(depositing, "_pieces", pieces)
    assert left_out(bordereau) == {titres[0].reference: prepare(bordereau).left_out[0].why}
    assert "Factur-X" in prepare(bordereau).left_out[0].why
    [deposit] = record(bordereau=bordereau, actor="alix")
    assert [row.titre for row in deposit.pieces.order_by("titre__number")] == titres[1:]


def test_a_specimen_goes_to_no_real_chorus(bordereau, settings, chorus):
    plain = depositing._pieces

    def specimens(row):
        found = list(plain(row))
        for titre in found:
            titre.specimen = True
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(depositing, "_pieces", specimens)
        assert prepare(bordereau).trial
        assert left_out(bordereau) == {}
        settings.CHORUS_API_URL = "https://sandbox-api.piste.gouv.fr"
        assert left_out(bordereau) == {}
        settings.CHORUS_API_URL = "https://api.piste.gouv.fr"
        assert all("SPÉCIMEN" in why for why in left_out(bordereau).values())
        assert len(left_out(bordereau)) == 3


def test_what_stands_against_a_whole_deposit_is_told(bordereau, chorus, settings, db):
    Channel.objects.update(kind="pdf")
    with pytest.raises(DepositRefused, match="Canaux d'envoi"):
        prepare(bordereau)
    Channel.objects.update(kind="chorus_pro", invoice_frame="S1")
    settings.CHORUS_LOGINS = {}
    with pytest.raises(ChorusOff, match="CHORUS_LOGIN_LOC"):
        prepare(bordereau)
    settings.CHORUS_API_URL = ""
    with pytest.raises(ChorusOff, match="éteint"):
        record(bordereau=bordereau, actor="alix")
    assert not Sending.objects.exists()


def test_a_bordereau_that_is_not_signed_is_not_deposited(bordereau, chorus, monkeypatch):
    monkeypatch.setattr(depositing, "state_of", lambda row: depositing.State.PREPARED)
    with pytest.raises(DepositRefused, match="n'est pas signé"):
        record(bordereau=bordereau, actor="alix")
    assert BordereauEvent.objects.filter(kind="signe").exists()


def test_the_settings_of_an_issuer_bear_its_code():
    assert suffix_of("ent-62") == "ENT_62"


def test_reading_a_bordereau_asks_the_database_little(bordereau, chorus):
    with CaptureQueriesContext(connection) as asked:
        prepare(bordereau)
    assert len(asked) <= 10


def test_a_titre_already_paid_is_not_deposited_to_be_paid_twice(bordereau, titres, chorus):
    PaymentFactory(titre=titres[0], amount=titres[0].total)
    PaymentFactory(titre=titres[1], amount=titres[1].total - 1)
    assert list(left_out(bordereau)) == [titres[0].reference]
    assert "payée deux fois" in left_out(bordereau)[titres[0].reference]


# --- Corrections --------------------------------------------------------------------------------


def corrected(issued, titre, kind, **more):
    made = correct(
        titre=titre, kind=kind, reason_code="liquidation", reason="Erreur.", on=DAY,
        signatory=issued.signatory, actor="essai", **more,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "is_installed", lambda: False)
        list(render_missing(made.bordereau.titres.all()))
    BordereauEvent.objects.create(
        bordereau=made.bordereau, kind="signe", on=DAY, signatory="x", recorded_by="essai"
    )
    return made


def test_a_correction_follows_its_titre_and_never_goes_before_it(
    issued, bordereau, titres, chorus, client_of
):
    made = corrected(issued, titres[2], Titre.Kind.ANNULATION)
    assert "annulée avant son dépôt" in left_out(bordereau)[titres[2].reference]
    assert "rien à y annuler" in left_out(made.bordereau)[made.reference]
    [first] = record(bordereau=bordereau, actor="alix")
    send(first, client=client_of, actor="alix")
    assert [row.titre.reference for row in first.pieces.order_by("titre__number")] == [
        titre.reference for titre in titres[:2]
    ]


def test_the_annulation_of_a_deposited_titre_is_deposited_in_its_turn(
    issued, bordereau, titres, chorus, client_of
):
    [first] = record(bordereau=bordereau, actor="alix")
    made = corrected(issued, titres[2], Titre.Kind.ANNULATION)
    assert left_out(made.bordereau), "its titre is not deposited yet"
    send(first, client=client_of, actor="alix")
    [second] = record(bordereau=made.bordereau, actor="alix")
    send(second, client=client_of, actor="alix")
    assert second.sending.file_name == "FACTURX_LOC002025C1E1.pdf"
    assert list(chorus.flows.values())[-1].numbers == [made.reference]


# --- Once ---------------------------------------------------------------------------------------


def test_two_clicks_write_one_deposit(bordereau, chorus, deposit, monkeypatch):
    assert record(bordereau=bordereau, actor="alix") == []
    stale = prepare(bordereau)
    stale.ready = [row.titre for row in deposit.pieces.select_related("titre").order_by("pk")]
    for titre in stale.ready:
        titre.invoices = list(titre.documents.filter(role="facturx").select_related("document"))
    monkeypatch.setattr(depositing, "prepare", lambda row: stale)
    with pytest.raises(DepositRefused, match="un autre poste"):
        record(bordereau=bordereau, actor="alix")
    assert Sending.objects.count() == 1


def test_the_database_itself_refuses_a_piece_under_way_twice(deposit):
    piece = deposit.pieces.order_by("pk").first()
    other = Sending.objects.get(pk=deposit.sending_id)
    other.pk, other.rank, other.file_name = None, 2, "autre.pdf"
    other.save(force_insert=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        DepositedPiece.objects.create(sending=other, titre=piece.titre)


def test_two_senders_make_one_call(deposit, client_of, chorus):
    again = Deposit.objects.get(pk=deposit.pk)
    send(deposit, client=client_of, actor="alix")
    with pytest.raises(DepositRefused, match="un autre poste"):
        send(again, client=client_of, actor="sacha")
    assert chorus.count(DEPOSIT) == 1


def test_what_was_written_never_changes_but_for_what_is_answered(deposit):
    for broken in (
        "UPDATE invoicing_deposit SET syntax = 'X'",
        "DELETE FROM invoicing_deposit",
        "DELETE FROM invoicing_depositedpiece",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(broken)


# --- What a failed call leaves ------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["403", "302"])
def test_what_chorus_did_not_take_waits_and_goes_as_it_is(deposit, client_of, chorus, fault):
    chorus.faults[DEPOSIT] = [fault]
    with pytest.raises(NotSent):
        send(deposit, client=client_of, actor="alix")
    deposit.refresh_from_db()
    assert deposit.state == State.WAITING
    assert deposit.told
    send(deposit, client=client_of, actor="alix")
    assert len(chorus.flows) == Sending.objects.count() == 1


def test_asked_to_wait_it_waits_then_sends_the_same_file(deposit, client_of, chorus):
    chorus.faults[DEPOSIT] = ["429"]
    slept = []
    done = send_all([deposit], client=client_of, actor="alix", sleep=slept.append)
    assert (len(done.deposited), done.failed, slept) == (1, [], [1])
    assert len(chorus.flows) == 1


def test_what_chorus_refuses_is_closed_and_deposited_anew_as_another_sending(
    deposit, bordereau, client_of, chorus
):
    chorus.faults[DEPOSIT] = ["refused"]
    with pytest.raises(Refused):
        send(deposit, client=client_of, actor="alix")
    deposit.refresh_from_db()
    assert (deposit.state, deposit.pieces.filter(closed=False).count()) == (State.REFUSED, 0)
    [second] = record(bordereau=bordereau, actor="alix")
    assert (second.sending.rank, second.pieces.count()) == (2, 3)


@pytest.mark.parametrize("fault", ["lost", "half", "slow"])
def test_a_deposit_that_nobody_answered_is_found_and_taken_up(deposit, client_of, chorus, fault):
    adrift(deposit, client_of, chorus, fault)
    assert deposit.state == State.UNKNOWN
    with pytest.raises(DepositRefused):
        send(deposit, client=client_of, actor="alix")
    chorus.integrate()
    found = search(deposit, client=client_of, actor="alix")
    assert (found.state, found.flow) == (State.DEPOSITED, next(iter(chorus.flows)))
    assert chorus.count(DEPOSIT) == 1


def test_not_found_it_waits_until_chorus_had_the_time_to_show_it(
    deposit, client_of, chorus, monkeypatch
):
    adrift(deposit, client_of, chorus, "500")
    search(deposit, client=client_of, actor="alix")
    assert deposit.state == State.UNKNOWN
    assert "cherchez de nouveau" in deposit.told
    later(monkeypatch, hours=25)
    search(deposit, client=client_of, actor="alix")
    assert (deposit.state, deposit.searched_at) == (State.WAITING, timezone.now())
    send(deposit, client=client_of, actor="alix")
    assert (len(chorus.flows), Sending.objects.count()) == (1, 1)


def test_a_search_that_fails_changes_nothing(deposit, client_of, chorus, monkeypatch):
    adrift(deposit, client_of, chorus, "500")
    later(monkeypatch, hours=25)
    monkeypatch.setattr(client_of, "invoices_numbered", Mock(side_effect=Unclear("en panne")))
    with pytest.raises(Unclear):
        search(deposit, client=client_of, actor="alix")
    deposit.refresh_from_db()
    assert deposit.state == State.UNKNOWN


def test_an_invoice_entered_by_hand_on_the_portal_keeps_it_from_going_again(
    deposit, client_of, chorus, monkeypatch
):
    adrift(deposit, client_of, chorus)
    chorus.integrate()
    for invoice in chorus.invoices:
        invoice.flow = ""
    later(monkeypatch, hours=25)
    search(deposit, client=client_of, actor="alix")
    assert deposit.state == State.UNKNOWN
    assert "saisie à la main" in deposit.told


def test_a_deposit_entered_by_hand_is_closed_with_a_reason_and_its_other_pieces_go_again(
    deposit, bordereau, client_of, chorus, titres, monkeypatch
):
    adrift(deposit, client_of, chorus)
    chorus.integrate()
    del chorus.invoices[1:]
    chorus.invoices[0].flow = ""
    search(deposit, client=client_of, actor="alix")
    with pytest.raises(DepositRefused, match="24.heures"):
        settle(deposit=deposit, reason="saisi", actor="camille")
    later(monkeypatch, hours=25)
    search(deposit, client=client_of, actor="alix")
    with pytest.raises(DepositRefused, match="motif"):
        settle(deposit=deposit, reason="  ", actor="camille")
    assert settle(deposit=deposit, reason="saisi sur le portail", actor="camille") == 2
    deposit.refresh_from_db()
    assert (deposit.state, deposit.told) == (State.GIVEN_UP, "Clos par camille : saisi sur le portail")
    prepared = prepare(bordereau)
    assert (prepared.ready, [piece.titre for piece in prepared.under_way]) == (titres[1:], titres[:1])
    entry = JournalEntry.objects.get(action="chorus-clos")
    assert (entry.actor, "saisi sur le portail" in entry.summary) == ("camille", True)
    with pytest.raises(DepositRefused, match="rien à clore"):
        settle(deposit=deposit, reason="encore", actor="camille")
    chorus.move(titres[0].reference, "MISE_A_DISPOSITION")
    done = follow_all(to_follow(), client=client_of, actor="alix")
    assert done.changed == {titres[0].reference: "Mise à disposition du débiteur"}
    assert deposit.pieces.get(titre=titres[0]).made_available_on == DAY


def test_a_piece_that_chorus_never_shows_is_let_go_alone(deposit, bordereau, client_of, chorus, titres):
    send(deposit, client=client_of, actor="alix")
    with pytest.raises(DepositRefused, match="rien à clore"):
        settle(deposit=deposit, reason="introuvable", actor="camille")
    chorus.integrate()
    del chorus.invoices[2]
    follow(deposit, client=client_of, actor="alix")
    assert settle(deposit=deposit, reason="introuvable au portail", actor="camille") == 1
    deposit.refresh_from_db()
    assert deposit.state == State.DEPOSITED
    assert prepare(bordereau).ready == titres[2:]


def test_the_invoices_of_a_former_deposit_are_not_taken_for_those_of_this_one(
    deposit, bordereau, client_of, chorus, titres, monkeypatch
):
    send(deposit, client=client_of, actor="alix")
    chorus.integrate()
    chorus.move(titres[0].reference, "REJETEE", "Service inconnu")
    follow(deposit, client=client_of, actor="alix")
    [second] = record(bordereau=bordereau, actor="alix")
    adrift(second, client_of, chorus, "500")
    later(monkeypatch, hours=25)
    search(second, client=client_of, actor="alix")
    assert second.state == State.WAITING


def test_a_process_killed_during_the_call_leaves_an_unknown_state_that_is_searched(
    deposit, client_of, chorus, monkeypatch
):
    plain = client_of.deposit

    def killed(*args):
        plain(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(client_of, "deposit", killed)
    with pytest.raises(KeyboardInterrupt):
        send(deposit, client=client_of, actor="alix")
    monkeypatch.undo()
    deposit.refresh_from_db()
    assert deposit.state == State.ASKED
    with pytest.raises(DepositRefused, match="rien à rechercher"):
        search(deposit, client=client_of, actor="alix")
    later(monkeypatch, minutes=16)
    chorus.integrate()
    search(deposit, client=client_of, actor="alix")
    assert (deposit.state, chorus.count(DEPOSIT)) == (State.DEPOSITED, 1)


def test_a_process_killed_before_the_call_is_taken_up_by_the_next_work(
    bordereau, chorus, monkeypatch, django_capture_on_commit_callbacks
):
    with monkeypatch.context() as killed:
        killed.setattr("invoicing.chorus.works.send_all", Mock(side_effect=KeyboardInterrupt))
        work = deposit_later(bordereau=bordereau, actor="alix")
        with pytest.raises(KeyboardInterrupt):
            works.go_on(work.pk)
    assert Deposit.objects.get().state == State.WAITING
    later(monkeypatch, minutes=2)  # its hold is over
    works.go_on(work.pk)
    work.refresh_from_db()
    assert work.failure == ""
    assert (Deposit.objects.get().state, len(chorus.flows)) == (State.DEPOSITED, 1)


def test_a_failure_for_all_stops_and_one_of_a_file_does_not(bordereau, chorus, client_of, monkeypatch):
    monkeypatch.setattr(
        depositing.lots, "parted", lambda sizes: [[place] for place, _ in enumerate(sizes)]
    )
    deposits = record(bordereau=bordereau, actor="alix")
    chorus.faults[DEPOSIT] = ["refused", "500", "403"]
    done = send_all(deposits, client=client_of, actor="alix")
    assert [row.state for row in Deposit.objects.order_by("pk")] == ["refuse", "inconnu", "a-deposer"]
    assert (len(done.failed), done.deposited) == (3, [])
    assert "Suivre les dépôts" in done.failed[1]
    assert "reste à déposer" in done.failed[2]


def test_given_up_before_it_left_its_pieces_enter_another(deposit, bordereau, client_of, chorus):
    give_up(deposit=deposit, actor="alix")
    deposit.refresh_from_db()
    assert deposit.state == State.GIVEN_UP
    with pytest.raises(DepositRefused):
        send(deposit, client=client_of, actor="alix")
    [second] = record(bordereau=bordereau, actor="alix")
    send(second, client=client_of, actor="alix")
    with pytest.raises(DepositRefused, match="n'attend plus"):
        give_up(deposit=second, actor="alix")


def test_no_secret_is_written(deposit, client_of, chorus, bordereau, settings):
    secrets = [settings.CHORUS_CLIENT_SECRET, settings.CHORUS_PASSWORDS["LOC"]]
    assert access_of(bordereau.issuer).password in secrets
    adrift(deposit, client_of, chorus, "500")
    rows = [*Deposit.objects.order_by("pk").values(), *JournalEntry.objects.order_by("pk").values()]
    assert not any(secret in str(rows) for secret in secrets)
