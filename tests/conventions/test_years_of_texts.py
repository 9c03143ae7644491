"""The years that a text covers, the day it ends at the latest, and the schools named for later."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError

from conventions import applying, filings, life, openings, states
from conventions.filings import AmendmentRefused
from conventions.models import Convention, Termination
from conventions.papers.sources import of_agreement
from conventions.papers.values import values_of
from conventions.policies import (
    CHARTER,
    FRAMEWORK,
    PARTNERSHIP_2020,
    PARTNERSHIP_2024,
    TRANSFER,
    Ending,
    years_beyond,
)
from conventions.taking_over import take_over
from conventions.terminations import consequences, open_termination, pronounce, record_step
from tests.conventions.amending import a_public_school, an_agreement, in_state
from tests.factories import ConventionFactory, EnrolmentFactory, MemberFactory, ScheduleFactory

pytestmark = pytest.mark.django_db
TERM = dt.date(2021, 10, 31)


def at(monkeypatch, day):
    monkeypatch.setattr("django.utils.timezone.localdate", lambda *_: day)


def test_it_works():
    agreement = ConventionFactory.build(policy=PARTNERSHIP_2020.code, first_year=2019, last_year=2020)
    assert agreement.years_obstacle == ""


@pytest.mark.parametrize(
    ("policy", "years", "word"),
    [
        (PARTNERSHIP_2020, (2019, 2020), ""),
        (PARTNERSHIP_2020, (2020, 2020), ""),
        (PARTNERSHIP_2020, (2020, 2021), "ne va pas au-delà de 2020-2021 : corrigez"),
        (PARTNERSHIP_2020, (2021, 2021), "ne va pas au-delà de 2020-2021 : corrigez"),
        (PARTNERSHIP_2020, (2019, None), "ne va pas au-delà de 2020-2021 : donnez la dernière année"),
        (PARTNERSHIP_2024, (2024, 2024), ""),
        (PARTNERSHIP_2024, (2023, 2024), "ne couvre que 2024-2025 : corrigez"),
        (PARTNERSHIP_2024, (2024, 2025), "ne couvre que 2024-2025 : corrigez"),
        (PARTNERSHIP_2024, (2024, None), "ne couvre que 2024-2025 : donnez la dernière année"),
        (CHARTER, (2014, None), ""),
        (TRANSFER, (2023, None), ""),
        (FRAMEWORK, (2010, 2030), ""),
    ],
)
def test_a_text_covers_its_years_only(policy, years, word):
    told = years_beyond(policy.code, *years)
    assert word in told
    assert bool(word) is bool(told)


def test_an_agreement_with_years_beyond_its_text_is_refused_in_its_form_and_at_its_take_over():
    agreement = ConventionFactory(
        policy=PARTNERSHIP_2020.code, first_year=2020, last_year=None, status=states.DRAFT
    )
    with pytest.raises(ValidationError, match="donnez la dernière année"):
        agreement.clean()
    facts = {"schools": [], "actor": "agent", "comment": "Au coffre."}
    with pytest.raises(life.Refused, match="donnez la dernière année"):
        take_over(convention=agreement, **facts)
    # A new row is refused likewise, and not written.
    party = MemberFactory()
    new = ConventionFactory.build(
        schedule=ScheduleFactory(),
        party=party,
        debtor=party,
        policy=PARTNERSHIP_2024.code,
        status=states.DRAFT,
        first_year=2023,
    )
    with pytest.raises(life.Refused, match="ne couvre que 2024-2025"):
        take_over(convention=new, **facts)
    assert new.pk is None


def test_no_amendment_opens_for_a_year_that_the_text_does_not_cover(monkeypatch):
    at(monkeypatch, dt.date(2021, 9, 10))
    agreement = an_agreement(2, last_year=None)
    assert filings.window_of(agreement, dt.date(2021, 9, 10)) is None
    [school, _] = filings.enrolled(agreement, 2021)
    with pytest.raises(AmendmentRefused, match="ne va pas au-delà de 2020-2021"):
        filings.open_amendment(convention=agreement, school_year=2021, schools=[school], actor="mairie")


# --- The last day -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ends_on", "last"), [(None, TERM), (dt.date(2022, 1, 15), TERM), (dt.date(2021, 3, 1),) * 2]
)
def test_the_last_day_is_the_one_of_the_text_or_an_earlier_end(ends_on, last):
    agreement = an_agreement(0, ends_on=ends_on)
    assert agreement.last_day == last
    day = {TERM: "31 octobre 2021"}.get(last, "1er mars 2021")
    assert values_of(of_agreement("convention", agreement))["date_fin"].replace("\u00a0", " ") == day


def test_without_a_text_the_last_day_is_the_end_written_down():
    assert ConventionFactory.build(ends_on=TERM).last_day == TERM
    assert ConventionFactory.build().last_day is None


def test_a_framework_that_ended_early_opens_nothing_after_that_day():
    facts = {"policy": FRAMEWORK.code, "signed_on": dt.date(2010, 5, 17)}
    framework = ConventionFactory(ends_on=dt.date(2012, 1, 31), **facts)
    assert openings.framework_obstacle([framework], dt.date(2012, 1, 31)) == ""
    assert "31 janvier 2012" in openings.framework_obstacle([framework], dt.date(2012, 2, 1)).replace(
        "\u00a0", " "
    )


@pytest.mark.parametrize("last_year", [2020, None])
def test_nothing_of_the_year_that_begins_before_the_term_is_due(monkeypatch, last_year):
    """The text holds until the end of October 2021 without owing 2021-2022; no end goes beyond it."""
    at(monkeypatch, dt.date(2022, 3, 1))
    agreement = an_agreement(1, last_year=last_year)
    termination = open_termination(
        convention=agreement,
        ending=Ending.NOTICE,
        author=Termination.Author.MEMBER,
        grounds="",
        actor="agent",
    )
    record_step(termination=termination, record="notified", on=dt.date(2021, 9, 20), actor="agent")
    assert "la dernière due est 2020-2021" in consequences(agreement, TERM)[0]
    with pytest.raises(life.Refused, match="constatez son terme"):
        pronounce(termination=termination, on=dt.date(2022, 1, 15), actor="agent")
    pronounce(termination=termination, on=TERM, actor="agent")
    stored = Convention.objects.get()
    assert (stored.status, stored.ends_on, stored.last_year) == (states.TERMINATED, TERM, 2020)


# --- A school named for a later year ------------------------------------------------------------


def test_a_school_that_was_to_come_later_comes_earlier_with_its_opening():
    agreement = an_agreement(1)
    facts = {
        "project_submitted_on": dt.date(2019, 5, 6),
        "project_validated_on": dt.date(2019, 6, 3),
        "opened_on": dt.date(2019, 11, 4),
    }
    later = EnrolmentFactory(
        convention=agreement, school=a_public_school(), first_year=2020, last_year=2020, **facts
    )
    again = EnrolmentFactory(convention=agreement, school=later.school, first_year=2021)
    amendment = in_state(agreement, states.FILED, [], year=2019)
    applying.set_list(amendment, [*filings.enrolled(agreement, 2019), later.school])
    [row] = agreement.enrolments.filter(school=later.school)
    assert (row.pk, row.first_year, row.amendment) == (later.pk, 2019, amendment)
    assert {name: getattr(row, name) for name in facts} == facts
    assert [past.first_year for past in row.history.order_by("pk")] == [2020, 2019]
    assert again.history.filter(history_type="-").count() == 1
