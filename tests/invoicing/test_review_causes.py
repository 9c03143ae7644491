"""Why a member pays more or less: each cause apart, and their sum, to the cent."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing import review_causes as causes
from invoicing.review import compare
from invoicing.review_causes import effects_of
from invoicing.review_words import CAUSES, MEANINGS, in_words
from tariffs import engine
from tests.invoicing.reviewing import (
    ACTIVE,
    BANDED,
    HALF_DAYS,
    OPTION,
    PER_PUPIL,
    PER_SCHOOL,
    POOL,
    member,
    pooled,
    priced,
    school,
    side,
)


def why(then, now, key=1):
    """Return {cause: amount} of a member."""
    return {effect.cause: effect.amount for effect in effects_of(key, then, now)}


def said(then, now, key=1):
    plain = str.maketrans({"\u00a0": " ", "\u202f": " "})
    return [in_words(effect).translate(plain) for effect in effects_of(key, then, now)]


def test_nothing_changed_has_no_cause():
    now = side([PER_SCHOOL], member("1", school("A")))
    assert why(now, now) == {}


def test_schools_that_came_and_schools_that_left_are_told_apart():
    then = side([PER_SCHOOL], member("1", school("A"), school("B")))
    now = side([PER_SCHOOL], member("1", school("A"), school("C"), school("D")))
    assert said(then, now) == ["2 écoles entrées : +90,00 €", "1 école sortie : −45,00 €"]


def test_a_new_member_is_all_schools_that_came():
    then = side([PER_SCHOOL], member("1", school("A")))
    now = side([PER_SCHOOL], member("2", school("A")))
    assert why(then, now, 2) == {causes.ENTERED: Decimal("45.00")}
    assert why(then, now, 1) == {causes.LEFT: Decimal("-45.00")}


def test_pupils_are_counted_at_the_old_price_then_the_price_at_the_new_count():
    then = side([PER_PUPIL], member("1", school("A", 100)))
    now = side([priced(PER_PUPIL, "1.50")], member("1", school("A", 110)))
    assert why(then, now) == {causes.PUPILS: Decimal("13.00"), causes.PRICE: Decimal("22.00")}
    assert said(then, now) == [
        "10 élèves de plus : +13,00 €",
        "tarif « Par élève », de 1,30 € à 1,50 € : +22,00 €",
    ]


def test_pupils_that_two_charges_count_moved_once():
    charges = [PER_PUPIL, replace(PER_PUPIL, code="AUTRE", label="Autre")]
    then = side(charges, member("1", school("A", 100)))
    now = side(charges, member("1", school("A", 110)))
    assert said(then, now) == ["10 élèves de plus : +26,00 €"]


def test_active_pupils_are_told_apart():
    then = side([ACTIVE], member("1", school("A", 100, active_pupils=80)))
    now = side([ACTIVE], member("1", school("A", 100, active_pupils=79)))
    assert said(then, now) == ["1 élève actif de moins : −6,00 €"]


def test_a_change_of_band_is_due_to_the_pupils_and_a_new_grid_to_the_tariff():
    dearer = replace(BANDED, bands=tuple(replace(b, price=b.price + 10) for b in BANDED.bands))
    then = side([BANDED], member("1", school("A", 200)))
    now = side([dearer], member("1", school("A", 201)))
    assert why(then, now) == {causes.PUPILS: Decimal("59.68"), causes.PRICE: Decimal("10.00")}


def test_pupils_out_of_the_former_bands_keep_the_former_price():
    narrow = replace(BANDED, bands=BANDED.bands[:1])
    then = side([narrow], member("1", school("A", 150)))
    now = side([BANDED], member("1", school("A", 300)))
    assert why(then, now) == {causes.PRICE: Decimal("59.68")}


def test_an_option_taken_or_left_is_no_school_that_moved():
    without = side([PER_PUPIL, OPTION], member("1", school("A")))
    subscribed = side([PER_PUPIL, OPTION], member("1", school("A"), subscriptions=("APPUI",)))
    assert said(without, subscribed) == ["option « Appui » prise : +30,00 €"]
    assert said(subscribed, without) == ["option « Appui » laissée : −30,00 €"]


def test_units_are_counted_at_the_old_price():
    then = side([HALF_DAYS], member("1", school("A"), units=(("JOURS", 2),)))
    now = side([priced(HALF_DAYS, "160.00")], member("1", school("A"), units=(("JOURS", 3),)))
    assert why(then, now) == {causes.UNITS: Decimal("150.00"), causes.PRICE: Decimal("30.00")}
    assert said(then, now)[0] == "« Demi-journée », 1 de plus : +150,00 €"


def test_a_charge_that_the_new_version_adds_is_due_to_the_tariff():
    then = side([PER_PUPIL], member("1", school("A")))
    now = side([PER_PUPIL, PER_SCHOOL], member("1", school("A")))
    assert why(then, now) == {causes.PRICE: Decimal("45.00")}


@pytest.mark.parametrize("unpriced", [school("A", None), school("A", excluded="fermée")])
def test_a_school_still_listed_but_without_amount_did_not_leave(unpriced):
    then = side([PER_PUPIL], member("1", school("A"), school("B")))
    now = side([PER_PUPIL], member("1", unpriced, school("B")))
    assert said(then, now) == ["1 école sans montant d'un des deux côtés : −130,00 €"]


def test_a_share_moves_by_its_own_pupils_by_those_of_others_and_by_the_pool():
    then = side([POOL], member("1", school("A", 300)), member("2", school("B", 500)))
    now = side([pooled("7000.00")], member("1", school("A", 310)), member("2", school("B", 490)))
    found = why(then, now)
    # 6 500 × 300/800, then 310/810, then 310/800, then 7 000 × 310/800.
    assert found == {
        causes.PUPILS: Decimal("50.15"),
        causes.SHARE: Decimal("31.10"),
        causes.POOL: Decimal("193.75"),
    }
    assert said(then, now)[2] == (
        "enveloppe à répartir « Charges communes », de 6 500,00 € à 7 000,00 € : +193,75 €"
    )


def test_a_share_moves_by_the_schools_that_came_and_left():
    then = side([POOL], member("1", school("A", 300), school("C", 50)), member("2", school("B", 500)))
    now = side([POOL], member("1", school("A", 300), school("D", 60)), member("2", school("B", 500)))
    assert list(why(then, now)) == [causes.ENTERED, causes.LEFT]
    assert list(why(then, now, 2)) == [causes.SHARE]


def test_a_member_that_comes_into_a_pool_makes_up_for_what_the_others_gain():
    then = side([POOL], member("1", school("A", 300)))
    now = side([POOL], member("1", school("A", 300)), member("2", school("B", 300)))
    assert why(then, now) == {causes.SHARE: Decimal("-3250.00")}
    assert why(then, now, 2) == {causes.ENTERED: Decimal("3250.00")}


def test_a_cent_of_the_largest_remainder_goes_with_the_weight_of_the_others():
    charge = pooled("100.00")
    then = side([charge], *(member(str(n), school(f"S{n}", 1)) for n in (1, 2, 3)))
    now = side([charge], *(member(str(n), school(f"S{n}", 1)) for n in (0, 2, 3)))
    assert why(then, now, 2) == {}
    assert why(then, now, 1) == {causes.LEFT: Decimal("-33.34")}


def test_a_pool_not_computed_on_one_side_is_unpriced():
    then = side([replace(POOL, pool=None)], member("1", school("A", 300)))
    now = side([POOL], member("1", school("A", 300)))
    assert why(then, now) == {causes.UNPRICED: Decimal("6500.00")}


def test_a_pool_that_the_new_version_shares_out_is_due_to_the_tariff():
    then = side([PER_PUPIL], member("1", school("A", 300)))
    now = side([PER_PUPIL, POOL], member("1", school("A", 300)))
    assert why(then, now) == {causes.PRICE: Decimal("6500.00")}


def test_deductions_and_adjustments_are_causes_of_their_own():
    deduction = engine.Deduction("FEDER", Decimal("10.00"))
    adjustment = engine.Adjustment("Reprise", Decimal("5.00"), "oubli")
    then = side([PER_SCHOOL], member("1", school("A")))
    now = side(
        [PER_SCHOOL], member("1", school("A"), deductions=(deduction,), adjustments=(adjustment,))
    )
    assert why(then, now) == {causes.DEDUCTION: Decimal("-10.00"), causes.ADJUSTMENT: Decimal("5.00")}


def test_what_is_left_of_a_line_already_called_is_said_so():
    then = side([PER_PUPIL], member("1", school("A", 100)))
    now = side([PER_PUPIL], member("1", school("A", 100)))
    account = now.accounts[1]
    left = account.lines[0]._replace(amount=Decimal("0.50"), unit_price=None)
    now = replace(now, accounts={1: replace(account, lines=[left])})
    assert why(then, now) == {causes.ISSUED: Decimal("-129.50")}


def test_a_completed_call_of_last_year_counts_whole():
    then = side([PER_PUPIL], member("1", school("A", 110)))
    account = then.accounts[1]
    first, more = (
        account.lines[0]._replace(quantity=n, amount=Decimal(n) * Decimal("1.30")) for n in (100, 10)
    )
    then = replace(then, accounts={1: replace(account, lines=[first, more])})
    now = side([PER_PUPIL], member("1", school("A", 112)))
    assert said(then, now) == ["2 élèves de plus : +2,60 €"]


def test_every_cause_has_its_words():
    assert set(CAUSES) == set(MEANINGS) == set(causes.ORDER)


# --- The law: causes add up to the difference ------------------------------------------------

UAIS = "ABCD"
CHARGES = (PER_PUPIL, PER_SCHOOL, OPTION, HALF_DAYS, ACTIVE, BANDED, POOL)


@st.composite
def charges(draw):
    found = []
    for charge in draw(st.lists(st.sampled_from(CHARGES), unique=True, min_size=1)):
        if charge.unit_price is not None:
            price = draw(st.decimals("0.0001", "99.9999", places=4))
            charge = replace(charge, unit_price=price)
        if charge.pool is not None:
            charge = replace(charge, pool=draw(st.decimals("0.01", "9999.99", places=2) | st.none()))
        found.append(charge)
    return found


@st.composite
def members(draw):
    free = list(UAIS)
    found = []
    for siret in draw(st.lists(st.sampled_from("1234"), unique=True)):
        mine = draw(st.lists(st.sampled_from(free), unique=True)) if free else []
        free = [uai for uai in free if uai not in mine]
        schools = [
            school(
                uai,
                draw(st.none() | st.integers(0, 1300)),
                active_pupils=draw(st.none() | st.integers(0, 900)),
                pupils_billable=draw(st.booleans()),
                excluded=draw(st.sampled_from(["", "", "fermée"])),
            )
            for uai in mine
        ]
        amounts = st.decimals("0.01", "99.99", places=2)
        deductions = [engine.Deduction("FEDER", a) for a in draw(st.lists(amounts, max_size=1))]
        adjustments = [
            engine.Adjustment("Reprise", -a, "essai") for a in draw(st.lists(amounts, max_size=1))
        ]
        found.append(
            member(
                siret,
                *schools,
                deductions=tuple(deductions),
                adjustments=tuple(adjustments),
                subscriptions=draw(st.sampled_from([(), ("APPUI",)])),
                units=tuple(("JOURS", n) for n in draw(st.lists(st.integers(0, 9), max_size=1))),
            )
        )
    return found


@given(charges(), members(), charges(), members())
def test_causes_add_up_to_the_difference_of_each_member_and_of_the_run(
    old_charges, old_members, new_charges, new_members
):
    found = compare(side(new_charges, *new_members), side(old_charges, *old_members))
    for row in found.rows:
        assert sum((effect.amount for effect in row.effects), Decimal(0)) == row.difference
        assert all(in_words(effect) for effect in row.effects)
    assert sum((cause.amount for cause in found.causes), Decimal(0)) == found.total.difference
    assert sum((part.difference for part in found.by_charge), Decimal(0)) == found.total.difference


@given(charges(), members())
def test_a_run_compared_with_itself_has_no_cause(some_charges, some_members):
    now = side(some_charges, *some_members)
    found = compare(now, now)
    assert not found.causes
    assert not any(row.is_changed for row in found.rows)
