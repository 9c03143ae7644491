"""Letters drawn as a few bytes, others where they say something else: pictures are elsewhere."""

import hashlib
from types import SimpleNamespace

import pytest

from conventions.forecasts import letters


@pytest.fixture
def press(monkeypatch):
    """Draw a few bytes at once; `press.broken` says whose letters fail."""
    seen = SimpleNamespace(drawn=[], broken={})

    def draw(template, context, **options):
        name = context["debtor"]["name"]
        if name in seen.broken:
            raise seen.broken[name]
        seen.drawn.append(name)
        return b"%PDF " + hashlib.sha256(repr(context).encode()).hexdigest().encode()

    monkeypatch.setattr(letters, "render_pdf", draw)
    return seen
