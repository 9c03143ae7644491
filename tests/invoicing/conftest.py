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

    def draw(template, context, **kwargs):
        document = context["document"]
        return f"%PDF {document.get('reference') or document['number']}".encode()

    monkeypatch.setattr("invoicing.rendering.render_pdf", draw)
    monkeypatch.setattr("invoicing.bordereau_pdf.render_pdf", draw)
