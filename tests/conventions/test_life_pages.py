"""The pages that move an agreement: who may, what they ask, and that looking changes nothing."""

import datetime as dt

import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from conventions import life, states, terminations
from conventions.admin.agreements import CHANGED_MEANWHILE, NOT_DELETED
from conventions.models import Convention, Paper, Termination, Transition
from conventions.policies import CHARTER, FRAMEWORK, PARTNERSHIP_2020, PARTNERSHIP_2024, Ending
from tests.conventions.amending import a_scan
from tests.conventions.world import account
from tests.factories import (
    ActFactory,
    AmendmentFactory,
    ConventionFactory,
    EnrolmentFactory,
    IssuerFactory,
    MemberFactory,
    PaperFactory,
    ScheduleFactory,
    SchoolFactory,
)

pytestmark = pytest.mark.django_db
LIST = "/admin/conventions/convention/"
TODAY = dt.date(2025, 3, 1)
STEPS = {
    "envoyer": "etape-envoyer",
    "reprendre": "etape-reprendre",
    "signer": "etape-signer",
    "mettre_en_vigueur": "etape-mettre-en-vigueur",
    "reprise": "reprise",
    "echoir": "etape-echoir",
    "abandonner": "etape-abandonner",
}
ENDING_PAGES = ["resiliation", "resiliation-etape", "resiliation-fin", "resiliation-sans-suite"]


@pytest.fixture(autouse=True)
def today(monkeypatch):
    monkeypatch.setattr("django.utils.timezone.localdate", lambda *_: TODAY)


@pytest.fixture
def manager(client):
    """A « gestionnaire » of the issuer of these agreements."""
    account(client, "gestionnaire", IssuerFactory())
    return client


def agreement(status=states.DRAFT, policy=PARTNERSHIP_2024, **facts):
    return ConventionFactory(status=status, policy=policy.code, **facts)


def url(convention, page="change"):
    return f"{LIST}{convention.pk}/{page}/"


def text(response):
    assert response.status_code == 200, response.status_code
    return response.content.decode().replace("\u00a0", " ").replace("&nbsp;", " ").replace("&#x27;", "'")


def followed(client, convention, page, data=None):
    """Post to a page that must answer by coming back to the agreement; return what it shows."""
    response = client.post(url(convention, page), data or {}, follow=True)
    assert response.redirect_chain, text(response)
    assert response.redirect_chain[-1][0] == url(convention)
    return text(response)


def test_it_works(manager):
    convention = agreement(states.SENT, signed_on=None)
    shown = text(manager.get(url(convention, "etape-signer")))
    assert "Le document signé est conservé" in shown
    shown = followed(
        manager,
        convention,
        "etape-signer",
        {"on": "28/02/2025", "comment": "au coffre", "seen": states.SENT},
    )
    assert "l'état est « Signée »" in shown
    assert "Journal des états" in shown
    row = Transition.objects.get()
    assert (row.action, row.actor, row.comment) == ("signer", "gestionnaire", "au coffre")
    assert Convention.objects.get().signed_on == dt.date(2025, 2, 28)
    assert convention.history.first().history_user.username == "gestionnaire"


def test_looking_changes_nothing(manager):
    convention = agreement(states.IN_FORCE, PARTNERSHIP_2020, ends_on=dt.date(2024, 12, 31))
    for state in states.AGREEMENT_STATES:
        Convention.objects.update(status=state)
        for page in (*STEPS.values(), *ENDING_PAGES):
            assert manager.get(url(convention, page)).status_code in (200, 302), (state, page)
        assert Convention.objects.get().status == state
    for page in ("history", "delete"):
        assert manager.get(url(convention, page)).status_code in (200, 302)
    assert manager.get(f"{LIST}reprise/").status_code == 200
    assert not Transition.objects.exists()
    assert not Termination.objects.exists()


def test_only_the_right_role_of_the_right_issuer_moves_an_agreement():
    convention = agreement(states.SIGNED)
    mine, other = convention.schedule.issuer, IssuerFactory(code="AUTRE")
    data = {"comment": "essai", "on": "01/03/2025", "ending": "BREACH", "author": "membre"}
    for number, (role, issuer, expected) in enumerate(
        [("lecture", mine, 403), ("finances", mine, 403), ("gestionnaire", other, 404)]
    ):
        client = Client()
        user = account(client, role, issuer)
        for page in (*STEPS.values(), *ENDING_PAGES):
            assert client.get(url(convention, page)).status_code == expected, (role, page)
            assert client.post(url(convention, page), data).status_code == expected, (role, page)
        assert client.get(f"{LIST}reprise/").status_code == (403 if expected == 403 else 200)
        assert client.get(url(convention, "history")).status_code == (200 if issuer is mine else 404)
        user.username = f"{role}-{number}"
        user.save()
    assert Convention.objects.get().status == states.SIGNED
    assert not Transition.objects.exists()


