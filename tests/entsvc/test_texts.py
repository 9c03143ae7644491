"""Legal texts: which one is in force on a day, and what its placeholders may be."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError

from entsvc import texts
from entsvc.models import DatedText


def text(scope, body, valid_from=dt.date(2020, 1, 1), code="recours"):
    return DatedText.objects.create(scope=scope, code=code, valid_from=valid_from, body=body)


@pytest.mark.django_db
class TestInForce:
    def test_the_most_particular_scope_wins(self):
        text("ETAT", "pour tous")
        text("OCC", "pour la région")
        assert texts.in_force(["ETAT", "OCC"], dt.date(2024, 1, 1)) == {"recours": "pour la région"}
        assert texts.in_force(["ETAT", "AUTRE"], dt.date(2024, 1, 1)) == {"recours": "pour tous"}

    def test_a_particular_text_wins_over_a_later_general_one(self):
        text("ETAT", "général, récent", dt.date(2023, 1, 1))
        text("OCC", "particulier, ancien", dt.date(2010, 1, 1))
        assert texts.in_force(["ETAT", "OCC"], dt.date(2024, 1, 1))["recours"] == ("particulier, ancien")

    def test_the_latest_text_of_a_scope_wins_from_its_first_day(self):
        text("ETAT", "ancien", dt.date(2013, 1, 1))
        text("ETAT", "nouveau", dt.date(2024, 7, 1))
        assert texts.in_force(["ETAT"], dt.date(2024, 6, 30)) == {"recours": "ancien"}
        assert texts.in_force(["ETAT"], dt.date(2024, 7, 1)) == {"recours": "nouveau"}

    def test_nothing_is_in_force_before_its_date_nor_out_of_scope(self):
        text("ETAT", "futur", dt.date(2030, 1, 1))
        text("LOCAL", "autre famille")
        assert texts.in_force(["ETAT"], dt.date(2024, 1, 1)) == {}

    def test_each_code_has_its_own_text(self):
        text("ETAT", "un")
        text("ETAT", "deux", code="paiement")
        assert texts.in_force(["ETAT"], dt.date(2024, 1, 1)) == {"recours": "un", "paiement": "deux"}


def test_placeholders_are_filled():
    body = "Recours devant le tribunal administratif {tribunal}, chez {comptable}."
    assert texts.fill(body, {"tribunal": "de Montpellier", "comptable": "la DRFiP"}) == (
        "Recours devant le tribunal administratif de Montpellier, chez la DRFiP."
    )


def test_a_placeholder_without_a_value_is_an_error_not_a_hole():
    with pytest.raises(KeyError):
        texts.fill("Tribunal {tribunal}", {})


def test_a_filled_value_is_not_read_again():
    assert texts.fill("{emetteur}", {"emetteur": "{tribunal}"}) == "{tribunal}"


def test_an_unknown_placeholder_is_refused_on_the_field():
    row = DatedText(scope="ETAT", code="x", valid_from=dt.date(2020, 1, 1), body="{juge} {tribunal}")
    with pytest.raises(ValidationError) as refusal:
        row.clean()
    [message] = refusal.value.message_dict["body"]
    assert "juge" in message
    assert "{tribunal}" in message


@pytest.mark.parametrize("name", texts.PLACEHOLDERS)
def test_the_placeholders_told_are_accepted(name):
    texts.check_placeholders(f"Texte avec {{{name}}}.")
