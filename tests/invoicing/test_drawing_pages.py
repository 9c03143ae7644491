"""The pages that follow long work: documents of a bordereau, calculations, exports, the list of all."""

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from entsvc import attempts, works
from entsvc.models import JournalEntry, Work
from invoicing import drawing, long_work
from invoicing.accountant_numbers import write_number
from invoicing.models import Bordereau, Campaign, NumberingPolicy, Run, Series, TitreDocument
from invoicing.roles import create_groups
from members.models import User
from tests.factories import IssuerFactory
from tests.invoicing.world import a_world

pytestmark = pytest.mark.django_db
REFRESH = '<meta http-equiv="refresh"'
LIST = "/admin/travaux/"


def sign_in(client, role, *issuers):
    create_groups()
    user = User.objects.create(username=f"{role}-{len(User.objects.all())}", is_staff=True)
    user.groups.set(Group.objects.filter(name=role))
    user.issuers.set(issuers)
    client.force_login(user)
    return user


@pytest.fixture
def finances(client, world):
    sign_in(client, "finances", world.issuer)
    return client


@pytest.fixture
def large(monkeypatch):
    """Call everything too long for a click."""
    for name in ("LARGE_SCHEDULE", "LARGE_RUN", "LARGE_JOURNAL"):
        monkeypatch.setattr(long_work, name, 0)


@pytest.fixture
def on_commit(django_capture_on_commit_callbacks):
    return lambda: django_capture_on_commit_callbacks(execute=True)


def documents(bordereau, suffix=""):
    return f"/admin/bordereaux/{bordereau.pk}/documents/{suffix}"


def words(page):
    return " ".join(page.content.decode().replace("\u00a0", " ").replace("&#x27;", "'").split())


# --- Documents of a bordereau ---------------------------------------------------------------------


def test_issuing_answers_at_once_then_the_page_follows_the_documents(finances, world, blank_pdf):
    run = world.compute()
    url = reverse("admin:invoicing_run_issue_titres", args=[run.pk])
    answer = finances.post(url, {"on": "03/03/2025", "signatory": world.signatory.pk})
    bordereau = Bordereau.objects.get()
    assert answer.url == f"{documents(bordereau)}?repris=1"
    page = finances.get(answer.url)  # drawn once the response is sent: here, at once
    assert "4 documents produits sur 4." in words(page)
    assert REFRESH not in page.content.decode()


def test_the_page_follows_the_work_until_nothing_is_left(finances, world, blank_pdf, monkeypatch):
    bordereau = world.issue().bordereau
    page = finances.get(documents(bordereau))
    assert f'{REFRESH} content="5;url={documents(bordereau)}">' in page.content.decode()
    assert "0 document produit sur 4, 4 à produire." in words(page)
    monkeypatch.setattr(drawing, "is_stalled", lambda bordereau: True)
    assert "Plus rien n'avance" in words(finances.get(documents(bordereau)))
    asked = finances.post(documents(bordereau, "continuer/"))
    assert "4 documents produits sur 4." in words(finances.get(asked.url))


def test_failures_are_told_and_tried_again(finances, world, blank_pdf, monkeypatch):
    bordereau = world.issue().bordereau
    with monkeypatch.context() as patch:
        patch.setattr(drawing, "draw", lambda titre: 1 / 0)
        drawing.draw_left(bordereau_id=bordereau.pk)
    page = words(finances.get(documents(bordereau)))
    assert "4 échecs." in page
    assert "Le document du bordereau attend" in page
    assert REFRESH not in page
    assert page.count("Dessin impossible (ZeroDivisionError)") == 3
    assert "Échec" in words(finances.get(LIST))
    asked = finances.post(documents(bordereau, "reprendre/"), follow=True)
    assert "3 documents repris." in words(asked)
    assert "4 documents produits sur 4." in words(finances.get(documents(bordereau)))


def test_missing_documents_are_asked_for_from_the_bordereau(finances, world, blank_pdf):
    bordereau = world.issue().bordereau
    url = reverse("admin:invoicing_bordereau_draw_missing", args=[bordereau.pk])
    assert "3 PDF manquants" in words(finances.get(url))
    finances.post(url)
    assert TitreDocument.objects.count() == 3