def test_the_state_is_no_field_of_the_form(manager):
    convention = agreement(states.DRAFT)
    shown = text(manager.get(url(convention)))
    assert 'name="status"' not in shown
    form = manager.get(url(convention)).context["adminform"].form
    assert "status" not in form.fields
    schedule = convention.schedule
    empty = {
        f"{prefix}-{name}_FORMS": "0"
        for prefix in ("enrolments", "subscriptions", "units", "transitions")
        for name in ("TOTAL", "INITIAL")
    }
    data = {
        "schedule": schedule.pk,
        "reference": "NEUVE",
        "party": convention.party_id,
        "debtor": convention.debtor_id,
        "first_year": "2024-2025",
        "amendments_before": "0",
        "status": states.IN_FORCE,
        **empty,
    }
    response = manager.post(f"{LIST}add/", data)
    assert response.status_code == 302, response.context["errors"]
    assert Convention.objects.get(reference="NEUVE").status == states.DRAFT
    response = manager.post(url(convention), {**data, "reference": "AUTRE", "seen": states.DRAFT})
    assert response.status_code == 302, response.context["errors"]
    stored = Convention.objects.get(reference="AUTRE")
    assert stored.status == states.DRAFT
    assert Convention.objects.filter(search__contains="autre").get() == stored
    stale = manager.post(url(convention), {**data, "reference": "PERDUE", "seen": states.SIGNED})
    assert CHANGED_MEANWHILE in text(stale)
    assert Convention.objects.filter(pk=convention.pk).get().reference == "AUTRE"


def test_only_the_buttons_of_the_state_are_there(manager):
    convention = agreement()
    expected = {
        states.DRAFT: {"envoyer", "reprise", "abandonner"},
        states.SENT: {"reprendre", "signer", "abandonner"},
        states.SIGNED: {"mettre_en_vigueur", "abandonner"},
        states.IN_FORCE: {"echoir"},
        states.TERMINATED: set(),
        states.EXPIRED: set(),
        states.ABANDONED: {"reprendre"},
    }
    for state, codes in expected.items():
        Convention.objects.update(status=state)
        shown = text(manager.get(url(convention)))
        assert {c for c, page in STEPS.items() if url(convention, page) in shown} == codes, state
        assert (url(convention, "resiliation") in shown) == (state == states.IN_FORCE)
        assert url(convention, "resiliation-fin") not in shown
        assert states.AGREEMENT_STATES[state] in shown


def test_a_second_click_is_told_that_it_is_done(manager):
    convention = agreement()
    data = {"comment": "doublon", "seen": states.DRAFT}
    assert "l'état est « Abandonnée »" in followed(manager, convention, "etape-abandonner", data)
    again = followed(manager, convention, "etape-abandonner", data)
    assert "n'est possible que depuis l'état" in again
    assert Transition.objects.count() == 1
    Convention.objects.update(status=states.SENT)
    stale = manager.post(url(convention, "etape-abandonner"), data)
    assert "L'état a changé depuis l'affichage" in text(stale)
    assert Convention.objects.get().status == states.SENT


def test_what_a_step_lacks_is_told_on_its_page(manager):
    convention = agreement(states.SENT, signed_on=None)
    shown = text(manager.post(url(convention, "etape-signer"), {}))
    assert "Donnez la date de la dernière signature" in shown
    assert "Joignez le document signé" in shown
    not_a_pdf = SimpleUploadedFile("scan.pdf", b"MZ")
    shown = text(manager.post(url(convention, "etape-signer"), {"on": "28/02/2025", "scan": not_a_pdf}))
    assert 'role="alert"' in shown
    assert "Dites pourquoi, en commentaire." in text(
        manager.post(url(agreement(), "etape-abandonner"), {})
    )
    assert set(Convention.objects.values_list("status", flat=True)) == {states.SENT, states.DRAFT}
    assert not Paper.objects.exists()


