"""The pictures of the guides: taken by the journeys, when `SCREENSHOTS=1` asks for them.

The clock, the names and the numbers of the journeys never change: nor do the pictures, but with the
screens.
"""

import io
import os
import re
from pathlib import Path

from django.conf import settings
from PIL import Image
from playwright.sync_api import Locator, Page

FOLDER: Path = settings.BASE_DIR / "docs" / "images"
WANTED = os.environ.get("SCREENSHOTS") == "1"
COLOURS = 96  # flat screens lose nothing that shows, and two thirds of their weight
MARGIN = 24
# The bar of buttons stays at the bottom of the screen, over what is there.
BOTTOM = """element => element.getBoundingClientRect().bottom + window.scrollY
    + (document.querySelector("#submit-row")?.offsetHeight || 0)"""
_DECLARED = re.compile(r"\.picture\(\s*\"([^\"]+)\"")


def take(page: Page, name: str, *, to: Locator | None = None) -> None:
    """Write the picture of a page, from its top to the bottom of an element, else all of its height."""
    if not WANTED:
        return
    before = page.viewport_size
    height = to.evaluate(BOTTOM) + MARGIN if to else _height(page)
    # As tall as what is shown: the menu and the bar of buttons then follow.
    page.set_viewport_size({"width": before["width"], "height": round(height)})
    page.evaluate("window.scrollTo(0, 0)")
    page.evaluate("document.fonts.ready.then(() => null)")
    content = page.screenshot(animations="disabled", caret="hide")
    page.set_viewport_size(before)
    FOLDER.mkdir(exist_ok=True)
    with Image.open(io.BytesIO(content)) as picture:
        small = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(FOLDER / f"{name}.png", optimize=True)


def declared() -> list[str]:
    """Return the names of the pictures that the journeys take."""
    journeys = sorted(Path(__file__).parent.glob("test_journey_*.py"))
    return [name for path in journeys for name in _DECLARED.findall(path.read_text(encoding="utf-8"))]


def _height(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollHeight")
