"""Staff and mayor's pages of corrections, and their documents."""

import datetime as dt
import io
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone
from pypdf import PdfReader

from conventions.models import Convention
from entsvc import documents
from invoicing import mandats
from invoicing.correction_payload import PartOff
from invoicing.corrections import correct, due
from invoicing.models import MandatRequest, NumberingPolicy, Run, Series, Titre, TitreDocument
from invoicing.payments import record_payment
from invoicing.reissue import annul_and_reissue
from invoicing.rendering import draw, render_missing, without_document
from members.models import Member
from tests.conventions.world import account
from tests.factories import DatedTextFactory, IssuerFactory
from tests.members.portal.people import signed_in

pytestmark = [
    pytest.mark.django_db,
    # WeasyPrint 70 leaves its colour profile for the garbage collector to close.
    pytest.mark.filterwarnings("ignore:unclosed file .*sRGB2014:ResourceWarning"),
]
OFFICE = "mairie@example.org"
DAY = dt.date(2025, 4, 10)
ACTIONS = ("annul", "reduce", "annul_and_reissue", "request_mandat")
REASON = {
    "reason_code": Titre.Reason.WRONG_AMOUNT,
    "reason": "École fermée avant la rentrée.",
    "on": "10/04/2025",
}


@pytest.fixture(autouse=True)
def today(monkeypatch):
    """The exercice 2025 is over, and its complementary period too."""
    monkeypatch.setattr(timezone, "localdate", lambda *args: dt.date(2026, 3, 2))


@pytest.fixture
def titre(world):
    """A titre of 90 €: two schools."""
    return next(t for t in world.issue().titres if t.total == 90)


@pytest.fixture
def finances(client, titre):
    account(client, "finances", titre.issuer)
    return client


@pytest.fixture
def mandat_texts():
    DatedTextFactory(scope="ETAT", code="compte-exercice-clos", body="673")
    DatedTextFactory(scope="ETAT", code="motif-exercice-clos", body="Recette définitive.")


def url_of(action, titre):
    return reverse(f"admin:invoicing_titre_{action}", args=[titre.pk])


def given(world, **changes):
    return {**REASON, "signatory": world.signatory.pk, **changes}


def shown(page):
    return page.content.decode().replace("\u00a0", " ").replace("\u202f", " ").replace("&#x27;", "'")


def text_of(content):
    pages = PdfReader(io.BytesIO(content)).pages
    text = " ".join(page.extract_text() for page in pages)
    return " ".join(text.replace("’", "'").replace("\u00a0", " ").split())


def annulled(world, titre, **changes):
    asked = {
        "titre": titre,
        "kind": Titre.Kind.ANNULATION,
        "reason_code": Titre.Reason.WRONG_AMOUNT,
        "reason": "École fermée avant la rentrée.",
        "on": DAY,
        "signatory": world.signatory,
        "actor": "essai",
        **changes,
    }
    return correct(**asked)


# --- Who may ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "status"), [("finances", 200), ("gestionnaire", 403), ("lecture", 403)]
)
@pytest.mark.parametrize("action", ACTIONS)
def test_only_finances_corrects(client, titre, role, status, action):
    account(client, role, titre.issuer)
    assert client.get(url_of(action, titre)).status_code == status
    page = client.get(reverse("admin:invoicing_titre_change", args=[titre.pk]))
    assert (url_of(action, titre) in page.content.decode()) is (status == 200)


@pytest.mark.parametrize("action", ACTIONS)
def test_the_titres_of_another_issuer_are_out_of_sight(client, titre, action):
    account(client, "finances", IssuerFactory(code="AUTRE"))
    assert client.get(url_of(action, titre)).status_code == 404


# --- Annulling --------------------------------------------------------------------------------


def test_an_officer_annuls_a_titre(finances, world, titre, blank_pdf):
    page = finances.get(url_of("annul", titre))
    assert "Il en reste dû 90,00 €. Déjà payé : 0,00 €." in shown(page)
    assert not titre.corrections.exists()
    page = finances.post(url_of("annul", titre), given(world), follow=True)
    assert "Annulation TST-2025-A00001 : 90,00 €." in shown(page)
    annulation = titre.corrections.get()
    assert TitreDocument.objects.filter(titre=annulation).exists()
    assert "École fermée avant la rentrée." in shown(page)
    again = finances.post(url_of("annul", titre), given(world), follow=True)
    assert "est déjà annulé" in shown(again)
    assert titre.corrections.count() == 1


def test_the_page_of_a_correction_leads_to_its_titre(finances, world, titre):
    annulation = annulled(world, titre)
    page = finances.get(reverse("admin:invoicing_titre_change", args=[annulation.pk]))
    assert f'Corrige <a href="{reverse("admin:invoicing_titre_change", args=[titre.pk])}"' in shown(page)
    assert "Erreur de liquidation : École fermée" in shown(page)
    for action in ACTIONS:
        page = finances.get(url_of(action, annulation), follow=True)
        assert "partez du titre d'origine" in shown(page)


