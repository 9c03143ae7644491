"""Friendly reminders: level after level, each once, for what is still to pay."""

import datetime as dt
from decimal import Decimal

import pytest
from django.urls import reverse

from entsvc import documents
from entsvc.models import JournalEntry
from invoicing.bordereaux import send, sign
from invoicing.corrections import correct
from invoicing.models import Reminder, ReminderStep, Titre, TitreEvent
from invoicing.payments import record_payment
from invoicing.regimes import load_regimes
from invoicing.reminders import ReminderRefused, due_reminders, next_step, write_reminders
from members.models import Accountant
from tests.conventions.world import account
from tests.factories import IssuerFactory
from tests.invoicing.test_balance import ask_mandat
from tests.invoicing.test_rendering import text_of
from tests.invoicing.world import ISSUED_ON, a_world

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file .*sRGB2014:ResourceWarning")
STEPS = [ReminderStep(level=level, days=days) for level, days in ((1, 15), (2, 45), (3, 75))]
TODAY = dt.date(2025, 6, 1)


def day(number):
    """Return a day by its number after the (approximate) due date."""
    return ISSUED_ON + dt.timedelta(days=30 + number)


@pytest.fixture(scope="module")
def kept_issue(kept):
    """Titres whose bordereau goes nowhere, of an issuer with the reminders shipped."""

    def write():
        world = a_world()
        load_regimes(actor="essai")
        return world, sorted(world.issue().titres, key=lambda titre: titre.total)

    return kept(write)


@pytest.fixture
def world(own_issue):
    return own_issue[0]


@pytest.fixture
def unsent(own_issue):
    """Titres of 45, 90 and 135 €."""
    return own_issue[1]


@pytest.fixture
def titres(world, unsent):
    """Those titres, sent to the accountant."""
    bordereau = unsent[0].bordereau
    sign(bordereau=bordereau, signatory=world.signatory, on=ISSUED_ON, actor="essai")
    send(bordereau=bordereau, on=ISSUED_ON, actor="essai")
    return unsent


@pytest.fixture
def no_pdf(monkeypatch):
    def draw(template, context):
        return f"%PDF {context['document']['reference']} {context['document']['title']}".encode()

    monkeypatch.setattr("invoicing.reminders.render_pdf", draw)


def write(world, number, **asked):
    return write_reminders(issuer=world.issuer, on=day(number), actor="essai", **asked)


def levels(world, number):
    return [row.step.level for row in due_reminders(world.issuer, day(number))]


def pay(titre, amount):
    record_payment(
        titre=titre, amount=Decimal(amount), received_on=day(1), reference="VIR-1", actor="essai"
    )


# --- Which level, when ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("late", "written", "level"),
    [
        (-3, [], None),
        (14, [], None),
        (15, [], 1),
        (400, [], 1),
        (45, [(1, 15)], 2),
        (400, [(1, 399)], None),
        (400, [(1, 371)], None),
        (400, [(1, 370)], 2),
        (400, [(1, 15), (2, 45)], 3),
        (400, [(1, 15), (2, 45), (3, 75)], None),
        (400, [(3, 75)], None),
    ],
)
def test_the_levels_follow_one_another_each_once_and_apart(late, written, level):
    rows = [(number, day(on)) for number, on in written]
    step = next_step(STEPS, late, rows, day(late))
    assert (step and step.level) == level


def test_nothing_is_written_before_the_due_date_even_without_delay():
    at_once = [ReminderStep(level=1, days=0)]
    assert next_step(at_once, 0, [], day(0)) is None
    assert next_step(at_once, 1, [], day(1)) == at_once[0]


