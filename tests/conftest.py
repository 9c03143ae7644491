"""Strict for every test: undefined template variables, warnings and unordered queries fail.

Warnings are errors by `pyproject.toml`. The network is closed but for this machine.
"""

import datetime as dt
import gc
import random
import shutil
import socket
import sys
from pathlib import Path

import hypothesis
import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.models.query import QuerySet
from django.template import engines
from django.test import override_settings
from django.test.utils import setup_databases, teardown_databases

from entsvc import triggers
from tests.invoicing import scratch as scratch_database

# A busy machine is no reason to fail a property.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

SEED = random.SystemRandom().randrange(10**6)
shuffler = random.Random(SEED)
TEMPLATES = settings.BASE_DIR / "templates"
ON_ITS_OWN_DAY = ("invoicing.numbering.localdate", lambda: dt.date.min)


def pytest_report_header(config):
    return f"ordre des requêtes non triées : graine {SEED}"


def pytest_collection_finish():
    """Keep what the collection loaded out of the garbage collector's rounds, and make them rarer."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


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
def cheap_passwords(settings):
    """Hash at once what production takes its time to hash."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def typed_on_its_own_day(monkeypatch):
    """Judge an exercice on the day of each piece alone: the tests date theirs of years gone by."""
    monkeypatch.setattr(*ON_ITS_OWN_DAY)


@pytest.fixture(scope="module")
def kept_media(tmp_path_factory):
    """Where the documents of what a module keeps are written."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(autouse=True)
def media(request, settings, tmp_path):
    """Keep the documents of each test apart; it begins with a copy of those that its module keeps."""
    settings.MEDIA_ROOT = tmp_path / "media"
    if "kept_media" in request.fixturenames:
        shutil.copytree(request.getfixturevalue("kept_media"), settings.MEDIA_ROOT)
    return settings.MEDIA_ROOT


@pytest.fixture(scope="module")
def kept(django_db_setup, django_db_blocker, kept_media):
    """Write rows once for a whole module: `kept(function)`; each test then takes back its own alone.

    For the modules whose tests all start from these rows: those that don't would find them too. A test
    that may change what the function returned takes a copy of it (`copy.deepcopy`).
    """
    whole = transaction.atomic()
    whole._from_testcase = True  # as the transaction of a test: a durable one may begin within it
    with django_db_blocker.unblock():
        whole.__enter__()

    def write(function):
        with (
            django_db_blocker.unblock(),
            override_settings(MEDIA_ROOT=kept_media, AFTER_RESPONSE="inline"),
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr(*ON_ITS_OWN_DAY)
            return function()

    yield write
    with django_db_blocker.unblock():
        transaction.set_rollback(True)
        whole.__exit__(None, None, None)


@pytest.fixture
def unguarded(db):
    """Let a test that commits (`transaction=True`) empty its tables afterwards.

    Triggers refuse TRUNCATE: they are removed here, and Django installs them again once it has emptied.
    """
    for model in {*triggers.PROTECTED, *triggers.FROZEN}:
        triggers.remove(connection, model)


# In the place of pytest-django's own, which makes none where no test asks for `db`.
@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment, django_db_modify_db_settings, django_db_blocker, tmp_path_factory
):
    """The test database, and a copy made before any test writes: migrations run once a session."""
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, serialized_aliases=[])
        template = scratch_database.copy_of(connection, tmp_path_factory.mktemp("migrated"))
    yield template
    template.drop()
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0)


@pytest.fixture(scope="session")
def migrated(django_db_setup):
    """A database as the migrations leave it; only to be copied."""
    return django_db_setup


@pytest.fixture(scope="session")
def demonstration(migrated, tmp_path_factory):
    """A database with the regimes and the Occitanie demonstration, computed twice; only to be copied.

    Runs 1 and 2 are those of 2024-2025 (25 communes), run 3 that of 2020-2021 (3 communes).
    """
    template = scratch_database.copy(migrated, tmp_path_factory.mktemp("demonstration"))
    try:
        made = template.run("-c", scratch_database.DEMONSTRATION)
        assert made.returncode == 0, made.stderr
        yield template
    finally:
        template.drop()


@pytest.fixture(scope="session")
def demonstration_issued(demonstration, tmp_path_factory):
    """The demonstration once run 3 is issued, its three documents drawn; only to be copied."""
    template = scratch_database.copy(demonstration, tmp_path_factory.mktemp("demonstration_issued"))
    try:
        template.json(*template.issue(3, "2025-03-03"))
        yield template
    finally:
        template.drop()


@pytest.fixture
def scratch(demonstration, tmp_path):
    """A copy of the demonstration for one test, that real processes share."""
    database = scratch_database.copy(demonstration, tmp_path)
    yield database
    database.drop()


@pytest.fixture
def scratch_issued(demonstration_issued, tmp_path):
    """A copy of the demonstration and of its three titres for one test, that real processes share."""
    database = scratch_database.copy(demonstration_issued, tmp_path)
    yield database
    database.drop()


@pytest.fixture
def blank(migrated, tmp_path):
    """A copy of the migrated database for one test, that real processes share."""
    database = scratch_database.copy(migrated, tmp_path)
    yield database
    database.drop()
