"""How an agreement or an amendment goes from one state to another: the only way to do it.

Each step is one transaction that locks the row, checks what the step asks for, and writes who did it,
when and why.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from conventions import invitations, requirements, states
from conventions.models import Amendment, Convention, Paper, PaperKind, Transition
from conventions.papers import freezing, sources, texts
from conventions.requirements import Asked
from entsvc import history
from entsvc.scans import CheckedPdf

# What the log also keeps, without a change of state.
ENDING_OPENED, ENDING_STEP = "resiliation_ouverte", "resiliation_etape"
ENDING_DROPPED = "resiliation_laissee"
AMENDMENT_OPENED, AMENDMENT_CHANGED = "avenant_ouvert", "avenant_modifie"
OTHER_ACTIONS = {
    ENDING_OPENED: "Résiliation engagée",
    ENDING_STEP: "Étape de la résiliation",
    ENDING_DROPPED: "Résiliation laissée sans suite",
    AMENDMENT_OPENED: "Avenant ouvert",
    AMENDMENT_CHANGED: "Demande modifiée",
}


class Refused(Exception):
    """The step exists here but lacks something; `messages` say in French what to do."""

    def __init__(self, *messages: str) -> None:
        super().__init__(" ".join(messages))
        self.messages = list(messages)


def move(
    convention: Convention,
    code: str,
    *,
    actor: str,
    comment: str = "",
    on: date | None = None,
    scan: CheckedPdf | None = None,
    seen: str = "",
) -> Transition:
    """Take a step of `states.AGREEMENT_ACTIONS`, in one transaction; the row given follows.

    `on` is the day of the signature, of the start that is stated, or of the end. `seen` is the state in
    which the person saw the agreement. Raises IllegalTransition where the step does not exist, Refused
    where it lacks something.
    """
    with _refusals(), transaction.atomic():
        locked = _locked(Convention, convention.pk)
        before = locked.status
        after = states.after(states.AGREEMENT_ACTIONS, code, before, states.AGREEMENT_STATES)
        if seen and seen != before:
            raise Refused(
                f"L'état a changé depuis l'affichage : il est « {states.AGREEMENT_STATES[before]} ». "
                "Relisez la convention avant de recommencer."
            )
        asked = Asked(locked, actor, comment.strip(), on, scan, timezone.localdate())
        missing = requirements.missing(code, asked)
        if missing:
            raise Refused(*missing)
        changes = {"status": after, **CHANGES.get(code, _nothing)(asked)}
        _save(locked, changes, states.AGREEMENT_ACTIONS[code].label)
        PAPERS.get(code, _nothing)(asked)
        row = log(locked, code, before, after, actor=actor, comment=asked.comment)
    _follow(convention, locked, changes)
    return row


def move_amendment(
    amendment: Amendment,
    code: str,
    *,
    actor: str,
    comment: str = "",
    changes: Mapping[str, Any] | None = None,
) -> Transition:
    """Take a step of `states.AMENDMENT_ACTIONS` and write `changes` with it, in one transaction.

    What the step asks for is checked by the caller, who may hold a transaction already. Raises
    IllegalTransition where the step does not exist, Refused where a constraint refuses the changes.
    """
    with _refusals(), transaction.atomic():
        locked = _locked(Amendment, amendment.pk)
        before = locked.status
        after = states.after(states.AMENDMENT_ACTIONS, code, before, states.AMENDMENT_STATES)
        written = {"status": after, **(changes or {})}
        _save(locked, written, states.AMENDMENT_ACTIONS[code].label)
        row = log(locked.convention, code, before, after, actor=actor, comment=comment, amendment=locked)
    _follow(amendment, locked, written)
    return row


def log(
    convention: Convention,
    action: str,
    before: str,
    after: str,
    *,
    actor: str,
    comment: str = "",
    amendment: Amendment | None = None,
) -> Transition:
    """Write who did what; called inside the transaction that does it."""
    return Transition.objects.create(
        convention=convention,
        amendment=amendment,
        action=action,
        before=before,
        after=after,
        actor=actor,
        comment=comment.strip(),
    )


def log_taken_over(rows: Iterable[tuple[Convention, str]], *, actor: str, comment: str) -> None:
    """Write, in bulk, that agreements were put in force from paper; each comes with its state before."""
    Transition.objects.bulk_create(
        [
            Transition(
                convention=convention,
                action="reprise",
                before=before,
                after=states.IN_FORCE,
                actor=actor,
                comment=comment,
            )
            for convention, before in rows
        ],
        batch_size=history.BATCH,
    )


def label_of(transition: Transition) -> str:
    """Return what an action of the log is called."""
    actions = states.AMENDMENT_ACTIONS if transition.amendment_id else states.AGREEMENT_ACTIONS
    if transition.action in actions:
        return actions[transition.action].label
    return OTHER_ACTIONS.get(transition.action, transition.action)


def state_names(transition: Transition) -> tuple[str, str]:
    """Return the states before and after, as people call them."""
    names = states.AMENDMENT_STATES if transition.amendment_id else states.AGREEMENT_STATES
    return names.get(transition.before, transition.before), names.get(transition.after, transition.after)


# --- What each step writes, and the papers it keeps. ---


def _nothing(asked: Asked) -> dict[str, Any]:
    return {}


def _signature(asked: Asked) -> dict[str, Any]:
    return {"signed_on": asked.signed_on}


def _closed(asked: Asked) -> dict[str, Any]:
    """The end stops the years; a year begun is due in full (decision D14)."""
    return {
        **_ended(asked),
        "last_year": requirements.last_year_due(asked.convention, asked.on),
    }


def _ended(asked: Asked) -> dict[str, Any]:
    return {"ends_on": requirements.day_ended(asked.convention, asked.on)}


def _term(asked: Asked) -> dict[str, Any]:
    return {"ends_on": asked.convention.last_day}


CHANGES: dict[str, Callable[[Asked], dict[str, Any]]] = {
    "signer": _signature,
    "reprise": _signature,
    "resilier": _closed,
    "resilier_avant": _ended,
    "echoir": _term,
}


def _freeze(asked: Asked) -> None:
    """Keep what is sent for signature, byte for byte, and tell who signs it that it waits."""
    try:
        freezing.freeze_to_sign(asked.convention, actor=asked.actor)
    except (texts.NoText, sources.PaperRefused) as error:
        raise Refused(str(error)) from error
    invitations.invite(asked.convention)


def _receive(asked: Asked) -> None:
    """Keep the signed paper, checked before."""
    if asked.scan is None:
        return
    freezing.receive(
        asked.scan,
        asked.scan.name,
        asked.convention,
        kind=PaperKind.AGREEMENT,
        actor=asked.actor,
        role=Paper.Role.SIGNED,
    )


PAPERS: dict[str, Callable[[Asked], None]] = {
    "envoyer": _freeze,
    "signer": _receive,
    "reprise": _receive,
}


# --- The plumbing of both machines. ---


def _locked(model: type[models.Model], key: Any) -> Any:
    return model.objects.select_for_update(of=("self",)).get(pk=key)


def _save(row: models.Model, changes: Mapping[str, Any], reason: str) -> None:
    for name, value in changes.items():
        setattr(row, name, value)
    try:
        row.validate_constraints()
    except ValidationError as error:
        raise Refused(*error.messages) from error
    row._change_reason = reason[: history.REASON_LENGTH]
    row.save(update_fields=list(changes))


def _follow(row: models.Model, locked: models.Model, changes: Mapping[str, Any]) -> None:
    for name in changes:
        setattr(row, name, getattr(locked, name))


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn a refusal of the database itself into a sentence."""
    try:
        yield
    except IntegrityError as error:
        raise Refused("La base refuse ce changement : rechargez la page et recommencez.") from error
