"""The workbook that the finance office files: read back and recomputed, it adds up."""

from decimal import Decimal
from io import BytesIO

import pytest
from openpyxl import load_workbook

from invoicing.campaign_accounts import read
from invoicing.corrections import Correction, correct_many
from invoicing.exports.campaign_summary import criterion
from invoicing.exports.campaign_workbook import write_campaign
from invoicing.models import Titre
from members.models import Issuer, Member
from tariffs.models import Charge
from tests.factories import HeadcountFactory
from tests.invoicing.campaigns import campaign_of, day, issued, lived, pay
from tests.invoicing.spreadsheet import Book
from tests.invoicing.world import YEAR, a_world

SHEETS = ["Synthèse", "Titres", "Détail par école", "Mouvements", "Rapprochement"]


def book_of(campaign, accounts=None):
    target = BytesIO()
    write_campaign(campaign, accounts or read(campaign), target)
    return Book(load_workbook(target))


def section(book, title):
    """The rows of a section of the summary, as {first cell: the others}."""
    rows = book.rows("Synthèse")
    start = next(index for index, row in enumerate(rows) if row[0] == title)
    found = {}
    for row in rows[start + 1 :]:
        if row[0] is None:
            break
        found[row[0]] = row[1:]
    return found


def test_it_works(world):
    titres = lived(world)
    book = book_of(campaign_of(titres[0]))
    assert book.workbook.sheetnames == SHEETS
    assert section(book, "Par type de membre")["Commune"] == [3, 270, 35, 120, 125, 10]
    assert section(book, "Par état")["Payé en partie"] == [1, 45, 0, 20, 25, 0]
    [(imputation, figures), _] = section(book, "Par imputation").items()
    assert imputation == "Programme PRG · Compte 7000"
    assert figures[1] == 270
    assert section(book, "Par ligne tarifaire")["Participation par école"][:2] == [6, 270]


def test_every_check_is_ok_and_each_compares_two_figures(world):
    titres = lived(world)
    book = book_of(campaign_of(titres[0]))
    checks = book.records("Rapprochement")
    assert {check["Verdict"] for check in checks} == {"OK"}
    told = {check["Contrôle"]: check["Premier calcul"] for check in checks}
    assert told["Titres = lignes du détail"] == 270
    assert told["Titres − corrections − encaissé = reste dû − trop-perçu"] == 115
    assert told["TST 2025, bordereau 1, nombre de pièces"] == 3
    assert told["TST 2025, bordereau d'annulations et de réductions 1, total"] == 35
    assert dict(row[:2] for row in book.rows("Synthèse"))["Rapprochement"] == "OK"


@pytest.mark.parametrize(
    ("sheet", "heading"),
    [
        ("Titres", "Montant"),
        ("Titres", "Encaissé"),
        ("Titres", "Reste dû"),
        ("Titres", "Annulations et réductions"),
        ("Détail par école", "Montant"),
        ("Mouvements", "Encaissé"),
    ],
)
def test_a_figure_changed_by_hand_shows_as_a_gap(world, sheet, heading):
    titres = lived(world)
    book = book_of(campaign_of(titres[0]))
    cells = book.workbook[sheet]
    column = [cell.value for cell in cells[1]].index(heading) + 1
    last = max(row for row in range(2, cells.max_row) if cells.cell(row, column).value is not None)
    cells.cell(last, column).value += 1
    assert "ÉCART" in {check["Verdict"] for check in book.records("Rapprochement")}
    assert dict(row[:2] for row in book.rows("Synthèse"))["Rapprochement"] == "ÉCART"


def test_a_titre_has_one_row_with_all_that_is_filed(world):
    titres = lived(world)
    rows = book_of(campaign_of(titres[0])).records("Titres")
    row = next(row for row in rows if row["Référence"] == titres[1].reference)
    assert row["Débiteur"] == titres[1].debtor_name
    assert row["SIRET"] == titres[1].siret
    assert (row["Type de membre"], row["État"]) == ("Commune", "Payé")
    assert (row["Montant"], row["Encaissé"], row["Trop-perçu"]) == (90, 100, 10)
    assert (row["Programme"], row["Compte"]) == ("PRG", "7000")
    assert row["Référence de paiement"].startswith("RF")
    assert row["Participation par école"] == 90


