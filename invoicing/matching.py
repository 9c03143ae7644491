"""Which titre a line of the accountant names: by its payment reference, its own, or its number.

Nothing is guessed: a name that several titres answer to, or whose key is wrong, is no name; and names
that no one titre answers to together, the column saying one and the wording another, name none.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stdnum import iso11649

from invoicing.models import Titre

LONGEST_RF = 25  # characters, ISO 11649
WINDOW = 8  # words in which a reference may have been cut by spaces
_WORDS = re.compile(r"[A-Z0-9]+")
_RF = re.compile(r"RF[0-9]{2}")
_LIKE_RF = re.compile(r"\bRF\s?[0-9]{2}\s?[A-Z0-9]")
_YEAR = r"(?P<exercice>20[0-9]{2})"
_NUMBER = r"(?:N°|NO|Nº|N)?\s*(?P<number>[A-Z0-9]*[0-9])"
_BETWEEN = r"\s*(?:/|-|\bDE\b|\bEXERCICE\b|\bEX\b\.?|\s)\s*"
# How a whole cell, or a wording that says « titre », names a number and its exercice.
_NUMBERED = (
    re.compile(rf"(?:TITRE\s*)?{_NUMBER}{_BETWEEN}{_YEAR}"),
    re.compile(rf"(?:TITRE\s*)?{_YEAR}{_BETWEEN}{_NUMBER}"),
)
_TOLD = re.compile(rf"\bTITRE\s*{_NUMBER}{_BETWEEN}{_YEAR}\b")


@dataclass(frozen=True)
class Known:
    """What the accountant may call a titre. `is_ours`: its number is ours, not one to be read back."""

    key: object
    issuer: int
    reference: str
    number: int
    exercice: int
    external_reference: str
    is_ours: bool


@dataclass(frozen=True)
class Match:
    """The titre that a line names, None with the reason why when it names none surely.

    `is_ambiguous`: several titres are named.
    """

    titre: Known | None = None
    problem: str = ""
    is_ambiguous: bool = False


class Names:
    """All the names of the titres of some issuers, loaded once for a whole file."""

    def __init__(self, titres: Iterable[Known]) -> None:
        self.by_reference: dict[str, list[Known]] = defaultdict(list)
        self.by_external: dict[str, list[Known]] = defaultdict(list)
        self.by_number: dict[tuple[int, int], list[Known]] = defaultdict(list)
        for titre in titres:
            self.by_reference[_plain(titre.reference)].append(titre)
            if titre.external_reference:
                self.by_external[_plain(titre.external_reference)].append(titre)
            elif titre.is_ours:
                self.by_number[titre.number, titre.exercice].append(titre)

    @classmethod
    def of(cls, issuers: Iterable[int] | None) -> "Names":
        """Load the names of the titres of these issuers, of all of them for None."""
        titres = Titre.objects.filter(kind=Titre.Kind.TITRE).order_by("pk")
        if issuers is not None:
            titres = titres.filter(issuer__in=issuers)
        rows = titres.values_list(
            "pk", "issuer", "reference", "number", "exercice", "external_reference",
            "payload__document__external",
        )  # fmt: skip
        return cls(Known(*row, is_ours=not external) for *row, external in rows.iterator())

    def find(self, titre: str, *texts: str) -> Match:
        """Return the titre that the column « titre » and the other `texts` of the line name.

        A name is an ISO 11649 reference whose key is right, our reference, the accountant's number, or
        our number with its exercice; the accountant's number is looked for in its own column only. The
        titre named is the one that answers to every name of the line: none silences the others.
        """
        everywhere = [text.upper() for text in (titre, *texts) if text]
        names = [
            {known.key: known for known in answers}
            for answers in (
                self._by_cell(titre.upper()),
                *self._by_payment_reference(everywhere),
                *self._by_own_reference(everywhere),
                *self._by_told_number(everywhere),
            )
        ]
        names = [answers for answers in names if answers]
        if not names:
            if any(_LIKE_RF.search(text) for text in everywhere):
                return Match(problem="Aucun titre n'a cette référence RF, ou sa clé est fausse.")
            return Match()
        common = set.intersection(*(set(answers) for answers in names))
        if len(common) == 1:
            return Match(titre=names[0][common.pop()])
        named = ", ".join(sorted({known.reference for answers in names for known in answers.values()}))
        return Match(problem=f"Plusieurs titres sont nommés : {named}.", is_ambiguous=True)

    def _by_payment_reference(self, texts: list[str]) -> Iterator[list[Known]]:
        for text in texts:
            compact = _plain(text)
            for start in _RF.finditer(compact):
                for stop in range(LONGEST_RF, len(start[0]), -1):
                    candidate = compact[start.start() : start.start() + stop]
                    if candidate[4:] in self.by_reference and iso11649.is_valid(candidate):
                        yield self.by_reference[candidate[4:]]
                        break

    def _by_own_reference(self, texts: list[str]) -> Iterator[list[Known]]:
        for text in texts:
            words = _WORDS.findall(text)
            for start in range(len(words)):
                # A reference behind « RF18 » is the one whose key was found wrong.
                before = words[max(start - 2, 0) : start]
                if _RF.fullmatch("".join(before)) or _RF.fullmatch("".join(before[-1:])):
                    continue
                for stop in range(start + 1, min(start + WINDOW, len(words)) + 1):
                    yield self.by_reference.get("".join(words[start:stop]), [])

    def _by_cell(self, cell: str) -> list[Known]:
        """Return the titres of which a whole cell is the number: the accountant's or ours, who knows?"""
        found = list(self.by_external.get(_plain(cell), ()))
        for number, exercice in _numbered(cell):
            found += [*self._external(number, exercice), *self._ours(number, exercice)]
        return found

    def _by_told_number(self, texts: list[str]) -> Iterator[list[Known]]:
        for text in texts:
            for match in _TOLD.finditer(text):
                number, exercice = match["number"], int(match["exercice"])
                ours = self._ours(number, exercice)
                # The accountant's number names nothing outside its column, but it makes ours doubtful.
                yield [*ours, *self._external(number, exercice)] if ours else []

    def _external(self, number: str, exercice: int) -> list[Known]:
        found = self.by_external.get(number, ())
        return [known for known in found if known.exercice == exercice]

    def _ours(self, number: str, exercice: int) -> list[Known]:
        return self.by_number.get((int(number), exercice), []) if number.isdigit() else []


def _plain(text: str) -> str:
    """Return the letters and digits of a name: what ISO 11649 keeps of it."""
    return "".join(_WORDS.findall(text.upper()))


def _numbered(cell: str) -> Iterator[tuple[str, int]]:
    """Return the readings of « 12/2025 », « 2025-12 » or « titre n° 12 de 2025 »."""
    for pattern in _NUMBERED:
        match = pattern.fullmatch(cell.strip())
        if match:
            yield match["number"], int(match["exercice"])
