"""How a member's schools, pupils and amounts went over the years, in the admin and on its own page."""

from decimal import Decimal

import pytest
from django.urls import reverse

from conventions.models import Convention, Enrolment
from entsvc import school_year
from invoicing.evolution import LONGEST, evolution
from invoicing.models import Titre
from invoicing.roles import create_groups
from members.models import User
from members.portal import access
from tests.factories import (
    ConventionFactory,
    EnrolmentFactory,
    HeadcountFactory,
    IssuerFactory,
    MemberFactory,
)
from tests.invoicing.quoting import annul
from tests.invoicing.world import YEAR

pytestmark = pytest.mark.django_db


def of(member):
    return evolution(Titre.objects.filter(debtor=member), Convention.objects.filter(debtor=member))


def by_year(member):
    return {year.year: (year.schools, year.pupils, year.called) for year in of(member).years}


def agreement(**years):
    return ConventionFactory(**years)


def test_what_was_issued_and_what_corrected_it_make_the_amount_of_the_year(world):
    first, second = world.issue().titres[:2]
    annul(world, second)
    assert by_year(first.debtor)[YEAR][2] == first.total
    assert by_year(second.debtor)[YEAR][2] == Decimal("0.00")


def test_the_pupils_of_a_year_are_those_of_the_schools_enrolled_then():
    convention = agreement(first_year=2022, last_year=2024)
    old = EnrolmentFactory(convention=convention, first_year=2022, last_year=2022).school
    new = EnrolmentFactory(convention=convention, first_year=2023, last_year=None).school
    for school, year, pupils in ((old, 2022, 80), (old, 2023, 85), (new, 2023, 120), (new, 2024, 130)):
        HeadcountFactory(school=school, school_year=year, pupils=pupils)
    assert by_year(convention.debtor) == {
        2022: (1, 80, None),
        2023: (1, 120, None),
        2024: (1, 130, None),
    }


def test_a_year_without_any_count_says_so_and_is_not_nought():
    convention = agreement(first_year=2024, last_year=2024)
    EnrolmentFactory(convention=convention, first_year=2024)
    assert by_year(convention.debtor)[2024] == (1, None, None)


def test_an_agreement_still_to_come_or_not_in_force_shows_nothing():
    later = agreement(first_year=school_year.containing(school_year.last_day(2098)), last_year=None)
    EnrolmentFactory(convention=later, first_year=2098)
    draft = agreement(first_year=2022, status="projet")
    EnrolmentFactory(convention=draft, first_year=2022)
    assert not of(later.debtor).years
    assert not of(draft.debtor).years


def test_only_the_last_years_are_shown():
    convention = agreement(first_year=2005, last_year=2024)
    EnrolmentFactory(convention=convention, first_year=2005, last_year=None)
    years = [year.year for year in of(convention.debtor).years]
    assert years == list(range(2025 - LONGEST, 2025))


def test_the_evolution_asks_three_questions_whatever_the_schools(django_assert_num_queries):
    convention = agreement(first_year=2020, last_year=2024)
    EnrolmentFactory.create_batch(6, convention=convention, first_year=2020, last_year=None)
    with django_assert_num_queries(3):
        of(convention.debtor)


def reader(*issuers):
    create_groups()
    user = User.objects.create(username="lectrice", is_staff=True)
    user.groups.set(user.groups.model.objects.filter(name="lecture"))
    user.issuers.set(issuers)
    return user


def test_the_page_of_a_member_shows_both_pictures_and_their_figures(world, client):
    titre = world.issue().titres[0]
    Convention.objects.filter(debtor=titre.debtor).update(first_year=YEAR - 1, last_year=YEAR)
    Enrolment.objects.filter(convention__debtor=titre.debtor).update(first_year=YEAR - 1)
    client.force_login(reader(world.issuer))
    page = client.get(reverse("admin:members_member_change", args=[titre.debtor_id])).content.decode()
    assert page.count('role="img"') == 2
    assert "Montants appelés par année scolaire" in page
    assert "2024-2025" in page


def test_an_account_sees_nothing_of_what_another_issuer_calls(world, client):
    titre = world.issue().titres[0]
    client.force_login(reader(IssuerFactory(code="AUTRE")))
    answer = client.get(reverse("admin:members_member_change", args=[titre.debtor_id]))
    assert not answer.context["evolution"].years


def test_the_form_of_a_new_member_has_no_picture(client):
    client.force_login(User.objects.create(username="c", is_staff=True, is_superuser=True))
    assert client.get(reverse("admin:members_member_add")).context["evolution"] is None


def test_a_mayor_sees_them_from_the_second_year_on_without_script_nor_style(client):
    member = MemberFactory(email="mairie@example.org")
    convention = agreement(party=member, debtor=member, first_year=2023, last_year=2023)
    EnrolmentFactory(convention=convention, first_year=2023, last_year=None)
    client.force_login(access.account_of("mairie@example.org"))
    session = client.session
    session.update({access.SINCE: 2**40, access.SEEN: 2**40})
    session.save()
    home = reverse("espace:member", args=[member.pk])
    assert "D'une année à l'autre" not in client.get(home).content.decode()
    Convention.objects.filter(pk=convention.pk).update(last_year=2024)
    page = client.get(home).content.decode()
    part = page[page.index('aria-labelledby="evolution"') :]
    assert part.count('role="img"') == 2
    assert "style=" not in part
    assert "<script" not in part
