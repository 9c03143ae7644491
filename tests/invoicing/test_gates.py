"""What holds a call back: the day, the closed statement, the vote, the threshold, a credit decision."""

import datetime as dt
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from entsvc.models import DatedFigure, JournalEntry
from invoicing.calculation import open_supplement
from invoicing.models import (
    Acceptance,
    Adjustment,
    CallRules,
    CostStatement,
    DecidedDeduction,
    Titre,
    VotedAmount,
    YearPool,
)
from invoicing.numbering import IssueRefused
from invoicing.replay import basis_changed, differences
from invoicing.roles import create_groups
from members.models import Issuer, School
from tests.factories import ActFactory, HeadcountFactory
from tests.invoicing.quoting import annul
from tests.invoicing.test_admin import account
from tests.invoicing.test_statements import closed, spend
from tests.invoicing.world import YEAR, a_world
from tests.tariffs.bases import spoken

pytestmark = pytest.mark.django_db
D = Decimal
POOL = {"code": "COMMUN", "metric": "pupils", "model": "allocation", "unit_price": None}


def rules(world, **changes):
    return CallRules.objects.create(schedule=world.schedule, **changes)


def decided(model, world, debtor=None, **facts):
    where = {"schedule": world.schedule, "school_year": YEAR, "reason": "Décision n° 7", **facts}
    return model.objects.create(**(where | ({"debtor": debtor} if debtor else {})))


def told(run, code):
    return [spoken(anomaly.message) for anomaly in run.anomalies.filter(code=code).order_by("pk")]


def blocked(run):
    return set(run.anomalies.filter(blocking=True).order_by("pk").values_list("code", flat=True))


# The day.


def test_somme_issues_nothing_before_the_school_year_is_over(world):
    rules(world, after_year_end=True)
    run = world.compute()
    with pytest.raises(IssueRefused, match="daté d'avant le 1er.septembre.2025"):
        world.issue(run, on=dt.date(2025, 8, 31))
    assert world.issue(run, on=dt.date(2025, 9, 1)).titres


def test_expenses_that_no_statement_proves_are_told_of_a_tariff_called_once_they_are_paid(world):
    rules(world, after_year_end=True)
    run = world.compute()
    assert "vérifiez que les dépenses sont payées" in told(run, "expenses_to_check")[0]
    assert not blocked(run)


# The closed statement.


def a_pool_world():
    world = a_world(members=2, charges=[POOL], regime=Issuer.Regime.LOCAL)
    for school in School.objects.order_by("uai"):
        HeadcountFactory(school=school, school_year=YEAR, pupils=100)
    return world


def a_statement(world):
    return CostStatement.objects.create(
        schedule=world.schedule,
        school_year=YEAR,
        charge="COMMUN",
        degree="1D",
        starts_on=dt.date(2024, 9, 1),
        ends_on=dt.date(2025, 8, 31),
    )


def test_a_pool_typed_by_hand_blocks_those_who_share_it_where_a_statement_is_needed():
    world = a_pool_world()
    rules(world, needs_statement=True)
    decided(YearPool, world, charge="COMMUN", amount=D("300.00"))
    run = world.compute()
    assert run.total == D("300.00")
    assert run.anomalies.filter(code="statement_needed", blocking=True).count() == 2
    assert "faites viser et clore cet état" in told(run, "statement_needed")[0]


def test_a_closed_statement_feeds_the_pool_and_is_annexed_to_the_titres():
    world = a_pool_world()
    rules(world, needs_statement=True)
    statement = a_statement(world)
    spend(statement, "300.00", paid_on=dt.date(2025, 3, 1))
    assert blocked(world.compute()) == {"missing_pool"}
    closed(statement)
    run = world.compute()
    assert not blocked(run)
    assert run.basis["facts"]["annexes"]["COMMUN"]["pool"] == "300.00"
    first = world.issue(run).titres[0]
    assert [annex["expenses"][0]["mandat"] for annex in first.payload["annexes"]] == ["M-1"]


