"""A paper says what is known, refuses to go out without what makes it one, and once sent never moves."""

import hashlib
import re
from datetime import date
from decimal import Decimal
from html import unescape
from io import BytesIO

import pytest
from django.template.loader import render_to_string
from django.utils.html import strip_tags
from pypdf import PdfReader

from conventions.models import AmendedCommune, Paper, PaperKind
from conventions.papers import costs, drawing, freezing, kept, texts
from conventions.papers.defaults import load_default_texts
from conventions.papers.drawing import PaperRefused
from conventions.papers.losses import CODES
from conventions.papers.sources import of_agreement
from conventions.papers.texts import NoText
from conventions.papers.values import values_of
from conventions.policies import POLICIES
from entsvc import documents
from entsvc.models import JournalEntry, StoredDocument
from entsvc.scan_check import check_inside
from entsvc.scans import CheckedPdf
from members.models import Member, Membership, School
from tariffs import engine
from tests.conventions.paper_world import POLICY, a_partnership, an_amendment
from tests.conventions.world import PER_PUPIL, PER_SCHOOL, a_schedule
from tests.entsvc.test_scans import a_pdf
from tests.factories import (
    ActFactory,
    ConventionFactory,
    DeliveredUnitsFactory,
    HeadcountFactory,
    IssuerFactory,
    MemberFactory,
    PaperFactory,
    SubscriptionFactory,
)

pytestmark = pytest.mark.django_db

DAY = date(2024, 9, 10)


@pytest.fixture
def as_page(monkeypatch):
    """Draw papers as pages of text: a hundred times faster, the same words."""

    def render(template, context, stylesheets):
        return render_to_string(template, context).encode()

    monkeypatch.setattr(drawing, "render_pdf", render)


@pytest.fixture
def as_pdf(monkeypatch):
    """Draw papers as small valid files that tell their words apart."""

    def render(template, context, stylesheets):
        return b"%PDF " + render_to_string(template, context).encode()

    monkeypatch.setattr(drawing, "render_pdf", render)


def words_of(content):
    cells_apart = content.decode().replace("<td", " <td").replace("<th", " <th")
    words = unescape(strip_tags(cells_apart)).replace("\u00a0", " ").replace("\u202f", " ")
    return " ".join(words.split())


def spaced(values):
    return {name: value.replace("\u00a0", " ").replace("\u202f", " ") for name, value in values.items()}


def test_the_values_of_an_agreement_are_in_words_and_figures():
    convention = a_partnership()
    act = ActFactory(
        issuer=None, member=convention.party, number="2024/36", date=date(2024, 6, 20),
        present=14, proxies=4, votes_for=18,
    )  # fmt: skip
    convention.act = act
    values = spaced(values_of(of_agreement("convention", convention, on=DAY)))
    assert values["calcul"] == "3 écoles × 45,00 € = 135,00 €"
    assert values["total_en_lettres"] == "cent trente-cinq euros"
    assert values["prix_unitaire"] == "45,00 €"
    assert values["ecoles_nombre"] == "3 écoles"
    assert values["deliberation"] == "délibération n° 2024/36 du 20 juin 2024"
    assert (values["deliberation_votants"], values["deliberation_pour"]) == ("18", "18")
    assert values["annees"] == values["annee_scolaire"] == "2024-2025"
    assert values["date_fin"] == "5 septembre 2025"
    assert values["date_jour"] == "10 septembre 2024"
    assert values["membre_qualite"] == "maire"
    assert "date_effet" not in values
    assert "membre_representant" not in values


def test_an_amendment_says_what_it_adds_and_removes_and_its_new_total():
    convention = a_partnership(policy="partenariat-montpellier-2020")
    amendment = an_amendment(convention, added=2, removed=1, reason="Ouverture")
    joining = MemberFactory(name="Commune Quatre")
    AmendedCommune.objects.create(amendment=amendment, commune=joining, change="rejoint")
    values = spaced(values_of(of_agreement("avenant", convention, amendment, on=DAY)))
    assert values["ecoles_ajoutees_nombre"] == "2 écoles"
    assert values["ecoles_retirees_nombre"] == "1 école"
    assert values["calcul"] == "4 écoles × 45,00 € = 180,00 €"
    assert values["avenant_delai"] == "15 octobre 2024"
    assert (values["communes_ajoutees"], values["communes_retirees"]) == ("Commune Quatre", "aucune")
    assert values["preavis"] == "un mois"
    assert values["delai_avenant"] == "du 1er septembre au 15 octobre"


