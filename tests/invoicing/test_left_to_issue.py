"""Which calls of a run are left to issue, and what its pages offer when none is."""

import pytest
from django.urls import reverse

from invoicing.left_to_issue import NotIssued, not_issued, to_issue
from invoicing.models import Anomaly
from members.models import Member, User

pytestmark = pytest.mark.django_db
BUTTON = ">Émettre</button>"
REVIEW, ISSUE = "collection:review", "admin:invoicing_run_issue_titres"


@pytest.fixture
def not_all(world):
    """Of six calls: one issued, one blocked, one that lacks an address, one null, two ready."""
    world.issue()
    blocked, incomplete, _, _ = (world.join(n) for n in (4, 5, 6, 7))
    run = world.compute()
    Anomaly.objects.create(run=run, call=run.calls.get(debtor=blocked), code="essai", message="Non.")
    Member.objects.filter(pk=incomplete.pk).update(address="")
    return run


def read(client, name, run):
    """Return the words of a page of a run, as an administrator reads it."""
    client.force_login(User.objects.create(username="cheffe", is_staff=True, is_superuser=True))
    return client.get(reverse(name, args=[run.pk])).content.decode()


def test_calls_without_a_titre_are_told_with_what_stops_them(not_all, django_assert_num_queries):
    with django_assert_num_queries(1):
        found = not_issued(not_all)
    assert (found.blocked, found.blocked_total) == (1, 180)
    assert (found.incomplete, found.incomplete_total) == (1, 225)
    assert (found.ready, found.ready_total) == (2, 585)
    assert found.nothing == 0


def test_without_a_run_no_call_is_waiting():
    assert not_issued(None) == NotIssued()


def test_what_is_issued_blocked_or_null_is_not_to_issue(not_all):
    assert to_issue().filter(run=not_all).count() == 3


def test_a_run_with_something_left_offers_to_issue(world, client):
    run = world.compute()
    assert reverse(ISSUE, args=[run.pk]) in read(client, REVIEW, run)
    assert BUTTON in client.get(reverse(ISSUE, args=[run.pk])).content.decode()


def test_a_run_of_which_everything_is_blocked_offers_nothing_to_issue(world, client):
    run = world.compute()
    for call in run.calls.order_by("pk"):
        Anomaly.objects.create(run=run, call=call, code="essai", message="Non.")
    assert reverse(ISSUE, args=[run.pk]) not in read(client, REVIEW, run)


def test_the_page_that_issues_says_why_nothing_is_left(world, client):
    run = world.issue().bordereau.titres.order_by("number").first().call.run
    page = read(client, ISSUE, run)
    assert "Rien à émettre : les appels de ce calcul sont déjà émis, nuls ou bloqués." in page
    assert BUTTON not in page
    assert 'name="signatory"' not in page
