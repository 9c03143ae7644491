"""Which schools, options and units a tariff knows, and what blocks when it knows none."""

from decimal import Decimal

from tariffs.engine import compute
from tests.factories import valid_uai
from tests.tariffs.bases import (
    NPDC,
    PER_SCHOOL,
    YEAR,
    agreement,
    charge,
    codes,
    college,
    member,
    occitanie,
    only,
    school,
    with_schools,
)


def test_a_college_under_a_premier_degre_tariff_is_out_of_scope():
    result = only(occitanie("45.00"), with_schools(1, college(1), school(2)))
    assert [(a.code, a.uai) for a in result.anomalies] == [("out_of_scope", valid_uai(1))]
    assert result.blocked
    assert [line.uai for line in result.lines] == [valid_uai(2)]


def test_a_private_school_is_out_of_scope_unless_the_agreement_says_otherwise():
    private = school(1, sector="prive")
    refused = only([PER_SCHOOL], with_schools(1, private))
    agreed = only([PER_SCHOOL], with_schools(1, private, private_included=True))
    assert codes(refused) == ["out_of_scope"]
    assert not refused.lines
    assert agreed.total == Decimal("45.00")
    assert not agreed.anomalies


def test_a_tariff_for_public_schools_takes_no_private_one_even_agreed():
    private = with_schools(1, school(1, sector="prive"), private_included=True)
    assert codes(only(occitanie("45.00"), private)) == ["out_of_scope"]


def test_a_school_whose_only_charges_are_options_not_subscribed_is_out_of_scope():
    epci = with_schools(1, school(1, 100), college(2, 400))

    result = only(NPDC, epci)

    assert [(a.code, a.uai) for a in result.anomalies] == [("out_of_scope", valid_uai(2))]
    assert {line.uai for line in result.lines} == {valid_uai(1)}


def test_a_school_unknown_to_the_annuaire_blocks():
    unknown = school(1, name="", commune="", degree="", sector="")
    result = only([PER_SCHOOL], with_schools(1, unknown))
    assert [(a.code, a.uai) for a in result.anomalies] == [("school_unknown", valid_uai(1))]
    assert not result.lines


def test_a_school_in_two_agreements_blocks_both_members():
    shared = school(1)
    results = compute([PER_SCHOOL], [with_schools(1, shared), with_schools(2, shared)], YEAR)
    assert [[(a.code, a.uai) for a in r.anomalies] for r in results] == [
        [("school_twice", valid_uai(1))]
    ] * 2


def test_a_school_in_two_agreements_of_one_member_blocks_it():
    debtor = member(1, agreement(school(1), number=1), agreement(school(1), number=2))
    assert codes(only([PER_SCHOOL], debtor)) == ["school_twice"]


def test_an_agreement_without_school_nor_unit_blocks():
    result = only([PER_SCHOOL], member(1, agreement()))
    assert codes(result) == ["no_school"]
    assert "convention CONV-1" in result.anomalies[0].message


def test_each_agreement_without_school_is_named():
    result = only([PER_SCHOOL], member(1, agreement(number=1), agreement(number=2)))
    words = " ".join(anomaly.message for anomaly in result.anomalies)
    assert "CONV-1" in words
    assert "CONV-2" in words


def test_an_agreement_with_units_only_needs_no_school():
    result = only(NPDC, member(1, agreement(units=(("DEMIJOURNEE", 2),))))
    assert not result.anomalies
    assert result.total == Decimal("300.00")


# Options and units.


def test_an_option_is_billed_only_where_it_was_subscribed():
    option = charge("OPTION", "pupils", price="0.30", subscription="OPTION")
    debtor = member(
        1,
        agreement(school(1, 100), number=1),
        agreement(school(2, 10), number=2, subscriptions=("OPTION",)),
    )
    result = only([PER_SCHOOL, option], debtor)
    assert [line.uai for line in result.lines if line.charge == "OPTION"] == [valid_uai(2)]


def test_every_option_unknown_to_the_tariff_blocks_in_a_stable_order():
    unknown = ("ZETA", "BETA", "ALPHA", "GAMMA", "DELTA", "OMEGA")
    result = only([PER_SCHOOL], with_schools(1, school(1), subscriptions=unknown))
    assert set(codes(result)) == {"unknown_option"}
    named = [anomaly.message.split()[1] for anomaly in result.anomalies]
    assert named == sorted(unknown)


def test_units_unknown_to_the_tariff_block():
    result = only([PER_SCHOOL], with_schools(1, school(1), units=(("TABLETTE", 2), ("STYLO", 1))))
    assert codes(result) == ["unknown_unit", "unknown_unit"]
    assert "TABLETTE" in result.anomalies[0].message


def test_the_code_of_a_charge_that_counts_no_unit_is_not_a_unit_code():
    result = only([PER_SCHOOL], with_schools(1, school(1), units=(("ECOLE", 2),)))
    assert codes(result) == ["unknown_unit"]
