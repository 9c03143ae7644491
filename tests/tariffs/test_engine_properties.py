"""The laws of the engine, whatever the figures."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tariffs.engine import Band, Deduction, band_for, compute, share_out
from tests.factories import valid_siret
from tests.tariffs.bases import (
    SITETV_BANDS,
    YEAR,
    agreement,
    charge,
    member,
    only,
    school,
    with_schools,
)

CENT = Decimal("0.01")

# A busy machine proves nothing about the engine.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

cents = st.integers(min_value=0, max_value=10**9).map(lambda number: number * CENT)
prices = st.integers(min_value=0, max_value=10**6).map(lambda n: Decimal(n).scaleb(-4))
counts = st.integers(min_value=0, max_value=3000)
known_or_not = st.one_of(st.none(), counts)
weights = st.dictionaries(
    st.integers(1, 500).map(valid_siret), st.integers(0, 10_000), min_size=1, max_size=30
).filter(lambda shares: sum(shares.values()) > 0)


@st.composite
def charges_of_every_kind(draw):
    price = draw(prices)
    return (
        charge("ECOLE", "schools", price="45.00", degree="premier"),
        charge("COMPTES", "pupils", price=str(price)),
        charge("ACTIFS", "active_pupils", price="6.00", degree="college"),
        charge("BANDES", "schools", "banded", bands=SITETV_BANDS),
        charge("OPTION", "pupils", price="0.30", subscription="OPTION"),
        charge("UNITES", "units", price="150.00"),
        charge("ENVELOPPE", "pupils", "allocation", pool=str(draw(cents))),
    )


@st.composite
def members_of_every_kind(draw):
    members, number = [], 0
    for debtor in draw(st.lists(st.integers(1, 300), unique=True, max_size=5)):
        agreements = []
        for rank in range(draw(st.integers(1, 2))):
            schools = []
            for _ in range(draw(st.integers(0, 3))):
                number += 1
                schools.append(
                    school(
                        number,
                        draw(known_or_not),
                        degree=draw(st.sampled_from(["premier", "college", "lycee", ""])),
                        sector=draw(st.sampled_from(["public", "prive"])),
                        active_pupils=draw(known_or_not),
                        previous_pupils=draw(known_or_not),
                        pupils_billable=draw(st.booleans()),
                        excluded=draw(st.sampled_from(["", "", "Motif"])),
                    )
                )
            agreements.append(
                agreement(
                    *schools,
                    reference=f"CONV-{debtor}-{rank}",
                    subscriptions=draw(st.sampled_from([(), ("OPTION",), ("AUTRE", "OPTION")])),
                    units=draw(st.sampled_from([(), (("UNITES", 3),), (("INCONNUE", 1),)])),
                    private_included=draw(st.booleans()),
                )
            )
        deductions = [Deduction("Subvention", amount) for amount in draw(st.lists(cents, max_size=2))]
        members.append(member(debtor, *agreements, deductions=deductions))
    return members


# Sharing a pool.


@given(cents, weights)
def test_shares_add_up_to_the_pool_to_the_cent(pool, shares):
    assert sum(share_out(pool, shares).values()) == pool


@given(cents, weights, st.randoms(use_true_random=False))
def test_shares_do_not_depend_on_the_order_of_the_input(pool, shares, random):
    shuffled = list(shares.items())
    random.shuffle(shuffled)
    assert share_out(pool, dict(shuffled)) == share_out(pool, shares)


@given(cents, weights)
def test_a_share_is_within_one_cent_of_the_exact_one(pool, shares):
    whole = sum(shares.values())
    for key, amount in share_out(pool, shares).items():
        exact = Fraction(pool) * shares[key] / whole
        assert abs(Fraction(amount) - exact) < Fraction(1, 100)


@given(cents, weights)
def test_who_weighs_more_never_pays_less(pool, shares):
    paid = share_out(pool, shares)
    ranked = sorted(shares, key=shares.get)
    for lighter, heavier in zip(ranked, ranked[1:], strict=False):
        if shares[lighter] < shares[heavier]:
            assert paid[lighter] <= paid[heavier]


@given(cents, weights)
def test_who_weighs_nothing_pays_nothing(pool, shares):
    paid = share_out(pool, {**shares, "sans élève": 0})
    assert paid["sans élève"] == 0


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=12), cents)
def test_the_members_of_a_pool_pay_it_whole(pupils, pool):
    communes = [with_schools(n, school(n, count)) for n, count in enumerate(pupils, start=1)]
    results = compute([charge("COMMUN", "pupils", "allocation", pool=str(pool))], communes, YEAR)
    assert sum(result.total for result in results) == pool


# Bands.


@st.composite
def contiguous_bands(draw):
    lower, bands = draw(st.integers(0, 50)), []
    for width in draw(st.lists(st.integers(1, 300), min_size=1, max_size=8)):
        bands.append(Band(lower, lower + width - 1, draw(cents)))
        lower += width
    return tuple(bands)


@given(contiguous_bands(), st.integers(-5, 3000))
def test_every_integer_has_exactly_one_band_or_lies_outside_all(bands, quantity):
    holding = [band for band in bands if band.lower <= quantity <= band.upper]
    inside = bands[0].lower <= quantity <= bands[-1].upper
    assert len(holding) == (1 if inside else 0)
    assert band_for(reversed(bands), quantity) == (holding[0] if inside else None)


@given(contiguous_bands(), counts)
def test_a_count_is_priced_or_reported_never_both_nor_neither(bands, pupils):
    banded = charge("BANDES", "schools", "banded", bands=bands)
    result = only([banded], with_schools(1, school(1, pupils)))
    assert len(result.lines) + len(result.anomalies) == 1
    assert result.blocked == (not result.lines)


# Everything at once.


@given(charges_of_every_kind(), members_of_every_kind())
@unhurried
def test_a_total_is_the_sum_of_its_printed_lines(charges, members):
    for result in compute(charges, members, YEAR):
        assert result.total == sum((line.amount for line in result.lines), Decimal(0))
        assert result.total >= 0
        assert all(line.amount == line.amount.quantize(CENT) for line in result.lines)


@given(charges_of_every_kind(), members_of_every_kind(), st.randoms(use_true_random=False))
@unhurried
def test_the_order_of_the_members_changes_nothing(charges, members, random):
    shuffled = list(members)
    random.shuffle(shuffled)
    assert compute(charges, shuffled, YEAR) == compute(charges, members, YEAR)


@given(charges_of_every_kind(), members_of_every_kind())
@unhurried
def test_the_order_of_agreements_and_schools_changes_no_line_nor_error(charges, members):
    def backwards(debtor):
        turned = tuple(
            replace(a, schools=a.schools[::-1], subscriptions=a.subscriptions[::-1])
            for a in reversed(debtor.agreements)
        )
        return replace(debtor, agreements=turned)

    straight = compute(charges, members, YEAR)
    turned = compute(charges, [backwards(debtor) for debtor in members], YEAR)

    for one, other in zip(straight, turned, strict=True):
        assert Counter(one.lines) == Counter(other.lines)
        assert set(one.anomalies) == set(other.anomalies)
        assert one.total == other.total


@given(charges_of_every_kind(), members_of_every_kind())
@unhurried
def test_an_error_is_told_once(charges, members):
    for result in compute(charges, members, YEAR):
        assert max(Counter(result.anomalies).values(), default=1) == 1


@given(counts, counts, prices)
def test_more_pupils_never_cost_less_under_a_unit_price(some, others, price):
    per_pupil = [charge("COMPTES", "pupils", price=str(price))]
    fewer, more = sorted([some, others])
    cheaper = only(per_pupil, with_schools(1, school(1, fewer))).total
    dearer = only(per_pupil, with_schools(1, school(1, more))).total
    assert cheaper <= dearer


@given(members_of_every_kind(), cents)
@unhurried
def test_a_blocked_member_changes_no_one_elses_amount(members, pool):
    """What blocks it here says nothing of its pupils: an empty agreement, an unknown option."""
    charges = [
        charge("ECOLE", "schools", price="45.00"),
        charge("ENVELOPPE", "schools", "allocation", pool=str(pool)),
    ]
    debtor = with_schools(400, school(3000, 10))
    empty = replace(debtor, agreements=(*debtor.agreements, agreement(reference="VIDE")))
    unknown = with_schools(400, school(3000, 10), subscriptions=("NULLE-PART",))

    clean = compute(charges, [*members, debtor], YEAR)
    for wrong in (empty, unknown):
        mixed = compute(charges, [*members, wrong], YEAR)
        assert next(r for r in mixed if r.member.siret == debtor.siret).blocked
        assert [r.total for r in mixed] == [r.total for r in clean]


@given(charges_of_every_kind(), members_of_every_kind(), counts)
@unhurried
def test_without_a_pool_no_member_weighs_on_another(charges, members, pupils):
    alone = [c for c in charges if c.model != "allocation"]
    newcomer = with_schools(450, school(4000, pupils))
    before = compute(alone, members, YEAR)
    after = [r for r in compute(alone, [*members, newcomer], YEAR) if r.member != newcomer]
    assert after == before


@given(charges_of_every_kind(), members_of_every_kind())
@unhurried
def test_the_same_input_gives_the_same_output(charges, members):
    assert compute(charges, members, YEAR) == compute(list(charges), iter(members), YEAR)
