"""A bordereau of a local issuer under Hélios: three titres, one with a deduction, drawn."""

import copy
import datetime as dt

import pytest
from django.utils import timezone

from invoicing.models import Channel
from invoicing.rendering import render_missing
from invoicing.roles import create_groups
from members.models import Issuer
from tests.factories import DatedTextFactory
from tests.invoicing.world import a_world, draw_blank

DAY = dt.date(2025, 3, 10)


@pytest.fixture
def day(monkeypatch):
    monkeypatch.setattr(timezone, "localdate", lambda *args: DAY)


def a_local_world():
    """A local issuer, its channel and the texts of the notice."""
    world = a_world(regime=Issuer.Regime.LOCAL)
    world.channel = Channel.objects.create(
        issuer=world.issuer, kind="helios_pes", body_code="123", bank_reference="FR00ZZZ999999"
    )
    for code in ("asap-contestation", "asap-reglement"):
        DatedTextFactory(scope="LOCAL", code=code, body=f"Texte {code} {{tribunal}}")
    return world


@pytest.fixture(scope="module")
def kept_bordereau(kept):
    """Issued and drawn once for a module."""

    def write():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(timezone, "localdate", lambda *args: DAY)
            draw_blank(patch)
            create_groups()
            world = a_local_world()
            bordereau = world.issue().bordereau
            list(render_missing(bordereau.titres.all()))
        return world, bordereau

    return kept(write)


@pytest.fixture
def own_bordereau(kept_bordereau, db, day, blank_pdf):
    return copy.deepcopy(kept_bordereau)


@pytest.fixture
def local(own_bordereau):
    return own_bordereau[0]


@pytest.fixture
def bordereau(own_bordereau):
    return own_bordereau[1]
