"""A titre reduced, then paid in part: its page, what is left to recover and its mayor all say so."""

import datetime as dt

import pytest

from invoicing.models import Titre
from tests.browser.conftest import PHONE
from tests.browser.people import as_office, as_staff
from tests.browser.territory import NOW, a_year_billed

MOISSAC = "ENT-2025-000004"


@pytest.fixture
def territory(db, clock, blank_documents):
    clock.noon(dt.date(2025, 10, 6))
    territory = a_year_billed()
    territory.count(NOW)
    return territory


def test_a_titre_is_reduced_then_paid_and_everyone_reads_the_same(visitor, territory):
    staff = as_staff(visitor(), "finances", territory.issuer)

    # A titre of 1 830 € billed ten pupils too many.
    staff.go("/")
    staff.page.locator("#q").fill(MOISSAC)
    staff.press("Rechercher")
    staff.reads("Commune de Moissac", "1 830,00 €")
    staff.under("Corriger", "Réduire")
    staff.labelled("Ligne ou rubrique à réduire (1)").select_option(index=1)
    staff.fill("À retirer, en euros (1)", "60")
    staff.choose("Motif", "Erreur de liquidation")
    staff.fill("Erreur commise", "Dix élèves comptés deux fois : constat de rentrée rectifié.")
    staff.picture("correction")
    staff.press("Réduire le titre")
    staff.reads("Réduction ENT-2025-A00001 : 60,00 €.")

    # Part of it is paid.
    staff.under("Suivre", "Saisir un encaissement")
    assert staff.labelled("Montant reçu, en euros").input_value() == "1770,00"
    staff.fill("Montant reçu, en euros", "1000")
    staff.fill("Encaissé le", "02/10/2025")
    staff.fill("Référence du comptable", "VIR-2025-118")
    staff.press("Saisir")
    staff.reads("Encaissement de 1 000,00 € saisi.", "770,00 €")
    staff.reads("Dû après corrections", "1 224,00 €")
    staff.picture("titre", to="#corrections-group")

    # What is left to recover: that of Moissac, and that of Lauzerte.
    staff.menu("Titres")
    row = staff.page.get_by_role("row").filter(has_text=MOISSAC)
    assert "Payé en partie" in row.inner_text()
    staff.menu("Reste à recouvrer")
    staff.reads("1 346,00 €", "770,00 €", "576,00 €")
    staff.picture("reste-a-recouvrer")
    staff.menu("Campagnes")
    staff.press("Chiffres et fichiers")
    staff.reads("9 336,00 €", "60,00 €", "7 930,00 €", "1 346,00 €")
    staff.picture("campagne", to="figure.graph")
    staff.go("/")
    staff.reads("9 276,00 €", "7 930,00 €", "1 346,00 €")

    # The mayor, on a phone.
    mayor = as_office(visitor(PHONE), territory.members["Moissac"].email)
    mayor.go("/espace/")
    mayor.reads(f"Payer le titre {MOISSAC} : 770,00 €", "En retard")
    mayor.picture("espace-accueil", to="section[aria-labelledby=mes-ecoles]")
    mayor.press(f"Voir comment payer le titre {MOISSAC}")
    mayor.reads("Montant après correction 1 770,00 €", "Payé 1 000,00 €", "Reste à payer 770,00 €")
    mayor.reads("Réduction ENT-2025-A00001")
    assert Titre.objects.get(kind=Titre.Kind.REDUCTION).original.reference == MOISSAC
