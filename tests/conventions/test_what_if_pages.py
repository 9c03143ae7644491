"""« Simuler un tarif »: everything is in its address, nothing is written but a draft when asked for."""

from decimal import Decimal
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from entsvc.models import JournalEntry
from invoicing.models import Run
from tariffs.models import Version
from tests.conventions.what_if_world import (
    BANDED,
    OPTION,
    POOL,
    a_draft,
    a_tariff,
    join,
    three_members,
)
from tests.conventions.world import PER_PUPIL, PER_SCHOOL, a_schedule, account
from tests.factories import BandFactory, IssuerFactory

pytestmark = pytest.mark.django_db

URL = "/admin/simuler/"


@pytest.fixture
def schedule():
    return three_members()


@pytest.fixture
def reader(client, schedule):
    account(client, "lecture", schedule.issuer)
    return client


def version_of(schedule):
    return schedule.version_set.order_by("pk").first()


def asked(schedule, **changes):
    return {"version": version_of(schedule).pk, "annee": "2024-2025", **changes}


def names(page):
    return [row.name for row in page.context["page"]]


def text_of(page):
    return page.content.decode().replace("\u00a0", " ").replace("\u202f", " ").replace("&#x27;", "'")


def test_it_works(reader, schedule):
    page = reader.get(URL, asked(schedule, **{"prix-ELEVES": "5,00"}))
    text = text_of(page)
    assert page.status_code == 200
    assert "9 075,00 €" in text
    assert "7 585,00 €" in text
    assert "−1 490,00 €" in text
    assert "−16,4 %" in text
    assert names(page) == ["Petite", "Grande", "Ensemble"]
    assert not Run.objects.exists()


def test_it_opens_on_the_last_adopted_tariff_and_its_year(reader, schedule):
    page = reader.get(URL)
    assert page.context["version"] == version_of(schedule)
    assert page.context["simulation"].year == "2024-2025"
    assert "Le tarif essayé est celui d'aujourd'hui" in text_of(page)


def test_the_address_says_what_is_tried_and_nothing_more(reader, schedule):
    given = asked(schedule, **{"prix-ELEVES": "5,00", "prix-ECOLE": "45,00", "prix-RIEN": "3"})
    page = reader.get(URL, given)
    expected = asked(schedule, **{"prix-ELEVES": "5,00"})
    assert page.context["query"] == urlencode(expected)
    again = reader.get(f"{URL}?{page.context['query']}")
    assert again.context["sums"] == page.context["sums"]


def test_every_kind_of_change_comes_back_from_its_address(client):
    schedule = a_tariff(PER_PUPIL, BANDED, OPTION, POOL | {"pool": Decimal("500.00")})
    join(schedule, 90)
    account(client, "lecture", schedule.issuer)
    changes = {
        "tranches-TAILLE": "1 à 90 : 10,00\n91 à 200 : 20,00",
        "enveloppe-COMMUN": "1200,50",
        "retirer-ELEVES": "on",
        "option-APPUI": "tous",
        "approches": "on",
    }
    page = client.get(URL, asked(schedule, **changes))
    assert page.context["form"].query() == changes
    assert page.context["sums"].simulated == Decimal("10.00") + Decimal("1200.50") + Decimal("45.00")


def test_a_draft_version_is_chosen_in_the_list(reader, schedule):
    draft = a_draft(schedule, PER_PUPIL | {"unit_price": Decimal("6.10")}, PER_SCHOOL)
    page = reader.get(URL, {"version": draft.pk})
    assert page.context["sums"].more == 3
    assert "projet (brouillon)" in text_of(page)


def test_the_bands_of_a_version_are_taken_as_they_are_until_they_are_changed(client):
    schedule = a_tariff(BANDED)
    join(schedule, 90)
    draft = a_draft(schedule, BANDED)
    charge = draft.charges.get()
    charge.bands.all().delete()
    for number in range(100):  # more than may be typed, with a gap between each
        BandFactory(charge=charge, lower=number * 10, upper=number * 10 + 5, price=Decimal(number))
    account(client, "lecture", schedule.issuer)
    page = client.get(URL, {"version": draft.pk})
    assert page.context["sums"].simulated == Decimal("9.00")
    # As a form sends it back.
    sent = page.context["form"]["tranches-TAILLE"].value().replace("\n", "\r\n")
    again = client.get(URL, {"version": draft.pk, "tranches-TAILLE": sent})
    assert again.context["query"] == page.context["query"]


