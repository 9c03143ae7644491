"""The manifest of a production says the state of each document, and of the agreement it is about."""

import csv
import io
import zipfile

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conventions import archive, states
from conventions.models import Convention, Paper, PaperKind, Production, ProductionItem
from entsvc import documents
from tests.conventions.world import PER_SCHOOL, YEAR, a_schedule
from tests.factories import ConventionFactory, PaperFactory, PaperTextFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def schedule():
    return a_schedule(PER_SCHOOL)


@pytest.fixture
def document(media):
    return documents.store(b"%PDF", content_type="application/pdf", suffix=".pdf")


def an_agreement(schedule, number, status):
    facts = {"schedule": schedule, "policy": "partenariat-occitanie-2024"}
    return ConventionFactory(reference=f"R{number}", status=status, **facts)


def sent(convention, document):
    return PaperFactory(convention=convention, document=document)


def signed(convention, document):
    return PaperFactory(convention=convention, document=document, role=Paper.Role.SIGNED, text=None)


def a_production(schedule, document, papers, kind=PaperKind.AGREEMENT):
    """Make a finished production; `papers` gives the kept paper of each agreement, None for a draft."""
    production = Production.objects.create(
        issuer=schedule.issuer, school_year=YEAR, kind=kind, actor="essai"
    )
    text = PaperTextFactory()
    for convention, paper in papers.items():
        ProductionItem.objects.create(
            production=production, convention=convention, document=document, paper=paper, text=text
        )
    return production


def told(production):
    archived = zipfile.ZipFile(io.BytesIO(b"".join(archive.stream(production))))
    text = archived.read(archive.MANIFEST).decode("utf-8-sig")
    rows = csv.DictReader(io.StringIO(text), delimiter=";")
    return {
        row["référence"]: (row["état"], row["état de la convention"], row["remarque"]) for row in rows
    }


def become(convention, status):
    Convention.objects.filter(pk=convention.pk).update(status=status)


def test_each_document_has_its_state_and_that_of_its_agreement(schedule, document):
    asked = (states.DRAFT, states.SENT, states.IN_FORCE)
    first, second, third = (an_agreement(schedule, n, status) for n, status in enumerate(asked, 1))
    sent(third, document)
    papers = {first: None, second: sent(second, document), third: signed(third, document)}
    assert told(a_production(schedule, document, papers)) == {
        "R1": ("projet", "Projet", ""),
        "R2": ("envoyé pour signature", "À signer", ""),
        "R3": ("signé", "En vigueur", ""),
    }


def test_what_became_of_an_agreement_since_is_told(schedule, document):
    asked = (states.DRAFT, states.SENT, states.SIGNED)
    first, second, third = (an_agreement(schedule, n, status) for n, status in enumerate(asked, 1))
    papers = {first: None, second: sent(second, document), third: signed(third, document)}
    production = a_production(schedule, document, papers)
    sent(first, document)
    signed(second, document)
    become(first, states.SENT)
    become(second, states.SIGNED)
    become(third, states.DRAFT)
    assert told(production) == {
        "R1": ("projet", "À signer", archive.SENT_SINCE),
        "R2": ("envoyé pour signature", "Signée", archive.SIGNED_SINCE),
        "R3": ("signé", "Projet", archive.TAKEN_BACK),
    }


def test_an_agreement_in_force_without_its_scan_is_told_so(schedule, document):
    papers = {an_agreement(schedule, 1, states.IN_FORCE): None}
    expected = {"R1": ("projet", "En vigueur", archive.NO_SCAN)}
    assert told(a_production(schedule, document, papers)) == expected
    yearly = a_production(schedule, document, papers, PaperKind.CERTIFICATE)
    assert told(yearly) == {"R1": ("projet", "En vigueur", "")}


def test_what_nobody_signs_was_produced_not_sent_to_be_signed(schedule, document):
    convention = an_agreement(schedule, 1, states.IN_FORCE)
    letter = PaperFactory(convention=convention, document=document, kind=PaperKind.NOTIFICATION)
    production = a_production(schedule, document, {convention: letter}, PaperKind.NOTIFICATION)
    assert told(production) == {"R1": ("produit", "En vigueur", "")}


def test_more_papers_ask_no_more_of_the_database(schedule, document):
    counts = []
    for number in (1, 6):
        papers = {an_agreement(schedule, f"{number}-{n}", states.DRAFT): None for n in range(number)}
        production = a_production(schedule, document, papers)
        with CaptureQueriesContext(connection) as queries:
            told(production)
        counts.append(len(queries))
    assert counts[0] == counts[1]