def test_a_ruled_amendment_still_says_what_it_changed():
    convention = a_partnership(policy="partenariat-montpellier-2020")
    amendment = an_amendment(convention)
    new = amendment.schools.order_by("school__level", "pk").get(school__level="EM").school
    amendment.added, amendment.removed, amendment.ruling = [new.uai], [], "Reçu dans le délai."
    convention.enrolments.create(school=new, first_year=2024)
    values = values_of(of_agreement("notification", convention, amendment, on=DAY))
    assert new.uai in values["ecoles_ajoutees"]


def test_a_rpi_has_its_communes_its_form_and_its_representative(as_page):
    commune = MemberFactory(name="Commune d'Amont")
    rpi = Member.objects.create(
        kind="rpi", name="RPI de la Vallée", representative=commune, legal_form="entente"
    )
    Membership.objects.create(body=rpi, commune=commune, valid_from=date(2020, 9, 1))
    convention = a_partnership(party=rpi, debtor=commune)
    values = values_of(of_agreement("convention", convention, on=DAY))
    assert values["communes_rpi"] == values["representant"] == "Commune d'Amont"
    assert values["payeur"] == "Commune d'Amont"
    assert "membre_siret" not in values
    text = words_of(drawing.draw("convention", convention, on=DAY))
    assert "RPI de la Vallée" in text
    assert "entente" in text


def test_what_is_shared_between_members_has_no_total(as_page):
    shared = {**PER_PUPIL, "model": "allocation", "unit_price": None}
    schedule = a_schedule(shared)
    convention = a_partnership(policy="charte-somme-2014", schedule=schedule)
    assert "total" not in values_of(of_agreement("convention", convention, on=DAY))
    drawing.draw("convention", convention, on=DAY)


def test_a_year_without_adopted_tariff_leaves_the_price_to_be_filled(as_page):
    convention = a_partnership(first_year=2023, last_year=2023)
    assert "prix_unitaire" not in values_of(of_agreement("convention", convention, on=DAY))
    assert "....." in words_of(drawing.draw("convention", convention, on=DAY))


def test_every_paper_of_every_agreement_is_drawn_from_the_texts_shipped(as_page):
    convention = a_partnership()
    amendment = an_amendment(convention)
    for policy in POLICIES.values():
        convention.policy = policy.code
        for kind in PaperKind:
            drawn = drawing.drawn(kind, convention, amendment, draft=False, on=DAY)
            assert "commune d’essai" in words_of(drawn.content).lower(), (policy.code, kind)


def test_what_we_draw_is_a_pdf_that_we_would_take_back_signed():
    convention = a_partnership()
    for kind in ("convention", "certificat"):
        content = drawing.draw(kind, convention, on=DAY)
        check_inside(content)
        assert "ENT-2024-031" in PdfReader(BytesIO(content)).pages[0].extract_text()


def test_blank_forms_are_drawn_with_dotted_lines(as_page):
    convention = a_partnership()
    issuer = convention.schedule.issuer
    for kind in PaperKind:
        text = words_of(drawing.draw_blank(kind, POLICY, issuer, on=DAY))
        assert "....." in text, kind
        assert "Commune d’Essai" not in text
    priced = drawing.draw_blank(
        "convention", POLICIES[POLICY], issuer, schedule=convention.schedule, year=2024, on=DAY
    )
    assert "45,00 €" in words_of(priced)


def test_a_draft_says_so_on_its_pages_and_a_paper_that_goes_out_does_not(as_page):
    convention = a_partnership()
    assert "PROJET" in words_of(drawing.draw("convention", convention, on=DAY))
    assert "PROJET" not in words_of(drawing.draw("convention", convention, draft=False, on=DAY))


def test_the_same_day_and_facts_give_the_same_bytes():
    convention = a_partnership()
    first, second = (drawing.draw("annexe", convention, on=DAY) for _ in range(2))
    assert first == second


def test_a_list_of_more_than_fifteen_schools_is_a_separate_paper_marked_so(as_page):
    convention = a_partnership(schools=16)
    assert "document distinct" in words_of(drawing.draw("convention", convention, on=DAY))
    annex = words_of(drawing.draw("annexe", convention, on=DAY))
    assert "Liste établie avec l’inspecteur" in annex
    uais = convention.enrolments.order_by("pk").values_list("school__uai", flat=True)
    assert all(uai in annex for uai in uais)
    fifteen = a_partnership(schools=15, texts=False, reference="ENT-15", schedule=convention.schedule)
    assert "Liste établie" not in words_of(drawing.draw("annexe", fifteen, on=DAY))


