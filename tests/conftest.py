"""Strict for every test: undefined template variables, warnings and unordered queries fail.

Warnings are errors by `pyproject.toml`. The network is closed but for this machine.
"""

import random
import socket
import sys
from pathlib import Path

import hypothesis
import pytest
from django.conf import settings
from django.db import connection
from django.db.models.query import QuerySet
from django.template import engines

from entsvc import triggers
from tests.invoicing import scratch as scratch_database

# A busy machine is no reason to fail a property.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

SEED = random.SystemRandom().randrange(10**6)
shuffler = random.Random(SEED)
TEMPLATES = settings.BASE_DIR / "templates"


def pytest_report_header(config):
    return f"ordre des requêtes non triées : graine {SEED}"


class UndefinedVariable(AssertionError):
    """One of our templates shows a variable that its view does not give."""


class StrictUndefined(str):
    """Stands for an undefined variable: an error in our templates, nothing in those of libraries.

    Django asks whether `string_if_invalid` is set just before using it: that question is the only place
    where both the variable and the template are in sight.
    """

    __slots__ = ()

    def __bool__(self):
        frame = sys._getframe(1)
        context, expression = frame.f_locals.get("context"), frame.f_locals.get("self")
        template = context.render_context.template if context is not None else None
        if template and Path(template.origin.name).is_relative_to(TEMPLATES):
            raise UndefinedVariable(f"{template.origin.name} : {expression}")
        return False


@pytest.fixture(autouse=True)
def strict_templates(monkeypatch):
    engine = engines["django"].engine
    monkeypatch.setattr(engine, "string_if_invalid", StrictUndefined())


@pytest.fixture(autouse=True)
def shuffled_unordered_queries(monkeypatch):
    """Give the rows of an unordered query in an order that changes from one session to the next."""
    fetch = QuerySet._fetch_all

    def fetch_and_shuffle(queryset):
        fresh = queryset._result_cache is None
        fetch(queryset)
        if fresh and not queryset.ordered:
            shuffler.shuffle(queryset._result_cache)

    monkeypatch.setattr(QuerySet, "_fetch_all", fetch_and_shuffle)


@pytest.fixture(autouse=True)
def closed_network(monkeypatch):
    connect = socket.socket.connect

    def connect_here_only(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"Un test a voulu joindre {address}.")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here_only)


@pytest.fixture(autouse=True)
def after_response_at_once(settings):
    """Do what waits for the end of a response in the same thread: mail is in `mailoutbox` at once."""
    settings.AFTER_RESPONSE = "inline"


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    """Keep the documents of each test apart."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


@pytest.fixture
def unguarded(db):
    """Let a test that commits (`transaction=True`) empty its tables afterwards.

    Triggers refuse TRUNCATE: they are removed here, and Django installs them again once it has emptied.
    """
    for model in {*triggers.PROTECTED, *triggers.FROZEN}:
        triggers.remove(connection, model)


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory):
    """A database with the regimes and the Occitanie demonstration, computed twice; only to be copied.

    Runs 1 and 2 are those of 2024-2025 (25 communes), run 3 that of 2020-2021 (3 communes).
    """
    template = scratch_database.make(tmp_path_factory.mktemp("demonstration"))
    try:
        made = template.run("-c", scratch_database.DEMONSTRATION)
        assert made.returncode == 0, made.stderr
        for year in ("2024-2025", "2024-2025", "2020-2021"):
            template.json("compute_calls", "--schedule", "OCC-ENT-ECOLE", "--school-year", year)
        yield template
    finally:
        template.drop()


@pytest.fixture
def scratch(demonstration, tmp_path):
    """A copy of the demonstration for one test, that real processes share."""
    database = scratch_database.copy(demonstration, tmp_path)
    yield database
    database.drop()
