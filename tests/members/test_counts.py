"""Counts are replaced or withdrawn, never overwritten; one of them is retained."""

import itertools

import pytest
from django.db import IntegrityError, connection, transaction

from members import counts
from members.counts import Known
from members.models import Headcount, Usage
from tests.factories import (
    HeadcountFactory,
    HeadcountSourceFactory,
    SchoolFactory,
    UsageFactory,
)
from tests.tariffs.bases import spoken

pytestmark = pytest.mark.django_db

DEPP = Known(412, "DEPP", True, 1)
MANUEL = Known(420, "MANUEL", True, 2)
ANNUAIRE = Known(390, "ANNUAIRE", False, 3)
IPS = Known(287, "IPS", False, 4)


@pytest.fixture
def depp():
    return HeadcountSourceFactory(code="DEPP", rank=1)


@pytest.fixture
def school():
    return SchoolFactory(uai="0341301E")


def head(school, pupils, source, year=2024):
    return Headcount(school=school, school_year=year, source=source, pupils=pupils)


def test_it_works(school, depp):
    first = counts.keep(Headcount, [head(school, 412, depp)])
    second = counts.keep(Headcount, [head(school, 415, depp)])

    assert [counts.value(count) for count in first.created] == [412]
    assert [(old.pupils, new.pupils) for old, new in second.replaced] == [(412, 415)]
    assert list(Headcount.objects.order_by("pk").values_list("pupils", flat=True)) == [412, 415]
    assert Headcount.current.get().pupils == 415


def test_a_count_that_says_what_is_known_writes_nothing(school, depp):
    counts.keep(Headcount, [head(school, 412, depp)])
    kept = counts.keep(Headcount, [head(school, 412, depp)])
    assert (len(kept.created), len(kept.replaced), len(kept.unchanged)) == (0, 0, 1)
    assert Headcount.objects.count() == 1


def test_another_year_or_source_replaces_nothing(school, depp):
    ips = HeadcountSourceFactory(code="IPS", rank=4, billable=False)
    others = [head(school, 400, depp, 2023), head(school, 287, ips)]
    kept = counts.keep(Headcount, [head(school, 412, depp), *others])
    assert (len(kept.created), len(kept.replaced)) == (3, 0)


def test_a_withdrawn_count_stays_in_the_history_and_may_come_back(school, depp):
    counts.keep(Headcount, [head(school, 412, depp)])
    counts.withdraw(Headcount, [Headcount.current.get().pk])
    assert not Headcount.current.exists()
    assert len(counts.keep(Headcount, [head(school, 412, depp)]).created) == 1
    assert Headcount.objects.count() == 2


def test_withdrawing_again_does_not_move_the_date(school, depp):
    counts.keep(Headcount, [head(school, 412, depp)])
    key = Headcount.objects.get().pk
    counts.withdraw(Headcount, [key])
    former = Headcount.objects.get().superseded_at
    counts.withdraw(Headcount, [key])
    assert Headcount.objects.get().superseded_at == former


def test_the_database_itself_refuses_to_overwrite_or_delete_a_count(school, depp):
    HeadcountFactory(school=school, source=depp)
    UsageFactory(school=school, source=depp)
    for model, column in ((Headcount, "pupils"), (Usage, "active_pupils")):
        with pytest.raises(IntegrityError), transaction.atomic():
            model.objects.update(**{column: 1})
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {model._meta.db_table}")


def test_two_counts_of_one_source_never_hold_at_once(school, depp):
    HeadcountFactory(school=school, source=depp)
    with pytest.raises(IntegrityError), transaction.atomic():
        Headcount.objects.bulk_create([head(school, 415, depp)])


@pytest.mark.parametrize(
    ("known", "retained"),
    [
        ((DEPP, MANUEL, ANNUAIRE, IPS), DEPP),
        ((MANUEL, ANNUAIRE, IPS), MANUEL),
        ((ANNUAIRE, IPS), ANNUAIRE),
        ((IPS,), IPS),
        ((Known(1, "IPS", False, 1), Known(2, "AUTRE", True, 9)), Known(2, "AUTRE", True, 9)),
    ],
)
def test_a_billable_source_is_retained_first_then_the_smallest_rank(known, retained):
    assert {counts.preferred(order) for order in itertools.permutations(known)} == {retained}


def test_a_count_replaced_or_withdrawn_is_retained_no_longer(school, depp):
    ips = HeadcountSourceFactory(code="IPS", rank=4, billable=False)
    counts.keep(Headcount, [head(school, 412, depp), head(school, 287, ips)])
    assert counts.retained(Headcount, 2024, [school])[school.uai].number == 412
    counts.withdraw(Headcount, [Headcount.current.get(source=depp).pk])
    assert counts.retained(Headcount, 2024, [school])[school.uai].number == 287
    assert counts.retained(Headcount, 2023, [school]) == {}


def test_the_counts_of_many_schools_are_read_in_one_query(depp, django_assert_num_queries):
    schools = SchoolFactory.create_batch(30)
    counts.keep(Headcount, [head(school, 10, depp) for school in schools])
    with django_assert_num_queries(1):
        assert len(counts.retained(Headcount, 2024, schools)) == 30


@pytest.mark.parametrize(("active", "refused"), [(412, False), (413, True)])
def test_a_usage_may_equal_the_pupils_and_no_more(active, refused):
    words = counts.usage_above(active, DEPP)
    assert bool(words) == refused
    if refused:
        assert spoken(words).startswith("413 élèves actifs pour 412 élèves (source DEPP)")


def test_without_count_a_usage_is_measured_against_nothing():
    assert counts.usage_above(413, None) == ""
    assert counts.count_below(None, DEPP) == counts.count_below(DEPP, None) == ""
