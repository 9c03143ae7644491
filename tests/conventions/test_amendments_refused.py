"""Amendments that an agreement does not take, and what is said of each."""

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from conventions import filings, states
from conventions.models import Amendment, PaperKind
from conventions.policies import CHARTER, PARTNERSHIP_2024
from entsvc.scans import CheckedPdf
from members.models import School
from tests.conventions.amending import (
    A_SCAN,
    IN_TIME,
    LATE,
    a_public_school,
    a_scan,
    an_agreement,
    decided,
    in_state,
    opened,
    refusal,
    schools_of,
    uais,
)
from tests.factories import AmendmentFactory, PaperFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("policy", "word"),
    [
        (PARTNERSHIP_2024.code, "ne connaît pas d'avenant à la liste"),
        (CHARTER.code, "ne connaît pas d'avenant à la liste"),
        ("", "n'est pas indiqué"),
    ],
)
def test_an_agreement_without_a_window_takes_no_amendment(policy, word):
    convention = an_agreement(policy=policy)
    assert word in refusal(opened, convention=convention, schools=schools_of(convention)[:1])
    assert filings.window_of(convention, IN_TIME) is None


def test_only_an_agreement_in_force_takes_an_amendment():
    convention = an_agreement(2)
    for state in set(states.AGREEMENT_STATES) - {states.IN_FORCE}:
        convention.status = state
        convention.save()
        message = refusal(opened, convention=convention, schools=schools_of(convention)[:1])
        assert "seule une convention en vigueur" in message


def test_a_year_that_is_not_covered_is_refused():
    convention = an_agreement()
    message = refusal(opened, convention=convention, schools=[a_public_school()], year=2021)
    assert message == (
        f"La convention {convention.reference} ne couvre pas 2021-2022 : choisissez une année de "
        "2019-2020 à 2020-2021."
    )


def test_a_list_that_changes_nothing_is_refused_with_a_word():
    convention = an_agreement()
    message = refusal(opened, convention=convention, schools=schools_of(convention))
    assert message.startswith("Cette liste est déjà celle de 2020-2021")


def test_a_list_without_a_school_is_the_end_of_the_agreement():
    assert "mettez fin à la convention" in refusal(opened, convention=an_agreement(), schools=[])


def test_a_private_school_is_refused_unless_the_agreement_takes_them():
    private = a_public_school(sector=School.Sector.PRIVATE)
    convention = an_agreement()
    asked = [*schools_of(convention), private]
    assert "que des écoles publiques" in refusal(opened, convention=convention, schools=asked)
    convention.private_included = True
    convention.save()
    assert opened(convention, asked).pk


def test_one_amendment_at_most_is_open():
    convention = an_agreement()
    three = schools_of(convention)[:3]
    first = opened(convention, three)
    message = refusal(opened, convention=convention, schools=three[:2])
    assert message.startswith("Un avenant de cette convention est déjà en cours")
    with pytest.raises(IntegrityError), transaction.atomic():
        AmendmentFactory(convention=convention, number=7)
    filings.drop(amendment=first, actor="mairie")
    assert opened(convention, three[:2]).number == 2


def test_numbers_follow_those_signed_on_paper():
    convention = an_agreement(amendments_before=3)
    assert opened(convention, schools_of(convention)[:3]).number == 4


def test_an_earlier_year_than_one_accepted_is_refused():
    """What the later one adds and removes is frozen against the list of the years before it."""
    convention = an_agreement()
    schools = schools_of(convention)
    waiting = in_state(convention, states.FILED, schools[:2], year=2019, received_on=dt.date(2019, 9, 9))
    Amendment.objects.filter(pk=waiting.pk).update(status=states.DROPPED)
    decided(convention, schools[:3], dt.date(2020, 9, 4))
    message = refusal(opened, convention=convention, schools=schools[:2], year=2019)
    assert "accepté, fixe déjà la liste à partir de 2020-2021" in message
    Amendment.objects.filter(pk=waiting.pk).update(status=states.FILED)
    waiting.refresh_from_db()
    message = refusal(filings.decide, amendment=waiting, actor="agent")
    assert "vient après celui-ci et sa liste fait foi" in message
    assert uais(convention, 2019) == {school.uai for school in schools}


def test_one_filed_before_another_accepted_of_its_year_is_refused():
    convention = an_agreement()
    schools = schools_of(convention)
    decided(convention, schools[:3], dt.date(2020, 10, 2))
    waiting = in_state(convention, states.FILED, schools[:2], received_on=dt.date(2020, 9, 30))
    assert "vient après celui-ci" in refusal(filings.decide, amendment=waiting, actor="agent")


def test_a_school_that_another_agreement_names_is_refused_at_the_decision():
    convention = an_agreement(2)
    other = an_agreement(1, schedule=convention.schedule)
    asked = [*schools_of(convention), *schools_of(other)]
    waiting = in_state(convention, states.FILED, asked)
    message = refusal(filings.decide, amendment=waiting, actor="agent")
    assert f"déjà nommée en 2020-2021 par la convention {other.reference}" in message


