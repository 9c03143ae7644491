"""The irrevocable step: numbers without gap, one bordereau, nothing twice, nothing half done."""

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from conventions.models import Convention, Enrolment
from entsvc.models import JournalEntry
from invoicing import issuing, rendering
from invoicing.called_twice import called_from_others
from invoicing.correction_payload import PartOff
from invoicing.corrections import correct
from invoicing.models import Anomaly, Bordereau, Counter, Series, Titre, TitreLine
from invoicing.numbering import IssueRefused
from members.models import Issuer, Member, School, Signatory
from tariffs.models import Schedule
from tests.factories import (
    ConventionFactory,
    EnrolmentFactory,
    IssuerFactory,
    MemberFactory,
    SignatoryFactory,
)
from tests.invoicing.world import ISSUED_ON, a_world
from tests.tariffs.bases import spoken


def counters():
    return {
        counter.kind: counter.last_number for counter in Counter.objects.order_by("exercice", "kind")
    }


def facts_of(rows):
    return [
        {name: getattr(row, name) for name in issuing.LINE_FACTS} for row in rows.order_by("position")
    ]


# --- What an issue makes ----------------------------------------------------------------------


def test_it_works(world):
    run = world.compute()
    issued = world.issue(run)
    bordereau = Bordereau.objects.get()
    assert (issued.bordereau, issued.exercice, issued.blocked) == (bordereau, 2025, [])
    assert (bordereau.number, bordereau.exercice, bordereau.issued_on) == (1, 2025, ISSUED_ON)
    assert (bordereau.count, bordereau.total, bordereau.run) == (3, Decimal("270.00"), run)
    assert bordereau.signatory == "Camille ESSAI, ordonnatrice d'essai"
    assert bordereau.issued_by == "essai"


def test_numbers_go_from_one_without_gap_in_the_order_of_sirets(world):
    world.issue()
    titres = Titre.objects.order_by("number")
    assert list(titres.values_list("number", "siret", "total", "reference")) == [
        (n, member.siret, Decimal(45 * n), f"TST-2025-00000{n}")
        for n, member in enumerate(world.members, start=1)
    ]
    assert set(titres.values_list("bordereau", flat=True)) == {Bordereau.objects.get().pk}
    assert counters() == {"titre": 3, "bordereau": 1}


def test_a_titre_copies_the_lines_of_its_call(world):
    run = world.compute()
    for titre in world.issue(run).titres:
        call = run.calls.get(siret=titre.siret)
        assert titre.call == call
        assert facts_of(titre.lines) == facts_of(call.lines)
        assert titre.total == sum(line.amount for line in titre.lines.order_by("position"))


def test_the_next_campaign_goes_on_with_the_numbers_and_the_bordereaux(world):
    world.issue()
    other = a_world(members=2)
    assert other.issuer == world.issuer
    issued = other.issue()
    assert [titre.number for titre in issued.titres] == [4, 5]
    assert issued.bordereau.number == 2


def test_the_journal_tells_who_issued(world):
    bordereau = world.issue(actor="finances").bordereau
    entry = JournalEntry.objects.get(action="issue")
    assert (entry.actor, entry.target) == ("finances", f"invoicing.bordereau:{bordereau.pk}")
    assert entry.summary.replace("\u00a0", " ").endswith("bordereau 1 : 3 titres, 270,00 €")


def test_issuing_draws_nothing(world, monkeypatch):
    def fail(*args):
        raise AssertionError("un document est dessiné pendant l'émission")

    monkeypatch.setattr(rendering, "render_pdf", fail)
    assert len(world.issue().titres) == 3


def test_a_debtor_pays_in_one_titre_for_all_the_agreements_it_stands_for(world):
    payer, grouping = world.members[0], world.members[1]
    for_another = ConventionFactory(schedule=world.schedule, party=grouping, debtor=payer)
    EnrolmentFactory(convention=for_another)
    titre = next(titre for titre in world.issue().titres if titre.debtor == payer)
    assert titre.total == Decimal("90.00")
    assert titre.payload["debtor"]["party"] == grouping.name
    [own, other, _] = titre.payload["foundations"]
    assert own.startswith("Convention CONV-")
    assert for_another.reference in other


