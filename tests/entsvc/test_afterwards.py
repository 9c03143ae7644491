"""Long work after the response goes a part at a time, and lets shorter work pass between two parts."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from entsvc import afterwards


@pytest.fixture
def pool(settings, monkeypatch):
    """One thread, so that what waits is seen to wait."""
    settings.AFTER_RESPONSE = "thread"
    with ThreadPoolExecutor(max_workers=1) as pool:
        monkeypatch.setattr(afterwards, "_pool", pool)
        yield pool


def test_a_part_handed_back_runs_behind_what_waits(pool):
    seen, begun, free, over = [], threading.Event(), threading.Event(), threading.Event()

    def long():
        seen.append("long")
        begun.set()
        assert free.wait(10)
        if len(seen) == 1:
            afterwards.hand_back(long)
        else:
            over.set()

    afterwards.after_response(long)
    afterwards.run_pending()
    assert begun.wait(10)
    afterwards.after_response(lambda: seen.append("short"))
    afterwards.run_pending()
    free.set()
    assert over.wait(10)
    assert seen == ["long", "short", "long"]


def test_a_process_that_ends_leaves_the_next_part(pool, caplog):
    pool.shutdown()
    with caplog.at_level("INFO"):
        afterwards.hand_back(lambda: None)
    assert "Le processus s'arrête" in caplog.text


def test_inline_all_the_parts_run_at_once():
    left = [1, 2, 3]

    def job():
        left.pop()
        if left:
            afterwards.hand_back(job)

    afterwards.after_response(job)
    afterwards.run_pending()
    assert left == []
