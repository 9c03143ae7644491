"""« Expliquer »: each kind of line in words, down to the row of the file and the act that priced it."""

import datetime as dt
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from conventions.models import Convention, Delivery, Enrolment
from entsvc.models import ImportRecord
from invoicing.calculation import compute_run, open_supplement
from invoicing.models import Adjustment, DecidedDeduction, YearPool
from members import counts
from members.models import Headcount, School
from tests.conventions.world import account as sign_in
from tests.factories import (
    ActFactory,
    AdoptionFactory,
    AmendmentFactory,
    BandFactory,
    ChargeFactory,
    ConventionFactory,
    DeliveredUnitsFactory,
    EnrolmentFactory,
    HeadcountFactory,
    HeadcountSourceFactory,
    IssuerFactory,
    ScheduleFactory,
    SubscriptionFactory,
    VersionFactory,
)
from tests.invoicing.test_admin import account
from tests.invoicing.test_deliveries import HALF_DAY
from tests.invoicing.test_review_pages import PER_PUPIL, compute
from tests.invoicing.world import YEAR, a_world
from tests.tariffs.bases import spoken

pytestmark = pytest.mark.django_db
D = Decimal
POOL = {**PER_PUPIL, "code": "COMMUN", "label": "Charges", "model": "allocation", "unit_price": None}


@pytest.fixture(autouse=True)
def today(monkeypatch):
    """Within the exercice of the titres."""
    monkeypatch.setattr(timezone, "localdate", lambda *args: dt.date(2025, 12, 1))


@pytest.fixture
def one_school(client):
    """A reader, and a member with one school, priced by charges."""

    def made(*charges, members=1):
        world = a_world(members=members, charges=charges)
        sign_in(client, "lecture", world.issuer)
        return world

    return made


def explained(client, run, position=1, siret=None):
    calls = run.calls.order_by("siret")
    call = calls.get(siret=siret) if siret else calls[0]
    page = client.get(reverse("collection:explanation", args=[run.pk, call.pk, position]))
    assert page.status_code == 200
    return page


def text_of(page):
    return spoken(page.content.decode()).replace("&#x27;", "'").replace("&amp;", "&")


def steps(page):
    return [spoken(words) for words in page.context["explanation"].steps]


def the_school():
    return School.objects.order_by("pk").first()


def test_a_price_by_the_school_names_its_tariff_its_act_and_its_agreement(client, one_school):
    world = one_school({})
    run = world.compute()
    page = explained(client, run)
    text = text_of(page)
    assert steps(page) == ["1 école × 45,00 € = 45,00 €"]
    act = run.adoption.act
    convention = Convention.objects.get()
    for link in (
        reverse("admin:members_act_change", args=[act.pk]),
        reverse("admin:tariffs_version_change", args=[run.adoption.version_id]),
        reverse("admin:conventions_convention_change", args=[convention.pk]),
        reverse("admin:members_school_change", args=[the_school().pk]),
    ):
        assert link in text
        assert client.get(link).status_code == 200
    assert str(act) in text
    assert "« v1 »" in text
    assert f"convention {convention.reference} signée le 2 septembre 2024" in text
    assert "y est inscrite depuis 2024-2025, par la convention" in text
    assert "Depuis" not in text


def test_a_count_leads_to_the_row_of_the_imported_file(client, one_school, tmp_path):
    world = one_school(PER_PUPIL)
    HeadcountSourceFactory()
    path = tmp_path / "constat.csv"
    other = EnrolmentFactory().school
    path.write_text(
        "uai;annee_scolaire;eleves;eleves_actifs;source\n"
        f"{other.uai};2024-2025;50;;DEPP\n{the_school().uai};2024-2025;412;;DEPP\n"
    )
    call_command("import_headcounts", path, verbosity=0)
    page = explained(client, world.compute())
    text = text_of(page)
    record = ImportRecord.objects.get()
    assert steps(page)[0] == "412 élèves × 1,30 € = 535,60 €"
    assert "constat.csv</a>, ligne 3" in text
    assert record.document.sha256 in text
    assert reverse("admin:entsvc_importrecord_change", args=[record.pk]) in text
    assert dict(page.context["file_row"].cells)["eleves"] == "412"
    assert "Constat de rentrée" in text


