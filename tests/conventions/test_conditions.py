"""The conditions of a competence: a version is adopted, accepted by a member, notified to the others."""

import datetime as dt
import io
import threading

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections
from django.urls import reverse
from pypdf import PdfWriter

from conventions import conditions as rules
from conventions import states
from conventions.conditions import ConditionsRefused
from conventions.models import Conditions, ConditionsNotice
from conventions.policies import PARTNERSHIP_2024, TRANSFER
from entsvc import scans
from entsvc.models import JournalEntry, OutgoingMail, StoredDocument
from tests.conventions.world import account
from tests.factories import (
    ActFactory,
    ConditionsFactory,
    ConventionFactory,
    IssuerFactory,
    LocalIssuerFactory,
    MemberFactory,
    ScheduleFactory,
    StoredDocumentFactory,
)

pytestmark = pytest.mark.django_db

FIRST, SECOND, TOLD = dt.date(2023, 6, 15), dt.date(2024, 6, 20), dt.date(2024, 7, 1)


@pytest.fixture
def schedule():
    return ScheduleFactory(issuer=LocalIssuerFactory())


@pytest.fixture
def first(schedule):
    return version(schedule.issuer, "15 juin 2023", FIRST)


@pytest.fixture
def second(schedule):
    return version(schedule.issuer, "20 juin 2024", SECOND)


def version(issuer, label, date):
    return ConditionsFactory(issuer=issuer, label=label, act=ActFactory(issuer=issuer, date=date))


def a_transfer(schedule, accepted=None, email="epci@example.org", voted=dt.date(2023, 9, 28), **facts):
    party = MemberFactory(kind="epci", email=email)
    act = ActFactory(issuer=None, member=party, date=voted)
    known = {"policy": TRANSFER.code, "party": party, "act": act, "conditions": accepted}
    return ConventionFactory(schedule=schedule, **{**known, **facts})


def notify(conditions, conventions=None, on=TOLD):
    wanted = rules.to_notify(conditions) if conventions is None else conventions
    return rules.notify(conditions=conditions, conventions=wanted, on=on, actor="essai")


def text(page):
    return page.content.decode().replace("\u00a0", " ").replace("&#x27;", "'").replace("&nbsp;", " ")


def test_it_works(schedule, first, second):
    """A new version is notified to the member that accepted the one before."""
    convention = a_transfer(schedule, accepted=first)
    assert rules.current(schedule.issuer) == second
    assert rules.to_notify(second) == [convention]
    done = notify(second)
    assert (done.told, done.without_address) == ((convention,), ())
    assert rules.to_notify(second) == []
    notice = ConditionsNotice.objects.get()
    assert (notice.convention, notice.notified_on, notice.actor) == (convention, TOLD, "essai")
    [mail] = OutgoingMail.objects.all()
    assert mail.recipient == "epci@example.org"
    assert "20 juin 2024" in mail.subject
    assert "« 15 juin 2023 »" in mail.text
    assert convention.reference in mail.html
    assert "/espace/" in mail.text


# Whom.


def test_a_member_that_accepted_this_version_or_a_later_one_is_not_notified(schedule, first, second):
    a_transfer(schedule, accepted=second, voted=dt.date(2024, 9, 1))
    assert rules.to_notify(second) == rules.to_notify(first) == []


def test_a_member_whose_acceptance_is_not_recorded_is_notified(schedule, first):
    convention = a_transfer(schedule)
    assert rules.to_notify(first) == [convention]


def test_only_members_bound_by_conditions_are_notified(schedule, second):
    a_transfer(schedule, policy=PARTNERSHIP_2024.code)
    a_transfer(ScheduleFactory())
    for status in set(states.AGREEMENT_STATES) - set(rules.BOUND):
        a_transfer(schedule, status=status)
    signed = a_transfer(schedule, status=states.SIGNED)
    assert rules.to_notify(second) == [signed]
    assert notify(second, [a_transfer(ScheduleFactory()), signed]).told == (signed,)


def test_notifying_twice_tells_each_member_once(schedule, second):
    convention = a_transfer(schedule)
    notify(second)
    assert notify(second, [convention]).told == ()
    assert ConditionsNotice.objects.count() == OutgoingMail.objects.count() == 1
    assert JournalEntry.objects.filter(action="conditions").count() == 1


