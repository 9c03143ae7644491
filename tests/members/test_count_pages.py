"""Staff pages of counts: record, replace, withdraw; nothing is changed nor deleted there."""

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from entsvc.models import JournalEntry
from invoicing.roles import create_groups
from members.importers.headcounts import IMPORTER
from members.models import Headcount, Usage, User
from tests.factories import (
    HeadcountFactory,
    HeadcountSourceFactory,
    SchoolFactory,
    UsageFactory,
)
from tests.members.files import run, write_csv
from tests.tariffs.bases import spoken

pytestmark = pytest.mark.django_db

LIST = reverse("admin:members_headcount_changelist")
ADD = reverse("admin:members_headcount_add")


@pytest.fixture
def depp():
    return HeadcountSourceFactory(code="DEPP", rank=1)


@pytest.fixture
def school():
    return SchoolFactory(uai="0341301E", name="Collège Diderot")


def sign_in(client, role):
    create_groups()
    user = User.objects.create(username=role, is_staff=True)
    user.groups.set(Group.objects.filter(name=role))
    client.force_login(user)


@pytest.fixture
def gestionnaire(client):
    sign_in(client, "gestionnaire")
    return client


def add(client, school, pupils, url=ADD, name="pupils", **others):
    data = {"school": school.pk, "school_year": "2024-2025", "source": "DEPP", name: pupils}
    return client.post(url, {**data, **others}, follow=True)


def said(page):
    return [spoken(str(message)) for message in page.context["messages"]]


def shown(page):
    return [(count.pupils, count.superseded_at is None) for count in page.context["cl"].result_list]


def test_it_works(gestionnaire, school, depp):
    page = add(gestionnaire, school, 412)

    [count] = Headcount.objects.order_by("pk")
    assert (count.pupils, count.recorded_by, count.imported_id) == (412, "gestionnaire", None)
    assert said(page) == ["0341301E 2024-2025 : 412 (Constat de rentrée) est enregistré."]
    assert page.redirect_chain[-1][0] == LIST


def test_a_count_added_again_replaces_the_one_that_held_and_says_so(gestionnaire, school, depp):
    add(gestionnaire, school, 412)
    page = add(gestionnaire, school, 415)
    assert said(page) == [
        "0341301E 2024-2025 : 415 (Constat de rentrée) remplace 412, gardé dans l'historique."
    ]
    assert [h.pupils for h in Headcount.objects.order_by("pk")] == [412, 415]
    assert Headcount.current.get().pupils == 415


def test_a_count_already_known_says_that_nothing_changes(gestionnaire, school, depp):
    add(gestionnaire, school, 412)
    page = add(gestionnaire, school, 412)
    assert said(page) == [
        "0341301E 2024-2025 : 412 (Constat de rentrée) est déjà connu : rien ne change."
    ]
    assert Headcount.objects.count() == 1


def test_saving_and_adding_another_keeps_the_school(gestionnaire, school, depp):
    url = f"{ADD}?school={school.pk}"
    assert gestionnaire.get(url).context["adminform"].form.initial["school"] == str(school.pk)
    page = add(gestionnaire, school, 412, url=url, _addanother="1")
    assert page.redirect_chain[-1][0] == url


def test_a_count_below_the_known_usage_is_taken_with_a_warning(gestionnaire, school, depp):
    UsageFactory(school=school, source=depp, active_pupils=380)
    words = said(add(gestionnaire, school, 379))
    assert len(words) == 2
    assert "inférieur à l'usage connu (380" in words[1]


def test_a_usage_above_the_pupils_is_refused_on_its_field(gestionnaire, school, depp):
    HeadcountFactory(school=school, source=depp, pupils=412)
    url = reverse("admin:members_usage_add")
    page = add(gestionnaire, school, 413, url=url, name="active_pupils")
    [error] = page.context["adminform"].form.errors["active_pupils"]
    assert spoken(error).startswith("413 élèves actifs pour 412 élèves")
    assert not Usage.objects.exists()
    add(gestionnaire, school, 412, url=url, name="active_pupils")
    assert Usage.current.get().active_pupils == 412


def test_a_usage_above_a_mere_approximation_is_taken_with_a_warning(gestionnaire, school, depp):
    ips = HeadcountSourceFactory(code="IPS", rank=4, billable=False)
    HeadcountFactory(school=school, source=ips, pupils=60)
    url = reverse("admin:members_usage_add")
    words = said(add(gestionnaire, school, 80, url=url, name="active_pupils"))
    assert Usage.current.get().active_pupils == 80
    assert len(words) == 2
    assert words[1].startswith("80 élèves actifs pour 60 élèves (source IPS)")


def test_a_wrong_year_is_told_and_records_nothing(gestionnaire, school, depp):
    page = add(gestionnaire, school, 412, school_year="2024")
    assert "school_year" in page.context["adminform"].form.errors
    assert not Headcount.objects.exists()


