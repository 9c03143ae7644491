"""Every page of a mayor's office, on a phone and on a desk, by axe and by the keyboard alone."""

import datetime as dt
from decimal import Decimal

import pytest
from django.urls import reverse

from conventions import life, states
from conventions.etats import open_etat
from conventions.models import Amendment, Convention, Objection
from conventions.objections import file_objection
from entsvc.models import DatedText
from invoicing.models import Titre
from invoicing.rendering import render_missing
from members.models import Member
from tests.browser.conftest import plain
from tests.browser.people import as_office
from tests.browser.town import OFFICE, a_town, count, in_force
from tests.conventions.amending import in_state
from tests.conventions.world import a_member
from tests.factories import PaymentFactory
from tests.invoicing.world import a_world

TODAY = dt.date(2020, 9, 20)


@pytest.fixture
def town(db, clock, monkeypatch):
    """A town with an agreement to sign, one in force, and one for each state of an amendment."""
    clock.noon(TODAY)
    monkeypatch.setattr("conventions.papers.drawing.render_pdf", lambda *_, **__: b"%PDF essai")
    monkeypatch.setattr("invoicing.rendering.render_pdf", lambda *_: b"%PDF essai")
    town = a_town()
    count(town)
    life.move(town.convention, "envoyer", actor="agent")
    in_force(town, "LIBRE")
    fewer = list(town.schools.values())[1:]
    for state in (states.TO_SIGN, states.FILED, states.SENT_BACK, states.ACCEPTED):
        asked = in_state(in_force(town, f"AVEC-{state}"), state, fewer)
        asked.added, asked.removed = [fewer[-1].uai], [town.schools["La Tour"].uai]
        asked.save()
    etat = open_etat(
        schedule=town.convention.schedule,
        year=2020,
        until=TODAY + dt.timedelta(days=15),
        actor="agent",
    )
    file_objection(shown=etat.members.get(), kind="autre", words="Une école manque.", actor=OFFICE)
    return town


@pytest.fixture
def titre(town):
    """A titre of the town, paid in part."""
    world = a_world()
    words = "avant le 15 du deuxième mois qui suit le mois d'émission"
    DatedText.objects.filter(code="delai").update(body=words)
    Convention.objects.filter(schedule=world.schedule).update(debtor=town.member)
    list(render_missing(Titre.objects.filter(pk__in=[row.pk for row in world.issue().titres])))
    titre = Titre.objects.get()
    PaymentFactory(titre=titre, amount=Decimal("40.00"))
    return titre


def addresses(town, titre):
    """Every page of an office: those of agreements, of titres, and the common ones."""

    def own(name, *args):
        return reverse(f"espace-conventions:{name}", args=args)

    yield reverse("espace:home")
    yield reverse("espace:accesses")
    for reference in ("ENT-2020-001", "LIBRE", f"AVEC-{states.ACCEPTED}"):
        yield own("convention", Convention.objects.get(reference=reference).pk)
    for amendment in Amendment.objects.order_by("pk"):
        yield own("amendment", amendment.pk)
    open_one = Amendment.objects.get(status=states.TO_SIGN)
    yield own("change", open_one.pk)
    yield own("drop", open_one.pk)
    yield own("ask", Convention.objects.get(reference="LIBRE").pk)
    objection = Objection.objects.get()
    yield own("etat", objection.shown_id)
    yield own("object", objection.shown_id)
    yield own("withdraw", objection.pk)
    yield own("ask", town.convention.pk)  # it is not in force: the page says when
    yield reverse("espace-titres:titre", args=[titre.pk])
    yield reverse("espace-titres:list", args=[town.member.pk])


def test_every_page_is_accessible_on_a_phone_and_on_a_desk(visitor, town, titre):
    office = as_office(visitor(), OFFICE)
    for address in addresses(town, titre):
        office.go(address)
        office.check_accessible()
    # What a page answers to a form: the amount, an empty list, a paper that is no paper.
    office.go(reverse("espace-conventions:ask", args=[Convention.objects.get(reference="LIBRE").pk]))
    office.page.get_by_label("École Le Pré").check()
    office.press("Voir le nouveau montant")
    office.reads("200,00 €")
    office.check_accessible()
    for school in town.schools:
        office.page.get_by_label(f"École {school}").uncheck()
    office.press("Voir le nouveau montant")
    office.reads("Gardez au moins une école")
    office.check_accessible()
    office.go(reverse("espace-conventions:convention", args=[town.convention.pk]))
    office.press("Déposer la convention signée")
    office.reads("Choisissez le fichier PDF du document signé.")
    office.check_accessible()


def test_what_a_visitor_meets_when_something_goes_wrong_is_accessible_too(visitor, town, titre, clock):
    """A session that ended, a link that is over, a titre past its deadline, a member taken over."""
    someone = visitor()
    for address in ("/espace/connexion/?session=envoi-perdu", "/espace/connexion/?session=finie"):
        someone.go(address)
        someone.reads("Connectez-vous de nouveau")
        someone.check_accessible()
    someone.page.goto(f"{someone.site}/espace/connexion/lien/?jeton=autre")
    someone.reads("Ce lien ne sert plus")
    someone.check_accessible()
    clock.noon(dt.date(2025, 6, 20))
    new = a_member(name="Lauzerte-en-Quercy", email="mairie@neuve.example")
    Member.objects.filter(pk=town.member.pk).update(successor=new)
    for email, key in ((OFFICE, town.member.pk), ("mairie@neuve.example", new.pk)):
        office = as_office(visitor(), email)
        for address in (
            reverse("espace:home"),
            reverse("espace-titres:titre", args=[titre.pk]),
            reverse("espace-titres:list", args=[key]),
        ):
            office.go(address)
            office.reads("En retard")
            office.check_accessible()


def test_an_amendment_is_asked_for_by_the_keyboard_alone(visitor, town):
    office = as_office(visitor(), OFFICE)
    office.go(reverse("espace-conventions:ask", args=[Convention.objects.get(reference="LIBRE").pk]))
    keyboard = office.page.keyboard
    keyboard.press("Tab")
    assert focused(office) == "Aller au contenu"
    keyboard.press("Enter")
    reach(office, "École Le Pré (école élémentaire)")
    keyboard.press("Space")
    reach(office, "Voir le nouveau montant")
    keyboard.press("Enter")
    office.page.wait_for_url("**#montant")
    office.reads("Avec la liste que vous demandez 200,00 €")
    reach(office, "Demander cet avenant")
    keyboard.press("Enter")
    office.page.wait_for_url("**/avenants/**")
    office.reads("L'avenant est prêt")


def focused(office):
    """Return the words of what has the focus, by its label where it has one, and check that it shows."""
    words, outline = office.page.evaluate(
        """() => {
            const it = document.activeElement;
            const named = it.labels && it.labels.length ? it.labels[0] : it;
            return [named.innerText, getComputedStyle(it).outlineStyle];
        }"""
    )
    assert outline != "none", f"le foyer ne se voit pas sur {words}"
    return plain(words)


def reach(office, words):
    """Press Tab until the focus is on these words."""
    for _ in range(60):
        office.page.keyboard.press("Tab")
        if focused(office).startswith(words):
            return
    raise AssertionError(f"{words} n'est pas atteint au clavier")
