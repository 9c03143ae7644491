"""A real Chromium on a real server: its pages, their accessibility and what its console says."""

import datetime as dt
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connection
from django.utils import timezone
from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Response,
    expect,
    sync_playwright,
)
from pytest_django.live_server_helper import LiveServer

from tests.browser import pictures
from tests.browser.database import own_database

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
# The rules that RGAA rests on; the others are advice.
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RULES = [*WCAG, "best-practice"]
SECONDS = 60  # a busy machine is slow, not broken


@pytest.fixture(scope="session")
def chromium() -> str:
    """The system's Chromium: its absence fails the whole check, and elsewhere skips these tests."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        missing = "Chromium est introuvable : installez le paquet « chromium »."
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return path


# Not for the session: while Playwright runs, Django believes that all code is asynchronous.
@pytest.fixture(scope="package")
def browser(chromium: str, django_db_setup, django_db_blocker) -> Iterator[Any]:
    """Chromium, started once for these tests."""
    with django_db_blocker.unblock():
        # In Playwright's loop Django no longer sees this connection, which would keep the copy waiting.
        connection.close()
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as playwright:
            started = playwright.chromium.launch(
                executable_path=chromium,
                args=[
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-dev-shm-usage",
                    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                ],
            )
            yield started
            started.close()
    finally:
        os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE")
        if before is not None:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


# In the place of pytest-django's own, whose transaction no other thread would see.
@pytest.fixture
def db(media, tmp_path, django_db_setup, django_db_blocker) -> Iterator[None]:
    """A database of its own for each test, which the threads of the server share."""
    with django_db_blocker.unblock(), own_database(tmp_path):
        yield


@pytest.fixture
def site(browser, db) -> Iterator[str]:
    """The address of a server of this process, on the test's database."""
    server = LiveServer("127.0.0.1")
    try:
        yield server.url
    finally:
        server.stop()


@dataclass
class Clock:
    """What this process takes for now; `noon` moves it."""

    now: dt.datetime

    def noon(self, day: dt.date) -> None:
        """Make it noon of a day."""
        self.now = dt.datetime.combine(day, dt.time(12), timezone.get_default_timezone())


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """The clock of Django, for the server too: it stands still until it is moved."""
    clock = Clock(timezone.now())
    monkeypatch.setattr(timezone, "now", lambda: clock.now)
    return clock


@pytest.fixture
def blank_documents(monkeypatch):
    """Draw documents as a few bytes: for what the world holds already."""
    monkeypatch.setattr("invoicing.rendering.render_pdf", lambda *_: b"%PDF essai")
    monkeypatch.setattr("invoicing.bordereau_pdf.render_pdf", lambda *_, **__: b"%PDF essai")


