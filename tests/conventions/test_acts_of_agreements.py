"""An agreement rests on the acts of its own parties: the member's, and the committee's of its issuer."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError

from conventions.policies import PARTNERSHIP_2020, TRANSFER
from members.models import Member
from tests.factories import ActFactory, ConventionFactory, IssuerFactory, MemberFactory

pytestmark = pytest.mark.django_db


def errors(**facts):
    """Return what the page of an agreement would say of these acts, by field."""
    convention = ConventionFactory(policy=TRANSFER.code, last_year=None)
    for name, value in facts.items():
        setattr(convention, name, value)
    try:
        convention.clean()
    except ValidationError as error:
        return error.message_dict
    return {}


def of_member(member, **facts):
    return ActFactory(issuer=None, member=member, date=dt.date(2023, 7, 1), **facts)


def test_it_works():
    convention = ConventionFactory(policy=TRANSFER.code, last_year=None)
    convention.act = of_member(convention.party)
    convention.committee_act = ActFactory(issuer=convention.schedule.issuer)
    convention.clean()


def test_the_deliberation_of_another_member_is_refused():
    [said] = errors(act=of_member(MemberFactory(name="Commune d'Ailleurs")))["act"]
    assert "n'est pas une délibération du signataire" in said
    [said] = errors(act=ActFactory())["act"]
    assert "n'est pas une délibération du signataire" in said


def test_the_committee_is_that_of_the_issuer():
    for act in (of_member(MemberFactory()), ActFactory(issuer=IssuerFactory(code="AUT"))):
        [said] = errors(committee_act=act)["committee_act"]
        assert "n'est pas une délibération de l'émetteur" in said


def test_the_communes_of_a_rpi_deliberate_for_it():
    body = Member.objects.create(kind="rpi", name="RPI des Deux")
    convention = ConventionFactory(
        party=body, debtor=MemberFactory(), policy=PARTNERSHIP_2020.code, first_year=2020, last_year=2020
    )
    convention.act = of_member(MemberFactory())
    convention.clean()
    convention.act = ActFactory()
    with pytest.raises(ValidationError):
        convention.clean()
