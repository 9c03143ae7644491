"""What the tests of the pages after an issue share: a bordereau of three titres, signed and sent."""

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from invoicing.bordereaux import send, sign
from invoicing.calculation import compute_run
from invoicing.corrections import correct
from invoicing.models import Bordereau
from members.models import Signatory, User
from tests.invoicing.test_admin import account, issue_from_its_page
from tests.invoicing.test_admin import occ as occ
from tests.invoicing.test_scope import sent_back
from tests.invoicing.world import draw_blank


def said(page):
    return [str(message).replace("\xa0", " ") for message in page.context["messages"]]


def words(page):
    return " ".join(page.content.decode().replace("\xa0", " ").split())


@pytest.fixture
def finances(client, occ):
    client.force_login(account("finances", issuers=[occ.issuer]))
    return client


@pytest.fixture(scope="module")
def kept_issued(kept, kept_occ):
    """Issued from its page, with its documents, once for a module."""

    def write():
        with pytest.MonkeyPatch.context() as patch:
            draw_blank(patch)
            run = compute_run(schedule=kept_occ, year=2024, actor="test")
            issue_from_its_page(Client(), kept_occ, run)

    kept(write)


@pytest.fixture
def issued(kept_issued, client, db, blank_pdf):
    client.force_login(User.objects.get(username="chef"))
    return Bordereau.objects.get()


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


def save(client, titre, number):
    """Save the page of a titre as a browser does, with another number."""
    url = titre_page("change", titre)
    return client.post(url, {**sent_back(client.get(url)), "external_reference": number})
