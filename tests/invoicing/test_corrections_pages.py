"""Staff and mayor's pages of corrections, within the exercice of their titres."""

from decimal import Decimal

import pytest
from django.urls import reverse

from conventions.models import Convention, Enrolment
from invoicing import called_again
from invoicing.calculation import open_supplement
from invoicing.correction_payload import PartOff
from invoicing.corrections import due
from invoicing.models import Run, Titre, TitreDocument
from invoicing.payments import record_payment
from invoicing.reissue import annul_and_reissue
from invoicing.rendering import without_document
from members.models import Member, School
from tests.conventions.world import account
from tests.factories import EnrolmentFactory, IssuerFactory
from tests.invoicing.correction_pages import DAY, annulled, given, shown, url_of
from tests.invoicing.correction_pages import finances as finances
from tests.invoicing.correction_pages import over as over
from tests.invoicing.correction_pages import titre as titre
from tests.invoicing.correction_pages import today as today
from tests.invoicing.correction_pages import world as world
from tests.members.portal.people import signed_in

pytestmark = [
    pytest.mark.django_db,
    # WeasyPrint 70 leaves its colour profile for the garbage collector to close.
    pytest.mark.filterwarnings("ignore:unclosed file .*sRGB2014:ResourceWarning"),
]
OFFICE = "mairie@example.org"
ACTIONS = ("annul", "reduce", "annul_and_reissue", "request_mandat")


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