def test_a_certificate_and_an_amendment_print_a_long_list_themselves(as_page):
    convention = a_partnership(schools=16, policy="partenariat-montpellier-2020")
    amendment = an_amendment(convention)
    uais = [row.school.uai for row in convention.enrolments.order_by("pk")]
    certificate = words_of(drawing.draw("certificat", convention, on=DAY))
    assert all(uai in certificate for uai in uais)
    assert "IEN" not in certificate
    amended = words_of(drawing.draw("avenant", convention, amendment, on=DAY))
    assert all(uai in amended for uai in uais)
    assert "Liste établie avec l’inspecteur" in amended


def test_a_list_of_schools_goes_out_once(as_pdf):
    """In the agreement that prints it, beside it beyond the rows of annex 1 (Montpellier, D7)."""
    expected = {
        ("partenariat-montpellier-2020", 15): ["convention"],
        ("partenariat-montpellier-2020", 16): ["convention", "annexe"],
        ("partenariat-occitanie-2024", 3): ["convention"],
        ("charte-somme-2014", 3): ["convention", "annexe"],
        ("cadre-somme-2010", 0): ["convention"],
    }
    schedule = a_schedule(PER_SCHOOL)
    for (policy, schools), kinds in expected.items():
        facts = {"reference": f"{policy}-{schools}", "policy": policy, "schedule": schedule}
        convention = a_partnership(schools, **facts)
        papers = freezing.freeze_to_sign(convention, actor="alix")
        assert [paper.kind for paper in papers] == kinds, policy
        assert freezing.freeze_to_sign(convention, actor="alix") == papers


def test_a_list_sent_before_the_agreement_changed_no_longer_goes_with_it(as_pdf):
    convention = a_partnership(16)
    first, annex = freezing.freeze_to_sign(convention, actor="alix")
    assert kept.going_with(first, [first, annex]) == [first, annex]
    convention.schedule.issuer.name = "Autre"
    second, new = freezing.freeze_to_sign(convention, actor="alix")
    assert kept.going_with(second, [second, annex, new]) == [second, new]
    convention.enrolments.order_by("pk").last().delete()
    (third,) = freezing.freeze_to_sign(convention, actor="alix")
    assert kept.going_with(third, [third, new]) == [third]


def test_what_an_amendment_does_not_change_is_no_empty_table(as_page):
    convention = a_partnership()
    adding = an_amendment(convention, added=2)
    text = words_of(drawing.draw("avenant", convention, adding, on=DAY))
    assert "2 écoles en plus, aucune école en moins" in text
    assert "Écoles ajoutées" in text
    assert "Écoles retirées" not in text
    assert "Aucune école" not in text
    blank = words_of(drawing.draw_blank("avenant", POLICY, convention.schedule.issuer, on=DAY))
    assert "Écoles ajoutées" in blank
    assert "Écoles retirées" in blank


def test_blank_amendments_hold_on_two_pages():
    load_default_texts()
    issuer = a_partnership(texts=False).schedule.issuer
    for policy in ("partenariat-montpellier-2020", POLICY):
        content = drawing.draw_blank("avenant", policy, issuer, on=DAY)
        assert len(PdfReader(BytesIO(content)).pages) == 2, policy


def test_a_column_without_anything_in_it_is_not_drawn(as_page):
    convention = a_partnership()
    assert "Type Nom" in words_of(drawing.draw("certificat", convention, on=DAY))
    School.objects.update(level="", commune_name="")
    text = words_of(drawing.draw("certificat", convention, on=DAY))
    assert "N° UAI Nom de l’école 1" in text
    assert "école maternelle" not in text


PUPILS = {"unit_label": "élève", "unit_plural": "élèves"}
BASE = PER_PUPIL | PUPILS | {"label": "Base"}
SUPPORT = PUPILS | {
    "code": "APPUI", "label": "Appui", "metric": "pupils", "unit_price": Decimal("0.30"),
    "subscription": "APPUI",
}  # fmt: skip
VISITS = {
    "code": "DEMIJOURNEE", "label": "Visite", "metric": "units", "unit_price": Decimal("150.00"),
    "unit_label": "demi-journée", "unit_plural": "demi-journées",
}  # fmt: skip


