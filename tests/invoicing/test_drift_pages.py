"""A count that changes after a titre: told to who changes it by hand, listed on the campaign's page."""

import datetime as dt

import pytest
from django.urls import reverse
from django.utils import timezone

from invoicing.models import Campaign, Titre
from invoicing.roles import create_groups
from members import counts
from members.models import Headcount, School, Usage, User
from tests.factories import IssuerFactory
from tests.invoicing.test_drift import PER_ACTIVE, PER_PUPIL, change, issued
from tests.invoicing.world import YEAR
from tests.tariffs.bases import spoken

pytestmark = pytest.mark.django_db
TITLE = "Effectifs changés depuis l'émission"


@pytest.fixture(autouse=True)
def today(monkeypatch):
    """Within the exercice of the titres."""
    monkeypatch.setattr(timezone, "localdate", lambda *args: dt.date(2025, 12, 1))


def sign_in(client, role, *issuers):
    create_groups()
    user = User.objects.create(username=role, is_staff=True, is_superuser=role == "admin")
    user.groups.set(user.groups.model.objects.filter(name=role))
    user.issuers.set(issuers)
    client.force_login(user)


def typed(client, school, number, *, model="headcount", name="pupils"):
    """Add a count by hand and return what the page says."""
    data = {"school": school.pk, "school_year": "2024-2025", "source": "DEPP", name: number}
    page = client.post(reverse(f"admin:members_{model}_add"), data, follow=True)
    return said(page)


def withdrawn(client, count):
    url = reverse(f"admin:members_{count._meta.model_name}_withdraw", args=[count.pk])
    return said(client.post(url, follow=True))


def said(page):
    return [(message.level_tag, spoken(str(message))) for message in page.context["messages"]]


def warnings(messages):
    return [words for level, words in messages if level == "warning"]


def campaign_page(client):
    return client.get(reverse("admin:invoicing_campaign_change", args=[Campaign.objects.get().pk]))


def test_it_works(client):
    world = issued(PER_PUPIL)
    sign_in(client, "gestionnaire", world.issuer)
    school, titre = School.objects.get(), Titre.objects.get()

    [warning] = warnings(typed(client, school, 103))

    assert warning == (
        f"{school.uai} : L'effectif passe de 100 à 103 après le titre {titre.reference} : il reste dû "
        "tel quel ; une campagne complémentaire ou une réduction le corrigera."
    )
    page = campaign_page(client)
    text = page.content.decode()
    assert TITLE.replace("'", "&#x27;") in text or TITLE in text
    link = reverse("admin:invoicing_titre_change", args=[titre.pk])
    assert f'href="{link}"' in text
    [row] = page.context["drifts"]
    shown = (row.school.uai, row.drift.frozen, row.drift.current, row.titre)
    assert shown == (school.uai, 100, 103, titre)


@pytest.mark.parametrize(
    ("day", "action", "words"),
    [(dt.date(2025, 12, 1), "reduce", "Réduire"), (dt.date(2026, 3, 2), "request_mandat", "un mandat")],
)
def test_the_page_leads_to_what_mends_a_titre(client, monkeypatch, day, action, words):
    monkeypatch.setattr(timezone, "localdate", lambda *args: day)
    world = issued(PER_PUPIL)
    change(School.objects.get(), 95)
    titre = Titre.objects.get()
    sign_in(client, "finances", world.issuer)
    page = spoken(campaign_page(client).content.decode())
    assert f'href="{reverse(f"admin:invoicing_titre_{action}", args=[titre.pk])}' in page
    assert words in page


def test_the_reduction_first_proposes_what_the_count_of_today_takes_off(client):
    world = issued(PER_PUPIL)
    change(School.objects.get(), 95)
    titre = Titre.objects.get()
    line = titre.lines.get()
    sign_in(client, "finances", world.issuer)
    [row] = campaign_page(client).context["drifts"]
    address = reverse("admin:invoicing_titre_reduce", args=[titre.pk])
    form = client.get(f"{address}?{row.drift.in_address}").context["form"]
    assert form["what_1"].value() == str(line.pk)
    assert form["amount_1"].value() == "30,00"
    # A school taken off: its line whole. Another school, or words that are no count: nothing.
    for asked, amount in ((f"ecole={row.school.uai}", "600,00"), ("ecole=autre", None)):
        assert client.get(f"{address}?{asked}").context["form"]["amount_1"].value() == amount


