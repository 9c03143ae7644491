"""The journal of titres: every piece of an exercice in number order, with totals that add up."""

import csv
import datetime as dt
import io
from decimal import Decimal

import pytest
from openpyxl import load_workbook

from invoicing.corrections import correct
from invoicing.exports.journal_of_titres import COLUMNS, rows_of, write_journal
from invoicing.models import Titre
from invoicing.payments import record_payment
from tests.factories import IssuerFactory
from tests.invoicing.world import ISSUED_ON

pytestmark = pytest.mark.django_db
HEADINGS = [column.heading for column in COLUMNS]
D = Decimal


@pytest.fixture
def lived(world):
    """Three titres of 45, 90 and 135 €: one overpaid, one annulled once paid in part, one left."""
    one, two, _ = sorted(world.issue().titres, key=lambda titre: titre.number)
    paid_on = ISSUED_ON + dt.timedelta(days=20)
    pay = {"received_on": paid_on, "actor": "fin"}
    record_payment(titre=one, amount=D("50.00"), reference="A", **pay)
    record_payment(titre=two, amount=D("40.00"), reference="B", **pay)
    correct(
        titre=two,
        kind=Titre.Kind.ANNULATION,
        reason_code=Titre.Reason.DUPLICATE,
        reason="doublon",
        on=ISSUED_ON,
        signatory=world.signatory,
        actor="fin",
    )
    return world


def as_dicts(rows):
    return [dict(zip(HEADINGS, row, strict=True)) for row in rows]


def test_titres_come_in_number_order_then_their_corrections(lived):
    rows = as_dicts(rows_of(lived.issuer, 2025))
    assert [(row["Nature"], row["N°"]) for row in rows] == [
        ("Titre", 1),
        ("Titre", 2),
        ("Titre", 3),
        ("Annulation", 1),
    ]
    assert rows[3]["Titre d'origine"] == rows[1]["Référence"]
    assert [row["État"] for row in rows] == ["Payé", "Annulé", "Émis", "Émis"]
    assert rows[0]["Imputation"].startswith("Programme")


def test_the_totals_add_up(lived):
    rows = as_dicts(rows_of(lived.issuer, 2025))
    names = ("Titres", "Annulations et réductions", "Encaissé", "Reste dû", "Trop-perçu")
    issued, corrected, received, left, over = (
        sum((row[name] or D(0) for row in rows), D(0)) for name in names
    )
    assert (issued, corrected, received, left, over) == (D(270), D(90), D(90), D(135), D(45))
    assert issued - corrected - received == left - over


def test_the_workbook_has_the_journal_and_its_bordereaux(lived):
    content = write_journal(issuer=lived.issuer, exercice=2025, kind="xlsx")
    workbook = load_workbook(io.BytesIO(content))
    journal, bordereaux = workbook.worksheets
    rows = list(journal.iter_rows(values_only=True))
    assert list(rows[0]) == HEADINGS
    assert len(rows) == 1 + 4 + 1
    assert rows[1][HEADINGS.index("Titres")] == 45
    assert rows[5][HEADINGS.index("Titres")].startswith("=SUBTOTAL(109")
    kinds = [row[1] for row in bordereaux.iter_rows(min_row=2, values_only=True)]
    assert kinds[:2] == ["Titres", "Annulations et réductions"]


def test_the_csv_is_that_of_a_french_spreadsheet_and_ends_with_its_totals(lived):
    text = write_journal(issuer=lived.issuer, exercice=2025, kind="csv").decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    assert (rows[0]["Titres"], rows[0]["Date"], rows[0]["Annulations et réductions"]) == (
        "45,00",
        "03/03/2025",
        "",
    )
    total = rows[-1]
    assert (total["Budget"], total["Titres"], total["Reste dû"]) == ("Total", "270,00", "135,00")


def test_a_journal_is_that_of_one_issuer_and_exercice(lived):
    assert list(rows_of(IssuerFactory(code="AUTRE"), 2025)) == []
    assert list(rows_of(lived.issuer, 2024)) == []


def test_a_journal_asks_the_database_as_much_for_ten_titres(lived, django_assert_max_num_queries):
    for _ in range(7):
        lived.join(1)
    lived.issue()
    with django_assert_max_num_queries(6):
        assert len(list(rows_of(lived.issuer, 2025))) == 11
