"""The file of a large bordereau: made in the background, once, and told why when it is not."""

import pytest
from django.urls import reverse

from entsvc import afterwards, works
from entsvc.models import Work
from invoicing import long_sending
from invoicing.models import Channel, Sending
from invoicing.pes import pages
from invoicing.pes.sending import SendingRefused, prepare, produce
from invoicing.roles import create_groups
from tests.invoicing.follow_up import bordereau_page, words
from tests.invoicing.test_admin import account

pytestmark = pytest.mark.django_db


@pytest.fixture
def finances(client, local, monkeypatch):
    create_groups()
    client.force_login(account("finances", issuers=[local.issuer]))
    monkeypatch.setattr(long_sending, "LARGE_FILE", 2)
    return client


@pytest.fixture
def lazily(monkeypatch):
    """Leave what is asked of the background for the test to run."""
    asked = []
    monkeypatch.setattr(works, "nudge", asked.append)
    return asked


def ask(client, bordereau):
    return client.post(bordereau_page("produce_pes", bordereau))


def test_it_is_made_in_the_background_and_its_page_leads_to_it(
    finances, bordereau, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        answer = ask(finances, bordereau)
    afterwards.run_pending()
    sending, work = Sending.objects.get(), Work.objects.get()
    assert answer["Location"] == reverse("work", args=[work.pk])
    assert (sending.made_by, works.state_of(work)) == (work.actor, works.State.DONE)
    page = words(finances.get(answer["Location"]))
    assert sending.file_name in page
    assert reverse("admin:invoicing_sending_change", args=[sending.pk]) in page


def test_asked_twice_it_is_made_once(finances, bordereau, lazily):
    addresses = {ask(finances, bordereau)["Location"] for _ in range(2)}
    assert len(addresses) == 1
    work = Work.objects.get()
    assert (works.go_on(work.pk), works.go_on(work.pk)) == (1, 0)
    assert Sending.objects.count() == 1


def test_what_is_to_mend_is_told_and_nothing_is_made(finances, bordereau, lazily):
    Channel.objects.update(body_code="000")
    ask(finances, bordereau)
    works.go_on(Work.objects.get().pk)
    work = Work.objects.get()
    assert works.state_of(work) == works.State.FAILED
    assert "1 point à corriger, aucun fichier produit" in work.failure.replace("\xa0", " ")
    assert "EnTetePES/CodCol" in work.failure
    assert not Sending.objects.exists()


def test_a_small_one_is_made_in_the_click(finances, bordereau, monkeypatch):
    monkeypatch.setattr(long_sending, "LARGE_FILE", 3)
    assert "sending" in ask(finances, bordereau)["Location"]
    assert not Work.objects.exists()


def test_another_channel_is_told_at_once(finances, bordereau):
    Channel.objects.update(kind="pdf")
    ask(finances, bordereau)
    assert not Work.objects.exists()


def test_a_very_large_one_is_not_even_checked_on_the_page(finances, bordereau, monkeypatch):
    monkeypatch.setattr(long_sending, "LARGE_CHECK", 2)
    monkeypatch.setattr("invoicing.admin.bordereaux.prepare", lambda bordereau: pytest.fail("contrôlé"))
    page = words(finances.get(bordereau_page("produce_pes", bordereau)))
    assert "trop grand pour être contrôlé sur cette page" in page
    assert "Produire le fichier</button>" in page


def test_its_weight_is_told(finances, bordereau, monkeypatch):
    monkeypatch.setattr(pages, "LARGE_WEIGHT", 100)
    assert "tiers de télétransmission la taille" in words(
        finances.get(bordereau_page("produce_pes", bordereau))
    )


def test_documents_are_read_only_when_they_are_written(bordereau, media, monkeypatch):
    prepared = prepare(bordereau)
    stored = [item for item in prepared.flow.attachments if item.kind == "008"]
    assert [len(item.content) for item in stored] == [len(item.read()) for item in stored]
    for path in media.rglob("*.pdf"):
        path.write_bytes(path.read_bytes()[::-1])  # as long, and not the same
    assert prepare(bordereau).findings == []
    with pytest.raises(SendingRefused, match="restaurez-le"):
        produce(bordereau=bordereau, actor="essai")
    assert not Sending.objects.exists()
