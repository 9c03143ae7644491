"""The PES file of a bordereau that is not as the others: not drawn yet, or with a deduction."""

import datetime as dt
from decimal import Decimal

import pytest

from entsvc import documents
from invoicing.models import Adjustment, TitreDocument
from invoicing.pes.sending import prepare, produce
from invoicing.rendering import render_missing
from tests.invoicing.pes.conftest import DAY, a_local_world
from tests.invoicing.pes.test_sending import values


@pytest.fixture
def local(db, blank_pdf):
    return a_local_world()


def test_a_titre_not_drawn_yet_is_refused(local, day):
    bordereau = local.issue().bordereau
    assert not TitreDocument.objects.exists()
    findings = prepare(bordereau).findings
    assert [finding.rule for finding in findings] == ["piece-jointe"] * 3
    assert "PDF manquants" in findings[0].message


def test_deductions_are_netted_in_the_file(local, day):
    Adjustment.objects.create(
        schedule=local.schedule, school_year=2024, debtor=local.members[1], label="Geste",
        reason="Décision", amount=Decimal("-10.00"), decided_by="essai",
    )  # fmt: skip
    bordereau = local.issue().bordereau
    list(render_missing(bordereau.titres.all()))
    content = documents.read(produce(bordereau=bordereau, actor="essai").document)
    assert Decimal("80.00") in [Decimal(value) for value in values(content, "MtHT")]
    assert dt.date.fromisoformat(values(content, "DteStr")[0]) == DAY
