"""Amendments through the database: from the request to the new call, changed, sent back, dropped."""

import datetime as dt
from decimal import Decimal

import pytest

from conventions import filings, states
from conventions.models import Paper
from entsvc import documents
from entsvc.models import OutgoingMail
from entsvc.scans import CheckedPdf
from invoicing.calculation import compute_run
from tests.conventions.amending import (
    IN_TIME,
    LATE,
    a_scan,
    a_text,
    an_agreement,
    decided,
    in_state,
    opened,
    refusal,
    schools_of,
)

pytestmark = pytest.mark.django_db


# --- From the request to the new call ---------------------------------------------------------


def test_it_works_from_the_request_to_the_new_call():
    """Worked example E: four schools, an amendment that removes one, transmitted 15 October 2020."""
    a_text()
    convention = an_agreement()
    kept, gone = schools_of(convention)[:3], schools_of(convention)[3]
    amendment = opened(convention, kept, reason="Fermeture d'une école")
    assert (amendment.number, amendment.status) == (1, states.DRAFT)

    sent = filings.send(amendment=amendment, actor="agent")
    assert (sent.role, sent.amendment) == (Paper.Role.SENT, amendment)
    assert documents.read(sent.document).startswith(b"%PDF-")

    filed = filings.file(
        amendment=amendment,
        pdf=CheckedPdf(a_scan("signé"), "avenant signé.pdf"),
        received_on=dt.date(2020, 10, 19),
        transmitted_on=IN_TIME,
        proof=CheckedPdf(a_scan("preuve")),
        signed_on=dt.date(2020, 10, 12),
        actor="mairie",
    )
    assert filed.transmission_proof is not None
    roles = sorted(filed.papers.order_by("pk").values_list("role", flat=True))
    assert roles == ["envoye", "piece", "signe"]

    accepted = filings.decide(amendment=filed, actor="agent")
    assert (accepted.status, accepted.dated) == (states.ACCEPTED, IN_TIME)
    assert accepted.ruling.startswith("Transmis le 15")
    assert (accepted.added, accepted.removed) == ([], [gone.uai])
    assert len(schools_of(convention, 2019)) == 4
    assert compute_run(schedule=convention.schedule, year=2020, actor="agent").total == Decimal("150.00")
    assert compute_run(schedule=convention.schedule, year=2019, actor="agent").total == Decimal("200.00")

    log = list(convention.transitions.order_by("pk").values_list("action", "actor"))
    assert log == [
        ("avenant_ouvert", "mairie"),
        ("envoyer", "agent"),
        ("deposer", "mairie"),
        ("accepter", "agent"),
    ]


def test_example_e_transmitted_five_days_late_is_called_on_four_schools():
    convention = an_agreement()
    ruled = decided(convention, schools_of(convention)[:3], LATE)
    assert (ruled.status, ruled.dated, len(ruled.removed)) == (states.WITHOUT_EFFECT, LATE, 1)
    assert compute_run(schedule=convention.schedule, year=2020, actor="agent").total == Decimal("200.00")


# --- Changed, sent back, dropped --------------------------------------------------------------


def test_what_was_sent_to_be_signed_becomes_a_draft_again_when_the_list_changes():
    convention = an_agreement()
    schools = schools_of(convention)
    for state in (states.DRAFT, states.TO_SIGN, states.SENT_BACK):
        amendment = in_state(convention, state, schools[:3])
        changed = filings.change_list(amendment=amendment, schools=schools[:2], actor="mairie")
        assert changed.status == states.DRAFT
        assert changed.filing.schools == {school.uai for school in schools[:2]}
        filings.drop(amendment=changed, actor="mairie")


def test_sent_back_it_says_why_and_its_dates_no_longer_count():
    convention = an_agreement(2)
    amendment = in_state(convention, states.FILED, schools_of(convention)[:1])
    assert "en commentaire" in refusal(
        filings.send_back, amendment=amendment, actor="agent", comment=" "
    )
    back = filings.send_back(amendment=amendment, actor="agent", comment="Signature absente.")
    assert (back.status, back.received_on) == (states.SENT_BACK, None)
    [mail] = OutgoingMail.objects.all()
    assert "Signature absente." in mail.text
    assert "15 octobre 2020" in mail.text.replace("\u00a0", " ")
    assert back.transitions.get().comment == "Signature absente."


def test_the_decision_is_mailed_to_the_party_and_to_the_payer():
    convention = an_agreement(2)
    payer = convention.debtor
    convention.party = type(payer).objects.create(kind="rpi", name="RPI", email="rpi@example.org")
    convention.save()
    removed = schools_of(convention)[1]
    decided(convention, schools_of(convention)[:1], dt.date(2020, 9, 9))
    mails = list(OutgoingMail.objects.order_by("recipient"))
    assert [mail.recipient for mail in mails] == ["mairie@example.org", "rpi@example.org"]
    text = mails[0].text.replace("\u00a0", " ")
    assert mails[0].subject.replace("\u00a0", " ").startswith("Avenant n° 1 accepté")
    assert removed.uai in text
    assert "50,00 €" in text
    assert removed.uai in mails[0].html


def test_found_without_effect_the_mail_says_what_to_do():
    convention = an_agreement(2)
    decided(convention, schools_of(convention)[:1], LATE)
    [mail] = OutgoingMail.objects.all()
    text = mail.text.replace("\u00a0", " ")
    assert "nomme toujours 2 écoles" in text
    assert "entre le 1er septembre et le 15 octobre" in text