def test_a_year_not_adopted_says_what_today_is(client):
    schedule = a_schedule(PER_SCHOOL, years=(2022,))
    join(schedule, 10)
    account(client, "lecture", schedule.issuer)
    text = text_of(client.get(URL, asked(schedule)))
    assert "« aujourd'hui » est le dernier tarif adopté avant, celui de 2022-2023" in text


def test_a_year_without_agreement_says_so(reader, schedule):
    text = text_of(reader.get(URL, asked(schedule) | {"annee": "2025-2026"}))
    assert "Aucune convention en vigueur ne couvre 2025-2026" in text


def test_a_year_before_any_tariff_says_so(reader, schedule):
    text = text_of(reader.get(URL, asked(schedule) | {"annee": "2023-2024"}))
    assert "il n'y a rien à quoi comparer" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prix-ELEVES": "cher"}, "Écrivez un prix en euros"),
        ({"prix-ELEVES": "-1"}, "Un prix ne peut pas être négatif"),
        ({"prix-ELEVES": "1e999999"}, "chiffres"),
        ({"prix-ELEVES": "NaN"}, "Écrivez un prix en euros"),
        ({"prix-ELEVES": "Infinity"}, "Écrivez un prix en euros"),
        ({"prix-ELEVES": "0,00001"}, "chiffres"),
        ({"prix-ELEVES": "999999999"}, "chiffres"),
        ({"prix-ELEVES": "1\x00"}, "Écrivez un prix en euros"),
        ({"retirer-ELEVES": "on", "retirer-ECOLE": "on"}, "Gardez au moins une ligne"),
        ({"annee": "2024"}, "Choisissez une année scolaire de la liste"),
        ({"annee": "1789-1790"}, "Choisissez une année scolaire de la liste"),
    ],
)
def test_what_cannot_be_read_is_said_in_french(reader, schedule, changes, said):
    page = reader.get(URL, asked(schedule) | changes)
    assert page.status_code == 200
    assert said in text_of(page)
    assert page.context["simulation"] is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("tranches-TAILLE", "1 à 90 : 10\n95 à 200 : 20", "Aucune tranche pour 91 à 94"),
        ("tranches-TAILLE", "x" * 5000, "2000"),
        ("tranches-TAILLE", "1 à 9 : 1\x00", "Le caractère nul"),
        ("option-APPUI", "personne-ne-sait", "Ce choix n'existe pas"),
        ("enveloppe-COMMUN", "1,234", "chiffres"),
    ],
)
def test_bands_options_and_pools_too(client, name, value, said):
    schedule = a_tariff(BANDED, OPTION, POOL)
    join(schedule, 90)
    account(client, "lecture", schedule.issuer)
    page = client.get(URL, asked(schedule, **{name: value}))
    assert page.status_code == 200
    assert said in text_of(page)


@pytest.mark.parametrize(
    "unknown",
    [
        {"tri": "prix'; --"},
        {"sens": "?"},
        {"type": "roi"},
        {"page": "mille"},
        {"page": "-3"},
        {"q": "\x00"},
        {"format": "exe"},
    ],
)
def test_a_wrong_choice_of_rows_is_left_aside(reader, schedule, unknown):
    assert reader.get(URL, asked(schedule) | unknown).status_code == 200


def test_members_are_sorted_filtered_and_searched(reader, schedule):
    changes = {"prix-ELEVES": "6,50", "prix-ECOLE": "20"}
    given = asked(schedule, **changes)
    assert names(reader.get(URL, given | {"tri": "nom"})) == ["Ensemble", "Grande", "Petite"]
    assert names(reader.get(URL, given | {"tri": "-eleves"})) == ["Ensemble", "Grande", "Petite"]
    assert names(reader.get(URL, given | {"tri": "ecart"})) == ["Petite", "Grande", "Ensemble"]
    assert names(reader.get(URL, given | {"type": "epci"})) == ["Ensemble"]
    assert names(reader.get(URL, given | {"sens": "moins"})) == ["Petite"]
    assert names(reader.get(URL, given | {"q": "GRÂNDE"})) == ["Grande"]
    for sort in ("type", "aujourdhui", "simule", "taux", "-taux"):
        assert len(names(reader.get(URL, given | {"tri": sort}))) == 3


