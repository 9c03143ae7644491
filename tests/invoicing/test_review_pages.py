"""« Revue du calcul »: what a run is read beside, who reads it, what it shows and how fast."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from conventions.models import Convention, Enrolment
from invoicing.calculation import compute_run, open_supplement
from invoicing.models import Exclusion, Titre
from invoicing.review_errors import BY_ANOMALY, BY_CODE, MENDS, link_of
from invoicing.roles import create_groups
from members.models import School
from tests.conventions.world import account as sign_in
from tests.factories import (
    ActFactory,
    AdoptionFactory,
    ChargeFactory,
    EnrolmentFactory,
    HeadcountFactory,
    IssuerFactory,
    ScheduleFactory,
    VersionFactory,
)
from tests.invoicing.corrections.correcting import annul
from tests.invoicing.test_admin import account
from tests.invoicing.world import YEAR, a_world
from tests.tariffs.bases import spoken

pytestmark = pytest.mark.django_db
D = Decimal
NEXT = YEAR + 1
PER_PUPIL = {
    "code": "BASE",
    "label": "Par élève",
    "metric": "pupils",
    "unit_price": D("1.30"),
    "unit_label": "élève",
    "unit_plural": "élèves",
}


@pytest.fixture(autouse=True)
def today(monkeypatch):
    """Within the exercice of the titres."""
    monkeypatch.setattr(timezone, "localdate", lambda *args: dt.date(2025, 12, 1))


def follow(world, *, price="50.00", **charge):
    """Adopt a price for the next year, that every agreement covers too."""
    version = VersionFactory(schedule=world.schedule, label="v2")
    ChargeFactory(version=version, unit_price=D(price), **charge)
    act = ActFactory(issuer=world.issuer)
    AdoptionFactory(schedule=world.schedule, version=version, school_year=NEXT, act=act)
    Convention.objects.filter(schedule=world.schedule).update(last_year=NEXT)


def compute(world, year=NEXT, **asked):
    return compute_run(schedule=world.schedule, year=year, actor="essai", **asked)


def open_page(client, run, *call, **asked):
    names = "collection:review-member" if call else "collection:review"
    return client.get(reverse(names, args=[run.pk, *call]), asked)


def text_of(page):
    return spoken(page.content.decode()).replace("&#x27;", "'").replace("&amp;", "&")


def rows(page):
    return {row["row"].known.name: row["row"] for row in page.context["members"]}


def by_cause(page):
    return {cause.cause: cause.amount for _, _, cause in page.context["causes"]}


@pytest.fixture
def reader(client, world):
    sign_in(client, "lecture", world.issuer)
    return client


# --- What it is read beside -------------------------------------------------------------------


def test_it_works(reader, world):
    world.compute()
    follow(world)
    joined = world.join(1, name="Nouvelle")
    Convention.objects.filter(party=joined).update(first_year=NEXT, last_year=NEXT)
    run = compute(world)
    page = open_page(reader, run)
    assert page.status_code == 200
    review = page.context["review"]
    assert (review.total.now, review.total.before) == (D("350.00"), D("270.00"))
    assert by_cause(page) == {"entrees": D("50.00"), "tarif": D("30.00")}
    assert rows(page)["Nouvelle"].before is None
    text = text_of(page)
    assert "+80,00 €" in text
    assert "+29,6 %" in text
    assert "tarif « Participation par école », de 45,00 € à 50,00 € : +15,00 €" in text
    assert "Nouveaux membres" in text
    assert "Les plus fortes variations" in text


def test_last_year_is_what_was_issued_not_what_was_computed_since(reader, world, blank_pdf):
    issued = world.compute()
    world.issue(issued)
    EnrolmentFactory(convention=Convention.objects.get(party=world.members[0]))
    world.compute()
    follow(world, price="45.00")
    page = open_page(reader, compute(world))
    assert page.context["other"].words == "2024-2025, tel qu'émis"
    assert by_cause(page) == {"entrees": D("45.00")}


def test_a_run_read_again_is_not_compared_again_until_a_piece_is_added(reader, world, blank_pdf):
    titres = world.issue(world.compute()).titres
    follow(world, price="45.00")
    run = compute(world)
    first = open_page(reader, run)
    again = open_page(reader, run)
    assert again.context["review"] is first.context["review"]
    name = first.context["members"][0]["row"].known.name
    assert rows(first)[name].before.is_issued
    annul(world, next(titre for titre in titres if titre.debtor_name == name))
    later = open_page(reader, run)
    assert rows(later)[name].before is None


def test_last_year_unissued_is_its_last_run(reader, world):
    world.compute()
    last = world.compute()
    follow(world)
    page = open_page(reader, compute(world))
    assert page.context["other"].words.startswith(f"2024-2025, calcul {last.number}")


def test_a_member_without_titre_last_year_is_read_in_its_last_run(reader, world, blank_pdf):
    first = world.members[0]
    school = Enrolment.objects.get(convention__party=first).school
    double = EnrolmentFactory(
        convention=Convention.objects.get(party=world.members[1]), school=school
    )  # two agreements name it: both are blocked
    run = world.compute()
    world.issue(run)
    double.delete()
    follow(world, price="45.00")
    page = open_page(reader, compute(world))
    assert page.context["unissued"] == 2
    assert rows(page)[first.name].difference == 0
    assert "sauf 2 membres sans titre en vigueur, pris à leur dernier calcul" in text_of(page)


def test_last_year_gathers_its_supplementary_campaigns(reader, world, blank_pdf):
    run = world.compute()
    world.issue(run)
    EnrolmentFactory(convention=Convention.objects.get(party=world.members[0]))
    more = open_supplement(campaign=run.campaign, reason="école oubliée", actor="essai")
    world.issue(more, on=dt.date(2025, 4, 3))
    follow(world, price="45.00")
    page = open_page(reader, compute(world))
    assert page.context["review"].total.difference == 0
    assert not page.context["causes"]
    call = page.context["review"].rows[0].now.call
    assert open_page(reader, page.context["run"], call).status_code == 200


def test_an_annulled_titre_of_last_year_no_longer_counts(reader, world, blank_pdf):
    world.issue(world.compute())
    titre = Titre.objects.get(debtor=world.members[0])
    annul(world, titre)
    follow(world, price="45.00")
    page = open_page(reader, compute(world))
    assert rows(page)[world.members[0].name].before is None


def test_a_run_without_former_year_shows_its_totals_alone(reader, world):
    page = open_page(reader, world.compute())
    assert page.context["other"] is None
    text = text_of(page)
    assert "270,00 €" in text
    assert "Aucun calcul de l'année d'avant : choisissez à quoi comparer." in text
    assert "Pourquoi" not in text


def test_a_run_is_compared_with_a_former_one_of_the_same_year(reader, world):
    former = world.compute()
    Enrolment.objects.filter(convention__party=world.members[1]).first().delete()
    run = world.compute()
    page = open_page(reader, run, avec=former.pk)
    assert by_cause(page) == {"sorties": D("-45.00")}
    call = rows(page)[world.members[1].name].now.call
    member = open_page(reader, run, call, avec=former.pk)
    assert "1 école sortie : −45,00 €" in text_of(member)
    assert f"?avec={former.pk}" in member.content.decode()


def test_a_member_that_left_is_told_with_what_it_paid(reader, world):
    former = world.compute()
    Convention.objects.filter(party=world.members[2]).update(status=Convention.Status.DRAFT)
    page = open_page(reader, world.compute(), avec=former.pk)
    assert rows(page)[world.members[2].name].now is None
    assert "Plus appelés" in text_of(page)


def test_a_supplementary_run_is_read_beside_the_former_one_of_its_campaign(reader, world, blank_pdf):
    run = world.compute()
    world.issue(run)
    EnrolmentFactory(convention=Convention.objects.get(party=world.members[0]))
    first = open_supplement(campaign=run.campaign, reason="école oubliée", actor="essai")
    page = open_page(reader, first)
    assert page.context["other"] is None
    assert "n'appelle qu'une partie de l'année" in text_of(page)
    EnrolmentFactory(convention=Convention.objects.get(party=world.members[0]))
    again = compute(world, YEAR, rank=2)
    page = open_page(reader, again)
    assert page.context["other"].words.startswith("2024-2025, complémentaire n° 1, calcul 1")
    assert by_cause(page) == {"entrees": D("45.00")}


@pytest.mark.parametrize("asked", ["x", "-1", "0", "99999999999999999999"])
def test_what_is_no_run_can_not_be_compared_with(reader, world, asked):
    assert open_page(reader, world.compute(), avec=asked).status_code == 404


def test_only_the_runs_of_its_schedule_are_offered(reader, world):
    run = world.compute()
    own = world.compute()
    for issuer in (world.issuer, IssuerFactory(code="AUTRE")):
        schedule = ScheduleFactory(issuer=issuer)
        version = VersionFactory(schedule=schedule)
        AdoptionFactory(version=version, act=ActFactory(issuer=issuer), school_year=YEAR)
        other = compute_run(schedule=schedule, year=YEAR, actor="essai")
        assert open_page(reader, run, avec=other.pk).status_code == 404
    offered = [key for key, _ in open_page(reader, run).context["form"].fields["avec"].choices]
    assert offered == ["", str(own.pk)]


# --- Who reads it -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "actions"),
    [("lecture", []), ("gestionnaire", ["compute"]), ("finances", ["compute", "issue"])],
)
def test_each_role_reads_it_and_sees_only_what_it_may_do(client, world, role, actions):
    create_groups()
    run = world.compute()
    client.force_login(account(role, issuers=[world.issuer]))
    body = open_page(client, run).content.decode()
    links = {
        "compute": reverse("admin:invoicing_campaign_compute", args=[run.campaign_id]),
        "issue": reverse("admin:invoicing_run_issue_titres", args=[run.pk]),
    }
    assert [name for name, link in links.items() if link in body] == actions


def test_the_runs_of_another_issuer_are_not_there(client, world):
    sign_in(client, "finances", IssuerFactory(code="AUTRE"))
    run = world.compute()
    call = run.calls.order_by("siret").first()
    assert open_page(client, run).status_code == 404
    assert open_page(client, run, call.pk).status_code == 404


def test_whoever_may_not_view_runs_is_refused_and_a_visitor_sent_to_the_door(client, world):
    run = world.compute()
    call = run.calls.order_by("siret").first()
    for more in ([], [call.pk]):
        assert open_page(client, run, *more).status_code == 302
    client.force_login(account("personne", issuers=[world.issuer]))
    for more in ([], [call.pk]):
        assert open_page(client, run, *more).status_code == 403


def test_a_call_of_another_run_is_not_of_this_review(reader, world):
    run, other = world.compute(), world.compute()
    call = other.calls.order_by("siret").first()
    assert open_page(reader, run, call.pk).status_code == 404


def test_the_pages_of_campaigns_runs_and_calls_lead_to_it(client, world):
    sign_in(client, "gestionnaire", world.issuer)
    run = world.compute()
    call = run.calls.order_by("siret").first()
    review = reverse("collection:review", args=[run.pk])
    assert review in client.get(reverse("admin:invoicing_run_changelist")).content.decode()
    for name, row, target in (
        ("campaign_review", run.campaign, review),
        ("run_review", run, review),
        ("call_explain", call, reverse("collection:review-member", args=[run.pk, call.pk])),
    ):
        action = reverse(f"admin:invoicing_{name}", args=[row.pk])
        model = name.partition("_")[0]
        page = client.get(reverse(f"admin:invoicing_{model}_change", args=[row.pk]))
        assert action in page.content.decode()
        assert client.get(action).url == target
    explained = reverse("collection:explanation", args=[run.pk, call.pk, 1])
    assert (
        explained in client.get(reverse("admin:invoicing_call_change", args=[call.pk])).content.decode()
    )


def test_a_campaign_without_run_says_so(client, world):
    sign_in(client, "lecture", world.issuer)
    campaign = world.compute().campaign
    empty = type(campaign).objects.create(schedule=world.schedule, school_year=NEXT)
    response = client.get(reverse("admin:invoicing_campaign_review", args=[empty.pk]))
    assert response.url == reverse("admin:invoicing_campaign_change", args=[empty.pk])


# --- The table of members ---------------------------------------------------------------------


@pytest.fixture
def changed(world):
    """Last year, then a year where the first member has one more school and the last one left."""
    world.compute()
    follow(world, price="45.00")
    EnrolmentFactory(convention=Convention.objects.get(party=world.members[0]), first_year=NEXT)
    Convention.objects.filter(party=world.members[2]).update(last_year=YEAR)
    school = Enrolment.objects.filter(convention__party=world.members[1]).first().school
    School.objects.filter(pk=school.pk).update(sector="")
    joined = world.join(1, name="Nouvelle")
    Convention.objects.filter(party=joined).update(first_year=NEXT, last_year=NEXT)
    return compute(world)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("", {0, 1, 2, "Nouvelle"}),
        ("changes", {0, 1, 2, "Nouvelle"}),
        ("bloques", {1}),
        ("nouveaux", {"Nouvelle"}),
        ("partis", {2}),
        ("inconnu", {0, 1, 2, "Nouvelle"}),
    ],
)
def test_the_table_shows_the_members_asked_for(reader, world, changed, state, expected):
    names = {name if isinstance(name, str) else world.members[name].name for name in expected}
    assert set(rows(open_page(reader, changed, etat=state))) == names


def test_a_member_that_did_not_change_is_left_out_of_those_that_did(reader, world):
    former = world.compute()
    EnrolmentFactory(convention=Convention.objects.get(party=world.members[0]))
    page = open_page(reader, world.compute(), avec=former.pk, etat="changes")
    assert set(rows(page)) == {world.members[0].name}


def test_the_table_is_searched_by_name_and_siret_and_filtered_by_type_and_finding(
    reader, world, changed
):
    second = world.members[1]
    assert set(rows(open_page(reader, changed, q="nouvèlle"))) == {"Nouvelle"}
    assert set(rows(open_page(reader, changed, q=second.siret))) == {second.name}
    assert len(rows(open_page(reader, changed, type="commune"))) == 4
    assert not rows(open_page(reader, changed, type="epci"))
    assert set(rows(open_page(reader, changed, probleme="secteur"))) == {second.name}
    assert not rows(open_page(reader, changed, probleme="inconnu"))


@pytest.mark.parametrize("sort", ["nom", "type", "montant", "avant", "ecart", "taux"])
def test_the_table_is_sorted_both_ways(reader, changed, sort):
    up, down = (list(rows(open_page(reader, changed, tri=way + sort))) for way in ("", "-"))
    assert sorted(up) == sorted(down)
    if sort in ("montant", "ecart"):
        assert up != down


def test_the_table_goes_by_fifty(reader, world, monkeypatch):
    monkeypatch.setattr("invoicing.review_pages.PER_PAGE", 2)
    run = world.compute()
    page = open_page(reader, run, tri="nom", page=2)
    assert len(page.context["members"]) == 1
    assert page.context["earlier"].startswith("?tri=nom&page=1")
    assert page.context["later"] == ""


# --- What is wrong, and where the run stands --------------------------------------------------


def test_errors_are_grouped_by_what_mends_them_and_lead_there(client):
    world = a_world(charges=({}, PER_PUPIL))
    HeadcountFactory(school=School.objects.order_by("pk").first(), school_year=YEAR)
    sign_in(client, "lecture", world.issuer)
    page = open_page(client, world.compute())
    [group] = page.context["groups"]
    assert (group.mend.title, group.blocking, group.count) == ("Effectif manquant", 5, 5)
    assert client.get(group.link).status_code == 200
    assert len(client.get(group.link).context["cl"].queryset) == 5
    text = text_of(page)
    assert "Aucun effectif pour" in text
    assert f"{len(group.calls)} membres" in text
    call = next(iter(group.blocked))
    assert "Écoles sans effectif" in text_of(open_page(client, page.context["run"], call))


def test_every_group_leads_to_a_page_that_its_reader_may_open(reader, world):
    run = world.compute()
    for mend in MENDS:
        link = link_of(mend, run)
        assert not link or reader.get(link).status_code == 200, mend.code


def test_every_anomaly_has_its_place():
    assert len(BY_ANOMALY) == sum(len(mend.anomalies) for mend in MENDS)
    assert len(BY_CODE) == len(MENDS) + 1


def test_the_page_says_what_changed_since_the_run(reader, world):
    run = world.compute()
    assert page_state(reader, run) == (run.number, ())
    enrolment = EnrolmentFactory(convention=Convention.objects.get(party=world.members[0]))
    Exclusion.objects.create(
        schedule=world.schedule, school_year=YEAR, school=enrolment.school, reason="x", decided_by="y"
    )
    latest, changes = page_state(reader, run)
    assert latest == run.number
    assert [spoken(words) for words in changes] == [
        "1 décision de l'année",
        "1 inscription, option ou prestation modifiée",
    ]
    again = world.compute()
    assert page_state(reader, run)[0] == again.number
    assert page_state(reader, again) == (again.number, ())
    assert "Ce calcul n'est pas le dernier" in text_of(open_page(reader, run))


def test_a_count_replaced_since_the_run_is_told(client):
    world = a_world(charges=(PER_PUPIL,))
    sign_in(client, "lecture", world.issuer)
    run = world.compute()
    for school in School.objects.order_by("pk"):
        HeadcountFactory(school=school, school_year=YEAR)
    assert [spoken(words) for words in page_state(client, run)[1]] == ["6 effectifs changés"]


def page_state(client, run):
    state = open_page(client, run).context["state"]
    return state.latest, state.changes


def test_titres_of_the_run_and_of_others_are_counted(reader, world, blank_pdf):
    run = world.compute()
    world.issue(run)
    again = world.compute()
    states = [open_page(reader, one).context["state"] for one in (run, again)]
    assert [(state.issued, state.elsewhere, state.since) for state in states] == [(3, 0, 0), (0, 3, 0)]


# --- How fast ---------------------------------------------------------------------------------


def test_its_queries_do_not_depend_on_the_number_of_members(client, blank_pdf):
    world = a_world(charges=({}, PER_PUPIL))
    for school in School.objects.order_by("pk"):
        HeadcountFactory(school=school, school_year=YEAR)
    sign_in(client, "finances", world.issuer)
    world.issue(world.compute())
    follow(world)

    def numbers(run):
        call = run.calls.order_by("siret").first()
        found = []
        for more in ([], [call.pk]):
            open_page(client, run, *more)
            with CaptureQueriesContext(
                connection,
            ) as queries:
                assert open_page(client, run, *more).status_code == 200
            found.append(len(queries))
        return found

    few = numbers(compute(world))
    for rank in range(30):
        joined = world.join(2, name=f"Commune de plus {rank:02d}")
        Convention.objects.filter(party=joined).update(last_year=NEXT)
    many = numbers(compute(world))
    assert many == few
    assert max(many) <= 20
