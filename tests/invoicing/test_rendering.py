"""The document of a titre: one, stored once, drawn from what was frozen, with every mention."""

import datetime as dt
import hashlib
import io
from decimal import Decimal

import pytest
from django.test import override_settings
from pypdf import PdfReader

from entsvc import documents
from entsvc.documents import CorruptDocument
from entsvc.models import StoredDocument
from entsvc.pdf import PdfError
from invoicing import rendering
from invoicing.calculation import compute_run
from invoicing.issuing import issue
from invoicing.models import Titre, TitreDocument
from invoicing.regimes import load_regimes
from invoicing.rendering import draw, render_missing, without_document
from members.models import Act, Issuer, Member, School, Signatory
from tariffs.models import Schedule
from tests.factories import (
    ActFactory,
    ConventionFactory,
    EnrolmentFactory,
    MemberFactory,
    SchoolFactory,
)
from tests.invoicing.world import a_world

# WeasyPrint 70 leaves its colour profile for the garbage collector to close.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file .*sRGB2014:ResourceWarning")

SPECIMEN = "SPÉCIMEN – signataire et comptable fictifs"


def text_of(content):
    """A PDF's text on one line, typographic spaces and apostrophes made plain."""
    pages = PdfReader(io.BytesIO(content)).pages
    text = " ".join(page.extract_text() for page in pages)
    return " ".join(text.replace("’", "'").split())


def documents_of(titres):
    rows = TitreDocument.objects.filter(titre__in=[titre.pk for titre in titres])
    return {row.titre_id: row.document for row in rows.select_related("document").order_by("pk")}


# --- Stored once ------------------------------------------------------------------------------


def test_each_titre_has_one_stored_document(world, blank_pdf, media):
    titres = world.issue().titres
    drawn = list(render_missing(Titre.objects.all()))
    assert [titre.number for titre in drawn] == [1, 2, 3]
    stored = documents_of(titres)
    for titre in titres:
        document = stored[titre.pk]
        content = (media / document.path).read_bytes()
        assert content == f"%PDF {titre.reference}".encode()
        assert document.sha256 == hashlib.sha256(content).hexdigest()
        assert (document.size, document.content_type) == (len(content), "application/pdf")


def test_what_is_stored_is_not_drawn_again(world, blank_pdf, monkeypatch):
    world.issue()
    list(render_missing(Titre.objects.all()))
    monkeypatch.setattr(rendering, "draw", lambda titre: pytest.fail("dessiné une seconde fois"))
    assert list(render_missing(Titre.objects.all())) == []
    assert TitreDocument.objects.count() == 3


def test_killed_half_way_only_what_is_missing_is_drawn(world, blank_pdf, monkeypatch):
    titres = world.issue().titres
    worker = render_missing(Titre.objects.all())
    assert next(worker).number == 1
    worker.close()
    assert [titre.number for titre in without_document(Titre.objects.all())] == [2, 3]

    first = documents_of(titres)[titres[0].pk]
    drawn = []
    monkeypatch.setattr(rendering, "draw", lambda t: drawn.append(t.number) or f"{t.pk}".encode())
    assert [titre.number for titre in render_missing(Titre.objects.all())] == [2, 3]
    assert drawn == [2, 3]
    assert documents_of(titres)[titres[0].pk] == first


@pytest.mark.parametrize("point", ["file", "document", "titre document"])
def test_a_failure_while_storing_leaves_the_titre_to_do_again(
    world, blank_pdf, monkeypatch, media, point
):
    world.issue()
    holder, name = {
        "file": (documents.default_storage, "save"),
        "document": (StoredDocument.objects, "get_or_create"),
        "titre document": (TitreDocument.objects, "create"),
    }[point]

    def fail(*args, **kwargs):
        raise RuntimeError("coupure")

    with monkeypatch.context() as patch:
        patch.setattr(holder, name, fail)
        with pytest.raises(RuntimeError, match="coupure"):
            list(render_missing(Titre.objects.all()))
    assert without_document(Titre.objects.all()).count() == 3
    assert len(list(render_missing(Titre.objects.all()))) == 3
    # Those of three titres and of their bordereau.
    assert len([path for path in media.rglob("*") if path.is_file()]) == 4


