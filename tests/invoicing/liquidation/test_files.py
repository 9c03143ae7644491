"""The two files of an état: a workbook that checks itself and comes back, a PDF to sign."""

import io

import pytest
from openpyxl import load_workbook

from entsvc.importing import run_import
from invoicing.importers.accountant_numbers import IMPORTER
from invoicing.liquidation.pdf import draw_etat
from invoicing.liquidation.reading import read_etat
from invoicing.liquidation.sending import prepare, produce
from invoicing.liquidation.workbook import write_workbook
from invoicing.models import Titre
from tests.invoicing.campaigns import campaign_of, day, issued, reduce
from tests.invoicing.spreadsheet import Book
from tests.invoicing.test_rendering import text_of
from tests.invoicing.world import ISSUED_ON

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:unclosed file .*sRGB2014:ResourceWarning"),
]
SHEETS = ["Pièces", "Synthèse", "Bases de liquidation", "Rapprochement"]


@pytest.fixture
def etat(campaign, state, titres):
    """With a correction."""
    reduce(state, titres[2], "35.00", ISSUED_ON)
    return read_etat(campaign, rank=1, on=day(1))


def book_of(etat):
    return Book(load_workbook(io.BytesIO(write_workbook(etat))))


def verdicts(book):
    return {check["Verdict"] for check in book.records("Rapprochement")}


def test_the_workbook_has_a_row_for_each_piece_and_each_base(etat, titres):
    book = book_of(etat)
    assert book.workbook.sheetnames == SHEETS
    assert book.workbook.active.title == "Synthèse"
    rows = book.records("Pièces")
    assert [row["Nature"] for row in rows] == ["Titre"] * 3 + ["Réduction"]
    row = next(row for row in rows if row["Référence"] == titres[1].reference)
    assert (row["Débiteur"], row["SIRET"]) == (titres[1].debtor_name, titres[1].siret)
    assert (row["Programme ou fonds de concours"], row["Compte"]) == ("PRG", "7000")
    assert (row["Centre de coûts"], row["Exercice"], row["Montant"]) == ("CC1", 2025, 90)
    assert row["Numéro du comptable"] is None
    bases = [b for b in book.records("Bases de liquidation") if b["Référence"] == row["Référence"]]
    assert [(b["Quantité"], b["Prix unitaire"], b["Montant"]) for b in bases] == [(1, 45, 45)] * 2
    assert all(b["UAI"] and b["Période"] == "année scolaire 2024-2025" for b in bases)


def test_its_checks_are_formulas_and_all_agree(etat):
    book = book_of(etat)
    assert verdicts(book) == {"OK"}
    facts = dict(row[:2] for row in book.rows("Synthèse"))
    assert facts["Rapprochement"] == "OK"
    assert facts["Arrêté à"].replace("\xa0", " ") == (
        "deux cent soixante-dix euros pour 3 titres ; trente-cinq euros à retirer par 1 annulation ou "
        "réduction"
    )
    [sums] = [row for row in book.rows("Synthèse") if row[0] == str(etat.pieces[0].imputation)]
    assert sums[1:6] == [4, 270, 35, 0, 0]


@pytest.mark.parametrize(
    ("sheet", "heading"),
    [
        ("Pièces", "Montant"),
        ("Pièces", "Titres de cet état"),
        ("Pièces", "Corrections de cet état"),
        ("Bases de liquidation", "Montant"),
    ],
)
def test_a_figure_changed_by_hand_shows_as_a_gap(etat, sheet, heading):
    book = book_of(etat)
    cells = book.workbook[sheet]
    column = [cell.value for cell in cells[1]].index(heading) + 1
    row = next(row for row in range(2, 9) if cells.cell(row, column).value is not None)
    cells.cell(row, column).value += 1
    assert "ÉCART" in verdicts(book)


def test_what_a_debtor_is_called_is_no_formula(state):
    debtor = state.members[0]
    debtor.name = "=HYPERLINK(1)"
    debtor.save()
    etat = read_etat(campaign_of(issued(state)[0]), rank=1, on=day(1))
    workbook = load_workbook(io.BytesIO(write_workbook(etat)))
    cells = [cell for sheet in workbook for row in sheet.iter_rows() for cell in row]
    assert [cell.data_type for cell in cells if "HYPERLINK" in str(cell.value)] == ["s"] * 2


def test_the_same_etat_gives_the_same_bytes(etat):
    assert write_workbook(etat) == write_workbook(etat)
    assert draw_etat(etat) == draw_etat(etat)


def test_the_workbook_comes_back_half_filled_and_the_next_etat_shows_the_numbers(
    etat, campaign, quick, tmp_path
):
    produce(campaign=campaign, rank=1, actor="fin")
    book = load_workbook(io.BytesIO(write_workbook(etat)))
    given = {2: "CHO-771", 3: 4512}
    for row, number in given.items():
        book["Pièces"].cell(row, 2).value = number
    path = tmp_path / "etat.xlsx"
    book.save(path)
    report = run_import(IMPORTER, path, dry_run=False, actor="fin")
    assert (report.rows, report.updated, report.unchanged, report.refused) == (4, 2, 2, [])
    assert set(Titre.objects.values_list("external_reference", flat=True)) == {"CHO-771", "4512", ""}
    rows = book_of(prepare(campaign).etat).records("Pièces")
    assert [row["Numéro du comptable"] for row in rows] == ["CHO-771", "4512", None, None]
    assert [row["Demandée par l'état n°"] for row in rows] == [1] * 4
    told = text_of(draw_etat(prepare(campaign).etat))
    assert "Rappel des pièces déjà demandées" in told
    assert "CHO-771" in told


def test_the_pdf_says_what_is_asked_who_signs_and_each_base(etat, state):
    told = text_of(draw_etat(etat))
    signatory = state.signatory
    for words in (
        "État liquidatif n° 1",
        "Demande d'émission de titres de perception",
        state.issuer.ministry,
        f"Comptable assignataire : {state.accountant.name}",
        "Programme PRG · Compte 7000 · Centre de coûts CC1",
        "deux cent soixante-dix euros pour 3 titres",
        "trente-cinq euros à retirer",
        f"{signatory.first_name} {signatory.last_name}",
        signatory.quality,
        "Signature :",
        "Titres demandés",
        "Annulations et réductions demandées",
        "École fermée.",
        "1 école × 45,00 €",
        "Total : 270,00 €",
        "Page 1 / ",
    ):
        assert words in told, words
    for piece in etat.pieces:
        assert piece.reference in told
        assert all(line.uai in told for line in piece.bases)
    assert "SPÉCIMEN" not in told
