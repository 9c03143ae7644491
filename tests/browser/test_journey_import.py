"""A file with wrong lines: their reasons read, mended in the file itself, sent again and confirmed."""

import datetime as dt
from io import BytesIO

import pytest
from openpyxl import load_workbook

from members.models import Headcount
from tests.browser.people import as_staff
from tests.browser.territory import NOW, a_territory, counts_file, pupils_of, uai_of

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture
def territory(db, clock):
    clock.noon(dt.date(2025, 9, 15))
    return a_territory()


def test_a_file_with_wrong_lines_is_mended_and_imported(visitor, territory):
    staff = as_staff(visitor(), "gestionnaire", territory.issuer)
    right, wrong = uai_of("Le Port"), uai_of("Le Port")[:-1] + "I"  # a letter that no UAI ends with
    text = counts_file(NOW).replace(right, wrong).replace(";92;", ";9Z;").replace(";238;", ";-238;")

    # The file is tried: six lines would be taken, three are refused, each for its reason.
    staff.go("/")
    send(staff, "constat-2025.csv", "text/csv", text.encode())
    staff.reads("Lignes refusées", wrong, "9Z", "-238")
    staff.picture("import-essai")
    name, refused = staff.download("Lignes refusées (XLSX)")
    assert name == "refus_constat-2025.xlsx"
    staff.press("Confirmer l'import")
    staff.reads("constat-2025.csv est importé.")
    assert Headcount.current.filter(school_year=NOW).count() == 6

    # The refused lines, with their reasons, are mended where they are and sent as they are.
    mended = mend(refused, {wrong: right, "9Z": "92", "-238": "238"})
    send(staff, name, XLSX, mended)
    staff.reads("Rien n'est encore écrit")
    assert "Lignes refusées" not in staff.text
    staff.press("Confirmer l'import")
    staff.reads(f"{name} est importé.")

    # Both files are in the history, and every school has its count.
    staff.menu("Imports")
    staff.reads("constat-2025.csv", name)
    staff.press("constat-2025.csv")
    staff.reads("Effectifs et usages, importé le 15/09/2025", "par gestionnaire", "Lignes refusées")
    assert {
        count.school.name.removeprefix("École "): count.pupils
        for count in Headcount.current.filter(school_year=NOW).select_related("school").order_by("pk")
    } == pupils_of(NOW)


def send(staff, name, kind, content):
    """Send a file of counts, to be tried."""
    staff.menu("Imports")
    staff.press("Importer un fichier")
    with staff.page.expect_navigation():
        staff.page.get_by_role("link", name="Effectifs et usages").click()
    staff.labelled("Fichier").set_input_files({"name": name, "mimeType": kind, "buffer": content})
    staff.press("Essayer")


def mend(content, changes):
    """Write right values over the wrong ones, in the workbook that was given."""
    book = load_workbook(BytesIO(content))
    for row in book.active.iter_rows(min_row=2):
        for cell in row:
            cell.value = changes.get(str(cell.value), cell.value)
    saved = BytesIO()
    book.save(saved)
    return saved.getvalue()
