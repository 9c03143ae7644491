"""What was told for the budgets, beside what is called: in the review of a run, and among the works."""

import datetime as dt

import pytest
from django.urls import reverse

from conventions.forecasts import letters
from tests.conventions.forecasts.foretelling import drawn, prepared, sent
from tests.conventions.world import account
from tests.invoicing.world import YEAR, a_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(client, monkeypatch):
    monkeypatch.setattr(letters, "render_pdf", lambda template, context: repr(context).encode())
    world = a_world(members=2)
    account(client, "gestionnaire", world.issuer)
    return world


def page_of(client, run, member):
    call = run.calls.get(debtor=member)
    address = reverse("collection:review-member", args=[run.pk, call.pk])
    text = client.get(address).content.decode()
    return text.replace("\u00a0", " ").replace("\u202f", " ").replace("&#x27;", "'")


def test_the_review_tells_what_was_announced_and_the_difference(client, world):
    run, member = world.compute(), world.members[0]
    assert "Annoncé au budget" not in page_of(client, run, member)
    facts = {"year": YEAR, "exercice": 2025, "written_on": dt.date(2024, 10, 7)}
    sent(world.schedule, given={"prix-ECOLE": "40"}, **facts)
    called = run.calls.get(debtor=member).total
    text = page_of(client, run, member)
    assert "Annoncé au budget 2025 : 40,00 € le 7 octobre 2024" in text
    assert f"l'appel est à +{str(called - 40).replace('.', ',')} €" in text


def test_the_works_tell_how_far_the_letters_are(client, world):
    forecast = prepared(world.schedule, year=YEAR)
    page = client.get(reverse("collection:works"))
    [entry] = [entry for entry in page.context["entries"] if "Lettres" in entry.title]
    assert entry.address == reverse("conventions:forecast", args=[forecast.pk])
    assert (entry.progress.done, entry.progress.total) == (0, 2)
    drawn(forecast)
    page = client.get(reverse("collection:works"))
    [entry] = [entry for entry in page.context["entries"] if "Lettres" in entry.title]
    assert entry.progress.done == 2