def test_an_estimate_without_a_count_keeps_the_option_and_says_what_to_confirm(as_page):
    schedule = a_schedule(BASE, SUPPORT, VISITS)
    convention = a_partnership(2, policy="transfert-npdc-2023", schedule=schedule)
    SubscriptionFactory(convention=convention, code="APPUI")
    DeliveredUnitsFactory(convention=convention, code="DEMIJOURNEE", quantity=3)
    first, second = (row.school for row in convention.enrolments.order_by("school__uai"))
    HeadcountFactory(school=first, school_year=2024, pupils=100)
    text = words_of(drawing.draw("convention", convention, on=DAY))
    assert f"Effectifs à confirmer : {second.uai}." in text
    assert "Appui ................ élèves × 0,30 € …………………" in text
    assert "3 demi-journées × 150,00 € 450,00 €" in text
    assert "Total …………………" in text
    HeadcountFactory(school=second, school_year=2024, pupils=50)
    text = words_of(drawing.draw("convention", convention, on=DAY))
    assert "150 élèves × 0,30 € 45,00 €" in text
    assert "Total 1 395,00 €" in text
    assert "à confirmer" not in text
    convention.subscriptions.all().delete()
    text = words_of(drawing.draw("convention", convention, on=DAY))
    assert "150 élèves × 0,30 €" not in text


def test_an_estimate_on_an_accepted_approximation_has_its_total_and_says_so():
    near = engine.Anomaly("count_not_billable", "Approximation.", "0310001A", blocking=False)
    assert costs._to_confirm([near]) == "Effectifs à confirmer : 0310001A."
    many = [engine.Anomaly("missing_count", "Aucun.", f"031000{n}A") for n in range(6)]
    assert costs._to_confirm(many).replace("\u00a0", " ") == "Effectifs à confirmer dans 6 écoles."
    assert costs._to_confirm([engine.Anomaly("variation", "Vérifiez.", "0310001A")]) == ""


def test_a_letter_names_its_member_as_a_sentence_does(as_page):
    party = MemberFactory(name="Département de la Somme", kind="departement")
    convention = a_partnership(party=party)
    text = words_of(drawing.draw("notification", convention, on=DAY))
    assert "À l’attention du département de la Somme" in text
    values = values_of(of_agreement("notification", convention, on=DAY))
    assert values["payeur_le"] == "le département de la Somme"
    assert values["emetteur_de"] == "de la région académique d'essai"


def test_the_foot_of_a_page_is_short_whatever_the_title(as_page):
    convention = a_partnership(reference="R" * 50)
    page = drawing.draw("deliberation", convention, on=DAY).decode()
    (foot,) = re.findall(r'<p class="running-foot">(.*?)</p>', page)
    assert foot == f"Modèle de délibération · {'R' * 50} · texte version 1"


def test_a_name_full_of_markup_is_printed_as_it_is(as_page):
    party = MemberFactory(name="Commune **de** <b>l'Île</b> {total} {{ x }}")
    text = words_of(drawing.draw("convention", a_partnership(party=party), on=DAY))
    assert "Commune **de** <b>l’Île</b> {total} {{ x }}" in text


def test_what_can_not_be_drawn_says_what_to_do(as_page):
    bare = ConventionFactory(policy=POLICY)
    with pytest.raises(NoText):
        drawing.draw("convention", bare)
    convention = a_partnership(party=MemberFactory(name=""))
    with pytest.raises(PaperRefused, match="nom du signataire"):
        drawing.draw("convention", convention, draft=False)
    drawing.draw("convention", convention)
    with pytest.raises(PaperRefused, match="2031-2032"):
        drawing.draw("convention", convention, year=2031)
    with pytest.raises(PaperRefused, match="avenant"):
        drawing.draw("avenant", convention)
    with pytest.raises(PaperRefused, match="autre convention"):
        drawing.draw("convention", bare, an_amendment(convention))


def test_a_certificate_is_of_the_current_year_when_it_is_covered():
    convention = a_partnership(first_year=2023, last_year=2025)
    for day, year in ((DAY, "2024-2025"), (date(2030, 1, 1), "2025-2026")):
        assert values_of(of_agreement("certificat", convention, on=day))["annee_scolaire"] == year
    with pytest.raises(PaperRefused, match="n'a pas commencé"):
        of_agreement("certificat", convention, on=date(2020, 1, 1))


