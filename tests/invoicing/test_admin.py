"""Staff pages: every URL with every role, the journey from campaign to titre, constant queries."""

import copy
import datetime as dt

import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import reverse

from invoicing.calculation import compute_run
from invoicing.models import Bordereau, Campaign, Run, Titre
from members.models import Signatory, User
from tests.factories import ConventionFactory, EnrolmentFactory, IssuerFactory, MemberFactory

pytestmark = pytest.mark.django_db

REGISTERED = sorted(admin.site._registry, key=lambda model: model._meta.label)
ISSUED = ["run", "call", "titre", "bordereau", "counter"]


@pytest.fixture
def occ(kept_occ, db):
    return copy.deepcopy(kept_occ)


def enrol(schedule, count):
    for _ in range(count):
        EnrolmentFactory(convention=ConventionFactory(schedule=schedule))


def account(role, *, issuers=()):
    user = User.objects.create(username=role, is_staff=True, is_superuser=role == "admin")
    if role in ("gestionnaire", "finances", "lecture"):
        user.groups.set(user.groups.model.objects.filter(name=role))
    user.issuers.set(issuers)
    return user


@pytest.fixture
def run(occ):
    return compute_run(schedule=occ, year=2024, actor="test")


@pytest.fixture
def issued(client, occ, run, blank_pdf):
    return issue_from_its_page(client, occ, run)


def issue_from_its_page(client, occ, run):
    client.force_login(account("chef", issuers=[occ.issuer]))
    User.objects.filter(username="chef").update(is_superuser=True)
    client.post(
        reverse("admin:invoicing_run_issue_titres", args=[run.pk]),
        {"on": "03/03/2025", "signatory": Signatory.objects.get(issuer__code="OCC").pk},
    )
    return Bordereau.objects.get()


def list_url(model):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def test_every_list_opens_and_searches_for_the_administrator(client, issued):
    client.force_login(account("admin"))
    for model in REGISTERED:
        assert client.get(list_url(model)).status_code == 200, model
        assert client.get(list_url(model), {"q": "Évreux"}).status_code == 200, model


@pytest.mark.parametrize("role", ["gestionnaire", "finances", "lecture"])
def test_a_role_opens_exactly_what_it_may_view(client, rf, occ, role):
    user = account(role, issuers=[occ.issuer])
    client.force_login(user)
    request = rf.get("/")
    request.user = user
    for model in REGISTERED:
        may_view = admin.site.get_model_admin(model).has_view_permission(request)
        assert client.get(list_url(model)).status_code == (200 if may_view else 403), model


def test_nobody_opens_anything_without_signing_in(client):
    for model in REGISTERED:
        response = client.get(list_url(model))
        assert response.status_code == 302
        assert response.url.startswith(reverse("admin:login"))


@pytest.mark.parametrize(
    ("role", "allowed"),
    [("gestionnaire", {"compute"}), ("finances", {"compute", "issue"}), ("lecture", set())],
)
def test_roles_part_computing_from_issuing(client, occ, run, role, allowed):
    client.force_login(account(role, issuers=[occ.issuer]))
    compute = client.get(reverse("admin:invoicing_campaign_compute", args=[run.campaign_id]))
    issue = client.get(reverse("admin:invoicing_run_issue_titres", args=[run.pk]))
    expected = [200 if name in allowed else 403 for name in ("compute", "issue")]
    assert [compute.status_code, issue.status_code] == expected


def test_an_account_sees_nothing_of_another_issuer(client, issued):
    client.force_login(account("finances", issuers=[IssuerFactory(code="AUTRE")]))
    titre = Titre.objects.first()
    for name in ISSUED:
        response = client.get(reverse(f"admin:invoicing_{name}_changelist"))
        assert response.context["cl"].result_count == 0
    page = client.get(reverse("admin:invoicing_titre_change", args=[titre.pk]))
    assert page.status_code == 302
    download = client.get(reverse("admin:invoicing_titre_download_pdf", args=[titre.pk]))
    assert download.status_code == 404
    export = client.get(reverse("admin:invoicing_run_export_call", args=[issued.run_id]))
    assert export.status_code == 404


def test_an_account_chooses_only_among_its_issuers(client, occ):
    client.force_login(account("gestionnaire", issuers=[IssuerFactory(code="AUTRE")]))
    page = client.get(reverse("admin:conventions_convention_add"))
    assert list(page.context["adminform"].form.fields["schedule"].queryset) == []


def test_computing_happens_on_post_only(client, occ, run):
    client.force_login(account("gestionnaire", issuers=[occ.issuer]))
    url = reverse("admin:invoicing_campaign_compute", args=[run.campaign_id])
    assert client.get(url).status_code == 200
    assert Run.objects.count() == 1
    response = client.post(url)
    latest = Run.objects.get(number=2)
    assert response.url == reverse("collection:review", args=[latest.pk])
    assert latest.computed_by == "gestionnaire"