def test_a_file_that_can_not_be_read_any_more_keeps_its_name_and_row(
    client, one_school, tmp_path, media
):
    world = one_school(PER_PUPIL)
    HeadcountSourceFactory()
    path = tmp_path / "constat.csv"
    path.write_text(
        f"uai;annee_scolaire;eleves;eleves_actifs;source\n{the_school().uai};2024-2025;412;;DEPP\n"
    )
    call_command("import_headcounts", path, verbosity=0)
    run = world.compute()
    (media / ImportRecord.objects.get().document.path).unlink()
    page = explained(client, run)
    assert page.context["file_row"] is None
    assert "constat.csv</a>, ligne 2" in text_of(page)


def test_a_count_typed_by_hand_says_by_whom(client, one_school):
    world = one_school(PER_PUPIL)
    HeadcountFactory(school=the_school(), school_year=YEAR, recorded_by="gestionnaire")
    text = text_of(explained(client, world.compute()))
    assert "Saisi à la main le" in text
    assert "par gestionnaire" in text


def test_a_count_replaced_since_says_what_it_is_now(client, one_school):
    world = one_school(PER_PUPIL)
    HeadcountFactory(school=the_school(), school_year=YEAR, recorded_by="gestionnaire")
    run = world.compute()
    source = HeadcountSourceFactory()
    new = Headcount(school=the_school(), school_year=YEAR, source=source, pupils=163)
    counts.keep(Headcount, [new])
    text = text_of(explained(client, run))
    assert "100 élèves" in text
    assert "par gestionnaire" in text
    assert "Depuis, le nombre retenu est 163 (DEPP)" in text


def test_a_count_withdrawn_since_says_so(client, one_school):
    world = one_school(PER_PUPIL)
    row = HeadcountFactory(school=the_school(), school_year=YEAR)
    run = world.compute()
    counts.withdraw(Headcount, [row.pk])
    assert "Depuis, plus aucun nombre n'est retenu" in text_of(explained(client, run))


def test_a_count_whose_row_is_not_found_is_said_so(client, one_school, monkeypatch):
    world = one_school(PER_PUPIL)
    HeadcountFactory(school=the_school(), school_year=YEAR)
    run = world.compute()
    monkeypatch.setattr("invoicing.explanation_sources._rows_by_key", lambda *args: {})
    text = text_of(explained(client, run))
    assert "n'est pas retrouvée ; le nombre figé fait foi" in text


def test_a_price_rounded_once_says_so(client, one_school):
    world = one_school({**PER_PUPIL, "unit_price": D("0.3333")})
    HeadcountFactory(school=the_school(), school_year=YEAR, pupils=7)
    assert steps(explained(client, world.compute()))[1] == (
        "0,3333 € × 7 font 2,3331 €, arrondis une seule fois, au centime le plus proche : 2,33 €."
    )


def test_a_band_is_named_with_its_edges(client, one_school):
    world = one_school({})
    schedule = ScheduleFactory(issuer=world.issuer)
    version = VersionFactory(schedule=schedule)
    charge = ChargeFactory(version=version, model="banded", unit_price=None)
    BandFactory(charge=charge, lower=1, upper=200, note="200 paie la tranche basse.")
    AdoptionFactory(version=version, act=ActFactory(issuer=world.issuer), school_year=YEAR)
    school = EnrolmentFactory(convention=ConventionFactory(schedule=schedule)).school
    HeadcountFactory(school=school, school_year=YEAR, pupils=200)
    page = explained(client, compute_run(schedule=schedule, year=YEAR, actor="essai"))
    assert steps(page)[1:] == [
        "200 élèves : tranche de 1 à 200, bornes comprises, au prix de 187,62 €.",
        "200 paie la tranche basse.",
    ]
    assert "200 élèves" in text_of(page)


