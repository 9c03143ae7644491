"""A count that changes after a titre was issued on it: the titre stays, staff are told."""

import datetime as dt
from decimal import Decimal

import pytest
from django.utils import timezone

from conventions.models import Convention, Enrolment
from entsvc.importing import run_import
from invoicing import mandats
from invoicing.correction_payload import PartOff
from invoicing.corrections import correct
from invoicing.drift import Drift, drifts
from invoicing.list_changes import list_changes
from invoicing.models import Titre
from members import counts
from members.importers.headcounts import IMPORTER
from members.models import Headcount, School, Usage
from tests.factories import (
    DatedTextFactory,
    EnrolmentFactory,
    HeadcountFactory,
    HeadcountSourceFactory,
    IssuerFactory,
    UsageFactory,
)
from tests.invoicing.world import ISSUED_ON, YEAR, a_world
from tests.members.files import write_csv
from tests.tariffs.bases import spoken

pytestmark = pytest.mark.django_db

LATER = dt.date(2026, 3, 2)
PER_PUPIL = {"code": "COMPTES", "metric": "pupils", "unit_price": Decimal("6.00")}
PER_ACTIVE = {"code": "ACTIFS", "metric": "active_pupils", "unit_price": Decimal("6.00")}
POOL = {
    "code": "COMMUN",
    "metric": "pupils",
    "model": "allocation",
    "unit_price": None,
    "pool": Decimal("1000.00"),
}


@pytest.fixture(autouse=True)
def today(monkeypatch):
    """Within the exercice of the titres, but where `over` says otherwise."""
    monkeypatch.setattr(timezone, "localdate", lambda *args: dt.date(2025, 12, 1))


def issued(*charges, members=1):
    """Issue the titres of a world where every school has 100 pupils, 80 of them active."""
    world = a_world(members=members, charges=charges)
    for school in School.objects.order_by("uai"):
        HeadcountFactory(school=school, school_year=YEAR, pupils=100)
        UsageFactory(school=school, school_year=YEAR, active_pupils=80)
    world.issue()
    return world


def change(school, pupils, *, year=YEAR, source="DEPP"):
    head = Headcount(school=school, school_year=year, source_id=source, pupils=pupils)
    counts.keep(Headcount, [head])


def imported(tmp_path, *rows, issuers=None):
    path = write_csv(tmp_path / "e.csv", "uai;annee_scolaire;eleves;eleves_actifs;source", *rows)
    return run_import(IMPORTER, path, dry_run=False, actor="essai", issuers=issuers)


def messages(report):
    return [(f.line, f.field, f.value, spoken(f.message)) for f in report.flagged]


def test_it_works(tmp_path):
    world = issued(PER_PUPIL)
    school, titre = School.objects.get(), Titre.objects.get()

    report = imported(tmp_path, f"{school.uai};2024-2025;103;;DEPP")

    assert drifts(world.schedule, YEAR) == [Drift(school.uai, 100, 103, titre.reference)]
    words = (
        f"L'effectif passe de 100 à 103 après le titre {titre.reference} : il reste dû tel quel ; une "
        "campagne complémentaire ou une réduction le corrigera."
    )
    assert messages(report) == [(2, "eleves", school.uai, words)]
    titre.refresh_from_db()
    assert titre.total == Decimal("600.00")


def test_what_did_not_change_is_not_told(tmp_path):
    world = issued(PER_PUPIL, members=2)
    rows = [f"{school.uai};2024-2025;100;80;DEPP" for school in School.objects.order_by("uai")]
    assert imported(tmp_path, *rows).flagged == []
    assert drifts(world.schedule, YEAR) == []


def test_a_drift_of_another_import_is_not_told_again(tmp_path):
    world = issued(PER_PUPIL, members=2)
    first, second, _ = School.objects.order_by("uai")
    change(first, 103)
    report = imported(tmp_path, f"{second.uai};2024-2025;104;;DEPP")
    assert [value for _, _, value, _ in messages(report)] == [second.uai]
    assert [drift.uai for drift in drifts(world.schedule, YEAR)] == sorted([first.uai, second.uai])


def test_a_count_of_another_year_concerns_no_titre(tmp_path):
    world = issued(PER_PUPIL)
    assert imported(tmp_path, f"{School.objects.get().uai};2025-2026;130;;DEPP").flagged == []
    assert drifts(world.schedule, YEAR + 1) == []


def test_a_source_that_is_not_retained_changes_nothing(tmp_path):
    world = issued(PER_PUPIL)
    HeadcountSourceFactory(code="MANUEL", rank=2)
    assert imported(tmp_path, f"{School.objects.get().uai};2024-2025;130;;MANUEL").flagged == []
    assert drifts(world.schedule, YEAR) == []


def test_a_better_source_that_comes_later_is_a_change(tmp_path):
    world = issued(PER_PUPIL)
    HeadcountSourceFactory(code="OFFICIEL", rank=0)
    report = imported(tmp_path, f"{School.objects.get().uai};2024-2025;130;;OFFICIEL")
    assert len(report.flagged) == 1
    assert [drift.current for drift in drifts(world.schedule, YEAR)] == [130]


