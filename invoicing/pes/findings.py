"""What the rules of a channel are made of, and what they find."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """What stands against a channel's file: the rule, its element, where, and what to do, in French.

    `page` names the kind of page that mends it, `key` the row of the piece it is about, if any.
    """

    rule: str
    element: str
    where: str
    message: str
    page: str = ""
    key: str = ""

    def __str__(self) -> str:
        return f"{self.where} – {self.told}"

    @property
    def told(self) -> str:
        """Return the element and what to do, where the reader knows whom it is about."""
        return f"{self.element} : {self.message}"


@dataclass(frozen=True)
class Rule:
    """A named rule on one element: what breaks it, and what is then to be done.

    `broken` is given the object of the rule's scope and the whole that holds it. `frozen` says that an
    issued titre keeps the fault, `drawn` that the rule reads documents: nothing to ask of a draft.
    """

    code: str
    element: str
    broken: Callable[[Any, Any], bool]
    message: str
    page: str = ""
    frozen: bool = False
    drawn: bool = False
