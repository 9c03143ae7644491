"""Who changed which account, member or school, and when: by a form, an import or an action."""

import datetime as dt
import importlib

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.urls import reverse

from entsvc import history
from entsvc.history_page import entries
from entsvc.models import ImportRecord
from invoicing.roles import create_groups
from members import sirets
from members.debtors import Choice, confirm
from members.memberships import apply_moves
from members.models import ConfirmedDebtor, Issuer, Member, Membership, School, User
from tariffs.models import Band, Charge, Version
from tariffs.versions import copy_version
from tests.factories import (
    BandFactory,
    DatedTextFactory,
    HeadcountSourceFactory,
    IssuerFactory,
    MemberFactory,
    SchoolFactory,
    valid_uai,
)
from tests.followed import followed
from tests.members.editions import row, write_rows
from tests.members.files import run

pytestmark = pytest.mark.django_db
UAI = "Identifiant_de_l_etablissement"


@pytest.fixture
def chief(client):
    client.force_login(User.objects.create(username="cheffe", is_staff=True, is_superuser=True))
    return client


def test_an_account_shows_which_issuers_and_groups_it_was_given_and_by_whom(chief):
    create_groups()
    user = User.objects.create(username="camille", is_staff=True)
    issuer, group = IssuerFactory(name="Syndicat d'essai"), Group.objects.get(name="lecture")
    url = reverse("admin:members_user_change", args=[user.pk])
    facts = {
        "username": "camille", "is_active": "on", "is_staff": "on",
        "groups": [group.pk], "issuers": [issuer.pk],
    }  # fmt: skip
    assert chief.post(url, facts).status_code == 302
    page = chief.get(reverse("admin:members_user_history", args=[user.pk]))
    changes = {(entry.who, c.label, c.after) for entry in page.context["page"] for c in entry.changes}
    assert {("cheffe", "Groupes", "lecture"), ("cheffe", "Émetteurs", "Syndicat d'essai")} <= changes


def test_a_right_taken_from_a_group_is_in_its_history(chief):
    create_groups()
    group = Group.objects.get(name="lecture")
    right = group.permissions.order_by("pk").first()
    group.permissions.remove(right)
    [(field, before, after)] = entries(group)[0].values
    assert field.name == "permissions"
    assert set(before) - set(after) == {right.pk}


def test_signing_in_is_no_change_of_an_account(client):
    user = User.objects.create_user("camille", password="mot-de-passe-long", is_staff=True)
    before = user.history.count()
    assert client.login(username="camille", password="mot-de-passe-long")
    assert user.history.count() == before


def test_no_password_enters_the_history():
    assert "password" not in {field.name for field in User.history.model._meta.fields}


def test_the_page_of_a_member_shows_what_was_changed_with_its_accesses(chief):
    member = MemberFactory(name="Saubens")
    member.contacts.create(email="mairie@example.org")
    member.city = "Muret"
    member.save()
    page = chief.get(reverse("admin:members_member_history", args=[member.pk]))
    told = [(entry.what, entry.kind) for entry in page.context["page"]]
    assert ("Accès à l'espace", "création") in told
    assert "Muret" in page.content.decode()


def test_a_row_named_by_its_code_has_a_history_too(chief):
    source = HeadcountSourceFactory(code="constat", label="Constat")
    source.label = "Constat de rentrée"
    source.save()
    page = chief.get(reverse("admin:members_headcountsource_history", args=[source.pk]))
    assert "Constat de rentrée" in page.content.decode()


def test_an_import_says_itself_in_the_history_of_what_it_changes_and_of_nothing_else(tmp_path):
    first, second = valid_uai(1), valid_uai(2)
    lines = [row(**{UAI: first}), row(**{UAI: second})]
    run("import_annuaire", write_rows(tmp_path / "a.csv", *lines))
    record = ImportRecord.objects.get()
    assert {state.history_change_reason for state in School.history.order_by("pk")} == {
        f"import {record.pk} ({record.actor})"
    }
    lines[1] = row(**{UAI: second, "Nom_etablissement": "École rebaptisée"})
    run("import_annuaire", write_rows(tmp_path / "b.csv", *lines))
    counts = {uai: School.objects.get(uai=uai).history.count() for uai in (first, second)}
    assert counts == {first: 1, second: 2}
    assert followed(School)


