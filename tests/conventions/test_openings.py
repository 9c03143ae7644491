"""A school opens once its project is validated, after the next holidays, under the framework of 2010."""

import datetime as dt

import pytest

from conventions import openings, states
from conventions.models import Convention, Enrolment, Transition
from conventions.openings import OpeningRefused
from conventions.policies import CHARTER, FRAMEWORK
from entsvc.models import JournalEntry
from members.models import School
from tests.conventions.world import a_school, account
from tests.factories import (
    ConventionFactory,
    EnrolmentFactory,
    LocalIssuerFactory,
    ScheduleFactory,
    SchoolFactory,
)

pytestmark = pytest.mark.django_db

URL = "/admin/ouvertures/"
SUBMITTED, VALIDATED, OPENING = dt.date(2024, 11, 4), dt.date(2024, 11, 18), dt.date(2025, 1, 6)


@pytest.fixture
def schedule():
    return ScheduleFactory(issuer=LocalIssuerFactory(departements="80"))


def an_enrolment(schedule, *, school=None, **facts):
    """Name a school of the académie d'Amiens in a charter in force, open-ended."""
    convention = ConventionFactory(schedule=schedule, policy=CHARTER.code, last_year=None)
    school = school or a_school(academy_code="20")
    return EnrolmentFactory(convention=convention, school=school, **facts)


def validated(schedule, **facts):
    known = {"project_submitted_on": SUBMITTED, "project_validated_on": VALIDATED}
    return an_enrolment(schedule, **{**known, **facts})


def a_framework(schedule, signed_on=dt.date(2023, 9, 1), **facts):
    """Record the framework agreement of the issuer: three years from its signature."""
    return ConventionFactory(
        schedule=schedule, policy=FRAMEWORK.code, signed_on=signed_on, first_year=2023, **facts
    )


def refusal(call, **arguments):
    with pytest.raises(OpeningRefused) as refused:
        call(actor="essai", **arguments)
    return str(refused.value).replace("\u00a0", " ")


def test_it_works(schedule):
    """Project submitted, validated by the IEN, then opened after the Christmas holidays of zone B."""
    a_framework(schedule)
    enrolment = an_enrolment(schedule)
    openings.submit_project(enrolment=enrolment, on=SUBMITTED, actor="essai")
    openings.validate_project(enrolment=enrolment, on=VALIDATED, actor="essai")
    openings.open_school(enrolment=enrolment, on=OPENING, actor="essai")
    enrolment.refresh_from_db()
    assert enrolment.opened_on == OPENING
    assert enrolment.history.count() == 4
    assert JournalEntry.objects.filter(action="opening", actor="essai").count() == 3


# When.


def test_a_school_opens_no_day_before_the_one_computed(schedule):
    enrolment = validated(schedule)
    told = refusal(openings.open_school, enrolment=enrolment, on=OPENING - dt.timedelta(days=1))
    assert told.startswith("Pas avant le 6 janvier 2025 : projet validé le 18 novembre 2024")
    openings.open_school(enrolment=enrolment, on=OPENING + dt.timedelta(days=30), actor="essai")


def test_a_project_not_validated_by_the_ien_opens_nothing(schedule):
    enrolment = an_enrolment(schedule, project_submitted_on=SUBMITTED)
    told = refusal(openings.open_school, enrolment=enrolment, on=OPENING)
    assert "pas encore validé par l'IEN" in told


def test_a_project_is_validated_after_it_is_submitted(schedule):
    enrolment = an_enrolment(schedule)
    assert "d'abord son dépôt" in refusal(openings.validate_project, enrolment=enrolment, on=VALIDATED)
    openings.submit_project(enrolment=enrolment, on=SUBMITTED, actor="essai")
    early = SUBMITTED - dt.timedelta(days=1)
    assert "n'a été déposé que le 4 novembre" in refusal(
        openings.validate_project, enrolment=enrolment, on=early
    )


def test_a_day_to_come_is_no_fact(schedule):
    enrolment = validated(schedule)
    later = dt.date(2099, 1, 5)
    for call in (openings.submit_project, openings.validate_project, openings.open_school):
        assert "n'est pas encore passé" in refusal(call, enrolment=enrolment, on=later)


def test_an_opening_is_recorded_once(schedule):
    enrolment = validated(schedule)
    openings.open_school(enrolment=enrolment, on=OPENING, actor="essai")
    told = refusal(openings.open_school, enrolment=enrolment, on=OPENING)
    assert "déjà ouvert, depuis le 6 janvier 2025" in told


