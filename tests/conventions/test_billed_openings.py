"""From which school year a school is billed, and which agreements owe something."""

import datetime as dt
from decimal import Decimal

import pytest

from conventions import states
from conventions.assessment import (
    Decisions,
    due_from_opening,
    not_yet_open,
    opened_in,
    read_basis,
    waiting_in,
)
from conventions.basis import from_json
from conventions.estimates import estimate
from conventions.findings import Scope
from conventions.models import Enrolment, Transition
from conventions.policies import CHARTER, FRAMEWORK, PARTNERSHIP_2024
from conventions.readiness import FINDINGS, counts
from invoicing.calculation import compute_run, recompute
from tests.conventions.tariff import adopt, per_school
from tests.factories import ConventionFactory, EnrolmentFactory, ScheduleFactory

pytestmark = pytest.mark.django_db

SUBMITTED, VALIDATED = dt.date(2024, 11, 4), dt.date(2024, 11, 18)


@pytest.fixture
def schedule():
    return adopt(ScheduleFactory(code="ENT"), per_school(), years=(2023, 2024, 2025))


def enrolled(schedule, **facts):
    convention = ConventionFactory(schedule=schedule, first_year=2020, last_year=None)
    return EnrolmentFactory(convention=convention, **facts)


def totals(schedule):
    """Return the total of the three years adopted."""
    years = (2023, 2024, 2025)
    return [sum(r.total for r in read_basis(schedule, year).assess()) for year in years]


def notices(schedule, year):
    results = read_basis(schedule, year).assess()
    return [anomaly for result in results for anomaly in result.anomalies]


def test_it_works(schedule):
    """Opened in January 2025: the first school year due is 2024-2025."""
    enrolled(schedule, opened_on=dt.date(2025, 1, 6))
    assert totals(schedule) == [0, 45, 45]


@pytest.mark.parametrize(
    ("opened_on", "billed"),
    [
        (dt.date(2024, 8, 31), [45, 45, 45]),
        (dt.date(2024, 9, 1), [0, 45, 45]),
        (dt.date(2025, 8, 31), [0, 45, 45]),
        (dt.date(2025, 9, 1), [0, 0, 45]),
    ],
)
def test_a_school_is_not_billed_for_the_years_that_end_before_it_opened(schedule, opened_on, billed):
    enrolled(schedule, opened_on=opened_on)
    assert totals(schedule) == billed


def test_a_school_whose_project_is_submitted_is_not_billed_and_says_so_without_blocking(schedule):
    enrolment = enrolled(schedule, project_submitted_on=SUBMITTED, project_validated_on=VALIDATED)
    assert totals(schedule) == [0, 0, 0]
    [notice] = notices(schedule, 2024)
    assert (notice.uai, notice.blocking) == (enrolment.school.uai, False)
    assert "en attente d'ouverture" in notice.message
    assert enrolment.school.name in notice.message


def test_a_school_taken_over_from_paper_is_billed(schedule):
    enrolled(schedule)
    assert totals(schedule) == [45, 45, 45]


def by_steps(enrolment, *actions, policy=CHARTER):
    """Give an agreement its text and these steps in the log."""
    convention = enrolment.convention
    convention.policy = policy.code
    convention.save()
    Transition.objects.bulk_create(
        [
            Transition(convention=convention, action=action, before="", after="", actor="agent")
            for action in actions
        ]
    )
    return enrolment


NEW = ("envoyer", "signer", "mettre_en_vigueur")


def test_a_school_of_a_new_charter_is_due_from_its_opening_only(schedule):
    """Article 4 of the charter: nothing is due before the opening, and a notice says so."""
    enrolment = by_steps(enrolled(schedule), *NEW)
    assert totals(schedule) == [0, 0, 0]
    [notice] = notices(schedule, 2024)
    assert (notice.uai, notice.blocking) == (enrolment.school.uai, False)
    assert "en attente d'ouverture" in notice.message
    assert estimate(enrolment.convention, 2024).total == 0
    assert counts(Scope(schedule.issuer, 2024))["en-attente"] == 1
    Enrolment.objects.update(opened_on=dt.date(2025, 1, 6))
    assert totals(schedule) == [0, 45, 45]
    assert estimate(enrolment.convention, 2024).total == 45


@pytest.mark.parametrize(
    ("actions", "policy"),
    [
        ((), CHARTER),
        (("reprise",), CHARTER),
        (("resiliation_ouverte", "resilier"), CHARTER),
        ((*NEW, "resilier_avant", "reprendre", "reprise"), CHARTER),
        (NEW, PARTNERSHIP_2024),
    ],
)
def test_the_schools_of_a_charter_taken_over_or_of_another_text_are_billed(schedule, actions, policy):
    by_steps(enrolled(schedule), *actions, policy=policy)
    assert totals(schedule) == [45, 45, 45]


def presumed(schedule):
    """Return the schools that the readiness page says are billed without a known opening."""
    finding = FINDINGS["ouverture-inconnue"]
    return [row.uai for row in finding.rows(Scope(schedule.issuer, 2024)).order_by("uai")]


def test_a_school_added_after_the_taking_over_of_its_charter_is_told(schedule):
    """It is billed as those that were in service then, until a fact of its opening is recorded."""
    enrolment = by_steps(enrolled(schedule), "reprise")
    assert presumed(schedule) == []
    added = EnrolmentFactory(convention=enrolment.convention)
    assert totals(schedule) == [90, 90, 90]
    assert presumed(schedule) == [added.school.uai]
    added.opened_on = dt.date(2024, 11, 18)
    added.save()
    assert presumed(schedule) == []
    assert totals(schedule) == [45, 90, 90]


