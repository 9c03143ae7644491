"""The data-quality page: each number leads to its rows, for the issuers of the account only."""

import pytest
from django.urls import reverse

from conventions.models import Convention
from conventions.readiness import FINDINGS, counts
from entsvc import school_year
from members.models import School
from tests.conventions.world import (
    PER_PUPIL,
    YEAR,
    a_member,
    a_schedule,
    a_school,
    account,
    enrol,
    scope_of,
)
from tests.factories import ConventionFactory, HeadcountFactory, IssuerFactory

pytestmark = pytest.mark.django_db

URL = "/admin/qualite/"
ASKED = {"emetteur": "TST", "annee": "2024-2025"}


@pytest.fixture
def schedule():
    return a_schedule(PER_PUPIL)


@pytest.fixture
def reader(client, schedule):
    account(client, "lecture", schedule.issuer)
    return client


def lines(page):
    return {line.finding.code: line for _, group in page.context["groups"] for line in group}


def rows(client, link):
    return list(client.get(link).context["cl"].result_list)


def test_it_works(reader, schedule):
    school = enrol(schedule)
    page = reader.get(URL, ASKED)
    line = lines(page)["sans-effectif"]
    assert line.number == 1
    assert rows(reader, line.link) == [school]
    assert "Écoles inscrites sans effectif" in page.content.decode()


def test_every_number_is_that_of_the_list_it_leads_to(reader, schedule):
    HeadcountFactory(school=enrol(schedule), school_year=2023, pupils=10)
    enrol(schedule, a_school(name="", state="A FERMER"), party=a_member(email="", city=""))
    ConventionFactory(schedule=schedule, status=Convention.Status.DRAFT, first_year=2020)
    enrol(schedule, first_year=2020, last_year=2020)
    a_school()
    found = lines(reader.get(URL, ASKED))
    assert found.keys() == FINDINGS.keys()
    assert sum(1 for line in found.values() if line.number) >= 8
    for code, line in found.items():
        if code != "sans-payeur":
            assert len(rows(reader, line.link)) == line.number, code


def test_schools_without_payer_lead_to_the_page_that_proposes_one(reader, schedule):
    school = a_school()
    link = lines(reader.get(URL, ASKED))["sans-payeur"].link
    assert link.startswith(reverse("conventions:debtors"))
    assert [card["row"].uai for card in reader.get(link).context["cards"]] == [school.uai]


def test_the_list_says_which_finding_it_shows_and_how_to_mend_it(reader, schedule):
    enrol(schedule)
    link = lines(reader.get(URL, ASKED))["sans-effectif"].link
    page = reader.get(link)
    text = page.content.decode()
    assert "Écoles inscrites sans effectif (TST 2024-2025)" in text
    assert "Importez le constat de rentrée" in text
    assert f'href="{URL}?emetteur=TST&amp;annee=2024-2025"' in text
    spec = page.context["cl"].filter_specs[0]
    assert [choice["selected"] for choice in spec.choices(page.context["cl"])] == [False, True]


def test_an_ordinary_list_shows_no_finding(reader):
    page = reader.get(reverse("admin:members_school_changelist"))
    assert "constat de qualité" not in page.content.decode()


def test_the_first_issuer_and_the_year_of_today_are_shown_by_default(reader, monkeypatch):
    page = reader.get(URL)
    assert page.context["scope"].issuer.code == "TST"
    monkeypatch.setattr(
        "conventions.scoped_pages.timezone.localdate", lambda: school_year.first_day(2031)
    )
    assert reader.get(URL).context["scope"].year == 2031


@pytest.mark.parametrize(
    "asked",
    [
        {"emetteur": "AUTRE"},
        {"emetteur": "RIEN"},
        {"annee": "2024"},
        {"annee": "2024-2026"},
    ],
)
def test_what_is_unknown_or_of_another_issuer_is_not_found(reader, asked):
    IssuerFactory(code="AUTRE")
    assert reader.get(URL, asked).status_code == 404


