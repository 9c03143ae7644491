"""The command that loads the regimes: what it creates, and what it never overwrites."""

import re

import pytest
from django.contrib.auth.models import Group

from entsvc.models import DatedText, JournalEntry
from invoicing.former_rights import ADDED, FORMER
from invoicing.payload import letterhead
from invoicing.roles import ROLES, permission
from members.models import Accountant, HeadcountSource, Issuer, Signatory
from tariffs.models import Adoption, Charge, Schedule, Version
from tests.invoicing.called import call
from tests.invoicing.world import ISSUED_ON


@pytest.fixture(scope="module")
def loaded(kept):
    kept(lambda: call("load_regimes"))


@pytest.fixture
def regimes(loaded, db):
    """The regimes, loaded once."""


LOADED = (
    Accountant,
    Adoption,
    Charge,
    DatedText,
    Group,
    HeadcountSource,
    Issuer,
    Schedule,
    Signatory,
    Version,
)


def counts():
    return {model.__name__: model.objects.count() for model in LOADED}


def test_load_regimes_brings_the_issuers_their_schedules_and_the_groups(regimes):
    assert {"OCC"} <= set(Issuer.objects.order_by("pk").values_list("code", flat=True))
    assert Schedule.objects.filter(code="OCC-ENT-ECOLE").exists()
    assert set(Group.objects.order_by("pk").values_list("name", flat=True)) == {
        "gestionnaire",
        "finances",
        "lecture",
    }
    sources = HeadcountSource.objects.order_by("rank").values_list("code", "billable")
    assert dict(sources) == {"DEPP": True, "MANUEL": True, "ANNUAIRE": False, "IPS": False}


def test_the_school_of_occitanie_costs_what_each_year_adopted(regimes):
    prices = {
        adoption.school_year: str(adoption.version.charges.get().unit_price)
        for adoption in Adoption.objects.filter(schedule__code="OCC-ENT-ECOLE").order_by("pk")
    }
    assert prices == {2020: "50.0000", 2024: "45.0000"}


def test_each_issuer_has_one_signatory_and_one_accountant_plainly_fictitious(regimes):
    for issuer in Issuer.objects.order_by("code"):
        for model in (Signatory, Accountant):
            person = model.objects.get(issuer=issuer)
            assert person.is_fictitious
            assert person.valid_to is None
        assert "FICTIF" in Signatory.objects.get(issuer=issuer).last_name


def test_each_schedule_is_ready_to_issue(regimes):
    """Every mention of every regime is there: `letterhead` refuses otherwise."""
    for schedule in Schedule.objects.order_by("code"):
        signatory = Signatory.objects.get(issuer=schedule.issuer)
        head = letterhead(schedule=schedule, signatory=signatory, on=ISSUED_ON, foundations=["Un acte"])
        assert head.specimen


def test_a_second_load_creates_nothing(regimes):
    before, entries = counts(), JournalEntry.objects.count()
    output, _ = call("load_regimes")
    assert output == "Rien à créer : tout est déjà là.\n"
    assert counts() == before
    assert JournalEntry.objects.count() == entries


EDITED = [
    (DatedText, {"code": "recours", "scope": "ETAT"}, "body"),
    (DatedText, {"code": "delai", "scope": "ETAT"}, "source"),
    (Issuer, {"code": "OCC"}, "name"),
    (Issuer, {"code": "OCC"}, "siret"),
    (Signatory, {"issuer__code": "OCC"}, "last_name"),
    (Accountant, {"issuer__code": "OCC"}, "iban"),
    (Schedule, {"code": "OCC-ENT-ECOLE"}, "subject"),
    (HeadcountSource, {"code": "DEPP"}, "label"),
]


@pytest.mark.parametrize(
    ("model", "key", "column"), EDITED, ids=[f"{m.__name__}-{c}" for m, _, c in EDITED]
)
def test_a_load_never_overwrites_what_staff_edited(regimes, model, key, column):
    model.objects.filter(**key).update(**{column: "édité"})
    before = counts()
    call("load_regimes")
    assert getattr(model.objects.get(**key), column) == "édité"
    assert counts() == before


def test_a_load_leaves_the_rights_of_a_group_as_staff_set_them(regimes):
    Group.objects.get(name="lecture").permissions.clear()
    call("load_regimes")
    assert not Group.objects.get(name="lecture").permissions.exists()


@pytest.fixture
def former_groups(regimes):
    """The groups as the former release left them."""
    for group in Group.objects.order_by("name"):
        group.permissions.set(permission(item) for item in FORMER[group.name])


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("seen", range(len(ADDED) + 1))
def test_a_load_gives_once_to_a_group_of_a_former_release_its_new_rights(former_groups, role, seen):
    group = Group.objects.get(name=role)
    had = [*FORMER[role], *(item for release in ADDED[:seen] for item in release[role])]
    group.permissions.set(permission(item) for item in had)
    output, _ = call("load_regimes")
    assert set(group.permissions.order_by("pk")) == {permission(item) for item in ROLES[role]}
    lacked = set(ROLES[role]) - set(had)
    told = re.findall(rf"(\d+) droits du groupe {role} \(([^)]*)\)", output)
    assert [(int(number), set(names.split(", "))) for number, names in told] == (
        [(len(lacked), lacked)] if lacked else []
    )
    assert call("load_regimes")[0] == "Rien à créer : tout est déjà là.\n"


def test_a_load_gives_back_no_right_that_staff_took_away(former_groups):
    finances = Group.objects.get(name="finances")
    old, new = permission("issue_titre:invoicing.titre"), permission("view:invoicing.reminder")
    finances.permissions.remove(old)
    call("load_regimes")
    finances.permissions.remove(new)
    call("load_regimes")
    assert not finances.permissions.filter(pk__in=[old.pk, new.pk]).exists()


def test_a_right_given_by_hand_before_the_upgrade_does_not_hold_back_the_others(former_groups):
    finances = Group.objects.get(name="finances")
    finances.permissions.add(permission("add:entsvc.upload"))
    call("load_regimes")
    assert finances.permissions.filter(codename="close_exercice").exists()


def test_a_load_leaves_a_source_that_is_no_longer_billable(regimes):
    HeadcountSource.objects.filter(code="MANUEL").update(billable=False)
    call("load_regimes")
    assert HeadcountSource.objects.get(code="MANUEL").billable is False


def test_a_load_does_not_bring_back_the_fictitious_signatory(regimes):
    Signatory.objects.filter(issuer__code="OCC").delete()
    true = Signatory.objects.create(
        issuer=Issuer.objects.get(code="OCC"),
        first_name="Vraie",
        last_name="PERSONNE",
        quality="rectrice",
        valid_from="2024-01-01",
    )
    call("load_regimes")
    assert Signatory.objects.get(issuer__code="OCC") == true


def test_a_load_brings_back_what_is_missing(regimes):
    before = counts()
    DatedText.objects.filter(code="recours", scope="ETAT").delete()
    output, _ = call("load_regimes")
    assert output == "Créé : 1 DatedText.\n"
    assert counts() == before
