"""What the rules of a PES flow are made of, and what they find."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from invoicing.pes.facts import Flow


@dataclass(frozen=True)
class Finding:
    """What stands against writing a flow: the rule, its element, where, and what to do, in French.

    `page` names the kind of page that mends it, `key` the row of the piece it is about, if any.
    """

    rule: str
    element: str
    where: str
    message: str
    page: str = ""
    key: str = ""

    def __str__(self) -> str:
        return f"{self.where} – {self.element} : {self.message}"


@dataclass(frozen=True)
class Rule:
    """A named rule on one element: what breaks it, and what is then to be done.

    `broken` is given the object of the rule's scope and the whole flow.
    """

    code: str
    element: str
    broken: Callable[[Any, Flow], bool]
    message: str
    page: str = ""
