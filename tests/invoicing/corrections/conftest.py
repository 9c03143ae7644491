"""Three titres of 2025, in March 2026: their exercice is over."""

import datetime as dt

import pytest
from django.utils import timezone

from invoicing import mandats
from members.models import Issuer
from tests.factories import DatedTextFactory


@pytest.fixture(autouse=True)
def today(monkeypatch):
    """The exercice 2025 is over, and its complementary period too."""
    monkeypatch.setattr(timezone, "localdate", lambda *args: dt.date(2026, 3, 2))


@pytest.fixture
def world(own_issue):
    return own_issue[0]


@pytest.fixture
def titres(own_issue):
    """Titres of 45, 90 and 135 €."""
    return own_issue[1]


@pytest.fixture
def titre(titres):
    """A titre of 90 €: two schools."""
    return titres[1]


@pytest.fixture
def drawn(monkeypatch):
    """Keep what the document of a request says instead of drawing it."""
    contexts = []

    def draw(template, context):
        contexts.append(context)
        return f"%PDF {len(contexts)}".encode()

    monkeypatch.setattr(mandats, "render_pdf", draw)
    DatedTextFactory(scope=Issuer.Regime.STATE, code="compte-exercice-clos", body="673")
    DatedTextFactory(scope=Issuer.Regime.STATE, code="motif-exercice-clos", body="Recette définitive.")
    return contexts
