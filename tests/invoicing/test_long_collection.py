"""The workbook of a campaign, reminders and deliveries apart: in the click, or in the background."""

import datetime as dt
from io import BytesIO

import pytest
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from conventions.models import Delivery
from entsvc import short_lived
from entsvc.models import JournalEntry, Work
from invoicing import collection_pages, long_collection
from invoicing.models import Reminder, Run
from invoicing.regimes import load_regimes
from invoicing.reminders import due_reminders
from tests.invoicing.test_deliveries import HALF_DAY, deliver
from tests.invoicing.test_drawing_pages import sign_in, words
from tests.invoicing.world import a_world

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:unclosed file .*sRGB2014:ResourceWarning"),
]


@pytest.fixture
def finances(client, world):
    sign_in(client, "finances", world.issuer)
    return client


@pytest.fixture
def follow(django_capture_on_commit_callbacks):
    """Ask for something, let the background do it, and return the page that follows it."""

    def asked(client, url, data=None):
        with django_capture_on_commit_callbacks(execute=True):
            answer = client.post(url, data) if data is not None else client.get(url)
        assert answer.url == reverse("work", args=[Work.objects.get().pk])
        with django_capture_on_commit_callbacks(execute=True):
            client.get(answer.url)
        return client.get(answer.url)

    return asked


def test_the_workbook_of_a_large_campaign_is_made_in_the_background_and_kept_some_days(
    finances, world, blank_pdf, monkeypatch, follow
):
    campaign = world.issue().bordereau.run.campaign
    url = reverse("collection:campaign-workbook", args=[campaign.pk])
    at_once = load_workbook(BytesIO(finances.get(url).content))
    monkeypatch.setattr(long_collection, "LARGE_CAMPAIGN", 2)
    page = follow(finances, url)
    assert f"Ce fichier est gardé {short_lived.FILE_DAYS} jours." in words(page)
    answer = finances.get(page.context["result"])
    assert load_workbook(BytesIO(answer.content)).sheetnames == at_once.sheetnames
    assert answer["Content-Disposition"].endswith('.xlsx"')
    actions = JournalEntry.objects.filter(action__in=["export", "download"]).order_by("pk")
    assert [entry.action for entry in actions] == ["export", "export", "download"]
    later = timezone.now() + dt.timedelta(days=short_lived.FILE_DAYS + 1)
    monkeypatch.setattr(short_lived, "_oldest", lambda: later.date())
    work = Work.objects.get()
    gone = finances.get(reverse("work-file", args=[work.pk]), follow=True)
    assert words(gone).count("Ce fichier n'est plus conservé : demandez-le de nouveau.") == 2
    assert gone.context["result"] == ""


def test_what_is_to_attach_of_many_agreements_is_computed_in_the_background(
    finances, world, monkeypatch, follow
):
    monkeypatch.setattr(long_collection, "LARGE_PORTFOLIO", 2)
    url = reverse("admin:invoicing_campaign_export_unbilled")
    page = follow(finances, url, {"issuer": world.issuer.pk, "exercice": 2025})
    book = load_workbook(BytesIO(finances.get(page.context["result"]).content))
    found = {cell for row in book.active.iter_rows(values_only=True) for cell in row}
    assert {member.siret for member in world.members} <= found


def test_many_reminders_are_written_in_the_background_even_those_not_shown(
    finances, world, blank_pdf, monkeypatch, follow
):
    load_regimes(actor="essai")
    titres = world.issue().titres
    monkeypatch.setattr("invoicing.reminders.render_pdf", lambda template, context: b"%PDF")
    monkeypatch.setattr(collection_pages, "LARGE_MAIL", 2)
    url = f"{reverse('collection:reminders')}?emetteur={world.issuer.code}"
    assert len(due_reminders(world.issuer, timezone.localdate())) == 3
    page = follow(finances, url, {"titre": [titre.pk for titre in titres]})
    assert "3 relances écrites." in words(page)
    assert Reminder.objects.count() == 3
    assert finances.post(url, {"titre": [titre.pk for titre in titres]}).url == url  # none is left


def test_all_the_reminders_that_nothing_warns_of_are_asked_for_at_once(
    finances, world, blank_pdf, monkeypatch
):
    load_regimes(actor="essai")
    world.issue()
    url = f"{reverse('collection:reminders')}?emetteur={world.issuer.code}"
    asked = []
    monkeypatch.setattr(collection_pages, "_write_now", lambda *given: asked.append(given[3]))
    finances.post(url, {"toutes": "1"})
    assert asked == []  # their bordereau was never sent
    monkeypatch.setattr("invoicing.reminders.Due.warning", "")
    monkeypatch.setattr(collection_pages, "AT_ONCE", 1)
    assert "Écrire les 3, même celles" in words(finances.get(url))
    finances.post(url, {"toutes": "1"})
    assert [len(due) for due in asked] == [3]


def test_deliveries_of_many_payers_are_billed_in_the_background(client, db, monkeypatch, follow):
    world = a_world(members=2, charges=({}, HALF_DAY))
    sign_in(client, "gestionnaire", world.issuer)
    rows = [deliver(member, dt.date(2025, 1, 7), apart=True) for member in world.members]
    monkeypatch.setattr(long_collection, "LARGE_BILLING", 1)
    url = reverse("admin:conventions_delivery_bill_apart")
    page = follow(client, url, {"deliveries": [row.pk for row in rows]})
    assert "2 campagnes à part calculées : 300,00 €." in words(page).replace("\u202f", " ")
    assert list(Run.objects.order_by("pk").values_list("total", flat=True)) == [150, 150]
    assert Delivery.objects.count() == 2