def test_computing_a_year_without_adoption_says_so(client, occ, run):
    campaign = run.campaign
    campaign.school_year = 2022
    campaign.save()
    client.force_login(account("gestionnaire", issuers=[occ.issuer]))
    url = reverse("admin:invoicing_campaign_compute", args=[campaign.pk])
    page = client.post(url, follow=True)
    assert "Aucun tarif OCC-ENT-ECOLE n" in page.content.decode()
    assert Run.objects.count() == 1


def test_issuing_numbers_the_titres_and_draws_their_pdf(client, occ, run):
    issue_from_its_page(client, occ, run)
    titres = list(Titre.objects.order_by("number"))
    assert [titre.number for titre in titres] == [1, 2, 3]
    url = reverse("admin:invoicing_titre_download_pdf", args=[titres[0].pk])
    response = client.get(url)
    assert response.content.startswith(b"%PDF-1.7")
    assert response["Content-Disposition"] == 'attachment; filename="OCC-2025-000001.pdf"'


def test_issuing_twice_from_the_page_issues_nothing_more(client, issued):
    url = reverse("admin:invoicing_run_issue_titres", args=[issued.run_id])
    data = {"on": "03/03/2025", "signatory": Signatory.objects.get(issuer__code="OCC").pk}
    page = client.post(url, data, follow=True)
    assert "Aucun titre à émettre" in page.content.decode()
    assert Titre.objects.count() == 3


def test_a_refused_issue_keeps_the_form_and_names_the_field_to_fill(client, occ, run):
    occ.programme = ""
    occ.save()
    client.force_login(account("finances", issuers=[occ.issuer]))
    url = reverse("admin:invoicing_run_issue_titres", args=[run.pk])
    page = client.post(
        url, {"on": "03/03/2025", "signatory": Signatory.objects.get(issuer__code="OCC").pk}
    )
    assert page.status_code == 200
    assert "Barème : programme ou fonds de concours" in page.content.decode()
    assert not Titre.objects.exists()


def test_only_the_number_of_the_accountant_can_be_written_on_a_titre(client, issued):
    titre = Titre.objects.get(number=1)
    url = reverse("admin:invoicing_titre_change", args=[titre.pk])
    page = client.get(url)
    assert set(page.context["adminform"].form.fields) == {"external_reference"}
    inlines = {
        f"{prefix}-{name}": 0
        for prefix in (
            "lines",
            "corrections",
            "mandat_requests",
            "documents",
            "events",
            "payments",
        )  # fmt: skip
        for name in ("TOTAL_FORMS", "INITIAL_FORMS")
    }
    client.post(url, {"external_reference": "PERC-42", **inlines})
    titre.refresh_from_db()
    assert titre.external_reference == "PERC-42"


def test_the_yearly_call_is_downloaded_as_a_workbook(client, issued):
    response = client.get(reverse("admin:invoicing_run_export_call", args=[issued.run_id]))
    assert response.content.startswith(b"PK")
    assert "appel-OCC-ENT-ECOLE-2024-2025.xlsx" in response["Content-Disposition"]


@pytest.mark.parametrize("name", ["campaign", "run", "call", "titre", "bordereau"])
def test_a_list_makes_the_same_queries_whatever_its_length(
    client, occ, run, blank_pdf, name, django_assert_max_num_queries
):
    client.force_login(account("admin"))
    url = reverse(f"admin:invoicing_{name}_changelist")
    enrol(occ, 20)
    run = compute_run(schedule=occ, year=2024, actor="test")
    form = {"on": dt.date(2025, 3, 3), "signatory": Signatory.objects.get(issuer__code="OCC").pk}
    client.post(reverse("admin:invoicing_run_issue_titres", args=[run.pk]), form)
    with django_assert_max_num_queries(20):
        assert client.get(url).status_code == 200


def test_search_finds_an_accented_name_typed_without_accents(client):
    MemberFactory(name="Commune de Pézenas")
    client.force_login(account("admin"))
    page = client.get(reverse("admin:members_member_changelist"), {"q": "pezenas"})
    assert [member.name for member in page.context["cl"].result_list] == ["Commune de Pézenas"]


def test_every_page_of_the_menu_exists():
    from invoicing.navigation import MENU

    for _, entries in MENU:
        for _, _, label in entries:
            assert apps.get_model(label) in admin.site._registry


def test_a_campaign_created_by_hand_is_the_principal_one(client, occ):
    client.force_login(account("gestionnaire", issuers=[occ.issuer]))
    url = reverse("admin:invoicing_campaign_add")
    assert set(client.get(url).context["adminform"].form.fields) == {"schedule", "school_year"}
    client.post(url, {"schedule": occ.pk, "school_year": "2020-2021"})
    assert list(occ_campaigns(occ)) == [(2020, 1)]
    page = client.post(url, {"schedule": occ.pk, "school_year": "2020-2021"})
    assert "Cette campagne existe déjà." in page.content.decode()


def occ_campaigns(schedule):
    campaigns = Campaign.objects.filter(schedule=schedule).order_by("school_year")
    return campaigns.values_list("school_year", "rank")
