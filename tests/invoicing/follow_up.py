"""What the tests of the pages after an issue share: a bordereau of three titres, signed and sent."""

import datetime as dt

import pytest
from django.urls import reverse
from django.utils import timezone

from invoicing.bordereaux import send, sign
from invoicing.corrections import correct
from members.models import Signatory
from tests.invoicing.test_admin import account
from tests.invoicing.test_admin import issued as issued
from tests.invoicing.test_admin import occ as occ
from tests.invoicing.test_admin import run as run


def said(page):
    return [str(message).replace("\xa0", " ") for message in page.context["messages"]]


def words(page):
    return " ".join(page.content.decode().replace("\xa0", " ").split())


@pytest.fixture
def finances(client, occ):
    client.force_login(account("finances", issuers=[occ.issuer]))
    return client


@pytest.fixture
def signatory(issued):
    return Signatory.objects.get(issuer=issued.issuer)


@pytest.fixture
def sent(issued, signatory):
    day = issued.issued_on
    sign(bordereau=issued, signatory=signatory, on=day, actor="essai")
    send(bordereau=issued, on=day, actor="essai")
    return issued


def bordereau_page(name, bordereau):
    return reverse(f"admin:invoicing_bordereau_{name}", args=[bordereau.pk])


def titre_page(name, titre):
    return reverse(f"admin:invoicing_titre_{name}", args=[titre.pk])


@pytest.fixture
def today(monkeypatch):
    """Within the exercice of the titres."""
    monkeypatch.setattr(timezone, "localdate", lambda *args: dt.date(2025, 12, 1))


def annulled(titre, signatory):
    return correct(
        titre=titre, kind="annulation", reason_code="liquidation", reason="Erreur.",
        on=dt.date(2025, 3, 3), signatory=signatory, actor="essai",
    )  # fmt: skip
