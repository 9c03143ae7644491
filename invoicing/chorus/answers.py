"""What Chorus Pro answers, read from its JSON into plain facts; half an answer is no answer."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")


class HalfAnswer(Exception):
    """An answer lacks what it must hold; the message names it."""


@dataclass(frozen=True)
class Receipt:
    """What a deposit gives: the number of its flow, and the day. It says nothing of acceptance."""

    flow: str
    on: date | None


@dataclass(frozen=True)
class Report:
    """Where a flow stands; `errors` are those of the file, `rejected` those of each invoice number."""

    state: str
    errors: list[str] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """Return what is wrong, a line for each."""
        return "\n".join([*self.errors, *(f"{number} : {why}" for number, why in self.rejected.items())])


@dataclass(frozen=True)
class Found:
    """An invoice that the supplier's search found."""

    identifier: str
    number: str
    flow: str
    status: str
    status_at: datetime | None
    comment: str
    deposited_on: date | None


@dataclass(frozen=True)
class Passage:
    """A status that an invoice took, and when."""

    status: str
    at: datetime | None
    comment: str


def receipt_of(answer: dict[str, Any]) -> Receipt:
    """Read the answer to a deposit."""
    return Receipt(_needed(answer, "numeroFluxDepot"), _day(answer.get("dateDepot")))


def report_of(answer: dict[str, Any]) -> Report:
    """Read a detailed report."""
    errors = [
        " ".join(filter(None, (_text(row, "codeErreur"), _text(row, "libelleErreur"))))
        for row in _rows(answer, "listeErreurTechnique")
    ]
    rejected: dict[str, list[str]] = {}
    for row in _rows(answer, "listeErreurDP"):
        words = _text(row, "libelleErreurDP") or "rejetée sans motif"
        rejected.setdefault(_text(row, "numeroDP"), []).append(words)
    return Report(
        state=_needed(answer, "etatCourantDepotFlux"),
        errors=[words for words in errors if words],
        rejected={number: " ; ".join(words) for number, words in rejected.items()},
    )


def found_of(answer: dict[str, Any]) -> list[Found]:
    """Read a page of the supplier's search; nothing found may be told by no list at all."""
    return [
        Found(
            identifier=_needed(row, "identifiantFactureCPP"),
            number=_needed(row, "numeroFacture"),
            flow=_text(row, "numeroFluxDepot"),
            status=_text(row, "statut"),
            status_at=_moment(row.get("dateHeureEtatCourant")),
            comment=_text(row, "commentaireEtatCourant"),
            deposited_on=_day(row.get("dateDepot")),
        )
        for row in _rows(answer, "listeFactures")
    ]


def pages_of(answer: dict[str, Any]) -> int | None:
    """Return how many pages a search has; None when it does not say."""
    told = answer.get("parametresRetour")
    pages = str(told.get("pages")) if isinstance(told, dict) else ""
    return int(pages) if pages.isdecimal() else None


def passages_of(answer: dict[str, Any]) -> list[Passage]:
    """Read the history of an invoice: the statuses that it took."""
    told = answer.get("historiquesDesStatuts")
    if not isinstance(told, dict):
        raise HalfAnswer("historiquesDesStatuts")
    return [
        Passage(
            status=_needed(row, "histoStatutCode"),
            at=_moment(row.get("histoStatutDatePassage")),
            comment=_text(row, "histoStatutCommentaire"),
        )
        for row in _rows(told, "histoStatut")
    ]


def first_day(passages: Iterable[Passage], status: str) -> date | None:
    """Return the first day, in Paris, on which an invoice took a status."""
    moments = [row.at for row in passages if row.status == status and row.at]
    return min(moments).astimezone(PARIS).date() if moments else None


def _rows(answer: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = answer.get(name) or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise HalfAnswer(name)
    return rows


def _text(answer: dict[str, Any], name: str) -> str:
    value = answer.get(name)
    return "" if value is None else " ".join(str(value).split())


def _needed(answer: dict[str, Any], name: str) -> str:
    value = _text(answer, name)
    if not value:
        raise HalfAnswer(name)
    return value


def _day(value: Any) -> date | None:
    moment = _moment(value)
    return moment.astimezone(PARIS).date() if moment else None


def _moment(value: Any) -> datetime | None:
    """Read a moment, as text (ISO 8601) or in milliseconds since 1970; of Paris when it has no zone."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
        moment = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=PARIS)
