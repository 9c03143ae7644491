"""A supplementary campaign: the difference with what is issued; what is too much is a réduction."""

import datetime as dt
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.urls import reverse
from django.utils import timezone

from conventions.basis import Basis
from conventions.models import Convention, Enrolment
from invoicing import supplements
from invoicing.calculation import CampaignRefused, compute_run, open_supplement
from invoicing.correction_payload import PartOff
from invoicing.corrections import correct
from invoicing.issuing import issue
from invoicing.models import Adjustment, Campaign, DecidedDeduction, Run, Titre
from invoicing.numbering import IssueRefused
from invoicing.replay import basis_changed, differences
from invoicing.roles import create_groups
from members.models import School
from tests.factories import EnrolmentFactory, HeadcountFactory
from tests.invoicing.test_admin import account
from tests.invoicing.test_drift import change
from tests.invoicing.world import ISSUED_ON, YEAR, a_world
from tests.tariffs.bases import spoken

pytestmark = pytest.mark.django_db
D = Decimal
PER_PUPIL = {
    "code": "BASE",
    "metric": "pupils",
    "unit_price": D("1.30"),
    "unit_label": "élève",
    "unit_plural": "élèves",
}


@pytest.fixture(autouse=True)
def today(monkeypatch):
    """Within the exercice of the titres."""
    monkeypatch.setattr(timezone, "localdate", lambda *args: dt.date(2025, 12, 1))


def supplement(world, reason="école oubliée"):
    """Open the next supplementary campaign, or compute the last one again."""
    return open_supplement(campaign=Campaign.objects.get(rank=1), reason=reason, actor="essai")


def again(world, rank=2):
    return compute_run(schedule=world.schedule, year=YEAR, rank=rank, actor="essai")


def lines(run):
    found = run.calls.order_by("siret", "lines__position").exclude(lines=None)
    return [
        (siret, amount, spoken(words))
        for siret, amount, words in found.values_list("siret", "lines__amount", "lines__explanation")
    ]


def told(run, code):
    return [spoken(anomaly.message) for anomaly in run.anomalies.filter(code=code).order_by("pk")]


def counted(world, pupils):
    for school in School.objects.order_by("uai"):
        HeadcountFactory(school=school, school_year=YEAR, pupils=pupils)


def reduce(titre, amount, world, reason_code="liquidation"):
    """Take an amount off the first line of a titre."""
    part = PartOff(amount, line=titre.lines.order_by("position").first())
    return correct(
        titre=titre,
        kind=Titre.Kind.REDUCTION,
        reason_code=reason_code,
        reason="Appelé en trop",
        parts=[part],
        on=ISSUED_ON,
        signatory=world.signatory,
        actor="essai",
    )


def annul(titre, reason_code, world):
    return correct(
        titre=titre,
        kind=Titre.Kind.ANNULATION,
        reason_code=reason_code,
        reason="Titre annulé",
        on=ISSUED_ON,
        signatory=world.signatory,
        actor="essai",
    )


@pytest.mark.parametrize(
    ("reason_code", "called"), [("juge", []), ("doublon", []), ("liquidation", [D("45.00")])]
)
def test_what_a_court_discharged_or_was_called_twice_is_not_called_again(world, reason_code, called):
    world.issue()
    titre = Titre.objects.get(debtor=world.members[0])
    annul(titre, reason_code, world)
    run = supplement(world, "autre chose")
    assert [amount for _, amount, _ in lines(run)] == called
    messages = told(run, "settled")
    assert len(messages) == (0 if called else 1)
    assert all(f"45,00 € retirés pour de bon de {titre.reference}" in message for message in messages)
    assert not run.anomalies.filter(code="settled", blocking=True).exists()


@pytest.mark.parametrize(("reason_code", "called"), [("juge", []), ("liquidation", [D("20.00")])])
def test_a_reduction_by_a_court_is_not_called_again(world, reason_code, called):
    world.issue()
    titre = Titre.objects.get(debtor=world.members[1])
    reduce(titre, D("20.00"), world, reason_code)
    run = supplement(world, "autre chose")
    assert [amount for _, amount, _ in lines(run)] == called
    assert len(told(run, "settled")) == (0 if called else 1)
    assert told(run, "to_reduce") == []


def test_a_court_reduction_stays_settled_once_the_rest_is_annulled(world):
    world.issue()
    titre = Titre.objects.get(debtor=world.members[1])
    reduce(titre, D("45.00"), world, "juge")
    annul(titre, "liquidation", world)
    assert [amount for _, amount, _ in lines(supplement(world, "autre chose"))] == [D("45.00")]