def test_members_come_by_pages_that_keep_what_is_tried(reader, schedule):
    for number in range(60):
        join(schedule, 10, name=f"Membre {number}")
    page = reader.get(URL, asked(schedule, **{"prix-ELEVES": "5", "tri": "nom"}))
    assert len(names(page)) == 50
    after = reader.get(f"{URL}{page.context['later'].partition('#')[0]}")
    assert len(names(after)) == 13
    assert after.context["sums"] == page.context["sums"]


def test_a_member_shows_each_line_on_both_sides_in_the_words_of_the_calls(reader, schedule):
    row = reader.get(URL, asked(schedule, **{"prix-ELEVES": "5"})).context["page"][0]
    url = reverse("conventions:what-if-member", args=[row.siret])
    text = text_of(reader.get(url, asked(schedule, **{"prix-ELEVES": "5"})))
    assert "40 élèves × 6,00 €" in text
    assert "240,00 €" in text
    assert "40 élèves × 5,00 €" in text
    assert text.count("1 école × 45,00 €") == 2
    assert "−40,00 €" in text


def test_a_member_set_apart_says_why(reader, schedule):
    party = join(schedule, None, name="Inconnue")
    text = text_of(reader.get(URL, asked(schedule)))
    assert "À part : 1 membre sans comparaison possible" in text
    url = reverse("conventions:what-if-member", args=[party.siret])
    assert "Aucun effectif pour" in text_of(reader.get(url, asked(schedule)))


def test_a_member_of_nobody_is_not_found_and_what_is_wrong_leads_back(reader, schedule):
    url = reverse("conventions:what-if-member", args=["12345678900011"])
    assert reader.get(url, asked(schedule)).status_code == 404
    wrong = reader.get(url, asked(schedule, **{"prix-ELEVES": "cher"}))
    assert wrong.url.startswith(f"{URL}?")


@pytest.mark.parametrize("version", ["autre", "0", "-1", "99999999999999999999", "'"])
def test_an_unknown_version_is_not_found(reader, version):
    assert reader.get(URL, {"version": version}).status_code == 404


def test_a_version_of_another_issuer_is_not_found(reader):
    other = a_tariff(PER_SCHOOL, issuer=IssuerFactory(code="AUTRE"))
    assert reader.get(URL, {"version": version_of(other).pk}).status_code == 404
    url = reverse("conventions:what-if-member", args=["12345678900011"])
    assert reader.get(url, {"version": version_of(other).pk}).status_code == 404
    assert "AUTRE" not in text_of(reader.get(URL))


@pytest.mark.parametrize("role", ["gestionnaire", "finances", "lecture"])
def test_whoever_may_read_tariffs_and_agreements_may_simulate(client, schedule, role):
    account(client, role, schedule.issuer)
    assert client.get(URL).status_code == 200


@pytest.mark.parametrize("lacking", ["view_version", "view_convention"])
def test_an_account_that_may_not_read_one_of_them_is_refused(client, schedule, lacking):
    user = account(client, "lecture", schedule.issuer)
    for group in user.groups.order_by("pk"):
        group.permissions.remove(*group.permissions.filter(codename=lacking))
    assert client.get(URL).status_code == 403
    assert client.get(f"{URL}12345678900011/").status_code == 403


def test_nobody_sees_it_without_signing_in(client, db):
    assert client.get(URL).url.startswith(reverse("admin:login"))


def test_an_account_without_any_tariff_is_told(client, db):
    account(client, "lecture")
    assert "Aucun tarif n'est saisi" in text_of(client.get(URL))


def test_the_page_asks_as_few_questions_of_many_members_as_of_a_few(reader, schedule):
    numbers = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            assert reader.get(URL, asked(schedule, **{"prix-ELEVES": "5"})).status_code == 200
        numbers.append(len(queries))
        for _ in range(20):
            join(schedule, 30)
    assert numbers[0] == numbers[1] <= 20


