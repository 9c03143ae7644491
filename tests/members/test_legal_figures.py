"""The pages of legal figures and texts say what each is, for whom and in what unit."""

import pytest
from django.urls import reverse

from entsvc.models import DatedFigure, DatedText
from invoicing.regimes import load_regimes
from members.admin.accounts import TEXTS
from members.admin.figures import FIGURES
from members.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def regimes(kept):
    return kept(lambda: load_regimes(actor="essai"))


@pytest.fixture
def admin(regimes, client):
    client.force_login(User.objects.create(username="x", is_staff=True, is_superuser=True))
    return client


def test_every_figure_shipped_has_its_name_in_words(admin):
    assert set(DatedFigure.objects.values_list("code", flat=True)) <= set(FIGURES)
    page = admin.get(reverse("admin:entsvc_datedfigure_changelist")).text
    assert "Seuil de mise en recouvrement" in page
    assert "15 €" in page
    assert "Régime : État (titre de perception)" in page


def test_figures_are_filtered_by_name(admin):
    page = reverse("admin:entsvc_datedfigure_changelist")
    rows = admin.get(page, {"code": "seuil-mise-en-recouvrement"}).context["cl"].result_list
    assert [row.code for row in rows] == ["seuil-mise-en-recouvrement"]


def test_a_figure_is_chosen_by_name(admin):
    form = admin.get(reverse("admin:entsvc_datedfigure_add")).context["adminform"].form
    assert dict(form.fields["code"].choices) == FIGURES


def test_every_text_shipped_has_its_name_in_words(admin):
    assert set(DatedText.objects.values_list("code", flat=True)) == set(TEXTS)
    page = admin.get(reverse("admin:entsvc_datedtext_changelist")).text
    assert "Voies et délais de recours" in page
    assert "Régime : Local (titre de recettes)" in page


def test_texts_are_filtered_by_name(admin):
    page = reverse("admin:entsvc_datedtext_changelist")
    rows = admin.get(page, {"code": "delai"}).context["cl"].result_list
    assert {row.code for row in rows} == {"delai"}