def test_a_member_without_address_is_recorded_and_named(schedule, second):
    silent, heard = a_transfer(schedule, email=""), a_transfer(schedule)
    done = notify(second)
    assert set(done.told) == {silent, heard}
    assert done.without_address == (silent,)
    assert OutgoingMail.objects.count() == 1


@pytest.mark.parametrize(
    ("on", "told"), [(dt.date(2099, 1, 1), "pas encore passé"), (FIRST, "ne sont adoptées que le")]
)
def test_a_version_is_notified_once_adopted_and_not_ahead(schedule, second, on, told):
    a_transfer(schedule)
    with pytest.raises(ConditionsRefused, match=told):
        notify(second, on=on)
    assert not ConditionsNotice.objects.exists()


# What a member accepts.


def test_the_deliberation_accepts_one_version(schedule, first, second):
    convention = a_transfer(schedule)
    accepted = rules.accept(convention=convention, conditions=first, actor="essai")
    assert accepted.conditions == first
    assert accepted.history.count() == 2


def test_the_version_of_another_issuer_is_never_accepted(schedule):
    theirs = version(IssuerFactory(), "ailleurs", FIRST)
    convention = a_transfer(schedule)
    with pytest.raises(ConditionsRefused, match="autre émetteur"):
        rules.accept(convention=convention, conditions=theirs, actor="essai")
    convention.conditions = theirs
    with pytest.raises(ValidationError, match="autre émetteur"):
        convention.full_clean()


def test_a_deliberation_accepts_no_version_adopted_after_it(schedule, second):
    convention = a_transfer(schedule, voted=dt.date(2023, 9, 28))
    with pytest.raises(ConditionsRefused, match="précède l'adoption"):
        rules.accept(convention=convention, conditions=second, actor="essai")


def test_without_deliberation_nobody_accepts(schedule, first):
    with pytest.raises(ConditionsRefused, match="La délibération du membre manque"):
        rules.accept(convention=a_transfer(schedule, act=None), conditions=first, actor="essai")


def test_a_text_without_conditions_accepts_none(schedule, first):
    convention = a_transfer(schedule, policy=PARTNERSHIP_2024.code, conditions=first)
    with pytest.raises(ValidationError, match="ne connaît pas de conditions"):
        convention.full_clean()


# The pages.


@pytest.fixture
def gestionnaire(client, schedule):
    account(client, "gestionnaire", schedule.issuer)
    return client


def address(conditions, action="change"):
    return f"/admin/conventions/conditions/{conditions.pk}/{action}/"


def test_the_page_lists_who_accepted_who_is_notified_and_who_remains(
    gestionnaire, schedule, first, second
):
    a_transfer(schedule, accepted=first, reference="ANCIEN")
    a_transfer(schedule, accepted=second, voted=dt.date(2024, 9, 1), reference="NOUVEAU")
    shown = text(gestionnaire.get(address(second)))
    assert "(plus ancienne)" in shown
    assert "acceptée par sa délibération" in shown
    assert "à notifier" in shown
    notify(second)
    assert "notifiée le 01/07/2024 par essai" in text(gestionnaire.get(address(second)))


def notify_url(conditions):
    return reverse("admin:conventions_conditions_notify_members", args=[conditions.pk])


def test_the_button_says_who_is_told_then_tells_them(gestionnaire, schedule, second):
    a_transfer(schedule, email="")
    url = notify_url(second)
    page = gestionnaire.get(url)
    assert "Notifier 1 membre" in text(page)
    assert not ConditionsNotice.objects.exists()
    refused = gestionnaire.post(url, {"on": "15/06/2023"})
    assert "ne sont adoptées que le 20 juin 2024" in text(refused)
    done = gestionnaire.post(url, {"on": "01/07/2024"}, follow=True)
    assert "1 membre notifié." in text(done)
    assert "à notifier par lettre" in text(done)
    assert "ou en sont notifiés" in text(gestionnaire.get(url, follow=True))


def test_an_acceptance_is_recorded_from_the_page_and_a_refusal_is_told(gestionnaire, schedule, first):
    convention = a_transfer(schedule)
    url = address(first, f"acceptation/{convention.pk}")
    assert "Le membre accepte cette version" in text(gestionnaire.get(url))
    assert "version acceptée" in text(gestionnaire.post(url, follow=True))
    early = a_transfer(schedule, voted=dt.date(2023, 1, 1))
    refused = gestionnaire.post(address(first, f"acceptation/{early.pk}"), follow=True)
    assert "précède l'adoption" in text(refused)