def test_what_was_paid_too_much_is_told_before_the_click(finances, world, titre):
    record_payment(titre=titre, amount=Decimal("60.00"), received_on=DAY, reference="V1", actor="essai")
    page = finances.get(url_of("annul", titre))
    assert "un trop-perçu de 60,00 € restera à rembourser" in shown(page)
    assert "s'il reste dû moins que cela" in shown(finances.get(url_of("reduce", titre)))


def test_a_wrong_annulation_is_told_on_the_page(finances, world, titre):
    page = finances.post(url_of("annul", titre), given(world, reason=""))
    assert "Ce champ est obligatoire" in shown(page)
    page = finances.post(url_of("annul", titre), given(world, on="01/03/2025"))
    assert "est du 03/03/2025" in shown(page)
    assert not titre.corrections.exists()


# --- Reducing ---------------------------------------------------------------------------------


def test_an_officer_reduces_a_line_and_a_charge(finances, world, titre, blank_pdf):
    line = titre.lines.get(position=1)
    rows = {
        "what_1": line.pk, "amount_1": "20,50", "what_2": "rubrique:ECOLE", "amount_2": "9.50",
    }  # fmt: skip
    page = finances.post(url_of("reduce", titre), given(world, **rows), follow=True)
    assert "Réduction TST-2025-A00001 : 30,00 €." in shown(page)
    reduction = titre.corrections.get()
    assert [row.amount for row in reduction.lines.order_by("position")] == [
        Decimal("20.50"),
        Decimal("9.50"),
    ]
    assert "Déjà retiré : 30,00 €, par 1 correction." in shown(finances.get(url_of("reduce", titre)))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({}, "Ce champ est obligatoire"),
        ({"what_1": "rubrique:ECOLE"}, "Ce champ est obligatoire"),
        ({"what_1": "rubrique:ECOLE", "amount_1": "1", "amount_2": "5"}, "Dites de quelle ligne"),
        (
            {"what_1": "rubrique:ECOLE", "amount_1": "1", "what_2": "rubrique:ECOLE"},
            "Donnez le montant",
        ),
        ({"what_1": "rubrique:ECOLE", "amount_1": "-1"}, "est positif"),
        ({"what_1": "rubrique:ECOLE", "amount_1": "91"}, "90,00 € restant dus"),
        ({"what_1": "999999999", "amount_1": "1"}, "Sélectionnez un choix valide"),
    ],
)
def test_a_wrong_reduction_is_told_on_the_page(finances, world, titre, rows, message):
    page = finances.post(url_of("reduce", titre), given(world, **rows))
    assert message in shown(page)
    assert not titre.corrections.exists()


# --- Issuing again ----------------------------------------------------------------------------


def test_an_officer_computes_then_issues_again(finances, world, titre, blank_pdf):
    Member.objects.filter(pk=titre.debtor_id).update(address="9 rue Réparée")
    page = finances.get(url_of("annul_and_reissue", titre))
    assert "n'a aucun appel qui puisse remplacer ce titre" in shown(page)
    page = finances.post(url_of("annul_and_reissue", titre), {"compute": "True"}, follow=True)
    assert Run.objects.count() == 2
    assert "Débiteur du nouveau titre" in shown(page)
    assert not titre.corrections.exists()
    asked = given(world, debtor=titre.debtor_id, reason_code="debiteur")
    page = finances.post(url_of("annul_and_reissue", titre), asked, follow=True)
    new = Titre.objects.get(replaces=titre)
    assert f"Le titre {titre.reference} est remplacé par {new.reference}" in shown(page)
    assert f'Remplacé par <a href="{reverse("admin:invoicing_titre_change", args=[new.pk])}"' in (
        shown(page)
    )
    assert not without_document(Titre.objects.filter(pk__in=[new.pk])).exists()
    assert (due(titre), due(new)) == (0, 90)


def test_who_computes_does_not_issue_again_where_duties_are_separate(finances, world, titre):
    world.issuer.separate_duties = True
    world.issuer.save()
    finances.post(url_of("annul_and_reissue", titre), {"compute": "True"})
    page = finances.post(url_of("annul_and_reissue", titre), given(world, debtor=titre.debtor_id))
    assert "une autre personne doit" in shown(page)
    assert not titre.corrections.exists()


def test_a_blocked_call_is_told_with_what_mends_it(finances, world, titre):
    Member.objects.filter(pk=titre.debtor_id).update(address="")
    world.compute()
    page = finances.get(url_of("annul_and_reissue", titre))
    assert "est bloqué : À compléter – Débiteur : adresse." in shown(page)


# --- Closed exercice --------------------------------------------------------------------------


def test_past_the_exercice_the_page_leads_to_the_request_of_a_mandat(
    finances, world, titre, mandat_texts
):
    page = finances.post(url_of("annul", titre), given(world, on="02/03/2026"), follow=True)
    assert page.redirect_chain[-1][0] == url_of("request_mandat", titre)
    assert "Seul un mandat le compense" in shown(page)


def test_in_an_open_exercice_no_mandat_is_asked_for(finances, titre, monkeypatch):
    monkeypatch.setattr(timezone, "localdate", lambda: DAY)
    still_open = finances.get(url_of("request_mandat", titre), follow=True)
    assert "L'exercice 2025 est encore ouvert" in shown(still_open)


