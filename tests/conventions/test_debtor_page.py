"""The page of proposed payers: what it lists, and confirming by ticks or by whole pages."""

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from entsvc.models import JournalEntry
from members.models import ConfirmedDebtor, Member
from tests.conventions.world import PER_SCHOOL, a_member, a_schedule, a_school, account, enrol
from tests.factories import IssuerFactory

pytestmark = pytest.mark.django_db

URL = "/admin/payeurs/?emetteur=TST&annee=2024-2025"


@pytest.fixture
def schedule():
    return a_schedule(PER_SCHOOL)


@pytest.fixture
def commune():
    return a_member(name="Saubens", siret="21310533100010", insee_code="31533")


@pytest.fixture
def staff(client, schedule, commune):
    account(client, "gestionnaire", schedule.issuer)
    return client


def shown(client, state=""):
    return client.get(f"{URL}&etat={state}").context["cards"]


def uais(client, state=""):
    return [card["row"].uai for card in shown(client, state)]


def tokens(client, state=""):
    return [card["row"].token for card in shown(client, state)]


def told(answer):
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_it_works(staff, commune):
    school = a_school()
    page = staff.get(URL)
    [card] = page.context["cards"]
    assert (card["row"].uai, card["payer"].name) == (school.uai, "Saubens")
    assert card["reason"] == "Commune de l'école"
    assert "Confirmer les écoles cochées" in page.content.decode()
    answer = staff.post(URL, {"quoi": "choix", "choix": [card["row"].token]})
    assert (answer.status_code, answer.url) == (302, URL)
    assert told(answer) == ["1\N{NO-BREAK SPACE}payeur confirmé."]
    kept = ConfirmedDebtor.objects.get()
    assert (kept.school, kept.member, kept.confirmed_by) == (school, commune, "gestionnaire")
    assert kept.reason == "Commune de l'école"
    assert JournalEntry.objects.filter(action="confirm-debtors").count() == 1


def test_a_school_in_force_in_an_agreement_of_the_year_is_not_listed(staff, schedule, commune):
    enrol(schedule, a_school(), party=commune)
    before = enrol(schedule, party=commune, first_year=2022, last_year=2023)
    draft = enrol(schedule, party=commune, status="projet")
    assert set(uais(staff)) == {before.uai, draft.uai}


def test_each_state_lists_its_rows_and_tells_how_many(staff, commune):
    other = a_member(name="Blagnac", siret="21310069600011", insee_code="31069")
    sure = a_school()
    elsewhere = a_school(siren_siret=other.siret)
    nobody = a_school(commune_code="31001")
    confirmed = a_school()
    ConfirmedDebtor.objects.create(
        school=confirmed, member=other, reason="Choisi", confirmed_by="camille"
    )
    assert set(uais(staff)) == {sure.uai, elsewhere.uai, nobody.uai}
    assert uais(staff, "propose") == [sure.uai]
    assert uais(staff, "commune-differente") == [elsewhere.uai]
    assert uais(staff, "a-choisir") == [nobody.uai]
    assert uais(staff, "confirme") == [confirmed.uai]
    page = staff.get(f"{URL}&etat=confirme")
    assert [(code, number) for code, _, number, _ in page.context["tabs"]] == [
        ("", 3),
        ("propose", 1),
        ("commune-differente", 1),
        ("a-choisir", 1),
        ("confirme", 1),
    ]
    assert "Confirmé par camille" in page.content.decode()


def test_an_unknown_state_is_not_found(staff):
    assert staff.get(f"{URL}&etat=rien").status_code == 404


def test_a_whole_page_confirms_the_sure_proposals_without_any_tick(staff):
    schools = [a_school() for _ in range(3)]
    other = a_member(name="Blagnac", siret="21310069600011", insee_code="31069")
    elsewhere = a_school(siren_siret=other.siret)
    text = staff.get(URL).content.decode()
    sure = [row.split('"')[0] for row in text.split('name="montre" value="')[1:]]
    assert len(sure) == 3
    answer = staff.post(URL, {"quoi": "page", "montre": sure})
    assert told(answer) == ["3\N{NO-BREAK SPACE}payeurs confirmés."]
    assert {row.school for row in ConfirmedDebtor.objects.order_by("pk")} == set(schools)
    assert uais(staff) == [elsewhere.uai]


def test_a_commune_that_differs_is_confirmed_by_its_own_tick(staff):
    other = a_member(name="Blagnac", siret="21310069600011", insee_code="31069")
    a_school(siren_siret=other.siret)
    staff.post(URL, {"quoi": "choix", "choix": tokens(staff)})
    assert ConfirmedDebtor.objects.get().member == other


def test_nothing_ticked_says_what_to_do(staff):
    a_school()
    assert told(staff.post(URL, {"quoi": "choix"})) == [
        "Cochez au moins une école, ou confirmez toute la page."
    ]


