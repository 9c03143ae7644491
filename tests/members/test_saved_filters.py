"""Filters kept above a list: one's own, those kept for all, and what is refused."""

import pytest
from django.urls import reverse

from members import saved_filters
from members.models import SavedFilter, User
from tests.conventions.world import account
from tests.factories import SchoolFactory

pytestmark = pytest.mark.django_db
LIST, KEEP = "admin:members_school_changelist", "members:keep-filter"
PUBLIC = {"sector__exact": "public", "q": "prince"}


@pytest.fixture
def staff(client):
    account(client, "gestionnaire")
    return client


def keep(client, name="Publiques", query="sector__exact=public&q=prince&p=2", **extra):
    data = {"page": "members.school", "name": name, "query": query, **extra}
    return client.post(reverse(KEEP), data, follow=True)


def offered(client, **asked):
    return client.get(reverse(LIST), asked).content.decode()


def test_a_filter_kept_opens_the_same_rows_again(staff):
    SchoolFactory(name="Le Petit Prince", sector="public")
    SchoolFactory(name="Privée", sector="privé")
    page = keep(staff)
    assert "Le filtre « Publiques » est enregistré." in page.content.decode()
    assert [row.name for row in page.context["cl"].result_list] == ["Le Petit Prince"]
    [kept] = SavedFilter.objects.all()
    assert kept.query == "q=prince&sector__exact=public"
    assert f'href="{reverse(LIST)}?{kept.query.replace("&", "&amp;")}"' in offered(staff)


def test_it_is_offered_only_for_a_list_that_is_filtered_and_not_kept_yet(staff):
    assert "Enregistrer ce filtre" not in offered(staff)
    assert "Enregistrer ce filtre" not in offered(staff, p="1", q="")
    assert "Enregistrer ce filtre" in offered(staff, **PUBLIC)
    keep(staff)
    shown = offered(staff, **PUBLIC)
    assert "Enregistrer ce filtre" not in shown
    assert 'aria-current="true"' in shown
    assert "Retirer « Publiques »" in shown


def test_the_same_name_replaces_what_it_kept(staff):
    keep(staff)
    keep(staff, query="sector__exact=priv%C3%A9")
    assert [row.query for row in SavedFilter.objects.all()] == ["sector__exact=priv%C3%A9"]


def test_one_kept_for_all_is_used_by_all_and_removed_by_its_author_alone(staff):
    keep(staff, name="À tous", shared="on")
    keep(staff, name="À moi")
    shared = SavedFilter.objects.get(name="À tous")
    staff.logout()
    account(staff, "lecture")
    shown = offered(staff, **PUBLIC)
    assert "À tous" in shown
    assert "À moi" not in shown
    assert "Retirer" not in shown
    assert staff.post(reverse("members:forget-filter", args=[shared.pk])).status_code == 404
    staff.force_login(shared.user)
    page = staff.post(reverse("members:forget-filter", args=[shared.pk]), follow=True)
    assert "Le filtre « À tous » est retiré." in page.content.decode()
    assert [row.name for row in SavedFilter.objects.all()] == ["À moi"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": "  "}, "Donnez un nom"),
        ({"name": "x" * 61}, "60 caractères au plus"),
        ({"query": "p=3"}, "pas filtrée"),
        ({"query": "q=" + "x" * 2001}, "trop longs"),
    ],
)
def test_what_is_no_filter_is_refused_and_told(staff, given, told):
    assert told in keep(staff, **given).content.decode()
    assert not SavedFilter.objects.exists()


def test_a_list_that_the_account_may_not_read_keeps_nothing(staff):
    answer = staff.post(reverse(KEEP), {"page": "members.user", "name": "x", "query": "q=a"})
    assert answer.status_code == 403
    assert staff.post(reverse(KEEP), {"page": "nulle.part", "name": "x"}).status_code == 404
    assert staff.get(reverse(KEEP)).status_code == 405
    staff.logout()
    assert staff.post(reverse(KEEP), {"page": "members.school"}).status_code == 302


def test_two_addresses_that_ask_the_same_are_equal():
    assert saved_filters.asked_by("?b=2&a=1&p=4&c=") == saved_filters.asked_by("a=1&b=2")


def test_a_kept_criterion_that_is_gone_opens_the_list_unfiltered(staff):
    keep(staff, query="gone__exact=1")
    page = staff.get(reverse(LIST), {"gone__exact": "1"}, follow=True)
    assert page.status_code == 200
    assert User.objects.count() == 1
