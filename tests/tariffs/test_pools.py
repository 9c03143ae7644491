"""Pools shared to the cent, deductions, and members side by side."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tariffs.engine import (
    DEDUCTION,
    Acceptance,
    Deduction,
    compute,
    share_out,
)
from tests.factories import valid_siret, valid_uai
from tests.tariffs.bases import (
    PER_SCHOOL,
    POOL,
    YEAR,
    agreement,
    charge,
    codes,
    member,
    only,
    premier_degre,
    school,
    spoken,
    with_schools,
)

# Pools.


def test_a_pool_not_entered_blocks_all_who_share_it():
    communes = [with_schools(1, school(1)), with_schools(2, school(2))]
    results = compute([charge("COMMUN", "pupils", "allocation")], communes, YEAR)
    assert [codes(result) for result in results] == [["missing_pool"]] * 2
    assert not any(result.lines for result in results)


def test_each_pool_not_entered_is_named():
    pools = [charge(code, "pupils", "allocation") for code in ("COMMUN", "AUTRE")]
    result = only(pools, with_schools(1, school(1)))
    words = " ".join(anomaly.message for anomaly in result.anomalies)
    assert "Ligne COMMUN" in words
    assert "Ligne AUTRE" in words


def test_an_unknown_weight_blocks_every_sharer():
    communes = [with_schools(1, school(1, 300)), with_schools(2, school(2, None))]

    ready, lacking = compute([POOL], communes, YEAR)

    assert codes(ready) == ["pool_weight_unknown"]
    assert codes(lacking) == ["missing_count", "pool_weight_unknown"]
    assert valid_uai(2) in ready.anomalies[0].message
    assert not ready.lines
    assert ready.blocked


def test_an_unknown_weight_leaves_alone_those_who_do_not_share():
    option = replace(POOL, subscription="OPTION")
    sharer = member(1, agreement(school(1, None), number=1, subscriptions=("OPTION",)))
    other = with_schools(2, school(2, 10))
    blocked, free = compute([PER_SCHOOL, option], [sharer, other], YEAR)
    assert blocked.blocked
    assert not free.anomalies


def test_a_school_unknown_to_the_annuaire_is_an_unknown_weight():
    unknown = school(2, degree="", sector="")
    communes = [with_schools(1, school(1, 300)), with_schools(2, school(3, 10), unknown)]

    ready, lacking = compute(premier_degre("6500.00"), communes, YEAR)

    assert codes(ready) == ["pool_weight_unknown"]
    assert codes(lacking) == ["pool_weight_unknown", "school_unknown"]


def test_a_school_listed_twice_is_an_unknown_weight_for_every_sharer():
    """Mending it would move what the others pay."""
    communes = [with_schools(n, school(n, 100)) for n in (1, 2)] + [with_schools(3, school(1, 100))]
    first, bystander, second = compute([POOL], communes, YEAR)
    assert codes(bystander) == ["pool_weight_unknown"]
    assert codes(first) == codes(second) == ["pool_weight_unknown", "school_twice"]


def test_an_approximate_weight_blocks_every_sharer_until_it_is_accepted():
    approximate = school(1, 100, pupils_source="IPS", pupils_billable=False)
    communes = [with_schools(1, approximate), with_schools(2, school(2, 300))]
    refused = compute([POOL], communes, YEAR)
    assert codes(refused[0]) == ["count_not_billable", "pool_weight_unknown"]
    assert codes(refused[1]) == ["pool_weight_unknown"]
    acceptance = Acceptance("count_not_billable", "vérifié", uai=valid_uai(1))
    accepted = compute([POOL], communes, YEAR, [acceptance])
    assert [str(result.total) for result in accepted] == ["1625.00", "4875.00"]
    assert not any(result.blocked for result in accepted)


def test_many_unknown_weights_still_make_a_readable_message():
    schools = [school(number, None) for number in range(1, 200)]
    result = only([POOL], with_schools(1, *schools))
    message = next(a.message for a in result.anomalies if a.code == "pool_weight_unknown")
    assert len(message) <= 300
    assert "autres" in message


def test_a_pool_with_nothing_to_share_on_blocks():
    result = only([POOL], with_schools(1, school(1, 0)))
    assert codes(result) == ["pool_without_weight"]
    assert not result.lines


def test_a_member_blocked_for_another_reason_keeps_its_share():
    fine = [with_schools(n, school(n, pupils)) for n, pupils in [(1, 300), (2, 500), (3, 133)]]
    wrong = replace(fine[2], agreements=(*fine[2].agreements, agreement(number=9)))

    clean = compute(premier_degre("6500.00"), fine, YEAR)
    mixed = compute(premier_degre("6500.00"), [*fine[:2], wrong], YEAR)

    assert mixed[2].blocked
    assert [result.total for result in mixed] == [result.total for result in clean]
    assert [result.blocked for result in mixed] == [False, False, True]


def test_equal_remainders_go_to_the_smallest_siret_first():
    communes = [with_schools(n, school(n, 1)) for n in (3, 1, 2)]

    results = compute([charge("COMMUN", "pupils", "allocation", pool="0.02")], communes, YEAR)

    assert [(r.member.siret, str(r.total)) for r in results] == [
        (valid_siret(1), "0.01"),
        (valid_siret(2), "0.01"),
        (valid_siret(3), "0.00"),
    ]


def test_the_share_of_a_member_names_the_agreement_that_weighs():
    option = replace(POOL, subscription="OPTION")
    debtor = member(
        1,
        agreement(school(1, 5), number=1),
        agreement(school(2, 5), number=2, subscriptions=("OPTION",)),
    )
    [share] = [line for line in only([PER_SCHOOL, option], debtor).lines if line.charge == "COMMUN"]
    assert share.agreement == "CONV-2"


def test_a_pool_can_be_shared_on_units():
    shared = charge("TABLETTE", "units", "allocation", pool="100.00")
    members = [
        member(number, agreement(number=number, units=(("TABLETTE", quantity),)))
        for number, quantity in [(1, 3), (2, 1)]
    ]
    assert [str(r.total) for r in compute([shared], members, YEAR)] == ["75.00", "25.00"]


def test_sharing_on_no_weight_is_an_error():
    with pytest.raises(ValueError, match="Aucun poids"):
        share_out(Decimal("10.00"), {"a": 0})


# Deductions.


def test_a_deduction_is_a_line_of_its_own():
    debtor = member(1, agreement(school(1)), deductions=[Deduction("Subvention", Decimal("20.00"))])
    result = only([PER_SCHOOL], debtor)
    line = result.lines[-1]
    assert (line.charge, str(line.amount)) == (DEDUCTION, "-20.00")
    assert spoken(line.explanation) == "Subvention : −20,00 €"
    assert result.total == Decimal("25.00")


def test_deductions_stop_at_zero_and_say_what_is_left():
    deductions = [
        Deduction("Première", Decimal("40.00")),
        Deduction("Seconde", Decimal("10.00")),
        Deduction("Troisième", Decimal("7.00")),
    ]
    result = only([PER_SCHOOL], member(1, agreement(school(1)), deductions=deductions))

    assert result.total == 0
    assert [str(a.amount) for a in result.lines if a.charge == DEDUCTION] == ["-40.00", "-5.00"]
    assert codes(result) == ["deduction_above_call"] * 2
    assert result.blocked
    words = [spoken(anomaly.message) for anomaly in result.anomalies]
    assert "5,00 €" in words[0]
    assert "7,00 €" in words[1]


# A member among others.


def test_no_member_no_result():
    assert compute([PER_SCHOOL], [], YEAR) == []


def test_results_come_by_siret():
    results = compute([PER_SCHOOL], [with_schools(n, school(n)) for n in (3, 1, 2)], YEAR)
    assert [r.member.siret for r in results] == [valid_siret(n) for n in (1, 2, 3)]


def test_a_debtor_with_two_agreements_has_one_result_with_both():
    debtor = member(1, agreement(school(1), number=1), agreement(school(2), school(3), number=2))
    result = only([PER_SCHOOL], debtor)
    assert [line.agreement for line in result.lines] == ["CONV-1", "CONV-2", "CONV-2"]
    assert result.total == Decimal("135.00")