def test_a_tariff_without_pool_asks_for_a_closed_statement_where_its_rules_say_so(world):
    rules(world, needs_statement=True)
    assert blocked(world.compute()) == {"statement_needed"}


# The vote.


def voted(world, amounts):
    for member, amount in zip(world.members, amounts, strict=False):
        act = ActFactory(issuer=world.issuer)
        decided(VotedAmount, world, member, amount=D(amount), act=act)


def test_a_call_that_differs_from_the_vote_is_blocked_until_accepted_with_a_reason(world):
    voted(world, ["45.00", "100.00"])
    run = world.compute()
    assert told(run, "voted_amount_differs") == [
        "L'appel de l'année est de 90,00 €, le montant voté de 100,00 € : corrigez l'un des deux, ou "
        "acceptez l'écart avec un motif."
    ]
    assert "Aucun montant voté" in told(run, "voted_amount_missing")[0]
    assert [b.siret for b in world.issue(run).blocked] == [world.members[1].siret]

    decided(Acceptance, world, world.members[1], code="voted_amount_differs")
    run = world.compute()
    assert not blocked(run)
    assert run.anomalies.get(code="voted_amount_differs").accepted == "Décision n° 7"
    assert world.issue(run).bordereau.count == 1


def test_a_vote_for_nobody_called_is_told(world):
    stranger = a_world(members=1).members[0]
    voted(world, ["45.00", "90.00", "135.00"])
    decided(VotedAmount, world, stranger, amount=D("1.00"), act=ActFactory(issuer=world.issuer))
    assert any("est sans appel" in message for message in told(world.compute(), "unused_decision"))


# The threshold.


@pytest.fixture
def small():
    """Two members of a local body, of which one owes 8 €, under the threshold."""
    world = a_world(members=2, regime=Issuer.Regime.LOCAL, charges=[{"unit_price": D("8.00")}])
    DatedFigure.objects.create(
        scope="LOCAL",
        code="seuil-mise-en-recouvrement",
        valid_from=dt.date(2017, 4, 10),
        value=D("15.00"),
        unit="€",
        source="CGCT, art. D. 1611-1",
    )
    return world


def test_a_small_amount_is_issued_with_a_warning_unless_told_otherwise(small):
    run = small.compute()
    assert told(run, "small_amount") == [
        "8,00 €, sous le seuil de mise en recouvrement de 15,00 € : émis quand même."
    ]
    assert len(small.issue(run).titres) == 2


def test_a_small_amount_put_off_is_taken_by_the_next_campaign(small):
    rules(small, small_amounts="regrouper")
    run = small.compute()
    assert blocked(run) == {"small_deferred"}
    assert len(small.issue(run).titres) == 1
    later = open_supplement(campaign=run.campaign, reason="petits montants", actor="essai")
    assert not blocked(later)
    assert [str(titre.total) for titre in small.issue(later).titres] == ["8.00"]


def test_a_small_amount_left_out_is_never_called_again(small):
    rules(small, small_amounts="abandonner")
    run = small.compute()
    assert blocked(run) == {"small_skipped"}
    small.issue(run)
    later = open_supplement(campaign=run.campaign, reason="vérification", actor="essai")
    assert not later.calls.exists()
    assert list(differences(later)) == []


def test_a_state_body_has_no_threshold(world):
    assert world.compute().basis["facts"]["gates"]["threshold"] is None


# Deductions and adjustments.


def test_a_deduction_beyond_the_call_waits_for_a_decision(world):
    first = world.members[0]
    decided(DecidedDeduction, world, first, label="FEDER", amount=D("60.00"))
    run = world.compute()
    assert blocked(run) == {"deduction_above_call"}
    assert "15,00 € restent à imputer" in told(run, "deduction_above_call")[0]
    decided(Acceptance, world, first, code="deduction_above_call")
    run = world.compute()
    assert not blocked(run)
    assert run.calls.get(debtor=first).total == 0
    assert "15,00 € restent à imputer" in told(run, "deduction_above_call")[0]


