"""Which dated figure applies: the particular scope, then the kind named, then the latest."""

import datetime as dt

import pytest

from entsvc.figures import in_force
from entsvc.models import DatedFigure

pytestmark = pytest.mark.django_db
CODE = "seuil-mise-en-recouvrement"
DAY = dt.date(2025, 1, 1)
SCOPES = ["LOCAL", "SOMME"]


@pytest.fixture(autouse=True)
def figures():
    for scope, applies_to, first, value in (
        ("LOCAL", "", 2010, 5),
        ("LOCAL", "", 2017, 15),
        ("LOCAL", "epci", 2012, 20),
        ("SOMME", "", 2020, 30),
    ):
        DatedFigure.objects.create(
            scope=scope, applies_to=applies_to, code=CODE, value=value, unit="€", source="essai",
            valid_from=dt.date(first, 1, 1),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("scopes", "on", "applies_to", "value"),
    [
        (["LOCAL"], dt.date(2009, 12, 31), "", None),
        (["LOCAL"], dt.date(2010, 1, 1), "", 5),
        (["LOCAL"], DAY, "", 15),
        (["LOCAL"], DAY, "commune", 15),
        (["LOCAL"], DAY, "epci", 20),
        (SCOPES, DAY, "", 30),
        (SCOPES, DAY, "epci", 30),
        (SCOPES, dt.date(2019, 1, 1), "epci", 20),
        (["ETAT"], DAY, "", None),
    ],
)
def test_the_figure_in_force(scopes, on, applies_to, value):
    assert in_force(scopes, CODE, on, applies_to) == value


def test_another_code_is_not_known():
    assert in_force(SCOPES, "inconnu", DAY) is None