# --- Nothing twice ----------------------------------------------------------------------------


def test_a_second_issue_issues_nothing_and_spends_no_number(world):
    run = world.compute()
    world.issue(run)
    again = world.issue(run)
    assert (again.bordereau, again.titres, again.blocked) == (None, [], [])
    assert Titre.objects.count() == 3
    assert Bordereau.objects.count() == 1
    assert counters() == {"titre": 3, "bordereau": 1}
    assert JournalEntry.objects.filter(action="issue").count() == 1


def test_another_run_of_the_campaign_issues_nothing_twice(world):
    first, second = world.compute(), world.compute()
    world.issue(second)
    assert world.issue(first).bordereau is None
    assert Titre.objects.count() == 3


def test_a_mended_member_alone_is_issued_by_a_later_run(world):
    lame = world.members[1]
    Convention.objects.get(debtor=lame).enrolments.all().delete()
    first = world.issue()
    assert [blocked.siret for blocked in first.blocked] == [lame.siret]
    assert [titre.number for titre in first.titres] == [1, 2]

    EnrolmentFactory(convention=Convention.objects.get(debtor=lame))
    second = world.issue()
    assert [(titre.number, titre.siret) for titre in second.titres] == [(3, lame.siret)]
    assert (second.bordereau.number, second.bordereau.count) == (2, 1)
    assert second.blocked == []


def test_the_calls_issued_meanwhile_by_someone_else_are_left_out(world, monkeypatch):
    """Between the reading of what is left and the lock, another process issues."""
    run = world.compute()
    prepare = issuing._drafts

    def prepare_while_another_issues(*args):
        drafts = prepare(*args)
        monkeypatch.setattr(issuing, "_drafts", prepare)
        world.issue(run)
        return drafts

    monkeypatch.setattr(issuing, "_drafts", prepare_while_another_issues)
    late = world.issue(run)
    assert (late.bordereau, late.titres) == (None, [])
    assert counters() == {"titre": 3, "bordereau": 1}


def take_off(world, titre, kind, **changes):
    asked = {"reason_code": "debiteur", "reason": "Mauvais payeur", "on": ISSUED_ON, "actor": "essai"}
    return correct(titre=titre, kind=kind, signatory=world.signatory, **asked, **changes)


def test_a_school_is_not_billed_to_its_new_payer_while_the_titre_of_the_first_is_in_force(world):
    world.issue()
    first, right = world.members[0], MemberFactory()
    Convention.objects.filter(debtor=first).update(debtor=right)
    titre = Titre.objects.get(debtor=first)
    issued = world.issue()
    assert issued.titres == []
    [blocked] = issued.blocked
    [message] = blocked.messages
    uai = titre.lines.get().uai
    assert blocked.siret == right.siret
    assert f"({uai}) : déjà appelé de {first.name} par le titre {titre.reference}." in spoken(message)
    assert "« Annuler et ré-émettre »" in spoken(message)
    take_off(world, titre, Titre.Kind.ANNULATION)
    assert [row.debtor for row in world.issue().titres] == [right]


def test_a_school_that_moves_to_a_late_member_is_billed_once_its_line_is_taken_off(world):
    world.issue()
    late, third = world.join(0), world.members[2]
    moved = Enrolment.objects.filter(convention__debtor=third).order_by("pk").first()
    Enrolment.objects.filter(pk=moved.pk).update(convention=Convention.objects.get(debtor=late))
    assert world.issue().titres == []
    titre = Titre.objects.get(debtor=third)
    line = titre.lines.get(uai=moved.school.uai)
    part = PartOff(Decimal("45.00"), line=line)
    take_off(world, titre, Titre.Kind.REDUCTION, parts=[part])
    assert [row.debtor for row in world.issue().titres] == [late]