@pytest.mark.parametrize(
    ("rank", "cents"),
    [(0, "Le centime entamé lui revient"), (1, "Le centime entamé ne lui revient pas")],
)
def test_a_share_says_its_pool_its_weights_and_its_cent(client, one_school, rank, cents):
    world = one_school(POOL, members=2)
    YearPool.objects.create(
        schedule=world.schedule,
        school_year=YEAR,
        charge="COMMUN",
        amount=D("100.01"),
        reason="état clos",
        decided_by="finances",
    )
    Enrolment.objects.filter(convention__party=world.members[1]).last().delete()
    for school in School.objects.order_by("pk"):
        HeadcountFactory(school=school, school_year=YEAR, pupils=50)
    page = explained(client, world.compute(), siret=world.members[rank].siret)
    found = steps(page)
    assert found[1:4] == [
        "Enveloppe à répartir : 100,01 €, état clos.",
        "Poids de ce membre : 50 élèves sur 100, 2 membres se partageant l'enveloppe.",
        "100,01 € × 50 / 100 = 50,005 €.",
    ]
    assert found[4].startswith(cents)
    assert "saisie par finances" in text_of(page)


def test_a_deduction_says_what_decided_it_and_how_much_was_left(client, one_school):
    world = one_school({})
    DecidedDeduction.objects.create(
        schedule=world.schedule,
        school_year=YEAR,
        debtor=world.members[0],
        label="FEDER",
        amount=D("50.00"),
        reason="convention FEDER 12",
        decided_by="finances",
    )
    page = explained(client, world.compute(), 2)
    assert steps(page)[1:] == [
        "Déduction décidée de 50,00 €, jamais au-delà de l'appel.",
        "45,00 € en sont déduits : 5,00 € dépassaient l'appel.",
    ]
    text = text_of(page)
    assert "convention FEDER 12" in text
    assert "par finances" in text


def test_an_adjustment_says_its_reason_even_once_it_is_gone(client, one_school):
    world = one_school({})
    adjustment = Adjustment.objects.create(
        schedule=world.schedule,
        school_year=YEAR,
        debtor=world.members[0],
        label="Reprise",
        amount=D("12.00"),
        reason="oubli de 2023",
        decided_by="finances",
    )
    run = world.compute()
    page = explained(client, run, 2)
    assert steps(page)[1] == "Ajustement saisi à la main de 12,00 €, imprimé avec son motif."
    link = reverse("admin:invoicing_adjustment_change", args=[adjustment.pk])
    assert link in text_of(page)
    adjustment.delete()
    text = text_of(explained(client, run, 2))
    assert "oubli de 2023" in text
    assert "n'existe plus telle quelle" in text


def test_units_lead_to_what_proves_them(client, one_school):
    world = one_school({}, HALF_DAY)
    Delivery.objects.create(
        convention=Convention.objects.get(),
        code="DEMIJOURNEE",
        delivered_on=dt.date(2024, 11, 12),
        quantity=2,
        subject="Formation",
        proof="émargement",
    )
    text = text_of(explained(client, world.compute(), 2))
    assert "12/11/2024 : 2, Formation. Preuve : émargement" in text


def test_units_typed_for_the_year_say_so(client, one_school):
    world = one_school({}, HALF_DAY)
    DeliveredUnitsFactory(convention=Convention.objects.get(), quantity=3)
    text = text_of(explained(client, world.compute(), 2))
    assert "Le total de l'année est saisi sur la convention" in text


def test_an_option_is_told_with_the_agreement_that_took_it(client, one_school):
    world = one_school({**PER_PUPIL, "subscription": "APPUI"})
    SubscriptionFactory(convention=Convention.objects.get(), code="APPUI")
    HeadcountFactory(school=the_school(), school_year=YEAR)
    text = text_of(explained(client, world.compute()))
    assert "Option APPUI : due par qui l'a souscrite." in text
    assert "Options : APPUI." in text


