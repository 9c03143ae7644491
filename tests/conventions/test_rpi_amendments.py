"""Communes that join or leave a RPI, another body that signs or pays: by amendment, in its window."""

import datetime as dt
from decimal import Decimal

import pytest

from conventions import filings, states
from conventions.filings import AmendmentRefused
from conventions.models import AmendedCommune, Convention, Enrolment
from entsvc.models import OutgoingMail
from invoicing.calculation import compute_run
from members.models import GroupedSchool, Member, Membership
from tests.conventions.amending import LATE, a_public_school, an_agreement, in_state, uais
from tests.conventions.world import a_member
from tests.factories import DeliveredUnitsFactory, SubscriptionFactory, TerminationFactory

pytestmark = pytest.mark.django_db
DAY = dt.date(2020, 9, 21)
JOINS, LEAVES = AmendedCommune.Change.JOINS, AmendedCommune.Change.LEAVES


@pytest.fixture
def rpi():
    """A RPI of two communes, one school each, that the first one represents and pays for."""
    first, second = a_member(insee_code="31001"), a_member(insee_code="31002")
    body = Member.objects.create(kind="rpi", name="RPI des Deux", representative=first)
    convention = an_agreement(0, party=body, debtor=first)
    for commune in (first, second):
        school = a_public_school(commune_code=commune.insee_code)
        Membership.objects.create(body=body, commune=commune, valid_from=dt.date(2018, 9, 1))
        GroupedSchool.objects.create(body=body, school=school, valid_from=dt.date(2018, 9, 1))
        Enrolment.objects.create(convention=convention, school=school, first_year=2019)
    return convention


def communes_of(body):
    rows = Membership.objects.filter(body=body, valid_to=None).select_related("commune")
    return {row.commune.insee_code for row in rows.order_by("pk")}


def filed_and_decided(amendment, day=DAY):
    filed = in_state(
        amendment.convention,
        states.FILED,
        [row.school for row in amendment.schools.order_by("pk")],
        received_on=day,
        number=amendment.number + 1,
        new_party=amendment.new_party,
        new_debtor=amendment.new_debtor,
    )
    for row in amendment.communes.order_by("pk"):
        AmendedCommune.objects.create(amendment=filed, commune=row.commune, change=row.change)
    return filings.decide(amendment=filed, actor="agent")


def asked(convention, schools, **facts):
    """Open an amendment, then make way for its filed twin."""
    amendment = filings.open_amendment(
        convention=convention, school_year=2020, schools=schools, actor="mairie", **facts
    )
    filings.drop(amendment=amendment, actor="mairie")
    return amendment


def refusal(convention, schools=None, **facts):
    schools = filings.enrolled(convention, 2020) if schools is None else schools
    with pytest.raises(AmendmentRefused) as caught:
        asked(convention, schools, **facts)
    return str(caught.value)


def test_a_commune_joins_with_its_schools_on_the_day_that_counts(rpi):
    third = a_member(insee_code="31003")
    school = a_public_school(commune_code="31003")
    assert school not in filings.candidates(rpi, 2020)
    assert school in filings.candidates(rpi, 2020, [third])
    amendment = asked(rpi, [*filings.enrolled(rpi, 2020), school], joining=[third])
    ruled = filed_and_decided(amendment)
    assert ruled.status == states.ACCEPTED
    joined = Membership.objects.get(body=rpi.party, commune=third)
    assert (joined.valid_from, joined.valid_to) == (DAY, None)
    assert GroupedSchool.objects.get(school=school).valid_from == DAY
    total = compute_run(schedule=rpi.schedule, year=2020, actor="agent").total
    assert total == Decimal("150.00")


def test_a_commune_leaves_with_its_schools_the_day_before(rpi):
    leaver = Member.objects.get(insee_code="31002")
    kept = [s for s in filings.enrolled(rpi, 2020) if s.commune_code != "31002"]
    ruled = filed_and_decided(asked(rpi, kept, leaving=[leaver]))
    assert ruled.status == states.ACCEPTED
    assert communes_of(rpi.party) == {"31001"}
    left = Membership.objects.get(body=rpi.party, commune=leaver)
    assert left.valid_to == DAY - dt.timedelta(days=1)
    grouped = GroupedSchool.objects.get(school__commune_code="31002")
    assert grouped.valid_to == DAY - dt.timedelta(days=1)
    assert len(uais(rpi, 2019)) == 2
    assert len(uais(rpi, 2020)) == 1


def test_late_no_commune_moves_and_no_body_changes(rpi):
    leaver, payer = Member.objects.get(insee_code="31002"), a_member()
    kept = [s for s in filings.enrolled(rpi, 2020) if s.commune_code != "31002"]
    ruled = filed_and_decided(asked(rpi, kept, leaving=[leaver], new_debtor=payer), LATE)
    assert ruled.status == states.WITHOUT_EFFECT
    assert "Les autres changements demandés n'ont pas lieu." in ruled.ruling
    assert communes_of(rpi.party) == {"31001", "31002"}
    assert not Convention.objects.filter(succeeds=rpi).exists()


