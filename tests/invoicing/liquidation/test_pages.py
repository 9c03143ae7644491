"""The état liquidatif on the page of its campaign: read, produced once, downloaded, listed."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from entsvc import documents
from entsvc.models import Work
from invoicing.accountant_numbers import write_number
from invoicing.liquidation import later
from invoicing.liquidation.sending import produce
from invoicing.models import Channel, Sending
from tests.factories import IssuerFactory
from tests.invoicing.follow_up import said, words
from tests.invoicing.test_drawing_pages import sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def finances(client, state):
    sign_in(client, "finances", state.issuer)
    return client


def page(name, row):
    return reverse(f"admin:invoicing_{row._meta.model_name}_{name}", args=[row.pk])


def test_finances_read_then_produce_and_download(finances, campaign, quick):
    assert page("produce_etat", campaign) in words(finances.get(page("change", campaign)))
    shown = words(finances.get(page("produce_etat", campaign)))
    assert "Demandé : 3 titres, 270,00 €." in shown
    assert "Programme PRG · Compte 7000" in shown
    assert not Sending.objects.exists()
    done = finances.post(page("produce_etat", campaign), {"rank": 1}, follow=True)
    assert "produit, avec son classeur" in said(done)[-1]
    sending = Sending.objects.get()
    for name, document, called in (
        ("download", sending.document, sending.file_name),
        ("download_workbook", sending.workbook, sending.workbook_name),
    ):
        answer = finances.get(page(name, sending))
        assert answer.content == documents.read(document)
        assert called in answer["Content-Disposition"]
    assert sending.file_name in words(finances.get(page("change", campaign)))
    assert "0 numéro relu pour 3 pièces" in words(finances.get(page("change", sending)))


def test_a_second_click_leads_to_the_same_etat(finances, campaign, quick):
    for _ in range(2):
        answer = finances.post(page("produce_etat", campaign), {"rank": 1})
        assert answer.url == page("change", Sending.objects.get())


@pytest.mark.parametrize("rank", ["2", "", "x"])
def test_a_rank_that_nobody_read_makes_nothing(finances, campaign, quick, rank):
    answer = finances.post(page("produce_etat", campaign), {"rank": rank}, follow=True)
    assert answer.status_code == 200
    assert not Sending.objects.exists()


def test_a_campaign_without_titre_says_so(finances, state):
    campaign = state.compute().campaign
    answer = finances.get(page("produce_etat", campaign), follow=True)
    assert "aucun titre n'est encore émis" in said(answer)[-1]


@pytest.mark.parametrize("role", ["gestionnaire", "lecture"])
def test_the_others_read_what_was_produced_and_produce_nothing(client, campaign, state, quick, role):
    sending = produce(campaign=campaign, rank=1, actor="fin")
    sign_in(client, role, state.issuer)
    for ask in (client.get, client.post):
        assert ask(page("produce_etat", campaign)).status_code == 403
    assert client.get(page("download_workbook", sending)).status_code == 200
    assert client.get(page("read_numbers", sending)).status_code == 403
    figures = words(client.get(reverse("collection:campaign", args=[campaign.pk])))
    assert "0 numéro relu pour 3 pièces" in figures
    assert page("produce_etat", campaign) not in figures


def test_another_issuer_sees_neither_page_nor_file(client, campaign, quick):
    sending = produce(campaign=campaign, rank=1, actor="fin")
    sign_in(client, "finances", IssuerFactory(code="AUTRE"))
    assert client.get(page("produce_etat", campaign)).status_code in (403, 404)
    assert client.get(page("change", sending)).status_code == 302
    for name in ("download", "download_workbook"):
        assert client.get(page(name, sending)).status_code in (403, 404)
    assert sending.file_name not in words(client.get(reverse("admin:invoicing_sending_changelist")))


def test_only_the_channel_of_the_state_has_the_button(finances, campaign):
    Channel.objects.update(kind="pdf")
    assert "produce_etat" not in finances.get(page("change", campaign)).content.decode()
    assert finances.get(page("produce_etat", campaign)).status_code == 403
    figures = finances.get(reverse("collection:campaign", args=[campaign.pk]))
    assert figures.context["etats"] is None


def test_an_etat_leads_to_reading_its_numbers_and_to_no_acquittal(finances, campaign, quick):
    sending = produce(campaign=campaign, rank=1, actor="fin")
    assert finances.get(page("read_answer", sending)).status_code == 403
    answer = finances.get(page("read_numbers", sending), follow=True)
    assert "Numéros attribués par le comptable" in words(answer)


def test_a_large_etat_is_made_in_the_background_once(
    finances, campaign, quick, monkeypatch, django_capture_on_commit_callbacks
):
    monkeypatch.setattr(later, "LARGE", 2)
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            answer = finances.post(page("produce_etat", campaign), {"rank": 1})
    work = Work.objects.order_by("at").first()
    assert answer.url == reverse("work", args=[Work.objects.order_by("at").last().pk])
    with django_capture_on_commit_callbacks(execute=True):
        finances.get(reverse("work", args=[work.pk]))
    sending = Sending.objects.get()
    shown = finances.get(reverse("work", args=[work.pk]))
    assert shown.context["result"] == page("change", sending)


def test_a_background_etat_that_is_refused_says_why(finances, campaign, monkeypatch):
    work = later.produce_later(campaign=campaign, rank=4, actor="fin")
    with pytest.raises(Exception, match="le prochain état est le n° 1"):
        later.ETAT.run(work)


def test_pages_ask_as_little_for_many_etats_as_for_one(finances, campaign, titres, quick):
    def asked(url):
        with CaptureQueriesContext(connection) as queries:
            assert finances.get(url).status_code == 200
        return len(queries)

    produce(campaign=campaign, rank=1, actor="fin")
    urls = (
        reverse("admin:invoicing_sending_changelist"),
        page("change", campaign),
        reverse("collection:campaign", args=[campaign.pk]),
    )
    finances.get(urls[0])
    before = [asked(url) for url in urls]
    for rank, titre in enumerate(titres, start=2):
        write_number(titre=titre, number=str(rank), actor="fin")
        produce(campaign=campaign, rank=rank, actor="fin")
    assert [asked(url) for url in urls] == before
    assert max(before) <= 20


def test_sendings_are_filtered_by_their_issuer(finances, campaign, state, quick):
    sending = produce(campaign=campaign, rank=1, actor="fin")
    url = reverse("admin:invoicing_sending_changelist")
    assert sending.file_name in words(finances.get(url, {"emetteur": state.issuer.pk}))
    assert sending.file_name not in words(finances.get(url, {"emetteur": 0}))
