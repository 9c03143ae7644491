"""Past the exercice of a titre, a mandat is asked for."""

import datetime as dt

import pytest

from entsvc.models import JournalEntry
from invoicing import mandats
from invoicing.corrections import due
from invoicing.models import MandatRequest
from invoicing.numbering import IssueRefused
from tests.invoicing.corrections.correcting import DAY, annul, ask, line_of, off, reduce, said

pytestmark = pytest.mark.django_db


def test_a_mandat_is_asked_for_a_titre_of_a_closed_exercice(world, titre, drawn):
    request = ask(world, titre, "30.00")
    assert (request.amount, request.account, request.requested_by) == (30, "673", "essai")
    assert request.document.content_type == "application/pdf"
    [facts] = drawn
    assert facts["why"].replace("\u00a0", " ").startswith("Le 02/03/2026, l'exercice 2025")
    assert facts["explanation"] == "Recette définitive."
    assert (facts["total"], facts["total_words"]) == ("30.00", "trente euros")
    assert facts["error"] == {"label": "Créance déjà appelée", "text": "Appelé deux fois."}
    assert JournalEntry.objects.get(action="request-mandat").target == f"invoicing.titre:{titre.pk}"
    # The titre itself stays as it is: the accountant offsets it.
    assert due(titre) == 90


def test_mandats_asked_for_never_exceed_what_is_due(world, titre, drawn):
    reduce(world, titre, off("20.00", line_of(titre)))
    ask(world, titre, "30.00")
    assert mandats.left_to_ask(titre) == 40
    with pytest.raises(IssueRefused) as error:
        ask(world, titre, "40.01")
    assert "40,00 € dus" in said(error)
    ask(world, titre, "40.00")
    assert MandatRequest.objects.count() == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"amount": "0.00"}, "est positif"),
        ({"reason": " "}, "l'erreur commise"),
        ({"reason_code": ""}, "motif"),
        ({"on": DAY}, "encore ouvert"),
        ({"on": dt.date(2025, 1, 1)}, "est du 03/03/2025"),
        ({"on": dt.date(2026, 3, 3)}, "à venir"),
    ],
)
def test_a_wrong_request_is_refused_with_its_reason(world, titre, drawn, changes, message):
    with pytest.raises(IssueRefused) as error:
        ask(world, titre, **changes)
    assert message in said(error)
    assert not MandatRequest.objects.exists()


def test_what_a_mandat_was_asked_for_is_not_annulled_too(world, titre, drawn):
    ask(world, titre, "30.00")
    with pytest.raises(IssueRefused) as error:
        annul(world, titre)
    assert "(30,00 € le 02/03/2026, compte 673)" in said(error)
    assert "60,00 € dus et pas encore demandés" in said(error)
    assert due(titre) == 90


def test_a_reduction_leaves_what_a_mandat_was_asked_for(world, titre, drawn):
    ask(world, titre, "60.00")
    with pytest.raises(IssueRefused, match="n'est pas rendue deux fois"):
        reduce(world, titre, off("30.01", line_of(titre)))
    reduce(world, titre, off("30.00", line_of(titre)))
    assert (due(titre), mandats.left_to_ask(titre)) == (60, 0)


def test_without_its_account_no_mandat_is_asked_for(world, titre):
    with pytest.raises(IssueRefused, match="compte-exercice-clos"):
        ask(world, titre)


def test_a_correction_of_a_titre_asks_for_no_mandat(world, titre, drawn):
    annulation = annul(world, titre)
    with pytest.raises(IssueRefused, match="partez du titre d'origine"):
        ask(world, annulation, "1.00")
    with pytest.raises(IssueRefused, match="0,00"):
        ask(world, titre, "1.00")
