"""Draws PDF/A-3a documents from Django templates, from the project's own files alone.

The same template, context and style sheets give the same bytes on the same libraries: nothing
here reads a clock, and the document's date comes from its own ``dcterms.created``.
"""

import atexit
import mimetypes
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from django.contrib.staticfiles import finders
from django.core.exceptions import SuspiciousFileOperation
from django.template.loader import render_to_string

# WeasyPrint is imported where it is used: it takes a second to load, and without its C
# libraries the import fails before the system check could say so in plain words.
if TYPE_CHECKING:
    from weasyprint import CSS
    from weasyprint.text.fonts import FontConfiguration
    from weasyprint.urls import URLFetcher

SCHEME = "static:"
STYLESHEETS = ("entsvc/pdf.css",)


class PdfError(Exception):
    """The document can't be drawn; the message says which file it asked for."""


def render_pdf(
    template_name: str,
    context: dict[str, Any],
    *,
    stylesheets: Sequence[str] = STYLESHEETS,
) -> bytes:
    """Render a Django template into the bytes of a tagged PDF/A-3a file.

    ``stylesheets`` are static file names. The template gives the language (``<html lang>``),
    the ``<title>`` and the dates (``<meta name="dcterms.created">``); its only resources are
    ``static:`` addresses. Raises PdfError when it asks for anything else.
    """
    from weasyprint import HTML
    from weasyprint.urls import FatalURLFetchingError

    html = render_to_string(template_name, context)
    with _press.lock:
        try:
            return HTML(string=html, base_url=SCHEME, url_fetcher=static_fetcher()).write_pdf(
                pdf_variant="pdf/a-3a",
                font_config=_press.fonts(),
                stylesheets=[_press.stylesheet(name) for name in stylesheets],
            )
        except FatalURLFetchingError as error:
            # A BaseException: left alone it would end the worker, not just this document.
            raise PdfError(str(error)) from error


@cache
def static_fetcher() -> "URLFetcher":
    """Build the fetcher that opens ``static:`` addresses and refuses every other one.

    ``static:entsvc/pdf.css`` is what ``{% static %}`` finds under that name, read from the
    application's folder. Anything else (network, file, data, parent folders) raises
    FatalURLFetchingError, since WeasyPrint swallows lesser errors and prints without the file.
    """
    from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

    class StaticFetcher(URLFetcher):
        def fetch(self, url: str, headers: dict[str, str] | None = None) -> URLFetcherResponse:
            path = _static_path(url)
            if path is None:
                raise FatalURLFetchingError(f"Ressource refusée dans un PDF : {url}")
            media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            return URLFetcherResponse(url, path.read_bytes(), {"Content-Type": media_type})

    return StaticFetcher()


def _static_path(url: str) -> Path | None:
    """Find the static file of a ``static:`` address, or None when it has none."""
    if not url.startswith(SCHEME):
        return None
    name = unquote(url.removeprefix(SCHEME))
    if not name or name.startswith("/") or ".." in name.split("/"):
        return None
    try:
        found = finders.find(name)
    except (SuspiciousFileOperation, ValueError):
        return None
    return Path(found) if found and Path(found).is_file() else None


@dataclass
class _Press:
    """What every document of a process shares: decoded fonts and parsed style sheets.

    Decoding the fonts anew for each document takes four times as long. One lock guards the
    lot: Pango's font map may not be used by two threads at once, and layout being pure Python,
    two threads would take turns anyway. More speed comes from more processes.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    _fonts: "FontConfiguration | None" = None
    _stylesheets: dict[str, "CSS"] = field(default_factory=dict)

    def fonts(self) -> "FontConfiguration":
        if self._fonts is None:
            from weasyprint.text.fonts import FontConfiguration

            self._fonts = FontConfiguration()
        return self._fonts

    def stylesheet(self, name: str) -> "CSS":
        if name not in self._stylesheets:
            from weasyprint import CSS

            self._stylesheets[name] = CSS(
                url=f"{SCHEME}{name}", url_fetcher=static_fetcher(), font_config=self.fonts()
            )
        return self._stylesheets[name]

    def empty(self) -> None:
        self.lock, self._fonts, self._stylesheets = threading.Lock(), None, {}

    def forget_after_fork(self) -> None:
        # The parent may have been drawing: its lock would never open here. And its folder of
        # fonts, removed when a FontConfiguration dies, is not the child's to remove.
        if self._fonts is not None:
            self._fonts._folder = None
        self.empty()


_press = _Press()
# Fonts still alive when the interpreter takes its modules down crash it (segmentation fault).
atexit.register(_press.empty)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_press.forget_after_fork)