def test_a_paper_sent_is_frozen_whatever_the_text_becomes():
    convention = a_partnership()
    paper = freezing.freeze("convention", convention, actor="alix")
    content = documents.read(paper.document)
    assert paper.role == Paper.Role.SENT
    assert paper.document.sha256 == hashlib.sha256(content).hexdigest()
    assert paper.name == "convention-ENT-2024-031-2024-2025.pdf"
    assert paper.text.version == 1
    entry = JournalEntry.objects.get(action="document-envoye")
    assert entry.actor == "alix"
    assert entry.data["sha256"] == paper.document.sha256
    assert entry.data["text_version"] == 1
    texts.save_version(
        kind="convention", policy=POLICY, title="Autre", body="Autre.", actor="alix", accepted=CODES
    )
    paper.refresh_from_db()
    assert documents.read(paper.document) == content
    assert paper.text.version == 1
    assert freezing.freeze("convention", convention, actor="alix").text.version == 2


def test_two_clicks_make_one_paper():
    convention = a_partnership()
    first, second = (freezing.freeze("annexe", convention, actor="alix") for _ in range(2))
    assert first == second
    first, second = (
        freezing.receive(CheckedPdf(a_pdf()), "scan.pdf", convention, kind="convention", actor="alix")
        for _ in range(2)
    )
    assert first == second
    assert JournalEntry.objects.filter(action__startswith="document-").count() == 2


def test_a_paper_that_lacks_what_makes_it_one_keeps_nothing():
    convention = a_partnership(party=MemberFactory(name=""))
    with pytest.raises(PaperRefused):
        freezing.freeze("convention", convention, actor="alix")
    assert not Paper.objects.exists()
    assert not StoredDocument.objects.exists()


def test_a_signed_scan_is_kept_beside_what_was_sent():
    convention = a_partnership(texts=False)
    amendment = an_amendment(convention)
    paper = freezing.receive(
        CheckedPdf(a_pdf()),
        "C:\\bureau\\avenant signé",
        convention,
        amendment,
        kind="avenant",
        actor="mairie",
    )
    assert (paper.role, paper.name, paper.text) == (Paper.Role.SIGNED, "avenant signé.pdf", None)
    assert documents.read(paper.document) == a_pdf()
    assert Paper.objects.count() == 1


def test_bytes_that_nobody_checked_are_not_kept():
    convention = a_partnership(texts=False)
    with pytest.raises(AttributeError):
        freezing.receive(a_pdf(), "a.pdf", convention, kind="convention", actor="mairie")
    assert not Paper.objects.exists()


def test_the_latest_paper_is_the_one_asked_for_even_like_an_older_one():
    convention = a_partnership()
    seen = []
    for number in ("un", "deux", "un"):
        convention.schedule.issuer.name = f"Émetteur {number}"
        convention.schedule.issuer.save()
        seen.append(freezing.freeze("annexe", convention, actor="alix"))
        assert freezing.freeze("annexe", convention, actor="alix") == seen[-1]
    first, second, third = seen
    assert len({first, second, third}) == 3
    assert first.document == third.document
    assert Paper.objects.latest("at") == third


def test_a_paper_received_before_the_one_to_sign_changed_is_outdated():
    convention, scan = a_partnership(texts=False), CheckedPdf(a_pdf())
    kept = {"convention": convention, "kind": "convention"}
    PaperFactory(**kept)
    freezing.receive(scan, "a.pdf", convention, kind="convention", actor="mairie")
    assert not freezing.is_outdated(scan, convention, None, "convention")
    PaperFactory(**kept)
    assert freezing.is_outdated(scan, convention, None, "convention")
    assert not freezing.is_outdated(CheckedPdf(a_pdf(2)), convention, None, "convention")


def test_a_fictitious_signatory_makes_a_specimen(as_page):
    convention = a_partnership()
    convention.schedule.issuer.signatory_set.update(is_fictitious=True)
    assert "SPÉCIMEN" in words_of(drawing.draw("convention", convention, on=DAY))


def test_the_papers_of_an_issuer_without_signatory_leave_room_for_one(as_page):
    issuer = IssuerFactory(code="SANS")
    a_partnership()
    assert "signatures" in drawing.draw_blank("convention", POLICY, issuer, on=DAY).decode()