def test_the_list_shows_what_holds_and_the_history_on_demand(gestionnaire, school, depp):
    add(gestionnaire, school, 412)
    add(gestionnaire, school, 415)
    assert shown(gestionnaire.get(LIST)) == [(415, True)]
    assert shown(gestionnaire.get(LIST, {"historique": "anciens"})) == [(412, False)]
    assert sorted(shown(gestionnaire.get(LIST, {"historique": "tout"}))) == [(412, False), (415, True)]


def test_a_count_names_the_file_and_the_line_that_gave_it(gestionnaire, school, depp, tmp_path):
    header = "uai;annee_scolaire;eleves;source"
    path = write_csv(tmp_path / "rentree.csv", header, "0341301E;2024-2025;412;DEPP")
    run("import_headcounts", path)
    count = Headcount.objects.get()
    link = reverse("admin:entsvc_importrecord_change", args=[count.imported_id])
    for url in (LIST, reverse("admin:members_headcount_change", args=[count.pk])):
        page = gestionnaire.get(url).content.decode()
        assert f'href="{link}">rentree.csv, ligne 2</a>' in page


def test_a_count_is_only_read_on_its_page(gestionnaire, school, depp):
    count = HeadcountFactory(school=school, source=depp)
    url = reverse("admin:members_headcount_change", args=[count.pk])
    assert gestionnaire.get(url).status_code == 200
    assert gestionnaire.post(url, {"pupils": 1}).status_code == 403
    delete = reverse("admin:members_headcount_delete", args=[count.pk])
    assert gestionnaire.post(delete, {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("factory", [HeadcountFactory, UsageFactory])
def test_withdrawing_asks_first_then_keeps_the_count_in_the_history(gestionnaire, school, depp, factory):
    count = factory(school=school, source=depp)
    url = reverse(f"admin:members_{count._meta.model_name}_withdraw", args=[count.pk])

    assert "restera dans l" in gestionnaire.get(url).content.decode()
    count.refresh_from_db()
    assert count.superseded_at is None

    gestionnaire.post(url)
    count.refresh_from_db()
    assert count.superseded_at is not None
    entry = JournalEntry.objects.get(action="count-withdrawn")
    assert (entry.actor, entry.target) == ("gestionnaire", f"{count._meta.label_lower}:{count.pk}")


def test_a_count_withdrawn_once_is_not_withdrawn_again(gestionnaire, school, depp):
    count = HeadcountFactory(school=school, source=depp)
    url = reverse("admin:members_headcount_withdraw", args=[count.pk])
    gestionnaire.post(url)
    page = gestionnaire.post(url, follow=True)
    assert said(page)[-1].endswith("ne vaut déjà plus.")
    assert JournalEntry.objects.filter(action="count-withdrawn").count() == 1


@pytest.mark.parametrize(("role", "code"), [("gestionnaire", 200), ("finances", 403), ("lecture", 403)])
def test_roles_part_reading_from_recording(client, school, depp, role, code):
    sign_in(client, role)
    count = HeadcountFactory(school=school, source=depp)
    withdraw = reverse("admin:members_headcount_withdraw", args=[count.pk])
    assert [client.get(url).status_code for url in (LIST, ADD, withdraw)] == [200, code, code]


def test_the_permissions_of_the_import_are_those_of_who_records(gestionnaire):
    user = User.objects.get()
    assert user.has_perms(IMPORTER.permissions)
    assert not user.has_perm("members.delete_headcount")


def test_the_page_of_a_school_shows_its_counts_newest_year_first(gestionnaire, school, depp):
    for year in (2022, 2024, 2023):
        HeadcountFactory(school=school, source=depp, school_year=year, pupils=year)
    page = gestionnaire.get(reverse("admin:members_school_change", args=[school.pk]))
    [formset] = [f.formset for f in page.context["inline_admin_formsets"] if f.opts.model is Headcount]
    assert [form.instance.pupils for form in formset.forms] == [2024, 2023, 2022]
    assert "pupils" not in formset.forms[0].fields


@pytest.mark.parametrize("name", ["headcount", "usage"])
def test_the_page_of_a_school_leads_to_a_new_count(gestionnaire, school, name):
    page = gestionnaire.get(reverse("admin:members_school_change", args=[school.pk]))
    link = reverse(f"admin:members_school_add_{name}", args=[school.pk])
    assert link in page.content.decode()
    assert gestionnaire.get(link).url == f"{reverse(f'admin:members_{name}_add')}?school={school.pk}"


def test_the_list_makes_the_same_queries_whatever_its_length(
    gestionnaire, depp, django_assert_max_num_queries
):
    HeadcountFactory(source=depp)
    gestionnaire.get(LIST)
    with django_assert_max_num_queries(40) as few:
        gestionnaire.get(LIST)
    HeadcountFactory.create_batch(20, source=depp)
    with django_assert_max_num_queries(len(few.captured_queries)):
        gestionnaire.get(LIST)