def test_a_school_that_the_charter_named_then_is_not_told_when_its_row_is_made_again(schedule):
    enrolment = by_steps(enrolled(schedule), "reprise")
    facts = {"convention": enrolment.convention, "school": enrolment.school, "first_year": 2021}
    enrolment.delete()
    EnrolmentFactory(**facts)
    assert presumed(schedule) == []


def test_without_a_log_a_school_of_a_later_year_is_told(schedule):
    enrolment = by_steps(enrolled(schedule))
    later = EnrolmentFactory(convention=enrolment.convention, first_year=2022)
    assert presumed(schedule) == [later.school.uai]


@pytest.mark.parametrize(("actions", "policy"), [(NEW, CHARTER), (("reprise",), PARTNERSHIP_2024)])
def test_what_waits_for_its_opening_or_owes_from_the_first_year_is_not_told(schedule, actions, policy):
    enrolment = by_steps(enrolled(schedule), *actions, policy=policy)
    EnrolmentFactory(convention=enrolment.convention, first_year=2022)
    assert presumed(schedule) == []


def test_the_reason_of_staff_comes_before_the_opening(schedule):
    enrolment = enrolled(schedule, project_submitted_on=SUBMITTED)
    decided = Decisions(exclusions={enrolment.school.uai: "Fermée."})
    [member] = read_basis(schedule, 2024, decided).members
    assert member.agreements[0].schools[0].excluded == "Fermée."


def test_what_the_pages_count_is_what_the_calculation_leaves_out(schedule):
    """Both conditions split the enrolments, and agree with the words of the calculation."""
    days = (None, dt.date(2024, 8, 31), dt.date(2024, 9, 1), dt.date(2025, 9, 1))
    for opened_on in days:
        for submitted in (None, SUBMITTED):
            if opened_on is None or submitted is None or opened_on > submitted:
                validated = submitted and submitted + dt.timedelta(days=1)
                enrolled(
                    schedule,
                    opened_on=opened_on,
                    project_submitted_on=submitted,
                    project_validated_on=validated,
                )
    by_steps(enrolled(schedule), *NEW)
    by_steps(enrolled(schedule), "reprise")
    by_steps(enrolled(schedule, opened_on=dt.date(2024, 9, 1)), *NEW)
    from_opening = set(Enrolment.objects.order_by("pk").filter(due_from_opening()))
    assert len(from_opening) == 2
    for year in (2023, 2024, 2025):
        opened = set(Enrolment.objects.order_by("pk").filter(opened_in(year)))
        waiting = set(Enrolment.objects.order_by("pk").filter(waiting_in(year)))
        assert not opened & waiting
        assert len(opened | waiting) == Enrolment.objects.count()
        for row in waiting | opened:
            told = not_yet_open(year, row.project_submitted_on, row.opened_on, row in from_opening)
            assert bool(told) is (row in waiting)


def test_a_run_replays_to_the_cent_after_the_school_opened(schedule):
    enrolment = enrolled(schedule, project_submitted_on=SUBMITTED, project_validated_on=VALIDATED)
    enrolled(schedule)
    run = compute_run(schedule=schedule, year=2024, actor="essai")
    enrolment.opened_on = dt.date(2025, 1, 6)
    enrolment.save()
    assert run.total == Decimal("45.00")
    assert sum(result.total for result in recompute(run)) == Decimal("45.00")
    assert compute_run(schedule=schedule, year=2024, actor="essai").total == Decimal("90.00")


def test_a_basis_kept_before_openings_were_read_is_still_read(schedule):
    """The frozen form has not changed: what a school waits for is told where exclusions were."""
    enrolled(schedule)
    kept = read_basis(schedule, 2024).as_json()
    assert set(kept["members"][0]["agreements"][0]["schools"][0]) == {
        "uai", "name", "commune", "degree", "sector", "pupils", "pupils_source", "pupils_billable",
        "active_pupils", "active_source", "active_billable", "excluded", "previous_pupils",
    }  # fmt: skip
    assert sum(r.total for r in from_json(kept).assess()) == Decimal("45.00")


# Which agreements owe.


def test_a_terminated_or_expired_agreement_still_owes_the_years_begun(schedule):
    for status in (states.IN_FORCE, states.TERMINATED, states.EXPIRED):
        convention = ConventionFactory(
            schedule=schedule, status=status, ends_on=dt.date(2024, 11, 30), last_year=2024
        )
        EnrolmentFactory(convention=convention)
    assert totals(schedule) == [0, 135, 0]


def test_a_draft_sent_signed_or_abandoned_agreement_owes_nothing(schedule):
    others = set(states.AGREEMENT_STATES) - set(states.OWING)
    assert others == {states.DRAFT, states.SENT, states.SIGNED, states.ABANDONED}
    for status in sorted(others):
        EnrolmentFactory(convention=ConventionFactory(schedule=schedule, status=status))
    assert totals(schedule) == [0, 0, 0]
    assert read_basis(schedule, 2024).members == ()


def test_the_framework_of_2010_founds_no_call(schedule):
    framework = ConventionFactory(schedule=schedule, policy=FRAMEWORK.code)
    EnrolmentFactory(convention=framework)
    assert read_basis(schedule, 2024).members == ()


def test_the_absence_of_a_framework_in_force_holds_no_call(schedule):
    ConventionFactory(schedule=schedule, policy=FRAMEWORK.code, signed_on=dt.date(2010, 5, 17))
    enrolled(schedule, opened_on=dt.date(2024, 1, 8))
    assert totals(schedule) == [45, 45, 45]
