"""A campaign of the State's own chain: three titres of 45, 90 and 135 €, issued as projects."""

import pytest

from invoicing.liquidation import sending
from invoicing.models import Channel, NumberingPolicy, Series
from tests.invoicing.campaigns import campaign_of, issued
from tests.invoicing.world import ISSUED_ON


@pytest.fixture
def state(world):
    """An issuer whose titres the State's chain numbers."""
    Channel.objects.create(issuer=world.issuer, kind=Channel.Kind.STATE)
    for kind in (Series.TITRE, Series.CORRECTION):
        NumberingPolicy.objects.create(
            issuer=world.issuer,
            budget=world.issuer.budget_code,
            exercice=ISSUED_ON.year,
            kind=kind,
            mode=NumberingPolicy.Mode.EXTERNAL,
        )
    return world


@pytest.fixture
def titres(state):
    return issued(state)


@pytest.fixture
def campaign(titres):
    return campaign_of(titres[0])


@pytest.fixture
def quick(monkeypatch):
    """Draw every état as a few bytes that name it: for the tests that look elsewhere."""
    monkeypatch.setattr(
        sending, "draw_etat", lambda etat: f"%PDF {etat.stem} {etat.on} {len(etat.pieces)}".encode()
    )
