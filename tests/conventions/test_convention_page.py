"""The page of an agreement says when it starts and ends, and why."""

import datetime as dt
import re

import pytest

from conventions.policies import CHARTER, PARTNERSHIP_2024, TRANSFER
from tests.conventions.world import account
from tests.factories import ActFactory, ConventionFactory, EnrolmentFactory

pytestmark = pytest.mark.django_db


def page(admin_client, convention):
    response = admin_client.get(f"/admin/conventions/convention/{convention.pk}/change/")
    return response.content.decode().replace("\u00a0", " ")


def test_it_works(admin_client):
    act = ActFactory(transmitted_on=dt.date(2024, 6, 24))
    convention = ConventionFactory(
        policy=CHARTER.code, act=act, transmitted_on=dt.date(2024, 9, 12), signed_on=None
    )
    shown = page(admin_client, convention)
    assert "12 septembre 2024 – Dernière transmission, celle de la charte signée" in shown
    assert "Sans terme" in shown


def test_a_transfer_reads_both_votes(admin_client):
    convention = ConventionFactory(
        policy=TRANSFER.code,
        act=ActFactory(date=dt.date(2023, 6, 15)),
        committee_act=ActFactory(date=dt.date(2023, 9, 28)),
        fixed_start=dt.date(2023, 7, 1),
    )
    assert "28 septembre 2023 – Second vote" in page(admin_client, convention)


def test_a_partnership_not_dated_has_no_start_and_keeps_its_end(admin_client):
    convention = ConventionFactory(policy=PARTNERSHIP_2024.code, signed_on=None)
    shown = page(admin_client, convention)
    assert "La date de la dernière signature manque" in shown
    assert "5 septembre 2025 – Fin fixée" in shown


def test_an_agreement_whose_text_is_not_named_says_so(admin_client):
    shown = page(admin_client, ConventionFactory())
    assert "Choisissez le texte de la convention" in shown


def test_an_agreement_is_found_by_a_school_it_names(admin_client):
    enrolment = EnrolmentFactory()
    ConventionFactory(reference="AUTRE")
    shown = admin_client.get("/admin/conventions/convention/", {"q": enrolment.school.uai})
    assert enrolment.convention.reference in shown.content.decode()
    assert "AUTRE" not in shown.content.decode()


def test_who_only_reads_sees_school_years_and_no_bare_number(client):
    convention = ConventionFactory(first_year=2019, last_year=2020)
    account(client, "lecture", convention.schedule.issuer)
    shown = client.get(f"/admin/conventions/convention/{convention.pk}/change/").content.decode()
    assert "2019-2020" in shown
    assert "2020-2021" in shown
    assert not re.search(r">\s*20(19|20)\s*<", shown)
