"""What an account limited to some issuers may see, choose and change on the staff pages."""

from html.parser import HTMLParser

import pytest
from django.urls import reverse

from conventions.models import Convention
from entsvc.models import DatedText, JournalEntry
from invoicing.calculation import compute_run
from invoicing.models import Exclusion, Titre
from members.models import Act, Signatory
from tariffs.models import Adoption
from tests.factories import (
    ActFactory,
    AdoptionFactory,
    ChargeFactory,
    ConventionFactory,
    DatedTextFactory,
    EnrolmentFactory,
    IssuerFactory,
    MemberFactory,
    ScheduleFactory,
    SchoolFactory,
    VersionFactory,
)
from tests.invoicing.test_admin import account, enrol, issued, occ, run  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture
def other():
    return ScheduleFactory(issuer=IssuerFactory(code="AUTRE"), code="AUTRE-1")


@pytest.fixture
def gestionnaire(client, occ):  # noqa: F811
    client.force_login(account("gestionnaire", issuers=[occ.issuer]))
    return client


@pytest.fixture
def finances(client, occ):  # noqa: F811
    client.force_login(account("finances", issuers=[occ.issuer]))
    return client


class Fields(HTMLParser):
    """What a browser would send of a page, all forms together."""

    def __init__(self):
        super().__init__()
        self.sent, self.select, self.area = {}, None, None

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        name, value = attrs.get("name"), attrs.get("value", "")
        if tag == "select":
            self.select = name
        elif tag == "option" and self.select and "selected" in attrs:
            self.sent[self.select] = value
        elif tag == "textarea":
            self.area = name
            self.sent[name] = ""
        elif tag == "input" and name and attrs.get("type") == "checkbox":
            if "checked" in attrs:
                self.sent[name] = value or "on"
        elif tag == "input" and name and attrs.get("type") not in ("submit", "button"):
            self.sent[name] = value

    def handle_endtag(self, tag):
        if tag == "textarea":
            self.area = None

    def handle_data(self, data):
        if self.area:
            self.sent[self.area] += data


def sent_back(page):
    """Return what a browser sends when a page is submitted unchanged."""
    fields = Fields()
    fields.feed(page.content.decode())
    return fields.sent


def change(model, row):
    return reverse(f"admin:{model}_change", args=[row.pk])


def facts(convention):
    row = Convention.objects.filter(pk=convention.pk).values().get()
    return row, list(convention.enrolments.order_by("pk").values())


def test_saving_a_convention_unchanged_keeps_all_of_it(gestionnaire, occ):  # noqa: F811
    party = MemberFactory()
    act = ActFactory(issuer=None, member=party)
    convention = ConventionFactory(schedule=occ, party=party, debtor=MemberFactory(), act=act)
    EnrolmentFactory.create_batch(2, convention=convention)
    before = facts(convention)
    url = change("conventions_convention", convention)
    response = gestionnaire.post(url, sent_back(gestionnaire.get(url)))
    assert response.status_code == 302
    assert facts(convention) == before
    assert before[0]["act_id"] == act.pk


def test_acts_are_those_of_the_account_and_of_members(gestionnaire, occ, other):  # noqa: F811
    theirs = ActFactory(issuer=other.issuer, authority="ailleurs")
    mine = ActFactory(issuer=occ.issuer, authority="ici")
    shared = ActFactory(issuer=None, member=MemberFactory(), authority="membre")
    rows = gestionnaire.get(reverse("admin:members_act_changelist")).context["cl"].queryset
    assert {mine, shared} <= set(rows)
    assert theirs not in rows
    assert gestionnaire.get(change("members_act", theirs)).status_code == 302
    found = gestionnaire.get(
        reverse("admin:autocomplete"),
        {"app_label": "conventions", "model_name": "convention", "field_name": "act", "term": "i"},
    ).json()["results"]
    assert str(mine.pk) in {row["id"] for row in found}
    assert str(theirs.pk) not in {row["id"] for row in found}


def test_an_act_that_adopted_a_tariff_no_longer_changes(gestionnaire, occ):  # noqa: F811
    adoption = AdoptionFactory(
        version=VersionFactory(schedule=occ, label="essai"),
        act=ActFactory(issuer=occ.issuer),
        school_year=2040,
    )
    url = change("members_act", adoption.act)
    page = gestionnaire.get(url)
    assert page.status_code == 200
    assert not page.context["adminform"].form.fields
    assert gestionnaire.post(url, {"subject": "autre"}).status_code == 403
    delete = reverse("admin:members_act_delete", args=[adoption.act_id])
    assert gestionnaire.post(delete, {"post": "yes"}).status_code == 403
    free = ActFactory(issuer=occ.issuer)
    assert gestionnaire.get(change("members_act", free)).context["adminform"].form.fields
    bulk = {"action": "delete_selected", "_selected_action": [adoption.act_id, free.pk], "post": "yes"}
    gestionnaire.post(reverse("admin:members_act_changelist"), bulk)
    assert Act.objects.filter(pk__in=[adoption.act_id, free.pk]).count() == 2