def test_an_officer_asks_for_a_mandat_and_downloads_it(finances, world, titre, mandat_texts):
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


def test_the_requests_of_another_issuer_are_out_of_sight(
    client, world, titre, mandat_texts, monkeypatch
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


# --- Documents --------------------------------------------------------------------------------


def test_the_document_of_a_reduction_says_what_it_takes_and_asks_for_nothing(world, titre):
    line = titre.lines.get(position=1)
    reduction = annulled(
        world, titre, kind=Titre.Kind.REDUCTION, parts=[PartOff(Decimal("20.00"), line)]
    )
    [drawn] = render_missing(Titre.objects.filter(pk=reduction.pk))
    content = documents.read(TitreDocument.objects.get(titre=drawn).document)
    text = text_of(content)
    for words in (
        "Titre de réduction N° 1",
        "Titre n° 2 du 3 mars 2025",
        titre.reference,
        "Montant du titre 90,00 €",
        "Dû après ce document 70,00 €",
        "Erreur de liquidation",
        "École fermée avant la rentrée.",
        line.uai,
        "ramenés à 25,00 €",
        "Total de la réduction",
        "vingt euros",
        "ne demande aucun paiement",
        "Camille ESSAI",
        "Voies et délais de recours",
    ):
        assert words in text
    for absent in ("Pour payer", "IBAN", "Référence à rappeler", "Force exécutoire"):
        assert absent not in text


def test_the_document_of_an_annulation_after_a_reduction(world, titre):
    line = titre.lines.get(position=1)
    first = annulled(world, titre, kind=Titre.Kind.REDUCTION, parts=[PartOff(Decimal("20.00"), line)])
    text = text_of(draw(annulled(world, titre)))
    for words in (
        "Titre d'annulation N° 2",
        "Dû avant ce document 70,00 €",
        "Dû après ce document 0,00 €",
        f"Réduction {first.reference}",
        "Total annulé",
        "soixante-dix euros",
    ):
        assert words in text


def test_a_new_titre_says_which_one_it_replaces(world, titre):
    world.compute()
    new = annul_and_reissue(
        titre=titre,
        debtor=titre.debtor,
        reason_code=Titre.Reason.WRONG_DEBTOR,
        reason="Adresse erronée.",
        on=DAY,
        signatory=world.signatory,
        actor="essai",
    ).titre
    text = text_of(draw(new))
    assert "Ce titre remplace le titre n° 2 du 3 mars 2025 (90,00 €), annulé." in text
    assert "Pour payer" in text


def test_a_correction_at_the_number_of_the_accountant_goes_out_as_a_project(world, titre):
    NumberingPolicy.objects.create(
        issuer=world.issuer,
        budget="00",
        exercice=2025,
        kind=Series.CORRECTION,
        mode=NumberingPolicy.Mode.EXTERNAL,
    )
    annulation = annulled(world, titre)
    assert annulation.payload["document"]["external"] is True
    text = text_of(draw(annulation))
    assert "Projet de titre d'annulation Réf. provisoire TST-2025-A00001" in text
    assert "Voies et délais" not in text


# --- The mayor's page -------------------------------------------------------------------------


@pytest.fixture
def office(titre):
    Member.objects.filter(pk=titre.debtor_id).update(email=OFFICE)
    return signed_in(OFFICE)


def test_the_mayor_reads_what_corrects_a_titre_and_what_replaces_it(world, titre, office):
    world.compute()
    done = annul_and_reissue(
        titre=titre,
        debtor=titre.debtor,
        reason_code=Titre.Reason.WRONG_DEBTOR,
        reason="Adresse erronée.",
        on=DAY,
        signatory=world.signatory,
        actor="essai",
    )
    page = shown(office.get(reverse("espace-titres:titre", args=[titre.pk])))
    assert "Annulé" in page
    assert f"{done.titre.reference}</a> le remplace" in page
    assert "du 10 avril 2025, 90,00 € : erreur sur le débiteur" in page
    page = shown(office.get(reverse("espace-titres:titre", args=[done.titre.pk])))
    assert f"{titre.reference}</a>, annulé" in page
    page = shown(office.get(reverse("espace-titres:titre", args=[done.annulation.pk])))
    assert "Erreur sur le débiteur : Adresse erronée." in page


def test_the_mayor_is_told_nothing_of_the_titre_of_another_debtor(world, titre, office):
    stranger = world.join(1)
    Convention.objects.filter(debtor=titre.debtor).update(debtor=stranger)
    world.compute()
    new = annul_and_reissue(
        titre=titre,
        debtor=stranger,
        reason_code=Titre.Reason.WRONG_DEBTOR,
        reason="Payée par une autre commune.",
        on=DAY,
        signatory=world.signatory,
        actor="essai",
    ).titre
    page = shown(office.get(reverse("espace-titres:titre", args=[titre.pk])))
    assert "Annulé" in page
    assert new.reference not in page
    assert office.get(reverse("espace-titres:titre", args=[new.pk])).status_code == 404
