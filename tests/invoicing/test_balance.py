"""What remains to collect at a day: what was issued, corrected and paid by then; it adds up."""

import datetime as dt
from decimal import Decimal
from io import BytesIO
from itertools import count

import pytest
from django.db import transaction
from django.urls import reverse
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from entsvc import documents
from invoicing.balance import Age, age_of, balance_at, due_date, standings_at, unsettled_at
from invoicing.correction_payload import PartOff
from invoicing.corrections import correct
from invoicing.exports.aged_balance import write_balance
from invoicing.models import MandatRequest, Titre
from invoicing.payments import cancel_payment, record_payment
from tests.conventions.world import account
from tests.factories import IssuerFactory
from tests.invoicing.world import ISSUED_ON

STATE = "avant le 15 du deuxième mois qui suit le mois d'émission"
CHORUS = "30 jours après la mise à disposition sur Chorus Pro"
rank = count()


def day(number):
    return ISSUED_ON + dt.timedelta(days=number)


def euros(text):
    return Decimal(text)


@pytest.fixture
def world(own_issue):
    return own_issue[0]


@pytest.fixture
def titres(own_issue):
    """Titres of 45, 90 and 135 €, due 30 days after their issue: their words make no day."""
    return own_issue[1]


def pay(titre, amount, on):
    return record_payment(
        titre=titre, amount=euros(amount), received_on=on, reference=f"VIR-{next(rank)}", actor="essai"
    )


def reduce(world, titre, amount, on):
    return correct(
        titre=titre,
        kind=Titre.Kind.REDUCTION,
        reason_code=Titre.Reason.WRONG_AMOUNT,
        reason="École fermée.",
        on=on,
        signatory=world.signatory,
        actor="essai",
        parts=[PartOff(euros(amount), charge="ECOLE")],
    )


def ask_mandat(titre, amount, on):
    return MandatRequest.objects.create(
        titre=titre,
        amount=euros(amount),
        account="673",
        reason_code=Titre.Reason.DUPLICATE,
        reason="Appelé deux fois.",
        requested_on=on,
        requested_by="essai",
        document=documents.store(b"%PDF", content_type="application/pdf", suffix=".pdf"),
    )


def left(world, on):
    return [s.remaining for s in sorted(standings_at(world.issuer, on), key=lambda s: s.total)]


# --- Ages and due dates -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "age"),
    [
        (-400, Age.NOT_DUE), (0, Age.NOT_DUE), (1, Age.TO_30), (30, Age.TO_30), (31, Age.TO_60),
        (60, Age.TO_60), (61, Age.TO_90), (90, Age.TO_90), (91, Age.BEYOND), (4000, Age.BEYOND),
    ],
)  # fmt: skip
def test_a_titre_is_aged_by_the_days_since_it_was_due(days, age):
    assert age_of(days) == age


def test_the_words_of_a_titre_give_its_day_else_it_is_approximate():
    assert due_date(dt.date(2025, 3, 3), STATE) == (dt.date(2025, 5, 15), False)
    assert due_date(dt.date(2025, 3, 3), CHORUS) == (dt.date(2025, 4, 2), True)


# --- At a day ---------------------------------------------------------------------------------


def test_what_happened_since_is_not_counted(world, titres):
    pay(titres[0], "20.00", day(10))
    reduce(world, titres[1], "45.00", day(20))
    wrong = pay(titres[2], "135.00", day(10))
    cancel_payment(payment=wrong, reason="rejet", actor="essai", on=day(30))
    assert standings_at(world.issuer, day(-1)) == []
    assert left(world, day(0)) == [45, 90, 135]
    assert left(world, day(10)) == [25, 90, 0]
    assert left(world, day(20)) == [25, 45, 0]
    assert left(world, day(30)) == [25, 45, 135]


def test_only_what_is_left_or_paid_in_excess_is_listed(world, titres):
    pay(titres[0], "45.00", day(1))
    pay(titres[1], "100.00", day(1))
    balance = balance_at(world.issuer, day(1))
    assert {s.reference for s in balance.standings} == {titres[1].reference, titres[2].reference}
    assert (balance.sums.remaining, balance.sums.overpaid) == (135, 10)


def test_the_ages_add_up_to_what_remains(world, titres):
    pay(titres[2], "35.00", day(1))
    for late, age in ((30, Age.NOT_DUE), (31, Age.TO_30), (91, Age.TO_90), (500, Age.BEYOND)):
        sums = balance_at(world.issuer, day(late)).sums
        assert sums.ages[age] == sums.remaining == sum(sums.by_age) == 235


def test_debtors_come_by_what_they_owe(world, titres):
    debtors = balance_at(world.issuer, day(1)).debtors
    assert [row.remaining for row in debtors] == [135, 90, 45]
    assert [row.siret for row in debtors] == [titre.siret for titre in reversed(titres)]


def test_a_balance_takes_the_same_queries_whatever_its_length(world, titres, django_assert_num_queries):
    pay(titres[0], "1.00", day(1))
    with django_assert_num_queries(3):
        balance_at(world.issuer, day(1))
    world.join(4)
    world.issue(on=day(1))
    with django_assert_num_queries(3):
        assert len(balance_at(world.issuer, day(1)).standings) == 4


moves = st.lists(
    st.tuples(
        st.sampled_from(["pay", "cancel", "reduce"]),
        st.integers(0, 2),
        st.integers(1, 20000),
        st.integers(0, 90),
    ),
    max_size=6,
)