@dataclass
class Visitor:
    """Someone at a screen. Whatever goes wrong in the browser is kept, and fails the test at its end."""

    site: str
    page: Page
    troubles: list[str] = field(default_factory=list)

    def go(self, address: str) -> Page:
        """Open an address of the site."""
        response = self.page.goto(address if address.startswith("http") else f"{self.site}{address}")
        assert response is not None
        assert response.status == 200, f"{address} : {response.status}"
        return self.page

    def press(self, name: str) -> None:
        """Press the button, or follow the link, of this name; that of an icon may come before it."""
        with_icon = re.compile(rf"^\w+ {re.escape(name)}$")
        for role, words in (("button", name), ("link", name), ("link", with_icon)):
            target = self.page.get_by_role(role, name=words, exact=True)
            if target.count():
                break
        with self.page.expect_navigation():
            target.click()

    def menu(self, name: str) -> None:
        """Follow an entry of the menu of the staff."""
        named = self.page.get_by_text(name, exact=True)
        with self.page.expect_navigation():
            self.page.locator("#nav-sidebar-apps a").filter(has=named).click()

    def under(self, title: str, name: str) -> None:
        """Open a menu of the actions of a page, and follow one of them."""
        self.page.locator("li > a").filter(has_text=title).click()
        with self.page.expect_navigation():
            self.page.locator("body > nav:visible a").filter(
                has=self.page.get_by_text(name, exact=True)
            ).click()

    def labelled(self, label: str) -> Locator:
        """Return the field of a label, which a star may follow."""
        return self.page.get_by_label(re.compile(rf"^\s*{re.escape(label)}\s*\*?\s*$"))

    def fill(self, label: str, text: str) -> None:
        """Write in a field."""
        self.labelled(label).fill(text)

    def choose(self, label: str, option: str) -> None:
        """Choose in a list."""
        self.labelled(label).select_option(label=option)

    def look_up(self, field: str, words: str) -> None:
        """Type words in a field that searches, by its name, and take the row that has them."""
        self.page.locator(f"#id_{field} + .select2 .select2-selection").click()
        self.page.locator(".select2-search__field").fill(words)
        self.page.locator(".select2-results__option").filter(has_text=words).click()

    def add(self) -> None:
        """Press the « + » of a list."""
        with self.page.expect_navigation():
            self.page.locator("a[href*='/add/']:visible").first.click()

    def picture(self, name: str, to: str | Locator | None = None) -> None:
        """Take a picture for the guides, down to an element, where pictures are asked for."""
        pictures.take(self.page, name, to=self.page.locator(to).first if isinstance(to, str) else to)

    @property
    def text(self) -> str:
        """The words of the page, with plain spaces and apostrophes."""
        self.wait_for_parts()
        return plain(self.page.locator("body").inner_text())

    def wait_for_parts(self) -> None:
        """Wait for the parts that the page asks for by itself as soon as it is open."""
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0, timeout=30_000)

    def reads(self, *words: str) -> None:
        """Check that the page says these words."""
        found = self.text
        for wanted in words:
            assert plain(wanted) in found, f"{wanted!r} n'est pas dans :\n{found}"

    def download(self, name: str) -> tuple[str, bytes]:
        """Follow a link that gives a file; return its name and its bytes."""
        with self.page.expect_download() as waiting:
            self.page.get_by_role("link", name=name).first.click()
        given = waiting.value
        return given.suggested_filename, given.path().read_bytes()

    def check_accessible(self) -> None:
        """Check the page on a phone, then on a desk."""
        for screen in (PHONE, DESKTOP):
            self.page.set_viewport_size(screen)
            self.check_here()

    def check_here(self, rules: list[str] = RULES) -> None:
        """Check the page by axe: no violation, and nothing wider than the screen."""
        self.wait_for_parts()
        found = Axe().run(self.page, options={"runOnly": rules})
        assert found.violations_count == 0, f"{self.page.url}\n{found.generate_report()}"
        wide, screen = self.page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert wide <= screen, f"{self.page.url} : {wide} px sur un écran de {screen} px"


def plain(text: str) -> str:
    """Return words with plain spaces and apostrophes, all on one line."""
    return " ".join(text.replace("’", "'").split())


@pytest.fixture
def visitor(browser, site) -> Iterator[Callable[..., Visitor]]:
    """Make someone who visits the site: `visitor()`, or `visitor(PHONE, java_script_enabled=False)`."""
    contexts: list[BrowserContext] = []
    visitors: list[Visitor] = []

    def arrive(viewport: dict[str, int] = DESKTOP, **options: Any) -> Visitor:
        context = browser.new_context(viewport=viewport, locale="fr-FR", **options)
        context.set_default_timeout(SECONDS * 1000)
        contexts.append(context)
        visitor = Visitor(site, context.new_page())
        visitors.append(visitor)
        _listen(visitor)
        return visitor

    yield arrive
    for context in contexts:
        context.close()
    assert [trouble for visitor in visitors for trouble in visitor.troubles] == []


def _listen(visitor: Visitor) -> None:
    page, troubles = visitor.page, visitor.troubles
    page.on("pageerror", lambda error: troubles.append(f"{page.url} : {error}"))
    page.on("console", lambda said: _complains(said) and troubles.append(f"{page.url} : {said.text}"))
    page.on("response", lambda got: _fails(got) and troubles.append(f"{got.url} : {got.status}"))


def _complains(said: ConsoleMessage) -> bool:
    """Tell whether the console has something to say, but of an answer: see `_fails`."""
    return said.type == "error" and not said.text.startswith("Failed to load resource")


def _fails(got: Response) -> bool:
    """Tell whether an answer is one that no page should get: a page may refuse, its files may not."""
    of_a_page = got.request.resource_type == "document"
    return got.status >= 500 or (
        got.status >= 400 and not of_a_page and not got.url.endswith("/favicon.ico")
    )
