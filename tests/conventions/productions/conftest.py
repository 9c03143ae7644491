"""Three agreements whose papers are drawn as a few bytes."""

from types import SimpleNamespace

import pytest

from conventions.models import PaperKind
from conventions.papers import drawing
from tests.conventions.productions.producing import POLICY
from tests.conventions.world import PER_SCHOOL, a_member, a_schedule
from tests.factories import ConventionFactory, PaperTextFactory


@pytest.fixture
def schedule():
    return a_schedule(PER_SCHOOL)


@pytest.fixture
def agreements(schedule):
    """Three agreements of the year, in the order of their references."""
    facts = {"schedule": schedule, "policy": POLICY}
    return [ConventionFactory(reference=f"R{n}", party=a_member(), **facts) for n in (1, 2, 3)]


@pytest.fixture
def press(monkeypatch):
    """Draw a few bytes at once instead of a real PDF; `press.broken` says which references fail."""
    text = PaperTextFactory(kind=PaperKind.AGREEMENT)
    seen = SimpleNamespace(drawn=[], broken={}, text=text)

    def drawn(kind, convention, amendment=None, *, year, draft):
        assert draft
        if convention.reference in seen.broken:
            raise seen.broken[convention.reference]
        seen.drawn.append(convention.reference)
        content = f"%PDF {kind} {convention.reference} {amendment}".encode()
        return SimpleNamespace(content=content, text=text)

    monkeypatch.setattr(drawing, "drawn", drawn)
    return seen
