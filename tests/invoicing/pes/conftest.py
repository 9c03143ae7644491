"""A bordereau of a local issuer under Hélios: three titres, one with a deduction, drawn."""

import datetime as dt

import pytest
from django.utils import timezone

from invoicing.models import Channel
from invoicing.rendering import render_missing
from members.models import Issuer
from tests.factories import DatedTextFactory
from tests.invoicing.world import a_world

DAY = dt.date(2025, 3, 10)


@pytest.fixture
def day(monkeypatch):
    monkeypatch.setattr(timezone, "localdate", lambda *args: DAY)


@pytest.fixture
def local(db, blank_pdf):
    """A local issuer, its channel and the texts of the notice."""
    world = a_world(regime=Issuer.Regime.LOCAL)
    world.channel = Channel.objects.create(
        issuer=world.issuer, kind="helios_pes", body_code="123", bank_reference="FR00ZZZ999999"
    )
    for code in ("asap-contestation", "asap-reglement"):
        DatedTextFactory(scope="LOCAL", code=code, body=f"Texte {code} {{tribunal}}")
    return world


@pytest.fixture
def bordereau(local, day):
    issued = local.issue().bordereau
    list(render_missing(issued.titres.all()))
    return issued
