"""« Montants prévisionnels » on the staff pages: prepare, read, print, send; each role its own."""

import io
import zipfile

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conventions.forecasts import long_work
from conventions.models import Convention, Forecast, ForecastNotice
from entsvc import works
from entsvc.models import JournalEntry, OutgoingMail, Work
from members.models import Signatory
from tests.conventions.forecasts.foretelling import a_world, drawn, prepared, sent
from tests.conventions.what_if_world import three_members
from tests.conventions.world import account
from tests.factories import IssuerFactory

pytestmark = pytest.mark.django_db
LIST, NEW = "/admin/previsions/", "/admin/previsions/preparer/"


@pytest.fixture
def schedule(press):
    return a_world()


@pytest.fixture
def gestionnaire(client, schedule):
    account(client, "gestionnaire", schedule.issuer)
    return client


def page(forecast, what=""):
    return f"{LIST}{forecast.pk}/{what}"


def asked(schedule, **changes):
    return {
        "year": "2025-2026",
        "exercice": "2026",
        "written_on": "04/11/2024",
        "signatory": Signatory.objects.get(issuer=schedule.issuer).pk,
        "contact": "ent@essai.example",
        **changes,
    }


def address(schedule, query=""):
    version = schedule.version_set.order_by("pk").first()
    return f"{NEW}?version={version.pk}&annee=2024-2025{query}"


def text_of(answer):
    text = answer.content.decode().replace("\u00a0", " ").replace("\u202f", " ")
    return text.replace("&#x27;", "'")


def test_it_works_from_the_simulation_to_the_mails(gestionnaire, schedule):
    simulation = gestionnaire.get("/admin/simuler/", {"prix-ELEVES": "6,10"})
    version = schedule.version_set.order_by("pk").first()
    link = f"{NEW}?version={version.pk}&amp;annee=2024-2025&amp;prix-ELEVES=6%2C10"
    assert link.replace("&amp;", "&") in simulation.content.decode().replace("&amp;", "&")
    form = gestionnaire.get(address(schedule, "&prix-ELEVES=6,10"))
    assert form.status_code == 200
    assert "modifiée par l'hypothèse" in text_of(form)
    answer = gestionnaire.post(address(schedule, "&prix-ELEVES=6,10"), asked(schedule))
    forecast = drawn(Forecast.objects.get())
    assert answer.headers["Location"] == page(forecast, "?repris=1")
    with CaptureQueriesContext(connection) as queries:
        shown = gestionnaire.get(page(forecast))
    assert len(queries) <= 20, [query["sql"] for query in queries]
    text = text_of(shown)
    assert "9 224,00 €" in text
    assert "+149,00 €" in text
    assert "3 documents produits sur 3" in text
    gestionnaire.post(page(forecast, "envoyer/"))
    assert "Envoyés le" in text_of(gestionnaire.get(page(forecast)))
    assert ForecastNotice.objects.count() == 2
    assert OutgoingMail.objects.filter(template="montant_previsionnel").count() == 2
    assert "Envoyé le" in text_of(gestionnaire.get(LIST))
    again = gestionnaire.post(page(forecast, "envoyer/"), follow=True)
    assert "Aucun membre à qui écrire" in text_of(again)


def test_the_form_says_what_is_wrong_and_keeps_the_hypothesis(gestionnaire, schedule):
    answer = gestionnaire.post(
        address(schedule, "&prix-ELEVES=6,10"), asked(schedule, written_on="hier")
    )
    assert "Écrivez la date comme" in text_of(answer)
    assert "prix-ELEVES=6%2C10" in answer.content.decode()
    answer = gestionnaire.post(address(schedule), asked(schedule, written_on="04/11/2014"))
    assert "n'a pas qualité pour signer" in text_of(answer)
    answer = gestionnaire.post(address(schedule, "&prix-ELEVES=0&prix-ECOLE=0"), asked(schedule))
    assert "Aucun montant sûr" in text_of(answer)
    assert not Forecast.objects.exists()
    answer = gestionnaire.post(address(schedule), asked(schedule, approximate="on"))
    assert Forecast.objects.get().query.endswith("approches=on")
    assert "Un projet existe pour 2025-2026" in text_of(gestionnaire.get(address(schedule)))


