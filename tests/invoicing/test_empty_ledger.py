"""A ledger where nothing was issued yet."""

from invoicing.verification import verify


def test_an_empty_ledger_is_green(db):
    verdict = verify()
    assert (verdict.green, verdict.exercices) == (True, [])
