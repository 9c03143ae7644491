"""An exercice is closed with the proof of its series, and takes no number any more."""

import copy
import json
from datetime import date
from decimal import Decimal

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.urls import reverse

from entsvc import chain
from entsvc.canonical import fingerprint
from entsvc.models import JournalEntry
from invoicing import mandats
from invoicing.bordereaux import send, sign
from invoicing.closing import ClosingRefused, Collection, close_exercice, look_ahead, not_recorded
from invoicing.corrections import MandatNeeded, correct
from invoicing.models import Bordereau, ClosedExercice, Counter, Series, Titre
from invoicing.numbering import IssueRefused
from invoicing.payments import record_payment
from invoicing.roles import create_groups
from invoicing.verification import verify
from tests.factories import DatedTextFactory, IssuerFactory
from tests.invoicing.test_admin import account
from tests.invoicing.test_verification import damaged, execute, rewrite, settle
from tests.invoicing.world import ISSUED_ON, a_world
from tests.tariffs.bases import spoken

EXERCICE = ISSUED_ON.year


@pytest.fixture(scope="module")
def kept_issue(kept_drawn):
    def issued():
        world = a_world()
        world.issue()
        return world

    return kept_drawn(issued)


@pytest.fixture
def unsigned(kept_issue, db, blank_pdf):
    """Three titres of 45, 90 and 135 €, drawn."""
    return copy.deepcopy(kept_issue)


@pytest.fixture
def ledger(unsigned):
    """Their bordereau signed and sent, one of them paid."""
    bordereau = Bordereau.objects.get()
    sign(bordereau=bordereau, signatory=unsigned.signatory, on=ISSUED_ON, actor="essai")
    send(bordereau=bordereau, on=ISSUED_ON, actor="essai")
    record_payment(
        titre=Titre.objects.get(number=3),
        amount=Decimal("135.00"),
        received_on=date(2025, 4, 1),
        reference="P1",
        actor="essai",
    )
    chain.link_pending()
    settle()
    return unsigned


@pytest.fixture
def today(monkeypatch):
    """Set the day on which the exercice is closed."""

    def set_to(day):
        monkeypatch.setattr("invoicing.closing.timezone.localdate", lambda: day)

    set_to(date(2026, 3, 1))
    return set_to


def close(world, **changes):
    return close_exercice(issuer=world.issuer, exercice=EXERCICE, actor="essai", **changes)


def test_the_report_proves_the_series_and_what_remains_to_collect(ledger, today):
    closed = close(ledger)
    proof = closed.report["proof"]
    titres = {"series": "titre", "label": "Titres", "count": 3, "first": 1, "last": 3, "total": "270.00"}
    assert proof["series"][0] == titres
    assert proof["net"] == proof["net_of_bordereaux"] == "270.00"
    assert proof["documents"]["count"] == 3
    assert closed.report["collection"] == {
        "due": "270.00",
        "paid": "135.00",
        "remaining": "135.00",
        "overpaid": "0.00",
        "mandats": "0.00",
        "unpaid": 2,
        "rejected": 0,
    }
    assert closed.report["warnings"] == []
    assert closed.sha256 == fingerprint(closed.report)
    assert chain.holds(closed.journal_head)
    entry = JournalEntry.objects.get(action="close-exercice")
    assert (entry.actor, entry.data) == ("essai", {"sha256": closed.sha256})
    assert verify().green


def test_a_closed_exercice_takes_no_number(ledger, today):
    close(ledger)
    ledger.join(1)
    with pytest.raises(IssueRefused, match="L'exercice 2025 est clos"):
        ledger.issue()
    titre = Titre.objects.get(number=1)
    with pytest.raises(MandatNeeded, match="clos"):
        correct(
            titre=titre,
            kind=Titre.Kind.ANNULATION,
            reason_code=Titre.Reason.DUPLICATE,
            reason="Appelé deux fois",
            on=ISSUED_ON,
            signatory=ledger.signatory,
            actor="essai",
        )
    assert Titre.objects.count() == 3
    assert ledger.issue(on=date(2026, 2, 1), exercice=2026).titres


