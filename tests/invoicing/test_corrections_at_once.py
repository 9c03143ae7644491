"""Real processes that correct one titre at once: the sum stays within it, the series without gap."""

import pytest

from tests.invoicing.scratch import POSTGRESQL, REFUSED, until
from tests.invoicing.test_concurrency import DAY, one, only_postgresql, waiting

CORRECT = """
import sys
import django
django.setup()
import datetime
from decimal import Decimal
from invoicing.correction_payload import PartOff
from invoicing.corrections import correct
from invoicing.models import Titre
from invoicing.numbering import IssueRefused
from invoicing.reissue import annul_and_reissue
from members.models import Signatory

what, amount, day = sys.argv[1:]
titre = Titre.objects.filter(kind="titre", replaces=None).order_by("-total", "number")[0]
asked = {
    "titre": titre,
    "reason_code": "liquidation",
    "reason": "Erreur.",
    "on": datetime.date.fromisoformat(day),
    "signatory": Signatory.objects.get(issuer=titre.issuer),
    "actor": "essai",
}
try:
    if what == "again":
        annul_and_reissue(debtor=titre.debtor, **asked)
    elif what == "annulation":
        correct(kind=what, **asked)
    else:
        correct(kind=what, parts=[PartOff(Decimal(amount), charge="ECOLE")], **asked)
except IssueRefused as error:
    print("refusé :", error)
else:
    print("fait")
"""


def correct(scratch, what, amount="0"):
    return scratch.start("-c", CORRECT, what, amount, DAY)


def answers(processes):
    told = []
    for process in processes:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        told.append(output.strip())
    return sorted(told)


def at_once(scratch, *asked):
    """Start them all, held on PostgreSQL until each waits for the titre or for its campaign."""
    if not POSTGRESQL:
        return answers([correct(scratch, *item) for item in asked])
    with scratch.connection() as gate:
        gate.execute("BEGIN")
        gate.execute("SELECT id FROM invoicing_titre FOR UPDATE")
        processes = [correct(scratch, *item) for item in asked]
        until(lambda: len(waiting(scratch)) == len(processes))
        gate.execute("COMMIT")
    return answers(processes)


def assert_corrections_are_sound(scratch, count):
    kinds = "kind IN ('annulation', 'reduction')"
    numbers = scratch.rows(f"SELECT number FROM invoicing_titre WHERE {kinds} ORDER BY number")
    assert [number for (number,) in numbers] == list(range(1, count + 1))
    beyond = """
        SELECT o.reference FROM invoicing_titre o JOIN invoicing_titre c ON c.original_id = o.id
        GROUP BY o.id, o.reference, o.total HAVING SUM(c.total) > o.total
    """
    assert scratch.rows(beyond) == []


def test_two_reductions_at_once_never_take_more_than_the_titre(scratch_issued):
    total = one(scratch_issued, "SELECT MAX(total) FROM invoicing_titre")
    most = f"{total // 100 - 10}"
    first, second = at_once(scratch_issued, ("reduction", most), ("reduction", most))
    assert first == "fait"
    assert "restant dus" in second
    assert_corrections_are_sound(scratch_issued, 1)


def test_two_annulations_at_once_make_one(scratch_issued):
    first, second = at_once(scratch_issued, ("annulation",), ("annulation",))
    assert first == "fait"
    assert "déjà annulé" in second
    assert_corrections_are_sound(scratch_issued, 1)


def test_a_titre_issued_again_and_reduced_at_once_is_billed_once(scratch_issued):
    scratch_issued.json("compute_calls", "--schedule", "OCC-ENT-ECOLE", "--school-year", "2020-2021")
    told = at_once(scratch_issued, ("again",), ("again",), ("reduction", "1.00"))
    assert told.count("fait") in (1, 2)
    again = "SELECT COUNT(*) FROM invoicing_titre WHERE replaces_id IS NOT NULL"
    assert one(scratch_issued, again) == 1
    corrections = "SELECT COUNT(*) FROM invoicing_titre WHERE original_id IS NOT NULL"
    assert_corrections_are_sound(scratch_issued, one(scratch_issued, corrections))
    due = """
        SELECT o.total - SUM(c.total) FROM invoicing_titre o JOIN invoicing_titre c
        ON c.original_id = o.id GROUP BY o.id, o.total
    """
    assert scratch_issued.rows(due) == [(0,)]


@only_postgresql
def test_the_database_alone_weighs_two_raw_corrections_one_after_the_other(scratch_issued):
    """Two clients that know nothing of our rules: the second one waits, then is refused."""
    original = one(scratch_issued, "SELECT id FROM invoicing_titre ORDER BY total DESC, number LIMIT 1")
    with scratch_issued.connection() as first, scratch_issued.connection() as second:
        first.execute("BEGIN")
        first.execute(RAW, {"original": original, "number": 901})
        second.execute("BEGIN")
        second.execute("SET LOCAL lock_timeout = '300ms'")
        with pytest.raises(REFUSED, match="lock timeout"):
            second.execute(RAW, {"original": original, "number": 902})
        second.execute("ROLLBACK")
        with pytest.raises(REFUSED, match="la somme des corrections"):
            first.execute(RAW, {"original": original, "number": 903})
        first.execute("ROLLBACK")


RAW = """
    INSERT INTO invoicing_titre
    SELECT (jsonb_populate_record(t, jsonb_build_object(
        'id', gen_random_uuid(), 'bordereau_id', gen_random_uuid(), 'kind', 'reduction',
        'number', %(number)s::int, 'reference', 'BRUT-' || %(number)s, 'call_id', NULL,
        'original_id', t.id, 'reason_code', 'liquidation', 'reason', 'Erreur.'))).*
    FROM invoicing_titre t WHERE t.id = %(original)s
"""
