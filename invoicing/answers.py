"""What the accountant answers about a titre or a correction: taken in charge, or rejected and why."""

from collections.abc import Iterable
from datetime import date

from django.db import transaction
from django.utils import timezone

from entsvc import journal
from entsvc.french import lower_first, short_date
from invoicing.models import BordereauEvent, Titre, TitreEvent


class AnswerRefused(Exception):
    """The answer can't be recorded so; the message says why, in French."""


def record_event(
    *, titre: Titre, kind: TitreEvent.Kind, on: date, comment: str = "", actor: str
) -> TitreEvent:
    """Add what the accountant answered about a titre or a correction.

    Raises AnswerRefused before its bordereau is sent, for a rejection without its reason, a day to come
    or before the sending or the last answer, and for the same answer twice in a row.
    """
    return record_events(titres=[titre], kind=kind, on=on, comment=comment, actor=actor)[0]


@transaction.atomic
def record_events(
    *, titres: Iterable[Titre], kind: TitreEvent.Kind, on: date, comment: str = "", actor: str
) -> list[TitreEvent]:
    """Add one answer to several titres, or to none when one of them refuses it (see `record_event`)."""
    kind, comment = TitreEvent.Kind(kind), " ".join(comment.split())
    if kind == TitreEvent.Kind.REJECTED and not comment:
        raise AnswerRefused("Donnez le motif du rejet, tel que le comptable l'écrit.")
    if on > timezone.localdate():
        raise AnswerRefused("Cette date est à venir : donnez le jour de la réponse du comptable.")
    keys = [titre.pk for titre in titres]
    locked = Titre.objects.select_for_update(of=("self",)).filter(pk__in=keys).defer("payload")
    return [_record(titre, kind, on, comment, actor) for titre in locked.order_by("pk")]


def _record(titre: Titre, kind: TitreEvent.Kind, on: date, comment: str, actor: str) -> TitreEvent:
    sent = BordereauEvent.objects.filter(
        bordereau=titre.bordereau_id, kind=BordereauEvent.Kind.SENT
    ).first()
    if sent is None:
        raise AnswerRefused(
            f"Le bordereau de {titre.reference} n'est pas encore envoyé au comptable : enregistrez "
            "d'abord sa signature et son envoi."
        )
    if on < sent.on:
        raise AnswerRefused(
            f"Le bordereau de {titre.reference} a été envoyé le {short_date(sent.on)} : donnez cette "
            "date ou une date postérieure."
        )
    last = titre.events.order_by("-pk").first()
    if last and last.kind == kind:
        raise AnswerRefused(
            f"{titre.reference} est déjà {lower_first(kind.label)}, le {short_date(last.on)}."
        )
    if last and on < last.on:
        raise AnswerRefused(
            f"La dernière réponse sur {titre.reference} est du {short_date(last.on)} : donnez cette "
            "date ou une date postérieure."
        )
    event = TitreEvent.objects.create(titre=titre, kind=kind, on=on, comment=comment, recorded_by=actor)
    told = f"{lower_first(kind.label)} le {short_date(on)}"
    journal.record(
        actor=actor,
        action=f"titre-{kind.value}",
        target=titre,
        summary=f"{titre.reference} : {told}{f' ({comment})' if comment else ''}",
        data={"event": event.pk, "on": on.isoformat()},
    )
    return event
