"""What is written down when something that matters happens."""

import getpass
import os

from django.db import models

from entsvc import chain
from entsvc.models import JournalEntry


def record(
    *, actor: str, action: str, target: models.Model | str, summary: str, data: dict | None = None
) -> None:
    """Add an event; call it inside the transaction of the event itself. It is chained once committed.

    `actor` is a user name, or `command_actor()`; `target` the row concerned, or its name when there
    is no row; `data` holds JSON types only.
    """
    if isinstance(target, models.Model):
        target = f"{target._meta.label_lower}:{target.pk}"
    entry = JournalEntry.objects.create(
        actor=actor,
        action=action,
        target=target,
        summary=summary[:300],
        data=data or {},
    )
    chain.link_after_commit(entry)


def command_actor() -> str:
    """Return who runs a command: the account of the operating system, marked as such."""
    try:
        return f"système:{getpass.getuser()}"
    except (KeyError, OSError):  # a container user without a name
        return f"système:{os.getuid()}"
