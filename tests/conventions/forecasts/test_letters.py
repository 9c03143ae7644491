"""The letters: drawn once each by whoever goes on, kept, the same bytes each time they are drawn."""

import csv
import io
import zipfile
from datetime import timedelta

import pytest
from django.utils import timezone
from pypdf import PdfReader

from conventions.forecasts import files, letters, preparing
from conventions.forecasts.reading import ForecastRefused
from conventions.models import Forecast
from entsvc import afterwards, attempts, documents
from entsvc.models import Attempt
from tests.conventions.forecasts.foretelling import a_world, drawn, prepared, sent
from tests.conventions.world import YEAR

pytestmark = pytest.mark.django_db


def test_preparing_sets_the_drawing_going(press, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        forecast = prepared(a_world())
    afterwards.run_pending()
    assert sorted(press.drawn) == ["Ensemble", "Grande", "Petite"]
    done = letters.progress(forecast)
    assert (done.total, done.done, done.failed, done.left) == (3, 3, 0, 0)
    assert letters.draw_left(pk=forecast.pk) == 0
    assert not Attempt.objects.exists()


def test_a_letter_that_fails_stops_no_other_and_is_drawn_again_when_asked(press):
    press.broken["Grande"] = RuntimeError("plus d'encre")
    forecast = drawn(prepared(a_world()))
    assert sorted(press.drawn) == ["Ensemble", "Petite"]
    [(row, told)] = letters.failures(forecast, 10)
    assert row.name == "Grande"
    assert "RuntimeError" in told
    assert letters.failed_of([forecast]) == {forecast.pk: 1}
    assert letters.draw_left(pk=forecast.pk) == 0
    press.broken.clear()
    assert letters.put_back(forecast=forecast) == 1
    assert letters.draw_left(pk=forecast.pk) == 1
    assert not letters.failed_of([forecast])


def test_a_killed_drawing_is_found_again_and_ends_with_each_letter_once(press):
    forecast = prepared(a_world())
    first = forecast.amounts.order_by("siret").first()
    assert attempts.take(letters.ACTIVITY, first.pk), "held by a process that is killed then"
    assert letters.draw_left(pk=forecast.pk) == 2
    assert letters.unfinished() == [], "it may still be alive"
    long_ago = timezone.now() - timedelta(minutes=10)
    Attempt.objects.update(held_until=long_ago, at=long_ago)
    Forecast.objects.update(made_at=long_ago)
    assert letters.is_stalled(forecast) is False, "the two others were kept a moment ago"
    assert letters.draw_left(pk=forecast.pk) == 1
    assert sorted(press.drawn) == ["Ensemble", "Grande", "Petite"]


def test_a_draft_dropped_or_made_anew_while_it_is_drawn_loses_nothing_else(press, monkeypatch):
    schedule = a_world()
    forecast = prepared(schedule)
    draw = letters.draw

    def draw_then_remake(amount):
        content = draw(amount)
        monkeypatch.setattr(letters, "draw", draw)
        prepared(schedule, given={"prix-ELEVES": "7"})
        return content

    monkeypatch.setattr(letters, "draw", draw_then_remake)
    letters.draw_left(pk=forecast.pk)
    again = Forecast.objects.get()
    assert again.pk != forecast.pk
    assert letters.progress(again).done == 0
    assert not Attempt.objects.exists()
    assert letters.draw_left(pk=again.pk) == 3
    with pytest.raises(ForecastRefused, match="n'existe plus"):
        preparing.drop(pk=forecast.pk, actor="essai")


def test_a_letter_says_the_amount_and_that_nothing_is_to_be_paid_on_one_page():
    schedule = a_world()
    sentence = "Une phrase de plus : " + "elle est longue, " * 20
    forecast = prepared(schedule, given={"prix-ELEVES": "6,10"}, sentence=sentence)
    row = forecast.amounts.select_related("forecast").get(name="Grande")
    content = letters.draw(row)
    assert letters.draw(forecast.amounts.select_related("forecast").get(pk=row.pk)) == content
    pages = PdfReader(io.BytesIO(content)).pages
    text = " ".join(pages[0].extract_text().split())
    assert len(pages) == 1
    for words in (
        "Montant prévisionnel de votre contribution – budget 2026",
        "1 570,00 €",
        "1 545,00 €",
        "+25,00 € (+1,6 %)",
        "elle n’est ni un appel, ni un titre",
        "un projet de tarif pour 2025-2026, qui n’est pas encore voté",
        "Constat de rentrée",
        "ent@essai.example",
        "Camille ESSAI",
    ):
        assert words in text.replace("\u00a0", " ").replace("\u202f", " "), words


def test_the_zip_lists_every_letter_and_what_is_missing(press):
    press.broken["Grande"] = OSError(28, "disque plein")
    forecast = drawn(prepared(a_world()))
    archive = zipfile.ZipFile(io.BytesIO(b"".join(files.stream(forecast))))
    text = archive.read("manifeste.csv").decode("utf-8-sig")
    rows = {row["membre"]: row for row in csv.DictReader(io.StringIO(text), delimiter=";")}
    assert set(rows) == {"Ensemble", "Grande", "Petite"}
    assert rows["Grande"]["fichier"] == ""
    assert rows["Grande"]["remarque"] == files.TO_DRAW
    kept = forecast.amounts.get(name="Petite").document
    assert rows["Petite"]["SHA-256"] == kept.sha256
    assert archive.read(rows["Petite"]["fichier"]) == documents.read(kept)
    assert len(archive.namelist()) == 3


def test_a_letter_sent_again_names_the_one_it_replaces(press):
    schedule = a_world()
    sent(schedule)
    again = prepared(schedule, given={"prix-ELEVES": "7"})
    said = again.amounts.get(name="Petite").payload["replaces"]["words"]
    assert said.replace("\u00a0", " ") == "celle du 4 novembre 2024, de 285,00 €"
    other = prepared(schedule, year=YEAR)
    assert other.amounts.get(name="Petite").payload["replaces"] is None
