"""What the guide of operation promises: every setting documented, the containers, a real server."""

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from django.conf import settings

from entsvc.tabular import MAX_BYTES
from tests.invoicing.scratch import until

ROOT = settings.BASE_DIR
# In .env.example, but read by the making of the image, the containers, the proxy or gunicorn.
NOT_OURS = {"POSTGRES_PASSWORD", "DOMAIN", "TLS", "WEB_CONCURRENCY", "REQUIREMENTS"}
PRODUCTION = {
    "DEBUG": "0",
    "SECRET_KEY": "une-clef-de-test-" * 4,
    "ALLOWED_HOSTS": "entsvc.example",
    "WEB_CONCURRENCY": "1",
    "DJANGO_SETTINGS_MODULE": "settings_of_this_test",
}


def text(*parts):
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


# --- Settings ---------------------------------------------------------------------------------


def test_every_variable_that_settings_read_is_documented_and_no_other():
    read = set(re.findall(r'\benv(?:\.\w+)?\(\s*"([A-Z_]+)"', text("entsvc", "settings.py")))
    documented = set(re.findall(r"^#?([A-Z_]+)=", text(".env.example"), re.MULTILINE))
    assert "DATABASE_URL" in read
    assert documented - NOT_OURS == read
    assert documented >= NOT_OURS


