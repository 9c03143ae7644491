"""A tariff tried before the vote: its effect on each member, the papers of the assembly, a draft."""

import datetime as dt
from decimal import Decimal
from io import BytesIO

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from tariffs.models import Version
from tests.browser.conftest import plain
from tests.browser.people import as_staff
from tests.browser.territory import a_territory


@pytest.fixture
def territory(db, clock):
    clock.noon(dt.date(2025, 5, 5))
    return a_territory()


def test_a_tariff_is_tried_shown_to_the_assembly_and_kept_as_a_draft(visitor, territory):
    staff = as_staff(visitor(), "gestionnaire", territory.issuer)
    staff.go("/")
    staff.menu("Barèmes")
    staff.press("ENT-ECOLES")
    staff.press("Simuler")
    staff.reads("Le tarif essayé est celui d'aujourd'hui")

    # Half a euro more by pupil: what each would pay.
    staff.page.get_by_label("Prix de « Participation par élève »").fill("6,50")
    staff.press("Simuler")
    staff.reads("9 336,00 €", "10 114,00 €", "+778,00 €")
    staff.picture("simulation", to=staff.page.get_by_role("region", name="Par taille de membre"))
    members = staff.page.get_by_role("region", name="Par membre").locator("tbody tr")
    assert "Commune de Castelsarrasin" in members.first.inner_text()
    staff.press("Écart")
    assert "Commune de Lauzerte" in members.first.inner_text()

    # The papers: the workbook of all the members, the two pages of the assembly.
    name, content = staff.download("Tout le détail (XLSX)")
    assert name.endswith(".xlsx")
    cells = {
        str(cell) for sheet in load_workbook(BytesIO(content)) for row in sheet.values for cell in row
    }
    assert {"Commune de Castelsarrasin", "Commune de Lauzerte"} <= cells
    name, content = staff.download("Deux pages pour l'assemblée (PDF)")
    assert name.endswith(".pdf")
    pages = PdfReader(BytesIO(content)).pages
    assert len(pages) == 2
    assert "10 114,00 €" in plain(pages[0].extract_text())

    # It is kept as a draft version, that no act adopts yet.
    staff.fill("Nom de la version brouillon", "Projet 2025 à 6,50 €")
    staff.press("Enregistrer le brouillon")
    staff.reads("Projet 2025 à 6,50 €")
    draft = Version.objects.get(label="Projet 2025 à 6,50 €")
    assert draft.charges.get().unit_price == Decimal("6.50")
    assert not draft.is_adopted
