"""What a mayor's office sees before its bill, and how it answers there."""

import datetime as dt
import html

import pytest
from django.urls import reverse

from conventions import etats, objections
from conventions.etat_paper import draw_etat
from conventions.models import MemberEtat, Objection
from entsvc.models import OutgoingMail
from members.models import Member
from members.portal import reach
from tests.conventions.etat_world import OTHER, TOWN, UNTIL, EtatWorld, at_noon, count
from tests.conventions.world import a_member
from tests.members.portal.people import signed_in
from tests.tariffs.bases import spoken

pytestmark = pytest.mark.django_db
WORDS = {"words": "Trois élèves sont partis en octobre."}


@pytest.fixture
def world(monkeypatch, settings):
    settings.SESSION_COOKIE_AGE = 10**9
    at_noon(monkeypatch, dt.date(2025, 1, 20))
    world = EtatWorld()
    world.open()
    return world


@pytest.fixture
def office(world):
    return signed_in(TOWN)


def own(name, shown):
    return reverse(f"espace-conventions:{name}", args=[shown.pk])


def read(browser, address):
    answer = browser.get(address)
    assert answer.status_code == 200
    return spoken(html.unescape(answer.content.decode()))


def test_it_works(world, office, monkeypatch):
    home = read(office, reverse("espace:home"))
    assert "Vérifier vos écoles et vos effectifs avant l'appel 2024-2025" in home
    assert "Jusqu'au 28 janvier 2025 inclus." in home
    page = read(office, own("etat", world.shown()))
    assert "Le Lac" in page
    assert "120" in page
    assert "Les Prés" not in page
    assert "Corrigé depuis" not in page
    school = world.school("Le Lac")
    form = read(office, f"{own('object', world.shown())}?ecole={school.uai}")
    assert f'value="{school.uai}" selected' in form
    sent = {"kind": "effectif", "school": school.uai, "claimed": "117", **WORDS}
    page = office.post(own("object", world.shown()), sent, follow=True)
    assert "Votre contestation est enregistrée" in page.content.decode()
    objection = Objection.objects.get()
    assert (objection.claimed, objection.filed_by, objection.school) == (117, TOWN, school)
    assert OutgoingMail.objects.filter(template="contestation_deposee").exists()
    home = read(office, reverse("espace:home"))
    assert "Contestation en attente de réponse" in home
    assert "Vérifier vos écoles" not in home, "nothing more is expected"
    objections.respond(objection=objection, accepted=True, granted=118, actor="agent")
    assert "Acceptée, à corriger" in read(office, own("etat", world.shown()))
    count(school, 118)
    page = read(office, own("etat", world.shown()))
    assert "Corrigé depuis" in page
    assert "Le Lac : 118 élèves aujourd'hui" in page
    assert "à corriger" not in page


def test_to_agree_is_one_click(world, office):
    page = office.post(own("agree", world.shown()), follow=True)
    assert "votre accord est enregistré" in page.content.decode()
    assert world.shown().agreed_by == TOWN
    assert "Je suis d'accord" not in read(office, own("etat", world.shown()))
    assert "D'accord le 20 janvier 2025" in read(office, reverse("espace:home"))


def test_an_objection_is_withdrawn_after_a_question(world, office):
    office.post(own("object", world.shown()), {"kind": "autre", **WORDS})
    objection = Objection.objects.get()
    page = reverse("espace-conventions:withdraw", args=[objection.pk])
    assert "Retirer cette contestation ?" in read(office, page)
    assert Objection.objects.filter(withdrawn_at=None).exists()
    office.post(page)
    objection.refresh_from_db()
    assert objection.withdrawn_by == TOWN
    assert office.get(page).status_code == 302


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({}, "Choisissez ce que vous contestez."),
        ({"kind": "effectif"}, "Choisissez l'école concernée."),
        ({"kind": "effectif", "school": "0310000X"}, "Choisissez une école de la liste."),
        ({"kind": "actifs"}, "Select a valid choice|Sélectionnez un choix valide"),
        ({"kind": "autre", "words": " "}, "Dites ce que vous contestez"),
        ({"kind": "autre", "claimed": "-1"}, "pas négatif"),
        ({"kind": "autre", "claimed": "douze"}, "nombre entier"),
    ],
)
def test_a_wrong_form_comes_back_with_what_to_mend(world, office, sent, told):
    answer = office.post(own("object", world.shown()), {**WORDS, **sent})
    assert answer.status_code == 422
    page = spoken(answer.content.decode().replace("&#x27;", "'"))
    assert any(words in page for words in told.split("|"))
    assert not Objection.objects.exists()


def test_after_the_last_day_the_page_reads_and_takes_nothing(world, office, monkeypatch):
    at_noon(monkeypatch, UNTIL + dt.timedelta(days=1))
    office = signed_in(TOWN)
    page = read(office, own("etat", world.shown()))
    assert "Le délai pour contester a pris fin le 28 janvier 2025" in page
    assert "ent@academie.example" in page
    assert "Contester<" not in page
    assert office.get(own("object", world.shown())).status_code == 302
    answer = office.post(own("object", world.shown()), {"kind": "autre", **WORDS})
    assert answer.status_code == 422
    assert "a pris fin" in answer.content.decode()
    assert "Vérifier vos écoles" not in read(office, reverse("espace:home"))


def test_who_took_over_a_member_reads_and_objects_in_its_place(world):
    new = a_member(name="Muret-Nouvelle", email="neuve@muret.example")
    assert signed_in("neuve@muret.example").get(own("etat", world.shown())).status_code == 404
    Member.objects.filter(pk=world.muret.pk).update(successor=new)
    browser = signed_in("neuve@muret.example")
    assert "au nom de Muret" in read(browser, reverse("espace:home"))
    assert "au nom de Muret, que vous avez repris" in read(browser, own("etat", world.shown()))
    browser.post(own("object", world.shown()), {"kind": "autre", **WORDS})
    assert Objection.objects.get().filed_by == "neuve@muret.example"
    assert reach.issuers_of(new) == {world.issuer.pk}


def test_nobody_answers_for_another(world):
    stranger = signed_in(OTHER)
    for name in ("etat", "object", "agree", "etat-pdf"):
        ask = stranger.post if name == "agree" else stranger.get
        assert ask(own(name, world.shown())).status_code == 404
    assert not MemberEtat.objects.filter(agreed_at__isnull=False).exists()


def test_the_page_asks_the_same_few_questions_whatever_the_schools(
    world, office, django_assert_max_num_queries
):
    office.get(reverse("espace:home"))
    with django_assert_max_num_queries(20):
        office.get(own("etat", world.shown()))
    world.join(world.muret, ("Un", 1), ("Deux", 2), ("Trois", 3))
    with django_assert_max_num_queries(20):
        office.get(own("etat", world.shown()))


def test_the_paper_says_what_was_frozen(world, office, monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        "conventions.etat_paper.render_pdf", lambda _, context: drawn.update(context) or b"%PDF"
    )
    count(world.school("Le Lac"), 1)
    answer = office.get(own("etat-pdf", world.shown()))
    assert answer["Content-Disposition"].startswith("attachment")
    assert (drawn["schools"], drawn["pupils"]) == (2, 200)


def test_the_paper_is_drawn_the_same_whenever_it_is_asked(world):
    first = draw_etat(world.shown())
    etats.extend(etat=world.etat, until=UNTIL + dt.timedelta(days=1), reason="Neige", actor="agent")
    assert first.startswith(b"%PDF")
    assert draw_etat(world.shown(world.saubens)) != first
