"""The options of an import are fields of its form."""

import pytest

from entsvc.importing import IMPORTERS, Importer, Option
from entsvc.models import ImportRecord
from members.models import User
from tests.entsvc.import_pages.sending import try_options, url, words

pytestmark = pytest.mark.django_db


def test_options_are_fields_of_the_form(gestionnaire, optional):
    page = words(gestionnaire.get(url("try", "essai")))
    assert "Combien, à ±20 % près." in page
    assert 'type="checkbox" name="option_strict"' in page


def test_options_are_taken_from_the_form_and_told_in_the_history(gestionnaire, optional):
    sent = try_options(gestionnaire, option_limit="12", option_strict="on")
    gestionnaire.post(sent.url)
    assert optional == [{"limit": 12, "strict": True}] * 2
    page = gestionnaire.get(url("change", ImportRecord.objects.get().pk))
    assert page.context["options"] == [("Limite", "12"), ("Tout refuser", "oui")]
    assert "—" in words(page)


def test_an_option_left_blank_is_its_default(gestionnaire, optional):
    assert try_options(gestionnaire).status_code == 302
    assert optional == [{"limit": 7, "strict": False}]


def test_a_wrong_option_is_told_beside_its_field(gestionnaire, optional):
    page = try_options(gestionnaire, option_limit="beaucoup")
    assert page.context["form"].errors == {"option_limit": ["Écrivez un nombre entier."]}
    assert optional == []


def test_an_option_with_choices_offers_those_of_the_account_and_refuses_others(
    gestionnaire, optional, monkeypatch
):
    [issuer] = User.objects.get(username="gestionnaire").issuers.order_by("pk")
    names = {issuer.pk: "le-sien", issuer.pk + 1: "autre"}
    chosen = Option(
        "of", "--of", "De qui", "", str, required=True,
        choices=lambda keys: [(name, name) for pk, name in names.items() if keys is None or pk in keys],
    )  # fmt: skip
    importer = Importer(**{**vars(IMPORTERS["essai"]), "options": (chosen,)})
    monkeypatch.setitem(IMPORTERS, "essai", importer)
    offered = gestionnaire.get(url("try", "essai"), {"option_of": "le-sien", "file": "x"})
    assert 'value="le-sien" selected' in words(offered)
    assert "autre" not in [value for value, _ in offered.context["form"].fields["option_of"].choices]
    for given in ({}, {"option_of": "autre"}):
        assert "option_of" in try_options(gestionnaire, **given).context["form"].errors
    assert optional == []
    assert try_options(gestionnaire, option_of="le-sien").status_code == 302
    assert optional == [{"of": "le-sien"}]
