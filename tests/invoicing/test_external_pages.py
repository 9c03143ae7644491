"""Staff pages of the titres that the accountant numbers."""

import pytest
from django.urls import reverse

from invoicing.models import NumberingPolicy, Series, Titre
from members.models import Signatory
from tests.invoicing.follow_up import finances as finances
from tests.invoicing.follow_up import occ as occ
from tests.invoicing.follow_up import said, save, titre_page, words
from tests.invoicing.test_admin import run as run

pytestmark = pytest.mark.django_db


def test_an_external_titre_is_produced_under_its_number(client, occ, run, finances):
    NumberingPolicy.objects.create(
        issuer=occ.issuer, exercice=2025, kind=Series.TITRE, mode="externe",
        budget=occ.issuer.budget_code,
    )  # fmt: skip
    signatory = Signatory.objects.get(issuer=occ.issuer)
    finances.post(
        reverse("admin:invoicing_run_issue_titres", args=[run.pk]),
        {"on": "03/03/2025", "signatory": signatory.pk},
    )
    titre = Titre.objects.order_by("number").first()
    page = finances.post(titre_page("number_it", titre), follow=True)
    assert "Saisissez d'abord le numéro" in said(page)[-1]
    assert "Produire au numéro" in words(finances.get(titre_page("change", titre)))
    save(finances, titre, "778")
    assert "au n° 778" in words(finances.get(titre_page("number_it", titre)))
    page = finances.post(titre_page("number_it", titre), follow=True)
    assert said(page)[-1] == "Titre n° 778 produit."
    given = finances.post(titre_page("number_it", titre))
    assert given["Content-Type"] == "application/pdf"