def test_a_version_that_somebody_accepted_only_receives_its_missing_document(
    gestionnaire, schedule, first
):
    assert "label" in gestionnaire.get(address(first)).context["adminform"].form.fields
    convention = a_transfer(schedule, accepted=first)
    page = gestionnaire.get(address(first))
    assert list(page.context["adminform"].form.fields) == ["file"]
    file = SimpleUploadedFile("x.pdf", a_pdf(), "application/pdf")
    assert gestionnaire.post(address(first), {"file": file, "label": "autre"}).status_code == 302
    kept = Conditions.objects.get()
    assert (kept.label, kept.document is None) == (first.label, False)
    assert gestionnaire.post(address(first), {"label": "autre"}).status_code == 403
    assert convention.reference in text(gestionnaire.get(address(first)))
    assert gestionnaire.get(address(first, "delete")).status_code == 403


def test_the_document_is_a_checked_pdf_kept_and_given_back(gestionnaire, schedule, monkeypatch):
    asked, check = [], scans.check_pdf
    depth = len(connection.savepoint_ids)

    def watch(content):
        asked.append(len(connection.savepoint_ids) - depth)
        check(content)

    monkeypatch.setattr(scans, "check_pdf", watch)
    act = ActFactory(issuer=schedule.issuer)
    url = "/admin/conventions/conditions/add/"
    given = {"issuer": schedule.issuer.pk, "label": "v1", "act": act.pk}
    bad = SimpleUploadedFile("x.pdf", b"<script>", "application/pdf")
    assert gestionnaire.post(url, {**given, "file": bad}).status_code == 200
    assert not StoredDocument.objects.exists()
    good = SimpleUploadedFile("x.pdf", a_pdf(), "application/pdf")
    assert gestionnaire.post(url, {**given, "file": good}).status_code == 302
    assert asked == [0, 0]  # each once, outside the transaction of the page
    made = Conditions.objects.get()
    assert "Télécharger" in text(gestionnaire.get(address(made)))
    answer = gestionnaire.get(address(made, "document"))
    assert answer["Content-Disposition"].startswith("attachment")
    assert b"".join(answer) == a_pdf()
    without = version(schedule.issuer, "v2", SECOND)
    assert gestionnaire.get(address(without, "document")).status_code == 404


def test_a_document_that_was_lost_is_told_on_the_page(gestionnaire, second):
    second.document = StoredDocumentFactory()
    second.save()
    answer = gestionnaire.get(address(second, "document"), follow=True)
    assert answer.redirect_chain == [(address(second), 302)]
    assert "restaurez-le depuis la sauvegarde" in text(answer)


def a_pdf():
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    stream = io.BytesIO()
    writer.write(stream)
    return stream.getvalue()


def test_an_act_of_another_issuer_adopts_nothing(gestionnaire, schedule):
    given = {"issuer": schedule.issuer.pk, "label": "v1"}
    act = ActFactory(issuer=None, member=MemberFactory())
    page = gestionnaire.post("/admin/conventions/conditions/add/", {**given, "act": act.pk})
    assert "Cet acte n'est pas de cet émetteur" in text(page)


def test_who_only_reads_and_another_issuer_notify_nothing(client, schedule, second):
    convention = a_transfer(schedule)
    urls = [notify_url(second), address(second, f"acceptation/{convention.pk}")]
    account(client, "lecture", schedule.issuer)
    assert client.get(address(second)).status_code == 200
    assert [client.post(url, {"on": "01/07/2024"}).status_code for url in urls] == [403, 403]
    client.logout()
    ours = account(client, "gestionnaire")
    ours.issuers.set([IssuerFactory()])
    assert [client.post(url, {"on": "01/07/2024"}).status_code for url in urls] == [404, 404]
    assert client.get(address(second, "document")).status_code == 404
    assert not ConditionsNotice.objects.exists()


def test_the_page_makes_few_queries(gestionnaire, schedule, second, django_assert_max_num_queries):
    for _ in range(8):
        a_transfer(schedule, email="")
    second.document = StoredDocumentFactory()
    second.save()
    notify(second)
    with django_assert_max_num_queries(20):
        gestionnaire.get(address(second))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite writes one at a time")
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("unguarded")
def test_two_clicks_at_once_notify_once(schedule, second):
    a_transfer(schedule)
    start, told = threading.Barrier(2), []

    def click():
        start.wait()
        told.append(len(notify(second).told))
        connections.close_all()

    threads = [threading.Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [0, 1]