def test_an_adoption_offers_the_versions_of_its_schedule_only(gestionnaire, occ, other):  # noqa: F811
    VersionFactory(schedule=other)
    VersionFactory(schedule=ScheduleFactory(issuer=occ.issuer))
    page = gestionnaire.get(change("tariffs_schedule", occ))
    [inline] = [
        found.formset
        for found in page.context["inline_admin_formsets"]
        if found.formset.model is Adoption
    ]
    choices = inline.empty_form.fields["version"].queryset
    assert set(choices) == set(occ.version_set.all())


@pytest.mark.parametrize(
    "name",
    [
        "tariffs_version",
        "tariffs_charge",
        "tariffs_adoption",
        "tariffs_schedule",
        "conventions_convention",
        "members_act",
        "members_signatory",
        "invoicing_campaign",
        "invoicing_run",
        "invoicing_call",
        "invoicing_titre",
        "invoicing_bordereau",
        "invoicing_counter",
        "invoicing_exclusion",
    ],
)
def test_filters_name_only_the_rows_of_the_account(client, occ, run, other, name):  # noqa: F811
    charge = ChargeFactory(version=VersionFactory(schedule=other))
    Adoption.objects.create(
        schedule=other,
        version=charge.version,
        act=ActFactory(issuer=other.issuer),
        school_year=2024,
    )
    enrol(other, 1)
    compute_run(schedule=other, year=2024, actor="test")
    url = reverse(f"admin:{name}_changelist")
    client.force_login(account("finances", issuers=[occ.issuer]))
    hidden = (other.code, other.issuer.name)
    page = client.get(url)
    assert page.status_code == 200
    labels = [
        str(choice["display"])
        for spec in page.context["cl"].filter_specs
        for choice in spec.choices(page.context["cl"])
    ]
    assert not [label for label in labels if any(word in label for word in hidden)]


def test_filters_of_the_administrator_name_every_row(client, occ, other):  # noqa: F811
    client.force_login(account("admin"))
    page = client.get(reverse("admin:conventions_convention_changelist"))
    [spec] = [s for s in page.context["cl"].filter_specs if s.title == "barème"]
    assert {pk for pk, _ in spec.lookup_choices} >= {occ.pk, other.pk}


def text_data(text, **changes):
    data = {name: getattr(text, name) for name in ("scope", "code", "body", "source")}
    return {**data, "valid_from": f"{text.valid_from:%d/%m/%Y}", **changes}


def test_an_account_writes_only_the_texts_of_its_issuers(finances, occ, other):  # noqa: F811
    mine = DatedTextFactory(scope="OCC", code="essai")
    shared = DatedTextFactory(scope=occ.issuer.regime, code="essai")
    theirs = DatedTextFactory(scope="AUTRE", code="essai")
    rows = finances.get(reverse("admin:entsvc_datedtext_changelist")).context["cl"].queryset
    assert {mine, shared} <= set(rows)
    assert theirs not in rows
    for text, status in ((mine, 302), (shared, 403), (theirs, 302)):
        response = finances.post(change("entsvc_datedtext", text), text_data(text, body="Nouveau."))
        assert response.status_code == status, text
    bodies = dict(DatedText.objects.filter(code="essai").order_by("pk").values_list("scope", "body"))
    assert [scope for scope, body in bodies.items() if body == "Nouveau."] == ["OCC"]
    for scope in ("AUTRE", "ETAT", "LOCAL"):
        for url in (reverse("admin:entsvc_datedtext_add"), change("entsvc_datedtext", mine)):
            page = finances.post(url, text_data(mine, scope=scope, code="glisse"))
            assert "scope" in page.context["adminform"].form.errors
    finances.post(reverse("admin:entsvc_datedtext_add"), text_data(mine, code="ajout"))
    assert DatedText.objects.filter(scope="OCC", code="ajout").exists()


def test_the_administrator_writes_the_texts_of_a_regime(client):
    text = DatedTextFactory(scope="ETAT", code="essai")
    client.force_login(account("admin"))
    client.post(change("entsvc_datedtext", text), text_data(text, body="Nouveau."))
    text.refresh_from_db()
    assert text.body == "Nouveau."


def test_the_journal_is_for_administrators(client, finances):
    url = reverse("admin:entsvc_journalentry_changelist")
    assert finances.get(url).status_code == 403
    client.force_login(account("admin"))
    assert client.get(url).status_code == 200