def test_communes_may_move_without_another_list(rpi):
    third = a_member(insee_code="31003")
    assert filed_and_decided(asked(rpi, filings.enrolled(rpi, 2020), joining=[third])).added == []
    assert communes_of(rpi.party) == {"31001", "31002", "31003"}


def test_moves_that_can_not_be_are_refused(rpi):
    first, second = (Member.objects.get(insee_code=code) for code in ("31001", "31002"))
    stranger, epci = a_member(insee_code="31009"), a_member(kind="epci")
    kept = [s for s in filings.enrolled(rpi, 2020) if s.commune_code != "31001"]
    assert "déjà dans ce RPI" in refusal(rpi, joining=[second])
    assert "n'est pas dans ce RPI" in refusal(rpi, leaving=[stranger])
    assert "n'en est pas une" in refusal(rpi, joining=[epci])
    assert "Leur commune quitte le RPI" in refusal(rpi, leaving=[second])
    assert "désignez le nouveau payeur" in refusal(rpi, kept, leaving=[first])
    alone = an_agreement(1)
    assert "a sa propre convention" in refusal(alone, joining=[stranger])


def test_a_new_body_signs_and_pays_by_an_agreement_that_follows(rpi):
    rpi.ends_on = dt.date(2021, 10, 31)
    rpi.save()
    row = rpi.enrolments.order_by("pk").first()
    Enrolment.objects.filter(pk=row.pk).update(opened_on=dt.date(2019, 11, 4))
    SubscriptionFactory(convention=rpi, code="SUIVI")
    units = DeliveredUnitsFactory(convention=rpi, school_year=2020)
    body = a_member(kind="epci", email="epci@example.org")
    new = a_public_school()
    schools = [*filings.enrolled(rpi, 2020), new]
    ruled = filed_and_decided(asked(rpi, schools, new_party=body))
    following = Convention.objects.get(succeeds=rpi)
    rpi.refresh_from_db()

    assert f"La convention {rpi.reference}-A2 prend la suite." in ruled.ruling
    assert following.reference == f"{rpi.reference}-A2"
    assert (following.party, following.debtor, following.status) == (body, body, states.IN_FORCE)
    assert (following.schedule, following.policy) == (rpi.schedule, rpi.policy)
    assert (following.first_year, following.last_year) == (2020, 2020)
    assert (following.ends_on, rpi.ends_on) == (dt.date(2021, 10, 31), DAY - dt.timedelta(days=1))
    assert (rpi.last_year, rpi.status) == (2019, states.EXPIRED)
    assert uais(following, 2020) == {school.uai for school in schools}
    assert uais(rpi, 2020) == set()
    assert len(uais(rpi, 2019)) == 2
    carried = following.enrolments.get(school=row.school)
    assert (carried.opened_on, carried.amendment) == (dt.date(2019, 11, 4), None)
    assert following.enrolments.get(school=new).amendment == ruled
    assert following.subscriptions.get().code == "SUIVI"
    units.refresh_from_db()
    assert units.convention == following

    assert [t.action for t in rpi.transitions.order_by("pk")][-2:] == ["accepter", "echoir"]
    assert following.transitions.get().action == "reprise"
    told = OutgoingMail.objects.order_by("recipient").values_list("recipient", flat=True)
    assert list(told) == ["epci@example.org", "mairie@example.org"]

    units.delete()
    following.subscriptions.all().delete()
    rpi.subscriptions.all().delete()
    run = compute_run(schedule=rpi.schedule, year=2020, actor="agent")
    [call] = run.calls.order_by("pk")
    assert (call.siret, call.total) == (body.siret, Decimal("150.00"))
    before = compute_run(schedule=rpi.schedule, year=2019, actor="agent")
    assert before.total == Decimal("100.00")


def test_only_the_payer_may_change(rpi):
    payer = a_member()
    filed_and_decided(asked(rpi, filings.enrolled(rpi, 2020), new_debtor=payer))
    following = Convention.objects.get(succeeds=rpi)
    assert (following.party, following.debtor) == (rpi.party, payer)


def test_a_new_body_that_can_not_be_is_refused(rpi):
    other_rpi = Member.objects.create(kind="rpi", name="RPI sans représentant")
    poor = Member.objects.create(kind="epci", name="EPCI sans SIRET")
    body = a_member()
    assert "désignez le nouveau payeur" in refusal(rpi, new_party=other_rpi)
    assert "n'a pas de SIRET" in refusal(rpi, new_debtor=poor)
    with pytest.raises(AmendmentRefused, match="première année"):
        filings.open_amendment(
            convention=rpi,
            school_year=2019,
            schools=filings.enrolled(rpi, 2019),
            new_party=body,
            actor="mairie",
        )
    waiting = asked(rpi, filings.enrolled(rpi, 2020), new_party=body)
    TerminationFactory(convention=rpi)
    with pytest.raises(AmendmentRefused, match="prend fin"):
        filed_and_decided(waiting)
    assert not Convention.objects.filter(succeeds=rpi).exists()


def test_the_same_bodies_are_no_change(rpi):
    same = {"new_party": rpi.party, "new_debtor": rpi.debtor}
    assert "rien ne change" in refusal(rpi, **same)