def test_a_school_that_comes_after_a_discharge_is_billed(world):
    world.issue()
    first = world.members[0]
    annul(Titre.objects.get(debtor=first), "juge", world)
    new = EnrolmentFactory(convention=Convention.objects.get(debtor=first))
    run = supplement(world)
    [(siret, amount, _)] = lines(run)
    assert (siret, amount) == (first.siret, D("45.00"))
    [titre] = world.issue(run).titres
    assert titre.lines.get().uai == new.school.uai


def test_a_forgotten_school_is_billed_alone(world):
    world.issue()
    first = world.members[0]
    enrolment = EnrolmentFactory(convention=Convention.objects.get(debtor=first))
    run = supplement(world)
    assert (run.campaign.rank, run.campaign.reason) == (2, "école oubliée")
    assert lines(run) == [(first.siret, D("45.00"), "1 école × 45,00 € = 45,00 €")]
    [titre] = world.issue(run).titres
    assert titre.lines.get().uai == enrolment.school.uai
    assert "Campagne complémentaire n° 1 : école oubliée" in titre.payload["foundations"]
    principal = Titre.objects.get(campaign__rank=1, debtor=first)
    assert f"Complète {principal.reference}" in titre.payload["foundations"]
    assert not supplement(world, "encore").calls.exists()


def test_a_count_that_grew_says_what_was_called_and_what_is_left(db):
    world = a_world(members=1, charges=[PER_PUPIL])
    counted(world, 400)
    world.issue()
    change(School.objects.get(), 412)
    [(_, amount, words)] = lines(supplement(world))
    assert amount == D("15.60")
    assert words == "412 élèves × 1,30 € = 535,60 € ; déjà appelé 520,00 € ; reste 15,60 €"
    line = Run.objects.latest("pk").calls.get().lines.get()
    assert (line.quantity, line.unit_price) == (12, D("1.30"))


def test_what_is_not_so_many_units_has_no_unit_price(db):
    world = a_world(members=1, charges=[{**PER_PUPIL, "model": "unit"}])
    counted(world, 400)
    world.issue()
    reduce(Titre.objects.get(), D("0.50"), world)
    run = supplement(world)
    line = run.calls.get().lines.get()
    assert (line.amount, line.unit_price, line.quantity) == (D("0.50"), None, 400)


def test_a_late_member_is_called_in_full(world):
    world.issue()
    late = world.join(2)
    DecidedDeduction.objects.create(
        schedule=world.schedule,
        school_year=YEAR,
        debtor=late,
        label="Subvention",
        amount=D("10.00"),
        reason="Décision",
    )
    assert [(siret, amount) for siret, amount, _ in lines(supplement(world))] == [
        (late.siret, D("45.00")),
        (late.siret, D("45.00")),
        (late.siret, D("-10.00")),
    ]


def test_a_school_that_left_is_never_a_negative_line_but_a_reduction_to_make(world):
    world.issue()
    third = world.members[2]
    titre = Titre.objects.get(debtor=third)
    Enrolment.objects.filter(convention__debtor=third).latest("pk").delete()
    run = supplement(world, "école retirée")
    assert lines(run) == []
    [message] = told(run, "to_reduce")
    assert message.startswith(
        f"À réduire : 45,00 € à retirer du titre {titre.reference}, par « Réduire »"
    )
    assert not run.anomalies.filter(blocking=True).exists()

    reduce(titre, D("45.00"), world)
    assert not again(world).calls.exists()


def test_who_owes_nothing_any_more_is_named_with_the_titre_to_annul(world):
    world.issue()
    first = world.members[0]
    Convention.objects.filter(debtor=first).update(last_year=YEAR - 1, first_year=2020)
    run = supplement(world, "membre parti")
    [message] = told(run, "to_reduce")
    titre = Titre.objects.get(debtor=first)
    assert f"le titre {titre.reference}, où 45,00 € restent dus, par « Annuler »" in message
    assert run.calls.get().total == 0


def test_past_the_exercice_a_mandat_is_advised_in_place_of_what_is_no_longer_possible():
    """`closed` is told with what is issued (see `claims`); no titre is frozen as closed elsewhere."""
    row = {
        "charge": "ECOLE", "charge_label": "Part fixe", "agreement": "C1", "uai": "0310001A",
        "school": "École", "commune": "", "unit": "école", "amount": "90.00", "titre": "TST-2025-000001",
    }  # fmt: skip
    before = {
        "siret": "1", "name": "Commune", "due": {"TST-2025-000001": "90.00"}, "rows": [row], "off": [],
        "settled": [], "closed": ["TST-2025-000001"],
    }  # fmt: skip
    basis = Basis(YEAR, {"issued": [before]}, (), ())
    [result] = supplements.differences(basis, [])
    [told_of] = [a.message for a in result.anomalies if a.code == "to_reduce"]
    assert spoken(told_of) == (
        "À réduire : 90,00 € à rendre sur le titre TST-2025-000001, dont l'exercice est clos, par « "
        "Demander un mandat ». Appelé en trop : 0310001A, Part fixe 90,00 €."
    )


