"""What a member was told for its budget, on its own page: nothing of a draft, nothing of others."""

import io

import pytest
from openpyxl import load_workbook

from conventions.models import ForecastAmount
from entsvc import documents
from members.models import Member
from tests.conventions.forecasts.conftest import press  # noqa: F401
from tests.conventions.forecasts.foretelling import a_world, drawn, prepared, sent
from tests.members.portal.people import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def schedule(press):  # noqa: F811
    return a_world()


def home(browser, name="Petite"):
    member = Member.objects.get(name=name)
    text = browser.get(f"/espace/membre/{member.pk}/").content.decode()
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def amount_of(forecast, name):
    return ForecastAmount.objects.select_related("document").get(forecast=forecast, name=name)


def test_it_works(schedule):
    browser = signed_in("petite@example.org")
    draft = drawn(prepared(schedule))
    assert "Montants prévisionnels" not in home(browser), "a draft tells nobody anything"
    assert browser.get(f"/espace/previsions/{amount_of(draft, 'Petite').pk}/").status_code == 404
    forecast = sent(schedule)
    text = home(browser)
    assert "Budget 2026 : 285,00 €" in text
    assert "rien n&#x27;est à payer" in text or "rien n'est à payer" in text
    amount = amount_of(forecast, "Petite")
    letter = browser.get(f"/espace/previsions/{amount.pk}/")
    assert letter.content == documents.read(amount.document)
    detail = browser.get(f"/espace/previsions/{amount.pk}/detail/")
    sheet = load_workbook(io.BytesIO(detail.content))["Détail"]
    assert {row[1] for row in sheet.iter_rows(min_row=2, max_row=3, values_only=True)} == {"Petite"}


def test_nobody_reads_the_amount_of_another(schedule):
    amount = amount_of(sent(schedule), "Grande")
    browser = signed_in("petite@example.org")
    for what in ("", "detail/"):
        assert browser.get(f"/espace/previsions/{amount.pk}/{what}").status_code == 404
    assert "1 545,00" not in home(browser)


def test_the_last_letter_is_shown_and_the_former_one_stays(schedule):
    first = amount_of(sent(schedule), "Petite")
    sent(schedule, given={"prix-ELEVES": "7"})
    browser = signed_in("petite@example.org")
    text = home(browser)
    assert "Budget 2026 : 325,00 €" in text
    assert "Budget 2026 : 285,00 €" not in text
    assert "remplacée depuis" in text
    assert browser.get(f"/espace/previsions/{first.pk}/").status_code == 200


def test_who_took_a_member_over_reads_its_letter(schedule):
    forecast = sent(schedule)
    heir, taken = Member.objects.get(name="Petite"), Member.objects.get(name="Grande")
    Member.objects.filter(pk=taken.pk).update(successor=heir)
    browser = signed_in("petite@example.org")
    assert "au nom de Grande" in home(browser)
    assert browser.get(f"/espace/previsions/{amount_of(forecast, 'Grande').pk}/").status_code == 200
