"""The staff pages of schools: what lists show and filter, what forms refuse."""

import datetime as dt

import pytest
from django.urls import reverse

from members.models import School, User
from tests.factories import SchoolFactory, valid_uai

pytestmark = pytest.mark.django_db

LIST = "admin:members_school_changelist"


@pytest.fixture
def staff(client):
    user = User.objects.create(username="admin", is_staff=True, is_superuser=True)
    client.force_login(user)
    return client


def listed(staff, **filters):
    page = staff.get(reverse(LIST), filters)
    assert page.status_code == 200
    return [school.uai for school in page.context["cl"].result_list]


def form(**values):
    blank = dict.fromkeys(f.name for f in School._meta.fields if f.editable and f.name != "id")
    inlines = {}
    for prefix in ("headcount_set", "usage_set"):
        inlines |= {f"{prefix}-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL")}
    given = {"uai": valid_uai(1), "name": "École", "degree": "premier", "sector": "public"} | values
    return {name: value or "" for name, value in (blank | given).items()} | inlines


def test_it_works(staff):
    school = SchoolFactory(departement_code="31", absent_since=dt.date(2026, 9, 1))
    page = staff.get(reverse(LIST)).content.decode()
    for shown in (school.uai, school.name, "Premier degré", "Saubens", "1 septembre 2026"):
        assert shown in page
    page = staff.get(reverse("admin:members_school_change", args=[school.pk])).content.decode()
    assert "une case vide du fichier" in page
    assert "jamais celui du payeur" in page


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, [1, 2, 3]),
        ({"annuaire": "absentes"}, [2]),
        ({"annuaire": "presentes"}, [1, 3]),
        ({"departement_code": "80"}, [3]),
        ({"degree__exact": "college"}, [3]),
        ({"level__exact": "EM"}, [2]),
        ({"sector__exact": "prive"}, [2]),
        ({"state": "A FERMER"}, [1]),
        ({"rpi__exact": "disperse"}, [2]),
    ],
)
def test_the_list_is_filtered(staff, filters, found):
    SchoolFactory(uai=valid_uai(1), departement_code="31", state="A FERMER")
    SchoolFactory(
        uai=valid_uai(2),
        departement_code="31",
        state="OUVERT",
        level="EM",
        sector="prive",
        rpi="disperse",
        absent_since=dt.date(2026, 9, 1),
    )
    SchoolFactory(uai=valid_uai(3), departement_code="80", state="OUVERT", degree="college")
    assert listed(staff, **filters) == [valid_uai(number) for number in found]


def test_codes_typed_by_hand_are_written_as_the_annuaire_would(staff):
    answer = staff.post(
        reverse("admin:members_school_add"),
        form(uai=valid_uai(1).lower(), commune_code="2a004", departement_code="02A"),
    )
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    school = School.objects.get()
    assert (school.uai, school.commune_code, school.departement_code) == (
        valid_uai(1),
        "2A004",
        "2A",
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [("uai", "0310891B"), ("commune_code", "3153"), ("departement_code", "99"), ("name", "x" * 201)],
)
def test_wrong_codes_are_refused_where_they_are_typed(staff, field, value):
    answer = staff.post(reverse("admin:members_school_add"), form(**{field: value}))
    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert not School.objects.exists()
