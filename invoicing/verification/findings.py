"""Which part of the ledger is verified, and what is found wrong in it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from members.models import Issuer

BATCH = 500


@dataclass(frozen=True)
class Scope:
    """A part of the ledger: all of it, an issuer's, a budget's, an exercice's."""

    issuer: Issuer | None = None
    exercice: int | None = None
    budget: str | None = None

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing is left out."""
        return self == Scope()

    def of(self, rows: QuerySet, path: str = "") -> QuerySet:
        """Return the rows of this part: `path` leads to what bears the exercice, as `titre__`."""
        wanted = {"issuer": self.issuer, "exercice": self.exercice, "budget": self.budget}
        return rows.filter(**{f"{path}{name}": v for name, v in wanted.items() if v is not None})


@dataclass(frozen=True)
class Deviation:
    """Something that should not be: where, and what, in French."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where} : {self.message}"


def batches(rows: Iterable[Any], size: int = BATCH) -> Iterator[list[Any]]:
    """Part rows into lists of a few hundred, reading no further than the one given."""
    rows = iter(rows)
    while batch := list(islice(rows, size)):
        yield batch
