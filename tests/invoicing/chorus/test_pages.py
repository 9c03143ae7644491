"""Chorus Pro on the staff pages: for finances alone, and off unless it is set."""

from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conventions.findings import Scope
from entsvc.models import Work
from invoicing import home
from invoicing.chorus.client import Unclear
from invoicing.chorus.depositing import record, search, send
from invoicing.chorus.following import follow
from invoicing.models import Channel, Deposit, DepositedPiece, Sending
from invoicing.roles import create_groups
from members.models import User
from tests.invoicing.chorus.fake_server import DEPOSIT
from tests.invoicing.follow_up import bordereau_page, said, titre_page, words
from tests.invoicing.test_admin import account
from tests.invoicing.world import YEAR


@pytest.fixture
def groups(db):
    create_groups()


@pytest.fixture
def finances(client, issued, bordereau, groups):
    client.force_login(account("finances", issuers=[issued.issuer]))
    return client


@pytest.fixture
def deposit(bordereau, chorus, client_of):
    [written] = record(bordereau=bordereau, actor="alix")
    return send(written, client=client_of, actor="alix")


def text(page):
    return unescape(words(page))


def sending_page(name, deposit):
    return reverse(f"admin:invoicing_sending_{name}", args=[deposit.sending_id])


def click(client, page, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        asked = client.post(page)
    with django_capture_on_commit_callbacks(execute=True):
        client.get(asked["Location"])  # what waits for the end of a response is done here


def test_finances_see_what_will_be_deposited_then_deposit_it(
    finances, bordereau, chorus, titres, django_capture_on_commit_callbacks
):
    page = bordereau_page("deposit", bordereau)
    shown = text(finances.get(page))
    assert "À déposer : 3 factures, en 1 fichier" in shown
    assert all(titre.reference in shown for titre in titres)
    assert "rien ne part en vrai" in shown
    assert not Sending.objects.exists()
    click(finances, page, django_capture_on_commit_callbacks)
    work = Work.objects.get()
    assert (work.failure, work.actor.startswith("finances")) == ("", True), work.failure
    assert "Déposé n'est pas accepté" in work.told
    assert len(chorus.flows) == 1
    again = text(finances.get(page))
    assert "Déjà confié à Chorus Pro ou préparé : 3 pièces" in again
    assert "Déposer sur Chorus Pro</button>" not in again
    finances.post(page)
    assert len(chorus.flows) == 1


def test_the_follow_up_tells_each_piece_on_the_page_of_the_sending(
    finances, bordereau, chorus, deposit, titres, django_capture_on_commit_callbacks
):
    chorus.integrate()
    chorus.move(titres[0].reference, "MISE_A_DISPOSITION")
    chorus.move(titres[1].reference, "SUSPENDUE", "Bon de commande manquant")
    page = bordereau_page("follow_deposits", bordereau)
    assert "Interroger Chorus Pro" in text(finances.get(page))
    click(finances, page, django_capture_on_commit_callbacks)
    assert "3 pièces ont changé de statut" in Work.objects.get().told.replace("\xa0", " ")
    assert "Bon de commande manquant" in text(finances.get(page))
    with CaptureQueriesContext(connection) as asked:
        shown = text(finances.get(sending_page("change", deposit)))
    assert len(asked) <= 20
    assert deposit.flow in shown
    assert "Déposé, accepté" in shown
    assert "Mise à disposition du débiteur" in shown
    assert "10/03/2025" in shown
    with CaptureQueriesContext(connection) as asked:
        told = text(finances.get(titre_page("change", titres[0])))
    assert len(asked) <= 20
    assert "avant le 9 avril 2025" in told
    assert "Mis à disposition le 10/03/2025" in told
    with CaptureQueriesContext(connection) as asked:
        told = text(finances.get(bordereau_page("change", bordereau)))
    assert len(asked) <= 20
    assert "Déposé, accepté" in told


def test_the_list_of_pieces_filters_by_status(finances, deposit, chorus, client_of, titres):
    chorus.integrate()
    chorus.move(titres[0].reference, "SUSPENDUE", "Motif")
    follow(deposit, client=client_of, actor="alix")
    page = reverse("admin:invoicing_depositedpiece_changelist")
    with CaptureQueriesContext(connection) as asked:
        shown = text(finances.get(page, {"statut": "SUSPENDUE"}))
    assert len(asked) <= 20
    assert titres[0].reference in shown
    assert titres[1].reference not in shown
    [piece] = DepositedPiece.objects.filter(status="SUSPENDUE")
    url = reverse("admin:invoicing_depositedpiece_change", args=[piece.pk])
    assert "Suspendue" in text(finances.get(url))


def test_an_unknown_state_says_to_search_first(finances, bordereau, chorus, client_of):
    [written] = record(bordereau=bordereau, actor="alix")
    chorus.faults[DEPOSIT] = ["lost"]
    with pytest.raises(Unclear):
        send(written, client=client_of, actor="alix")
    shown = text(finances.get(bordereau_page("deposit", bordereau)))
    assert "état inconnu" in shown
    assert "Déposer sur Chorus Pro</button>" not in shown


def test_off_the_page_says_what_to_set(finances, bordereau, chorus, settings, deposit):
    settings.CHORUS_API_URL = ""
    answer = finances.get(bordereau_page("deposit", bordereau), follow=True)
    assert "CHORUS_… du serveur" in said(answer)[-1]
    assert "éteint" in text(finances.get(bordereau_page("follow_deposits", bordereau)))
    finances.post(bordereau_page("follow_deposits", bordereau))
    assert not Work.objects.exists()


def test_a_failed_deposit_is_told_by_its_work(
    finances, bordereau, chorus, django_capture_on_commit_callbacks
):
    chorus.faults[DEPOSIT] = ["500"]
    click(finances, bordereau_page("deposit", bordereau), django_capture_on_commit_callbacks)
    assert "Ne le déposez pas de nouveau" in Work.objects.get().failure
    assert Deposit.objects.get().state == Deposit.State.UNKNOWN


def test_a_file_that_waits_may_be_given_up(finances, bordereau, chorus):
    [written] = record(bordereau=bordereau, actor="alix")
    assert "laisse ses pièces" in text(finances.get(sending_page("give_up", written)))
    finances.post(sending_page("give_up", written))
    written.refresh_from_db()
    assert written.state == Deposit.State.GIVEN_UP
    assert finances.get(sending_page("give_up", written)).status_code == 403


def test_a_deposit_typed_on_the_portal_is_closed_from_its_page(
    finances, bordereau, chorus, client_of, titres, monkeypatch, settings
):
    settings.CHORUS_SETTLE_HOURS = 0
    [written] = record(bordereau=bordereau, actor="alix")
    chorus.faults[DEPOSIT] = ["lost"]
    with pytest.raises(Unclear):
        send(written, client=client_of, actor="alix")
    written.refresh_from_db()
    page = sending_page("settle", written)
    assert finances.get(page).status_code == 403
    chorus.integrate()
    del chorus.invoices[1:]
    chorus.invoices[0].flow = ""
    search(written, client=client_of, actor="alix")
    assert "Clore ce dépôt" in text(finances.get(sending_page("change", written)))
    shown = text(finances.get(page))
    assert "reste suivie ici" in shown
    assert "2 pièces pourront être déposées" in shown
    assert "obligatoire" in text(finances.post(page, {"reason": ""}))
    done = finances.post(page, {"reason": "Vu au portail"}, follow=True)
    assert "2 pièces peuvent entrer" in said(done)[-1].replace("\xa0", " ")
    assert finances.get(page).status_code == 403


@pytest.mark.parametrize("role", ["gestionnaire", "lecture"])
def test_only_finances_deposit_and_follow(bordereau, issued, groups, client, role, chorus, deposit):
    client.force_login(account(role, issuers=[issued.issuer]))
    pages = [
        bordereau_page("deposit", bordereau),
        bordereau_page("follow_deposits", bordereau),
        sending_page("give_up", deposit),
        sending_page("settle", deposit),
    ]
    for page in pages:
        assert client.get(page).status_code == 403
        assert client.post(page).status_code == 403
    assert client.get(sending_page("change", deposit)).status_code == 200
    assert client.get(reverse("admin:invoicing_depositedpiece_changelist")).status_code == 200
    assert len(chorus.flows) == 1


def test_another_channel_is_not_offered_it(finances, bordereau, chorus):
    Channel.objects.update(kind="pdf")
    assert "Déposer sur Chorus Pro" not in text(finances.get(bordereau_page("change", bordereau)))
    assert finances.get(bordereau_page("deposit", bordereau)).status_code == 403


@pytest.mark.parametrize("kind", ["pdf", "etat_liquidatif"])
def test_a_pes_is_offered_to_no_other_channel(finances, bordereau, kind):
    Channel.objects.update(kind=kind)
    assert "Produire le PES" not in text(finances.get(bordereau_page("change", bordereau)))
    assert finances.get(bordereau_page("produce_pes", bordereau)).status_code == 403


def test_what_was_deposited_is_followed_whatever_the_channel_became(
    finances, bordereau, chorus, deposit
):
    Channel.objects.update(kind="pdf")
    with CaptureQueriesContext(connection) as asked:
        shown = text(finances.get(bordereau_page("change", bordereau)))
    assert len(asked) <= 20
    assert "Suivre les dépôts" in shown
    assert "Interroger Chorus Pro" in text(finances.get(bordereau_page("follow_deposits", bordereau)))


def test_another_issuer_sees_nothing_of_it(client, groups, deposit, bordereau):
    client.force_login(account("finances", issuers=[]))
    assert client.get(bordereau_page("deposit", bordereau)).status_code in (302, 403, 404)
    page = client.get(reverse("admin:invoicing_depositedpiece_changelist"))
    assert deposit.sending.file_name not in text(page)


def home_told(issued, finances):
    """Return the words of the home page's tasks about titres; each of them leads to a list."""
    scope = Scope(issued.issuer, YEAR)
    user = User.objects.get(username__startswith="finances")
    [stage] = [s for s in home.stages(scope, home.read(scope), user) if s.title == "Titres"]
    for task in stage.tasks:
        assert finances.get(task.link).status_code == 200, task.link
    return [task.words.replace("\xa0", " ") for task in stage.tasks]


def test_the_home_page_tells_what_chorus_pro_waits_for(
    finances, issued, bordereau, chorus, client_of, titres
):
    assert "1 bordereau à déposer sur Chorus Pro" in home_told(issued, finances)
    shown = finances.get(reverse("admin:invoicing_bordereau_changelist"), {"canal": "depot"})
    assert str(bordereau.pk) in shown.content.decode()
    [written] = record(bordereau=bordereau, actor="alix")
    assert "1 dépôt inachevé" in home_told(issued, finances)
    send(written, client=client_of, actor="alix")
    chorus.integrate()
    chorus.move(titres[0].reference, "SUSPENDUE", "Pièce manquante")
    chorus.move(titres[1].reference, "REJETEE", "Service inconnu")
    follow(written, client=client_of, actor="alix")
    told = home_told(issued, finances)
    assert "1 facture à déposer de nouveau" in told
    assert "1 facture à traiter sur le portail" in told
    page = reverse("admin:invoicing_depositedpiece_changelist")
    assert titres[1].reference in text(finances.get(page, {"suite": "reprendre"}))
    assert titres[1].reference not in text(finances.get(page, {"suite": "portail"}))
    record(bordereau=bordereau, actor="alix")
    assert "1 facture à déposer de nouveau" not in home_told(issued, finances)
    with CaptureQueriesContext(connection) as asked:
        finances.get(reverse("admin:index"))
    assert len(asked) <= 20


def test_the_menu_leads_to_the_sendings_and_to_the_pieces_where_there_may_be_some(
    finances, bordereau, chorus, settings
):
    shown = text(finances.get(reverse("admin:index")))
    assert "Envois" in shown
    assert "Pièces déposées" in shown
    settings.CHORUS_API_URL = ""
    assert "Pièces déposées" not in text(finances.get(reverse("admin:index")))


@pytest.mark.parametrize("name", ["sending", "depositedpiece"])
def test_the_lists_filter_by_issuer_and_find_nothing_of_one_that_is_none(
    finances, issued, deposit, name
):
    page = reverse(f"admin:invoicing_{name}_changelist")
    for asked in ("9" * 30, "-1", "x"):
        assert deposit.sending.file_name not in text(finances.get(page, {"emetteur": asked}))
    for asked in ("", issued.issuer.pk):
        assert deposit.sending.file_name in text(finances.get(page, {"emetteur": asked}))
