"""Two writers of the same count at once, by real processes: one replaces the other, neither fails."""

import pytest

from tests.invoicing.scratch import POSTGRESQL, until

pytestmark = pytest.mark.django_db
KNOWN, NEW = 2024, 2031
WRITE = f"""
import sys
import django
django.setup()
from members import counts
from members.models import Headcount
known = Headcount.objects.filter(school_year={KNOWN}).order_by("pk")[0]
counts.keep(Headcount, [
    Headcount(school=known.school, school_year=year, source=known.source, pupils=int(sys.argv[1]))
    for year in ({KNOWN}, {NEW})
])
"""
WAITING = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
WRITTEN = """
SELECT school_year, pupils, superseded_at IS NULL FROM members_headcount
WHERE pupils IN (7001, 7002) ORDER BY school_year, id
"""


def test_two_writers_of_one_count_follow_one_another(scratch):
    if POSTGRESQL:  # held until each has read what it may before writing, or waits for the other
        with scratch.connection() as gate:
            gate.execute("BEGIN")
            gate.execute("LOCK TABLE members_headcount IN SHARE MODE")
            writers = [scratch.start("-c", WRITE, pupils) for pupils in ("7001", "7002")]
            until(lambda: len(scratch.rows(WAITING)) == 2)
            gate.execute("COMMIT")
    else:  # SQLite has one writer: nothing shows which process waits
        writers = [scratch.start("-c", WRITE, pupils) for pupils in ("7001", "7002")]
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0, errors

    rows = scratch.rows(WRITTEN)
    assert [(year, bool(holds)) for year, _, holds in rows] == [
        (KNOWN, False),
        (KNOWN, True),
        (NEW, False),
        (NEW, True),
    ]
    assert sorted(pupils for year, pupils, _ in rows if year == NEW) == [7001, 7002]
