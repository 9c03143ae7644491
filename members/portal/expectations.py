"""What is expected of a member's office, and by when: each room tells its own part when it starts."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from django.http import HttpRequest
from django.template.loader import render_to_string

from members.models import Member
from members.portal import panels
from members.portal.panels import Panel


@dataclass(frozen=True)
class Expectation:
    """Something to do: `when` tells its deadline in words, `by` puts it in order (None: no day is set).

    `optional` is what a member may do, and owes nobody.
    """

    title: str
    url: str
    action: str
    words: str = ""
    when: str = ""
    by: date | None = None
    optional: bool = False


Provider = Callable[[HttpRequest, Member], Iterable[Expectation]]
_PROVIDERS: dict[str, Provider] = {}


def register(name: str, provider: Provider) -> None:
    """Add what a room expects of members; one of the same name takes its place."""
    _PROVIDERS[name] = provider


def of(request: HttpRequest, member: Member) -> list[Expectation]:
    """Return what is expected of a member: what is owed first, then by deadline."""
    found = [item for provider in _PROVIDERS.values() for item in provider(request, member)]
    return sorted(found, key=lambda item: (item.optional, item.by or date.max))


def render(request: HttpRequest, member: Member) -> str:
    """Draw the part of the home page; it says so when nothing is expected."""
    return render_to_string("espace/expectations.html", {"expectations": of(request, member)})


panels.register(Panel("expectations", 10, render))