def test_a_start_to_come_is_confirmed_by_its_date(manager):
    start = dt.date(2025, 4, 1)
    convention = agreement(
        states.SIGNED, CHARTER, act=ActFactory(transmitted_on=TODAY), transmitted_on=start
    )
    page = "etape-mettre-en-vigueur"
    assert "écrivez 01/04/2025" in text(manager.get(url(convention, page)))
    assert "est à venir" in text(manager.post(url(convention, page), {}))
    assert "« En vigueur »" in followed(manager, convention, page, {"on": "01/04/2025"})


# --- What is written on a paper that was sent -------------------------------------------------


def test_what_was_sent_is_changed_by_taking_the_draft_up_again(manager):
    convention = agreement(states.SENT)
    EnrolmentFactory(convention=convention)
    form = manager.get(url(convention)).context["adminform"].form
    assert not {"party", "debtor", "reference", "first_year"} & set(form.fields)
    assert "enrolments-0-school" not in text(manager.get(url(convention)))
    Convention.objects.update(status=states.DRAFT)
    assert "party" in manager.get(url(convention)).context["adminform"].form.fields
    assert "enrolments-0-school" in text(manager.get(url(convention)))
    Convention.objects.update(status=states.TERMINATED)
    form = manager.get(url(convention)).context["adminform"].form
    assert not {"last_year", "ends_on", "party", "debtor"} & set(form.fields)


# --- Taking over paper ------------------------------------------------------------------------


def paper_facts(schedule, **more):
    party = more.pop("party", None) or MemberFactory()
    return {
        "schedule": schedule.pk,
        "policy": PARTNERSHIP_2020.code,
        "reference": "PAPIER-7",
        "party": party.pk,
        "first_year": "2020-2021",
        "last_year": "2020-2021",
        "signed_on": "01/09/2020",
        "schools": " ".join(school.uai for school in SchoolFactory.create_batch(2)),
        "amendments_before": "3",
        "comment": "Reprise du classeur 2020.",
        **more,
    }


def test_an_agreement_signed_on_paper_is_taken_over_in_force(manager):
    schedule = ScheduleFactory()
    scan = SimpleUploadedFile("convention signée.pdf", a_scan())
    response = manager.post(f"{LIST}reprise/", paper_facts(schedule, scan=scan))
    assert response.status_code == 302, response.context["form"].errors
    convention = Convention.objects.get()
    assert convention.status == states.IN_FORCE
    assert convention.debtor == convention.party
    assert convention.amendments_before == 3
    assert convention.enrolments.count() == 2
    assert set(convention.enrolments.values_list("first_year", flat=True)) == {2020}
    paper = convention.papers.get()
    assert (paper.role, paper.actor) == (Paper.Role.SIGNED, "gestionnaire")
    row = convention.transitions.get()
    assert (row.action, row.before, row.after, row.comment) == (
        "reprise", states.DRAFT, states.IN_FORCE, "Reprise du classeur 2020.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schools": "0310891A 0310891B"}, "0310891B"),
        ({"schools": "0310891A"}, "1 UAI inconnu : 0310891A"),
        ({"schools": ""}, "Ce texte nomme les écoles"),
        ({"comment": ""}, "Joignez le document signé"),
        ({"signed_on": "02/03/2025"}, "La signature ne peut pas être à venir"),
        ({"ends_on": "01/08/2020"}, "prend fin avant d'être signée"),
        ({"last_year": "2019-2020"}, "La dernière année précède la première"),
        ({"policy": ""}, "obligatoire"),
        ({"last_year": ""}, "ne va pas au-delà de 2020-2021 : donnez la dernière année"),
        ({"last_year": "2021-2022"}, "ne va pas au-delà de 2020-2021 : corrigez les années"),
    ],
)
def test_a_take_over_that_lacks_something_leaves_nothing(manager, changes, message):
    response = manager.post(f"{LIST}reprise/", {**paper_facts(ScheduleFactory()), **changes})
    assert message in text(response)
    assert not Convention.objects.exists()
    assert not Transition.objects.exists()


