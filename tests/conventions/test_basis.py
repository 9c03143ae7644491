"""The frozen basis: kept as JSON, replayed to the cent, known by its fingerprint."""

import json
import random
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conventions.assessment import read_basis
from conventions.basis import Basis, from_json
from entsvc.canonical import fingerprint
from invoicing.calculation import compute_run, recompute
from tariffs.engine import Acceptance, Deduction
from tests.factories import (
    AdoptionFactory,
    BandFactory,
    ChargeFactory,
    ConventionFactory,
    EnrolmentFactory,
    HeadcountFactory,
    ScheduleFactory,
    VersionFactory,
    valid_siret,
    valid_uai,
)
from tests.tariffs.bases import SOMME_COLLEGES, YEAR, agreement, charge, college, member, school
from tests.tariffs.test_engine_properties import (
    charges_of_every_kind,
    members_of_every_kind,
    unhurried,
)

FACTS = {"schedule": "ESSAI", "version": "v1", "act": "Délibération n° 12"}


def basis(charges=SOMME_COLLEGES, members=(), year=YEAR, acceptances=()):
    return Basis(
        school_year=year,
        facts=FACTS,
        charges=tuple(charges),
        members=tuple(members),
        acceptances=tuple(acceptances),
    )


def through_a_database(data):
    """Return JSON data as a database may give it back: same content, keys in another order."""
    if isinstance(data, dict):
        keys = list(data)
        random.Random(7).shuffle(keys)
        return {key: through_a_database(data[key]) for key in keys}
    if isinstance(data, list):
        return [through_a_database(item) for item in data]
    return data


acceptances = st.lists(
    st.builds(
        Acceptance,
        code=st.just("count_not_billable"),
        reason=st.text(max_size=20),
        siret=st.sampled_from(["", valid_siret(1)]),
        uai=st.sampled_from(["", valid_uai(1)]),
    ),
    max_size=2,
)


@given(charges_of_every_kind(), members_of_every_kind(), acceptances)
@unhurried
def test_a_basis_comes_back_from_json_with_the_same_results(charges, members, accepted):
    original = basis(charges, members, acceptances=accepted)
    kept = json.loads(json.dumps(original.as_json()))

    restored = from_json(through_a_database(kept))

    assert restored == original
    assert restored.assess() == original.assess()


@given(charges_of_every_kind(), members_of_every_kind())
@unhurried
def test_the_fingerprint_does_not_depend_on_the_order_of_the_keys(charges, members):
    data = basis(charges, members).as_json()
    assert fingerprint(through_a_database(data)) == fingerprint(data)


def test_money_is_kept_as_text_never_as_a_float():
    debtor = member(1, agreement(college(1)), deductions=[Deduction("Subvention", Decimal("1000.10"))])
    data = basis([*SOMME_COLLEGES, charge(price="0.3333")], [debtor]).as_json()

    assert data["charges"][-1]["unit_price"] == "0.3333"
    assert data["charges"][4]["bands"][0]["price"] == "187.62"
    assert data["charges"][3]["pool"] == "2000.00"
    assert data["members"][0]["deductions"][0]["amount"] == "1000.10"

    def floats(item):
        if isinstance(item, dict):
            return any(floats(value) for value in item.values())
        if isinstance(item, list):
            return any(floats(value) for value in item)
        return isinstance(item, float)

    assert not floats(data)


@pytest.mark.parametrize(
    "other",
    [
        basis(members=[member(1, agreement(school(1, 101)))]),
        basis(members=[member(1, agreement(school(1, None)))]),
        basis(members=[member(1, agreement(school(2, 100)))]),
        basis([charge(price="45.00")], [member(1, agreement(school(1, 100)))]),
        basis(members=[member(1, agreement(school(1, 100)))], year=YEAR + 1),
    ],
)
def test_another_fact_gives_another_fingerprint(other):
    reference = basis(members=[member(1, agreement(school(1, 100)))])
    assert fingerprint(other.as_json()) != fingerprint(reference.as_json())


def test_the_fingerprint_is_a_sha_256_that_stays_the_same_for_ever():
    data = {"b": ["é", 1], "a": None}
    assert fingerprint(data) == ("419ff44f480459a5cdd6aeb75a186f36f6233aabfe4b00e778651f4001e9a9bd")


@pytest.mark.django_db
def test_a_stored_run_replays_to_the_cent():
    schedule = ScheduleFactory()
    version = VersionFactory(schedule=schedule)
    ChargeFactory(version=version, code="COMPTES", metric="pupils", unit_price=Decimal("1.3050"))
    banded = ChargeFactory(version=version, code="BANDES", model="banded", unit_price=None, position=2)
    BandFactory(charge=banded)
    pool = {"model": "allocation", "unit_price": None, "pool": Decimal("100.01")}
    ChargeFactory(version=version, code="ENVELOPPE", position=3, **pool)
    AdoptionFactory(version=version)
    for pupils in (7, 101, None):
        enrolment = EnrolmentFactory(convention=ConventionFactory(schedule=schedule))
        if pupils:
            HeadcountFactory(school=enrolment.school, pupils=pupils)

    run = compute_run(schedule=schedule, year=2024, actor="essai")
    run.refresh_from_db()

    assert fingerprint(run.basis) == run.basis_sha256
    restored, read = from_json(run.basis), read_basis(schedule, 2024)
    assert replace(restored, facts=read.facts) == read
    assert read.facts.items() <= restored.facts.items()
    replayed = recompute(run)
    assert [(r.member.siret, r.total) for r in replayed] == [
        (call.siret, call.total) for call in run.calls.order_by("siret")
    ]
    assert sum(r.total for r in replayed) == run.total > 100
