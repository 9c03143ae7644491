"""The take-over of agreements already known: a file puts a draft in force, and undoes nothing."""

import datetime as dt

import pytest

from conventions import states
from conventions.models import Convention, Transition
from members.models import Member
from tests.conventions.take_over import EPCI, SAUBENS, changed, conventions, snapshot
from tests.factories import AmendmentFactory, ConventionFactory, ScheduleFactory, valid_siret
from tests.members.files import run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("schedules")]


def test_who_put_agreements_in_force_is_logged_once(tmp_path, known):
    run("import_conventions", conventions(tmp_path, SAUBENS))
    Convention.objects.create(
        schedule=ScheduleFactory(code="ENT-DRAFT"),
        reference="ENT-1",
        status=states.DRAFT,
        party=Member.objects.get(siret="21310533100010"),
        debtor=Member.objects.get(siret="21310533100010"),
        first_year=2024,
    )
    draft = changed(SAUBENS, "bareme", "ENT-DRAFT")
    row = changed(SAUBENS, "derniere_annee", "2025-2026")
    outcome = run("import_conventions", conventions(tmp_path, row, draft, EPCI))
    assert outcome.counts == (3, 1, 2, 0, 0, 0)
    logged = Transition.objects.order_by("pk").values_list(
        "convention__schedule__code", "convention__reference", "action", "before", "after"
    )
    assert sorted(logged) == [
        ("ENT-DRAFT", "ENT-1", "reprise", states.DRAFT, states.IN_FORCE),
        ("NPDC-ENT", "ENT-2", "reprise", states.DRAFT, states.IN_FORCE),
        ("OCC-ENT-ECOLE", "ENT-1", "reprise", states.DRAFT, states.IN_FORCE),
    ]
    assert all(row.actor and row.comment.startswith("import ") for row in Transition.objects.all())


def test_a_file_reopens_no_agreement(tmp_path, known):
    path = conventions(tmp_path, SAUBENS, EPCI)
    run("import_conventions", path)
    for state in (*states.AGREEMENT_STATES,):
        if state in (states.DRAFT, states.IN_FORCE):
            continue
        Convention.objects.filter(reference="ENT-1").update(status=state)
        before = snapshot()
        outcome = run("import_conventions", path)
        assert outcome.counts == (2, 0, 0, 1, 1, 0)
        assert outcome.refused == [(2, "reference", "ENT-1")]
        message = outcome.report["refused"][0]["message"]
        assert f"« {states.AGREEMENT_STATES[state]} »" in message
        assert snapshot() == before
    assert Transition.objects.count() == 2


def test_the_schools_of_an_amended_agreement_change_by_amendment_only(tmp_path, known):
    run("import_conventions", conventions(tmp_path, EPCI))
    AmendmentFactory(convention=Convention.objects.get())
    outcome = run("import_conventions", conventions(tmp_path, changed(EPCI, "ecoles", "0310891A")))
    assert outcome.refused == [(2, "ecoles", "0310891A")]
    row = changed(EPCI, "date_fin", "2026-08-31")
    assert run("import_conventions", conventions(tmp_path, row)).report["updated"] == 1


def test_a_request_that_was_dropped_holds_no_list_back(tmp_path, known):
    run("import_conventions", conventions(tmp_path, EPCI))
    AmendmentFactory(convention=Convention.objects.get(), status=states.DROPPED)
    row = changed(EPCI, "ecoles", "0310891A")
    assert run("import_conventions", conventions(tmp_path, row)).report["updated"] == 1


def test_an_old_file_does_not_undo_a_succession(tmp_path, known):
    run("import_conventions", conventions(tmp_path, SAUBENS, EPCI))
    old = Convention.objects.get(reference="ENT-2")
    body = Member.objects.get(siret=valid_siret(2))
    ConventionFactory(
        schedule=old.schedule,
        reference="ENT-2-A1",
        succeeds=old,
        party=body,
        first_year=2025,
        last_year=None,
    )
    Convention.objects.filter(pk=old.pk).update(last_year=2024, ends_on=dt.date(2025, 8, 31))
    before = snapshot()
    closed = changed(changed(EPCI, "derniere_annee", "2024-2025"), "date_fin", "2025-08-31")
    for row, column, value in (
        (EPCI, "derniere_annee", ""),
        (changed(closed, "derniere_annee", "2027-2028"), "derniere_annee", "2027-2028"),
        (changed(closed, "premiere_annee", "2022-2023"), "premiere_annee", "2022-2023"),
        (changed(closed, "siret_membre", valid_siret(2)), "siret_membre", valid_siret(2)),
        (changed(closed, "siret_debiteur", valid_siret(2)), "siret_debiteur", valid_siret(2)),
        (changed(closed, "date_fin", "2027-08-31"), "date_fin", "2027-08-31"),
    ):
        outcome = run("import_conventions", conventions(tmp_path, SAUBENS, row))
        assert outcome.refused == [(3, column, value)]
        assert "ENT-2-A1 prend la suite" in outcome.report["refused"][0]["message"]
        assert outcome.report["unchanged"] == 1
        assert snapshot() == before
    named = changed(closed, "date_signature", "2023-06-16")
    assert run("import_conventions", conventions(tmp_path, named)).report["updated"] == 1