@pytest.mark.parametrize("same_bytes", [True, False])
def test_two_renderers_leave_one_document(world, monkeypatch, same_bytes):
    """The second one stores its drawing while the first is still at it."""
    titres = world.issue().titres[:1]
    mine = Titre.objects.filter(pk=titres[0].pk)
    theirs = b"%PDF le premier fini"

    def draw_while_another_stores(titre):
        monkeypatch.setattr(rendering, "draw", lambda titre: theirs)
        assert len(list(render_missing(mine))) == 1
        return theirs if same_bytes else b"%PDF le second"

    monkeypatch.setattr(rendering, "draw", draw_while_another_stores)
    list(render_missing(mine))
    document = TitreDocument.objects.get(titre=titres[0]).document
    assert documents.read(document) == theirs


def test_a_document_that_changed_on_disk_is_not_served(world, blank_pdf, media):
    titres = world.issue().titres
    list(render_missing(Titre.objects.all()))
    document = documents_of(titres)[titres[0].pk]
    assert documents.read(document) == b"%PDF TST-2025-000001"
    (media / document.path).write_bytes(b"%PDF TST-2025-000002")
    with pytest.raises(CorruptDocument):
        documents.read(document)


def test_a_drawing_that_fails_stops_there_and_says_why(world, monkeypatch):
    world.issue()

    def refuse(*args):
        raise PdfError("Ressource refusée")

    monkeypatch.setattr(rendering, "render_pdf", refuse)
    with pytest.raises(PdfError, match="Ressource refusée"):
        list(render_missing(Titre.objects.all()))
    assert not TitreDocument.objects.exists()


# --- What it says -----------------------------------------------------------------------------


@pytest.fixture
def saubens(db):
    """The issued titre of Saubens: one of its two schools, 45 €, under its deliberation."""
    load_regimes(actor="essai")
    schedule = Schedule.objects.get(code="OCC-ENT-ECOLE")
    commune = MemberFactory(
        siret="21310533100010",
        name="Commune de Saubens",
        address="1 place de la Mairie",
        postal_code="31600",
        city="Saubens",
        service_code="ECOLES",
        engagement_number="BC-2025-7",
    )
    deliberation = ActFactory(
        kind=Act.Kind.DELIBERATION,
        number="2024/36",
        authority="conseil municipal de Saubens",
        issuer=None,
        member=commune,
        date=dt.date(2024, 6, 20),
    )
    convention = ConventionFactory(
        schedule=schedule,
        party=commune,
        reference="ENT-2024-31533",
        act=deliberation,
        signed_on=dt.date(2024, 9, 1),
    )
    school = SchoolFactory(
        uai="0310891A",
        name="E.E.PU LE PETIT PRINCE",
        level=School.Level.ELEMENTAIRE,
        commune_name="Saubens",
    )
    EnrolmentFactory(convention=convention, school=school)
    run = compute_run(schedule=schedule, year=2024, actor="essai")
    signatory = Signatory.objects.get(issuer__code="OCC")
    [titre] = issue(run=run, on=dt.date(2025, 3, 3), signatory=signatory, actor="essai").titres
    return Titre.objects.get(pk=titre.pk)