def test_the_imputation_is_in_the_words_of_the_regime(db):
    world = a_world(regime=Issuer.Regime.LOCAL)
    titres = issued(world)
    row = book_of(campaign_of(titres[0])).records("Titres")[0]
    assert (row["Nature"], row["Fonction"], row["Code produit local"]) == ("7000", "020", "ENT1")
    assert "Compte" not in row


def test_a_school_has_its_row_and_charges_their_columns(db):
    per_pupil = {
        "code": "ELEVES", "label": "Par élève", "metric": Charge.Metric.PUPILS, "unit_label": "élève",
        "unit_plural": "élèves", "unit_price": Decimal("1.3125"),
    }  # fmt: skip
    world = a_world(charges=[{}, per_pupil])
    for number, enrolment in enumerate(_enrolments(world)):
        HeadcountFactory(school=enrolment.school, school_year=YEAR, pupils=101 + number)
    titres = issued(world)
    book = book_of(campaign_of(titres[0]))
    detail = book.records("Détail par école")
    assert len(detail) == 12
    pupils = [row for row in detail if row["Code du tarif"] == "ELEVES"]
    assert all(row["UAI"] and row["Quantité"] > 100 for row in pupils)
    rows = book.records("Titres")
    assert sum(row["Par élève"] for row in rows) == sum(row["Montant"] for row in pupils)
    assert {check["Verdict"] for check in book.records("Rapprochement")} == {"OK"}


def _enrolments(world):
    from conventions.models import Enrolment

    return Enrolment.objects.filter(convention__schedule=world.schedule).order_by("pk")


def test_corrections_listed_with_those_of_another_campaign_are_told_so(world):
    titres = issued(world)
    world.join(4)
    late = world.issue(_supplement(world), on=day(1)).titres
    asked = [
        Correction(titre, Titre.Kind.ANNULATION, Titre.Reason.WRONG_AMOUNT, "Erreur.")
        for titre in (titres[0], late[0])
    ]
    correct_many(corrections=asked, on=day(5), signatory=world.signatory, actor="essai")
    checks = book_of(campaign_of(titres[0])).records("Rapprochement")
    assert {check["Verdict"] for check in checks} == {"OK"}
    [count] = [check for check in checks if "avec 1 d'autres campagnes" in check["Contrôle"]][:1]
    assert count["Second calcul"] == 2


def _supplement(world):
    from invoicing.calculation import open_supplement

    campaign = campaign_of(Titre.objects.order_by("number").first())
    return open_supplement(campaign=campaign, reason="Oubli.", actor="essai")


def test_what_comes_after_the_reading_is_left_out(world):
    titres = lived(world)
    campaign = campaign_of(titres[0])
    accounts = read(campaign)
    pay(titres[2], "50.00", day(80))
    world.join(4)
    world.issue(on=day(81))
    book = book_of(campaign, accounts)
    assert len(book.records("Titres")) == 3
    assert {check["Verdict"] for check in book.records("Rapprochement")} == {"OK"}


def test_a_name_that_looks_like_a_formula_is_only_text(world):
    Member.objects.filter(pk=world.members[0].pk).update(name="=1+1")
    titres = issued(world)
    book = book_of(campaign_of(titres[0]))
    assert "'=1+1" in {row["Débiteur"] for row in book.records("Titres")}


def test_a_campaign_without_titre_has_its_workbook(world):
    run = world.compute()
    book = book_of(run.campaign)
    assert section(book, "Par état") == {"Aucun titre": [None] * 6, "Total": [0, 0, 0, 0, 0, 0]}
    assert dict(row[:2] for row in book.rows("Synthèse"))["Rapprochement"] == "OK"


def test_a_criterion_is_compared_to_the_letter():
    assert criterion('a"b*?~') == '"a""b~*~?~~"'


def test_the_workbook_takes_the_same_queries_whatever_its_length(world, django_assert_num_queries):
    campaign = campaign_of(lived(world)[0])
    accounts = read(campaign)
    with django_assert_num_queries(7):
        write_campaign(campaign, accounts, BytesIO())
    world.join(4)
    world.issue(on=day(81))
    accounts = read(campaign)
    with django_assert_num_queries(7):
        write_campaign(campaign, accounts, BytesIO())