def test_confirming_twice_keeps_the_first_and_says_so(staff):
    school = a_school()
    [token] = tokens(staff)
    staff.post(URL, {"quoi": "choix", "choix": [token, token]})
    answer = staff.post(URL, {"quoi": "choix", "choix": [token]})
    assert told(answer)[-1] == f"{school.uai} : son payeur est déjà confirmé."
    assert ConfirmedDebtor.objects.count() == 1
    assert JournalEntry.objects.filter(action="confirm-debtors").count() == 1


def test_a_proposal_that_changed_since_is_refused(staff, commune):
    school = a_school()
    [token] = tokens(staff)
    new = a_member(name="Commune nouvelle", insee_code="31002")
    Member.objects.filter(pk=commune.pk).update(successor=new)
    answer = staff.post(URL, {"quoi": "choix", "choix": [token]})
    assert told(answer) == [f"{school.uai} : la proposition a changé depuis l'affichage, relisez-la."]
    assert not ConfirmedDebtor.objects.exists()


@pytest.mark.parametrize("forged", ["0310891A-1", "n'importe quoi", "-", ""])
def test_a_school_that_the_page_does_not_list_is_refused(staff, forged):
    answer = staff.post(URL, {"quoi": "choix", "choix": [forged]})
    assert "n'est plus du ressort" in told(answer)[0]
    assert not ConfirmedDebtor.objects.exists()


def test_another_payer_than_the_one_proposed_is_refused(staff):
    school, other = a_school(), a_member()
    staff.post(URL, {"quoi": "choix", "choix": [f"{school.uai}-{other.pk}"]})
    assert not ConfirmedDebtor.objects.exists()


def test_a_payer_without_siret_has_no_box_and_is_sent_to_its_page(staff, commune):
    Member.objects.filter(pk=commune.pk).update(siret=None)
    a_school()
    text = staff.get(URL).content.decode()
    assert "sans SIRET : complétez sa fiche" in text
    assert reverse("admin:members_member_change", args=[commune.pk]) in text
    assert 'name="choix"' not in text


def test_another_payer_is_chosen_in_a_form_already_filled(staff):
    school = a_school()
    [card] = shown(staff)
    form = staff.get(card["other"]).context["adminform"].form
    assert form.get_initial_for_field(form.fields["school"], "school") == str(school.pk)
    assert form.get_initial_for_field(form.fields["reason"], "reason") == "Choisi à la main"


def test_what_is_confirmed_is_changed_in_its_own_page(staff, commune):
    school = a_school()
    kept = ConfirmedDebtor.objects.create(school=school, member=commune, reason="x", confirmed_by="y")
    [card] = shown(staff, "confirme")
    assert card["other"] == reverse("admin:members_confirmeddebtor_change", args=[kept.pk])


# Who may.


def test_reading_offers_nothing_to_confirm(client, schedule, commune):
    account(client, "lecture", schedule.issuer)
    a_school()
    text = client.get(URL).content.decode()
    assert "Saubens" in text
    assert 'name="choix"' not in text
    assert "Confirmer" not in text


@pytest.mark.parametrize("role", ["lecture", "finances"])
def test_another_role_confirms_nothing(client, schedule, commune, role):
    account(client, role, schedule.issuer)
    school = a_school()
    answer = client.post(URL, {"quoi": "choix", "choix": [f"{school.uai}-{commune.pk}"]})
    assert answer.status_code == 403
    assert not ConfirmedDebtor.objects.exists()


def test_the_territory_of_another_issuer_is_not_found(client, schedule):
    account(client, "gestionnaire", IssuerFactory(code="AUTRE"))
    assert client.get(URL).status_code == 404
    assert client.post(URL, {"quoi": "choix"}).status_code == 404


def test_an_account_without_issuer_confirms_nothing(client, db):
    account(client, "gestionnaire")
    assert "demandez à un administrateur" in client.get("/admin/payeurs/").content.decode()
    assert client.post("/admin/payeurs/", {"quoi": "choix"}).status_code == 404


def test_nobody_sees_it_without_signing_in(client, db):
    assert client.get(URL).status_code == 302


# Many.


def test_a_hundred_rows_make_a_page(staff):
    for _ in range(101):
        a_school()
    first = staff.get(URL)
    assert len(first.context["cards"]) == 100
    assert (first.context["earlier"], "page=2" in first.context["later"]) == ("", True)
    last = staff.get(first.context["later"])
    assert len(last.context["cards"]) == 1
    assert last.context["later"] == ""
    assert "Page 2 sur 2" in last.content.decode()


def test_the_page_makes_the_same_queries_whatever_the_number_of_schools(
    staff, commune, django_assert_max_num_queries
):
    for _ in range(60):
        a_school()
    for _ in range(10):
        ConfirmedDebtor.objects.create(school=a_school(), member=commune, reason="x", confirmed_by="y")
    for state in ("", "confirme"):
        with django_assert_max_num_queries(13):
            assert staff.get(f"{URL}&etat={state}").status_code == 200