def test_the_database_itself_refuses_a_number_in_a_closed_exercice(ledger, today):
    close(ledger)
    assert Counter.objects.filter(exercice=EXERCICE).count() == len(Series)
    for sql in (
        "UPDATE invoicing_counter SET last_number = last_number + 1",
        "DELETE FROM invoicing_counter",
        "UPDATE invoicing_counter SET exercice = 2024",
        "DELETE FROM invoicing_closedexercice",
        "UPDATE invoicing_closedexercice SET exercice = 2024",
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            execute(sql)


def test_what_mandats_were_asked_for_is_in_the_report_and_on_its_pages(
    ledger, today, finances, monkeypatch
):
    monkeypatch.setattr("invoicing.mandats.render_pdf", lambda *args: b"%PDF")
    DatedTextFactory(scope="ETAT", code="compte-exercice-clos", body="673")
    mandats.request_mandat(
        titre=Titre.objects.get(number=1),
        amount=Decimal("20.00"),
        reason_code=Titre.Reason.WRONG_AMOUNT,
        reason="Erreur.",
        on=date(2026, 3, 1),
        signatory=ledger.signatory,
        actor="essai",
    )
    page = finances.post(reverse(URL), {"issuer": ledger.issuer.pk, "exercice": EXERCICE})
    told = spoken(page.content.decode())
    assert "Dû après corrections : 270,00 €. Encaissé : 135,00 €." in told
    assert "Mandats demandés au comptable pour ses titres : 20,00 €." in told
    closed = close(ledger)
    assert closed.report["collection"]["mandats"] == "20.00"
    page = finances.get(reverse("admin:invoicing_closedexercice_change", args=[closed.pk]))
    assert "20,00 €" in spoken(page.content.decode())
    report = {**closed.report, "sha256": closed.sha256}
    assert "Mandats demandés au comptable" in spoken(render_to_string("pdf/cloture.html", report))
    del report["collection"]["mandats"]  # as closed before they were told
    assert "Mandats demandés" not in render_to_string("pdf/cloture.html", report)


def test_what_was_paid_in_excess_is_told_so_that_the_report_adds_up(ledger, today, finances):
    titres = {number: Titre.objects.get(number=number) for number in (1, 3)}
    for number, amount in ((1, "50.00"), (3, "0.50")):  # of 45.00, and of 135.00 paid already
        record_payment(
            titre=titres[number],
            amount=Decimal(amount),
            received_on=date(2025, 5, 1),
            reference="P2",
            actor="essai",
        )
    page = finances.post(reverse(URL), {"issuer": ledger.issuer.pk, "exercice": EXERCICE})
    told = spoken(page.content.decode())
    assert "Reste à recouvrer : 90,00 €, 1 titre. Trop-perçu : 5,50 €." in told
    closed = close(ledger)
    money = closed.report["collection"]
    due, paid, remaining, overpaid = (
        Decimal(money[name]) for name in ("due", "paid", "remaining", "overpaid")
    )
    assert overpaid == Decimal("5.50")
    assert due - paid == remaining - overpaid
    page = finances.get(reverse("admin:invoicing_closedexercice_change", args=[closed.pk]))
    assert "5,50 €" in spoken(page.content.decode())
    report = {**closed.report, "sha256": closed.sha256}
    assert "Trop-perçu" in spoken(render_to_string("pdf/cloture.html", report))
    del report["collection"]["overpaid"]  # as closed before it was told
    assert "Trop-perçu" not in render_to_string("pdf/cloture.html", report)


def test_a_report_that_did_not_tell_the_excess_still_shows(ledger, today, finances, monkeypatch):
    as_json = Collection.as_json
    monkeypatch.setattr(
        Collection, "as_json", lambda self: {k: v for k, v in as_json(self).items() if k != "overpaid"}
    )
    closed = close(ledger)
    page = finances.get(reverse("admin:invoicing_closedexercice_change", args=[closed.pk]))
    assert page.status_code == 200


@pytest.mark.parametrize(
    ("left", "count", "words"),
    [
        (1, 1, "Le seul bordereau n'est enregistré comme envoyé."),
        (3, 3, "Aucun des 3 bordereaux n'est enregistré comme envoyé."),
        (1, 3, "Sur 3 bordereaux, 1 n'est pas enregistré comme envoyé."),
        (2, 3, "Sur 3 bordereaux, 2 ne sont pas enregistrés comme envoyés."),
    ],
)
def test_the_steps_not_recorded_are_told_in_french(left, count, words):
    assert spoken(not_recorded(left, count, "envoyé")) == words


def test_it_is_closed_once(ledger, today):
    close(ledger)
    with pytest.raises(ClosingRefused, match="déjà clos"):
        close(ledger)


@pytest.mark.parametrize("day", [date(2025, 3, 3), date(2025, 12, 31)])
def test_not_before_the_end_of_its_year(ledger, today, day):
    today(day)
    with pytest.raises(ClosingRefused, match="court jusqu'au 31/12/2025"):
        close(ledger)


def test_the_additional_period_only_warns(ledger, today):
    today(date(2026, 1, 31))
    assert "La période complémentaire court jusqu'au 31/01/2026" in close(ledger).report["warnings"][0]


def test_an_exercice_without_titre_has_nothing_to_close(ledger, today):
    with pytest.raises(ClosingRefused, match="il n'y a rien à clore"):
        close_exercice(issuer=ledger.issuer, exercice=2023, actor="essai")


def test_a_missing_document_refuses_the_closing(ledger, today):
    path = Titre.objects.get(number=2).documents.get().document.path
    default_storage.delete(path)
    with pytest.raises(ClosingRefused, match="est absent"):
        close(ledger)
    assert not ClosedExercice.objects.exists()


def test_a_titre_without_its_pdf_refuses_the_closing(ledger, today):
    ledger.join(1)
    ledger.issue()
    with pytest.raises(ClosingRefused, match="son PDF manque"):
        close(ledger)


def test_any_deviation_refuses_the_closing(ledger, today):
    damaged(lambda: execute("UPDATE invoicing_counter SET last_number = 9 WHERE kind = 'titre'"))
    with pytest.raises(ClosingRefused, match="le compteur est à 9"):
        close(ledger)


def test_a_bordereau_neither_signed_nor_sent_only_warns(unsigned, today):
    assert look_ahead(issuer=unsigned.issuer, exercice=EXERCICE).warnings == [
        "Le seul bordereau n'est enregistré comme signé.",
        "Le seul bordereau n'est enregistré comme envoyé.",
    ]
    assert len(close(unsigned).report["warnings"]) == 2


def test_what_is_issued_while_it_is_verified_stops_the_closing(ledger, today, monkeypatch):
    def meanwhile(scope, **options):
        verdict = verify(scope, **options)
        ledger.join(1)
        ledger.issue()
        return verdict

    monkeypatch.setattr("invoicing.closing.verify", meanwhile)
    with pytest.raises(ClosingRefused, match="viennent d'être émises"):
        close(ledger)


# --- Afterwards -------------------------------------------------------------------------------


def test_a_changed_report_is_named(ledger, today):
    close(ledger)
    damaged(
        lambda: rewrite(ClosedExercice, "report", lambda report: report["collection"].update(paid="0"))
    )
    [deviation] = verify().deviations
    assert "son compte rendu a été modifié" in str(deviation)


def test_a_report_that_is_no_longer_true_is_named(ledger, today):
    close(ledger)

    def less(report):
        report["proof"]["series"][0]["count"] = 2
        execute("UPDATE invoicing_closedexercice SET sha256 = %s", [fingerprint(report)])

    damaged(lambda: rewrite(ClosedExercice, "report", less))
    forged, untrue = map(str, verify().deviations)
    assert "n'a plus l'empreinte que le journal a gardée" in forged
    assert "la série « titres » a changé depuis" in untrue


def test_a_deleted_closing_is_named(ledger, today):
    close(ledger)
    damaged(lambda: execute("DELETE FROM invoicing_closedexercice"))
    chain.link_pending()
    [message] = [str(deviation) for deviation in verify().deviations]
    assert "la clôture de «" in message
    assert "exercice clos » a disparu" in message


def test_a_report_forged_with_its_fingerprint_is_named(ledger, today):
    closed = close(ledger)

    def forge(report):
        report["closed_by"] = "autre"
        execute("UPDATE invoicing_closedexercice SET sha256 = %s", [fingerprint(report)])

    damaged(lambda: rewrite(ClosedExercice, "report", forge, pk=closed.pk))
    [message] = [str(deviation) for deviation in verify().deviations]
    assert "n'a plus l'empreinte que le journal a gardée" in message


def test_a_series_called_otherwise_is_still_true(ledger, today, monkeypatch):
    close(ledger)
    monkeypatch.setattr(Series.TITRE, "_label_", "Titres de recettes")
    assert Series.TITRE.label == "Titres de recettes"
    assert verify().green


def test_a_journal_cut_and_made_again_is_named(ledger, today):
    close(ledger)

    def again():
        execute("DELETE FROM entsvc_journallink")
        execute("UPDATE entsvc_journalentry SET summary = 'autre' WHERE action = 'payment'")
        chain.link_pending()

    damaged(again)
    assert any("le journal d'alors" in str(deviation) for deviation in verify().deviations)


def test_payments_after_the_closing_change_nothing_to_its_report(ledger, today):
    close(ledger)
    record_payment(
        titre=Titre.objects.get(number=1),
        amount=Decimal("45.00"),
        received_on=date(2026, 2, 1),
        reference="P2",
        actor="essai",
    )
    assert verify().green


# --- Command and pages ------------------------------------------------------------------------


def test_the_command_closes_and_says_why_it_cannot(ledger, today, capsys):
    arguments = ("--issuer", ledger.issuer.code, "--exercice", str(EXERCICE), "--json")
    call_command("close_exercice", *arguments)
    document = json.loads(capsys.readouterr().out)
    assert document["closed"]
    assert document["sha256"] == ClosedExercice.objects.get().sha256
    with pytest.raises(CommandError, match="déjà clos"):
        call_command("close_exercice", *arguments)
    document = json.loads(capsys.readouterr().out)
    assert (document["closed"], len(document["errors"])) == (False, 1)
    with pytest.raises(CommandError, match="Émetteur inconnu"):
        call_command("close_exercice", "--issuer", "RIEN", "--exercice", "2025")


@pytest.fixture
def finances(client, ledger):
    client.force_login(account("finances", issuers=[ledger.issuer]))
    return client


URL = "admin:invoicing_closedexercice_close"


def test_the_page_shows_what_it_freezes_before_it_closes(finances, ledger, today):
    data = {"issuer": ledger.issuer.pk, "exercice": EXERCICE}
    assert finances.get(reverse(URL)).status_code == 200
    page = finances.post(reverse(URL), data)
    assert "Reste à recouvrer" in page.content.decode()
    assert not ClosedExercice.objects.exists()
    seen = page.context["form"].data["seen"]
    response = finances.post(reverse(URL), {**data, "seen": seen})
    closed = ClosedExercice.objects.get()
    assert response.url == reverse("admin:invoicing_closedexercice_change", args=[closed.pk])
    assert closed.closed_by == "finances"
    page = finances.get(response.url).content.decode()
    assert closed.sha256 in page
    assert closed.report["proof"]["documents"]["sha256"] in page
    report = finances.get(reverse("admin:invoicing_closedexercice_download_report", args=[closed.pk]))
    assert report.content.startswith(b"%PDF-")


def test_the_page_says_why_it_cannot_close(finances, ledger, today):
    today(date(2025, 6, 1))
    page = finances.post(reverse(URL), {"issuer": ledger.issuer.pk, "exercice": EXERCICE})
    assert "court jusqu&#x27;au 31/12/2025" in page.content.decode()


def test_the_page_closes_nothing_of_another_issuer(finances, ledger, today):
    other = IssuerFactory(code="AUTRE")
    page = finances.post(reverse(URL), {"issuer": other.pk, "exercice": EXERCICE})
    assert "issuer" in page.context["form"].errors


@pytest.mark.parametrize("role", ["gestionnaire", "lecture"])
def test_only_finances_close(client, ledger, role):
    create_groups()
    client.force_login(account(role, issuers=[ledger.issuer]))
    assert client.get(reverse("admin:invoicing_closedexercice_changelist")).status_code == 200
    assert client.get(reverse(URL)).status_code == 403
