"""The first page: what there is to do for an issuer and a year, each line leading to its rows."""

import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conventions import states
from conventions.findings import Scope
from conventions.models import Convention
from conventions.scoped_pages import address_of
from invoicing import home
from invoicing.models import PendingReceipt, Titre
from invoicing.roles import ROLES, create_groups
from members.models import School, User
from tests.factories import ConventionFactory, EnrolmentFactory, IssuerFactory, PaymentFactory
from tests.invoicing.world import YEAR

pytestmark = pytest.mark.django_db
MOST_QUERIES = 20
YEAR_SHOWN = "2024-2025"


@pytest.fixture
def scope(world):
    return Scope(world.issuer, YEAR)


@pytest.fixture
def chief():
    return User.objects.create(username="cheffe", is_staff=True, is_superuser=True)


def told(scope, user):
    """Return {stage: [words of its tasks]}."""
    return {
        stage.title: [task.words.replace("\xa0", " ") for task in stage.tasks]
        for stage in whole(scope, user)
    }


def whole(scope, user):
    """Return the stages as the page shows them in the end, the one that it asks for apart included."""
    first, *others = home.stages(scope, home.read(scope), user)
    return [home.data_stage(scope, user) if first.apart else first, *others]


def account(role, *issuers):
    create_groups()
    user = User.objects.create(username=role, is_staff=True)
    user.groups.set(user.groups.model.objects.filter(name=role))
    user.issuers.set(issuers)
    return user


def test_a_tariff_not_adopted_then_a_year_not_computed_come_first(world, chief):
    later = Scope(world.issuer, YEAR + 1)
    assert told(later, chief)["Données"][0] == f"Tarif {world.schedule.code} à adopter"
    now = told(Scope(world.issuer, YEAR), chief)
    assert now["Appels"] == [f"{world.schedule.name} : à calculer"]


def test_what_is_to_begin_leads_to_its_form_who_may_fill_it_in_and_others_to_the_list(
    world, chief, client
):
    later = Scope(world.issuer, YEAR + 1)
    asked = {"schedule": str(world.schedule.pk), "school_year": "2025-2026"}
    [first, *_] = whole(later, chief)[0].tasks
    assert first.link.startswith(f"{reverse('admin:tariffs_adoption_add')}?")
    client.force_login(chief)
    form = client.get(first.link).context["adminform"].form
    assert {name: form.get_initial_for_field(form.fields[name], name) for name in asked} == asked

    form = f"{reverse('admin:invoicing_campaign_add')}?"
    for role, may in (("gestionnaire", True), ("finances", True), ("lecture", False)):
        user = account(role, world.issuer)
        client.force_login(user)
        links = [
            task.link
            for scope in (later, Scope(world.issuer, YEAR))
            for stage in whole(scope, user)
            for task in stage.tasks
        ]
        assert any(link.startswith(form) for link in links) == may, role
        for link in links:
            assert client.get(link).status_code == 200, link


def test_what_is_computed_is_to_issue_and_what_is_blocked_says_so(world, scope, chief):
    EnrolmentFactory(convention__schedule=world.schedule, school__degree="lycee")
    world.compute()
    assert told(scope, chief)["Appels"] == ["3 appels à émettre", "1 appel bloqué"]


def test_what_is_issued_is_no_longer_to_issue_but_to_draw_to_sign_and_to_send(world, scope, chief):
    world.issue()
    found = told(scope, chief)
    assert found["Appels"] == []
    assert found["Titres"] == ["3 PDF à produire", "1 bordereau à signer"]


def test_only_the_last_run_of_a_campaign_counts(world, scope, chief):
    world.compute()
    world.compute()
    assert told(scope, chief)["Appels"] == ["3 appels à émettre"]


def test_agreements_are_told_by_the_step_they_wait_for(world, scope, chief):
    for status in (states.DRAFT, states.SENT, states.SENT, states.SIGNED):
        row = ConventionFactory(schedule=world.schedule)
        Convention.objects.filter(pk=row.pk).update(status=status)
    assert told(scope, chief)["Conventions"] == [
        "1 convention à envoyer",
        "2 conventions à signer",
        "1 convention à mettre en vigueur",
    ]


def test_the_figures_of_the_year_add_up(world, scope):
    world.issue()
    titre = Titre.objects.order_by("number").last()
    PaymentFactory(titre=titre, amount=Decimal("10.00"))
    year = home.read(scope)
    assert (year.titres, year.called) == (3, Decimal("270.00"))
    assert (year.received, year.remaining) == (Decimal("10.00"), Decimal("260.00"))
    assert not year.overpaid


def test_what_is_paid_beyond_a_titre_lessens_no_other(world, scope, chief, client):
    world.issue()
    last = Titre.objects.order_by("number").last()
    PaymentFactory(titre=last, amount=last.total + 10)
    year = home.read(scope)
    assert year.remaining == Decimal("270.00") - last.total
    assert (year.received, year.overpaid) == (last.total + 10, 10)
    client.force_login(chief)
    shown = client.get(address_of("admin:index", scope)).content.decode()
    assert "dont 10,00 € de trop-perçu" in shown.replace("\xa0", " ")


def test_a_year_without_titre_is_worth_nothing(scope):
    year = home.read(scope)
    assert (year.titres, year.called, year.received, year.remaining) == (0, 0, 0, 0)


