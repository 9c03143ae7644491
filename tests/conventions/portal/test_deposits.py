"""A file sent back is read before anything is locked, and stands for what was last sent to be signed."""

import re

import pytest
from django.db import connection

from conventions import filings, states
from conventions.models import Convention
from entsvc import scans
from tests.conventions.portal.test_pages import page, pdf
from tests.conventions.portal.test_requests import asked, filed, office, uais, url_of

__all__ = ["office", "uais"]


def changed(office, amendment, ticked):
    answer = office.post(
        url_of("change", amendment), {"ecoles": ticked, "demander": "1", "vu": " ".join(sorted(ticked))}
    )
    assert answer.status_code == 302


@pytest.mark.django_db
def test_no_file_is_read_while_a_row_is_locked(office, convention, uais, monkeypatch):
    seen, check, depth = [], scans.check_pdf, len(connection.savepoint_ids)

    def watch(content):
        seen.append(len(connection.savepoint_ids) - depth)
        check(content)

    monkeypatch.setattr(scans, "check_pdf", watch)
    amendment = asked(office, convention, list(uais.values()))
    proved = {"transmitted_on": "2020-09-20", "proof": pdf("preuve")}
    assert filed(office, amendment, **proved).status_code == 302
    Convention.objects.filter(pk=convention.pk).update(status=states.SENT)
    assert office.post(url_of("convention", convention), {"scan": pdf()}).status_code == 302
    assert seen == [0, 0, 0]


@pytest.mark.django_db
def test_asked_for_again_the_first_list_is_the_one_to_sign(office, convention, uais, on):
    every = sorted(uais.values())
    amendment = asked(office, convention, every)
    on(2020, 9, 21)
    changed(office, amendment, every[:2])
    on(2020, 9, 22)
    changed(office, amendment, every)
    *_, third = amendment.papers.filter(role="envoye").order_by("at")
    offered = set(re.findall(r"documents/([0-9a-f-]{36})", page(office, "amendment", amendment.pk)))
    assert offered == {str(third.pk)}


@pytest.mark.django_db
def test_the_scan_of_another_list_is_refused(office, convention, uais, on):
    every = sorted(uais.values())
    amendment = asked(office, convention, every)
    filed(office, amendment, scan=pdf("premier"))
    filings.send_back(amendment=amendment, actor="agent", comment="Retirez des écoles.")
    on(2020, 9, 25)
    changed(office, amendment, every[:1])
    answer = filed(office, amendment, scan=pdf("premier"))
    assert "faites signer le nouvel avenant" in answer.content.decode()
    assert filed(office, amendment, scan=pdf("second")).status_code == 302


@pytest.mark.django_db
def test_the_office_files_nothing_once_the_agreement_is_over(office, convention, uais, on):
    amendment = asked(office, convention, sorted(uais.values())[:1])
    Convention.objects.filter(pk=convention.pk).update(status=states.TERMINATED)
    answer = filed(office, amendment)
    assert answer.status_code == 422
    assert "seul le service" in answer.content.decode()