def test_where_the_calendar_is_not_known_a_reason_is_asked(schedule):
    corse = a_school(academy_code="27")
    enrolment = validated(schedule, school=corse)
    told = refusal(openings.open_school, enrolment=enrolment, on=OPENING)
    assert "Corse a son propre calendrier" in told
    assert "Donnez le motif" in told
    openings.open_school(
        enrolment=enrolment, on=OPENING, actor="essai", reason="Calendrier de l'académie."
    )
    assert JournalEntry.objects.latest("pk").data["motif"] == "Calendrier de l'académie."


def test_no_school_opens_in_an_agreement_that_is_not_in_force_or_after_its_years(schedule):
    enrolment = validated(schedule)
    enrolment.convention.status = states.SIGNED
    enrolment.convention.save()
    assert "n'est pas en vigueur" in refusal(openings.open_school, enrolment=enrolment, on=OPENING)
    ended = validated(schedule, last_year=2024)
    later = dt.date(2025, 9, 8)
    assert "s'arrête en 2024-2025" in refusal(openings.open_school, enrolment=ended, on=later)


# The framework.


@pytest.mark.parametrize(
    ("signed_on", "opens"),
    [
        (dt.date(2022, 1, 7), True),  # its last day is the day of the opening
        (dt.date(2022, 1, 6), False),
        (OPENING, True),
        (OPENING + dt.timedelta(days=1), False),
        (None, False),
    ],
)
def test_a_school_opens_while_the_three_years_of_the_framework_run(schedule, signed_on, opens):
    a_framework(schedule, signed_on)
    enrolment = validated(schedule)
    if opens:
        openings.open_school(enrolment=enrolment, on=OPENING, actor="essai")
    else:
        told = refusal(openings.open_school, enrolment=enrolment, on=OPENING)
        assert told.startswith("Aucune convention cadre n'est en vigueur le 6 janvier 2025")
        assert "renouvelez-la" in told


def test_a_framework_never_in_force_opens_nothing_and_one_ended_opened_until_then(schedule):
    framework = a_framework(schedule, status=states.SENT)
    assert openings.framework_obstacle([framework], OPENING)
    framework.status, framework.ends_on = states.TERMINATED, dt.date(2025, 1, 31)
    assert not openings.framework_obstacle([framework], OPENING)
    assert openings.framework_obstacle([framework], dt.date(2025, 2, 1))
    framework.status = states.EXPIRED
    assert not openings.framework_obstacle([framework], OPENING)


def test_one_framework_after_another_is_enough(schedule):
    a_framework(schedule, dt.date(2010, 5, 17))
    a_framework(schedule, dt.date(2024, 5, 17))
    assert not openings.framework_obstacle(openings.frameworks(schedule.issuer), OPENING)


def test_an_issuer_without_framework_and_without_project_records_the_opening_as_it_was(schedule):
    enrolment = an_enrolment(schedule)
    openings.open_school(enrolment=enrolment, on=dt.date(2024, 9, 10), actor="essai")
    assert Enrolment.objects.get(pk=enrolment.pk).opened_on == dt.date(2024, 9, 10)


def test_the_framework_asks_a_project_of_the_ecoles_not_of_the_colleges(schedule):
    a_framework(schedule)
    told = refusal(openings.open_school, enrolment=an_enrolment(schedule), on=OPENING)
    assert "Aucun projet n'est déposé" in told
    college = an_enrolment(schedule, school=a_school(degree=School.Degree.COLLEGE))
    openings.open_school(enrolment=college, on=OPENING, actor="essai")


def test_the_framework_of_another_issuer_opens_nothing_here(schedule):
    a_framework(schedule, dt.date(2010, 1, 1))
    a_framework(ScheduleFactory())
    assert refusal(openings.open_school, enrolment=validated(schedule), on=OPENING)


# Taken back.


def test_the_last_step_recorded_by_mistake_is_taken_back_with_its_reason(schedule):
    enrolment = validated(schedule, opened_on=OPENING)
    assert "Dites pourquoi" in refusal(openings.withdraw, enrolment=enrolment, reason=" ")
    done = [openings.withdraw(enrolment=enrolment, actor="essai", reason="erreur") for _ in range(3)]
    assert done == ["ouverture", "validation de l'IEN", "dépôt du projet"]
    assert "Aucune étape" in refusal(openings.withdraw, enrolment=enrolment, reason="erreur")
    assert "était le" in JournalEntry.objects.latest("pk").data["motif"]