def test_a_school_that_leaves_the_annuaire_then_comes_back_has_both_in_its_history(tmp_path):
    gone = SchoolFactory(uai=valid_uai(2), departement_code="31")
    asked = {"perimeter": "departement:31"}
    lines = [row(**{UAI: valid_uai(number)}) for number in (1, 2)]
    run("import_annuaire", write_rows(tmp_path / "a.csv", lines[0]), as_of="2026-09-01", **asked)
    run("import_annuaire", write_rows(tmp_path / "b.csv", *lines), as_of="2026-10-01", **asked)
    days = [state.absent_since for state in gone.history.order_by("history_id")]
    assert (days[0], dt.date(2026, 9, 1) in days, days[-1]) == (None, True, None)
    assert followed(School)


def test_a_file_that_was_only_tried_leaves_no_history(tmp_path):
    run("import_annuaire", write_rows(tmp_path / "a.csv", row(**{UAI: valid_uai(1)})), dry_run=True)
    assert not School.history.exists()


def test_entering_and_leaving_an_epci_is_in_the_history():
    first, second = MemberFactory.create_batch(2, kind="epci")
    commune = MemberFactory()
    for body, day in ((first, dt.date(2020, 1, 1)), (second, dt.date(2025, 1, 1))):
        apply_moves(Membership, Member.Kind.EPCI, [(body.pk, commune.pk)], day, exclusive=True)
    assert Membership.history.count() == 3
    assert followed(Membership)


def test_verified_sirets_and_confirmed_payers_are_in_the_history():
    member, school = MemberFactory(siret_to_verify=True), SchoolFactory()
    sirets.verify(Member.objects.all(), actor="camille")
    for reason in ("SIREN de l'annuaire", "Après appel"):
        confirm([Choice(school.pk, member.pk, reason)], actor="camille")
    kinds = ConfirmedDebtor.history.order_by("history_id").values_list("history_type", flat=True)
    assert list(kinds) == ["+", "~"]
    assert followed(Member, ConfirmedDebtor)


def test_a_copied_tariff_begins_its_own_history():
    band = BandFactory()
    copy_version(band.charge.version, "Copie")
    assert followed(Version, Charge, Band)


def test_what_was_there_before_begins_with_its_state_and_its_links():
    create_groups()
    user, text, source = User.objects.create(username="c"), DatedTextFactory(), HeadcountSourceFactory()
    user.issuers.add(IssuerFactory())
    user.groups.add(Group.objects.get(name="lecture"))
    kept = (User, Group, Issuer, type(text), type(source))
    for model in kept:
        model.history.all().delete()
    for link in (*User.history.model._history_m2m_fields, *Group.history.model._history_m2m_fields):
        getattr(
            (User if link.model is User else Group).history.model, link.name
        ).model.objects.all().delete()
    migration = importlib.import_module("members.migrations.0006_first_histories").Migration
    loader = MigrationLoader(connection, replace_migrations=False)
    apps = loader.project_state(("members", "0006_first_histories")).apps
    for operation in migration.operations:
        operation.code(apps, connection.schema_editor())
    assert followed(*kept)
    [state] = user.history.all()
    assert (state.history_change_reason, state.history_user) == (history.FIRST, None)
    [first] = entries(user)
    linked = {field.name: after for field, _, after in first.values if field.many_to_many}
    assert linked == {
        name: tuple(getattr(user, name).order_by("pk").values_list("pk", flat=True))
        for name in ("groups", "issuers")
    }
    for operation in migration.operations:
        operation.code(apps, connection.schema_editor())
    assert user.history.count() == 1
