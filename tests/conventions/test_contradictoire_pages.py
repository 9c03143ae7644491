"""What staff open, follow, answer and export; what each role may do of it."""

import datetime as dt
import html
import io

import openpyxl
import pytest
from django.urls import reverse

from conventions import etats, objections
from conventions.models import EtatContradictoire, Objection
from entsvc.models import JournalEntry, OutgoingMail
from members.models import Member
from tests.conventions.etat_world import OTHER, TOWN, UNTIL, EtatWorld, at_noon, count
from tests.conventions.world import YEAR, a_member, account
from tests.factories import IssuerFactory
from tests.tariffs.bases import spoken

pytestmark = pytest.mark.django_db
WEEK = {"emetteur": "TST", "annee": "2024-2025"}


@pytest.fixture
def world(monkeypatch, settings):
    settings.SESSION_COOKIE_AGE = 10**9
    at_noon(monkeypatch, dt.date(2025, 1, 20))
    return EtatWorld()


@pytest.fixture
def opened(world):
    world.open()
    return world


@pytest.fixture
def clerk(client, world):
    account(client, "gestionnaire", world.issuer)
    return client


def page_of(name, *keys):
    return reverse(f"conventions:{name}", args=keys)


def read(client, address, data=None):
    answer = client.get(address, data)
    assert answer.status_code == 200, address
    return spoken(html.unescape(answer.content.decode()))


def object_to(world, member=None, **facts):
    facts = {"kind": "autre", "words": "Une école manque.", "actor": TOWN, **facts}
    return objections.file_objection(shown=world.shown(member), **facts)


def opening(world):
    return page_of("etat-open", world.schedule.pk, YEAR)


def test_it_opens_from_the_list_and_writes_to_the_members(clerk, world):
    Member.objects.filter(pk=world.saubens.pk).update(email="")
    listed = read(clerk, page_of("etats"), WEEK)
    assert opening(world) in listed
    page = read(clerk, opening(world))
    assert "2 membres, 3 écoles comptées, 250 élèves" in page
    assert "1 membre sans adresse" in page
    assert 'value="04/02/2025"' in page, "fifteen days are proposed"
    answer = clerk.post(opening(world), {"until": "28/01/2025"}, follow=True)
    page = spoken(answer.content.decode())
    assert "1 membre prévenu par courriel" in page
    assert "1 membre reste à prévenir" in page
    etat = EtatContradictoire.objects.get()
    assert (etat.objections_until, etat.opened_by) == (UNTIL, "gestionnaire")
    assert list(OutgoingMail.objects.values_list("recipient", flat=True)) == [TOWN]
    clerk.post(opening(world), {"until": "29/01/2025"})
    assert EtatContradictoire.objects.get().objections_until == UNTIL
    assert OutgoingMail.objects.count() == 1


def test_a_past_day_and_a_year_without_a_tariff_open_nothing(clerk, world):
    assert "Ce jour est passé" in clerk.post(opening(world), {"until": "19/01/2025"}).content.decode()
    page = read(clerk, page_of("etat-open", world.schedule.pk, YEAR + 1))
    assert "2025-2026" in page
    assert "Ouvrir et prévenir" not in page
    assert not EtatContradictoire.objects.exists()


def test_the_members_are_listed_by_what_they_answered(clerk, opened):
    objections.agree(shown=opened.shown(opened.saubens), actor=OTHER)
    etat = page_of("etat", opened.etat.pk)

    def listed(voir):
        return [str(row["shown"].debtor) for row in clerk.get(etat, {"voir": voir}).context["rows"]]

    assert (listed(""), listed("accord"), listed("silence")) == (
        ["Muret", "Saubens"], ["Saubens"], ["Muret"],
    )  # fmt: skip
    objection = object_to(opened, kind="effectif", school=opened.school("Le Lac"), claimed=117)
    assert listed("a-traiter") == listed("contestent") == ["Muret"]
    objections.respond(objection=objection, accepted=True, granted=117, actor="agent")
    assert (listed("a-traiter"), listed("a-corriger")) == ([], ["Muret"])
    count(opened.school("Le Lac"), 117)
    assert listed("a-corriger") == []
    assert "Le Lac : 117 élèves aujourd'hui" in read(clerk, etat)
    assert [r["shown"].debtor for r in clerk.get(etat, {"q": "saub"}).context["rows"]] == [
        opened.saubens
    ]
    assert clerk.get(etat, {"voir": "autre"}).status_code == 404


def test_an_objection_is_answered_beside_what_was_shown_and_what_is_known(clerk, opened):
    school = opened.school("Le Lac")
    objection = object_to(opened, kind="effectif", school=school, claimed=117)
    count(school, 119)
    address = page_of("objection", objection.pk)
    page = clerk.get(address)
    assert (page.context["before_number"], page.context["after_number"]) == (120, 119)
    assert reverse("admin:members_school_change", args=[school.pk]) in page.content.decode()
    wrong = clerk.post(address, {"decision": "rejeter", "words": ""})
    assert "Donnez le motif du rejet" in wrong.content.decode()
    wrong = clerk.post(address, {"decision": "accepter", "granted": ""})
    assert "Donnez le nombre retenu" in wrong.content.decode()
    assert (
        clerk.post(address, {"decision": "accepter", "granted": "118", "words": "Vu."}).status_code
        == 302
    )
    objection.refresh_from_db()
    assert (objection.answer, objection.granted, objection.answered_by) == (
        "acceptee", 118, "gestionnaire",
    )  # fmt: skip
    assert "Acceptée, à corriger : 118 élèves" in read(clerk, address)
    again = clerk.post(address, {"decision": "rejeter", "words": "Non."}, follow=True)
    assert "attend plus de réponse" in again.content.decode()


