"""What the home page of a member shows: each room registers its own part when it starts."""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.safestring import SafeString, mark_safe

from members.models import Member


@dataclass(frozen=True)
class Panel:
    """A part of the home page: `render` returns safe HTML, empty when there is nothing to show."""

    name: str
    order: int
    render: Callable[[HttpRequest, Member], str]


_PANELS: dict[str, Panel] = {}


def register(panel: Panel) -> None:
    """Add a part to the home page; one of the same name takes its place."""
    _PANELS[panel.name] = panel


def render_all(request: HttpRequest, member: Member) -> list[SafeString]:
    """Return the parts that have something to show, in their order."""
    ordered = sorted(_PANELS.values(), key=lambda panel: (panel.order, panel.name))
    shown = (panel.render(request, member) for panel in ordered)
    return [mark_safe(html) for html in shown if html]  # noqa: S308 - made by templates