def test_an_adjustment_is_a_line_with_its_label_and_reason(world):
    first = world.members[0]
    for label, amount in (("Remise", "-5.00"), ("Régularisation", "12.50")):
        decided(Adjustment, world, first, label=label, amount=D(amount))
    run = world.compute()
    titre = next(t for t in world.issue(run).titres if t.debtor_id == first.pk)
    assert titre.total == D("52.50")
    added = [(li.charge_label, spoken(li.explanation)) for li in titre.lines.order_by("position")][1:]
    assert added == [
        ("Régularisation", "12,50 €, motif : Décision n° 7"),
        ("Remise", "−5,00 €, motif : Décision n° 7"),
    ]
    Adjustment.objects.all().delete()
    assert not basis_changed(run)
    assert list(differences(run)) == []


def test_an_adjustment_never_brings_a_call_below_zero(world):
    decided(Adjustment, world, world.members[0], label="Remise", amount=D("-60.00"))
    run = world.compute()
    assert blocked(run) == {"adjustment_above_call"}
    assert run.calls.get(debtor=world.members[0]).total == 0


def test_an_adjustment_of_nobody_called_is_told(world):
    stranger = a_world(members=1).members[0]
    decided(Adjustment, world, stranger, label="Remise", amount=D("1.00"))
    assert any("est sans appel" in message for message in told(world.compute(), "unused_decision"))


def test_the_reason_of_an_adjustment_is_short_enough_to_be_printed(world):
    row = Adjustment(label="x" * 150, amount=D("1.00"), reason="x" * 251)
    with pytest.raises(ValidationError) as refused:
        row.clean_fields(exclude=["schedule", "school_year", "debtor"])
    assert "reason" in refused.value.error_dict


# The pages.


@pytest.mark.parametrize(
    ("role", "model", "allowed"),
    [
        ("finances", "adjustment", True),
        ("gestionnaire", "adjustment", False),
        ("lecture", "adjustment", False),
        ("finances", "callrules", True),
        ("gestionnaire", "callrules", False),
        ("gestionnaire", "votedamount", True),
        ("finances", "votedamount", False),
    ],
)
def test_who_may_add_what(client, world, role, model, allowed):
    create_groups()
    client.force_login(account(role, issuers=[world.issuer]))
    assert client.get(reverse(f"admin:invoicing_{model}_changelist")).status_code == 200
    page = client.get(reverse(f"admin:invoicing_{model}_add"))
    assert page.status_code == (200 if allowed else 403)


def test_an_adjustment_names_its_author_and_stays_once_it_is_billed(client, world):
    create_groups()
    client.force_login(account("finances", issuers=[world.issuer]))
    client.post(
        reverse("admin:invoicing_adjustment_add"),
        {
            "schedule": world.schedule.pk,
            "school_year": "2024-2025",
            "debtor": world.members[0].pk,
            "label": "Régularisation",
            "amount": "12.50",
            "reason": "décompte",
        },
    )
    row = Adjustment.objects.get()
    assert row.decided_by == "finances"
    assert JournalEntry.objects.filter(action="decision", actor="finances").exists()
    delete = reverse("admin:invoicing_adjustment_delete", args=[row.pk])
    assert client.get(delete).status_code == 200
    world.issue()
    titre = Titre.objects.get(lines__charge="AJUSTEMENT")
    assert client.get(delete).status_code == 403
    annul(world, titre)
    assert client.get(delete).status_code == 200


def test_a_change_of_rules_is_in_the_journal(client, world):
    create_groups()
    row = rules(world)
    client.force_login(account("finances", issuers=[world.issuer]))
    url = reverse("admin:invoicing_callrules_change", args=[row.pk])
    client.post(url, {"after_year_end": "on", "small_amounts": "regrouper"})
    entry = JournalEntry.objects.get(action="call-rules")
    assert "oui" in entry.summary
    assert "Reporter" in entry.summary