@pytest.mark.parametrize("role", ["gestionnaire", "lecture"])
def test_who_may_not_issue_looks_and_asks_for_nothing(client, world, blank_pdf, role):
    bordereau = world.issue().bordereau
    sign_in(client, role, world.issuer)
    page = client.get(documents(bordereau))
    assert page.status_code == 200
    assert "Reprendre</button>" not in page.content.decode()
    for suffix in ("continuer/", "reprendre/"):
        assert client.post(documents(bordereau, suffix)).status_code == 403
    assert not TitreDocument.objects.exists()


def test_another_issuer_sees_nothing_of_it(client, world, blank_pdf, large, on_commit):
    bordereau, run = world.issue().bordereau, Run.objects.get()
    work = long_work.export_later(run=run, actor="essai")
    sign_in(client, "finances", IssuerFactory(code="OTHER"))
    assert client.get(documents(bordereau)).status_code == 404
    for suffix in ("continuer/", "reprendre/"):
        assert client.post(documents(bordereau, suffix)).status_code == 404
    address = reverse("work", args=[work.pk])
    for suffix in ("", "fichier/"):
        assert client.get(f"{address}{suffix}").status_code == 404
    for suffix in ("continuer/", "recommencer/"):
        assert client.post(f"{address}{suffix}").status_code == 404
    assert "Aucun travail." in words(client.get(LIST))


def test_nobody_opens_anything_without_signing_in_nor_without_a_role(client, world, blank_pdf):
    bordereau = world.issue().bordereau
    work = long_work.export_later(run=Run.objects.get(), actor="essai")
    pages = [LIST, documents(bordereau), reverse("work", args=[work.pk])]
    for page in pages:
        assert client.get(page).url.startswith(reverse("admin:login"))
    client.force_login(User.objects.create(username="nu", is_staff=True))
    assert [client.get(page).status_code for page in pages] == [403, 403, 404]


def test_changes_happen_on_post_only(finances, world, blank_pdf):
    bordereau = world.issue().bordereau
    work = reverse("work", args=[long_work.export_later(run=Run.objects.get(), actor="essai").pk])
    for page in (
        documents(bordereau, "continuer/"),
        documents(bordereau, "reprendre/"),
        f"{work}continuer/",
        f"{work}recommencer/",
    ):
        assert finances.get(page).status_code == 405
    assert finances.get(f"{work}fichier/").status_code == 404


# --- Calculations and exports ---------------------------------------------------------------------


def follow(client, on_commit, url, data=None):
    """Ask for a work by a page, and return the page of the work once it is done."""
    with on_commit():
        asked = client.post(url, data or {})
        assert client.post(url, data or {}).url == asked.url  # a double click joins it
    with on_commit():
        client.get(asked.url)
    return client.get(asked.url)


def test_a_long_calculation_is_made_once_behind_the_page(finances, world, large, on_commit):
    campaign = world.compute().campaign
    page = follow(finances, on_commit, reverse("admin:invoicing_campaign_compute", args=[campaign.pk]))
    assert Run.objects.count() == 2
    last = Run.objects.latest("number")
    assert page.context["result"] == reverse("collection:review", args=[last.pk])
    assert str(last) in words(page)
    assert "Fait" in words(finances.get(LIST))


def test_a_short_calculation_still_answers_in_the_same_click(finances, world):
    campaign = world.compute().campaign
    finances.post(reverse("admin:invoicing_campaign_compute", args=[campaign.pk]))
    assert Run.objects.count() == 2
    assert not Work.objects.exists()


def test_a_refused_calculation_says_why_and_can_be_tried_again(
    finances, world, large, on_commit, monkeypatch
):
    campaign = world.compute().campaign

    def refused(**asked):
        raise long_work.CampaignRefused("Cette campagne est facturée à part.")

    with monkeypatch.context() as patch:
        patch.setattr(long_work, "compute_again", refused)
        url = reverse("admin:invoicing_campaign_compute", args=[campaign.pk])
        page = follow(finances, on_commit, url)
    assert "Cette campagne est facturée à part." in words(page)
    assert "Recommencer</button>" in page.content.decode()
    address = reverse("work", args=[page.context["work"].pk])
    with on_commit():
        again = finances.post(f"{address}recommencer/")
    with on_commit():
        finances.get(again.url)
    assert "Fait" in words(finances.get(again.url))
    assert finances.post(f"{again.url}recommencer/").url == again.url  # done: nothing to do again
    assert Run.objects.count() == 2