def test_a_price_per_school_rests_on_no_count(tmp_path):
    world = issued({})
    assert imported(tmp_path, f"{School.objects.get().uai};2024-2025;103;;DEPP").flagged == []
    assert drifts(world.schedule, YEAR) == []


def test_a_pool_rests_on_the_pupils_of_all_its_schools():
    world = issued(POOL, members=2)
    change(School.objects.order_by("uai").last(), 90)
    assert [drift.current for drift in drifts(world.schedule, YEAR)] == [90]


def test_active_pupils_drift_where_they_are_billed(tmp_path):
    world = issued(PER_ACTIVE)
    school, titre = School.objects.get(), Titre.objects.get()
    report = imported(tmp_path, f"{school.uai};2024-2025;110;85;DEPP")
    [(line, field, value, words)] = messages(report)
    assert (line, field, value) == (2, "eleves_actifs", school.uai)
    assert words.startswith(f"L'usage passe de 80 à 85 après le titre {titre.reference} :")
    assert drifts(world.schedule, YEAR) == [Drift(school.uai, 80, 85, titre.reference, "active_pupils")]


def test_a_count_withdrawn_is_told_as_no_longer_known():
    world = issued(PER_PUPIL)
    counts.withdraw(Headcount, [Headcount.current.get().pk])
    [drift] = drifts(world.schedule, YEAR)
    assert drift.current is None
    assert drift.message.startswith("L'effectif (100) n'est plus connu après le titre ")


def test_a_count_that_comes_back_to_what_was_billed_is_no_drift():
    world = issued(PER_PUPIL)
    school = School.objects.get()
    change(school, 103)
    change(school, 100)
    assert drifts(world.schedule, YEAR) == []


def test_a_run_without_titre_is_free_to_follow_its_counts():
    world = a_world(members=1, charges=[PER_PUPIL])
    HeadcountFactory(school=School.objects.get(), school_year=YEAR)
    world.compute()
    change(School.objects.get(), 130)
    assert drifts(world.schedule, YEAR) == []


def test_a_later_calculation_does_not_hide_the_count_that_was_billed():
    world = issued(PER_PUPIL)
    change(School.objects.get(), 103)
    world.compute()
    assert [drift.frozen for drift in drifts(world.schedule, YEAR)] == [100]


def test_a_school_that_joins_after_the_titre_is_no_drift():
    world = issued(PER_PUPIL)
    joined = EnrolmentFactory(convention__schedule=world.schedule, convention__party=world.members[0])
    HeadcountFactory(school=joined.school, school_year=YEAR)
    assert drifts(world.schedule, YEAR) == []


def test_an_account_is_not_told_of_the_titres_of_other_issuers(tmp_path):
    world = issued(PER_PUPIL)
    uai = School.objects.get().uai
    other = frozenset({IssuerFactory(code="AUTRE").pk})
    assert imported(tmp_path, f"{uai};2024-2025;103;;DEPP", issuers=other).flagged == []
    own = frozenset({world.issuer.pk})
    [finding] = imported(tmp_path, f"{uai};2024-2025;104;;DEPP", issuers=own).flagged
    assert finding.issuer == world.issuer.pk


def test_the_titre_may_name_a_usage_withdrawn_since():
    world = issued(PER_ACTIVE)
    counts.withdraw(Usage, [Usage.current.get().pk])
    [drift] = drifts(world.schedule, YEAR)
    assert drift.message.startswith("L'usage (80) n'est plus connu")


@pytest.mark.parametrize("members", [1, 6])
def test_the_queries_do_not_grow_with_the_schools(members, django_assert_num_queries):
    world = issued(PER_PUPIL, members=members)
    for school in School.objects.order_by("uai"):
        change(school, 103)
    with django_assert_num_queries(9):
        found = drifts(world.schedule, YEAR)
    assert len(found) == members * (members + 1) // 2


# --- Mended by a réduction --------------------------------------------------------------------


def reduced(world, *amounts, uai="", titre=None):
    """Take amounts off the lines of a school, or off the charge when no school is named."""
    titre = titre or Titre.objects.get(kind=Titre.Kind.TITRE)
    lines = list(titre.lines.filter(uai=uai).order_by("position")) if uai else [None]
    return correct(
        titre=titre,
        kind=Titre.Kind.REDUCTION,
        reason_code=Titre.Reason.WRONG_AMOUNT,
        reason="Effectif rectifié.",
        on=ISSUED_ON,
        signatory=world.signatory,
        actor="essai",
        parts=[
            PartOff(Decimal(amount), line, "" if line else "COMPTES")
            for amount, line in zip(amounts, lines, strict=True)
        ],
    )


def test_a_reduction_to_what_the_count_now_makes_ends_the_drift():
    world = issued(PER_PUPIL)
    school = School.objects.get()
    change(school, 95)
    assert len(drifts(world.schedule, YEAR)) == 1
    reduced(world, "30.00", uai=school.uai)
    assert drifts(world.schedule, YEAR) == []
    change(school, 94)  # changed again since: it is told again
    assert [drift.current for drift in drifts(world.schedule, YEAR)] == [94]
    reduced(world, "6.00", uai=school.uai)
    assert drifts(world.schedule, YEAR) == []


