"""Amendments through the database: what they change, when they count, and what is refused."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conventions import filings, states
from conventions.amendments import lists
from conventions.estimates import estimate
from conventions.filings import AmendmentRefused
from conventions.models import Amendment, Enrolment, Paper, PaperKind
from conventions.policies import CHARTER, PARTNERSHIP_2024
from entsvc import documents
from entsvc.models import OutgoingMail
from entsvc.scans import CheckedPdf
from invoicing.calculation import compute_run
from members.models import School
from tests.conventions.amending import (
    IN_TIME,
    LATE,
    a_public_school,
    a_scan,
    a_text,
    an_agreement,
    decided,
    in_state,
    uais,
)
from tests.factories import AmendmentFactory, PaperFactory, StoredDocumentFactory

pytestmark = pytest.mark.django_db

A_SCAN = CheckedPdf(a_scan(), "avenant.pdf")


def schools_of(convention, year=2020):
    return filings.enrolled(convention, year)


def opened(convention, schools, year=2020, **facts):
    given = {"actor": "mairie", **facts}
    return filings.open_amendment(convention=convention, school_year=year, schools=schools, **given)


def refusal(call, **facts):
    with pytest.raises(AmendmentRefused) as caught:
        call(**facts)
    return str(caught.value).replace("\u00a0", " ")


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


# --- What counts: 6.1 to 6.3, D6, D23 to D25 --------------------------------------------------


def test_without_amendment_the_list_of_the_year_before_goes_on():
    """6.1: the titre is for the number of schools of the previous year."""
    convention = an_agreement()
    assert schools_of(convention, 2020) == schools_of(convention, 2019)
    assert estimate(convention, 2020).total == Decimal("200.00")


def test_a_swap_in_time_sets_the_list_of_its_year_and_of_the_following_ones():
    """6.2, over three years: the year before keeps its list, the removed school ends there."""
    convention = an_agreement(first_year=2018)
    before = schools_of(convention, 2019)
    new = a_public_school()
    ruled = decided(convention, [*before[1:], new], dt.date(2019, 9, 1), year=2019)
    assert (ruled.added, ruled.removed) == ([new.uai], [before[0].uai])
    assert uais(convention, 2018) == {school.uai for school in before}
    for year in (2019, 2020):
        assert uais(convention, year) == {school.uai for school in [*before[1:], new]}
    row = Enrolment.objects.get(convention=convention, school=new)
    assert (row.first_year, row.last_year, row.amendment) == (2019, None, ruled)
    assert Enrolment.objects.get(convention=convention, school=before[0]).last_year == 2018


def test_both_ends_of_the_window_count():
    for day in (dt.date(2020, 9, 1), dt.date(2020, 10, 15)):
        convention = an_agreement(2)
        assert decided(convention, schools_of(convention)[:1], day).status == states.ACCEPTED


def test_a_late_decrease_stays_due_and_a_late_increase_is_not_opened():
    """6.3, and D25 for both at once."""
    convention = an_agreement()
    before = uais(convention, 2020)
    for schools in (
        schools_of(convention)[:3],
        [*schools_of(convention), a_public_school()],
        [*schools_of(convention)[:3], a_public_school()],
    ):
        ruled = decided(convention, schools, dt.date(2020, 10, 16))
        assert ruled.status == states.WITHOUT_EFFECT
        assert "sans effet cette année" in ruled.ruling
        assert uais(convention, 2020) == before
    assert not Enrolment.objects.filter(amendment__isnull=False).exists()


def test_a_late_amendment_does_not_count_the_next_year_unless_filed_again():
    """D6."""
    convention = an_agreement()
    three = schools_of(convention)[:3]
    decided(convention, three, dt.date(2019, 10, 20), year=2019)
    assert len(schools_of(convention, 2020)) == 4
    decided(convention, three, dt.date(2020, 9, 20))
    assert len(schools_of(convention, 2020)) == 3


def test_transmission_counts_when_it_is_proved_else_reception():
    """D23."""
    transmitted = {"transmitted_on": IN_TIME, "received_on": LATE}
    unproved = an_agreement(2)
    assert decided(unproved, schools_of(unproved)[:1], **transmitted).dated == LATE
    proved = an_agreement(2)
    proof = StoredDocumentFactory()
    ruled = decided(proved, schools_of(proved)[:1], transmission_proof=proof, **transmitted)
    assert (ruled.status, ruled.dated) == (states.ACCEPTED, IN_TIME)


def test_filed_before_september_it_is_kept_and_dated_the_first():
    """D24."""
    convention = an_agreement()
    ruled = decided(convention, schools_of(convention)[:3], dt.date(2020, 6, 3))
    assert (ruled.status, ruled.dated) == (states.ACCEPTED, dt.date(2020, 9, 1))


def test_a_school_added_and_removed_the_same_year_leaves_no_row_but_its_history():
    convention = an_agreement(2)
    first, new = schools_of(convention), a_public_school()
    decided(convention, [*first, new], dt.date(2020, 9, 3))
    decided(convention, first, dt.date(2020, 9, 30))
    assert not Enrolment.objects.filter(school=new).exists()
    past = Enrolment.history.filter(school=new).order_by("history_id")
    assert [(row.history_type, row.history_change_reason) for row in past] == [
        ("+", "Avenant n° 1 à partir de 2020-2021"),
        ("-", "Avenant n° 2 à partir de 2020-2021"),
    ]


def test_a_school_whose_stay_was_to_end_goes_on_when_the_list_keeps_it():
    convention = an_agreement(2, last_year=2021)
    row = convention.enrolments.order_by("pk").first()
    Enrolment.objects.filter(pk=row.pk).update(last_year=2020)
    asked = [*schools_of(convention), a_public_school()]
    decided(convention, asked)
    assert uais(convention, 2021) == {school.uai for school in asked}


LIST = st.frozensets(st.sampled_from(range(5)), min_size=1)
DAY = st.dates(dt.date(2018, 6, 1), dt.date(2021, 12, 1))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(2018, 2020), DAY, LIST), max_size=5), LIST)
def test_the_schools_enrolled_each_year_are_those_of_the_pure_rule(asked, initial):
    pool = [a_public_school() for _ in range(5)]
    convention = an_agreement(0, first_year=2018)
    for rank in initial:
        Enrolment.objects.create(convention=convention, school=pool[rank], first_year=2018)
    filed = []
    for year, day, wanted in sorted(asked, key=lambda item: item[:2]):
        ruled = decided(convention, [pool[rank] for rank in wanted], day, year=year)
        filed.append(ruled.filing)
    expected = lists(frozenset(pool[rank].uai for rank in initial), range(2018, 2021), filed)
    assert {row.school_year: row.schools for row in expected} == {
        year: frozenset(uais(convention, year)) for year in range(2018, 2021)
    }


# --- What is refused --------------------------------------------------------------------------


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


def test_the_lists_by_year_say_what_each_amendment_changed_when_and_why(django_assert_max_num_queries):
    convention = an_agreement(first_year=2018)
    schools = schools_of(convention, 2018)
    decided(convention, schools[:3], dt.date(2019, 9, 9), year=2019)
    decided(convention, schools[:2], LATE)
    waiting = opened(convention, schools[:1])
    with django_assert_max_num_queries(8):
        found = filings.lists_by_year(convention, LATE)
    assert [(row.label, len(row.schools)) for row in found] == [
        ("2018-2019", 4),
        ("2019-2020", 3),
        ("2020-2021", 3),
    ]
    [change] = found[1].changes
    assert (change.counts, change.ruled, change.dated) == (True, True, dt.date(2019, 9, 9))
    assert change.removed == [schools[3]]
    late, foreseen = found[2].changes
    assert (late.counts, foreseen.amendment, foreseen.ruled, foreseen.counts) == (
        False,
        waiting,
        False,
        False,
    )
    assert foreseen.reason.startswith("Reçu le 20")


def test_the_window_shown_is_the_one_open_or_the_next():
    convention = an_agreement()
    for day, year, is_open in (
        (dt.date(2019, 7, 1), 2019, False),
        (dt.date(2019, 10, 15), 2019, True),
        (dt.date(2019, 10, 16), 2020, False),
        (dt.date(2020, 9, 1), 2020, True),
    ):
        found = filings.window_of(convention, day)
        assert (found.year, found.open) == (year, is_open)
        assert (found.first, found.last) == (dt.date(year, 9, 1), dt.date(year, 10, 15))
    assert filings.window_of(convention, dt.date(2020, 10, 16)) is None


def test_the_schools_to_tick_are_those_named_and_those_of_the_commune():
    convention = an_agreement(1)
    named = schools_of(convention)[0]
    School.objects.filter(pk=named.pk).update(commune_code="31001")
    there = a_public_school(commune_name="Ailleurs")
    a_public_school(commune_code="31002")
    a_public_school(sector="prive")
    a_public_school(degree="college")
    a_public_school(absent_since=dt.date(2020, 1, 1))
    found = {school.uai for school in filings.candidates(convention, 2020)}
    assert found == {named.uai, there.uai}
