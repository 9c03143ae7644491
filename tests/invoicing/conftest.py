"""What the tests of invoicing share."""

import copy

import pytest

from invoicing.models import Titre
from invoicing.regimes import load_regimes
from invoicing.rendering import render_missing
from invoicing.roles import create_groups
from tariffs.models import Schedule
from tests.factories import ConventionFactory, EnrolmentFactory
from tests.invoicing.world import a_world, draw_blank


@pytest.fixture
def world(db):
    """Three members of a State issuer, with one, two and three schools."""
    return a_world()


@pytest.fixture(scope="module")
def kept_issue(kept):
    """The world of a module that issues it once, and its titres of 45, 90 and 135 €; the groups too."""

    def write():
        create_groups()
        world = a_world()
        return world, sorted(world.issue().titres, key=lambda titre: titre.total)

    return kept(write)


@pytest.fixture
def own_issue(kept_issue, db):
    """A copy of that world and of its titres, for one test to change as it likes."""
    return copy.deepcopy(kept_issue)


@pytest.fixture(scope="module")
def kept_drawn(kept):
    """Write once for a module the groups and what a function issues, drawn: `kept_drawn(function)`."""

    def drawn(function):
        def write():
            with pytest.MonkeyPatch.context() as patch:
                draw_blank(patch)
                create_groups()
                made = function()
                list(render_missing(Titre.objects.order_by("pk")))
            return made

        return kept(write)

    return drawn


@pytest.fixture(scope="module")
def kept_occ(kept):
    """The regimes and three agreements of one school in Occitanie, written once for a module."""

    def write():
        load_regimes(actor="test")
        schedule = Schedule.objects.get(code="OCC-ENT-ECOLE")
        for _ in range(3):
            EnrolmentFactory(convention=ConventionFactory(schedule=schedule))
        return schedule

    return kept(write)


@pytest.fixture
def blank_pdf(monkeypatch):
    """Draw every document as a few bytes that name its titre: for the tests that look elsewhere."""
    draw_blank(monkeypatch)
