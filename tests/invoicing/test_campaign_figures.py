"""The figures of a campaign add up, as a whole, by month, by status and by type of member."""

import datetime as dt
from decimal import Decimal

from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from invoicing.campaign_accounts import read
from invoicing.campaign_figures import figures_of, months_of
from invoicing.models import Titre, TitreEvent
from invoicing.payments import cancel_payment
from invoicing.statuses import ORDER, Status, with_status
from members.models import Member
from tests.invoicing.campaigns import (
    accounts_of,
    annul,
    campaign_of,
    day,
    issued,
    lived,
    pay,
    reduce,
)


def figures(titre, on=None):
    return figures_of(accounts_of(titre).values(), on or day(500))


def adds_up(sums):
    return sums.called - sums.corrected - sums.collected + sums.overpaid == sums.outstanding


def test_it_works(world):
    titres = lived(world)
    found = figures(titres[0])
    sums = found.sums
    assert (sums.titres, sums.called, sums.corrected, sums.due) == (3, 270, 35, 235)
    assert (sums.collected, sums.outstanding, sums.overpaid) == (120, 125, 10)
    assert adds_up(sums)
    assert {status: row.titres for status, row in found.by_status.items()} == {
        Status.ISSUED: 1, Status.PARTLY_PAID: 1, Status.PAID: 1,
    }  # fmt: skip
    assert [label for label, _ in found.kinds] == ["Commune"]


def test_what_was_to_be_paid_before_a_day_is_late(world):
    titres = lived(world)
    before, after = figures(titres[0], day(30)).sums, figures(titres[0], day(31)).sums
    assert (before.late, before.late_titres) == (0, 0)
    assert (after.late, after.late_titres) == (125, 2)
    assert figures(titres[0]).is_approximate, "les mots de ces titres ne font pas un jour"


def test_each_month_has_its_movements_and_those_between_are_told(world):
    titres = lived(world)
    march, april, may = figures(titres[0]).months
    assert [month.first for month in (march, april, may)] == [dt.date(2025, m, 1) for m in (3, 4, 5)]
    assert (march.called, march.collected, march.outstanding) == (270, 20, 250)
    assert (april.called, april.collected, april.outstanding, april.overpaid) == (0, 100, 160, 10)
    assert (may.corrected, may.outstanding, may.overpaid) == (35, 125, 10)
    assert [month.label for month in (march, april)] == ["mars 25", "avril 25"]
    pay(titres[2], "1.00", day(155))
    assert [month.called for month in figures(titres[0]).months] == [270, 0, 0, 0, 0, 0]


def test_a_cancelled_payment_is_taken_off_in_its_own_month(world):
    titre = issued(world)[0]
    wrong = pay(titre, "45.00", day(10))
    cancel_payment(payment=wrong, reason="rejet", actor="essai", on=day(40))
    march, april = figures(titre).months
    assert (march.collected, march.outstanding) == (45, 225)
    assert (april.collected, april.outstanding) == (-45, 270)


def test_nothing_issued_makes_no_month():
    assert months_of([]) == []


def test_types_of_members_come_by_what_they_owe(world):
    Member.objects.filter(pk=world.members[0].pk).update(kind=Member.Kind.EPCI)
    found = figures(issued(world)[0])
    assert [(label, sums.called) for label, sums in found.kinds] == [("Commune", 225), ("EPCI", 45)]


def test_each_titre_stands_where_the_lists_say(world):
    titres = lived(world)
    on = day(80)
    TitreEvent.objects.create(
        titre=titres[2], kind=TitreEvent.Kind.REJECTED, on=on, comment="Clos.", recorded_by="essai"
    )
    annul(world, titres[0], on)
    accounts = accounts_of(titres[0])
    listed = with_status(Titre.objects.filter(kind=Titre.Kind.TITRE))
    ranks = {pk: ORDER[rank] for pk, rank in listed.values_list("pk", "status_rank")}
    assert {key: a.status for key, a in accounts.items() if a.is_titre} == ranks
    assert ranks[titres[2].pk] == Status.REJECTED


def test_a_campaign_takes_the_same_queries_whatever_its_length(world, django_assert_num_queries):
    titres = lived(world)
    campaign = campaign_of(titres[0])
    with django_assert_num_queries(5):
        read(campaign)
    world.join(4)
    world.issue(on=day(1))
    with django_assert_num_queries(5):
        assert sum(account.is_titre for account in read(campaign).values()) == 4


moves = st.lists(
    st.tuples(
        st.sampled_from(["pay", "cancel", "reduce"]),
        st.integers(0, 2),
        st.integers(1, 20000),
        st.integers(0, 200),
    ),
    max_size=6,
)


@settings(
    max_examples=15,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(moves=moves)
def test_called_less_corrected_less_collected_is_outstanding_less_overpaid(world, moves):
    # Each example leaves nothing behind: the titres stay as they were issued.
    start = transaction.savepoint()
    titres = issued(world)
    receipts, corrected = [], [Decimal(0)] * 3
    for kind, index, cents, number in sorted(moves, key=lambda move: move[3]):
        amount = Decimal(cents) / 100
        if kind == "pay":
            receipts.append(pay(titres[index], amount, day(number)))
        elif kind == "cancel" and receipts:
            cancel_payment(payment=receipts.pop(), reason="essai", actor="essai", on=day(number))
        elif kind == "reduce" and corrected[index] + amount < titres[index].total:
            reduce(world, titres[index], amount, day(number))
            corrected[index] += amount
    found = figures(titres[0])
    transaction.savepoint_rollback(start)
    groups = [found.sums, *found.by_status.values(), *found.by_kind.values()]
    assert all(adds_up(sums) for sums in groups)
    for name in ("called", "corrected", "collected", "outstanding", "overpaid", "late", "titres"):
        for parts in (found.by_status, found.by_kind):
            assert sum(getattr(sums, name) for sums in parts.values()) == getattr(found.sums, name)
    running = Decimal(0)
    for month in found.months:
        running += month.called - month.corrected - month.collected
        assert running == month.outstanding - month.overpaid
    last = found.months[-1]
    assert (last.outstanding, last.overpaid) == (found.sums.outstanding, found.sums.overpaid)
