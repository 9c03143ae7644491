"""The laws of a simulation, whatever the basis."""

from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conventions.basis import Basis
from conventions.what_if import compare
from conventions.what_if_hypotheses import (
    EVERYBODY,
    NOBODY,
    SUBSCRIBED,
    Changes,
    bands_text,
    changed,
    read_bands,
    tried,
)
from tests.tariffs.bases import YEAR
from tests.tariffs.test_engine_properties import (
    charges_of_every_kind,
    contiguous_bands,
    members_of_every_kind,
    prices,
)

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
changes = st.builds(
    Changes,
    prices=st.dictionaries(st.sampled_from(["ECOLE", "COMPTES", "OPTION", "UNITES"]), prices),
    dropped=st.frozensets(st.sampled_from(["ECOLE", "ACTIFS", "UNITES", "ENVELOPPE"])),
    takers=st.dictionaries(
        st.just("OPTION"), st.sampled_from([SUBSCRIBED, NOBODY, EVERYBODY, "commune", "epci"])
    ),
)


def a_basis(charges, members):
    facts = {"schedule": "ESSAI", "version": "v1", "sources": {}}
    return Basis(school_year=YEAR, facts=facts, charges=tuple(charges), members=tuple(members))


def kinds_of(basis):
    return {m.siret: ("commune", "epci")[n % 2] for n, m in enumerate(basis.members)}


@given(charges_of_every_kind(), members_of_every_kind())
@unhurried
def test_a_simulation_that_changes_nothing_gives_the_calls_to_the_cent(charges, members):
    basis = a_basis(charges, members)
    called = {result.member.siret: result.total for result in basis.assess()}
    # Priced a second time, and not the same results taken twice.
    other = a_basis(charges, list(members))
    for second in (tried(basis, changed(charges, Changes()), Changes(), {}), other):
        found = compare(basis, second, {})
        for row in found.rows:
            assert row.today == row.simulated == called[row.siret]
        for apart in found.apart:
            assert (apart.today, apart.simulated) == (None, None)


@given(charges_of_every_kind(), members_of_every_kind(), changes)
@unhurried
def test_differences_add_up_and_nobody_is_forgotten_nor_told_twice(charges, members, asked):
    basis = a_basis(charges, members)
    kinds = kinds_of(basis)
    found = compare(basis, tried(basis, changed(charges, asked), asked, kinds), kinds)
    told = [row.siret for row in (*found.rows, *found.apart)]
    assert sorted(told) == sorted(member.siret for member in members)
    differences = sum((row.difference for row in found.rows), Decimal(0))
    assert differences == found.sums.difference == found.sums.simulated - found.sums.today
    for groups in (found.by_kind, found.by_size):
        assert sum(group.members for group in groups) == len(found.rows)
        assert sum(group.difference for group in groups) == differences
    sums = found.sums
    assert sums.more + sums.less + sums.same == sums.members


@given(charges_of_every_kind(), members_of_every_kind(), changes)
@unhurried
def test_a_member_is_set_apart_only_with_a_reason(charges, members, asked):
    basis = a_basis(charges, members)
    found = compare(basis, tried(basis, changed(charges, asked), asked, {}), {})
    for apart in found.apart:
        assert apart.reasons
        assert apart.today is None or apart.simulated is None


@given(contiguous_bands())
def test_bands_are_read_as_they_are_written(bands):
    assert read_bands(bands_text(bands)) == bands
