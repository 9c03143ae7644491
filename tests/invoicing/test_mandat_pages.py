"""Past the exercice, pages lead to the request of a mandat, then to its number and its payment."""

import datetime as dt
from decimal import Decimal

import pytest
from django.urls import reverse

from entsvc.models import JournalEntry
from invoicing import mandats
from invoicing.models import MandatRequest, Run, Titre
from invoicing.numbering import IssueRefused
from tests.conventions.world import account
from tests.factories import IssuerFactory
from tests.invoicing.correction_pages import annulled, given, shown, text_of, url_of
from tests.invoicing.correction_pages import finances as finances
from tests.invoicing.correction_pages import mandat_texts as mandat_texts
from tests.invoicing.correction_pages import over as over
from tests.invoicing.correction_pages import titre as titre
from tests.invoicing.correction_pages import today as today
from tests.invoicing.correction_pages import world as world

pytestmark = [
    pytest.mark.django_db,
    # WeasyPrint 70 leaves its colour profile for the garbage collector to close.
    pytest.mark.filterwarnings("ignore:unclosed file .*sRGB2014:ResourceWarning"),
]


@pytest.mark.parametrize("action", ["annul", "reduce", "annul_and_reissue"])
def test_past_the_exercice_the_page_leads_at_once_to_the_request_of_a_mandat(
    finances, world, titre, over, mandat_texts, action
):
    page = finances.get(url_of(action, titre), follow=True)
    assert page.redirect_chain[-1][0] == url_of("request_mandat", titre)
    assert "Le 02/03/2026, l'exercice 2025 et sa période complémentaire sont finis" in shown(page)
    assert "Seul un mandat le compense" in shown(page)
    typed = given(world, debtor=titre.debtor_id, what_1="rubrique:ECOLE", amount_1="1", compute="True")
    page = finances.post(url_of(action, titre), typed, follow=True)  # dated within the exercice
    assert page.redirect_chain[-1][0] == url_of("request_mandat", titre)
    assert not titre.corrections.exists()
    assert Run.objects.count() == 1


def test_a_titre_closed_between_the_page_and_the_click_leads_there_too(
    finances, world, titre, mandat_texts, monkeypatch
):
    page = finances.get(url_of("annul", titre))
    assert page.status_code == 200
    monkeypatch.setattr("invoicing.numbering.localdate", lambda: dt.date(2026, 3, 2))
    page = finances.post(url_of("annul", titre), given(world), follow=True)
    assert "Seul un mandat le compense" in shown(page)


def test_past_the_exercice_an_annulled_titre_is_left_to_a_supplementary_campaign(
    finances, world, titre, request
):
    annulled(world, titre)
    request.getfixturevalue("over")
    page = finances.get(url_of("annul_and_reissue", titre), follow=True)
    assert "n'y est plus ré-émis. Une campagne complémentaire appellera" in shown(page)
    page = finances.get(url_of("request_mandat", titre), follow=True)
    assert "Il ne reste rien à demander" in shown(page)


def test_in_an_open_exercice_no_mandat_is_asked_for(finances, titre):
    still_open = finances.get(url_of("request_mandat", titre), follow=True)
    assert "L'exercice 2025 est encore ouvert" in shown(still_open)


def test_an_officer_asks_for_a_mandat_and_downloads_it(finances, world, titre, over, mandat_texts):
    asked = given(world, amount="40,00", on="02/03/2026")
    page = finances.post(url_of("request_mandat", titre), asked, follow=True)
    assert "La demande d'un mandat de 40,00 € au compte 673 est prête" in shown(page)
    request = MandatRequest.objects.get()
    page = finances.get(reverse("admin:invoicing_mandatrequest_download_request", args=[request.pk]))
    text = text_of(b"".join(page.streaming_content) if page.streaming else page.content)
    for words in (
        "Demande de mandat d'annulation",
        titre.reference,
        "Recette définitive.",
        "Erreur de liquidation",
        "École fermée avant la rentrée.",
        "673",
        "quarante euros",
        "Date et signature",
    ):
        assert words in text
    assert "Reste à demander : 50,00 €." in shown(finances.get(url_of("request_mandat", titre)))


@pytest.fixture
def asked(world, titre, over, mandat_texts, monkeypatch):
    """A mandat of 40 € asked for on 02/03/2026, the day it is."""
    monkeypatch.setattr(mandats, "render_pdf", lambda *args: b"%PDF")
    return mandats.request_mandat(
        titre=titre,
        amount=Decimal("40.00"),
        reason_code=Titre.Reason.WRONG_AMOUNT,
        reason="Erreur.",
        on=dt.date(2026, 3, 2),
        signatory=world.signatory,
        actor="essai",
    )


def mandat_page(name, asked):
    return reverse(f"admin:invoicing_mandatrequest_{name}", args=[asked.pk])


def test_an_officer_records_the_mandat_then_the_day_it_was_paid(finances, asked):
    url = mandat_page("record_mandat", asked)
    page = finances.post(url, {"mandat": " 1 204 ", "paid_on": ""}, follow=True)
    assert "Mandat n° 1 204 enregistré." in shown(page)
    assert 'value="1 204"' in shown(finances.get(url))
    page = finances.post(url, {"mandat": "1204", "paid_on": "02/03/2026"}, follow=True)
    asked.refresh_from_db()
    assert (asked.mandat, asked.paid_on) == ("1204", dt.date(2026, 3, 2))
    entries = JournalEntry.objects.filter(action="record-mandat").order_by("pk")
    assert [(entry.actor, entry.data["paid_on"]) for entry in entries] == [
        ("finances", None),
        ("finances", "2026-03-02"),
    ]
    page = finances.get(url, follow=True)
    assert "Le mandat n° 1204 est déjà payé, depuis le 02/03/2026." in shown(page)
    with pytest.raises(IssueRefused, match="déjà payé"):
        mandats.record_mandat(request=asked, mandat="9", paid_on=None, actor="essai")
    page = shown(finances.get(reverse("admin:invoicing_titre_change", args=[asked.titre_id])))
    assert f'href="{mandat_page("change", asked)}"' in page
    assert "1204" in page


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"mandat": " "}, "Ce champ est obligatoire"),
        ({"mandat": "1", "paid_on": "01/03/2026"}, "a été demandé le 02/03/2026"),
        ({"mandat": "1", "paid_on": "03/03/2026"}, "est à venir"),
    ],
)
def test_a_wrong_mandat_is_told_on_the_page(finances, asked, typed, message):
    assert message in shown(finances.post(mandat_page("record_mandat", asked), typed))
    asked.refresh_from_db()
    assert (asked.mandat, asked.paid_on) == ("", None)


@pytest.mark.parametrize("role", ["gestionnaire", "lecture"])
def test_only_finances_records_a_mandat(client, asked, role):
    account(client, role, asked.titre.issuer)
    assert client.get(mandat_page("record_mandat", asked)).status_code == 403


def test_the_requests_of_another_issuer_are_out_of_sight(
    client, world, titre, over, mandat_texts, monkeypatch
):
    monkeypatch.setattr(mandats, "render_pdf", lambda *args: b"%PDF")
    request = mandats.request_mandat(
        titre=titre,
        amount=Decimal("1.00"),
        reason_code=Titre.Reason.DUPLICATE,
        reason="Erreur.",
        on=dt.date(2026, 3, 2),
        signatory=world.signatory,
        actor="essai",
    )
    url = reverse("admin:invoicing_mandatrequest_download_request", args=[request.pk])
    account(client, "finances", IssuerFactory(code="AUTRE"))
    assert client.get(url).status_code == 404
