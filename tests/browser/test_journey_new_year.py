"""A new school year: the tariff copied and adopted by its act, the counts imported, the call opened."""

import datetime as dt
from decimal import Decimal

import pytest

from invoicing.models import Campaign
from tariffs.models import Adoption
from tests.browser.people import as_staff
from tests.browser.territory import NOW, a_year_billed, counts_file

MONDAY = dt.date(2025, 9, 15)


@pytest.fixture
def territory(db, clock, blank_documents):
    clock.noon(MONDAY)
    return a_year_billed()


def test_a_new_school_year_is_made_ready_and_its_call_opened(visitor, territory):
    staff = as_staff(visitor(), "gestionnaire", territory.issuer)

    # The home page of the new year says what blocks.
    staff.go("/")
    staff.choose("Année scolaire", "2025-2026")
    staff.press("Afficher")
    staff.reads("Tarif ENT-ECOLES à adopter", "9 données à compléter")
    staff.picture("accueil")

    # The tariff of last year is frozen: its copy takes the new price.
    staff.menu("Versions de tarif")
    staff.press("Tarif 2024")
    staff.press("Copier pour la version suivante")
    staff.fill("Nom de la nouvelle version", "Tarif 2025")
    staff.press("Copier")
    staff.reads("« Tarif 2025 » est prête à être modifiée.")
    staff.page.locator("[name=charges-0-unit_price]").fill("6.20")
    staff.press("Enregistrer")

    # The act that adopts it, then the adoption.
    staff.menu("Actes")
    staff.add()
    staff.choose("Nature", "Délibération")
    staff.fill("Numéro", "2025-31")
    staff.fill("Date", "24/06/2025")
    staff.fill("Assemblée ou autorité", "conseil d'administration")
    staff.choose("Émetteur", "Région académique d'essai")
    staff.fill("Objet", "Tarif de l'ENT pour 2025-2026")
    staff.choose("Approuve", "Un tarif")
    staff.press("Enregistrer")
    staff.menu("Adoptions")
    staff.add()
    staff.choose("Barème", "ENT-ECOLES – ENT des écoles")
    staff.fill("Année scolaire", "2025-2026")
    staff.choose("Version", "ENT-ECOLES, Tarif 2025")
    staff.look_up("act", "2025-31")
    staff.picture("adoption")
    staff.press("Enregistrer")
    staff.reads("ENT-ECOLES, Tarif 2025", "n° 2025-31 du 24/06/2025")

    # « Qualité des données » counts what is missing, until the counts are imported.
    staff.menu("Qualité des données")
    staff.choose("Année scolaire", "2025-2026")
    staff.press("Afficher")
    staff.reads("1 constat empêche d'émettre des titres.", "Écoles inscrites sans effectif")
    staff.picture("qualite-des-donnees", to="#content h2 + div")
    bring_in_the_counts(staff)
    staff.menu("Qualité des données")
    staff.reads("Rien n'empêche de calculer les appels.")
    marks = staff.page.locator("#content .shrink-0 > span").all_inner_texts()
    assert marks
    assert set(marks) == {"rien"}

    # The home page now leads to the campaign of the year.
    staff.go("/")
    staff.reads("ENT des écoles : à calculer")
    staff.press("ENT des écoles : à calculer")
    assert staff.labelled("Année scolaire").input_value() == "2025-2026"
    staff.press("Enregistrer")
    campaign = Campaign.objects.get(school_year=NOW)
    staff.press(str(campaign))
    staff.reads("Calculer")

    adoption = Adoption.objects.get(school_year=NOW)
    assert str(adoption.version) == "ENT-ECOLES, Tarif 2025"
    assert adoption.version.charges.get().unit_price == Decimal("6.20")
    assert campaign.schedule == territory.schedule


def bring_in_the_counts(staff):
    """Try the file of the year's counts, then confirm it."""
    staff.menu("Imports")
    staff.press("Importer un fichier")
    staff.page.get_by_role("link", name="Effectifs et usages").click()
    file = {"name": "constat.csv", "mimeType": "text/csv", "buffer": counts_file(NOW).encode()}
    staff.labelled("Fichier").set_input_files(file)
    staff.press("Essayer")
    staff.reads("Rien n'est encore écrit")
    staff.press("Confirmer l'import")
    staff.reads("constat.csv est importé.")
