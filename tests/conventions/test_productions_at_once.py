"""Real processes and threads on one production: each paper drawn once, a killed one costs nothing."""

import json
import signal

from tests.invoicing.scratch import MANAGE, until

WANTED = ("--issuer", "OCC", "--school-year", "2024-2025", "--kind", "certificat", "--json")
SETTLED = "SELECT COUNT(*) FROM conventions_productionitem WHERE document_id IS NOT NULL"
COMMUNES = 25
# A web server without a worker: somebody asks for a production, then clicks again and works meanwhile.
SERVED = """
import json, threading
from collections import Counter

import django
django.setup()
from django.conf import settings
from django.test import Client

from conventions import productions
from conventions.models import Production
from conventions.papers import drawing
from entsvc import journal
from members.models import User

settings.ALLOWED_HOSTS = ["testserver"]
drawn, counted = drawing.drawn, Counter()

def counting(kind, convention, *args, **facts):
    counted[convention.pk] += 1
    return drawn(kind, convention, *args, **facts)

drawing.drawn = counting
user, _ = User.objects.get_or_create(username="alix", is_staff=True, is_superuser=True)
client = Client()
client.force_login(user)
production = Production.objects.first()
if production is None:
    asked = "/admin/produire/?emetteur=OCC&annee=2024-2025"
    client.post(asked, {"document": "certificat"})
    production = Production.objects.get()
address, pause, written = f"/admin/produire/{production.pk}/", threading.Event(), 0
client.post(f"{address}continuer/")
while productions.progress(production).left:
    journal.record(actor="alix", action="essai", target="essai", summary="Pendant ce temps")
    written += 1
    assert client.post(f"{address}continuer/").status_code == 302
    assert client.get(address).status_code == 200
    pause.wait(0.05)
done = productions.progress(production)
print(json.dumps({"done": done.done, "failed": done.failed, "most": max(counted.values()),
                  "drawn": len(counted), "written": written}))
"""
RELEASED = (
    "UPDATE conventions_productionitem SET claimed_until = '2020-01-01 00:00:00+00' "
    "WHERE claimed_until IS NOT NULL"
)


def produce(scratch):
    return scratch.start(str(MANAGE), "produce_papers", *WANTED)


def one(scratch, sql):
    [(value,)] = scratch.rows(sql)
    return value


def release(scratch):
    """Let the claims of a dead process run out."""
    with scratch.connection() as connection:
        connection.execute(RELEASED)


def test_processes_share_a_production_and_a_killed_one_loses_nothing(scratch):
    doomed, others = produce(scratch), [produce(scratch), produce(scratch)]
    until(lambda: one(scratch, SETTLED) >= 2)
    doomed.send_signal(signal.SIGKILL)
    doomed.communicate(timeout=60)
    told = []
    for process in others:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        told.append(json.loads(output))
    assert one(scratch, "SELECT COUNT(*) FROM conventions_production") == 1
    assert {document["total"] for document in told} == {COMMUNES}
    held = COMMUNES - one(scratch, SETTLED)
    assert held <= 1  # what the dead process was drawing
    release(scratch)
    again = scratch.json("produce_papers", "--production", told[0]["production"])
    assert (again["done"], again["failed"], again["left"]) == (COMMUNES, [], 0)


def test_threads_of_the_web_server_draw_each_paper_once_while_people_work(scratch):
    done = scratch.run("-c", SERVED)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["done"], told["failed"], told["drawn"], told["most"]) == (COMMUNES, 0, COMMUNES, 1)
    assert told["written"] > 1
    assert "locked" not in done.stderr
    assert "a échoué" not in done.stderr


def test_a_web_server_killed_meanwhile_loses_nothing(scratch):
    killed = scratch.start("-c", SERVED)
    until(lambda: one(scratch, SETTLED) >= 2)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    settled = one(scratch, SETTLED)
    assert 0 < settled < COMMUNES
    release(scratch)
    again = scratch.run("-c", SERVED)
    assert again.returncode == 0, again.stderr
    told = json.loads(again.stdout)
    assert (told["done"], told["drawn"], told["most"]) == (COMMUNES, COMMUNES - settled, 1)
