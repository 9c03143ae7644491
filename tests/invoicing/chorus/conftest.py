"""A local issuer that deposits on a fake Chorus Pro: three titres, drawn, with their invoices."""

import datetime as dt
import threading

import pytest
from django.utils import timezone

from invoicing.bordereaux import sign
from invoicing.chorus import client as client_module
from invoicing.chorus.access import access_of
from invoicing.chorus.client import ChorusClient
from invoicing.facturx import validation
from invoicing.facturx.profiles import Profile
from invoicing.models import Channel, Titre, TitreDocument
from invoicing.rendering import render_missing
from invoicing.roles import create_groups
from members.models import Issuer
from tests.factories import DatedTextFactory
from tests.invoicing.chorus.fake_server import ACCOUNT, CLIENT, TOKEN, FakeChorus, Server
from tests.invoicing.world import ISSUED_ON, a_world

DAY = dt.date(2025, 3, 10)
WORDS = "30 jours après la mise à disposition sur Chorus Pro"


@pytest.fixture(scope="module")
def issued(kept):
    """Written once for a module: the drawing of real PDF takes its time."""
    return kept(_issued)


def _issued():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "is_installed", lambda: False)
        create_groups()
        world = a_world(regime=Issuer.Regime.LOCAL)
        DatedTextFactory(scope="LOCAL", code="delai", body=WORDS, valid_from=dt.date(2024, 1, 1))
        Channel.objects.create(issuer=world.issuer, kind="chorus_pro", invoice_frame=Profile.CHORUS)
        world.bordereau = world.issue().bordereau
        list(render_missing(Titre.objects.all()))
        assert TitreDocument.objects.filter(role=TitreDocument.Role.FACTURX).count() == 3
        sign(bordereau=world.bordereau, signatory=world.signatory, on=ISSUED_ON, actor="essai")
    return world


@pytest.fixture
def bordereau(issued, db, monkeypatch):
    monkeypatch.setattr(timezone, "localdate", lambda *args: DAY)
    return issued.bordereau


@pytest.fixture
def titres(bordereau):
    return list(Titre.objects.filter(bordereau=bordereau).order_by("number"))


@pytest.fixture
def chorus(settings, monkeypatch):
    """A fake Chorus Pro that the settings lead to; nothing waits for long."""
    monkeypatch.setattr(client_module, "ANSWERS", 0.3)
    fake = FakeChorus(pause=1.0)
    server = Server(fake)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    settings.CHORUS_OAUTH_URL = server.url + TOKEN
    settings.CHORUS_API_URL = server.url
    settings.CHORUS_CLIENT_ID, settings.CHORUS_CLIENT_SECRET = CLIENT
    settings.CHORUS_LOGINS = {"LOC": ACCOUNT[0]}
    settings.CHORUS_PASSWORDS = {"LOC": ACCOUNT[1]}
    yield fake
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def waits():
    """The seconds that the client would have slept."""
    return []


@pytest.fixture
def client_of(chorus, bordereau, waits):
    return ChorusClient(access_of(bordereau.issuer), sleep=waits.append)
