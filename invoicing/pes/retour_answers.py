"""What a PES retour changes: the titres that the accountant took in charge or rejected, and since when.

What it says besides (waiting, partly taken, annulled there, unknown here) changes nothing: it is told.
"""

from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from entsvc import journal
from entsvc.french import euros, plural, short_date
from invoicing.answers import record_event
from invoicing.models import Bordereau, BordereauEvent, Channel, Titre, TitreEvent
from invoicing.pes.answering import COMMENT, AnswerUnplaced
from invoicing.pes.facts import CORRECTIVE
from invoicing.pes.retour import Retour, State, Told
from members.models import Issuer

KINDS = {State.TAKEN: TitreEvent.Kind.TAKEN, State.REJECTED: TitreEvent.Kind.REJECTED}
SEEN = {
    State.WAITING: "mis en instance par le comptable",
    State.PARTLY: "pris en charge en partie : voyez avec le comptable ce qu'il a écarté",
    State.ANNULLED: "annulé chez le comptable : annulez-le ici s'il ne l'est pas",
}
NO_REASON = "Rejeté sans motif dans le PES retour"
AGAIN = "rejeté après sa prise en charge, son numéro ne peut pas resservir"


@dataclass(frozen=True)
class Answer:
    """An answer to add to a titre."""

    titre: Titre
    kind: TitreEvent.Kind
    on: date
    comment: str


@dataclass(frozen=True)
class PlannedRetour:
    """What a PES retour would change, what it says besides, and how many answers are known already."""

    issuer: Issuer
    retour: Retour
    changes: tuple[Answer, ...]
    notes: tuple[str, ...]
    known: int


def plan_retour(told: Retour, issuers: QuerySet[Issuer]) -> PlannedRetour:
    """Return what a PES retour changes for the one of these issuers that it is for.

    Raises AnswerUnplaced when it is for none of them.
    """
    issuer = _issuer(told, issuers)
    titres = _titres(told, issuer)
    changes: list[Answer] = []
    notes: list[str] = []
    known = 0
    for piece in told.pieces:
        titre = titres.get((piece.exercice, piece.kind == CORRECTIVE, piece.bordereau, piece.number))
        note = _unplaced(piece, titre)
        if note:
            notes.append(note)
        elif _last(titre) and _last(titre).kind == KINDS[piece.state]:
            known += 1
        else:
            comment = _comment(piece, told.file_name)
            changes.append(Answer(titre, KINDS[piece.state], piece.on, comment))
    return PlannedRetour(issuer, told, tuple(changes), tuple(notes), known)


@transaction.atomic
def record_retour(planned: PlannedRetour, *, sha256: str, actor: str) -> None:
    """Write what was planned, once, and that this file said it.

    Raises AnswerRefused when another answer came meanwhile: nothing is written then.
    """
    for change in planned.changes:
        record_event(
            titre=change.titre, kind=change.kind, on=change.on, comment=change.comment, actor=actor
        )
    told = planned.retour
    count = plural(len(planned.changes), "titre mis à jour", "titres mis à jour")
    journal.record(
        actor=actor,
        action="pes-retour",
        target=planned.issuer,
        summary=f"{told.file_name} : {count}",
        data={"sha256": sha256, "pieces": len(told.pieces), "titres": len(planned.changes)},
    )


def _issuer(told: Retour, issuers: QuerySet[Issuer]) -> Issuer:
    channels = Channel.objects.filter(
        kind=Channel.Kind.HELIOS, body_code=told.body, issuer__siret=told.siret, issuer__in=issuers
    )
    found = channels.select_related("issuer").order_by("issuer__code").first()
    if found is None:
        raise AnswerUnplaced(
            f"Ce PES retour est pour la collectivité {told.body}, SIRET {told.siret} : aucun de vos "
            "émetteurs sous Hélios n'a ce code et ce SIRET (« Canaux d'envoi », « Émetteurs »)."
        )
    return found.issuer


def _titres(told: Retour, issuer: Issuer) -> dict[tuple[str, bool, str, str], Titre]:
    """Return the titres and corrections of the bordereaux named, by what names them in Hélios."""
    exercices = {int(piece.exercice) for piece in told.pieces if piece.exercice.isdecimal()}
    rows = Titre.objects.filter(issuer=issuer, budget=told.budget, exercice__in=exercices)
    rows = rows.select_related("bordereau").prefetch_related("events", "bordereau__events")
    return {
        (
            str(titre.exercice),
            titre.bordereau.kind == Bordereau.Kind.CORRECTIONS,
            str(titre.bordereau.number),
            str(titre.number),
        ): titre
        for titre in rows.defer("payload").order_by("pk")
    }


def _unplaced(piece: Told, titre: Titre | None) -> str:
    """Say why nothing is recorded of a piece; nothing when its answer has its place."""
    if titre is None:
        return f"{piece.name} : inconnue ici."
    if piece.amount != titre.total:
        return f"{titre.reference} : {euros(piece.amount)} chez le comptable, {euros(titre.total)} ici."
    if piece.state in SEEN:
        reason = f" ({piece.reason})" if piece.reason else ""
        return f"{titre.reference} : {SEEN[piece.state]}, le {short_date(piece.on)}{reason}."
    if piece.on > timezone.localdate():
        return f"{titre.reference} : réponse du {short_date(piece.on)}, un jour à venir."
    sent = [event.on for event in titre.bordereau.events.all() if event.kind == BordereauEvent.Kind.SENT]
    if not sent:
        return f"{titre.reference} : {titre.bordereau} n'est pas noté comme envoyé, notez son envoi."
    last = _last(titre)
    since = max(sent[0], last.on) if last else sent[0]
    if piece.on < since and not (last and last.kind == KINDS[piece.state]):
        return (
            f"{titre.reference} : réponse du {short_date(piece.on)}, avant ce qui est noté ici au "
            f"{short_date(since)}."
        )
    return ""


def _last(titre: Titre) -> TitreEvent | None:
    return max(titre.events.all(), key=lambda event: event.pk, default=None)


def _comment(piece: Told, file_name: str) -> str:
    if piece.state == State.TAKEN:
        return f"PES retour {file_name}"[:COMMENT]
    reason = piece.reason or NO_REASON
    return f"{reason} ; {AGAIN}"[:COMMENT] if piece.again else reason[:COMMENT]
