"""The pace of long work, its time left, and going on with what nobody does any more."""

import uuid
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from entsvc import afterwards, background
from entsvc.background import Activity, Progress


@pytest.fixture
def left(monkeypatch):
    """Works by key with the pieces left of each; one settles one piece a part."""
    found = {}

    def go_on(key, seconds):
        done = found[key] if seconds is None else min(found[key], 1)
        found[key] -= done
        return done

    activity = Activity("essai", go_on, lambda: [key for key, pieces in found.items() if pieces])
    monkeypatch.setattr(background, "ACTIVITIES", {"essai": activity})
    return found


def times(*seconds):
    start = timezone.now()
    return [start + timedelta(seconds=second) for second in seconds]


@pytest.mark.parametrize(
    ("left", "seconds", "expected"),
    [
        (10, [], None),
        (10, [0], None),
        (10, [0, 2], 20),
        (10, [4, 0, 2], 20),
        (3, [0, 1, 2, 3000, 3001, 3002], 3),  # a night between two clicks
        (10, [0, 0, 2, 2, 4], 10),  # two workers in step
        (10, [0, 0], None),  # the same bytes, kept once
        (0, [0, 2], 0),
    ],
)
def test_the_time_left_follows_the_pace_of_the_last_pieces(left, seconds, expected):
    assert background.seconds_left(left, times(*seconds)) == expected


def test_progress_tells_what_is_left_its_share_and_its_pace():
    progress = Progress(total=10, done=6, failed=1)
    assert (progress.left, progress.percent, progress.per_minute) == (3, 70, None)
    paced = progress.at_the_pace_of(times(0, 2, 4))
    assert (paced.per_minute, paced.seconds_left) == (30, 6)
    assert Progress(total=0, done=0, failed=0).percent == 100
    assert progress.at_the_pace_of(times(0, 0)).per_minute is None  # too fast to tell
    assert progress.at_the_pace_of(times(0, 600)).per_minute == 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (10, "moins d'une minute"),
        (61, "environ 2 minutes"),
        (5399, "environ 90 minutes"),
        (5400, "environ 2 heures"),
    ],
)
def test_the_time_left_is_said_in_words(seconds, words):
    assert background.in_words(seconds).replace("\u00a0", " ") == words


def test_without_a_worker_the_web_server_goes_on_after_the_response_to_the_end(left):
    key = uuid.uuid4()
    left[key] = 3
    assert background.nudge("essai", key)
    assert background.nudge("essai", key)
    assert left[key] == 3
    afterwards.run_pending()
    assert left[key] == 0


def test_what_nobody_does_is_gone_on_with(left, capsys):
    first, second, over = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    left.update({first: 2, second: 5, over: 0})
    call_command("go_on")
    assert "2 travaux repris ici." in capsys.readouterr().out.replace("\u00a0", " ")
    assert set(left.values()) == {0}
    call_command("go_on", "--json")
    assert '"resumed": 0' in capsys.readouterr().out


def test_with_workers_it_is_handed_to_them(left, monkeypatch, capsys):
    key, asked = uuid.uuid4(), []
    left[key] = 2
    monkeypatch.setattr(background, "is_inline", lambda: False)
    monkeypatch.setattr(background, "nudge", lambda *given: asked.append(given))
    call_command("go_on")
    assert asked == [("essai", key)]
    assert "1 travail confié à db_worker." in capsys.readouterr().out.replace("\u00a0", " ")
    assert left[key] == 2


def test_the_sign_of_life_that_counts_is_the_last_one():
    old, fresh = timezone.now() - timedelta(hours=1), timezone.now()
    assert background.is_quiet([old, None])
    assert not background.is_quiet([old, None, fresh])