def test_who_corrects_nothing_is_told_without_a_link(client):
    world = issued(PER_PUPIL)
    change(School.objects.get(), 95)
    sign_in(client, "gestionnaire", world.issuer)
    page = campaign_page(client).content.decode()
    assert reverse("admin:invoicing_titre_reduce", args=[Titre.objects.get().pk]) not in page


def test_a_count_withdrawn_by_hand_is_told_and_shown_as_unknown(client):
    world = issued(PER_PUPIL)
    sign_in(client, "gestionnaire", world.issuer)
    [warning] = warnings(withdrawn(client, Headcount.current.get()))
    assert "L'effectif (100) n'est plus connu après le titre" in warning
    assert "inconnu" in campaign_page(client).content.decode()


def test_a_usage_changed_by_hand_is_told_where_it_is_billed(client):
    world = issued(PER_ACTIVE)
    sign_in(client, "gestionnaire", world.issuer)
    school = School.objects.get()
    assert warnings(typed(client, school, 110)) == []
    [warning] = warnings(typed(client, school, 85, model="usage", name="active_pupils"))
    assert "L'usage passe de 80 à 85" in warning
    assert len(warnings(withdrawn(client, Usage.current.get()))) == 1


def test_what_changes_nothing_that_was_billed_is_not_told(client):
    world = issued(PER_PUPIL, members=2)
    sign_in(client, "gestionnaire", world.issuer)
    first, second, _ = School.objects.order_by("uai")
    assert warnings(typed(client, first, 100)) == []
    assert TITLE not in campaign_page(client).content.decode().replace("&#x27;", "'")
    change(first, 103)
    [warning] = warnings(typed(client, second, 104))
    assert warning.startswith(second.uai)


def test_a_limited_account_is_not_told_of_the_titres_of_other_issuers(client):
    world = issued(PER_PUPIL)
    sign_in(client, "gestionnaire", IssuerFactory(code="AUTRE"))
    school = School.objects.get()
    assert warnings(typed(client, school, 103)) == []
    assert warnings(withdrawn(client, Headcount.current.get())) == []
    assert campaign_page(client).status_code == 302
    client.logout()
    sign_in(client, "admin")
    assert len(warnings(typed(client, school, 104))) == 1
    assert world.issuer.code != "AUTRE"


def test_a_campaign_before_any_titre_shows_no_change(client):
    world = issued(PER_PUPIL)
    sign_in(client, "admin")
    assert client.get(reverse("admin:invoicing_campaign_add")).status_code == 200
    assert campaign_page(client).context["drifts"] == []
    assert world.schedule.code in campaign_page(client).content.decode()


def test_a_long_list_is_cut_and_says_how_many_are_left(client, monkeypatch):
    world = issued(PER_PUPIL, members=3)
    monkeypatch.setattr("invoicing.drift.SHOWN", 4)
    sign_in(client, "gestionnaire", world.issuer)
    for school in School.objects.order_by("uai"):
        change(school, 103)
    page = campaign_page(client)
    assert len(page.context["drifts"]) == 4
    assert "et 2 de plus" in spoken(page.content.decode())


def test_the_page_makes_the_same_queries_whatever_the_changes(client, django_assert_max_num_queries):
    world = issued(PER_PUPIL, members=4)
    sign_in(client, "gestionnaire", world.issuer)
    schools = School.objects.order_by("uai")
    change(schools[0], 103)
    campaign_page(client)
    with django_assert_max_num_queries(40) as few:
        campaign_page(client)
    for school in schools:
        change(school, 104)
    with django_assert_max_num_queries(len(few.captured_queries)):
        assert len(campaign_page(client).context["drifts"]) == 10


def test_the_rooms_below_only_pass_on_what_is_said():
    world = issued(PER_PUPIL)
    school = School.objects.get()
    change(school, 103)
    changed = [(school.uai, YEAR)]
    assert len(counts.remarks(Headcount, changed, None)) == 1
    assert counts.remarks(Usage, changed, None) == []
    assert counts.remarks(Headcount, [(school.uai, YEAR + 1)], None) == []
    assert counts.remarks(Headcount, changed, frozenset([world.issuer.pk + 1])) == []
