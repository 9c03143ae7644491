"""What long work leaves behind has an age: the files it made, and its finished nudges."""

import json
import sys
from datetime import timedelta

import pytest
from django.apps import apps
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.utils import timezone

from entsvc import short_lived


@pytest.fixture
def at(monkeypatch):
    """Set how many days from now it is."""
    now = timezone.now()

    def set_day(days):
        monkeypatch.setattr(timezone, "now", lambda: now + timedelta(days=days))

    return set_day


def test_a_file_is_kept_its_days_then_removed_with_its_folder(at):
    path = short_lived.keep(b"octets", suffix=".xlsx")
    made_at = timezone.now()
    at(short_lived.FILE_DAYS)
    assert short_lived.is_kept(made_at)
    assert short_lived.forget()["files"] == 0
    assert short_lived.read(path) == b"octets"
    at(short_lived.FILE_DAYS + 1)
    assert not short_lived.is_kept(made_at)
    other = short_lived.keep(b"du jour", suffix=".csv")
    assert short_lived.forget()["files"] == 1
    assert short_lived.read(path) is None
    assert short_lived.read(other) == b"du jour"
    assert default_storage.listdir(short_lived.FOLDER)[0] == [other.split("/")[1]]


def test_nothing_to_forget_is_nothing_done():
    assert short_lived.forget() == {"files": 0, "nudges": 0}


@pytest.mark.django_db
def test_go_on_clears_what_is_too_old(at, capsys):
    short_lived.keep(b"octets", suffix=".xlsx")
    at(short_lived.FILE_DAYS + 1)
    call_command("go_on")
    assert "1 export effacé." in capsys.readouterr().out.replace("\u00a0", " ")
    call_command("go_on", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told == {"resumed": 0, "forgotten": {"files": 0, "nudges": 0}}


def test_finished_nudges_go_and_those_that_wait_stay(at, monkeypatch):
    """The table of the worker is there only where it is used: its rows are stood for."""
    rows = {"finie": -short_lived.NUDGE_DAYS - 1, "récente": -1}

    class Finished(dict):
        def filter(self, finished_at__lt):
            old = {n: d for n, d in self.items() if timezone.now() + timedelta(days=d) < finished_at__lt}
            return Finished(old)

        def delete(self):
            for name in self:
                del rows[name]
            return len(self), {}

    class Results:
        class objects:
            finished = staticmethod(lambda: Finished(rows))

    module = type("models", (), {"DBTaskResult": Results})
    monkeypatch.setitem(sys.modules, "django_tasks_db.models", module)
    monkeypatch.setattr(apps, "is_installed", lambda name: True)
    assert short_lived.forget()["nudges"] == 1
    assert rows == {"récente": -1}
