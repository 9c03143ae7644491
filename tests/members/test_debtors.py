"""Who is proposed to pay for a school, with the reason, and how a person confirms it.

Real cases: annuaire de l'éducation, Ministère de l'Éducation nationale – DEPP, data.education.gouv.fr,
Licence Ouverte 2.0.
"""

import csv
import re
from collections import Counter
from dataclasses import dataclass

import pytest
from django.conf import settings
from django.urls import reverse

from entsvc.models import JournalEntry
from invoicing.roles import create_groups
from members.debtors import (
    Choice,
    Payer,
    confirm,
    directory_for,
    directory_of,
    obstacle,
    propose,
)
from members.models import Commune, ConfirmedDebtor, Member, School, User
from tests.factories import MemberFactory, SchoolFactory, valid_siret

DATA = settings.BASE_DIR.parent / "shared" / "data"
NOT_HERE = pytest.mark.skipif(not DATA.exists(), reason="fichiers officiels absents de ce poste")

SAUBENS = Payer(1, "Saubens", "commune", "213105331", "21310533100010", "31533")
BLAGNAC = Payer(2, "Blagnac", "commune", "213100696", "21310069600011", "31069")
TOULOUSE = Payer(3, "Toulouse", "commune", "213105554", "21310555400017", "31555")
HAUTE_GARONNE = Payer(4, "Haute-Garonne", "departement", "223100017", "22310001700423", "31")
SYNDICAT = Payer(5, "Syndicat des écoles", "syndicat", "253001598", "25300159800015")


@dataclass
class Place:
    """A school as the annuaire describes it: a public école of Saubens unless told otherwise."""

    siren_siret: str = "21310533100028"
    commune_code: str = "31533"
    departement_code: str = "31"
    degree: str = "premier"
    sector: str = "public"


def proposed(*payers, today=None, **school):
    payers = payers or (SAUBENS, BLAGNAC, TOULOUSE, HAUTE_GARONNE, SYNDICAT)
    return propose(Place(**school), directory_of(payers, today or {}))


def test_it_works():
    proposal = proposed()
    assert proposal.payer is SAUBENS
    assert proposal.reason == "SIREN de l'annuaire : Saubens"
    assert not proposal.elsewhere


def test_a_siren_of_nine_digits_is_read_too():
    assert proposed(siren_siret="213105331").payer is SAUBENS


def test_the_siren_wins_over_the_commune_and_the_reason_says_that_they_differ():
    """0312941D is in Toulouse and carries the SIREN of Blagnac."""
    proposal = proposed(siren_siret="21310069600367", commune_code="31555")
    assert proposal.payer is BLAGNAC
    assert proposal.elsewhere
    assert "la commune de l'école diffère : Toulouse" in proposal.reason


def test_a_commune_that_differs_is_told_even_when_that_of_the_school_is_not_a_member():
    proposal = proposed(BLAGNAC, siren_siret="21310069600367", commune_code="31555")
    assert proposal.elsewhere
    assert "31555" in proposal.reason


def test_a_syndicat_pays_for_several_communes():
    proposal = proposed(siren_siret="25300159800031")
    assert proposal.payer is SYNDICAT
    assert not proposal.elsewhere


@pytest.mark.parametrize("siret", ["21120288800042", "21802000870005", "21810107900055", "2131", "X"])
def test_a_wrong_key_leads_to_the_commune_and_says_so(siret):
    proposal = proposed(siren_siret=siret)
    assert proposal.payer is SAUBENS
    assert proposal.reason == "SIREN de l'annuaire faux (clé) ; commune de l'école"


def test_a_blank_siren_leads_to_the_commune():
    proposal = proposed(siren_siret="")
    assert proposal.payer is SAUBENS
    assert proposal.reason == "Commune de l'école"


def test_an_unknown_siren_leads_to_the_commune_and_is_named():
    proposal = proposed(SAUBENS, siren_siret="25300159800031")
    assert proposal.payer is SAUBENS
    assert proposal.reason == "SIREN de l'annuaire inconnu (253001598) ; commune de l'école"


def test_an_unknown_commune_proposes_nobody_and_says_what_to_import():
    proposal = proposed(BLAGNAC, siren_siret="")
    assert proposal.payer is None
    assert "31533" in proposal.reason
    assert "importez la table des communes" in proposal.reason


@pytest.mark.parametrize("kind", ["rpi", "autre", ""])
def test_a_member_that_does_not_pay_is_not_proposed(kind):
    other = Payer(9, "Autre", kind, "213105331", "", "31533")
    assert proposed(other).payer is None


def test_a_merged_commune_leads_to_its_successor():
    old = Payer(6, "Palmas", "commune", "211201777", "", "12177", successor=7)
    new = Payer(7, "Palmas d'Aveyron", "commune", "200056455", "", "12177")
    proposal = proposed(old, new, siren_siret="21120177700029", commune_code="12177")
    assert proposal.payer is new
    assert proposal.reason == "SIREN de l'annuaire : Palmas, aujourd'hui Palmas d'Aveyron"
    assert not proposal.elsewhere


