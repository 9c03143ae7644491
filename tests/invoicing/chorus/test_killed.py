"""Real processes that deposit: killed during the call, or two at once, Chorus Pro gets one file."""

import json
import threading

import pytest

from tests.invoicing import scratch
from tests.invoicing.chorus.fake_server import ACCOUNT, CLIENT, DEPOSIT, TOKEN, FakeChorus, Server
from tests.invoicing.scratch import until

WRITTEN = """
import datetime as dt
import django
django.setup()
from invoicing import numbering
numbering.localdate = lambda: dt.date.min
from invoicing.chorus.depositing import record
from tests.invoicing.chorus.conftest import _issued
record(bordereau=_issued().bordereau, actor="essai")
"""
# What the page asks for, done here as a worker does; it may be started several times.
SENT = """
import json
import django
django.setup()
from invoicing.chorus import client
client.ANSWERS = 60
from invoicing.chorus.access import access_of
from invoicing.chorus.depositing import send_all
from invoicing.models import Deposit
deposit = Deposit.objects.select_related("sending__bordereau__issuer").get()
chorus = client.ChorusClient(access_of(deposit.sending.bordereau.issuer))
done = send_all([deposit], client=chorus, actor="essai")
print(json.dumps({"deposited": len(done.deposited), "failed": done.failed}))
"""
LONG_AGO = "2020-01-01 00:00:00"
STATE = "SELECT state FROM invoicing_deposit"


@pytest.fixture
def fake():
    fake = FakeChorus(pause=30)
    server = Server(fake)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    fake.url = server.url
    yield fake
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def prepared(migrated, tmp_path_factory):
    """A database with a deposit of three titres, written and not made yet; only to be copied."""
    template = scratch.copy(migrated, tmp_path_factory.mktemp("prepared"))
    try:
        made = template.run("-c", WRITTEN, **settings_of("http://127.0.0.1:9"))
        assert made.returncode == 0, made.stderr
        yield template
    finally:
        template.drop()


@pytest.fixture
def written(prepared, fake, tmp_path):
    database = scratch.copy(prepared, tmp_path)
    database.environment |= settings_of(fake.url)
    yield database
    database.drop()


def settings_of(url):
    return {
        "CHORUS_OAUTH_URL": url + TOKEN,
        "CHORUS_API_URL": url,
        "CHORUS_CLIENT_ID": CLIENT[0],
        "CHORUS_CLIENT_SECRET": CLIENT[1],
        "CHORUS_LOGIN_LOC": ACCOUNT[0],
        "CHORUS_PASSWORD_LOC": ACCOUNT[1],
    }


def told(process):
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    return json.loads(output.splitlines()[-1])


def test_killed_during_the_call_it_is_found_again_and_never_deposited_twice(written, fake):
    fake.faults[DEPOSIT] = ["slow"]
    process = written.start("-c", SENT)
    until(lambda: fake.flows)
    process.kill()
    process.communicate()
    assert written.rows(STATE) == [("en-cours",)]
    again = told(written.start("-c", SENT))
    assert again["deposited"] == 0
    assert "un autre poste le dépose déjà" in again["failed"][0]
    fake.integrate()
    with written.connection() as connection:
        connection.execute(f"UPDATE invoicing_deposit SET asked_at = '{LONG_AGO}'")
    [read] = written.json("follow_chorus")["read"]
    assert (read["state"], read["flow"], read["accepted"]) == ("depose", next(iter(fake.flows)), True)
    assert (fake.count(DEPOSIT), len(fake.invoices)) == (1, 3)


def test_two_processes_at_once_make_one_call(written, fake):
    processes = [written.start("-c", SENT) for _ in range(2)]
    found = [told(process) for process in processes]
    assert sorted(row["deposited"] for row in found) == [0, 1]
    assert fake.count(DEPOSIT) == 1
    assert written.rows(STATE) == [("depose",)]
