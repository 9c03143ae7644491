"""The history of imports: found, sorted, counted, never written by hand."""

import pytest
from django.urls import reverse

from entsvc import documents
from entsvc.importing import IMPORTERS, Report
from entsvc.models import ImportRecord
from tests.entsvc.import_pages.sending import account, url

pytestmark = pytest.mark.django_db


def keep(count):
    document = documents.store(b"x", content_type="text/csv", suffix=".csv")
    report = Report("a.csv", rows=1234, created=3)
    for line in range(2, 6):
        report.refuse(line, "siret", "x", "Faux.")
    for number in range(count):
        ImportRecord.objects.create(
            importer="membres", file_name=f"{number}.csv", document=document, actor="a",
            report=report.as_json(),
        )  # fmt: skip


def test_the_history_counts_without_reading_the_reports(gestionnaire, django_assert_max_num_queries):
    keep(30)
    with django_assert_max_num_queries(20):
        page = gestionnaire.get(url("changelist"))
    rows = list(page.context["cl"].result_list)
    assert "report" in rows[0].get_deferred_fields()
    assert (rows[0].count_rows, rows[0].count_created, rows[0].count_refused) == (1234, 3, 4)
    assert [row.at for row in rows] == sorted((row.at for row in rows), reverse=True)


def test_a_page_of_the_history_makes_few_queries(gestionnaire, django_assert_max_num_queries):
    keep(1)
    with django_assert_max_num_queries(20):
        gestionnaire.get(url("change", ImportRecord.objects.get().pk))


@pytest.mark.parametrize("column", range(2, 10))
def test_the_history_is_sorted_by_any_of_its_columns(gestionnaire, column):
    keep(3)
    assert gestionnaire.get(url("changelist"), {"o": column}).status_code == 200


def test_the_history_is_filtered_by_kind_and_found_by_fingerprint(gestionnaire):
    keep(2)
    for query, found in (
        ({"importer": "membres"}, 2),
        ({"importer": "annuaire"}, 0),
        ({"q": "1.csv"}, 1),
    ):
        assert gestionnaire.get(url("changelist"), query).context["cl"].result_count == found


def test_the_history_is_never_written_by_hand(client):
    keep(1)
    client.force_login(account("admin"))
    assert client.get(reverse("admin:entsvc_importrecord_add")).status_code == 403
    delete = reverse("admin:entsvc_importrecord_delete", args=[ImportRecord.objects.get().pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403


def test_an_unknown_row_of_history_leads_back_to_the_list(gestionnaire):
    assert gestionnaire.get(url("change", "inconnu")).status_code == 302


def test_an_importer_that_is_no_more_keeps_its_history(gestionnaire, monkeypatch):
    keep(1)
    record = ImportRecord.objects.get()
    monkeypatch.delitem(IMPORTERS, "membres")
    gestionnaire.force_login(account("admin"))
    assert gestionnaire.get(url("change", record.pk)).context["kind"] == "membres"
    assert gestionnaire.get(url("changelist")).status_code == 200