def test_a_long_supplement_is_opened_once(finances, world, blank_pdf, large, on_commit):
    campaign = world.issue().bordereau.run.campaign
    world.join(1)
    url = reverse("admin:invoicing_campaign_supplement", args=[campaign.pk])
    follow(finances, on_commit, url, {"reason": "École oubliée"})
    assert list(Campaign.objects.order_by("rank").values_list("rank", flat=True)) == [1, 2]
    assert Run.objects.latest("pk").total == 45


def test_a_long_export_becomes_a_file_to_download(finances, world, large, on_commit):
    run = world.compute()
    url = reverse("admin:invoicing_run_export_call", args=[run.pk])
    page = follow(finances, on_commit, url)
    answer = finances.get(page.context["result"])
    assert answer.content.startswith(b"PK")
    assert long_work.name_of_call(run) in answer["Content-Disposition"]
    told = JournalEntry.objects.filter(action__in=["export", "download"]).order_by("pk")
    assert [entry.action for entry in told] == ["export", "download"]


def test_a_long_journal_becomes_a_file_to_download(finances, world, blank_pdf, large, on_commit):
    world.issue()
    url = reverse("admin:invoicing_titre_export_journal")
    asked = {"issuer": world.issuer.pk, "exercice": 2025, "kind": "csv"}
    page = follow(finances, on_commit, url, asked)
    answer = finances.get(page.context["result"])
    assert answer["Content-Type"].startswith("text/csv")
    assert len(answer.content.splitlines()) >= 4


def test_a_work_that_nobody_does_is_said_to_wait_and_taken_up_by_a_click(
    finances, world, large, on_commit, monkeypatch
):
    work = long_work.export_later(run=world.compute(), actor="essai")  # its nudge is lost
    address = reverse("work", args=[work.pk])
    assert "En attente" in words(finances.get(address))
    assert "Reprendre</button>" not in finances.get(address).content.decode()
    monkeypatch.setattr("entsvc.background.is_quiet", lambda signs: True)
    page = finances.get(address)
    assert "Personne n'a encore commencé ce travail" in words(page)
    assert "Reprendre</button>" in page.content.decode()
    finances.post(f"{address}continuer/")
    assert works.state_of(Work.objects.get()) == works.State.DONE


def test_a_reader_follows_what_others_asked_for(client, world, large, on_commit):
    campaign = world.compute().campaign
    work = long_work.compute_later(campaign=campaign, actor="essai")
    sign_in(client, "lecture", world.issuer)
    address = reverse("work", args=[work.pk])
    assert client.get(address).status_code == 200
    assert client.post(f"{address}continuer/").status_code == 403
    assert client.post(f"{address}recommencer/").status_code == 403


def test_many_titres_are_drawn_under_their_numbers_behind_the_page(
    finances, world, blank_pdf, on_commit, monkeypatch
):
    monkeypatch.setattr(long_work, "LARGE_NUMBERED", 1)
    asked = {"issuer": world.issuer, "budget": world.issuer.budget_code, "exercice": 2025}
    NumberingPolicy.objects.create(**asked, kind=Series.TITRE, mode=NumberingPolicy.Mode.EXTERNAL)
    bordereau = world.issue().bordereau
    for titre in bordereau.titres.all():
        write_number(titre=titre, number=f"CHO-{titre.number}", actor="essai")
    url = reverse("admin:invoicing_bordereau_draw_missing", args=[bordereau.pk])
    page = follow(finances, on_commit, url)
    assert "3 titres produits au numéro du comptable." in words(page)
    assert TitreDocument.objects.filter(role=TitreDocument.Role.NUMBERED).count() == 3
    assert TitreDocument.objects.filter(role=TitreDocument.Role.PDF).count() == 3


# --- The list -------------------------------------------------------------------------------------


def test_the_list_asks_as_much_for_many_works_as_for_few(client, world, blank_pdf):
    sign_in(client, "finances", world.issuer)
    seen = []
    for _ in range(2):
        for _ in range(3):
            other = a_world(members=2)
            User.objects.get().issuers.add(other.issuer)
            issued = other.issue()
            for titre in issued.bordereau.titres.all():
                attempts.take(drawing.TITRE, titre.pk)
                attempts.fail(drawing.TITRE, titre.pk, "Essai.")
            long_work.export_later(run=Run.objects.latest("pk"), actor="essai")
        with CaptureQueriesContext(connection) as queries:
            page = client.get(LIST)
        seen.append(len(queries))
    assert len(page.context["entries"]) == 12
    assert seen[0] == seen[1]
    assert "Travaux" in words(client.get("/admin/"))