@pytest.mark.parametrize(
    "value",
    [
        "AUTRE.2024.sans-effectif",
        "RIEN.2024.sans-effectif",
        "TST.2024.rien",
        "TST.x.sans-effectif",
        "TST.0000.sans-effectif",
        "TST.1999.sans-effectif",
        "TST.2100.sans-effectif",
        "TST.9999.variation",
        "TST.2024.sans-siret",
        "TST",
        "",
    ],
)
def test_a_list_opens_unfiltered_for_a_finding_that_is_not_the_accounts(reader, schedule, value):
    other = a_schedule(PER_PUPIL, issuer=IssuerFactory(code="AUTRE", departements="31"))
    enrol(other)
    url = reverse("admin:members_school_changelist")
    answer = reader.get(url, {"constat": value})
    assert (answer.status_code, answer.url) == (302, f"{url}?e=1")


def test_an_account_sees_the_rows_of_its_issuers_only(reader, schedule):
    other = a_schedule(PER_PUPIL, issuer=IssuerFactory(code="AUTRE", departements="31"))
    enrol(other)
    page = reader.get(URL, ASKED)
    assert lines(page)["sans-effectif"].number == 0
    assert [issuer.code for issuer in page.context["issuers"]] == ["TST"]


def test_an_account_without_issuer_is_told_whom_to_ask(client, db):
    account(client, "lecture")
    assert "demandez à un administrateur" in client.get(URL).content.decode()


def test_an_issuer_without_territory_is_sent_to_its_page(reader, schedule):
    type(schedule.issuer).objects.update(departements="")
    text = reader.get(URL, ASKED).content.decode()
    assert reverse("admin:members_issuer_change", args=[schedule.issuer.pk]) in text
    assert "ne sont pas renseignés" in text


def test_without_territory_its_numbers_are_unknown_rather_than_zero(reader, schedule):
    a_school()
    type(schedule.issuer).objects.update(departements="")
    page = reader.get(URL, ASKED)
    unknown = {code for code, line in lines(page).items() if line.number is None}
    assert unknown == {"sans-payeur", "communes-sans-convention"}
    text = page.content.decode()
    assert text.count("inconnu, sans départements du ressort") == 2
    assert text.count(">rien<") == len(FINDINGS) - 2


def test_without_territory_no_payer_is_counted(reader, schedule):
    a_school()
    type(schedule.issuer).objects.update(departements="")
    text = reader.get(reverse("conventions:debtors"), ASKED).content.decode()
    assert "ne sont pas renseignés" in text
    assert "(0)" not in text
    assert "Aucune école ici" not in text


def test_a_year_without_tariff_says_so_instead_of_ready(reader, schedule):
    text = reader.get(URL, {"annee": "2030-2031"}).content.decode()
    assert f"Aucun tarif adopté pour cette année : {schedule.code}" in text
    assert "empêche de calculer" not in text
    assert "empêche de calculer" in reader.get(URL, ASKED).content.decode()


def test_nobody_sees_it_without_signing_in(client, db):
    answer = client.get(URL)
    assert answer.status_code == 302
    assert answer.url.startswith(reverse("admin:login"))


def test_a_role_that_may_not_read_agreements_is_refused(client, schedule):
    user = account(client, "lecture", schedule.issuer)
    user.groups.clear()
    assert client.get(URL).status_code == 403


def test_the_page_makes_the_same_queries_whatever_the_number_of_schools(
    reader, schedule, django_assert_max_num_queries
):
    for _ in range(20):
        enrol(schedule)
    School.objects.bulk_create(
        School(uai=f"031{n:04d}Z", departement_code="31", sector="public", degree="premier")
        for n in range(1000, 1100)
    )
    with django_assert_max_num_queries(16):
        assert reader.get(URL, ASKED).status_code == 200
    assert counts(scope_of(schedule, YEAR))["sans-payeur"] == 100


def test_the_menu_leads_to_both_pages(reader):
    text = reader.get(URL).content.decode()
    assert f'href="{URL}"' in text
    assert 'href="/admin/payeurs/"' in text