def test_successors_in_a_circle_propose_nobody():
    one = Payer(6, "Une", "commune", "213105331", "", "31533", successor=7)
    two = Payer(7, "Deux", "commune", "213100696", "", "31069", successor=6)
    proposal = proposed(one, two)
    assert proposal.payer is None
    assert "corrigez sa fiche" in proposal.reason


def test_a_former_commune_code_leads_to_the_commune_of_today():
    proposal = proposed(siren_siret="", commune_code="31999", today={"31999": "31533"})
    assert proposal.payer is SAUBENS


def test_a_public_college_is_paid_by_its_departement_whatever_its_own_siren():
    proposal = proposed(degree="college", siren_siret="19310091400012")
    assert proposal.payer is HAUTE_GARONNE
    assert proposal.reason == "Département du collège"


def test_a_college_of_an_unknown_departement_has_no_payer():
    assert "code 80" in proposed(degree="college", siren_siret="", departement_code="80").reason


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"sector": "prive"}, "Établissement privé"),
        ({"sector": "prive", "degree": "college"}, "Établissement privé"),
        ({"sector": ""}, "Secteur inconnu"),
        ({"degree": "lycee"}, "Ni école ni collège"),
        ({"degree": ""}, "Ni école ni collège"),
    ],
)
def test_nobody_is_proposed_without_a_known_siren(facts, words):
    proposal = proposed(siren_siret="", **facts)
    assert proposal.payer is None
    assert proposal.reason == f"{words} : choisissez le payeur"


def test_a_private_school_that_bears_the_siren_of_a_member_is_proposed_to_it():
    assert proposed(sector="prive").payer is SAUBENS


# What the database knows.


@pytest.mark.django_db
def test_the_members_are_read_in_two_queries(django_assert_num_queries):
    MemberFactory(siret="21310533100010", name="Saubens", insee_code="31533")
    SchoolFactory.create_batch(20, siren_siret="21310533100028")
    with django_assert_num_queries(2):
        directory = directory_for(School.objects.all())
    school = School.objects.order_by("pk").first()
    assert propose(school, directory).payer.name == "Saubens"


@pytest.mark.django_db
def test_the_commune_of_today_is_read_for_a_former_code():
    Commune.objects.create(code="31533", name="Saubens")
    Commune.objects.create(code="31999", name="Ancienne", kind="ancienne", today_id="31533")
    MemberFactory(name="Saubens", insee_code="31533")
    school = SchoolFactory(commune_code="31999", siren_siret="")
    assert propose(school, directory_for(School.objects.all())).payer.name == "Saubens"


@pytest.mark.django_db
def test_the_successor_is_read_even_when_nothing_else_leads_to_it():
    new = MemberFactory(name="Nouvelle", insee_code="31001")
    MemberFactory(name="Ancienne", siret="21310533100010", insee_code="31533", successor=new)
    school = SchoolFactory(siren_siret="21310533100028", commune_code="31533")
    assert propose(school, directory_for(School.objects.all())).payer.name == "Nouvelle"


@pytest.mark.django_db
def test_of_two_members_of_one_siren_the_one_whose_siret_is_sure_is_proposed():
    MemberFactory(name="À vérifier", siret="21310533100010", siret_to_verify=True)
    MemberFactory(name="Sûr", siret="21310533100028")
    Member.objects.create(name="Sans SIRET", siren="213105331", kind="commune")
    school = SchoolFactory(siren_siret="213105331")
    assert propose(school, directory_for(School.objects.all())).payer.name == "Sûr"


# What a person confirms.


@pytest.mark.django_db
def test_confirming_keeps_who_and_why_and_writes_the_journal():
    school, member = SchoolFactory(), MemberFactory()
    outcome = confirm([Choice(school.pk, member.pk, "Commune de l'école")], actor="camille")
    assert (outcome.confirmed, outcome.unchanged, outcome.refused) == (1, 0, [])
    kept = ConfirmedDebtor.objects.get()
    assert (kept.school, kept.member, kept.reason) == (school, member, "Commune de l'école")
    assert kept.confirmed_by == "camille"
    entry = JournalEntry.objects.get()
    assert (entry.actor, entry.action) == ("camille", "confirm-debtors")
    assert entry.data == {"schools": {str(school.pk): member.pk}}


@pytest.mark.django_db
def test_confirming_twice_changes_nothing():
    choice = Choice(SchoolFactory().pk, MemberFactory().pk, "Commune de l'école")
    confirm([choice], actor="camille")
    outcome = confirm([choice], actor="dominique")
    assert (outcome.confirmed, outcome.unchanged) == (0, 1)
    assert ConfirmedDebtor.objects.get().confirmed_by == "camille"
    assert JournalEntry.objects.count() == 1