MENTIONS = {
    "ministère": "Ministère de l'Éducation nationale",
    "émetteur": "Région académique Occitanie",
    "service ordonnateur": "Région académique Occitanie – numérique pour l'éducation",
    "adresse de l'émetteur": "31 rue de l'Université, 34064 Montpellier Cedex 2",
    "centre de coûts": "Centre de coûts EXEMPLE0031",
    "contact": "Contact : Bureau des conventions ENT-École",
    "titre de perception": "Titre de perception",
    "numéro et exercice": "N° 1 – exercice 2025",
    "date": "Émis et rendu exécutoire le 3 mars 2025",
    "référence": "Référence OCC-2025-000001",
    "bordereau": "Bordereau n° 1",
    "force exécutoire": "l'article L. 252 A du livre des procédures fiscales",
    "débiteur": "Commune de Saubens 1 place de la Mairie 31600 Saubens",
    "SIRET du débiteur": "SIRET du débiteur 213 105 331 00010",
    "code service": "Code service ECOLES",
    "engagement": "Engagement BC-2025-7",
    "objet": "Participation à l'ENT-École, année scolaire 2024-2025",
    "convention": "Convention ENT-2024-31533 signée le 1er septembre 2024",
    "délibération": "délibération n° 2024/36 du 20/06/2024 (conseil municipal de Saubens)",
    "tarif": "Tarif 2024-2025",
    "acte du tarif": "Convention-type (région académique Occitanie)",
    "base de liquidation : école": "E.E.PU LE PETIT PRINCE 0310891A Saubens",
    "base de liquidation : calcul": "1 école × 45,00 €",
    "montant": "Total à payer Hors du champ de la TVA 45,00 €",
    "montant en lettres": "Arrêté à la somme de quarante-cinq euros",
    "imputation : programme": "Programme EXEMPLE",
    "imputation : compte": "Compte 000000",
    "auteur": "Prénom FICTIF Recteur de région académique",
    "signature": "sa signature figure sur l'état récapitulatif",
    "comptable": "Comptable chargé du recouvrement Comptable FICTIF – à remplacer",
    "adresse du comptable": "1 place de l'Exemple, 34000 Montpellier",
    "contact du comptable": "00 00 00 00 00 · comptable@example.org",
    "IBAN": "IBAN FR76 0000 0000 0000 0000 0000 000",
    "BIC": "BIC BDFEFRPPCCT",
    "référence de paiement": "Référence à rappeler RF20OCC2025000001",
    "date limite": "avant le 15 du deuxième mois qui suit le mois d'émission",
    "majoration": "peut être majorée de 10 %",
    "contestation au comptable": "Adressez d'abord votre contestation, avec les pièces",
    "contestation : deux mois": "Vous avez deux mois, à partir de la notification de ce titre",
    "contestation : articles": "articles 117 et 118 du décret n° 2012-1246",
    "contestation : suspension": "suspend le recouvrement",
    "contestation : transmission": "Le comptable en accuse réception et la transmet",
    "contestation : six mois": "a six mois pour répondre ; sans réponse dans ce délai, elle est rejetée",
    "contestation : tribunal": "deux mois, à compter de la décision ou de l'expiration des six mois, "
    "pour saisir le tribunal administratif de Montpellier",
    "poursuites": "article 119 du même décret, articles L. 281",
}


def test_the_titre_of_saubens_bears_every_mention_of_the_state(saubens):
    text = text_of(draw(saubens))
    assert {name: mention for name, mention in MENTIONS.items() if mention not in text} == {}, text
    assert "0312522Y" not in text


def test_the_titre_of_saubens_is_a_specimen_in_full_view(saubens):
    assert saubens.payload["document"]["specimen"] is True
    assert SPECIMEN in text_of(draw(saubens))


def test_a_true_signatory_and_accountant_make_no_specimen(world):
    titre = world.issue().titres[0]
    assert "SPÉCIMEN" not in text_of(draw(titre))


def test_the_drawing_is_the_same_whenever_it_is_made(saubens):
    first = draw(saubens)
    Member.objects.update(name="AUTRE", address="AUTRE", city="AUTRE")
    Issuer.objects.update(name="AUTRE", contact="AUTRE")
    assert draw(Titre.objects.get(pk=saubens.pk)) == first


def test_the_stored_document_is_the_drawing(saubens):
    [titre] = render_missing(Titre.objects.filter(pk=saubens.pk))
    assert documents.read(titre.documents.get().document) == draw(saubens)


def test_a_local_titre_bears_its_own_words(db):
    world = a_world(members=1, regime=Issuer.Regime.LOCAL)
    text = text_of(draw(world.issue().titres[0]))
    for mention in (
        "Titre de recettes – avis des sommes à payer",
        "Budget Budget principal",
        "Codique 031000",
        "Ouvert du lundi au vendredi",
        "Nature 7000",
        "Fonction 020",
        "Code produit local ENT1",
    ):
        assert mention in text, mention


def test_the_text_of_a_document_is_never_read_as_html(world):
    Member.objects.filter(pk=world.members[0].pk).update(name="<b>Commune</b> & <script>Cie")
    titre = world.issue().titres[0]
    assert "<b>Commune</b> & <script>Cie" in text_of(draw(titre))


def test_the_lines_add_up_to_the_printed_total(world):
    titre = world.issue().titres[2]
    text = text_of(draw(titre)).replace("\u202f", " ")
    assert text.count("1 école × 45,00 € 45,00 €") == 3
    assert "Total à payer Hors du champ de la TVA 135,00 €" in text
    assert titre.total == Decimal("135.00")


@override_settings(MEDIA_ROOT="/nonexistent/media")
def test_the_drawing_needs_no_storage(world):
    assert draw(world.issue().titres[0]).startswith(b"%PDF-")