@settings(
    max_examples=15,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(moves=moves, at=st.integers(0, 120))
def test_the_balance_is_titres_less_corrections_less_payments(world, titres, moves, at):
    # Each example leaves nothing behind: the titres stay as they were issued.
    start = transaction.savepoint()
    facts = [(0, titre.total) for titre in titres]
    receipts, corrected = [], [euros("0.00")] * 3
    for kind, index, cents, number in sorted(moves, key=lambda move: move[3]):
        amount = Decimal(cents) / 100
        if kind == "pay":
            receipts.append((pay(titres[index], str(amount), day(number)), amount))
            facts.append((number, -amount))
        elif kind == "cancel" and receipts:
            payment, amount = receipts.pop()
            cancel_payment(payment=payment, reason="essai", actor="essai", on=day(number))
            facts.append((number, amount))
        elif kind == "reduce" and corrected[index] + amount < titres[index].total:
            reduce(world, titres[index], str(amount), day(number))
            corrected[index] += amount
            facts.append((number, -amount))
    sums = balance_at(world.issuer, day(at)).sums
    everything = standings_at(world.issuer, day(at))
    unsettled = unsettled_at(world.issuer, day(at))
    transaction.savepoint_rollback(start)
    expected = sum(amount for number, amount in facts if number <= at)
    assert sums.remaining - sums.overpaid == expected
    assert sums.total - sums.corrected - sums.received == expected
    assert sum(s.total - s.corrected - s.received for s in everything) == expected
    assert unsettled == [s for s in everything if s.remaining or s.overpaid]


# --- The workbook and the page ----------------------------------------------------------------


def test_the_workbook_adds_up(world, titres):
    pay(titres[0], "20.00", day(1))
    pay(titres[1], "100.00", day(1))
    reduce(world, titres[2], "35.00", day(2))
    balance = balance_at(world.issuer, day(50))
    workbook = load_workbook(BytesIO(write_balance(world.issuer, balance)))
    for sheet in workbook.worksheets:
        heads = [cell.value for cell in sheet[1]]
        rows = [dict(zip(heads, [c.value for c in row], strict=True)) for row in sheet.iter_rows(2, 4)]
        for row in rows:
            net = row["Titres"] - row["Annulations et réductions"] - row["Encaissé"]
            assert net == row["Reste dû"] - row["Trop-perçu"]
            assert sum(row[age.label] or 0 for age in Age) == row["Reste dû"]
        assert sum(row["Reste dû"] for row in rows) == balance.sums.remaining == 125
        assert sheet.cell(5, 1).value == "Total"


def test_what_a_mandat_was_asked_for_is_shown_and_still_due(client, world, titres):
    ask_mandat(titres[1], "30.00", day(5))
    ask_mandat(titres[1], "2.00", day(6))
    assert balance_at(world.issuer, day(4)).sums.asked_by_mandat == 0
    assert balance_at(world.issuer, day(5)).sums.asked_by_mandat == 30
    balance = balance_at(world.issuer, day(6))
    assert (balance.sums.asked_by_mandat, balance.sums.remaining) == (32, 270)
    workbook = load_workbook(BytesIO(write_balance(world.issuer, balance)))
    for sheet in workbook.worksheets:
        column = [cell.value for cell in sheet[1]].index("Mandat demandé") + 1
        assert sorted(sheet.cell(row, column).value for row in (2, 3, 4)) == [0, 0, 32]
    account(client, "lecture", world.issuer)
    text = page(client, world, f"{day(6):%d/%m/%Y}").content.decode()
    assert text.count("Mandat demandé") == 2
    # Its titre and its debtor, then the totals of the page and of both tables.
    assert text.replace("\xa0", " ").count(">32,00 €</td>") == 5


def page(client, world, on, **more):
    asked = {"emetteur": world.issuer.code, "le": on, **more}
    return client.get(reverse("collection:balance"), asked)


def test_an_account_reads_the_balance_of_a_past_day(client, world, titres):
    account(client, "lecture", world.issuer)
    text = page(client, world, "03/03/2025").content.decode()
    assert titres[0].reference in text
    assert "270,00" in text
    assert "Rien ne reste" in page(client, world, "02/03/2025").content.decode()
    assert "à venir" in page(client, world, "01/01/2999").content.decode()


def test_the_words_of_the_calendar_are_loaded_before_it(client, world, titres):
    account(client, "finances", world.issuer)
    text = client.get(reverse("collection:balance")).content.decode()
    assert text.index(reverse("admin:jsi18n")) < text.index("admin/js/calendar.js")


def test_the_balance_opens_on_the_issuer_of_the_account_today(client, world, titres):
    account(client, "finances", world.issuer)
    assert client.get(reverse("collection:balance")).context["balance"].sums.remaining == 270


def test_the_balance_of_another_issuer_is_not_shown(client, world, titres):
    account(client, "finances", IssuerFactory(code="AUTRE"))
    response = page(client, world, "03/03/2025")
    assert response.context["balance"] is None
    assert titres[0].reference not in response.content.decode()


def test_the_workbook_is_downloaded_and_told_to_the_journal(client, world, titres):
    account(client, "lecture", world.issuer)
    response = page(client, world, "03/03/2025", format="xlsx")
    assert response["Content-Disposition"].endswith('2025-03-03.xlsx"')
    assert load_workbook(BytesIO(response.content)).worksheets


# --- Prescription -----------------------------------------------------------------------------
