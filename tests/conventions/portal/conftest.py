"""An agreement of the 2020-2021 partnership, in its window, and the office that signs it."""

import datetime as dt
import hashlib

import pytest
from django.utils import timezone

from conventions.papers.defaults import load_default_texts
from tests.conventions.amending import an_agreement
from tests.conventions.world import a_member
from tests.factories import SchoolFactory

OFFICE = "mairie@lauzerte.example"


@pytest.fixture
def on(monkeypatch, settings):
    """Make it noon of a day; who came in stays in."""
    settings.SESSION_COOKIE_AGE = 10**9

    def set_day(year, month, day):
        noon = dt.datetime(year, month, day, 12, tzinfo=timezone.get_default_timezone())
        monkeypatch.setattr(timezone, "now", lambda: noon)

    set_day(2020, 9, 20)
    return set_day


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    """Draw every paper as a few bytes, others where it says something else: pictures are elsewhere."""

    def draw(template, context, **options):
        return b"%PDF " + hashlib.sha256(repr(context).encode()).hexdigest().encode()

    monkeypatch.setattr("conventions.papers.drawing.render_pdf", draw)


@pytest.fixture(scope="module")
def texts(kept):
    return kept(load_default_texts)


@pytest.fixture
def convention(texts, db, on):
    """In force for 2019-2020 and 2020-2021, three schools of its commune; a fourth is not in it."""
    party = a_member(name="Lauzerte", email=OFFICE, insee_code="82094", city="Lauzerte")
    convention = an_agreement(0, party=party, reference="ENT-1")
    for name in ("Les Tilleuls", "Le Lac", "La Tour"):
        school = a_school_of(party, name)
        convention.enrolments.create(school=school, first_year=2019)
    a_school_of(party, "Le Pré")
    convention.schedule.issuer.email = "ent@academie.example"
    convention.schedule.issuer.save()
    return convention


def a_school_of(party, name):
    return SchoolFactory(
        name=name, commune_code=party.insee_code, commune_name=party.name, level="EE", state="OUVERT"
    )
