"""Who pays under an agreement: its signatory unless another; no one is asked where it bills nothing."""

import pytest
from django.urls import reverse

from conventions import states
from conventions.models import Convention
from conventions.policies import CHARTER, FRAMEWORK, PARTNERSHIP_2024
from conventions.readiness import FINDINGS, counts
from members.models import Member
from tests.conventions.take_over import HEADER, conventions
from tests.conventions.world import account, scope_of
from tests.factories import (
    ConventionFactory,
    IssuerFactory,
    MemberFactory,
    ScheduleFactory,
    SchoolFactory,
    valid_siret,
)
from tests.members.files import run

pytestmark = pytest.mark.django_db

ADD = "/admin/conventions/convention/add/"
TAKE_OVER = "/admin/conventions/convention/reprise/"
INLINES = {
    f"{name}-{field}": "0"
    for name in ("enrolments", "subscriptions", "units", "transitions")
    for field in ("TOTAL_FORMS", "INITIAL_FORMS")
}


@pytest.fixture
def schedules():
    return [ScheduleFactory(code=code) for code in ("SOMME-1D", "SOMME-COLLEGES")]


@pytest.fixture
def manager(client, schedules):
    account(client, "gestionnaire", schedules[0].issuer)
    return client


def inspection():
    """A signatory that pays nothing, and has no SIRET."""
    return Member.objects.create(kind=Member.Kind.AUTRE, name="Inspection académique d'essai")


def a_form(party, policy=FRAMEWORK, **more):
    return {
        "policy": policy.code, "reference": "CADRE", "party": party.pk, "first_year": "2024-2025",
        "amendments_before": "0", **INLINES, **more,
    }  # fmt: skip


def errors(response):
    form = response.context.get("adminform") or response.context
    return (form.form if hasattr(form, "form") else form["form"]).errors


def test_the_framework_is_entered_without_payer_nor_tariff(manager, schedules):
    party = inspection()
    response = manager.post(ADD, a_form(party))
    assert response.status_code == 302, errors(response)
    framework = Convention.objects.get()
    assert (framework.party, framework.debtor, framework.schedule) == (party, party, schedules[0])


def test_the_framework_signed_on_paper_is_taken_over_without_them_too(manager, schedules):
    party = inspection()
    facts = {"signed_on": "17/05/2010", "last_year": "2026-2027", "comment": "Classeur."}
    response = manager.post(TAKE_OVER, a_form(party, **facts))
    assert response.status_code == 302, errors(response)
    framework = Convention.objects.get()
    assert (framework.status, framework.debtor, framework.schedule) == (
        states.IN_FORCE, party, schedules[0],
    )  # fmt: skip


def test_the_page_of_the_framework_is_saved_as_it_shows(manager, schedules):
    party = inspection()
    framework = ConventionFactory(
        policy=FRAMEWORK.code, party=party, schedule=schedules[1], status=states.DRAFT, reference="CADRE"
    )
    page = reverse("admin:conventions_convention_change", args=[framework.pk])
    form = manager.get(page).context["adminform"].form
    assert not form.initial["debtor"]
    response = manager.post(page, a_form(party, schedule=form.initial["schedule"]))
    assert response.status_code == 302, errors(response)
    framework.refresh_from_db()
    assert (framework.debtor, framework.schedule) == (party, schedules[1])


def test_an_agreement_that_is_called_says_its_tariff_and_who_pays(manager, schedules):
    shown = errors(manager.post(ADD, a_form(inspection(), CHARTER)))
    assert shown["schedule"] == ["Choisissez le barème : ce texte est facturé."]
    assert "n'a pas de SIRET : choisissez qui paie" in shown["debtor"][0]
    assert not Convention.objects.exists()


def test_the_framework_that_becomes_an_agreement_to_pay_asks_for_its_payer(manager, schedules):
    party = inspection()
    framework = ConventionFactory(
        policy=FRAMEWORK.code, party=party, schedule=schedules[0], status=states.DRAFT
    )
    page = reverse("admin:conventions_convention_change", args=[framework.pk])
    shown = errors(manager.post(page, a_form(party, CHARTER, schedule=schedules[0].pk)))
    assert set(shown) == {"debtor"}


def test_the_signatory_pays_where_no_other_is_named(manager, schedules):
    party = MemberFactory()
    facts = {"schedule": schedules[0].pk, "last_year": "2024-2025"}
    assert manager.post(ADD, a_form(party, PARTNERSHIP_2024, **facts)).status_code == 302
    assert Convention.objects.get().debtor == party


def test_who_follows_several_issuers_says_whose_the_framework_is(client, schedules):
    other = ScheduleFactory(issuer=IssuerFactory(code="AUT"))
    account(client, "gestionnaire", schedules[0].issuer, other.issuer)
    shown = errors(client.post(ADD, a_form(inspection())))
    assert "plusieurs émetteurs" in shown["schedule"][0]


def test_the_form_says_which_members_it_lists_and_where_to_add_one(manager):
    for page in (ADD, TAKE_OVER):
        shown = manager.get(page).content.decode().replace("&#x27;", "'")
        assert "Seuls les membres qui ont un SIRET sont proposés" in shown
        assert "Enregistrez-le d'abord dans « Membres »." in shown


def test_the_data_of_the_framework_is_not_asked_to_be_billable(schedules):
    ConventionFactory(policy=FRAMEWORK.code, party=inspection(), schedule=schedules[0])
    found = counts(scope_of(schedules[0]))
    parties = [code for code, finding in FINDINGS.items() if finding.base.__name__ == "parties"]
    assert {code: found[code] for code in parties} == dict.fromkeys(parties, 0)


# --- Files ------------------------------------------------------------------------------------

ROW = f"{valid_siret(1)};;CADRE;17/05/2010;2024-2025;;;0310891A;;;;cadre-somme-2010"
WITH_TEXT = f"{HEADER};texte"


@pytest.fixture
def known():
    MemberFactory(siret=valid_siret(1))
    SchoolFactory(uai="0310891A")


def test_a_file_gives_the_framework_without_tariff(tmp_path, schedules, known):
    path = conventions(tmp_path, ROW, header=WITH_TEXT)
    assert run("import_conventions", path).counts == (1, 1, 0, 0, 0, 0)
    assert Convention.objects.get().schedule == schedules[0]
    Convention.objects.update(schedule=schedules[1])
    assert run("import_conventions", path).counts == (1, 0, 0, 1, 0, 0)


def test_a_file_for_several_issuers_says_whose_the_framework_is(tmp_path, schedules, known):
    ScheduleFactory(issuer=IssuerFactory(code="AUT"))
    outcome = run("import_conventions", conventions(tmp_path, ROW, header=WITH_TEXT))
    assert outcome.refused == [(2, "bareme", "")]
    assert "plusieurs émetteurs" in outcome.report["refused"][0]["message"]


def test_a_file_names_the_tariff_of_what_is_called(tmp_path, schedules, known):
    row = ROW.replace("cadre-somme-2010", "charte-somme-2014")
    outcome = run("import_conventions", conventions(tmp_path, row, header=WITH_TEXT))
    assert outcome.refused == [(2, "bareme", "")]
    assert "Barème inconnu" in outcome.report["refused"][0]["message"]