def test_a_titre_issued_meanwhile_to_the_former_payer_is_seen_under_the_lock(world, monkeypatch):
    before = world.compute()
    first, right = world.members[0], MemberFactory()
    Convention.objects.filter(debtor=first).update(debtor=right)
    run = world.compute()
    ready = issuing._sort_calls(run)
    world.issue(before)
    monkeypatch.setattr(issuing, "_sort_calls", lambda run: ready)
    assert world.issue(run).titres == []


def test_looking_for_another_debtor_costs_as_many_queries_however_many_titres(
    world, django_assert_num_queries
):
    run = world.compute()
    calls = list(run.calls.order_by("siret"))
    with django_assert_num_queries(1):
        assert called_from_others(run, calls) == {}
    world.issue(run)
    with django_assert_num_queries(6):
        assert called_from_others(run, calls) == {}


def copy_of(titre, **changes):
    facts = {field.attname: getattr(titre, field.attname) for field in Titre._meta.concrete_fields}
    return Titre(**{**facts, "id": uuid.uuid4(), "bordereau_id": uuid.uuid4(), **changes})


def test_the_database_keeps_one_principal_titre_per_campaign_and_debtor(world):
    twin = copy_of(world.issue().titres[0], number=99, call_id=None)
    with pytest.raises(ValidationError, match="a déjà son titre dans cette campagne"):
        twin.validate_constraints()
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save(force_insert=True)


