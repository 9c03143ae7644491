"""A statement of expenses: visa, closing, and the pool it feeds."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.urls import reverse

from entsvc import documents
from entsvc.models import JournalEntry
from invoicing.decisions import decisions_for
from invoicing.models import CostStatement, DecidedDeduction, Expense, OwnShare, Subsidy, YearPool
from invoicing.regimes import load_regimes
from invoicing.statements import (
    StatementRefused,
    close,
    cost_of,
    facts,
    findings,
    give_visa,
    withdraw_visa,
)
from invoicing.subsidies import DeductionRefused, deduct, standing_in_words
from members.models import Issuer, User
from tariffs.models import Adoption, Charge, Schedule, Version
from tests.factories import ActFactory, AdoptionFactory, MemberFactory
from tests.invoicing.test_admin import account

pytestmark = pytest.mark.django_db
D = Decimal
YEAR = 2020


@pytest.fixture(scope="module")
def regimes(kept):
    return kept(lambda: load_regimes(actor="essai"))


@pytest.fixture
def schedule(regimes, db):
    return Schedule.objects.get(code="SOMME-1D")


@pytest.fixture
def statement(schedule):
    return CostStatement.objects.create(
        schedule=schedule,
        school_year=YEAR,
        charge="COMMUN",
        degree="1D",
        starts_on=dt.date(2020, 9, 1),
        ends_on=dt.date(2021, 8, 31),
    )


def spend(statement, amount, **changes):
    row = {
        "category": "comptes",
        "degree": "1D",
        "supplier": "Éditeur",
        "label": "Comptes des élèves",
        "mandat": "M-1",
        "paid_on": dt.date(2021, 3, 1),
        **changes,
    }
    return Expense.objects.create(statement=statement, amount=D(amount), **row)


@pytest.fixture
def example_b(statement):
    """10 000.00 paid, of which 2 500.00 on the own budget; 1 000.00 of subsidy received."""
    spend(statement, "6000.00")
    spend(statement, "4000.00", category="administration", mandat="M-2")
    OwnShare.objects.create(
        statement=statement, category="administration", amount=D("2500.00"), reason="Chargé de projet"
    )
    subsidise(statement.schedule, statement=statement, received=D("1000.00"), received_on=DAY)
    return statement


DAY = dt.date(2021, 6, 1)


def subsidise(schedule, **facts):
    return Subsidy.objects.create(
        schedule=schedule, school_year=YEAR, giver="FEDER", label="Subvention FEDER", **facts
    )


def closed(statement):
    give_visa(statement=statement, actor="gest")
    return close(statement=statement, actor="fin")


def test_a_closed_statement_is_the_pool_of_its_charge(example_b):
    assert "COMMUN" not in decisions_for(example_b.schedule, YEAR).pools
    statement = closed(example_b)
    assert statement.pool == D("6500.00")
    amount, proof = decisions_for(example_b.schedule, YEAR).pools["COMMUN"]
    assert amount == D("6500.00")
    assert "état des dépenses clos le" in proof
    assert statement.document.sha256[:16] in proof


def test_expenses_of_another_degree_are_kept_out_of_the_pool(example_b):
    spend(example_b, "999.00", degree="2D", mandat="M-3")
    assert cost_of(example_b).pool == D("6500.00")
    assert all(row["amount"] != "999.00" for row in facts(example_b)["expenses"])


def test_a_pledge_counts_for_nothing_and_what_is_received_replaces_what_was_notified(example_b):
    subsidise(example_b.schedule, statement=example_b, pledged=D("900.00"), pledged_on=DAY)
    assert cost_of(example_b).pool == D("6500.00")
    late = subsidise(example_b.schedule, statement=example_b, notified=D("300.00"), notified_on=DAY)
    assert cost_of(example_b).pool == D("6200.00")
    late.received, late.received_on = D("250.00"), DAY
    late.save()
    assert cost_of(example_b).pool == D("6250.00")


def test_an_expense_paid_outside_the_period_stands_in_the_way_of_the_visa(example_b):
    spend(example_b, "5.00", mandat="M-9", paid_on=dt.date(2021, 9, 1))
    with pytest.raises(StatementRefused, match="hors de la période"):
        give_visa(statement=example_b, actor="gest")


def test_a_pool_typed_by_hand_stands_in_the_way_of_the_visa(example_b):
    YearPool.objects.create(
        schedule=example_b.schedule,
        school_year=YEAR,
        charge="COMMUN",
        amount=D("1.00"),
        reason="à la main",
        decided_by="x",
    )
    assert any("déjà saisie à la main" in message for message in findings(example_b))


@pytest.mark.parametrize("state", CostStatement.State)
@pytest.mark.parametrize("step", ["visa", "reopen", "close"])
def test_each_step_is_taken_from_its_own_state_only(example_b, state, step):
    if state != CostStatement.State.PREPARED:
        give_visa(statement=example_b, actor="gest")
    if state == CostStatement.State.CLOSED:
        close(statement=example_b, actor="fin")
    steps = {
        "visa": lambda: give_visa(statement=example_b, actor="gest"),
        "reopen": lambda: withdraw_visa(statement=example_b, reason="facture oubliée", actor="gest"),
        "close": lambda: close(statement=example_b, actor="fin"),
    }
    allowed = {("prepare", "visa"), ("vise", "reopen"), ("vise", "close")}
    if (state.value, step) in allowed:
        steps[step]()
        assert JournalEntry.objects.filter(action__startswith="statement-").exists()
    else:
        with pytest.raises(StatementRefused):
            steps[step]()


def test_where_duties_are_separate_who_gave_the_visa_does_not_close(example_b):
    Issuer.objects.filter(pk=example_b.schedule.issuer_id).update(separate_duties=True)
    give_visa(statement=example_b, actor="seul")
    with pytest.raises(StatementRefused, match="une autre personne"):
        close(statement=example_b, actor="seul")
    assert close(statement=example_b, actor="autre").pool == D("6500.00")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE invoicing_expense SET amount = 1",
        "DELETE FROM invoicing_expense",
        "UPDATE invoicing_ownshare SET amount = 1",
        "UPDATE invoicing_coststatement SET pool = 1",
        "UPDATE invoicing_coststatement SET closed_at = NULL, pool = NULL",
        "DELETE FROM invoicing_coststatement",
        "UPDATE invoicing_subsidy SET received = 1",
    ],
)
def test_the_database_refuses_to_change_a_closed_statement(example_b, sql):
    closed(example_b)
    refused = pytest.raises(DatabaseError, match="clos : il ne change plus")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE invoicing_expense SET amount = 1",
        "DELETE FROM invoicing_expense",
        "UPDATE invoicing_ownshare SET amount = 1",
        "DELETE FROM invoicing_ownshare",
        "UPDATE invoicing_subsidy SET received = 1",
        "UPDATE invoicing_subsidy SET statement_id = NULL",
        "DELETE FROM invoicing_subsidy",
        "UPDATE invoicing_coststatement SET ends_on = '2022-08-31'",
        "UPDATE invoicing_coststatement SET starts_on = '2020-01-01'",
        "UPDATE invoicing_coststatement SET degree = '2D'",
        "UPDATE invoicing_coststatement SET charge = 'AUTRE'",
        "UPDATE invoicing_coststatement SET school_year = 2021",
        "UPDATE invoicing_coststatement SET degree = '2D', visa_by = '', visa_at = NULL",
        "DELETE FROM invoicing_coststatement",
    ],
)
def test_the_database_refuses_to_change_what_was_visaed(example_b, sql):
    give_visa(statement=example_b, actor="gest")
    refused = pytest.raises(DatabaseError, match="vise ou clos")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert close(statement=example_b, actor="fin").pool == D("6500.00")


def test_a_statement_opened_again_changes_in_the_database_too(example_b):
    give_visa(statement=example_b, actor="gest")
    withdraw_visa(statement=example_b, reason="période à corriger", actor="gest")
    CostStatement.objects.filter(pk=example_b.pk).update(ends_on=dt.date(2021, 12, 31))
    assert closed(example_b).ends_on == dt.date(2021, 12, 31)


def test_nothing_is_added_to_a_visaed_statement_until_it_is_opened_again(example_b):
    give_visa(statement=example_b, actor="gest")
    late = {"statement": example_b, "received": D("500.00"), "received_on": DAY}
    for add in (
        lambda: spend(example_b, "1.00", mandat="M-7"),
        lambda: subsidise(example_b.schedule, **late),
    ):
        with pytest.raises(DatabaseError, match="vise ou clos"), transaction.atomic():
            add()
    withdraw_visa(statement=example_b, reason="subvention oubliée", actor="gest")
    subsidise(example_b.schedule, **late)
    assert closed(example_b).pool == D("6000.00")


def test_the_pages_of_a_subsidy_follow_the_visa_of_its_statement(client, example_b):
    subsidy = example_b.subsidies.get()
    client.force_login(account("gestionnaire", issuers=[example_b.schedule.issuer]))
    page = reverse("admin:invoicing_subsidy_change", args=[subsidy.pk])
    delete = reverse("admin:invoicing_subsidy_delete", args=[subsidy.pk])
    give_visa(statement=example_b, actor="gest")
    facts = {
        "schedule": example_b.schedule_id,
        "school_year": YEAR,
        "giver": "Région",
        "label": "Aide",
        "statement": example_b.pk,
        "received": "10.00",
        "received_on": "01/06/2021",
    }
    assert client.post(page, facts).status_code == 403
    assert client.post(delete, {"post": "yes"}).status_code == 403
    add = reverse("admin:invoicing_subsidy_add")
    assert "est visé ou clos" in client.post(add, facts).content.decode()
    assert Subsidy.objects.count() == 1
    withdraw_visa(statement=example_b, reason="oubli", actor="gest")
    assert "est visé ou clos" not in client.post(add, facts).content.decode()
    assert client.get(page).context["has_change_permission"]


def test_the_document_is_stored_as_it_was_closed(example_b):
    statement = closed(example_b)
    assert documents.read(statement.document).startswith(b"%PDF-")
    told = facts(statement)
    assert (told["draft"], told["pool"], told["visa"][:4]) == (False, "6500.00", "gest")


def test_a_subsidy_of_a_debtor_comes_off_its_call_once(schedule):
    subsidy = subsidise(schedule, debtor=MemberFactory(), notified=D("500.00"), notified_on=DAY)
    deduction = deduct(subsidy=subsidy, reason="Décision du 1er juin", actor="fin")
    assert (deduction.amount, deduction.label) == (D("500.00"), "Subvention FEDER")
    with pytest.raises(DeductionRefused, match="déjà déduite"):
        deduct(subsidy=subsidy, reason="encore", actor="fin")
    assert DecidedDeduction.objects.count() == 1


def test_a_mere_pledge_is_not_deducted(schedule):
    subsidy = subsidise(schedule, debtor=MemberFactory(), pledged=D("500.00"), pledged_on=DAY)
    with pytest.raises(DeductionRefused, match="Une promesse ne se déduit pas"):
        deduct(subsidy=subsidy, reason="Décision", actor="fin")


def test_a_deduction_that_no_longer_follows_its_subsidy_says_so(schedule):
    subsidy = subsidise(schedule, debtor=MemberFactory(), notified=D("500.00"), notified_on=DAY)
    deduct(subsidy=subsidy, reason="Décision", actor="fin")
    subsidy.received, subsidy.received_on = D("450.00"), DAY
    assert "ne suit plus la subvention" in standing_in_words(subsidy)


def test_the_journey_of_a_statement_in_the_pages(client, example_b):
    gestionnaire = account("gestionnaire", issuers=[example_b.schedule.issuer])
    client.force_login(gestionnaire)
    page = reverse("admin:invoicing_coststatement_change", args=[example_b.pk])
    assert "6 500,00 €" in client.get(page).text.replace("\u202f", " ").replace("\u00a0", " ")
    visa = reverse("admin:invoicing_coststatement_visa", args=[example_b.pk])
    close_it = reverse("admin:invoicing_coststatement_close_it", args=[example_b.pk])
    assert client.get(visa).status_code == 200
    client.post(visa)
    assert client.post(close_it).status_code == 403
    client.force_login(account("finances", issuers=[example_b.schedule.issuer]))
    client.post(close_it)
    example_b.refresh_from_db()
    assert (example_b.visa_by, example_b.closed_by) == ("gestionnaire", "finances")
    pdf = client.get(reverse("admin:invoicing_coststatement_pdf", args=[example_b.pk]))
    assert pdf.content.startswith(b"%PDF-")


def spoken(response):
    return response.text.replace("\u202f", " ").replace("\u00a0", " ")


def test_the_pages_say_the_charge_in_words_and_amounts_in_euros(client, example_b):
    client.force_login(account("gestionnaire", issuers=[example_b.schedule.issuer]))
    give_visa(statement=example_b, actor="gest")
    page = spoken(client.get(reverse("admin:invoicing_coststatement_change", args=[example_b.pk])))
    for amount in ("6 000,00 €", "4 000,00 €", "2 500,00 €"):
        assert amount in page
    label = Charge.objects.filter(code="COMMUN").values_list("label", flat=True).first()
    adopt(example_b.schedule)
    for name in ("coststatement", "subsidy"):
        listed = spoken(client.get(reverse(f"admin:invoicing_{name}_changelist")))
        assert label in listed
        assert "COMMUN" not in listed
    subsidy = reverse("admin:invoicing_subsidy_change", args=[example_b.subsidies.get().pk])
    assert "1 000,00 €" in spoken(client.get(subsidy))


def test_a_statement_takes_its_charge_from_those_that_share_a_pool(client, schedule):
    client.force_login(account("gestionnaire", issuers=[schedule.issuer]))
    page = client.get(reverse("admin:invoicing_coststatement_add"))
    field = page.context["adminform"].form.fields["charge"]
    assert [code for code, _ in field.choices] == ["", "COMMUN", "LABOMEP"]


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        ("prepare", {"import_expenses", "visa", "pdf"}),
        ("vise", {"reopen", "close_it", "pdf"}),
        ("clos", {"pdf"}),
    ],
)
def test_a_statement_offers_the_steps_of_its_state(client, example_b, state, offered):
    if state != "prepare":
        give_visa(statement=example_b, actor="gest")
    if state == "clos":
        close(statement=example_b, actor="fin")
    client.force_login(User.objects.create(username="x", is_staff=True, is_superuser=True))
    page = client.get(reverse("admin:invoicing_coststatement_change", args=[example_b.pk])).text
    steps = {"import_expenses", "visa", "reopen", "close_it", "pdf"}
    urls = {
        name: reverse(f"admin:invoicing_coststatement_{name}", args=[example_b.pk]) for name in steps
    }
    assert {name for name, url in urls.items() if url in page} == offered


def adopt(schedule):
    """Adopt the version shipped for the year, unless the project ships the adoption."""
    if not Adoption.objects.filter(schedule=schedule, school_year=YEAR).exists():
        version = Version.objects.filter(schedule=schedule).order_by("pk").first()
        AdoptionFactory(version=version, act=ActFactory(issuer=schedule.issuer), school_year=YEAR)


def test_a_subsidy_is_deducted_from_its_page(client, schedule):
    subsidy = subsidise(schedule, debtor=MemberFactory(), notified=D("500.00"), notified_on=DAY)
    client.force_login(account("gestionnaire", issuers=[schedule.issuer]))
    assert client.get(reverse("admin:invoicing_subsidy_changelist")).status_code == 200
    url = reverse("admin:invoicing_subsidy_deduct_it", args=[subsidy.pk])
    assert client.get(url).status_code == 200
    client.post(url, {"reason": "Décision du bureau"})
    assert DecidedDeduction.objects.get().decided_by == "gestionnaire"


@pytest.mark.parametrize(
    "facts",
    [{}, {"amount": D("1.00"), "rate": D("5")}, {"rate": D("100.01")}, {"amount": D("-0.01")}],
)
def test_an_own_share_is_an_amount_or_a_rate_and_one_only(statement, facts):
    with pytest.raises(DatabaseError), transaction.atomic():
        OwnShare.objects.create(statement=statement, category="comptes", reason="motif", **facts)


@pytest.mark.parametrize(
    "facts",
    [{"pledged_on": DAY, "notified": D("1.00"), "notified_on": DAY}, {"received": D("1.00")}, {}],
)
def test_a_subsidy_has_an_amount_with_its_date(statement, facts):
    with pytest.raises(DatabaseError), transaction.atomic():
        subsidise(statement.schedule, statement=statement, **facts)
