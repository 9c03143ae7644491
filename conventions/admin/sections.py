"""What the page of an agreement shows below its form: each concept registers its own section."""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest

from conventions.models import Convention

Render = Callable[[HttpRequest, Convention], str]


@dataclass(frozen=True)
class Section:
    """A part of the page; `render` answers with safe HTML, empty to show nothing.

    Without a title, that HTML carries its own.
    """

    title: str
    order: int
    render: Render


SECTIONS: list[Section] = []


def register(section: Section) -> None:
    """Add a section to the page of every agreement."""
    SECTIONS.append(section)


def shown(request: HttpRequest, convention: Convention) -> list[tuple[str, str]]:
    """Return the titles and the HTML of the sections that have something to show, in their order."""
    ordered = sorted(SECTIONS, key=lambda section: section.order)
    rendered = ((section.title, section.render(request, convention)) for section in ordered)
    return [(title, html) for title, html in rendered if html]
