"""What a page that is only read asks several times, and is answered once."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db.models import Model
from django.http import HttpRequest


def asked_once(request: HttpRequest, key: tuple[Any, ...], ask: Callable[[], Any]) -> Any:
    """Return what `ask` answers, once for a page that is only read: its rights are looked at often."""
    if request.method not in ("GET", "HEAD"):
        return ask()
    answers = vars(request).setdefault("_answers", {})
    if key not in answers:
        answers[key] = ask()
    return answers[key]


def shown_once(column: Callable[[Any, Model], Any]) -> Callable[[Any, Model], Any]:
    """Compute what a page shows of a row once: it looks at each read-only field several times."""

    @wraps(column)
    def shown(page: Any, row: Model) -> Any:
        known = vars(row).setdefault("_shown", {})
        if column.__name__ not in known:
            known[column.__name__] = column(page, row)
        return known[column.__name__]

    return shown
