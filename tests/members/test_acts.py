"""The ACTES identifier of an act is that of this act: its day, its author, its nature."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError

from tests.factories import ActFactory, IssuerFactory, MemberFactory

pytestmark = pytest.mark.django_db

SAUBENS = "21310533100010"
RIGHT = "031-213105331-20240620-202436-DE"


def act(text=RIGHT, **facts):
    facts = {"kind": "deliberation", "date": dt.date(2024, 6, 20), **facts}
    if "issuer" not in facts:
        facts |= {"issuer": None, "member": MemberFactory(siret=SAUBENS)}
    return ActFactory.build(actes_id=text, **facts)


def mistakes(*args, **facts):
    with pytest.raises(ValidationError) as refusal:
        act(*args, **facts).clean()
    return refusal.value.message_dict["actes_id"]


def test_it_works():
    act().clean()


def test_an_act_may_have_no_identifier():
    act("").clean()


def test_it_is_kept_in_upper_case():
    typed = act(f" {RIGHT.lower()} ")
    typed.clean()
    assert typed.actes_id == RIGHT


def test_its_day_is_that_of_the_act():
    assert mistakes(date=dt.date(2024, 6, 21)) == ["Cet identifiant date l'acte du 20/06/2024."]


def test_its_siren_is_that_of_the_member():
    [message] = mistakes("031-218000198-20240620-202436-DE")
    assert "218000198" in message
    assert "213105331" in message


def test_its_siren_is_that_of_the_issuer():
    act(issuer=IssuerFactory(siret=SAUBENS), member=None).clean()
    assert mistakes(issuer=IssuerFactory(code="AUT"), member=None)


def test_a_member_known_by_its_siren_alone_is_compared_too():
    epci = MemberFactory(kind="epci", siret=None, siren="200041960")
    facts = {"issuer": None, "member": epci}
    act("059-200041960-20240620-1-DE", **facts).clean()
    assert mistakes(**facts)


@pytest.mark.parametrize(
    ("kind", "nature", "is_right"),
    [
        ("deliberation", "DE", True),
        ("deliberation", "AR", False),
        ("arrete", "AR", True),
        ("arrete", "AI", True),
        ("arrete", "DE", False),
        ("decision", "AU", True),
        ("decision", "AR", True),
    ],
)
def test_its_nature_agrees_with_the_kind_of_the_act(kind, nature, is_right):
    text = RIGHT[:-2] + nature
    if is_right:
        act(text, kind=kind).clean()
    else:
        [message] = mistakes(text, kind=kind)
        assert nature in message


def test_every_difference_is_told_at_once():
    assert len(mistakes("031-218000198-20240620-1-AR", date=dt.date(2024, 1, 1))) == 3


def test_what_is_no_identifier_is_refused_with_an_example():
    [message] = mistakes("2024-36")
    assert RIGHT in message