def test_a_take_over_sums_up_at_its_top_what_is_wrong(manager):
    facts = {**paper_facts(ScheduleFactory()), "policy": "", "signed_on": "hier"}
    shown = text(manager.post(f"{LIST}reprise/", facts))
    summary = shown[shown.index("La convention n'est pas reprise") : shown.index('id="id_schedule"')]
    assert '<a class="underline" href="#id_policy">Texte</a> : Ce champ est obligatoire.' in summary
    assert 'href="#id_signed_on"' in summary
    assert summary.count("<li>") == 2
    refused = text(manager.post(f"{LIST}reprise/", {**paper_facts(ScheduleFactory()), "comment": ""}))
    assert refused.index("La convention n'est pas reprise") < refused.index("Joignez le document signé")
    assert "La convention n'est pas reprise" not in text(manager.get(f"{LIST}reprise/"))


def test_a_field_is_described_by_its_help_and_its_errors(manager):
    shown = text(manager.post(f"{LIST}reprise/", {**paper_facts(ScheduleFactory()), "schools": ""}))
    assert 'aria-describedby="id_schools_helptext id_schools_error"' in shown
    for name in ("id_schools_helptext", "id_schools_error"):
        assert shown.count(f'id="{name}"') == 1


def test_a_reference_taken_and_a_party_without_siret_are_told(manager):
    there = ConventionFactory(reference="PAPIER-7")
    page = manager.post(f"{LIST}reprise/", paper_facts(there.schedule))
    assert "Ce barème a déjà une convention de cette référence" in text(page)
    party = MemberFactory(siret=None, siren="213105331")
    page = manager.post(f"{LIST}reprise/", paper_facts(ScheduleFactory(), party=party))
    assert "choisissez qui paie" in text(page)
    assert Convention.objects.get() == there


def test_an_agreement_of_another_issuer_can_not_be_taken_over(manager):
    theirs = ScheduleFactory(issuer=IssuerFactory(code="AUTRE"))
    page = manager.post(f"{LIST}reprise/", paper_facts(theirs))
    assert page.status_code == 200
    assert page.context["form"].errors["schedule"]
    assert not Convention.objects.exists()


def test_a_draft_is_taken_over_with_the_schools_of_its_paper(manager):
    convention = agreement(policy=PARTNERSHIP_2020, reference="PAPIER-7", first_year=2024)
    kept = EnrolmentFactory(convention=convention, opened_on=dt.date(2020, 10, 1))
    EnrolmentFactory(convention=convention)
    added = SchoolFactory()
    assert kept.school.uai in text(manager.get(url(convention, "reprise")))
    facts = paper_facts(
        convention.schedule, party=convention.party, schools=f"{kept.school.uai}, {added.uai}"
    )
    assert "est reprise et en vigueur" in followed(manager, convention, "reprise", facts)
    rows = convention.enrolments.order_by("pk").values_list("school", "first_year", "opened_on")
    assert list(rows) == [(kept.school_id, 2020, kept.opened_on), (added.pk, 2020, None)]
    again = followed(manager, convention, "reprise", facts)
    assert "n'est possible que depuis l'état « Projet »" in again


# --- Ending -----------------------------------------------------------------------------------


def test_an_agreement_is_ended_step_by_step(manager):
    convention = agreement(states.IN_FORCE, last_year=None)
    begin = {"ending": "BREACH", "author": "emetteur", "grounds": "Charte non respectée."}
    assert "La résiliation est engagée" in followed(manager, convention, "resiliation", begin)
    for record, day in (
        ("formal_notice", "10/01/2025"),
        ("conciliation_failed", "10/02/2025"),
        ("second_letter", "12/02/2025"),
    ):
        early = manager.post(url(convention, "resiliation-fin"), {"on": "01/03/2025"})
        assert "Enregistrez d'abord" in text(early)
        shown = followed(manager, convention, "resiliation-etape", {"record": record, "on": day})
    assert "La fin peut être prononcée" in shown
    assert "La dernière due est 2024-2025" in shown or "la dernière due est 2024-2025" in shown
    assert "Les sommes perçues ne sont pas remboursées" in shown
    end = {"on": "28/02/2025", "comment": "", "seen": states.IN_FORCE}
    shown = followed(manager, convention, "resiliation-fin", end)
    assert "La fin de la convention est prononcée" in shown
    assert "Résiliation aboutie" in shown
    stored = Convention.objects.get()
    assert (stored.status, stored.last_year) == (states.TERMINATED, 2024)
    assert "Aucune résiliation n'est en cours" in followed(manager, convention, "resiliation-fin", end)


