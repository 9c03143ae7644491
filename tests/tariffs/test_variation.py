"""A count that moves beyond ±20 % in a year is a warning, where a charge reads it."""

import pytest

from tests.tariffs.bases import (
    BY_BAND,
    PER_ACTIVE,
    PER_PUPIL,
    PER_SCHOOL,
    POOL,
    charge,
    codes,
    only,
    school,
    spoken,
    with_schools,
)


def anomalies(pupils, previous, charges=(PER_PUPIL,), **values):
    debtor = with_schools(1, school(1, pupils, previous_pupils=previous, **values))
    return only(charges, debtor).anomalies


def test_it_works():
    [anomaly] = anomalies(412, 300, uai="0341301E", name="")
    assert spoken(anomaly.message) == (
        "0341301E : 412 élèves contre 300 l'année précédente (+37 %) : vérifiez."
    )
    assert (anomaly.code, anomaly.uai, anomaly.blocking) == ("variation", "0341301E", False)


@pytest.mark.parametrize(
    ("pupils", "previous", "warned"),
    [
        (100, 100, False),
        (120, 100, False),
        (121, 100, True),
        (80, 100, False),
        (79, 100, True),
        (6, 5, False),
        (7, 5, True),
        (4, 5, False),
        (3, 5, True),
        (1213, 1011, False),
        (1214, 1011, True),
        (0, 100, True),
        (0, 0, False),
        (1, 0, True),
        (1, None, False),
    ],
)
def test_exactly_20_per_cent_is_not_beyond(pupils, previous, warned):
    assert [a.code for a in anomalies(pupils, previous)] == ["variation"] * warned


@pytest.mark.parametrize(
    ("pupils", "previous", "words"),
    [
        (79, 100, "79 élèves contre 100 l'année précédente (−21 %) : vérifiez."),
        (0, 100, "0 élève contre 100 l'année précédente (−100 %) : vérifiez."),
        (12, 0, "12 élèves contre 0 l'année précédente : vérifiez."),
        (2470, 1000, "2 470 élèves contre 1 000 l'année précédente (+147 %) : vérifiez."),
        (5, 4, "5 élèves contre 4 l'année précédente (+25 %) : vérifiez."),
        (13, 8, "13 élèves contre 8 l'année précédente (+63 %) : vérifiez."),
    ],
)
def test_the_percentage_is_whole_half_up_and_absent_after_nought(pupils, previous, words):
    [anomaly] = anomalies(pupils, previous)
    assert spoken(anomaly.message).endswith(words)


@pytest.mark.parametrize("reader", [PER_PUPIL, BY_BAND, POOL])
def test_every_charge_that_reads_pupils_warns(reader):
    assert [a.code for a in anomalies(412, 300, [reader])] == ["variation"]


@pytest.mark.parametrize("deaf", [PER_SCHOOL, PER_ACTIVE])
def test_a_charge_that_reads_no_pupils_does_not_warn(deaf):
    assert anomalies(412, 300, [deaf], active_pupils=200) == []


def test_a_charge_the_school_is_not_in_the_scope_of_does_not_warn():
    college_only = charge("COMPTES", "pupils", price="6.00", degree="college")
    assert [a.code for a in anomalies(412, 300, [PER_SCHOOL, college_only])] == []


def test_two_charges_that_read_the_same_count_warn_once():
    assert len(anomalies(412, 300, [PER_PUPIL, BY_BAND])) == 1


def test_an_approximation_is_told_as_such_and_compared_with_nothing():
    found = anomalies(412, 300, pupils_billable=False, pupils_source="IPS")
    assert [a.code for a in found] == ["count_not_billable"]


def test_a_warned_member_is_not_blocked_and_owes_the_same():
    calm, warned = (
        only([PER_PUPIL], with_schools(1, school(1, 412, previous_pupils=previous)))
        for previous in (None, 300)
    )
    assert codes(warned) == ["variation"]
    assert not warned.blocked
    assert warned.lines == calm.lines