def test_a_supplement_advises_a_mandat_for_a_titre_past_its_exercice(world, client, monkeypatch):
    world.issue()
    third = world.members[2]
    Enrolment.objects.filter(convention__debtor=third).latest("pk").delete()
    monkeypatch.setattr(timezone, "localdate", lambda *args: dt.date(2026, 3, 2))
    run = supplement(world, "école retirée")
    [message] = told(run, "to_reduce")
    assert "dont l'exercice est clos, par « Demander un mandat »" in message
    assert "« Réduire »" not in message
    assert list(differences(run)) == []
    create_groups()
    client.force_login(account("finances", issuers=[world.issuer]))
    call = run.calls.get(debtor=third)
    page = client.get(reverse("admin:invoicing_call_change", args=[call.pk])).text
    assert "</a> (mandat à demander)" in page


def test_a_late_subsidy_is_a_reduction_and_nothing_more_once_made(world):
    world.issue()
    third = world.members[2]
    DecidedDeduction.objects.create(
        schedule=world.schedule,
        school_year=YEAR,
        debtor=third,
        label="FEDER",
        amount=D("20.00"),
        reason="Notifiée en mars",
    )
    run = supplement(world, "subvention tardive")
    titre = Titre.objects.get(debtor=third)
    assert told(run, "to_reduce") == [
        f"À réduire : 20,00 € à retirer du titre {titre.reference}, par « Réduire ». Appelé en trop : "
        "déductions 20,00 €."
    ]
    reduce(titre, D("20.00"), world)
    assert not again(world).calls.exists()


def test_a_school_that_changed_debtors_is_blocked_until_the_first_titre_is_corrected(world):
    world.issue()
    first, second = world.members[:2]
    Convention.objects.filter(debtor=first).update(debtor=second)
    run = supplement(world, "communes fusionnées")
    [message] = told(run, "called_from_another")
    assert f"déjà appelé de {first.name}" in message
    assert run.anomalies.get(code="called_from_another").blocking
    correct(
        titre=Titre.objects.get(debtor=first),
        kind=Titre.Kind.ANNULATION,
        reason_code="disparu",
        reason="Commune fusionnée",
        on=ISSUED_ON,
        signatory=world.signatory,
        actor="essai",
    )
    run = again(world)
    assert lines(run) == [(second.siret, D("45.00"), "1 école × 45,00 € = 45,00 €")]


def test_a_pool_that_grew_is_shared_again_and_only_the_rest_is_billed(db):
    shared = {**PER_PUPIL, "model": "allocation", "unit_price": None, "pool": D("100.00")}
    world = a_world(members=2, charges=[shared])
    counted(world, 100)
    world.issue()
    world.join(1)
    for school in School.objects.filter(headcount=None).order_by("uai"):
        HeadcountFactory(school=school, school_year=YEAR, pupils=100)
    run = supplement(world, "membre tardif")
    asked = dict(Titre.objects.order_by("pk").values_list("debtor__siret", "total"))
    now = {c.siret: c.total for c in world.compute().calls.order_by("siret")}
    assert {siret: amount for siret, amount, _ in lines(run)} == {
        siret: total - asked.get(siret, 0) for siret, total in now.items() if total > asked.get(siret, 0)
    }
    assert len(told(run, "to_reduce")) == 2


def test_a_run_is_replayed_from_its_frozen_basis_whatever_is_issued_since(world):
    world.issue()
    EnrolmentFactory(convention=Convention.objects.get(debtor=world.members[0]))
    run = supplement(world)
    world.issue(run)
    supplement(world, "encore")
    for kept in Run.objects.order_by("pk"):
        assert not basis_changed(kept)
        assert list(differences(kept)) == []


def test_a_supplement_computed_before_another_correction_is_not_issued(world):
    world.issue()
    third = world.members[2]
    EnrolmentFactory(convention=Convention.objects.get(debtor=third))
    run = supplement(world)
    reduce(Titre.objects.get(debtor=third), D("5.00"), world)
    issued = world.issue(run)
    assert issued.bordereau is None
    assert "recalculez cette campagne" in issued.blocked[0].messages[0]


