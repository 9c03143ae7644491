"""The ACTES identifier of an act is that of this act: its day, its author, its nature."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from members.models import Act, Issuer
from tests.factories import ActFactory, IssuerFactory, MemberFactory, valid_siret

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


# Its département.


def test_its_departement_is_that_of_the_commune():
    commune = MemberFactory(siret=SAUBENS, insee_code="31533")
    act(issuer=None, member=commune).clean()
    [message] = mistakes("080-213105331-20240620-202436-DE", issuer=None, member=commune)
    assert message == "Cet identifiant est celui du département 80, pas de 31."


def test_its_departement_is_one_of_those_of_the_issuer():
    npdc = IssuerFactory.build(siret=SAUBENS, departements="59 62", pk=1)
    for code, right in (("059", True), ("062", True), ("080", False)):
        typed = ActFactory.build(
            issuer=npdc, date=dt.date(2024, 6, 20), actes_id=f"{code}-213105331-20240620-1-DE"
        )
        if right:
            typed.clean()
        else:
            with pytest.raises(ValidationError, match="59 ou 62"):
                typed.clean()


def test_a_departement_is_its_own_and_corsica_is_written_as_the_prefecture_does():
    somme = MemberFactory(kind="departement", siret=SAUBENS, insee_code="80")
    assert "pas de 80" in mistakes(issuer=None, member=somme)[0]
    corse = MemberFactory(siret=valid_siret(77), insee_code="2A004")
    rest = f"{corse.siret[:9]}-20240620-1-DE"
    [message] = mistakes(f"080-{rest}", issuer=None, member=corse)
    assert "pas de 2A" in message
    act(f"02A-{rest}", issuer=None, member=corse).clean()


def test_an_author_whose_departement_is_not_known_is_not_compared():
    act(issuer=None, member=MemberFactory(siret=SAUBENS, insee_code="")).clean()
    act(issuer=IssuerFactory(siret=SAUBENS, departements=""), member=None).clean()


# Its vote.


def saubens(**facts):
    """Make the deliberation of 20 June 2024 of Saubens: 18 for of 18, 14 present and 4 proxies."""
    known = {
        "kind": "deliberation",
        "number": "2024/36",
        "authority": "conseil municipal de Saubens",
        "issuer": None,
        "member": MemberFactory(siret=SAUBENS, insee_code="31533"),
        "date": dt.date(2024, 6, 20),
        "transmitted_on": dt.date(2024, 6, 24),
        "actes_id": RIGHT,
        "approves": Act.Approval.AGREEMENT,
        "present": 14,
        "proxies": 4,
        "votes_for": 18,
        "votes_against": 0,
        "abstentions": 0,
    }
    return ActFactory.build(**{**known, **facts})


def test_the_deliberation_of_saubens_is_kept_whole():
    act = saubens()
    act.full_clean()
    act.save()
    act.refresh_from_db()
    assert (act.vote.cast, act.vote.carries_two_thirds) == (18, True)
    assert act.present + act.proxies == act.vote.cast
    assert str(act).startswith("Délibération n° 2024/36 du 20/06/2024")


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"votes_against": 1}, "plus de votes que de présents"),
        ({"abstentions": 1}, "plus de votes que de présents"),
        ({"votes_for": None, "votes_against": 19}, "plus de votes que de présents"),
        ({"proxies": None}, "plus de votes que de présents"),
        ({"in_office": 17}, "plus de présents et de pouvoirs"),
        ({"in_office": 13}, "plus de présents et de pouvoirs"),
        ({"convened_on": dt.date(2024, 6, 21)}, "La convocation précède"),
        ({"transmitted_on": dt.date(2024, 6, 19)}, "transmis après"),
    ],
)
def test_what_can_not_be_is_refused_in_french_and_by_the_database(facts, told):
    act = saubens(**facts)
    with pytest.raises(ValidationError, match=told):
        act.full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        act.save()


@pytest.mark.parametrize(
    "facts",
    [
        {"in_office": 19, "convened_on": dt.date(2024, 6, 14)},
        {"in_office": 18},
        {"present": None, "proxies": None},
        {"votes_for": None, "votes_against": None, "abstentions": None},
    ],
)
def test_what_the_act_does_not_say_stays_empty(facts):
    act = saubens(**facts)
    act.full_clean()
    act.save()


# Its page.


def test_the_page_says_the_result_in_words(admin_client):
    act = saubens()
    act.save()
    page = admin_client.get(f"/admin/members/act/{act.pk}/change/").content.decode()
    shown = page.replace("\u00a0", " ").replace("&#x27;", "'")
    assert "18 suffrages exprimés ; adopté à l'unanimité" in shown
    assert "Les abstentions ne sont pas des suffrages exprimés" in shown


def test_the_page_of_a_new_act_opens_and_refuses_in_french(admin_client):
    page = admin_client.post(
        "/admin/members/act/add/",
        {"kind": "deliberation", "authority": "comité", "subject": "x", "date": "2024-06-20",
         "issuer": IssuerFactory(regime=Issuer.Regime.LOCAL).pk, "actes_id": "2024-36"},
    )  # fmt: skip
    assert "Un identifiant ACTES" in page.content.decode()
