"""The pictures of the guides: each is shown somewhere, taken by a journey, and light."""

import re
from collections import Counter

from django.conf import settings

from tests.browser.pictures import FOLDER, declared

HEAVY = 120_000  # bytes
_SHOWN = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
GUIDES = [settings.BASE_DIR / "README.md", *sorted((settings.BASE_DIR / "docs").glob("*.md"))]


def shown():
    """Return (guide, words for who does not see it, path) of every picture that a guide shows."""
    for guide in GUIDES:
        for words, address in _SHOWN.findall(guide.read_text(encoding="utf-8")):
            yield guide, words, (guide.parent / address).resolve()


def test_every_picture_that_a_guide_shows_exists_and_is_told_in_words():
    for guide, words, path in shown():
        assert path.is_file(), f"{guide.name} : {path.name} n'existe pas"
        assert len(words) > 20, f"{guide.name} : {path.name} n'est pas décrite"


def test_the_journeys_take_every_picture_once_and_the_guides_show_it():
    kept = {path.stem for path in FOLDER.iterdir()}
    assert Counter(declared()) == Counter(kept), "« make screenshots » refait les captures"
    assert {path.stem for _, _, path in shown() if path.parent == FOLDER} == kept


def test_every_picture_is_light():
    heavy = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert {name: size for name, size in heavy.items() if size > HEAVY} == {}