def test_a_school_is_due_from_the_first_exercice_in_which_access_begins():
    assert openings.first_exercice(dt.date(2014, 11, 3)) == 2014
    assert openings.first_exercice(dt.date(2015, 1, 5)) == 2015
    told = openings.due_from(dt.date(2015, 1, 5))
    assert told == "dû à partir de l'exercice 2015, année scolaire 2014-2015"


def test_no_school_opens_after_the_end_of_its_agreement(schedule):
    enrolment = validated(schedule)
    Convention.objects.filter(pk=enrolment.convention_id).update(
        status=states.TERMINATED, ends_on=dt.date(2025, 1, 31), last_year=2024
    )
    said = refusal(openings.open_school, enrolment=enrolment, on=dt.date(2025, 2, 1))
    assert "a pris fin le 31 janvier 2025" in said
    openings.open_school(enrolment=enrolment, on=dt.date(2025, 1, 31), actor="essai")


# The page.


@pytest.fixture
def gestionnaire(client, schedule):
    account(client, "gestionnaire", schedule.issuer)
    return client


def asked(**more):
    return {"emetteur": "LOC", "annee": "2024-2025", **more}


def post(client, etat, **data):
    query = f"?emetteur=LOC&annee=2024-2025&etat={etat}"
    return client.post(URL + query, {"on": "06/01/2025", **data}, follow=True)


def uais(page):
    return [row.enrolment.school.uai for row in page.context["rows"]]


def text(page):
    return page.content.decode().replace("\u00a0", " ").replace("&#x27;", "'").replace("&nbsp;", " ")


def test_the_page_lists_who_waits_since_when_it_may_open_and_why(gestionnaire, schedule):
    framework = a_framework(schedule)
    ready, submitted = validated(schedule), an_enrolment(schedule, project_submitted_on=SUBMITTED)
    bare, opened = an_enrolment(schedule), validated(schedule, opened_on=OPENING)
    page = gestionnaire.get(URL, asked())
    assert uais(page) == [ready.school.uai]
    shown = text(page)
    assert "Peut ouvrir depuis le 06/01/2025" in shown
    assert "vacances de Noël de la zone B" in shown
    assert framework.reference in shown
    assert uais(gestionnaire.get(URL, asked(etat="a-valider"))) == [submitted.school.uai]
    assert uais(gestionnaire.get(URL, asked(etat="sans-projet"))) == [bare.school.uai]
    page = gestionnaire.get(URL, asked(etat="ouvertes"))
    assert uais(page) == [opened.school.uai]
    assert "dû à partir de l'exercice 2025, année scolaire 2024-2025" in text(page)
    assert [number for _, _, number, _ in page.context["tabs"]] == [1, 1, 1, 0, 1]


def test_the_ticked_schools_open_and_the_others_say_why_not(gestionnaire, schedule):
    ready = validated(schedule)
    early = validated(schedule, project_validated_on=dt.date(2025, 1, 7))
    page = post(gestionnaire, "", choix=[ready.pk, early.pk])
    assert "1 école mise à jour" in text(page)
    assert "Pas avant le 24 février 2025" in text(page)
    assert Enrolment.objects.filter(opened_on=OPENING).get() == ready


def test_the_steps_before_are_recorded_from_the_same_page(gestionnaire, schedule):
    enrolment = an_enrolment(schedule)
    post(gestionnaire, "sans-projet", choix=enrolment.pk, on="04/11/2024")
    post(gestionnaire, "a-valider", choix=enrolment.pk, on="18/11/2024")
    enrolment.refresh_from_db()
    assert (enrolment.project_submitted_on, enrolment.project_validated_on) == (SUBMITTED, VALIDATED)
    page = post(gestionnaire, "", choix=enrolment.pk, quoi="retirer", reason="Autre école.")
    assert "1 école mise à jour" in text(page)
    enrolment.refresh_from_db()
    assert enrolment.project_validated_on is None


def test_a_college_of_a_new_charter_opens_without_a_project(gestionnaire, schedule):
    """It is due from its opening only; those of a charter taken over are in service already."""
    college = {"degree": School.Degree.COLLEGE, "academy_code": "20"}
    new, _ = [an_enrolment(schedule, school=a_school(**college)) for _ in range(2)]
    Transition.objects.create(
        convention=new.convention, action="mettre_en_vigueur", before="", after="", actor="essai"
    )
    assert uais(gestionnaire.get(URL, asked(etat="second-degre"))) == [new.school.uai]
    post(gestionnaire, "second-degre", choix=new.pk)
    assert Enrolment.objects.get(opened_on__isnull=False) == new
    assert uais(gestionnaire.get(URL, asked(etat="second-degre"))) == []