def test_an_adopted_schedule_keeps_its_issuer_and_code(gestionnaire, occ):  # noqa: F811
    fields = gestionnaire.get(change("tariffs_schedule", occ)).context["adminform"].form.fields
    assert not {"issuer", "code"} & set(fields)
    assert "name" in fields
    free = ScheduleFactory(issuer=occ.issuer)
    fields = gestionnaire.get(change("tariffs_schedule", free)).context["adminform"].form.fields
    assert {"issuer", "code"} <= set(fields)


def test_an_issuer_that_issued_keeps_what_its_numbers_are_made_of(client, issued):  # noqa: F811
    frozen = {"code", "regime", "budget_code"}
    page = client.get(change("members_issuer", issued.issuer))
    assert not frozen & set(page.context["adminform"].form.fields)
    page = client.get(change("members_issuer", IssuerFactory(code="NEUF")))
    assert frozen <= set(page.context["adminform"].form.fields)


def test_an_older_run_is_issued_knowingly_only(finances, occ, run):  # noqa: F811
    latest = compute_run(schedule=occ, year=2024, actor="test")
    url = reverse("admin:invoicing_run_issue_titres", args=[run.pk])
    warning = "Le dernier calcul de la campagne est le n° 2"
    assert warning in finances.get(url).content.decode()
    data = {"on": "03/03/2025", "signatory": Signatory.objects.get(issuer__code="OCC").pk}
    page = finances.post(url, data)
    assert set(page.context["form"].errors) == {"older"}
    assert not Titre.objects.exists()
    page = finances.get(reverse("admin:invoicing_run_issue_titres", args=[latest.pk]))
    assert not [shown for shown in page.context["warnings"] if warning in shown]
    assert "older" not in page.context["form"].fields
    assert finances.post(url, {**data, "older": "on"}).status_code == 302
    assert Titre.objects.count() == 3


@pytest.mark.parametrize("in_bulk", [False, True])
def test_deleting_a_decision_is_written_down(gestionnaire, occ, in_bulk):  # noqa: F811
    decision = Exclusion.objects.create(
        schedule=occ, school_year=2024, reason="Fermée", school=SchoolFactory()
    )
    if in_bulk:
        url = reverse("admin:invoicing_exclusion_changelist")
        data = {"action": "delete_selected", "_selected_action": [decision.pk], "post": "yes"}
    else:
        url, data = reverse("admin:invoicing_exclusion_delete", args=[decision.pk]), {"post": "yes"}
    gestionnaire.post(url, data)
    assert not Exclusion.objects.exists()
    entry = JournalEntry.objects.get(action="decision-deleted")
    assert entry.target == f"invoicing.exclusion:{decision.pk}"
    assert entry.actor == "gestionnaire"
    assert "Fermée" in entry.summary


def test_saving_a_titre_unchanged_writes_nothing_down(client, issued):  # noqa: F811
    url = change("invoicing_titre", Titre.objects.get(number=1))
    client.post(url, sent_back(client.get(url)))
    assert not JournalEntry.objects.filter(action="external-reference").exists()


@pytest.mark.parametrize(
    ("name", "lookup"),
    [
        ("invoicing_titre", "payload__contains"),
        ("invoicing_titre", "debtor__email__startswith"),
        ("invoicing_run", "basis__contains"),
        ("members_user", "password__startswith"),
        ("members_signatory", "issuer__code"),
    ],
)
def test_a_list_is_filtered_only_by_what_it_offers(client, issued, name, lookup):  # noqa: F811
    client.force_login(account("admin"))
    url = reverse(f"admin:{name}_changelist")
    response = client.get(url, {lookup: "x"})
    assert response.status_code == 302
    assert response.url == f"{url}?e=1"


def test_a_run_links_to_its_own_calls(client, issued):  # noqa: F811
    url = reverse("admin:invoicing_call_changelist")
    for number, count in ((issued.run_id, 3), (issued.run_id + 1, 0)):
        page = client.get(url, {"run__id__exact": number})
        assert page.context["cl"].result_count == count
    page = client.get(url, {"run__campaign__id__exact": issued.run.campaign_id})
    assert page.context["cl"].result_count == 3


def test_the_login_page_speaks_french(client):
    page = client.get(reverse("admin:login")).content.decode()
    assert "Welcome back" not in page
    assert "Bienvenue sur" in page


def test_a_large_convention_makes_few_queries(gestionnaire, occ, django_assert_max_num_queries):  # noqa: F811
    convention = ConventionFactory(schedule=occ)
    EnrolmentFactory.create_batch(50, convention=convention)
    url = change("conventions_convention", convention)
    with django_assert_max_num_queries(19):
        page = gestionnaire.get(url)
    assert str(convention.enrolments.order_by("school").first().school) in page.content.decode()
