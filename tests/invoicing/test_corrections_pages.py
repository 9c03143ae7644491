"""Staff and mayor's pages of corrections, and their documents."""

import datetime as dt
import io
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone
from pypdf import PdfReader

from conventions.models import Convention, Enrolment
from entsvc import documents
from entsvc.models import JournalEntry
from invoicing import called_again, mandats
from invoicing.calculation import open_supplement
from invoicing.correction_payload import PartOff
from invoicing.corrections import correct, due
from invoicing.models import MandatRequest, NumberingPolicy, Run, Series, Titre, TitreDocument
from invoicing.numbering import IssueRefused
from invoicing.payments import record_payment
from invoicing.reissue import annul_and_reissue
from invoicing.rendering import draw, render_missing, without_document
from members.models import Member, School
from tests.conventions.world import account
from tests.factories import DatedTextFactory, EnrolmentFactory, IssuerFactory
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
    """Within the exercice of the titres, but where `over` says otherwise."""
    monkeypatch.setattr(timezone, "localdate", lambda *args: dt.date(2025, 12, 1))


@pytest.fixture
def over(monkeypatch):
    """The exercice 2025 is over, and its complementary period too; nobody closed it."""
    for name in ("django.utils.timezone.localdate", "invoicing.numbering.localdate"):
        monkeypatch.setattr(name, lambda *args: dt.date(2026, 3, 2))


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
def test_only_finances_corrects(client, titre, role, status, action, request):
    if action == "request_mandat":
        request.getfixturevalue("over")
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
    assert "Dû après corrections : 90,00 €. Déjà payé : 0,00 €." in shown(page)
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


# --- What would be called again ---------------------------------------------------------------


def test_what_the_data_still_ask_is_told_before_it_is_annulled(finances, world, titre):
    words = "les données d'aujourd'hui demandent encore 90,00 € à"
    page = shown(finances.get(url_of("annul", titre)))
    assert words in page
    assert "la prochaine campagne complémentaire appellera cette somme de nouveau" in page
    assert "une décharge du juge et une créance déjà appelée ne le sont plus" in page
    Convention.objects.filter(debtor=titre.debtor).update(last_year=2023, first_year=2020)
    page = shown(finances.get(url_of("annul", titre)))
    assert "campagne complémentaire" not in page


def test_how_much_may_come_off_without_being_called_again_is_told(finances, world, titre):
    page = shown(finances.get(url_of("reduce", titre)))
    assert "appellera ce qui est retiré de nouveau" in page
    Enrolment.objects.filter(convention__debtor=titre.debtor).latest("pk").delete()
    page = shown(finances.get(url_of("reduce", titre)))
    assert "ne demandent plus que 45,00 €" in page
    assert "Retirer 45,00 € y ramène ce titre" in page
    line = titre.lines.get(position=2)
    annulled(world, titre, kind=Titre.Kind.REDUCTION, parts=[PartOff(Decimal("45.00"), line)])
    assert "appellera ce qui est retiré de nouveau" in shown(finances.get(url_of("reduce", titre)))


def test_what_another_titre_of_the_debtor_asks_is_not_told_of_this_one(world, titre):
    EnrolmentFactory(convention=Convention.objects.get(debtor=titre.debtor))
    run = open_supplement(campaign=titre.campaign, reason="école oubliée", actor="essai")
    [other] = world.issue(run).titres
    found = called_again.still_asked(Titre.objects.filter(pk__in=[titre.pk, other.pk]).order_by("pk"))
    assert found == {titre.pk: 90, other.pk: 45}


def test_of_a_debtor_that_cannot_be_assessed_nothing_is_told(finances, world, titre):
    school = titre.lines.get(position=1).uai
    School.objects.filter(uai=school).update(degree="X")
    assert called_again.still_asked([titre]) == {}
    assert finances.get(url_of("annul", titre)).status_code == 200


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


def test_issuing_the_same_titre_again_is_warned_about(finances, world, titre):
    world.compute()
    words = "Rien n'a changé depuis ce titre : même débiteur, même adresse, mêmes lignes."
    assert words in shown(finances.get(url_of("annul_and_reissue", titre)))


@pytest.mark.parametrize(
    "mended",
    [
        {"address": "9 rue Réparée"},
        {"name": "Commune nouvelle"},
        {"service_code": "COMPTA"},
        {"engagement_number": "E-1"},
    ],
)
def test_a_debtor_mended_since_is_not_the_same(finances, world, titre, mended):
    Member.objects.filter(pk=titre.debtor_id).update(**mended)
    world.compute()
    page = shown(finances.get(url_of("annul_and_reissue", titre)))
    assert "Débiteur du nouveau titre" in page
    assert "Rien n'a changé" not in page


def test_lines_mended_since_are_not_the_same(finances, world, titre):
    Enrolment.objects.filter(convention__debtor=titre.debtor).latest("pk").delete()
    world.compute()
    page = shown(finances.get(url_of("annul_and_reissue", titre)))
    assert "Débiteur du nouveau titre" in page
    assert "Rien n'a changé" not in page


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