def test_a_text_without_a_way_out_says_so(manager):
    for policy, words in ((FRAMEWORK, "n'ouvre aucune voie"), (None, "Choisissez d'abord le texte")):
        convention = ConventionFactory(policy=policy.code if policy else "")
        assert words in followed(manager, convention, "resiliation", {"ending": "BREACH"})


def test_a_way_out_is_left_with_its_reason(manager):
    convention = agreement(states.IN_FORCE, PARTNERSHIP_2020)
    terminations.open_termination(
        convention=convention, ending=Ending.NOTICE, author="membre", grounds="", actor="x"
    )
    page = "resiliation-sans-suite"
    assert "Dites pourquoi" in text(manager.post(url(convention, page), {}))
    shown = followed(manager, convention, page, {"comment": "lettre retirée"})
    assert "la convention continue" in shown


def test_the_deliberation_that_ends_is_one_of_the_member(manager):
    convention = agreement(states.IN_FORCE, CHARTER)
    terminations.open_termination(
        convention=convention,
        ending=Ending.GENERAL_INTEREST_BY_MEMBER,
        author="membre",
        grounds="Motif.",
        actor="x",
    )
    act = ActFactory(issuer=None, member=convention.party, date=dt.date(2025, 2, 1))
    ActFactory()
    form = manager.get(url(convention, "resiliation-etape")).context["form"]
    assert list(form.fields["act"].queryset) == [act]
    shown = followed(manager, convention, "resiliation-etape", {"record": "voted", "act": act.pk})
    assert "La fin peut être prononcée" in shown


# --- Deleting, history, size ------------------------------------------------------------------


def test_an_agreement_with_something_kept_is_not_deleted_and_says_why(manager):
    rests = [
        agreement(states.IN_FORCE),
        PaperFactory(convention=agreement(states.SENT)).convention,
        AmendmentFactory(convention=agreement()).convention,
    ]
    moved = agreement()
    life.move(moved, "abandonner", actor="x", comment="doublon")
    for convention in (*rests, moved):
        for send in (manager.get, manager.post):
            response = send(url(convention, "delete"), {"post": "yes"})
            assert response.status_code == 302
            assert [str(m) for m in get_messages(response.wsgi_request)][-1] == NOT_DELETED
    keys = [convention.pk for convention in (*rests, moved)]
    data = {"action": "delete_selected", "_selected_action": keys, "post": "yes"}
    assert NOT_DELETED in text(manager.post(LIST, data, follow=True))
    assert Convention.objects.count() == 4
    draft = agreement()
    EnrolmentFactory(convention=draft)
    assert manager.post(url(draft, "delete"), {"post": "yes"}).status_code == 302
    assert not Convention.objects.filter(pk=draft.pk).exists()


def test_the_history_says_who_changed_which_field(manager):
    convention = agreement(states.IN_FORCE, ends_on=dt.date(2025, 9, 5))
    enrolment = EnrolmentFactory(convention=convention)
    manager.post(
        url(convention, "resiliation"),
        {"ending": "BREACH", "author": "membre", "grounds": "Panne durable."},
    )
    enrolment.last_year = 2024
    enrolment.save()
    enrolment.delete()
    shown = text(manager.get(url(convention, "history")))
    assert "Résiliation : création" in shown
    assert "Panne durable." in shown
    assert "gestionnaire" in shown
    assert "École inscrite : suppression" in shown
    assert "Dernière année scolaire : <strong" in shown
    assert enrolment.school.uai in shown
    assert "5 septembre 2025" in shown
    assert url(convention, "history") in text(manager.get(url(convention)))


def test_the_page_of_an_agreement_asks_few_questions(manager, django_assert_max_num_queries):
    convention = agreement(states.IN_FORCE, last_year=None)
    for _ in range(12):
        EnrolmentFactory(convention=convention)
    termination = terminations.open_termination(
        convention=convention, ending=Ending.BREACH, author="membre", grounds="x", actor="x"
    )
    terminations.record_step(
        termination=termination, record="formal_notice", on=dt.date(2025, 1, 10), actor="x"
    )
    for _ in range(3):
        PaperFactory(convention=convention)
    manager.get(url(convention))
    for page in ("change", "history", "resiliation-etape"):
        with django_assert_max_num_queries(20):
            assert manager.get(url(convention, page)).status_code == 200
    with django_assert_max_num_queries(20):
        manager.get(LIST)