def test_a_missing_school_is_accepted_by_its_uai(clerk, opened):
    objection = object_to(opened, kind="manquante")
    address = page_of("objection", objection.pk)
    wrong = clerk.post(address, {"decision": "accepter", "uai": "0310000X"})
    assert "Aucune école connue" in wrong.content.decode()
    came = opened.join(a_member(name="Ailleurs"), ("Le Pré", 1)).enrolments.get().school
    clerk.post(address, {"decision": "accepter", "uai": came.uai.lower()})
    objection.refresh_from_db()
    assert objection.granted_school == came


def test_the_delay_is_put_off_and_the_page_says_why(clerk, opened):
    address = page_of("etat-extend", opened.etat.pk)
    wrong = clerk.post(address, {"until": "27/01/2025", "reason": "Neige"})
    assert "ne se raccourcit pas" in wrong.content.decode()
    clerk.post(address, {"until": "04/02/2025", "reason": "Neige"})
    page = read(clerk, page_of("etat", opened.etat.pk))
    assert "Délai prolongé du 28/01/2025 au 04/02/2025 par gestionnaire : Neige" in page


def test_who_has_no_address_and_who_came_since_are_told_later(clerk, opened):
    Member.objects.filter(pk=opened.saubens.pk).update(email="")
    opened.join(a_member(name="Seysses", email=""), ("Mairie", 10))
    address = page_of("etat-members", opened.etat.pk)
    page = read(clerk, address)
    assert "1 membre sans adresse" in page
    assert "1 membre serait appelé" in page
    clerk.post(address, {"prevenir": "1"})
    assert OutgoingMail.objects.filter(template="etat_ouvert").count() == 1
    clerk.post(address, {"completer": "1"})
    assert opened.etat.members.count() == 3


def test_the_workbook_holds_members_schools_and_objections(clerk, opened):
    object_to(opened, kind="effectif", school=opened.school("Le Lac"), claimed=117)
    answer = clerk.get(page_of("etat-xlsx", opened.etat.pk))
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert book.sheetnames == ["Membres", "Écoles", "Contestations"]
    rows = list(book["Membres"].iter_rows(min_row=2, values_only=True))
    assert [(row[1], row[2], row[3], row[6]) for row in rows[:2]] == [
        ("Muret", 2, 200, "Conteste"),
        ("Saubens", 1, 50, "Sans réponse"),
    ]
    assert book["Contestations"].cell(2, 6).value == 117
    assert book["Contestations"].cell(2, 10).value == "À traiter"
    book.close()
    assert JournalEntry.objects.filter(action="export").exists()


@pytest.mark.parametrize(("role", "may"), [("gestionnaire", 200), ("finances", 403), ("lecture", 403)])
def test_all_roles_read_and_the_gestionnaire_alone_writes(client, opened, role, may):
    account(client, role, opened.issuer)
    objection = object_to(opened)
    etat, shown = opened.etat.pk, opened.shown().pk
    for name, key in (("etat", etat), ("etat-member", shown), ("objection", objection.pk)):
        page = read(client, page_of(name, key))
        assert ("Enregistrer la réponse" in page) == (role == "gestionnaire" and name == "objection")
    read(client, page_of("etats"), WEEK)
    assert client.get(page_of("etat-xlsx", etat)).status_code == 200
    for name in ("etat-extend", "etat-members"):
        assert client.get(page_of(name, etat)).status_code == may
    answer = {"decision": "rejeter", "words": "Non."}
    assert client.post(page_of("objection", objection.pk), answer).status_code == (
        302 if may == 200 else 403
    )
    assert Objection.objects.exclude(answer="").exists() == (may == 200)
    assert client.get(opening(opened)).status_code == (302 if may == 200 else 403)


def test_an_account_of_another_issuer_finds_nothing(client, opened):
    account(client, "gestionnaire", IssuerFactory(code="AUTRE"))
    objection = object_to(opened)
    etat, shown = opened.etat.pk, opened.shown().pk
    for name, key in (
        ("etat", etat), ("etat-extend", etat), ("etat-members", etat), ("etat-xlsx", etat),
        ("etat-member", shown), ("etat-member-pdf", shown), ("objection", objection.pk),
    ):  # fmt: skip
        assert client.get(page_of(name, key)).status_code == 404, name
    assert client.get(opening(opened)).status_code == 404


def test_the_pages_ask_little_whatever_the_members(clerk, opened, django_assert_max_num_queries):
    objection = object_to(opened, kind="effectif", school=opened.school("Le Lac"), claimed=117)
    objections.respond(objection=objection, accepted=True, granted=117, actor="agent")
    object_to(opened, opened.saubens)
    for number in range(4):
        opened.join(a_member(name=f"Commune {number}"), ("A", 1), ("B", 2))
    etats.complete(etat=opened.etat, actor="agent")
    clerk.get(reverse("admin:index"))
    etat, shown = opened.etat.pk, opened.shown().pk
    for address in (
        page_of("etats"), page_of("etat", etat), page_of("etat-members", etat),
        page_of("etat-member", shown), page_of("objection", objection.pk),
        page_of("etat-extend", etat),
    ):  # fmt: skip
        with django_assert_max_num_queries(20):
            clerk.get(address)