def test_the_principal_campaign_does_not_bill_what_a_supplement_billed(world):
    late = world.join(0)
    world.issue()
    EnrolmentFactory(convention=Convention.objects.get(debtor=late))
    world.issue(supplement(world))
    issued = world.issue(world.compute())
    assert issued.bordereau is None
    assert [spoken(" ".join(b.messages)) for b in issued.blocked if b.siret == late.siret] == [
        f"Déjà appelé par une campagne complémentaire ({Titre.objects.get(debtor=late).reference}) : "
        "complétez-la plutôt."
    ]


def test_a_blocked_member_is_not_told_to_be_reduced(db):
    world = a_world(members=1, charges=[PER_PUPIL])
    counted(world, 400)
    world.issue()
    change(School.objects.get(), 300)
    EnrolmentFactory(convention=Convention.objects.get())
    run = supplement(world)
    assert told(run, "to_reduce") == []
    assert run.calls.get().anomalies.get(blocking=True).code == "missing_count"


@pytest.mark.parametrize(
    ("issued", "rank", "reason", "message"),
    [
        (False, 2, "motif", "n'a encore aucun titre"),
        (True, 2, " ", "Donnez le motif"),
        (True, 3, "motif", "de rang 2, pas 3"),
        (True, 0, "motif", "commence à 1"),
    ],
)
def test_a_supplement_opens_after_the_principal_one_with_its_reason(
    world, issued, rank, reason, message
):
    if issued:
        world.issue()
    with pytest.raises(CampaignRefused, match=message):
        compute_run(schedule=world.schedule, year=YEAR, rank=rank, reason=reason, actor="essai")
    assert not Campaign.objects.filter(rank__gt=1).exists()


def test_one_titre_per_member_and_campaign(world):
    world.issue()
    EnrolmentFactory(convention=Convention.objects.get(debtor=world.members[0]))
    world.issue(supplement(world))
    assert world.issue(again(world)).bordereau is None
    assert Titre.objects.count() == 4


def test_the_command_opens_a_supplement(world, capsys):
    world.issue()
    EnrolmentFactory(convention=Convention.objects.get(debtor=world.members[0]))
    asked = ["compute_calls", "--schedule", world.schedule.code, "--school-year", "2024-2025"]
    call_command(*asked, "--rank", "2", "--reason", "école oubliée", "--json")
    assert '"total": "45.00"' in capsys.readouterr().out
    with pytest.raises(CommandError, match="de rang 3, pas 5"):
        call_command(*asked, "--rank", "5", "--reason", "x", "--json")
    assert "supplement_refused" in capsys.readouterr().out


def test_the_campaign_page_opens_a_supplement_and_leads_to_the_titre_to_reduce(client, world):
    world.issue()
    third = world.members[2]
    Enrolment.objects.filter(convention__debtor=third).latest("pk").delete()
    EnrolmentFactory(convention=Convention.objects.get(debtor=world.members[0]))
    create_groups()
    client.force_login(account("gestionnaire", issuers=[world.issuer]))
    campaign = Campaign.objects.get()
    page = client.get(reverse("admin:invoicing_campaign_change", args=[campaign.pk])).text
    assert "Liste d'écoles changée après le titre" in page
    assert ("ajoutée" in page, "retirée" in page) == (True, True)
    url = reverse("admin:invoicing_campaign_supplement", args=[campaign.pk])
    assert client.get(url).status_code == 200
    assert "obligatoire" in client.post(url, {"reason": ""}).text
    client.post(url, {"reason": "liste corrigée"})
    run = Run.objects.get(campaign__rank=2)
    call = run.calls.get(debtor=third)
    shown = client.get(reverse("admin:invoicing_call_change", args=[call.pk])).text
    titre = Titre.objects.get(debtor=third)
    assert reverse("admin:invoicing_titre_change", args=[titre.pk]) in shown
    client.force_login(account("lecture", issuers=[world.issuer]))
    assert client.get(url).status_code == 403


def test_an_adjustment_after_the_titre_is_a_difference_like_another(world):
    world.issue()
    Adjustment.objects.create(
        schedule=world.schedule,
        school_year=YEAR,
        debtor=world.members[0],
        label="Régularisation 2023-2024",
        amount=D("12.50"),
        reason="décompte contradictoire",
    )
    assert lines(supplement(world, "régularisation")) == [
        (world.members[0].siret, D("12.50"), "12,50 €, motif : décompte contradictoire")
    ]


def test_where_duties_are_separate_who_computed_does_not_issue(world):
    world.issuer.separate_duties = True
    world.issuer.save()
    run = world.compute()
    with pytest.raises(IssueRefused, match="une autre personne"):
        world.issue(run)
    fresh = Run.objects.get(pk=run.pk)
    assert issue(run=fresh, on=ISSUED_ON, signatory=world.signatory, actor="autre").titres
