"""The days from which issued titres are prescribed, as the pages of collection tell them."""

import pytest
from django.urls import reverse

from invoicing.balance import balance_at, standings_at
from invoicing.models import TitreEvent
from invoicing.payments import record_payment
from invoicing.prescription import limits_told
from invoicing.regimes import load_regimes
from tests.conventions.world import account
from tests.invoicing.test_balance import day
from tests.invoicing.test_balance import titres as titres
from tests.invoicing.test_balance import world as world
from tests.invoicing.world import a_world


@pytest.fixture(scope="module")
def kept_issue(kept):
    """Issued titres, and the legal figures shipped."""

    def write():
        made = a_world()
        issued = sorted(made.issue().titres, key=lambda titre: titre.total)
        load_regimes(actor="essai")
        return made, issued

    return kept(write)


def test_collection_is_prescribed_from_the_day_it_was_taken_in_charge(world, titres):
    TitreEvent.objects.create(
        titre=titres[0], kind=TitreEvent.Kind.TAKEN, on=day(9), recorded_by="essai"
    )
    limits = {s.reference: s.limit for s in standings_at(world.issuer, day(9))}
    taken, issued = limits[titres[0].reference], limits[titres[1].reference]
    assert (taken.start, taken.until) == (day(9), day(9).replace(year=2030))
    assert (issued.start, issued.until) == (day(0), day(0).replace(year=2030))


def test_a_prescription_under_a_year_away_is_warned(world, titres):
    assert balance_at(world.issuer, day(0).replace(year=2029, day=2)).warned == []
    found = balance_at(world.issuer, day(0).replace(year=2029)).warned
    assert len(found) == 3
    assert "Prescription le" in found[0].limit.warning(day(0).replace(year=2029))
    assert "depuis" in found[0].limit.warning(day(0).replace(year=2030, day=4))


def test_the_page_of_a_titre_tells_its_prescriptions(client, world, titres):
    account(client, "finances", world.issuer)
    url = reverse("admin:invoicing_titre_change", args=[titres[0].pk])
    text = client.get(url).content.decode().replace("\xa0", " ")
    assert "Recouvrement par le comptable : jusqu&#x27;au 03/03/2030" in text
    assert "Émission d&#x27;un titre pour 2024-2025 : jusqu&#x27;au 31/08/2030" in text


def test_of_a_paid_titre_no_collection_is_told(world, titres):
    titre = titres[0]
    left = limits_told(titre, day(0).replace(year=2031))
    assert [line.split(" :")[0] for line in left] == [
        "À surveiller – recouvrement",
        "Recouvrement par le comptable",
        "Émission d'un titre pour 2024-2025",
    ]
    record_payment(
        titre=titre, amount=titre.total, received_on=day(1), reference="P", actor="essai"
    )  # fmt: skip
    [told] = limits_told(titre, day(0).replace(year=2031))
    assert told.startswith("Émission d'un titre")


def test_of_a_campaign_apart_no_year_left_to_bill_is_told(titres):
    titres[0].campaign.apart = True
    [told] = limits_told(titres[0], day(2))
    assert told.startswith("Recouvrement par le comptable")