def test_the_files(gestionnaire, schedule, monkeypatch):
    monkeypatch.undo()  # letters that a PDF reader can open
    forecast = drawn(prepared(schedule))
    row = forecast.amounts.get(name="Petite")
    letter = gestionnaire.get(page(forecast, f"lettres/{row.pk}/"))
    assert letter.content.startswith(b"%PDF")
    archive = b"".join(gestionnaire.get(page(forecast, "lettres.zip")).streaming_content)
    assert len(zipfile.ZipFile(io.BytesIO(archive)).namelist()) == 4
    assert gestionnaire.get(page(forecast, "lettres.pdf")).content.startswith(b"%PDF")
    assert gestionnaire.get(page(forecast, "lettres.pdf?partie=2")).status_code == 404
    assert gestionnaire.get(page(forecast, "classeur.xlsx")).content.startswith(b"PK")
    names = JournalEntry.objects.filter(action="download").values_list("summary", flat=True)
    assert sum("PROJET" in name for name in names) == 3


def test_failures_are_told_and_taken_up_again(gestionnaire, schedule, press):
    press.broken["Grande"] = RuntimeError("panne")
    forecast = drawn(prepared(schedule))
    assert "Dessin impossible (RuntimeError)" in text_of(gestionnaire.get(page(forecast)))
    refused = gestionnaire.post(page(forecast, "envoyer/"), follow=True)
    assert "1 lettre reste à produire" in text_of(refused)
    press.broken.clear()
    gestionnaire.post(page(forecast, "reprendre/"))
    gestionnaire.post(page(forecast, "continuer/"))
    assert "3 documents produits sur 3" in text_of(gestionnaire.get(page(forecast)))
    found = gestionnaire.get(page(forecast), {"q": "petite"})
    assert [row.name for row in found.context["page"]] == ["Petite"]
    gestionnaire.post(page(forecast, "abandonner/"))
    assert not Forecast.objects.exists()


def test_who_may_what(client, schedule):
    draft = drawn(prepared(schedule))
    for role in ("lecture", "finances"):
        account(client, role, schedule.issuer)
        assert client.get(LIST).status_code == client.get(page(draft)).status_code == 200
        assert client.get(page(draft, "classeur.xlsx")).status_code == 200
        assert client.get(NEW).status_code == 403
        for action in ("envoyer/", "abandonner/", "continuer/", "reprendre/"):
            assert client.post(page(draft, action)).status_code == 403
            assert client.get(page(draft, action)).status_code == 405
        assert "Envoyer aux membres" not in client.get(page(draft)).content.decode()
    assert reverse("conventions:forecasts") in client.get("/admin/").content.decode()
    account(client, "gestionnaire", IssuerFactory(code="AUTRE"))
    row = draft.amounts.order_by("pk").first()
    for what in ("", "lettres.zip", "lettres.pdf", "classeur.xlsx", f"lettres/{row.pk}/"):
        assert client.get(page(draft, what)).status_code == 404, what
    for action in ("envoyer/", "abandonner/", "continuer/", "reprendre/"):
        assert client.post(page(draft, action)).status_code == 404
    assert client.get(LIST).context["rows"] == []
    assert not Forecast.objects.get().is_sent


def test_a_later_one_is_told_on_the_page_it_replaces(gestionnaire, schedule):
    first = sent(schedule)
    second = sent(schedule, given={"prix-ELEVES": "7"})
    assert page(second) in gestionnaire.get(page(first)).content.decode()
    text = text_of(gestionnaire.get(LIST))
    assert "Remplacé" in text
    assert "Sans courriel, à imprimer" in text_of(gestionnaire.get(page(first)))


def test_a_large_schedule_is_prepared_in_the_background(gestionnaire, schedule, monkeypatch):
    monkeypatch.setattr(long_work, "LARGE_SCHEDULE", 2)
    answer = gestionnaire.post(address(schedule), asked(schedule))
    work = Work.objects.get()
    assert answer.headers["Location"] == f"{reverse('work', args=[work.pk])}?repris=1"
    works.go_on(work.pk)
    work.refresh_from_db()
    assert work.failure == ""
    assert work.page_key == str(Forecast.objects.get().pk)
    Convention.objects.update(status="abandonnee")
    monkeypatch.setattr(long_work, "LARGE_SCHEDULE", 0)
    gestionnaire.post(address(schedule), asked(schedule, year="2026-2027"))
    work = Work.objects.exclude(pk=work.pk).get()
    works.go_on(work.pk)
    work.refresh_from_db()
    assert "Aucun montant sûr" in work.failure


def test_who_has_no_tariff_or_no_signatory_is_told_what_to_do(client, press):
    schedule = three_members()
    user = account(client, "gestionnaire", schedule.issuer)
    given = {"year": "2025-2026", "exercice": "2026", "written_on": "04/11/2024"}
    assert "Choisissez un signataire" in text_of(client.post(address(schedule), given))
    user.issuers.set([IssuerFactory(code="VIDE")])
    assert "Aucun tarif n'est saisi" in text_of(client.get(NEW))