def test_nothing_ticked_a_wrong_day_or_a_strange_school_changes_nothing(gestionnaire, schedule):
    enrolment = validated(schedule)
    assert "Cochez au moins une école" in text(post(gestionnaire, ""))
    assert "Écrivez la date comme 03/03/2025" in text(post(gestionnaire, "", choix=enrolment.pk, on="x"))
    assert "Donnez la date" in text(post(gestionnaire, "", choix=enrolment.pk, on=""))
    other = validated(ScheduleFactory())
    for key in (other.pk, "9" * 40, "x"):
        assert "Cochez au moins une école" in text(post(gestionnaire, "", choix=key))
    assert not Enrolment.objects.filter(opened_on__isnull=False)


def test_what_was_ticked_stays_ticked_while_nothing_is_recorded(gestionnaire, schedule):
    wanted, early, other = [
        validated(schedule, project_validated_on=dt.date(2025, 1, 7)) for _ in range(3)
    ]
    for on in ("x", "06/01/2025"):
        shown = text(post(gestionnaire, "", choix=[wanted.pk, early.pk], on=on))
        for enrolment, ticked in ((wanted, True), (early, True), (other, False)):
            assert (f'id="ecole-{enrolment.pk}" checked' in shown) is ticked


def test_a_step_is_taken_back_without_a_day(gestionnaire, schedule):
    enrolment = validated(schedule, opened_on=OPENING)
    assert "on" not in gestionnaire.get(URL, asked(etat="ouvertes")).context["form"].fields
    given = {"choix": enrolment.pk, "quoi": "retirer", "on": ""}
    assert "Dites pourquoi" in text(post(gestionnaire, "ouvertes", **given))
    assert "1 école mise à jour" in text(post(gestionnaire, "ouvertes", **given, reason="Erreur."))
    enrolment.refresh_from_db()
    assert enrolment.opened_on is None
    assert "1 école mise à jour" in text(post(gestionnaire, "", **given, reason="Erreur."))


def test_an_academie_not_known_and_a_school_not_listed_are_mended_from_the_page(gestionnaire, schedule):
    enrolment = validated(schedule, school=a_school(academy_code=""))
    shown = text(gestionnaire.get(URL, asked()))
    assert f"/admin/members/school/{enrolment.school_id}/change/" in shown
    assert "inscrite à aucune convention de l'année" in shown


def test_the_schools_beyond_a_hundred_are_on_another_page(gestionnaire, schedule):
    convention = validated(schedule).convention
    for _ in range(100):
        EnrolmentFactory(
            convention=convention,
            school=SchoolFactory(academy_code="20"),
            project_submitted_on=SUBMITTED,
            project_validated_on=VALIDATED,
        )
    first = gestionnaire.get(URL, asked())
    assert len(uais(first)) == 100
    assert "Page 1 sur 2" in text(first)
    [last] = uais(gestionnaire.get(first.context["later"]))
    enrolment = Enrolment.objects.get(school__uai=last)
    address = first.context["later"]
    page = gestionnaire.post(address, {"on": "06/01/2025", "choix": enrolment.pk}, follow=True)
    assert "1 école mise à jour" in text(page)
    assert len(uais(page)) == 100


def test_opened_schools_have_no_step_left_but_to_take_it_back(gestionnaire, schedule):
    enrolment = validated(schedule, opened_on=OPENING)
    assert post(gestionnaire, "ouvertes", choix=enrolment.pk).status_code == 403


def test_an_unknown_list_or_another_issuer_is_not_found(gestionnaire):
    assert gestionnaire.get(URL, asked(etat="x")).status_code == 404
    assert gestionnaire.get(URL, {"emetteur": "TST"}).status_code == 404


def test_who_only_reads_records_nothing(client, schedule):
    enrolment = validated(schedule)
    account(client, "lecture", schedule.issuer)
    page = client.get(URL, asked())
    assert 'name="choix"' not in page.content.decode()
    assert post(client, "", choix=enrolment.pk).status_code == 403


def test_nobody_sees_it_without_signing_in_and_an_account_without_issuer_sees_nothing(client, schedule):
    assert client.get(URL).status_code == 302
    account(client, "gestionnaire")
    assert "n'est rattaché à aucun émetteur" in text(client.get(URL))


def test_the_page_makes_the_same_queries_whatever_the_number_of_schools(
    gestionnaire, schedule, django_assert_max_num_queries
):
    a_framework(schedule)
    for _ in range(12):
        validated(schedule)
    with django_assert_max_num_queries(20):
        assert len(uais(gestionnaire.get(URL, asked()))) == 12