def test_the_example_of_the_environment_can_be_read_by_a_shell():
    example = re.sub(r"^#([A-Z_]+=)", r"\1", text(".env.example"), flags=re.MULTILINE)
    command = example + 'printf "%s|%s" "$DEFAULT_FROM_EMAIL" "$LARGEST_SCAN_MB"'
    done = subprocess.run(["bash", "-euc", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "ENT <ne-pas-repondre@entsvc.example>|20"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "CHORUS_OAUTH_URL, CHORUS_CLIENT_SECRET"),
        ({"CHORUS_OAUTH_URL": "http://oauth.example", "CHORUS_CLIENT_SECRET": "s"}, "https://"),
        ({"CHORUS_OAUTH_URL": "https://oauth.example", "CHORUS_CLIENT_SECRET": "s"}, ""),
        ({"CHORUS_OAUTH_URL": "http://127.0.0.1:8", "CHORUS_CLIENT_SECRET": "s"}, ""),
    ],
)
def test_chorus_pro_is_set_whole_and_over_https(given, told):
    """A secret never goes in clear, but to this machine."""
    start = {"CHORUS_API_URL": "https://api.example/", "CHORUS_CLIENT_ID": "c", "CHORUS_LOGIN_SN": "l"}
    code = "from entsvc import settings as s; print(s.CHORUS_API_URL, s.CHORUS_LOGINS)"
    environment = {"PATH": "", "DATABASE_URL": "sqlite://:memory:", **start, **given}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment
    )
    assert told in done.stderr
    assert (done.returncode == 0) is not bool(told)
    if not told:
        assert done.stdout.strip() == "https://api.example {'SN': 'l'}"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("DATABASE_URL", "postgres://entsvc:se/cret@db:5432/entsvc"),
        ("EMAIL_URL", "smtp+tls://moi:se#cret@smtp.example:587"),
    ],
)
def test_an_address_that_its_password_breaks_is_named_without_showing_it(name, address):
    environment = {"PATH": "", "DATABASE_URL": "sqlite://:memory:", name: address}
    done = subprocess.run(
        [sys.executable, "-c", "import entsvc.settings"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
    )
    assert done.returncode
    assert f"{name} ne se lit pas comme une adresse" in done.stderr
    assert "%2F" in done.stderr
    assert "'se'" not in done.stderr


def test_what_compose_reads_of_the_environment_is_documented():
    asked = set(re.findall(r"\$\{(\w+)", text("docker-compose.yml")))
    asked |= set(re.findall(r"\{\$(\w+)", text("docker", "Caddyfile")))
    documented = set(re.findall(r"^#?([A-Z_]+)=", text(".env.example"), re.MULTILINE))
    assert asked == {"POSTGRES_PASSWORD", "DOMAIN", "TLS", "REQUIREMENTS"} <= documented


# --- Containers -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def services():
    """The text of each service of docker-compose.yml, by name."""
    _, _, after = text("docker-compose.yml").partition("\nservices:\n")
    inside = after.split("\nnetworks:\n")[0]
    parts = re.split(r"^  (\w+):\n", inside, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def final_stage():
    return text("Dockerfile").rpartition("\nFROM ")[2]


def test_the_image_is_slim_and_has_no_compiler():
    assert re.findall(r"^FROM (\S+)", text("Dockerfile"), re.MULTILINE) == [
        "python:3.11-slim-bookworm",
        "python:3.11-slim-bookworm",
    ]
    assert not re.search(r"\b(gcc|g\+\+|build-essential|\w+-dev)\b", text("Dockerfile"))
    assert "--require-hashes" in text("Dockerfile")


def test_every_list_of_requirements_holds_the_same_releases_by_their_hashes():
    def pinned(name):
        found = re.split(r"\n(?=\S)", text(f"requirements/{name}.txt"))
        return {row.split("==")[0]: re.sub(r"\n    #.*", "", row) for row in found if "==" in row}

    base, validation, tested = (pinned(name) for name in ("base", "validation", "test"))
    assert all("--hash=sha256:" in row for rows in (base, validation, tested) for row in rows.values())
    assert validation.keys() - base.keys() == {"saxonche"}
    assert {name: validation[name] for name in base} == base
    assert {name: tested.get(name) for name in validation} == validation


def test_the_image_does_not_run_as_root_and_tells_its_health():
    stage = final_stage()
    assert 0 < stage.index("USER entsvc") < stage.index("CMD [")
    assert stage.count("USER ") == 1
    assert "HEALTHCHECK" in stage
    assert "/sante/" in stage


def test_the_code_is_read_in_the_image_whatever_the_umask_it_was_cloned_under():
    build, _, _ = text("Dockerfile").rpartition("\nFROM ")
    assert "COPY . /app\nRUN chmod -R go+rX /app\n" in build
    assert "COPY --from=build /app ." in final_stage()
    assert "COPY . " not in final_stage()


def test_the_services_are_those_that_are_needed(services):
    assert set(services) == {"proxy", "web", "worker", "mails", "migrate", "outils", "db"}
    assert "db_worker" in services["worker"]
    assert "send_mails" in services["mails"]
    assert "go_on" in services["mails"]
    assert "/sante/prete/" in services["web"]
    assert "pg_isready" in services["db"]


def test_the_image_is_built_once_and_shared(services):
    """Built by each service it would be as many images: the next « up » would start the site anew."""
    assert [name for name, content in services.items() if "build:" in content] == ["migrate", "outils"]
    before, _, _ = text("docker-compose.yml").partition("\nservices:\n")
    assert "build:" not in before
    assert "image: entsvc\n" in before
    assert "pull_policy: never" in before


def test_only_the_proxy_is_reached_from_outside(services):
    assert [name for name, content in services.items() if "ports:" in content] == ["proxy"]
    assert "networks: [front]" in services["proxy"]
    assert "networks: [behind]" in services["db"]


def test_images_bear_their_version(services):
    for name in ("proxy", "db"):
        [image] = re.findall(r"image: (\S+)", services[name])
        assert re.search(r":\d+[.-]", image), image


def test_the_programs_of_the_backups_are_of_the_version_of_the_server(services):
    [server] = re.findall(r"image: postgres:(\d+)", services["db"])
    assert set(re.findall(r"postgresql-client-(\d+)", text("Dockerfile"))) == {server}
    assert set(re.findall(r"/postgresql/(\d+)/bin/", text("Dockerfile"))) == {server}


def test_the_proxy_offers_http_3_only_where_its_port_is_published(services):
    offered = "protocols h1 h2\n" not in text("docker", "Caddyfile")
    assert offered is ("443:443/udp" in services["proxy"])


def test_the_proxy_lets_the_largest_file_pass_and_the_site_refuse_it():
    [megabytes] = re.findall(r"max_size (\d+)MB", text("docker", "Caddyfile"))
    largest = max(MAX_BYTES, settings.LARGEST_SCAN_MB * 1024**2)
    assert int(megabytes) * 10**6 > 1.2 * largest


def test_no_secret_enters_the_image():
    ignored = text(".dockerignore").splitlines()
    assert {".env", ".git", "var", "demo"} <= set(ignored)


# --- A real server ----------------------------------------------------------------------------


@pytest.fixture
def server(blank, tmp_path):
    """gunicorn as in the image, on a free port; gives how to ask it, and its process."""
    # The files that are served go into a folder of the test; compressing them all takes too long.
    (tmp_path / "settings_of_this_test.py").write_text(
        "from entsvc.settings import *\n"
        f"STATIC_ROOT = {str(tmp_path / 'static')!r}\n"
        "WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ['js', 'svg', 'woff2', 'png', 'txt', 'map']\n"
    )
    environment = {**PRODUCTION, "PYTHONPATH": str(tmp_path)}
    collected = blank.run(str(ROOT / "manage.py"), "collectstatic", "--noinput", "-v0", **environment)
    assert collected.returncode == 0, collected.stderr
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = ["--config=python:entsvc.serving", f"--bind=127.0.0.1:{port}", "entsvc.wsgi"]
    process = blank.start("-m", "gunicorn", *arguments, **environment)
    address = f"http://127.0.0.1:{port}"
    until(lambda: process.poll() is not None or answers(address))
    return lambda path, **headers: ask(address + path, headers), process


def answers(address):
    try:
        return ask(f"{address}/sante/", {}).status == 200
    except OSError:
        return False


class Kept(urllib.request.HTTPRedirectHandler):
    """Follows no redirection."""

    def redirect_request(self, *arguments):
        return None


def ask(address, headers):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Kept)
    request = urllib.request.Request(address, headers=headers)
    try:
        with opener.open(request, timeout=30) as answer:
            answer.content = answer.read()
            return answer
    except urllib.error.HTTPError as refused:
        with refused:
            return refused


BEHIND = {"Host": "entsvc.example", "X-Forwarded-Proto": "https"}


def test_a_real_server_serves_files_headers_health_and_json_then_stops_in_order(server):
    get, process = server
    ready = get("/sante/prete/")
    assert (ready.status, json.loads(ready.content)) == (200, {"status": "ready"})
    assert get("/admin/login/", Host="entsvc.example").status == 301

    page = get("/admin/login/", **BEHIND)
    assert page.status == 200
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert get("/espace/connexion/", **BEHIND).headers["Content-Security-Policy"]
    assert get("/admin/login/", Host="autre.example", **{"X-Forwarded-Proto": "https"}).status == 400

    [sheet, *_] = re.findall(r'/static/[^"]+\.[0-9a-f]{12}\.css', page.content.decode())
    file = get(sheet, **BEHIND, **{"Accept-Encoding": "gzip"})
    assert file.headers["Content-Encoding"] == "gzip"
    assert file.headers["Cache-Control"] == "max-age=315360000, public, immutable"

    get("/espace/connexion/?jeton=AAAAsecretAAAA", **BEHIND, Referer="https://x/?jeton=AAAAsecretAAAA")
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, "")
    lines = [json.loads(line) for line in errors.splitlines()]
    asked = [line["path"] for line in lines if line["logger"] == "entsvc.requests"]
    assert {"/admin/login/", "/espace/connexion/", sheet} <= set(asked)
    assert "/sante/" not in asked
    assert any("Handling signal: term" in line["message"] for line in lines)
    assert "secret" not in errors


def test_a_server_without_its_settings_stops_at_once_and_says_what_is_missing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--config=python:entsvc.serving", "entsvc.wsgi"],
        cwd=ROOT,
        env={"DEBUG": "0", "ALLOWED_HOSTS": "entsvc.example"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode
    assert "DEBUG=0 exige aussi SECRET_KEY, DATABASE_URL" in done.stderr
