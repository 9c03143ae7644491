"""Staff pages of members: what they filter, confirm, and refuse."""

import datetime as dt
import re

import pytest
from django.urls import reverse

from entsvc.models import JournalEntry
from members.models import Commune, GroupedSchool, Member, Membership, User
from tests.factories import IssuerFactory, MemberFactory, SchoolFactory, valid_siret

pytestmark = pytest.mark.django_db

LIST = "admin:members_member_changelist"
DAY = dt.date(2024, 9, 1)


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create(username="chef", is_staff=True, is_superuser=True))
    return client


def shown(response):
    return sorted(member.name for member in response.context["cl"].result_list)


def posted(client, member, **changes):
    """Send the form of a member as its page shows it, with some changes."""
    page = client.get(reverse("admin:members_member_change", args=[member.pk]))
    form = page.context["adminform"].form
    data = {name: form[name].value() for name in form.fields}
    data = {name: value for name, value in data.items() if value not in (None, False)}
    for formset in page.context["inline_admin_formsets"]:
        prefix = formset.formset.prefix
        data |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    return client.post(reverse("admin:members_member_change", args=[member.pk]), {**data, **changes})


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("siret=manquant", ["EPCI"]),
        ("siret=a-verifier", ["Proposé"]),
        ("siret=sur", ["Sûr"]),
        ("courriel=absent", ["EPCI", "Proposé"]),
        ("courriel=connu", ["Sûr"]),
        ("repris=oui", ["Proposé"]),
        ("repris=non", ["EPCI", "Sûr"]),
        ("kind__exact=epci", ["EPCI"]),
    ],
)
def test_the_list_filters_what_is_missing(staff, query, names):
    sure = MemberFactory(name="Sûr", email="a@example.org")
    MemberFactory(name="Proposé", siret_to_verify=True, successor=sure)
    MemberFactory(name="EPCI", kind="epci", siret=None)
    assert shown(staff.get(f"{reverse(LIST)}?{query}")) == names


def test_a_rpi_never_pays_and_lacks_no_siret(staff):
    Member.objects.create(kind="rpi", name="RPI des Deux")
    page = staff.get(reverse(LIST)).content.decode()
    assert "sans objet" in page
    assert "absent</span>" not in re.sub(r"\s+", " ", page).replace(" <", "<")


def test_the_list_asks_no_more_for_more_members(staff, django_assert_max_num_queries):
    for _ in range(12):
        MemberFactory()
    with django_assert_max_num_queries(9):
        staff.get(reverse(LIST))


@pytest.mark.parametrize("kind", ["commune", "epci", "rpi", "syndicat", "departement", ""])
def test_the_page_of_each_kind_opens_without_a_query_by_row(staff, kind, django_assert_max_num_queries):
    body = MemberFactory(kind=kind, siret=None if kind == "rpi" else valid_siret(9))
    for _ in range(8):
        commune = MemberFactory()
        pair = (
            {"body": commune, "commune": body}
            if kind == "commune"
            else {"body": body, "commune": commune}
        )
        Membership.objects.create(valid_from=DAY, **pair)
        if kind == "rpi":
            GroupedSchool.objects.create(body=body, school=SchoolFactory(), valid_from=DAY)
    with django_assert_max_num_queries(16):
        assert staff.get(reverse("admin:members_member_change", args=[body.pk])).status_code == 200


def test_sirets_are_verified_in_bulk_once_confirmed(staff):
    members = [MemberFactory(siret_to_verify=True) for _ in range(3)]
    known = MemberFactory()
    asked = {"action": "verify_sirets", "_selected_action": [m.pk for m in (*members[:2], known)]}
    page = staff.post(reverse(LIST), asked)
    assert members[0].siret in page.content.decode()
    assert known.siret not in page.content.decode()
    assert Member.objects.filter(siret_to_verify=True).count() == 3
    response = staff.post(reverse(LIST), {**asked, "confirmed": "1"}, follow=True)
    assert "2\u00a0SIRET vérifiés" in response.content.decode()
    assert list(Member.objects.filter(siret_to_verify=True)) == [members[2]]
    assert JournalEntry.objects.get().data["sirets"] == sorted(m.siret for m in members[:2])


def test_nothing_to_verify_is_said(staff):
    asked = {"action": "verify_sirets", "_selected_action": [MemberFactory().pk]}
    assert "Aucun" in staff.post(reverse(LIST), asked, follow=True).content.decode()