@pytest.mark.django_db
def test_another_payer_replaces_the_one_that_was_confirmed():
    school, other = SchoolFactory(), MemberFactory()
    confirm([Choice(school.pk, MemberFactory().pk, "Commune de l'école")], actor="camille")
    confirm([Choice(school.pk, other.pk, "Syndicat")], actor="dominique")
    kept = ConfirmedDebtor.objects.get()
    assert (kept.member, kept.confirmed_by) == (other, "dominique")


@pytest.mark.django_db
def test_a_long_reason_is_cut_to_its_column():
    choice = Choice(SchoolFactory().pk, MemberFactory().pk, "x" * 500)
    confirm([choice], actor="camille")
    assert confirm([choice], actor="camille").unchanged == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"kind": "rpi", "siret": None}, "RPI"),
        ({"siret": None, "siren": "213105331"}, "n'a pas de SIRET"),
    ],
)
def test_who_cannot_pay_is_refused_with_what_to_do_and_the_others_are_kept(facts, words):
    good, bad = MemberFactory(), MemberFactory(**facts)
    schools = SchoolFactory.create_batch(2)
    choices = [Choice(schools[0].pk, bad.pk, "Essai"), Choice(schools[1].pk, good.pk, "Essai")]
    outcome = confirm(choices, actor="camille")
    [(choice, problem)] = outcome.refused
    assert choice.school == schools[0].pk
    assert words in problem
    assert ConfirmedDebtor.objects.get().school == schools[1]


@pytest.mark.django_db
def test_who_was_taken_over_cannot_pay():
    assert "repris" in obstacle(MemberFactory(successor=MemberFactory()))


@pytest.fixture
def gestionnaire(client, db):
    create_groups()
    user = User.objects.create(username="gestionnaire", is_staff=True)
    user.groups.set(user.groups.model.objects.filter(name="gestionnaire"))
    client.force_login(user)
    return client


def test_another_payer_is_chosen_in_an_ordinary_form(gestionnaire):
    school, first, second = SchoolFactory(), MemberFactory(), MemberFactory()
    url = reverse("admin:members_confirmeddebtor_add")
    answer = gestionnaire.post(url, {"school": school.pk, "member": first.pk, "reason": "Choisi"})
    assert answer.status_code == 302
    kept = ConfirmedDebtor.objects.get()
    assert (kept.member, kept.confirmed_by) == (first, "gestionnaire")
    url = reverse("admin:members_confirmeddebtor_change", args=[kept.pk])
    gestionnaire.post(url, {"member": second.pk, "reason": "Après appel de la mairie"})
    kept.refresh_from_db()
    assert (kept.member, kept.reason) == (second, "Après appel de la mairie")
    assert JournalEntry.objects.filter(action="confirm-debtors").count() == 2


def test_the_form_refuses_a_member_that_cannot_pay(gestionnaire):
    school, member = SchoolFactory(), MemberFactory(siret=None, siren=valid_siret(1)[:9])
    url = reverse("admin:members_confirmeddebtor_add")
    page = gestionnaire.post(url, {"school": school.pk, "member": member.pk, "reason": "Choisi"})
    assert "a pas de SIRET" in page.content.decode()
    assert not ConfirmedDebtor.objects.exists()


# The figures of the real files.


def read(name):
    with (DATA / name).open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file, delimiter=";")


@NOT_HERE
def test_the_public_ecoles_of_occitanie_are_proposed_as_measured():
    communes = [
        Payer(key, row["nom"], "commune", row["siren"], "", row["code_insee"])
        for key, row in enumerate(read("communes_siren_epci_2025.csv"))
    ]
    epci = [
        Payer(len(communes) + key, row["nom"], "epci", row["siren"])
        for key, row in enumerate(read("epci_2025.csv"))
    ]
    # Former codes come with another table: here, the one that explains a difference.
    directory = directory_of(communes + epci, {"12076": "12218"})
    found = Counter()
    for row in read("annuaire_occitanie_2024-11-26.csv"):
        if (row["Type_etablissement"], row["Statut_public_prive"]) != ("Ecole", "Public"):
            continue
        school = Place(row["SIREN_SIRET"], row["Code_commune"], row["Code_departement"].lstrip("0"))
        proposal = propose(school, directory)
        reason = proposal.reason.split(" ; ")[0].split(" : ")[0]
        found[re.sub(r"\d+", "N", reason), proposal.elsewhere, proposal.payer is not None] += 1
    assert found == {
        ("SIREN de l'annuaire", False, True): 4020,
        ("SIREN de l'annuaire", True, True): 3,
        ("SIREN de l'annuaire inconnu (N)", False, True): 54,
        ("SIREN de l'annuaire inconnu (N)", False, False): 2,
        ("SIREN de l'annuaire faux (clé)", False, True): 3,
        ("Commune de l'école", False, True): 22,
    }
    assert found.total() == 4104