def test_a_receipt_that_nothing_ties_to_a_titre_waits(world, scope, chief):
    PendingReceipt.objects.create(
        issuer=world.issuer, received_on="2025-04-01", amount=Decimal(45), reference="X"
    )
    assert "1 encaissement à attribuer" in told(scope, chief)["Recouvrement"]


def test_every_line_opens_the_rows_that_it_counts(world, scope, chief, client):
    ConventionFactory(schedule=world.schedule, status="projet")
    EnrolmentFactory(convention__schedule=world.schedule, school__degree="lycee")
    world.issue()
    client.force_login(chief)
    stages = whole(scope, chief)
    links = [stage.link for stage in stages] + [t.link for s in stages for t in s.tasks]
    assert len(links) > len(stages) + 3
    for link in links:
        assert client.get(link).status_code == 200, link


@pytest.mark.parametrize("role", ROLES)
def test_the_page_stays_light_and_shows_an_account_its_own_issuers_only(world, client, role):
    IssuerFactory(code="AUTRE", name="Un autre émetteur")
    world.issue()
    client.force_login(account(role, world.issuer))
    client.get(reverse("admin:index"))
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(reverse("admin:index"))
    assert answer.status_code == 200
    assert len(queries) <= MOST_QUERIES
    page = answer.content.decode()
    assert "Un autre émetteur" not in page
    assert re.search(r"<title>\s*Accueil", page)
    assert client.get(f"{reverse('admin:index')}?emetteur=AUTRE").status_code == 404


def test_the_count_of_the_data_comes_once_the_page_is_open(world, scope, client):
    client.force_login(account("gestionnaire", world.issuer))
    first = client.get(address_of("admin:index", scope)).context["stages"][0]
    assert (first.title, first.tasks) == ("Données", ())
    with CaptureQueriesContext(connection) as queries:
        part = client.get(first.apart, headers={"HX-Request": "true"})
    assert len(queries) <= MOST_QUERIES
    assert "données à vérifier" in part.content.decode().replace("\xa0", " ")
    assert "<html" not in part.content.decode()


def test_without_script_the_count_of_the_data_is_their_page(world, scope, chief, client):
    client.force_login(chief)
    [data, *_] = home.stages(scope, home.read(scope), chief)
    assert client.get(data.apart).url == data.link


def test_the_count_of_the_data_is_refused_to_who_may_not_see_them(world, scope, client):
    address = address_of("collection:home-data", scope)
    client.force_login(User.objects.create(username="sans-role", is_staff=True))
    assert client.get(address).status_code == 403
    stranger = account("gestionnaire", IssuerFactory(code="AUTRE"))
    client.force_login(stranger)
    assert client.get(address).status_code == 404
    stranger.issuers.clear()
    assert client.get(reverse("collection:home-data")).status_code == 404


def test_the_page_opens_on_the_last_year_that_has_a_tariff(world, client, chief):
    client.force_login(chief)
    answer = client.get(f"{reverse('admin:index')}?emetteur={world.issuer.code}")
    assert answer.context["scope"].year == YEAR


def test_an_account_without_issuer_is_told_what_to_ask(client):
    client.force_login(account("lecture"))
    assert client.get(reverse("admin:index")).status_code == 200


@pytest.fixture
def search(client, chief):
    client.force_login(chief)
    return lambda words: client.get(reverse("collection:search"), {"q": words})


def test_a_titre_number_opens_its_page(world, search):
    world.issue()
    titre = Titre.objects.order_by("number").first()
    answer = search(titre.reference)
    assert (answer.status_code, answer.url) == (
        302,
        reverse("admin:invoicing_titre_change", args=[titre.pk]),
    )


def test_a_siret_typed_in_groups_finds_what_bears_it(world, search):
    siret = world.members[0].siret
    groups = search(f"{siret[:3]} {siret[3:6]} {siret[6:9]} {siret[9:]}").context["groups"]
    assert [hit.title for group in groups for hit in group.hits if group.title == "Membres"] == [
        str(world.members[0])
    ]


def test_a_uai_finds_its_school_and_its_agreement(world, search):
    uai = School.objects.order_by("pk").first().uai
    titles = {group.title for group in search(uai.lower()).context["groups"]}
    assert {"Écoles", "Conventions"} <= titles


def test_a_search_shows_nothing_of_another_issuer(world, client):
    world.issue()
    reference = Titre.objects.order_by("number").first().reference
    client.force_login(account("lecture", IssuerFactory(code="AUTRE")))
    answer = client.get(reverse("collection:search"), {"q": reference})
    assert answer.context["groups"] == []


@pytest.mark.parametrize("words", ["", "a", "%", "\x00zz", "x" * 500, "''"])
def test_whatever_is_typed_gets_an_answer(world, search, words):
    assert search(words).status_code == 200


def test_a_search_asks_the_database_once_or_twice_for_each_kind(world, search):
    world.issue()
    search("ecole")
    with CaptureQueriesContext(connection) as queries:
        assert search("commune").status_code in (200, 302)
    assert len(queries) <= MOST_QUERIES


def test_the_search_of_the_menu_finds_rows_too(world, client, chief):
    client.force_login(chief)
    uai = School.objects.order_by("pk").first().uai
    answer = client.get(reverse("admin:search"), {"s": uai, "extended": 1})
    assert uai in answer.content.decode()
