"""What an acknowledgement changes: the answer of its sending, and the titres that it rejects.

Accepted by Hélios is not taken in charge: the accountant still has to. Only whoever records it may say
that the titres are, from a day.
"""

from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.utils import timezone

from entsvc import journal
from invoicing.answers import record_event
from invoicing.models import Bordereau, BordereauEvent, Sending, Titre, TitreEvent
from invoicing.pes.returns import Acknowledgement, Element

REJECTED, TAKEN = TitreEvent.Kind.REJECTED, TitreEvent.Kind.TAKEN
WHOLE = "Bordereau refusé par Hélios"
NO_REASON = "sans motif"
COMMENT = 300


class AnswerUnplaced(Exception):
    """The answer can't be recorded; the message says why, in French."""


@dataclass(frozen=True)
class Change:
    """An answer to add to a titre."""

    titre: Titre
    kind: TitreEvent.Kind
    comment: str = ""


@dataclass(frozen=True)
class Planned:
    """What an acknowledgement would change; nothing when it was recorded already."""

    sending: Sending
    answer: Sending.Answer
    words: str
    changes: tuple[Change, ...]


def plan(sending: Sending, told: Acknowledgement, *, taken: bool = False) -> Planned:
    """Return what an acknowledgement changes; with `taken`, the titres accepted are taken in charge.

    Raises AnswerUnplaced for the answer to another file, or before the bordereau was sent.
    """
    if _stem(told.file_name) != _stem(sending.file_name):
        raise AnswerUnplaced(
            f"Cet acquittement répond à {told.file_name}, pas à {sending.file_name} : ouvrez l'envoi "
            "qu'il nomme."
        )
    bordereau = sending.bordereau
    if not bordereau.events.filter(kind=BordereauEvent.Kind.SENT).exists():
        raise AnswerUnplaced(
            f"{bordereau} n'est pas noté comme envoyé au comptable : notez d'abord son envoi."
        )
    named = [element for element in told.elements if _is_of(element, bordereau)]
    answers = [element for element in named if not element.attachment]
    if not answers:
        raise AnswerUnplaced(f"Cet acquittement ne dit rien de {bordereau}.")
    # An attachment that is refused is told: its titre is none the less accepted.
    refused = [element for element in answers if not element.accepted]
    answer = Sending.Answer.REJECTED if refused else Sending.Answer.TAKEN
    words = _words(named)
    if refused and _is_known(sending, words):
        return Planned(sending, answer, words, ())
    return Planned(sending, answer, words, tuple(_changes(bordereau, refused, taken)))


@transaction.atomic
def record(planned: Planned, *, on: date, actor: str) -> None:
    """Write what was planned, once: the events of the titres and the answer of the sending.

    Raises AnswerRefused for a day to come, or before the sending or the last answer of a titre.
    """
    for change in planned.changes:
        record_event(titre=change.titre, kind=change.kind, on=on, comment=change.comment, actor=actor)
    sending = Sending.objects.select_for_update(of=("self",)).get(pk=planned.sending.pk)
    if (sending.answer, sending.answer_words) == (planned.answer, planned.words):
        return
    Sending.objects.filter(pk=sending.pk).update(
        answer=planned.answer, answer_words=planned.words, answered_at=timezone.now()
    )
    journal.record(
        actor=actor,
        action="pes-acquit",
        target=sending.bordereau,
        summary=f"{sending.file_name} : {planned.answer.label.lower()}",
        data={"words": planned.words, "titres": len(planned.changes)},
    )


def _is_known(sending: Sending, words: str) -> bool:
    """Tell whether a refusal rejects no titre: it did already, or another file was accepted."""
    if (sending.answer, sending.answer_words) == (Sending.Answer.REJECTED, words):
        return True
    others = Sending.objects.filter(bordereau=sending.bordereau_id).exclude(pk=sending.pk)
    return others.filter(answer=Sending.Answer.TAKEN).exists()


def _changes(bordereau: Bordereau, refused: list[Element], taken: bool) -> list[Change]:
    """A refused bordereau is refused whole: a piece that nothing is said of bears its reason."""
    if not refused and not taken:
        return []
    reasons = {number: words for element in refused for number, words in element.pieces.items()}
    why = "; ".join(filter(None, (element.reason for element in refused)))
    changes = []
    for titre in bordereau.titres.defer("payload").prefetch_related("events").order_by("number"):
        kind, comment = TAKEN, ""
        if refused:
            kind = REJECTED
            comment = reasons.get(str(titre.number)) or (f"{WHOLE} : {why}" if why else WHOLE)
        last = max(titre.events.all(), key=lambda event: event.pk, default=None)
        if last is None or last.kind != kind:
            changes.append(Change(titre, kind, comment[:COMMENT]))
    return changes


def _is_of(element: Element, bordereau: Bordereau) -> bool:
    number, exercice = str(bordereau.number), str(bordereau.exercice)
    return element.bordereau in ("", number) and element.exercice in ("", exercice)


def _words(elements: list[Element]) -> str:
    lines = []
    for element in elements:
        if element.attachment and not element.accepted:
            lines.append(f"Pièce jointe {element.attachment} refusée : {element.reason or NO_REASON}")
        elif element.reason:
            lines.append(element.reason)
        lines += [f"Pièce {number} : {words}" for number, words in element.pieces.items()]
    return "\n".join(lines)


def _stem(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(".xml").upper()
