"""Computed, reviewed, computed again, issued: and its documents drawn while a page follows them."""

import datetime as dt
import threading
from io import BytesIO, StringIO

import pytest
from django.core.management import call_command
from pypdf import PdfReader

from entsvc import afterwards
from entsvc.pdf import render_pdf
from invoicing.models import BordereauDocument, Run
from tests.browser.conftest import plain
from tests.browser.people import as_staff
from tests.browser.territory import NOW, a_territory, counts_file, pupils_of
from tests.invoicing.scratch import until

LAUZERTE = "ENT-2025-000009"
HALFWAY = 3  # titres drawn before the press waits


class Press:
    """Draws for real the titre that is looked at, and waits halfway until it is let go."""

    def __init__(self):
        self.drawn, self.free = 0, threading.Event()

    def draw(self, template, context, **options):
        if self.drawn == HALFWAY:
            assert self.free.wait(60)
        self.drawn += 1
        if context["document"].get("reference") != LAUZERTE:
            return b"%PDF essai"
        return render_pdf(template, context, **options)


@pytest.fixture
def press(db, settings, monkeypatch):
    """A press, driven by threads of the server as where no worker runs."""
    press = Press()
    settings.AFTER_RESPONSE = "thread"
    monkeypatch.setattr(afterwards, "_pool", None)
    monkeypatch.setattr("invoicing.rendering.render_pdf", press.draw)
    monkeypatch.setattr("invoicing.bordereau_pdf.render_pdf", press.draw)
    yield press
    press.free.set()
    if afterwards._pool is not None:
        afterwards._pool.shutdown(wait=True)


@pytest.fixture
def territory(db, clock, blank_documents, tmp_path):
    """This year's tariff adopted and counts imported, those of Lauzerte an approximation alone."""
    clock.noon(dt.date(2025, 10, 6))
    territory = a_territory()
    territory.bill(NOW - 1, on=dt.date(2025, 3, 3))
    territory.adopt(NOW)
    file = tmp_path / "constat-2025.csv"
    file.write_text(counts_file(NOW).replace(";92;;DEPP", ";92;;ANNUAIRE"), encoding="utf-8")
    call_command("import_headcounts", file, stdout=StringIO())
    return territory


def test_a_year_is_computed_reviewed_issued_and_its_documents_drawn(visitor, territory, press, clock):
    staff = as_staff(visitor(), "gestionnaire", territory.issuer)
    staff.go("/")
    staff.press("ENT des écoles : à calculer")
    staff.press("Enregistrer et afficher")
    staff.press("Calculer")
    staff.press("Calculer")

    # The review: what is called, what changed and why, what blocks.
    staff.reads("1 membre bloqué par une anomalie.", "Effectif approché", "1 bloque", "9 432,00 €")
    staff.picture("revue")
    staff.press("Commune de Caussade")
    staff.press("1 248,00 €")
    staff.reads(
        "208 élèves × 6,00 € = 1 248,00 €", "Constat de rentrée", "ligne 2", "n° 2025-24 du 20/06/2025"
    )
    staff.picture("explication")
    staff.press("Retour à Commune de Caussade")
    staff.press("Retour à la revue")

    # The approximation is accepted with a reason: the next run takes it.
    staff.press("Commune de Lauzerte")
    staff.press("Accepter avec un motif")
    staff.fill("Motif ou référence", "Effectif confirmé par la mairie le 3 octobre")
    staff.press("Enregistrer")
    staff.menu("Campagnes")
    staff.press("ENT-ECOLES 2025-2026")
    staff.press("Calculer")
    staff.press("Calculer")
    staff.reads("Aucun membre bloqué.", "1 acceptée")
    assert "Émettre les titres" not in staff.text

    # Finances issue the last run from the home page: six titres, numbered at once.
    staff = as_staff(visitor(), "finances", territory.issuer)
    staff.go("/")
    staff.press("6 appels à émettre")
    staff.press("Émettre les titres")
    staff.reads("L'émission est définitive", "Aucun membre bloqué par une anomalie.")
    staff.picture("emettre")
    staff.press("Émettre")

    # The documents are drawn while the page is looked at: it follows them to the last.
    until(lambda: press.drawn == HALFWAY)
    staff.page.get_by_text("3 documents produits sur 7, 4 à produire.").wait_for()
    staff.picture("avancement")
    press.free.set()
    staff.page.get_by_text("7 documents produits sur 7.").wait_for()
    until(BordereauDocument.objects.count)
    staff.press("Ouvrir le bordereau")
    staff.reads("ENT-2025-000007", "ENT-2025-000012", "9 432,00 €")

    # Each titre has its document.
    staff.menu("Titres")
    staff.press(LAUZERTE)
    _, content = staff.download("PDF")
    words = plain(" ".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages))
    assert LAUZERTE in words
    assert "Commune de Lauzerte" in words
    assert "92 élèves × 6,00 € 552,00 €" in words
    last = Run.objects.get(campaign__school_year=NOW, number=2)
    assert last.total == 6 * sum(pupils_of(NOW).values())
