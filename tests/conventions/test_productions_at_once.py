"""Real processes on one production: each paper drawn once, a killed one costs nothing."""

import json
import signal

from tests.invoicing.scratch import MANAGE, until

WANTED = ("--issuer", "OCC", "--school-year", "2024-2025", "--kind", "certificat", "--json")
SETTLED = "SELECT COUNT(*) FROM conventions_productionitem WHERE document_id IS NOT NULL"
COMMUNES = 25


def produce(scratch):
    return scratch.start(str(MANAGE), "produce_papers", *WANTED)


def one(scratch, sql):
    [(value,)] = scratch.rows(sql)
    return value


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
    with scratch.connection() as connection:
        connection.execute(
            "UPDATE conventions_productionitem SET claimed_until = '2020-01-01 00:00:00+00' "
            "WHERE claimed_until IS NOT NULL"
        )
        connection.commit()
    again = scratch.json("produce_papers", "--production", told[0]["production"])
    assert (again["done"], again["failed"], again["left"]) == (COMMUNES, [], 0)