def test_only_what_is_still_to_pay_is_reminded(world, titres):
    assert levels(world, 14) == []
    assert levels(world, 15) == [1, 1, 1]
    pay(titres[0], "45.00")
    correct(
        titre=titres[1],
        kind=Titre.Kind.ANNULATION,
        reason_code=Titre.Reason.DUPLICATE,
        reason="Déjà appelé.",
        on=day(2),
        signatory=world.signatory,
        actor="essai",
    )
    assert [row.titre.reference for row in due_reminders(world.issuer, day(15))] == [titres[2].reference]
    TitreEvent.objects.create(
        titre=titres[2],
        kind=TitreEvent.Kind.REJECTED,
        on=day(3),
        comment="compte",
        recorded_by="essai",
    )
    assert levels(world, 15) == []


def test_a_titre_wholly_asked_back_by_a_mandat_is_not_reminded(world, titres):
    ask_mandat(titres[0], "45.00", day(1))
    ask_mandat(titres[1], "89.99", day(1))
    keys = {row.titre.key for row in due_reminders(world.issuer, day(15))}
    assert keys == {titres[1].pk, titres[2].pk}
    pay(titres[1], "0.01")
    assert [row.titre.key for row in due_reminders(world.issuer, day(15))] == [titres[2].pk]


def test_a_mandat_asked_for_meanwhile_stops_the_letter(world, titres, monkeypatch):
    def draw(template, context):
        titre = Titre.objects.get(reference=context["document"]["reference"])
        ask_mandat(titre, titre.total, day(15))
        return b"%PDF"

    monkeypatch.setattr("invoicing.reminders.render_pdf", draw)
    done = write(world, 15)
    assert done.reminders == []
    assert "un mandat est demandé" in done.refused[0]


# --- Writing ----------------------------------------------------------------------------------


def test_each_level_is_written_once_with_its_document_and_the_journal(world, titres, no_pdf):
    assert len(write(world, 15).reminders) == 3
    assert write(world, 15).reminders == []
    assert len(write(world, 45).reminders) == 3
    reminders = list(Reminder.objects.filter(titre=titres[0]).order_by("level"))
    assert [(row.level, row.remaining) for row in reminders] == [(1, 45), (2, 45)]
    assert b"Second rappel amiable" in documents.read(reminders[1].document)
    assert JournalEntry.objects.filter(action="reminder").count() == 6


def test_some_are_written_and_the_others_stay_due(world, titres, no_pdf):
    assert len(write(world, 15, only={titres[0].pk}).reminders) == 1
    assert len(write(world, 15, most=1).reminders) == 1
    assert len(due_reminders(world.issuer, day(15))) == 1


def test_a_titre_never_sent_is_reminded_only_if_it_is_asked_for(world, no_pdf, unsent):
    titres = unsent
    warnings = [row.warning for row in due_reminders(world.issuer, day(15))]
    assert all("jamais envoyé au comptable" in warning for warning in warnings)
    assert len(warnings) == 3
    assert write(world, 15).reminders == []
    asked = write(world, 15, only={titres[0].pk})
    assert [reminder.titre_id for reminder in asked.reminders] == [titres[0].pk]


def test_what_the_accountant_answered_or_received_was_sent(world, unsent):
    """Nobody may have recorded that the bordereau went: what came back says it."""
    titres = unsent
    pay(titres[1], "10.00")
    taken = {"kind": TitreEvent.Kind.TAKEN, "on": day(3), "recorded_by": "essai"}
    TitreEvent.objects.create(titre=titres[2], **taken)
    warned = {row.titre.key for row in due_reminders(world.issuer, day(15)) if row.warning}
    assert warned == {titres[0].pk}


def test_the_page_leaves_out_and_says_why_what_was_never_sent(client, world, no_pdf, unsent):
    titres = unsent
    account(client, "finances", world.issuer)
    url = f"{reverse('collection:reminders')}?emetteur={world.issuer.code}"
    page = client.get(url).text
    assert page.count("jamais envoyé au comptable : le débiteur") == 3
    assert "3 titres ne sont pas cochés" in page.replace("\u00a0", " ").replace("\u202f", " ")
    assert f'value="{titres[0].pk}" aria-label' in page
    client.post(url, {"titre": [str(titres[0].pk)]})
    assert Reminder.objects.get().titre_id == titres[0].pk


