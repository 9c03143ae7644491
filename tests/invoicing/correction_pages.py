"""What the tests of the pages of corrections share: a titre of 90 €, and who corrects it."""

import datetime as dt
import io

import pytest
from django.urls import reverse
from django.utils import timezone
from pypdf import PdfReader

from invoicing.corrections import correct
from invoicing.models import Titre
from tests.conventions.world import account
from tests.factories import DatedTextFactory

DAY = dt.date(2025, 4, 10)
REASON = {
    "reason_code": Titre.Reason.WRONG_AMOUNT,
    "reason": "École fermée avant la rentrée.",
    "on": "10/04/2025",
}


@pytest.fixture(autouse=True)
def today(monkeypatch):
    """Within the exercice of the titres, but where `over` says otherwise."""
    monkeypatch.setattr(timezone, "localdate", lambda *args: dt.date(2025, 12, 1))


@pytest.fixture
def over(monkeypatch):
    """The exercice 2025 is over, and its complementary period too; nobody closed it."""
    for name in ("django.utils.timezone.localdate", "invoicing.numbering.localdate"):
        monkeypatch.setattr(name, lambda *args: dt.date(2026, 3, 2))


@pytest.fixture
def world(own_issue):
    return own_issue[0]


@pytest.fixture
def titre(own_issue):
    """A titre of 90 €: two schools."""
    return own_issue[1][1]


@pytest.fixture
def finances(client, titre):
    account(client, "finances", titre.issuer)
    return client


@pytest.fixture
def mandat_texts():
    DatedTextFactory(scope="ETAT", code="compte-exercice-clos", body="673")
    DatedTextFactory(scope="ETAT", code="motif-exercice-clos", body="Recette définitive.")


def url_of(action, titre):
    return reverse(f"admin:invoicing_titre_{action}", args=[titre.pk])


def given(world, **changes):
    return {**REASON, "signatory": world.signatory.pk, **changes}


def shown(page):
    return page.content.decode().replace("\u00a0", " ").replace("\u202f", " ").replace("&#x27;", "'")


def text_of(content):
    pages = PdfReader(io.BytesIO(content)).pages
    text = " ".join(page.extract_text() for page in pages)
    return " ".join(text.replace("’", "'").replace("\u00a0", " ").split())


def annulled(world, titre, **changes):
    asked = {
        "titre": titre,
        "kind": Titre.Kind.ANNULATION,
        "reason_code": Titre.Reason.WRONG_AMOUNT,
        "reason": "École fermée avant la rentrée.",
        "on": DAY,
        "signatory": world.signatory,
        "actor": "essai",
        **changes,
    }
    return correct(**asked)