def test_a_reader_verifies_nothing(client):
    user = User.objects.create(username="lecteur", is_staff=True)
    user.user_permissions.set(
        user.user_permissions.model.objects.filter(codename="view_member").order_by("pk")
    )
    client.force_login(user)
    member = MemberFactory(siret_to_verify=True)
    asked = {"action": "verify_sirets", "_selected_action": [member.pk], "confirmed": "1"}
    client.post(reverse(LIST), asked)
    member.refresh_from_db()
    assert member.siret_to_verify
    assert client.get(reverse("admin:members_member_propose_rpis")).status_code == 403


def test_rpi_of_the_annuaire_are_created_once_confirmed(staff):
    IssuerFactory(departements="31 32")
    for commune in ("31001", "31002"):
        SchoolFactory(
            commune_code=commune,
            rpi="disperse",
            rpi_code="031037",
            departement_code="31",
            commune_name="A",
        )
    MemberFactory(insee_code="31001")
    page = reverse("admin:members_member_propose_rpis")
    assert "1\u00a0RPI" in staff.get(page).content.decode()
    assert not Member.objects.filter(kind="rpi").exists()
    response = staff.post(page, {"departement": "31", "since": "01/09/2024"}, follow=True)
    assert "31002" in response.content.decode()
    rpi = Member.objects.get(kind="rpi")
    assert rpi.memberships.get().valid_from == DAY
    assert "aucun RPI" in staff.get(page, follow=True).content.decode()


def test_the_territory_of_other_issuers_is_not_proposed(client):
    IssuerFactory(departements="31")
    SchoolFactory(rpi="disperse", rpi_code="031037", departement_code="31")
    user = User.objects.create(username="autre", is_staff=True)
    user.user_permissions.set(
        user.user_permissions.model.objects.filter(codename__in=["add_member", "view_member"]).order_by(
            "pk"
        )
    )
    client.force_login(user)
    page = client.post(
        reverse("admin:members_member_propose_rpis"), {"departement": "31", "since": "01/09/2024"}
    )
    assert page.status_code == 302
    assert not Member.objects.filter(kind="rpi").exists()


def test_a_succession_may_not_turn_in_circles(staff):
    old, new = MemberFactory(), MemberFactory()
    assert posted(staff, old, successor=new.pk).status_code == 302
    response = posted(staff, new, successor=old.pk)
    assert "repris par ce membre" in response.content.decode()
    new.refresh_from_db()
    assert new.successor is None


def test_a_day_of_succession_needs_a_successor(staff):
    response = posted(staff, MemberFactory(), merged_on="01/01/2026")
    assert "par qui" in response.content.decode()


@pytest.mark.parametrize(
    ("kind", "code", "kept"),
    [("commune", " 2a004", "2A004"), ("departement", "080", "80"), ("commune", "80", None)],
)
def test_an_insee_code_is_checked_by_kind(staff, kind, code, kept):
    member = MemberFactory(kind=kind)
    response = posted(staff, member, insee_code=code)
    assert response.status_code == (200 if kept is None else 302)
    member.refresh_from_db()
    assert member.insee_code == (kept or "")


@pytest.mark.parametrize(("other", "is_right"), [("epci", False), ("commune", True)])
def test_only_communes_enter_a_grouping(staff, other, is_right):
    body, part = MemberFactory(kind="syndicat"), MemberFactory(kind=other)
    response = posted(staff, body, **entering(part))
    assert response.status_code == (302 if is_right else 200)
    assert Membership.objects.exists() == is_right


def test_a_commune_enters_one_epci_at_a_time(staff):
    first, second, commune = MemberFactory(kind="epci"), MemberFactory(kind="epci"), MemberFactory()
    Membership.objects.create(body=first, commune=commune, valid_from=dt.date(2020, 1, 1))
    response = posted(staff, second, **entering(commune))
    assert "déjà membre de" in response.content.decode()


def entering(part):
    return {
        "memberships-TOTAL_FORMS": 1,
        "memberships-0-commune": part.pk,
        "memberships-0-valid_from": "01/09/2024",
    }


def test_codes_of_communes_are_searched_without_accents_and_read_only(staff):
    Commune.objects.create(code="27229", name="Évreux")
    page = reverse("admin:members_commune_changelist")
    assert len(staff.get(page, {"q": "evreux"}).context["cl"].result_list) == 1
    assert staff.get(reverse("admin:members_commune_change", args=["27229"])).status_code == 200
    assert staff.get(reverse("admin:members_commune_add")).status_code == 403
