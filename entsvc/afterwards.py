"""Work that waits until the response is sent: nobody waits for it, nor learns by its length."""

import atexit
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.db import connections

logger = logging.getLogger(__name__)
_of_this_thread = threading.local()
_pool: ThreadPoolExecutor | None = None
_lock = threading.Lock()


def after_response(job: Callable[[], Any]) -> None:
    """Run a job once the response of the current request is sent; the same job only once.

    What it does must bear being lost when the process is killed: what has to happen is a row that some
    command finds again.
    """
    jobs = _jobs()
    if job not in jobs:
        jobs.append(job)


def hand_back(job: Callable[[], Any]) -> None:
    """Run a job again behind those that wait: what is long does a part of itself and lets others pass.

    Not at all once the process is ending, which waits for the parts that have begun.
    """
    if settings.AFTER_RESPONSE == "inline":
        after_response(job)
        return
    try:
        _threads().submit(_attempt_apart, job)
    except RuntimeError:
        logger.info("Le processus s'arrête : la suite d'un travail est laissée.")


def run_pending(**_: Any) -> None:
    """Run the jobs of the request that has just ended (receiver of `request_finished`).

    In threads of their own, or at once where `AFTER_RESPONSE` is « inline » (tests).
    """
    if settings.AFTER_RESPONSE == "inline":
        _attempt_all()
        return
    jobs = _jobs()
    while jobs:
        _threads().submit(_attempt_apart, jobs.pop(0))


def _jobs() -> list[Callable[[], Any]]:
    if not hasattr(_of_this_thread, "jobs"):
        _of_this_thread.jobs = []
    return _of_this_thread.jobs


def _threads() -> ThreadPoolExecutor:
    """Return the threads of this process, made at first use: a server forks after loading the code."""
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="afterwards")
            atexit.register(_pool.shutdown)
        return _pool


def _attempt_apart(job: Callable[[], Any]) -> None:
    """Run a job and those that it asks for, in a thread that no request owns."""
    try:
        after_response(job)
        _attempt_all()
    finally:
        connections.close_all()


def _attempt_all() -> None:
    jobs = _jobs()
    while jobs:
        job = jobs.pop(0)
        try:
            job()
        except Exception:
            logger.exception("Un travail fait après la réponse a échoué.")
