"""What the tests of invoicing share."""

import pytest

from tests.invoicing.world import a_world


@pytest.fixture
def world(db):
    """Three members of a State issuer, with one, two and three schools."""
    return a_world()


@pytest.fixture
def blank_pdf(monkeypatch):
    """Draw every document as a few bytes that name its titre: for the tests that look elsewhere."""

    def draw(template, context):
        return f"%PDF {context['document']['reference']}".encode()

    monkeypatch.setattr("invoicing.rendering.render_pdf", draw)
