"""Two people on the same agreement at once, by real processes: one is told, nothing is lost."""

import pytest

from tests.invoicing.scratch import POSTGRESQL, until

pytestmark = pytest.mark.django_db
WAITING = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
OPEN = """
import sys
import django
django.setup()
from conventions import filings
from conventions.models import Convention, Enrolment
from members.models import School
convention = Convention.objects.filter(first_year=2020).order_by("pk")[0]
new = School.objects.exclude(pk__in=Enrolment.objects.values("school")).order_by("uai")[0]
try:
    row = filings.open_amendment(
        convention=convention, school_year=2020, actor=sys.argv[1],
        schools=[*filings.enrolled(convention, 2020), new],
    )
    print("ouvert", row.number)
except filings.AmendmentRefused as error:
    print(error)
"""
PREPARE = """
import django
django.setup()
from conventions.models import Convention
Convention.objects.filter(first_year=2020).update(policy="partenariat-montpellier-2020")
"""


def at_once(scratch, code):
    """Start two processes, let both reach the agreement, and return what each printed."""
    assert scratch.run("-c", PREPARE).returncode == 0
    if POSTGRESQL:
        with scratch.connection() as gate:
            gate.execute("BEGIN")
            gate.execute("SELECT id FROM conventions_convention FOR UPDATE")
            started = [scratch.start("-c", code, name) for name in ("mairie", "agent")]
            until(lambda: len(scratch.rows(WAITING)) == 2)
            gate.execute("COMMIT")
    else:
        started = [scratch.start("-c", code, name) for name in ("mairie", "agent")]
    told = []
    for process in started:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        told.append(output.strip())
    return sorted(told)


def test_of_two_amendments_opened_at_once_one_is_told_that_the_other_is_open(scratch):
    refused, opened = sorted(at_once(scratch, OPEN), key=len, reverse=True)
    assert refused.startswith("Un avenant de cette convention est déjà en cours")
    assert opened == "ouvert 1"
    assert scratch.rows("SELECT COUNT(*) FROM conventions_amendment") == [(1,)]


FILED = """
import django
django.setup()
from conventions import filings, states
from conventions.models import AmendedSchool, Amendment, Convention, Enrolment
from members.models import School
convention = Convention.objects.filter(first_year=2020).order_by("pk")[0]
new = School.objects.exclude(pk__in=Enrolment.objects.values("school")).order_by("uai")[0]
row = Amendment.objects.create(
    convention=convention, number=1, school_year=2020, status=states.FILED, requested_by="mairie",
    received_on="2020-10-02",
)
for school in [*filings.enrolled(convention, 2020), new]:
    AmendedSchool.objects.create(amendment=row, school=school)
"""
DECIDE = """
import sys
import django
django.setup()
from conventions import filings, states
from conventions.models import Amendment
try:
    print(filings.decide(amendment=Amendment.objects.get(), actor=sys.argv[1]).status)
except states.IllegalTransition as error:
    print(error)
"""


def test_decided_twice_at_once_it_is_applied_once(scratch):
    assert scratch.run("-c", PREPARE).returncode == 0
    made = scratch.run("-c", FILED)
    assert made.returncode == 0, made.stderr
    told = at_once(scratch, DECIDE)
    assert told[0] == "accepte"
    assert "l'état est « Accepté »" in told[1]
    added = "SELECT COUNT(*) FROM conventions_enrolment WHERE amendment_id IS NOT NULL"
    assert scratch.rows(added) == [(1,)]
    accepted = "SELECT COUNT(*) FROM conventions_transition WHERE action = 'accepter'"
    assert scratch.rows(accepted) == [(1,)]