@pytest.mark.parametrize(
    ("dates", "word"),
    [
        ({"received_on": None}, "Donnez la date de réception"),
        ({"received_on": None, "transmitted_on": IN_TIME}, "Donnez la date de réception"),
        ({"received_on": dt.date(2999, 1, 1)}, "est à venir"),
        ({"received_on": IN_TIME, "transmitted_on": LATE}, "transmis avant d'être reçu"),
        ({"received_on": IN_TIME, "signed_on": LATE}, "n'a pas été reçu le 15 octobre"),
        ({"signed_on": dt.date(2999, 1, 1), "received_on": IN_TIME}, "est à venir"),
        (
            {
                "received_on": LATE,
                "transmitted_on": IN_TIME,
                "proof": CheckedPdf(a_scan()),
                "signed_on": dt.date(2020, 10, 16),
            },
            "signé le 16 octobre 2020 n'a pas été transmis le 15 octobre",
        ),
        ({"received_on": IN_TIME, "proof": CheckedPdf(a_scan())}, "que cette preuve établit"),
    ],
)
def test_a_filing_needs_a_date_that_can_be(dates, word):
    convention = an_agreement(2)
    amendment = in_state(convention, states.TO_SIGN, schools_of(convention)[:1])
    given = {"pdf": A_SCAN, "actor": "mairie", **dates}
    assert word in refusal(filings.file, amendment=amendment, **given)
    amendment.refresh_from_db()
    assert amendment.status == states.TO_SIGN


def test_a_paper_signed_for_another_request_is_refused():
    """Filed, sent back, the list changed: the scan of the first list can't stand for the second."""
    convention = an_agreement(3)
    schools = schools_of(convention)
    amendment = in_state(convention, states.TO_SIGN, schools[:2])
    sent = {"convention": convention, "amendment": amendment, "kind": PaperKind.AMENDMENT}
    PaperFactory(**sent)
    given = {"amendment": amendment, "actor": "mairie", "received_on": IN_TIME}
    filings.file(pdf=A_SCAN, **given)
    filings.send_back(amendment=amendment, actor="agent", comment="Retirez une école.")
    Amendment.objects.filter(pk=amendment.pk).update(status=states.TO_SIGN)
    PaperFactory(**sent)
    assert "faites signer le nouvel avenant" in refusal(filings.file, pdf=A_SCAN, **given)
    assert filings.file(pdf=CheckedPdf(a_scan("nouveau")), **given).status == states.FILED


def test_past_the_end_nothing_is_filed_and_only_staff_file_what_came_before():
    convention = an_agreement(2, ends_on=dt.date(2020, 10, 16))
    amendment = in_state(convention, states.TO_SIGN, schools_of(convention)[:1])
    given = {"amendment": amendment, "pdf": A_SCAN, "actor": "mairie"}
    message = refusal(filings.file, received_on=LATE, **given)
    assert "a pris fin le 16 octobre 2020" in message
    convention.status = states.TERMINATED
    convention.save()
    assert "seul le service" in refusal(filings.file, received_on=IN_TIME, **given)
    assert filings.file(received_on=IN_TIME, comment="Retrouvé.", **given).status == states.FILED
    assert amendment.transitions.get().comment == "Retrouvé."


def test_an_agreement_that_never_ran_takes_no_filing():
    convention = an_agreement(2, status=states.ABANDONED)
    amendment = in_state(convention, states.TO_SIGN, schools_of(convention)[:1])
    given = {"amendment": amendment, "pdf": A_SCAN, "actor": "agent", "comment": "Retrouvé."}
    assert "ne prend plus d'avenant" in refusal(filings.file, received_on=IN_TIME, **given)


def test_what_came_after_the_end_is_not_accepted():
    convention = an_agreement(2, ends_on=dt.date(2020, 10, 1), status=states.TERMINATED)
    waiting = in_state(convention, states.FILED, schools_of(convention)[:1], received_on=IN_TIME)
    message = refusal(filings.decide, amendment=waiting, actor="agent")
    assert "a pris fin le 1er octobre 2020" in message
    assert "Renvoyez l'avenant, puis abandonnez-le" in message
    Amendment.objects.filter(pk=waiting.pk).update(received_on=dt.date(2020, 9, 30))
    waiting.refresh_from_db()
    assert filings.decide(amendment=waiting, actor="agent").status == states.ACCEPTED


def test_a_text_that_is_missing_is_said_and_the_amendment_stays_a_draft():
    convention = an_agreement(2)
    amendment = opened(convention, schools_of(convention)[:1])
    assert refusal(filings.send, amendment=amendment, actor="agent")
    amendment.refresh_from_db()
    assert amendment.status == states.DRAFT


def test_every_step_is_refused_from_every_other_state():
    steps = {
        "envoyer": lambda a: filings.send(amendment=a, actor="agent"),
        "deposer": lambda a: filings.file(amendment=a, pdf=A_SCAN, received_on=IN_TIME, actor="mairie"),
        "renvoyer": lambda a: filings.send_back(amendment=a, actor="agent", comment="Illisible."),
        "modifier": lambda a: filings.change_list(amendment=a, schools=[school], actor="mairie"),
        "accepter": lambda a: filings.decide(amendment=a, actor="agent"),
        "abandonner": lambda a: filings.drop(amendment=a, actor="mairie"),
    }
    convention = an_agreement(2)
    school = schools_of(convention)[0]
    for state in states.AMENDMENT_STATES:
        amendment = in_state(convention, state, [school])
        for code, step in steps.items():
            legal = state in states.AMENDMENT_ACTIONS[code].before
            if legal or (code == "modifier" and state == states.DRAFT):
                continue
            with pytest.raises(states.IllegalTransition):
                step(amendment)
        amendment.refresh_from_db()
        assert amendment.status == state
        assert not amendment.transitions.exists()
        Amendment.objects.filter(pk=amendment.pk).update(status=states.DROPPED)