def test_a_school_added_by_an_amendment_leads_to_it(client, one_school):
    world = one_school({})
    convention = Convention.objects.get()
    amendment = AmendmentFactory(
        convention=convention, status="accepte", dated=dt.date(2024, 10, 1), ruling="Dans les délais."
    )
    Enrolment.objects.update(amendment=amendment)
    text = text_of(explained(client, world.compute()))
    assert "y est inscrite depuis 2024-2025, par l'" in text
    assert "avenant n° " in text
    assert "retenu au 01/10/2024" in text
    assert "Dans les délais." in text


def test_what_is_no_longer_so_is_told_beside_what_is_frozen(client, one_school):
    world = one_school({})
    run = world.compute()
    title = Convention.objects.get().title
    Enrolment.objects.all().delete()
    Convention.objects.update(signed_on=dt.date(2024, 9, 3))
    act = run.adoption.act
    type(act).objects.filter(pk=act.pk).update(subject="Autre objet")
    text = text_of(explained(client, run))
    assert spoken(title) in text
    assert "cette école n'y est plus inscrite pour 2024-2025" in text
    assert "Depuis, elle se nomme : convention" in text
    assert "Depuis, l'acte est devenu" in text
    Convention.objects.update(reference="AUTRE")
    assert "Aucune convention de cette référence n'existe aujourd'hui." in text_of(
        explained(client, run)
    )


def test_a_supplementary_line_names_the_titres_that_ask_already(client, one_school, blank_pdf):
    world = one_school(PER_PUPIL)
    HeadcountFactory(school=the_school(), school_year=YEAR, pupils=100)
    run = world.compute()
    world.issue(run)
    counts.keep(
        Headcount,
        [Headcount(school=the_school(), school_year=YEAR, source=HeadcountSourceFactory(), pupils=110)],
    )
    more = open_supplement(campaign=run.campaign, reason="effectif corrigé", actor="essai")
    page = explained(client, more)
    titre = run.campaign.titres.get()
    assert steps(page)[-1].startswith("Déjà appelé pour cette ligne : 130,00 €.")
    text = text_of(page)
    assert f"Titre {titre.reference}" in text
    assert reverse("admin:invoicing_titre_change", args=[titre.pk]) in text


def test_a_run_keeps_its_explanation_whatever_is_computed_after(client, one_school):
    world = one_school({})
    run = world.compute()
    before = steps(explained(client, run))
    compute(world, YEAR)
    assert steps(explained(client, run)) == before


def test_the_lines_of_another_issuer_or_another_run_are_not_there(client, one_school):
    world = one_school({})
    run, other = world.compute(), world.compute()
    call, elsewhere = run.calls.get(), other.calls.get()
    for arguments in ([run.pk, call.pk, 9], [run.pk, call.pk, 0], [run.pk, elsewhere.pk, 1]):
        assert client.get(reverse("collection:explanation", args=arguments)).status_code == 404
    address = reverse("collection:explanation", args=[run.pk, call.pk, 1])
    client.force_login(account("personne", issuers=[world.issuer]))
    assert client.get(address).status_code == 403
    client.logout()
    sign_in(client, "finances", IssuerFactory(code="AUTRE"))
    assert client.get(address).status_code == 404
    client.logout()
    assert client.get(address).status_code == 302


def test_its_queries_do_not_depend_on_the_number_of_schools(client, one_school):
    world = one_school({}, POOL | {"pool": D("100.00")})

    def number():
        for school in School.objects.order_by("pk"):
            if not Headcount.objects.filter(school=school).exists():
                HeadcountFactory(school=school, school_year=YEAR)
        run = world.compute()
        call = run.calls.get()
        address = reverse("collection:explanation", args=[run.pk, call.pk, call.lines.count()])
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        return len(queries)

    few = number()
    EnrolmentFactory.create_batch(20, convention=Convention.objects.get())
    assert number() == few
    assert few <= 20