def test_a_payment_recorded_meanwhile_stops_the_letter(world, titres, monkeypatch):
    def draw(template, context):
        if not titres[0].payments.exists():
            pay(titres[0], "45.00")
        return context["document"]["reference"].encode()

    monkeypatch.setattr("invoicing.reminders.render_pdf", draw)
    done = write(world, 15, only={titres[0].pk})
    assert done.reminders == []
    assert "payé entre-temps" in done.refused[0]
    assert not Reminder.objects.exists()


def test_a_letter_is_refused_for_a_day_to_come_or_without_accountant(world, titres, no_pdf):
    with pytest.raises(ReminderRefused, match="à venir"):
        write_reminders(issuer=world.issuer, on=dt.date(2999, 1, 1), actor="essai")
    Accountant.objects.filter(issuer=world.issuer).update(valid_to=day(0))
    with pytest.raises(ReminderRefused, match="comptable"):
        write(world, 15)


def test_the_letter_says_what_is_left_how_to_pay_and_who_collects(world, titres):
    pay(titres[1], "30.00")
    [reminder] = write(world, 15, only={titres[1].pk}).reminders
    text = text_of(documents.read(reminder.document))
    for words in (
        "Rappel amiable", titres[1].reference, titres[1].debtor_name, "vers le 2 avril 2025",
        "Reste à payer 60,00", "30,00", titres[1].payload["document"]["payment_reference"],
        world.accountant.name, "Le recouvrement appartient au comptable", "Madame, Monsieur",
    ):  # fmt: skip
        assert words in text.replace("\xa0", " ").replace("\u202f", " "), words
    assert "{" not in text


# --- The levels -------------------------------------------------------------------------------


# --- Staff pages ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "status"), [("finances", 200), ("gestionnaire", 403), ("lecture", 403)]
)
def test_only_finances_writes_reminders(client, world, titres, role, status):
    account(client, role, world.issuer)
    assert client.get(reverse("collection:reminders")).status_code == status
    asked = client.post(reverse("collection:reminders")).status_code
    assert asked == (302 if status == 200 else status)
    assert client.get(reverse("admin:invoicing_reminder_changelist")).status_code == 200


def test_an_officer_reads_the_list_then_writes_those_ticked_once(client, world, titres, no_pdf):
    account(client, "finances", world.issuer)
    url = f"{reverse('collection:reminders')}?emetteur={world.issuer.code}"
    page = client.get(url)
    assert page.context["count"] == 3
    assert not Reminder.objects.exists()
    chosen = {"titre": [str(titres[0].pk), str(titres[1].pk)]}
    for _ in range(2):
        page = client.post(url, chosen, follow=True)
    assert Reminder.objects.count() == 2
    assert "Cochez au moins une relance" in page.content.decode()
    assert page.context["count"] == 1


def test_the_reminders_of_another_issuer_can_not_be_written(client, world, titres, no_pdf):
    account(client, "finances", IssuerFactory(code="AUTRE"))
    url = f"{reverse('collection:reminders')}?emetteur={world.issuer.code}"
    client.post(url, {"titre": [str(titres[0].pk)]})
    assert not Reminder.objects.exists()


def test_the_letters_are_downloaded_one_by_one_or_together(client, world, titres, no_pdf):
    write(world, 15)
    account(client, "lecture", world.issuer)
    reminder = Reminder.objects.order_by("pk").first()
    response = client.get(reverse("admin:invoicing_reminder_download_letter", args=[reminder.pk]))
    assert response.content.startswith(b"%PDF")
    keys = [str(row.pk) for row in Reminder.objects.order_by("pk")]
    response = client.post(
        reverse("admin:invoicing_reminder_changelist"),
        {"action": "download_all", "_selected_action": keys},
    )
    assert response["Content-Type"] == "application/zip"
