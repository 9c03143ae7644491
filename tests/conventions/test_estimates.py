"""What an agreement alone costs with a list of schools, told before anything is signed."""

from decimal import Decimal

import pytest

from conventions import filings, states
from conventions.estimates import estimate
from conventions.policies import FRAMEWORK
from invoicing.calculation import compute_run
from invoicing.models import Acceptance, Exclusion
from tests.conventions.amending import a_public_school, an_agreement
from tests.conventions.world import PER_PUPIL, a_schedule
from tests.factories import HeadcountFactory, HeadcountSourceFactory

pytestmark = pytest.mark.django_db


def words_of(found):
    return [words.replace("\u00a0", " ").replace("\u202f", " ") for words in found.words]


def codes_of(found):
    return {anomaly.code for anomaly in found.anomalies}


def test_it_works():
    convention = an_agreement(3)
    found = estimate(convention, 2020)
    assert (found.total, found.adopted, found.complete) == (Decimal("150.00"), True, True)
    assert words_of(found) == ["3 écoles × 50,00 € = 150,00 €"]
    assert len(found.lines) == 3


def test_another_list_is_told_without_being_written():
    convention = an_agreement(3)
    schools = [*filings.enrolled(convention, 2020)[:1], a_public_school()]
    assert estimate(convention, 2020, schools).total == Decimal("100.00")
    assert estimate(convention, 2020, []).total == Decimal("0.00")
    assert len(filings.enrolled(convention, 2020)) == 3


def test_an_agreement_not_yet_signed_is_told_too():
    convention = an_agreement(2, status=states.DRAFT)
    assert estimate(convention, 2020).total == Decimal("100.00")


def test_a_year_without_a_tariff_is_said_and_costs_nothing():
    found = estimate(an_agreement(2, last_year=2021), 2021)
    assert (found.adopted, found.total, found.complete) == (False, Decimal("0.00"), False)
    [anomaly] = found.anomalies
    assert "n'est adopté pour 2021-2022" in anomaly.message


def test_what_is_shared_between_members_is_left_out_and_said():
    pool = {"code": "COMMUN", "model": "allocation", "unit_price": None, "metric": "pupils"}
    convention = an_agreement(2, schedule=a_schedule(pool, years=(2020,)))
    found = estimate(convention, 2020)
    assert (found.total, codes_of(found), found.complete) == (Decimal("0.00"), {"shared_out"}, False)


def test_a_count_that_is_missing_is_said():
    convention = an_agreement(2, schedule=a_schedule(PER_PUPIL, years=(2020,)))
    known = filings.enrolled(convention, 2020)[0]
    HeadcountFactory(school=known, school_year=2020, pupils=30)
    found = estimate(convention, 2020)
    assert (found.total, codes_of(found), found.complete) == (
        Decimal("180.00"),
        {"missing_count"},
        False,
    )


def test_the_framework_costs_nothing():
    found = estimate(an_agreement(1, policy=FRAMEWORK.code), 2020)
    assert (found.total, codes_of(found)) == (Decimal("0.00"), {"bills_nothing"})


def test_it_says_what_the_call_says():
    convention = an_agreement(3)
    run = compute_run(schedule=convention.schedule, year=2020, actor="agent")
    called = list(run.calls.get().lines.order_by("position").values_list("explanation", "amount"))
    assert called == [(x.explanation, x.amount) for x in estimate(convention, 2020).lines]


def test_an_approximation_that_staff_accepted_is_certain_as_in_the_call():
    convention = an_agreement(2, schedule=a_schedule(PER_PUPIL, years=(2020,)))
    first, second = filings.enrolled(convention, 2020)
    guess = HeadcountSourceFactory(code="ESTIMATION", rank=2, billable=False)
    HeadcountFactory(school=first, school_year=2020, pupils=30)
    HeadcountFactory(school=second, school_year=2020, pupils=12, source=guess)
    assert not estimate(convention, 2020).complete
    decided = {"schedule": convention.schedule, "school_year": 2020, "decided_by": "agent"}
    Acceptance.objects.create(code="count_not_billable", reason="Liste lue.", school=second, **decided)
    assert same_as_the_call(convention) == (Decimal("252.00"), True)
    assert not estimate(convention, 2020, [a_public_school()]).complete
    Exclusion.objects.create(school=first, reason="Fermée en cours d'année.", **decided)
    assert same_as_the_call(convention) == (Decimal("72.00"), True)


def same_as_the_call(convention):
    """Return the total of an estimate and whether it is certain, once they are those of the call."""
    run = compute_run(schedule=convention.schedule, year=2020, actor="agent")
    found = estimate(convention, 2020)
    called = run.anomalies.filter(call__isnull=False).order_by("pk")
    told = [(x.code, x.blocking, x.accepted) for x in found.anomalies]
    assert told == list(called.values_list("code", "blocking", "accepted"))
    assert found.total == run.total
    return found.total, found.complete
