"""The documents of what corrects or replaces a titre."""

from decimal import Decimal

import pytest

from entsvc import documents
from invoicing.correction_payload import PartOff
from invoicing.models import NumberingPolicy, Series, Titre, TitreDocument
from invoicing.reissue import annul_and_reissue
from invoicing.rendering import draw, render_missing
from tests.invoicing.correction_pages import DAY, annulled, text_of
from tests.invoicing.correction_pages import titre as titre
from tests.invoicing.correction_pages import today as today
from tests.invoicing.correction_pages import world as world

pytestmark = [
    pytest.mark.django_db,
    # WeasyPrint 70 leaves its colour profile for the garbage collector to close.
    pytest.mark.filterwarnings("ignore:unclosed file .*sRGB2014:ResourceWarning"),
]


def test_the_document_of_a_reduction_says_what_it_takes_and_asks_for_nothing(world, titre):
    line = titre.lines.get(position=1)
    reduction = annulled(
        world, titre, kind=Titre.Kind.REDUCTION, parts=[PartOff(Decimal("20.00"), line)]
    )
    [drawn] = render_missing(Titre.objects.filter(pk=reduction.pk))
    content = documents.read(TitreDocument.objects.get(titre=drawn).document)
    text = text_of(content)
    for words in (
        "Titre de réduction N° 1",
        "Titre n° 2 du 3 mars 2025",
        titre.reference,
        "Montant du titre 90,00 €",
        "Dû après ce document 70,00 €",
        "Erreur de liquidation",
        "École fermée avant la rentrée.",
        line.uai,
        "ramenés à 25,00 €",
        "Total de la réduction",
        "vingt euros",
        "ne demande aucun paiement",
        "Camille ESSAI",
        "Voies et délais de recours",
    ):
        assert words in text
    for absent in ("Pour payer", "IBAN", "Référence à rappeler", "Force exécutoire"):
        assert absent not in text


def test_the_document_of_an_annulation_after_a_reduction(world, titre):
    line = titre.lines.get(position=1)
    first = annulled(world, titre, kind=Titre.Kind.REDUCTION, parts=[PartOff(Decimal("20.00"), line)])
    text = text_of(draw(annulled(world, titre)))
    for words in (
        "Titre d'annulation N° 2",
        "Dû avant ce document 70,00 €",
        "Dû après ce document 0,00 €",
        f"Réduction {first.reference}",
        "Total annulé",
        "soixante-dix euros",
    ):
        assert words in text


def test_a_new_titre_says_which_one_it_replaces(world, titre):
    world.compute()
    new = annul_and_reissue(
        titre=titre,
        debtor=titre.debtor,
        reason_code=Titre.Reason.WRONG_DEBTOR,
        reason="Adresse erronée.",
        on=DAY,
        signatory=world.signatory,
        actor="essai",
    ).titre
    text = text_of(draw(new))
    assert "Ce titre remplace le titre n° 2 du 3 mars 2025 (90,00 €), annulé." in text
    assert "Pour payer" in text


def test_a_correction_at_the_number_of_the_accountant_goes_out_as_a_project(world, titre):
    NumberingPolicy.objects.create(
        issuer=world.issuer,
        budget="00",
        exercice=2025,
        kind=Series.CORRECTION,
        mode=NumberingPolicy.Mode.EXTERNAL,
    )
    annulation = annulled(world, titre)
    assert annulation.payload["document"]["external"] is True
    text = text_of(draw(annulation))
    assert "Projet de titre d'annulation Réf. provisoire TST-2025-A00001" in text
    assert "Voies et délais" not in text
