"""Each line of the log is one JSON object, without any token, whatever happens."""

import io
import json
import logging
import os
import subprocess
import sys
import uuid

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import path

from entsvc import logs
from entsvc.redaction import without_tokens

TOKEN = "AAAAsecretAAAA"


def failing(request):
    raise ValueError(f"adresse /espace/connexion/lien/?jeton={TOKEN}\nsur deux lignes")


urlpatterns = [
    path("echoue/", failing),
    path("bien/", lambda request: HttpResponse("bien")),
    path("moi/", lambda request: HttpResponse(request.user.username)),
]
handler500 = "members.portal.errors.server_error"


@pytest.fixture
def lines(monkeypatch):
    """What the JSON handler wrote, parsed line by line."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.JsonFormatter())
    loggers = [logging.getLogger(name) for name in ("entsvc.requests", "django.request")]
    for logger in loggers:
        monkeypatch.setattr(logger, "handlers", [handler])
        monkeypatch.setattr(logger, "level", logging.INFO)
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.fixture
def site(settings):
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["entsvc.request_log.RequestLog", *settings.MIDDLEWARE]
    settings.TRUSTED_PROXIES = 1
    return Client(raise_request_exception=False)


def test_it_works(site, lines):
    answer = site.get("/bien/")
    [line] = lines()
    assert (line["level"], line["logger"]) == ("INFO", "entsvc.requests")
    assert (line["method"], line["path"], line["status"]) == ("GET", "/bien/", 200)
    assert line["duration_ms"] >= 0
    assert line["request_id"] == answer["X-Request-ID"]
    assert line["time"].endswith("+00:00")
    assert "user" not in line


def test_neither_the_query_nor_the_referrer_is_kept(site, lines):
    site.get(f"/bien/?jeton={TOKEN}&autre=secret", headers={"referer": f"https://x/?jeton={TOKEN}"})
    assert TOKEN not in json.dumps(lines())
    assert "secret" not in json.dumps(lines())


def test_an_exception_is_one_line_without_its_token(site, lines):
    answer = site.get("/echoue/")
    assert answer.status_code == 500
    error, request = lines()
    assert "ValueError" in error["exception"]
    assert "jeton=***" in error["exception"]
    assert TOKEN not in json.dumps(error)
    assert error["request_id"] == request["request_id"] == answer["X-Request-ID"]
    assert request["status"] == 500


def test_what_django_says_once_the_request_has_left_bears_its_identifier(site, lines):
    answer = site.get("/nulle-part/")
    assert answer.status_code == 404
    assert {line["request_id"] for line in lines()} == {answer["X-Request-ID"]}
    assert len(lines()) == 2


def test_who_asked_is_told_by_number_and_only_when_the_page_asked(site, lines, db, django_user_model):
    user = django_user_model.objects.create_user("une-agente")
    site.force_login(user)
    site.get("/bien/")
    site.get("/moi/")
    unknown, known = lines()
    assert "user" not in unknown
    assert known["user"] == user.pk
    assert user.username not in json.dumps(known)


def test_the_identifier_is_that_of_our_proxy(site, settings):
    given = str(uuid.uuid4())
    assert site.get("/bien/", headers={"x-request-id": given})["X-Request-ID"] == given
    settings.TRUSTED_PROXIES = 0
    assert site.get("/bien/", headers={"x-request-id": given})["X-Request-ID"] != given


@pytest.mark.parametrize("given", ["court", "x" * 65, "avec espace 123", "ligne\u2028suivante", '"}{"'])
def test_an_identifier_that_is_none_is_replaced(site, given):
    answer = site.get("/bien/", headers={"x-request-id": given})
    assert uuid.UUID(answer["X-Request-ID"]).hex == answer["X-Request-ID"]


def test_an_identifier_does_not_outlive_its_request(site):
    site.get("/bien/")
    assert logs.request_id.get() == ""


@pytest.mark.parametrize(
    "text", ["deux\nlignes", "« accents »", '{"json": 1}', "\x00\x1b[31m", "\u2028"]
)
def test_any_message_stays_on_its_line(text):
    record = logging.LogRecord("x", logging.INFO, "", 0, "%s", (text,), None)
    line = logs.JsonFormatter().format(record)
    assert json.loads(line)["message"] == text
    assert "\n" not in line


def test_a_token_is_hidden_up_to_its_end():
    assert without_tokens(f'"GET /?jeton={TOKEN}&a=1 HTTP/1.1"') == '"GET /?jeton=***&a=1 HTTP/1.1"'


@pytest.mark.parametrize(
    ("environment", "form"),
    [({}, "text"), ({"LOG_FORMAT": "json"}, "json"), ({"DEBUG": "0"}, "json")],
)
def test_a_process_writes_json_in_production(environment, form):
    done = run("import logging; logging.getLogger('x').warning('bonjour')", environment)
    assert done.returncode == 0, done.stderr
    last = done.stderr.splitlines()[-1]
    if form == "json":
        assert json.loads(last)["message"] == "bonjour"
    else:
        assert last == "bonjour"


def test_an_unknown_form_is_refused():
    done = run("", {"LOG_FORMAT": "xml"})
    assert done.returncode
    assert "LOG_FORMAT vaut text ou json, pas « xml »." in done.stderr


def run(code, environment):
    """Run some code in a process of these settings."""
    production = {"SECRET_KEY": "x" * 60, "ALLOWED_HOSTS": "x", "DATABASE_URL": "sqlite://:memory:"}
    return subprocess.run(
        [sys.executable, "-c", f"import django; django.setup(); {code}"],
        cwd=settings.BASE_DIR,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONIOENCODING": "utf-8",
            "DJANGO_SETTINGS_MODULE": "entsvc.settings",
            **production,
            **environment,
        },
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
