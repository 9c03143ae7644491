"""How an agreement or an amendment goes from one state to another: the only way to do it.

Each step is one transaction that locks the row, checks what the step asks for, and writes who did it,
when and why.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from conventions import endings, invitations, states
from conventions.models import Amendment, Convention, Paper, PaperKind, Termination, Transition
from conventions.papers import freezing, kept, sources, texts
from conventions.policies import POLICIES, Policy
from entsvc import history, school_year
from entsvc.french import long_date
from entsvc.scans import CheckedPdf
from members import votes

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


@dataclass(frozen=True)
class Asked:
    """A step asked for: `on` is the day it bears, where it bears one."""

    convention: Convention
    actor: str
    comment: str
    on: date | None
    scan: CheckedPdf | None
    today: date

    @property
    def policy(self) -> Policy | None:
        """Return the rules of the agreement, None while its text is not named."""
        return POLICIES.get(self.convention.policy)

    @property
    def signed_on(self) -> date | None:
        """Return the day of the last signature."""
        return self.on or self.convention.signed_on


Requirement = Callable[[Asked], str]


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
        missing = [text for text in (check(asked) for check in REQUIREMENTS[code]) if text]
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


def is_comment_required(code: str) -> bool:
    """Tell whether a step always asks for a comment."""
    return _commented in REQUIREMENTS[code]


def start_to_state(convention: Convention) -> date | None:
    """Return the day of a start still to come, that must be stated to put the agreement in force."""
    start = convention.start.day if convention.start else None
    return start if start and start > timezone.localdate() else None


# --- What each step asks for: a French sentence saying what to do, empty when nothing is missing. ---


def _text_named(asked: Asked) -> str:
    return "" if asked.policy else "Choisissez d'abord le texte de la convention dans sa fiche."


def _schools_named(asked: Asked) -> str:
    if asked.policy and asked.policy.annex and not asked.convention.enrolments.exists():
        return "Inscrivez au moins une école : elles sont annexées au document envoyé."
    return ""


def _signature_dated(asked: Asked) -> str:
    return "" if asked.signed_on else "Donnez la date de la dernière signature."


def _signature_past(asked: Asked) -> str:
    if asked.signed_on and asked.signed_on > asked.today:
        return f"La signature ne peut pas être à venir : {long_date(asked.signed_on)}."
    return ""


def _paper_held(asked: Asked) -> str:
    if asked.scan or asked.comment:
        return ""
    papers = asked.convention.papers.filter(amendment=None, kind=PaperKind.AGREEMENT)
    if kept.signed_since(papers.order_by("at", "pk")):
        return ""
    return "Joignez le document signé, ou dites en commentaire où le papier est conservé."


def _commented(asked: Asked) -> str:
    return "" if asked.comment else "Dites pourquoi, en commentaire."


def _start_known(asked: Asked) -> str:
    start = asked.convention.start
    if start is None or start.day:
        return ""
    return f"Le début d'effet n'est pas établi. {start.reason}"


def _start_come(asked: Asked) -> str:
    start = asked.convention.start
    if start is None or start.day is None:
        return ""
    if asked.on and asked.on != start.day:
        return f"Le début d'effet est le {long_date(start.day)}, pas le {long_date(asked.on)}."
    if start.day > asked.today and asked.on is None:
        return (
            f"Le début d'effet, le {long_date(start.day)}, est à venir : attendez ce jour, "
            "ou donnez cette date pour confirmer."
        )
    return ""


def _committee_carried(asked: Asked) -> str:
    """Two thirds of the votes cast, where the text asks for them (Nord-Pas-de-Calais, article 4)."""
    act = asked.convention.committee_act
    if act is None or asked.policy is None or not asked.policy.two_thirds:
        return ""
    if act.vote is None:
        return f"Saisissez les voix pour et contre du comité : {act}."
    if not act.vote.carries_two_thirds:
        return f"{act} : {votes.in_words(act.vote)}. Il faut les deux tiers des suffrages exprimés."
    return ""


def _conditions_accepted(asked: Asked) -> str:
    if asked.policy is None or not asked.policy.conditions or asked.convention.conditions_id:
        return ""
    return "Choisissez la version des conditions que la délibération du membre accepte."


def _pronounced(asked: Asked) -> str:
    done = Termination.objects.filter(
        convention=asked.convention, status=Termination.Status.DONE, ended_on=asked.on
    )
    if asked.on and done.exists():
        return ""
    return "Engagez une résiliation prévue par le texte de la convention, puis prononcez-la."


def _first_year_begun(asked: Asked) -> str:
    return "" if _owes_a_year(asked) else "Aucune année scolaire n'est commencée : rien n'est dû."


def _first_year_to_come(asked: Asked) -> str:
    return "Une année scolaire est commencée : elle est due." if _owes_a_year(asked) else ""


def _owes_a_year(asked: Asked) -> bool:
    return bool(asked.on) and owes_a_year(asked.convention, asked.on)


def owes_a_year(convention: Convention, ended_on: date) -> bool:
    """Tell whether an agreement that ends on a day had begun a school year of its own."""
    return school_year.containing(ended_on) >= convention.first_year


def last_year_due(convention: Convention, ended_on: date) -> int:
    """Return the last school year due by an agreement ended on a day, never beyond its text."""
    policy = POLICIES.get(convention.policy)
    limits = [convention.last_year, policy.last_year if policy else None]
    last = min((year for year in limits if year is not None), default=None)
    return endings.last_year_due(_day_ended(convention, ended_on), last)


def _day_ended(convention: Convention, on: date) -> date:
    """Return the day an end bears: one pronounced after the term finds the agreement over already."""
    return min(on, convention.last_day or on)


def _term_passed(asked: Asked) -> str:
    day = asked.convention.last_day
    if day is None:
        why = asked.convention.end.reason if asked.convention.end else "Son texte n'est pas choisi."
        return f"Cette convention n'a pas de terme connu. {why}"
    if day >= asked.today:
        return f"Le terme, le {long_date(day)}, n'est pas passé."
    return ""


def _last_year_known(asked: Asked) -> str:
    if asked.convention.last_year is not None:
        return ""
    return "Donnez la dernière année scolaire de la convention : sans elle, les années continuent."


def _no_open_amendment(asked: Asked) -> str:
    """What a member asked for in time is answered before the agreement ends."""
    open_ones = asked.convention.amendments.filter(status__in=states.OPEN_AMENDMENT)
    amendment = open_ones.order_by("number").first()
    if amendment is None:
        return ""
    state = states.AMENDMENT_STATES[amendment.status]
    first = "décidez-le" if amendment.status == states.FILED else "abandonnez-le, ou attendez-le signé"
    return (
        f"L'avenant n° {amendment.number} est « {state} » : {first} avant que la convention prenne fin."
    )


def _no_open_ending(asked: Asked) -> str:
    open_ones = Termination.objects.filter(convention=asked.convention, status=Termination.Status.OPEN)
    return "Une résiliation est en cours : laissez-la d'abord sans suite." if open_ones.exists() else ""


REQUIREMENTS: dict[str, tuple[Requirement, ...]] = {
    "envoyer": (_text_named, _schools_named),
    "reprendre": (_commented,),
    "signer": (_signature_dated, _signature_past, _paper_held),
    "mettre_en_vigueur": (
        _text_named,
        _committee_carried,
        _start_known,
        _start_come,
        _conditions_accepted,
    ),
    "reprise": (_signature_past, _paper_held),
    "resilier": (_pronounced, _first_year_begun, _no_open_amendment),
    "resilier_avant": (_pronounced, _first_year_to_come, _no_open_amendment),
    "echoir": (_term_passed, _last_year_known, _no_open_ending, _no_open_amendment),
    "abandonner": (_commented,),
}

# --- What each step writes, and the papers it keeps. ---


def _nothing(asked: Asked) -> dict[str, Any]:
    return {}


def _signature(asked: Asked) -> dict[str, Any]:
    return {"signed_on": asked.signed_on}


def _closed(asked: Asked) -> dict[str, Any]:
    """The end stops the years; a year begun is due in full (decision D14)."""
    return {
        **_ended(asked),
        "last_year": last_year_due(asked.convention, asked.on),
    }


def _ended(asked: Asked) -> dict[str, Any]:
    return {"ends_on": _day_ended(asked.convention, asked.on)}


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
    kinds = [PaperKind.AGREEMENT, *([PaperKind.ANNEX] if asked.policy.annex else [])]
    try:
        for kind in kinds:
            freezing.freeze(kind, asked.convention, actor=asked.actor)
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