def test_a_reduction_of_another_amount_leaves_the_drift():
    world = issued(PER_PUPIL)
    school = School.objects.get()
    change(school, 95)
    reduced(world, "29.99", uai=school.uai)
    assert len(drifts(world.schedule, YEAR)) == 1


def test_a_reduction_that_names_no_school_leaves_the_drift():
    world = issued(PER_PUPIL)
    change(School.objects.get(), 95)
    reduced(world, "30.00")
    assert len(drifts(world.schedule, YEAR)) == 1


def test_all_the_counts_of_a_school_are_weighed_together():
    world = issued(PER_PUPIL, PER_ACTIVE)
    school = School.objects.get()
    change(school, 95)
    usage = Usage(school=school, school_year=YEAR, source_id="DEPP", active_pupils=70)
    counts.keep(Usage, [usage])
    assert len(drifts(world.schedule, YEAR)) == 2
    reduced(world, "30.00", "60.00", uai=school.uai)
    assert drifts(world.schedule, YEAR) == []


# --- Past the exercice, by a mandat -----------------------------------------------------------


@pytest.fixture
def over(monkeypatch):
    """The exercice 2025 and its additional period are over; what a request draws is of no matter."""
    monkeypatch.setattr(timezone, "localdate", lambda *args: LATER)
    monkeypatch.setattr(mandats, "render_pdf", lambda *args: b"%PDF")
    DatedTextFactory(scope="ETAT", code="compte-exercice-clos", body="673")


def asked(world, amount, reference=None):
    titres = Titre.objects.filter(kind=Titre.Kind.TITRE).order_by("pk")
    return mandats.request_mandat(
        titre=titres.get(reference=reference) if reference else titres.get(),
        amount=Decimal(amount),
        reason_code=Titre.Reason.WRONG_AMOUNT,
        reason="Effectif rectifié.",
        on=LATER,
        signatory=world.signatory,
        actor="essai",
    )


def test_past_the_exercice_a_drift_advises_a_mandat_and_no_reduction(over):
    world = issued(PER_PUPIL)
    change(School.objects.get(), 95)
    [drift] = drifts(world.schedule, YEAR)
    assert drift.closed
    assert "son exercice est clos" in drift.message
    assert "un mandat demandé au comptable rendra ce qui est de trop" in drift.message
    assert "réduction" not in drift.message


def test_a_mandat_of_what_the_counts_now_make_ends_the_drifts_of_its_titre(over):
    world = issued(PER_PUPIL, members=2)
    two = Titre.objects.get(total=Decimal("1200.00"))
    first, second = two.lines.order_by("position").values_list("uai", flat=True)
    other = Titre.objects.get(total=Decimal("600.00")).lines.get().uai
    for uai, pupils in ((first, 95), (second, 90), (other, 80)):
        change(School.objects.get(uai=uai), pupils)
    asked(world, "60.00", two.reference)
    assert len(drifts(world.schedule, YEAR)) == 3  # not yet all of the 90 € called in excess
    asked(world, "30.00", two.reference)
    assert [drift.uai for drift in drifts(world.schedule, YEAR)] == [other]
    change(School.objects.get(uai=first), 94)  # changed again since: both are told again
    assert len(drifts(world.schedule, YEAR)) == 3


def test_a_mandat_completes_the_reductions_made_before_it(over):
    world = issued(PER_PUPIL, members=2)
    two = Titre.objects.get(total=Decimal("1200.00"))
    first, second = two.lines.order_by("position")
    for line, pupils in ((first, 95), (second, 90)):
        change(School.objects.get(uai=line.uai), pupils)
    reduced(world, "30.00", uai=first.uai, titre=two)
    asked(world, "60.00", two.reference)
    assert drifts(world.schedule, YEAR) == []


def test_a_mandat_for_a_school_taken_off_ends_its_change_of_list(over):
    world = issued(PER_PUPIL, members=2)
    two = Titre.objects.get(total=Decimal("1200.00"))
    gone, stays = (School.objects.get(uai=line.uai) for line in two.lines.order_by("position"))
    Enrolment.objects.filter(school=gone).delete()
    [told] = list_changes(world.schedule, YEAR)
    assert (told.uai, told.added, told.closed) == (gone.uai, False, True)
    change(stays, 90)
    asked(world, "600.00", two.reference)
    assert len(list_changes(world.schedule, YEAR)) == 1  # 60 € are still called in excess
    asked(world, "60.00", two.reference)
    assert list_changes(world.schedule, YEAR) == []
    assert drifts(world.schedule, YEAR) == []


def test_a_school_added_is_told_whatever_mandats_give_back(over):
    world = issued(PER_PUPIL)
    change(School.objects.get(), 95)
    asked(world, "30.00")
    convention = Convention.objects.get()
    added = EnrolmentFactory(convention=convention).school
    HeadcountFactory(school=added, school_year=YEAR, pupils=50)
    assert drifts(world.schedule, YEAR) == []
    assert [(c.uai, c.added) for c in list_changes(world.schedule, YEAR)] == [(added.uai, True)]