def test_the_database_gives_a_number_once(world):
    titre = world.issue().titres[0]
    stranger = world.join(1)
    twin = copy_of(titre, debtor_id=stranger.pk, call_id=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save(force_insert=True)


# --- Who is left out --------------------------------------------------------------------------


def test_blocked_members_are_listed_with_their_reasons(world):
    homeless, unknown, clean = world.members
    Member.objects.filter(pk=homeless.pk).update(address="", city="")
    school = Convention.objects.get(debtor=unknown).enrolments.order_by("pk")[0].school
    type(school).objects.filter(pk=school.pk).update(degree="")
    issued = world.issue()
    assert [titre.siret for titre in issued.titres] == [clean.siret]
    first, second = issued.blocked
    assert (first.siret, first.name) == (homeless.siret, homeless.name)
    assert first.messages == [
        "À compléter – Débiteur : adresse.",
        "À compléter – Débiteur : ville.",
    ]
    assert second.siret == unknown.siret
    assert second.messages == [
        f"{school.uai} est absente de l'annuaire : importez-le ou corrigez ce code."
    ]


def test_when_all_are_blocked_no_number_is_spent(world):
    Member.objects.update(postal_code="")
    issued = world.issue()
    assert issued.bordereau is None
    assert len(issued.blocked) == 3
    assert not Counter.objects.exists()


def test_an_anomaly_that_does_not_block_lets_its_member_through(world):
    run = world.compute()
    call = run.calls.get(siret=world.members[0].siret)
    Anomaly.objects.create(run=run, call=call, code="notice", message="À savoir", blocking=False)
    assert len(world.issue(run).titres) == 3


def test_an_amount_of_zero_is_not_issued(db):
    issued = a_world(members=1, charges=[{"unit_price": Decimal("0.00")}]).issue()
    assert issued.bordereau is None
    assert [blocked.messages for blocked in issued.blocked] == [["Montant nul : aucun titre à émettre."]]


def test_a_run_without_agreement_issues_nothing(db):
    issued = a_world(members=0).issue()
    assert (issued.bordereau, issued.titres, issued.blocked) == (None, [], [])


# --- Who signs, and when ----------------------------------------------------------------------


def refusal(world, **asked):
    with pytest.raises(IssueRefused) as refused:
        world.issue(**asked)
    assert not Titre.objects.exists()
    assert not Counter.objects.exists()
    return str(refused.value)


def test_the_signatory_is_one_of_the_issuer(world):
    stranger = SignatoryFactory(issuer=IssuerFactory(code="AUTRE"))
    assert refusal(world, signatory=stranger) == (
        f"Ce signataire n'est pas celui de {world.issuer.name}."
    )


@pytest.mark.parametrize(
    ("valid_from", "valid_to"),
    [(dt.date(2025, 3, 4), None), (dt.date(2020, 1, 1), dt.date(2025, 3, 2))],
)
def test_the_signatory_is_in_office_on_the_day(world, valid_from, valid_to):
    signatory = SignatoryFactory(issuer=world.issuer, valid_from=valid_from, valid_to=valid_to)
    assert refusal(world, signatory=signatory) == (
        "Camille ESSAI, ordonnatrice d'essai n'a pas qualité pour signer à cette date."
    )


def test_the_first_and_last_days_in_office_count(world):
    signatory = SignatoryFactory(issuer=world.issuer, valid_from=ISSUED_ON, valid_to=ISSUED_ON)
    assert len(world.issue(signatory=signatory).titres) == 3


def test_the_longest_name_of_a_signatory_fits(world):
    longest = {
        name: "x" * Signatory._meta.get_field(name).max_length
        for name in ("first_name", "last_name", "quality")
    }
    signatory = SignatoryFactory(issuer=world.issuer, **longest)
    bordereau = world.issue(signatory=signatory).bordereau
    bordereau.full_clean(validate_unique=False, validate_constraints=False)
    assert bordereau.signatory == str(signatory)


def test_the_exercice_before_is_numbered_in_its_own_series(world):
    issued = world.issue(on=dt.date(2025, 1, 31), exercice=2024)
    assert issued.exercice == 2024
    assert {titre.reference[:9] for titre in issued.titres} == {"TST-2024-"}
    assert issued.titres[0].payload["document"]["exercice"] == 2024


def test_the_exercice_before_is_refused_past_the_days_of_the_issuer(world):
    Issuer.objects.filter(pk=world.issuer.pk).update(complementary_days=20)
    message = refusal(world, on=dt.date(2025, 1, 21), exercice=2024)
    assert "l'exercice précédent n'est possible que jusqu'au 20/01/2025" in message


def test_no_titre_is_back_dated_into_an_exercice_that_is_over(world, monkeypatch):
    monkeypatch.setattr("invoicing.numbering.localdate", lambda: dt.date(2026, 2, 1))
    assert "l'exercice 2025 et sa période complémentaire sont finis" in refusal(world)
    assert "Émettez-le à la date d'aujourd'hui" in refusal(world, exercice=2025)
    assert world.issue(on=dt.date(2026, 2, 1)).exercice == 2026


def test_the_additional_period_still_takes_a_titre_dated_within_its_exercice(world, monkeypatch):
    monkeypatch.setattr("invoicing.numbering.localdate", lambda: dt.date(2026, 1, 31))
    assert world.issue().exercice == 2025


def test_a_specimen_may_bear_any_exercice(world, monkeypatch):
    monkeypatch.setattr("invoicing.numbering.localdate", lambda: dt.date(2026, 2, 1))
    world.signatory.is_fictitious = True
    world.signatory.save()
    assert world.issue().exercice == 2025


def test_an_issue_dated_before_the_last_one_is_refused(world):
    world.issue()
    world.join(1)
    with pytest.raises(IssueRefused, match="va déjà jusqu'au 03/03/2025"):
        world.issue(on=ISSUED_ON - dt.timedelta(days=1))
    assert counters() == {"titre": 3, "bordereau": 1}


def test_an_older_run_and_a_date_to_come_are_pointed_out(world):
    old = world.compute()
    world.compute()
    tomorrow = timezone.localdate() + dt.timedelta(days=1)
    assert world.issue(old, on=tomorrow).warnings == [
        "Le dernier calcul de la campagne est le n° 2, pas celui-ci.",
        "La date d'émission est dans le futur.",
    ]


# --- Frozen for ever --------------------------------------------------------------------------


def test_a_later_change_reaches_neither_payload_nor_document(world, monkeypatch):
    drawn = []
    monkeypatch.setattr(rendering, "render_pdf", lambda _, context: drawn.append(context) or b"%PDF")
    titre = world.issue().titres[0]
    rendering.draw(Titre.objects.get(pk=titre.pk))

    Member.objects.update(name="AUTRE", address="AUTRE", city="AUTRE")
    Issuer.objects.update(name="AUTRE", contact="AUTRE")
    Signatory.objects.update(last_name="AUTRE")
    Schedule.objects.update(subject="AUTRE", vat="AUTRE")
    School.objects.update(name="AUTRE")
    after = Titre.objects.get(pk=titre.pk)
    assert after.payload == titre.payload
    assert after.debtor_name == titre.debtor_name == world.members[0].name
    rendering.draw(after)
    assert drawn[0] == drawn[1]
    assert "AUTRE" not in str(drawn[1])


def test_the_payload_read_back_is_the_one_that_was_written(world):
    for titre in world.issue().titres:
        assert Titre.objects.get(pk=titre.pk).payload == titre.payload


def test_the_payload_bears_the_identity_of_its_titre(world):
    titre = world.issue().titres[2]
    assert titre.payload["document"] == {
        "kind": "titre",
        "regime": "ETAT",
        "title": "Titre de perception",
        "number": 3,
        "reference": "TST-2025-000003",
        "issued_on": "2025-03-03",
        "exercice": 2025,
        "bordereau": 1,
        "payment_reference": "RF33TST2025000003",
        "due_text": "Texte delai.",
        "external": False,
        "specimen": False,
    }
    assert titre.payload["total"] == "135.00"
    assert titre.payload["total_words"] == "cent trente-cinq euros"


def test_a_local_issuer_makes_a_titre_de_recettes(db):
    titre = a_world(members=1, regime=Issuer.Regime.LOCAL).issue().titres[0]
    document = titre.payload["document"]
    assert document["title"] == "Titre de recettes – avis des sommes à payer"
    assert document["regime"] == "LOCAL"


@pytest.mark.parametrize("fictitious", ["signatory", "accountant"])
def test_a_fictitious_signatory_or_accountant_makes_a_specimen(world, fictitious):
    row = getattr(world, fictitious)
    row.is_fictitious = True
    row.save()
    assert world.issue().titres[0].payload["document"]["specimen"] is True


# --- A failure in the middle ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("holder", "name"),
    [
        (TitreLine.objects, "bulk_create"),
        (Titre.objects, "bulk_create"),
        (Bordereau, "save"),
        (issuing.journal, "record"),
    ],
    ids=["lines", "titres", "bordereau", "journal"],
)
def test_a_failure_in_the_middle_writes_nothing_and_spends_no_number(world, monkeypatch, holder, name):
    run = world.compute()

    def fail(*args, **kwargs):
        raise RuntimeError("coupure")

    with monkeypatch.context() as patch:
        patch.setattr(holder, name, fail)
        with pytest.raises(RuntimeError, match="coupure"):
            world.issue(run)
    written = [model.objects.count() for model in (TitreLine, Titre, Bordereau)]
    assert written == [0, 0, 0]
    assert not Counter.objects.filter(last_number__gt=0).exists()
    assert not JournalEntry.objects.filter(action="issue").exists()

    assert [titre.number for titre in world.issue(run).titres] == [1, 2, 3]
    assert counters()[Series.BORDEREAU] == 1


def test_a_conflict_found_by_the_database_is_told_in_french(world, monkeypatch):
    def conflict(*args, **kwargs):
        raise IntegrityError("UNIQUE constraint failed")

    monkeypatch.setattr(Titre.objects, "bulk_create", conflict)
    with pytest.raises(IssueRefused, match="Un autre poste vient d'émettre"):
        world.issue()
    assert not Counter.objects.filter(last_number__gt=0).exists()