def test_tariffs_and_the_menu_lead_to_it(reader, schedule):
    version = version_of(schedule)
    assert f'href="{URL}"' in text_of(reader.get(URL))
    for name, row in (("version", version), ("schedule", schedule)):
        url = reverse(f"admin:tariffs_{name}_simulate", args=[row.pk])
        assert url in text_of(reader.get(reverse(f"admin:tariffs_{name}_change", args=[row.pk])))
        assert reader.get(url).url == f"{URL}?version={version.pk}"


def test_a_schedule_without_version_says_so(reader, schedule):
    empty = type(schedule).objects.create(issuer=schedule.issuer, code="VIDE", name="Vide", subject="x")
    answer = reader.get(reverse("admin:tariffs_schedule_simulate", args=[empty.pk]), follow=True)
    assert "aucune version à simuler" in text_of(answer)


# What may be written: a draft, on POST only.


def save(client, schedule, label="Projet 2026", **changes):
    return client.post(f"{URL}?{urlencode(asked(schedule, **changes))}", {"label": label})


@pytest.fixture
def manager(client, schedule):
    account(client, "gestionnaire", schedule.issuer)
    return client


def test_what_is_tried_becomes_a_draft_version(manager, schedule):
    answer = save(manager, schedule, **{"prix-ELEVES": "5,25", "retirer-ECOLE": "on"})
    draft = Version.objects.get(label="Projet 2026")
    assert answer.url == reverse("admin:tariffs_version_change", args=[draft.pk])
    assert not draft.is_adopted
    assert list(draft.charges.values_list("code", "unit_price")) == [("ELEVES", Decimal("5.25"))]
    assert JournalEntry.objects.filter(action="create", summary__contains="Projet 2026").exists()
    page = manager.get(URL, {"version": draft.pk, "annee": "2024-2025"})
    assert page.context["sums"].simulated == 1490 * Decimal("5.25")


def test_bands_pools_and_options_of_the_draft_are_those_that_were_tried(client):
    fixed = POOL | {"pool": Decimal("500.00")}
    schedule = a_tariff(BANDED, OPTION, fixed)
    join(schedule, 90)
    account(client, "gestionnaire", schedule.issuer)
    changes = {
        "tranches-TAILLE": "1 à 90 : 10,00",
        "enveloppe-COMMUN": "750,00",
        "option-APPUI": "tous",
    }
    save(client, schedule, **changes)
    charges = {c.code: c for c in Version.objects.get(label="Projet 2026").charges.order_by("pk")}
    assert list(charges["TAILLE"].bands.values_list("lower", "upper", "price")) == [
        (1, 90, Decimal("10.00"))
    ]
    assert charges["COMMUN"].pool == Decimal("750.00")
    assert charges["APPUI"].subscription == ""


def test_what_no_tariff_says_is_told_when_the_draft_is_written(client):
    schedule = a_tariff(PER_PUPIL, OPTION, POOL)
    join(schedule, 90)
    account(client, "gestionnaire", schedule.issuer)
    changes = {"enveloppe-COMMUN": "750,00", "option-APPUI": "commune"}
    url = f"{URL}?{urlencode(asked(schedule, **changes))}"
    text = text_of(client.post(url, {"label": "Projet 2026"}, follow=True))
    assert "L'enveloppe COMMUN n'est pas fixée par ce tarif" in text
    assert "L'option APPUI reste à souscrire par convention" in text


def test_a_name_already_taken_keeps_the_page_and_says_so(manager, schedule):
    page = save(manager, schedule, label=version_of(schedule).label, **{"prix-ELEVES": "5"})
    assert page.status_code == 200
    assert "Ce barème a déjà une version de ce nom." in text_of(page)
    assert Version.objects.count() == 1


def test_a_draft_without_name_or_from_what_cannot_be_read_is_not_written(manager, schedule):
    assert save(manager, schedule, label=" ").status_code == 200
    assert save(manager, schedule, **{"prix-ELEVES": "cher"}).status_code == 200
    assert Version.objects.count() == 1


@pytest.mark.parametrize("role", ["finances", "lecture"])
def test_only_who_may_add_a_version_writes_one(client, schedule, role):
    account(client, role, schedule.issuer)
    assert save(client, schedule).status_code == 403
    assert "Enregistrer le brouillon" not in text_of(client.get(URL))
    assert Version.objects.count() == 1
