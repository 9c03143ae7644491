"""What the engine answers, by example: the regimes' worked cases, then each way a call can go wrong."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tariffs.engine import (
    DEDUCTION,
    Acceptance,
    Band,
    Deduction,
    band_for,
    compute,
    notices,
)
from tests.factories import valid_siret, valid_uai
from tests.tariffs.bases import (
    BY_BAND,
    NPDC,
    PER_ACTIVE,
    PER_PUPIL,
    PER_SCHOOL,
    POOL,
    SITETV_BANDS,
    SOMME_COLLEGES,
    YEAR,
    agreement,
    amounts,
    charge,
    codes,
    college,
    member,
    occitanie,
    only,
    premier_degre,
    school,
    spoken,
    with_schools,
)

# The worked examples of the regimes.


def test_example_a_a_departement_pays_for_one_college():
    subsidy = Deduction("Subvention FEDER", Decimal("1000.00"))
    departement = member(1, agreement(college(1, 412, 380)), deductions=[subsidy])

    result = only(SOMME_COLLEGES, departement, 2014)

    assert amounts(result) == {
        "COMPTES": "2472.00",
        "ROBERT": "409.40",
        "MAXICOURS": "2280.00",
        "SITETV": "315.50",
        "LABOMEP": "2000.00",
        DEDUCTION: "-1000.00",
    }
    own = sum(line.amount for line in result.lines if line.uai)
    assert own == Decimal("5476.90")
    assert result.total == Decimal("6476.90")
    assert not result.anomalies


def test_example_a_with_fifty_colleges_the_once_for_all_price_is_asked_once():
    departement = with_schools(1, *(college(number) for number in range(1, 51)))

    result = only(SOMME_COLLEGES, departement, 2020)

    assert [str(line.amount) for line in result.lines if line.charge == "LABOMEP"] == ["2000.00"]
    assert result.total == 50 * Decimal("5476.90") + 2000


def test_example_b_three_communes_share_the_net_cost():
    communes = [with_schools(n, school(n, pupils)) for n, pupils in [(1, 300), (2, 500), (3, 133)]]

    results = compute(premier_degre("6500.00"), communes, 2014)

    assert [str(result.total) for result in results] == ["2090.03", "3483.39", "926.58"]


def test_example_c_an_epci_with_options_half_days_and_commune_subsidies():
    epci = member(
        1,
        agreement(
            school(1, 4000),
            school(2, 812),
            subscriptions=("ACCOMPAGNEMENT",),
            units=(("DEMIJOURNEE", 3),),
        ),
    )
    subsidised = replace(epci, deductions=(Deduction("Subventions des communes", Decimal("500.00")),))

    result = only(NPDC, epci, 2023)

    by_charge = {
        code: sum(line.amount for line in result.lines if line.charge == code)
        for code in ("BASE", "ACCOMPAGNEMENT", "DEMIJOURNEE")
    }
    assert by_charge == {
        "BASE": Decimal("6255.60"),
        "ACCOMPAGNEMENT": Decimal("1443.60"),
        "DEMIJOURNEE": Decimal("450.00"),
    }
    assert result.total == Decimal("8149.20")
    assert only(NPDC, subsidised, 2023).total == Decimal("7649.20")


def test_example_d_three_schools_in_2020_2021():
    commune = with_schools(1, school(1), school(2), school(3))
    assert only(occitanie("50.00"), commune, 2020).total == Decimal("150.00")


@pytest.mark.parametrize(("billed", "total"), [(4, "200.00"), (3, "150.00")])
def test_example_e_the_schools_left_by_the_avenant_are_billed(billed, total):
    commune = with_schools(1, *(school(number) for number in range(1, billed + 1)))
    assert str(only(occitanie("50.00"), commune, 2020).total) == total


def test_saubens_pays_for_its_one_enrolled_school():
    petit_prince = school(uai="0310891A", name="E.E.PU LE PETIT PRINCE", pupils=None)

    result = only(occitanie("45.00"), with_schools(1, petit_prince))

    [line] = result.lines
    assert (line.uai, line.quantity, str(line.amount)) == ("0310891A", 1, "45.00")
    assert spoken(line.explanation) == "1 école × 45,00 € = 45,00 €"
    assert not result.anomalies


# The words of a line.


def test_the_words_of_a_unit_line_can_be_checked_by_hand():
    [line] = only([PER_PUPIL], with_schools(1, school(1, 412))).lines
    assert spoken(line.explanation) == "412 élèves × 6,00 € = 2 472,00 €"
    assert line.unit == "élève"


def test_the_words_of_a_banded_line_name_the_band():
    [line] = only([BY_BAND], with_schools(1, school(1, 412))).lines
    assert spoken(line.explanation) == (
        "1 école de 412 élèves (tranche 400 à 599) × 315,50 € = 315,50 €"
    )


def test_the_words_of_a_share_give_the_whole_pool_and_its_key():
    communes = [with_schools(1, school(1, 300)), with_schools(2, school(2, 633))]
    [line] = compute([POOL], communes, YEAR)[0].lines
    assert spoken(line.explanation) == ("300 élèves sur 933 : 6 500,00 € × 300 / 933 = 2 090,03 €")
    assert line.unit_price is None


def test_a_price_of_four_decimals_is_rounded_once_on_its_line():
    [line] = only([charge(metric="pupils", price="0.3333")], with_schools(1, school(1, 5))).lines
    assert line.amount == Decimal("1.67")
    assert spoken(line.explanation) == "5 élèves × 0,3333 € = 1,67 €"


def test_the_total_adds_the_rounded_lines():
    three = with_schools(1, *(school(number, 1) for number in (1, 2, 3)))
    result = only([charge(metric="pupils", price="0.3350")], three)
    assert [str(line.amount) for line in result.lines] == ["0.34", "0.34", "0.34"]
    assert result.total == Decimal("1.02")


# Bands.


@pytest.mark.parametrize(
    ("pupils", "price"),
    [
        (1, "187.62"),
        (200, "187.62"),
        (201, "247.30"),
        (399, "247.30"),
        (400, "315.50"),
        (599, "315.50"),
        (600, "366.70"),
        (899, "366.70"),
        (900, "434.40"),
        (1100, "434.40"),
    ],
)
def test_both_ends_of_a_band_pay_its_price(pupils, price):
    result = only([BY_BAND], with_schools(1, school(1, pupils)))
    assert [str(line.amount) for line in result.lines] == [price]
    assert not result.anomalies


@pytest.mark.parametrize("pupils", [0, 1101, 5000])
def test_a_school_outside_the_bands_blocks_and_is_named(pupils):
    result = only([BY_BAND], with_schools(1, school(7, pupils)))

    [anomaly] = result.anomalies
    assert (anomaly.code, anomaly.uai, anomaly.blocking) == ("outside_bands", valid_uai(7), True)
    assert valid_uai(7) in anomaly.message
    assert not result.lines


def test_a_school_outside_the_bands_of_two_charges_is_told_of_both():
    other = charge("AUTRE", "schools", "banded", bands=(Band(1, 10, Decimal("5.00")),))
    result = only([BY_BAND, other], with_schools(1, school(1, 2000)))
    assert codes(result) == ["outside_bands", "outside_bands"]
    assert "Ligne AUTRE" in " ".join(anomaly.message for anomaly in result.anomalies)


def test_a_banded_price_per_pupil_prices_the_whole_quantity():
    per_pupil = charge(
        "ELEVES",
        "pupils",
        "banded",
        bands=(Band(0, 10, Decimal("2.00")), Band(11, 99, Decimal("1.50"))),
    )
    [line] = only([per_pupil], with_schools(1, school(1, 12))).lines
    assert (line.quantity, str(line.amount)) == (12, "18.00")


def test_a_band_beyond_the_gap_is_not_the_nearest_one():
    gapped = (Band(1, 10, Decimal(1)), Band(20, 30, Decimal(2)))
    assert [band_for(gapped, quantity) for quantity in (10, 15, 20)] == [
        gapped[0],
        None,
        gapped[1],
    ]


# Counts.


@pytest.mark.parametrize("reader", [PER_PUPIL, BY_BAND])
def test_a_missing_count_blocks_a_charge_that_reads_it(reader):
    result = only([reader], with_schools(1, school(5, None)))

    [anomaly] = result.anomalies
    assert (anomaly.code, anomaly.uai, anomaly.blocking) == ("missing_count", valid_uai(5), True)
    assert valid_uai(5) in anomaly.message
    assert "2024-2025" in anomaly.message
    assert not result.lines
    assert result.blocked


@pytest.mark.parametrize("deaf", [PER_SCHOOL, PER_ACTIVE])
def test_a_missing_count_does_not_block_a_charge_that_reads_none(deaf):
    result = only([deaf], with_schools(1, school(1, None, active_pupils=3)))
    assert len(result.lines) == 1
    assert not result.blocked


def test_a_missing_count_does_not_block_a_charge_the_school_is_not_in_the_scope_of():
    colleges_only = charge("COLLEGE", "pupils", price="6.00", degree="college")
    result = only([PER_SCHOOL, colleges_only], with_schools(1, school(1, None)))
    assert not result.anomalies


def test_a_missing_count_does_not_block_an_option_that_was_not_subscribed():
    option = charge("OPTION", "pupils", price="0.30", subscription="OPTION")
    result = only([PER_SCHOOL, option], with_schools(1, school(1, None)))
    assert not result.anomalies


def test_each_school_concerned_has_its_own_error_once():
    twice_read = [PER_PUPIL, charge("AUTRE", "pupils", price="1.00")]
    schools = [school(1, None), school(2, 10), school(3, None)]

    result = only(twice_read, with_schools(1, *schools))

    assert [(a.code, a.uai) for a in result.anomalies] == [
        ("missing_count", valid_uai(1)),
        ("missing_count", valid_uai(3)),
    ]


def test_no_pupil_at_all_is_a_count():
    result = only([PER_PUPIL], with_schools(1, school(1, 0)))
    assert [str(line.amount) for line in result.lines] == ["0.00"]
    assert not result.blocked


@pytest.mark.parametrize("reader", [PER_PUPIL, BY_BAND])
def test_an_approximate_count_blocks_and_names_its_source(reader):
    approximate = school(1, 100, pupils_source="IPS", pupils_billable=False)
    result = only([reader], with_schools(1, approximate))

    [anomaly] = result.anomalies
    assert (anomaly.code, anomaly.uai, anomaly.blocking) == (
        "count_not_billable",
        valid_uai(1),
        True,
    )
    assert "IPS" in anomaly.message
    assert len(result.lines) == 1, "the amount it would be is shown"


def test_an_approximate_count_does_not_block_a_charge_that_reads_none():
    approximate = school(1, 100, pupils_source="IPS", pupils_billable=False)
    assert not only([PER_SCHOOL], with_schools(1, approximate)).anomalies


def test_an_unknown_usage_blocks_a_charge_on_active_pupils():
    result = only([PER_ACTIVE], with_schools(1, college(1, 412, None)))
    assert [(a.code, a.uai) for a in result.anomalies] == [("missing_usage", valid_uai(1))]
    assert not result.lines


def test_more_active_pupils_than_pupils_blocks():
    result = only([PER_ACTIVE], with_schools(1, college(1, 412, 413)))
    assert [(a.code, a.uai) for a in result.anomalies] == [("usage_above_count", valid_uai(1))]
    assert "413" in result.anomalies[0].message
    assert result.blocked


def test_as_many_active_pupils_as_pupils_is_right():
    assert not only([PER_ACTIVE], with_schools(1, college(1, 412, 412))).anomalies


# What staff decided.


def test_a_school_left_out_with_a_reason_is_not_billed_and_holds_up_nobody():
    out = school(2, None, excluded="Effectif contesté.")
    result = only([PER_PUPIL, BY_BAND], with_schools(1, school(1, 10), out))

    assert {line.uai for line in result.lines} == {valid_uai(1)}
    [anomaly] = result.anomalies
    assert (anomaly.code, anomaly.uai, anomaly.blocking) == ("excluded", valid_uai(2), False)
    assert "Effectif contesté." in anomaly.message


def test_a_school_left_out_weighs_nothing_in_a_pool():
    out = school(2, None, excluded="Fermée en octobre.")
    communes = [with_schools(1, school(1, 300)), with_schools(2, school(3, 100), out)]
    results = compute([POOL], communes, YEAR)
    assert [str(result.total) for result in results] == ["4875.00", "1625.00"]


def test_a_school_left_out_of_one_agreement_may_be_billed_under_another():
    members = [
        with_schools(1, school(1, excluded="Reprise par une autre commune.")),
        with_schools(2, school(1)),
    ]
    left, billed = compute([PER_SCHOOL], members, YEAR)
    assert (str(left.total), str(billed.total)) == ("0.00", "45.00")
    assert not billed.anomalies


APPROXIMATE = {"pupils_source": "IPS", "pupils_billable": False}


@pytest.mark.parametrize(
    ("siret", "uai", "free"),
    [
        ("", "", [1, 2]),
        (valid_siret(1), "", [1]),
        ("", valid_uai(2), [2]),
        (valid_siret(1), valid_uai(1), [1]),
        (valid_siret(1), valid_uai(2), []),
    ],
)
def test_an_approximation_accepted_with_a_reason_no_longer_blocks(siret, uai, free):
    members = [with_schools(n, school(n, 100, **APPROXIMATE)) for n in (1, 2)]
    acceptance = Acceptance("count_not_billable", "démonstration", siret=siret, uai=uai)

    results = compute([PER_PUPIL], members, YEAR, [acceptance])

    assert [number for number, r in enumerate(results, start=1) if not r.blocked] == free
    for number, result in enumerate(results, start=1):
        [anomaly] = result.anomalies
        assert anomaly.accepted == ("démonstration" if number in free else "")
        assert result.total == Decimal("600.00")


def test_what_may_not_be_accepted_stays_blocking():
    result = compute(
        [PER_PUPIL],
        [with_schools(1, school(1, None))],
        YEAR,
        [Acceptance("missing_count", "tant pis")],
    )[0]
    assert result.blocked
    assert result.anomalies[0].accepted == ""


def test_the_upper_edge_of_a_band_shows_its_note_and_does_not_block():
    noted = replace(BY_BAND, bands=(replace(SITETV_BANDS[0], note="200 élèves : D4."),))
    on_edge = only([noted], with_schools(1, school(1, 200)))
    below = only([noted], with_schools(1, school(1, 199)))
    assert [(a.code, a.uai, a.blocking) for a in on_edge.anomalies] == [
        ("band_edge", valid_uai(1), False)
    ]
    assert not below.anomalies


def test_the_notice_of_a_charge_is_shown_where_it_is_billed():
    robert = charge("ROBERT", price="409.40", degree="college", notice="Une fois par collège : D2.")
    billed = compute([robert], [with_schools(1, college(1))], YEAR)
    [notice] = notices([robert, PER_SCHOOL], billed)
    assert "D2" in notice.message
    assert not notice.blocking
    assert notices([robert], compute([robert], [with_schools(1, school(1))], YEAR)) == []
