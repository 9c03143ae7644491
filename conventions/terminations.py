"""How an agreement is ended: a way its text opens, its dates one after the other, then the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from conventions import endings, life, states
from conventions.endings import WAYS, Letters, Step, Way
from conventions.models import Convention, Termination
from conventions.policies import POLICIES, Ending, Policy
from entsvc import school_year
from entsvc.french import long_date
from members.models import Act

# Where each recorded date is kept; that of a vote is the date of its act.
COLUMNS = {
    endings.NOTIFIED: "notified_on",
    endings.FORMAL_NOTICE: "formal_notice_on",
    endings.CONCILIATION_FAILED: "conciliation_failed_on",
    endings.SECOND_LETTER: "second_letter_on",
}
ALREADY_OPEN = "Une résiliation de cette convention est déjà en cours."


@dataclass(frozen=True)
class Progress:
    """Where a way out has got to: its steps, the one to do next, and what it would cost."""

    termination: Termination
    steps: list[Step]
    following: str
    earliest: date | None
    consequences: list[str]

    @property
    def ready(self) -> bool:
        """Tell whether the end may be pronounced today."""
        return self.earliest is not None and self.earliest <= timezone.localdate()


def open_ways(convention: Convention) -> tuple[Ending, ...]:
    """Return the ways out that the text of an agreement opens; none while its text is not named."""
    policy = POLICIES.get(convention.policy)
    return policy.endings if policy else ()


def open_termination(
    *, convention: Convention, ending: Ending, author: str, grounds: str, actor: str
) -> Termination:
    """Begin a way out of an agreement in force; raise life.Refused where its text does not open it."""
    with _writing(convention) as locked:
        if locked.status != states.IN_FORCE:
            state = states.AGREEMENT_STATES[locked.status]
            raise life.Refused(f"Seule une convention en vigueur se résilie ; elle est « {state} ».")
        policy = _policy(locked)
        if ending not in policy.endings:
            raise life.Refused(f"« {policy.name} » n'ouvre pas la voie « {ending.value} ».")
        way, grounds = WAYS[ending], grounds.strip()
        if way.member_only and author != Termination.Author.MEMBER:
            raise life.Refused(f"« {ending.value} » : seul le membre peut engager cette voie.")
        if way.grounds and not grounds:
            raise life.Refused("Écrivez les motifs : ils sont exigés par cette voie.")
        termination = Termination(
            convention=locked, ending=ending.name.lower(), author=author, grounds=grounds
        )
        _save(termination)
        _log(termination, life.ENDING_OPENED, actor, ending.value)
    return termination


def record_step(
    *, termination: Termination, record: str, on: date | None, act: Act | None = None, actor: str
) -> Termination:
    """Date a step, or correct its date: only in the order of the way, never in the future.

    `record` is a name of `endings.DATES`; a vote takes the date of its `act`. Raises life.Refused.
    """
    with _writing(termination.convention):
        locked = _still_open(termination)
        if record not in way_of(locked).records:
            raise life.Refused("Cette étape n'existe pas dans la voie engagée.")
        on = _set(locked, record, on, act)
        if on > timezone.localdate():
            raise life.Refused("Une étape s'enregistre une fois faite : cette date est à venir.")
        problem = endings.disorder(ending_of(locked), letters_of(locked))
        if problem:
            raise life.Refused(problem)
        _save(locked)
        _log(locked, life.ENDING_STEP, actor, f"{endings.DATES[record]} : {long_date(on)}")
    return locked


def pronounce(
    *, termination: Termination, on: date, actor: str, comment: str = "", seen: str = ""
) -> Termination:
    """End the agreement on a day, from the earliest one that its way allows and never ahead.

    The years are closed by `life.move`: a year begun is due in full. Raises life.Refused.
    """
    with _writing(termination.convention) as convention:
        locked = _still_open(termination)
        first = endings.earliest(steps_of(locked))
        if first is None:
            name = endings.next_record(ending_of(locked), letters_of(locked))
            raise life.Refused(f"Enregistrez d'abord l'étape « {endings.DATES[name]} ».")
        if on < first:
            raise life.Refused(f"La fin est possible à partir du {long_date(first)}.")
        if on > timezone.localdate():
            raise life.Refused("La fin se prononce le jour venu : cette date est à venir.")
        locked.status, locked.ended_on = Termination.Status.DONE, on
        _save(locked)
        code = "resilier" if life.owes_a_year(convention, on) else "resilier_avant"
        words = f"{ending_of(locked).value} : fin au {long_date(on)}. {comment.strip()}".strip()
        life.move(convention, code, actor=actor, comment=words, on=on, seen=seen)
    return locked


def drop(*, termination: Termination, actor: str, comment: str) -> Termination:
    """Leave a way out without effect; raise life.Refused when it is over or no reason is given."""
    with _writing(termination.convention):
        locked = _still_open(termination)
        if not comment.strip():
            raise life.Refused("Dites pourquoi, en commentaire.")
        locked.status = Termination.Status.DROPPED
        _save(locked)
        _log(locked, life.ENDING_DROPPED, actor, comment)
    return locked


def progress(termination: Termination) -> Progress:
    """Return the timeline of a way out and what ending the agreement would mean."""
    steps = steps_of(termination)
    first = endings.earliest(steps)
    end = termination.ended_on or first
    return Progress(
        termination=termination,
        steps=steps,
        following=endings.next_record(ending_of(termination), letters_of(termination)),
        earliest=first,
        consequences=consequences(termination.convention, end),
    )


def consequences(convention: Convention, ended_on: date | None) -> list[str]:
    """Return, in French, what the end of an agreement does to what it owes."""
    words = []
    if ended_on and not life.owes_a_year(convention, ended_on):
        words.append("Aucune année scolaire de cette convention n'est commencée : rien n'est dû.")
    elif ended_on:
        last = life.last_year_due(convention, ended_on)
        words.append(
            f"Une année commencée est due en entier : la dernière due est {school_year.label(last)}."
        )
    else:
        words.append("Une année commencée est due en entier.")
    if not _policy(convention).refund:
        words.append("Les sommes perçues ne sont pas remboursées.")
    return words


def ending_of(termination: Termination) -> Ending:
    """Return the way out that was begun."""
    return Ending[termination.ending.upper()]


def way_of(termination: Termination) -> Way:
    """Return what the way out that was begun asks for."""
    return WAYS[ending_of(termination)]


def letters_of(termination: Termination) -> Letters:
    """Return the dates recorded."""
    return Letters(
        formal_notice=termination.formal_notice_on,
        conciliation_failed=termination.conciliation_failed_on,
        second_letter=termination.second_letter_on,
        notified=termination.notified_on,
        voted=termination.act.date if termination.act else None,
    )


def steps_of(termination: Termination) -> list[Step]:
    """Return the timeline of a way out that was begun."""
    policy = _policy(termination.convention)
    try:
        return endings.timeline(policy, ending_of(termination), letters_of(termination))
    except ValueError as error:
        raise life.Refused(str(error)) from error


def _policy(convention: Convention) -> Policy:
    policy = POLICIES.get(convention.policy)
    if policy is None:
        raise life.Refused("Choisissez d'abord le texte de la convention : il dit comment elle finit.")
    return policy


def _set(termination: Termination, record: str, on: date | None, act: Act | None) -> date:
    if record == endings.VOTED:
        _check_act(termination, act)
        termination.act = act
        return act.date
    if on is None:
        raise life.Refused("Donnez la date de cette étape.")
    setattr(termination, COLUMNS[record], on)
    return on


def _check_act(termination: Termination, act: Act | None) -> None:
    if act is None or act.date is None:
        raise life.Refused("Choisissez la délibération, datée, qui décide la fin.")
    if act.member_id != termination.convention.party_id:
        raise life.Refused(
            f"Cet acte n'est pas une délibération de {termination.convention.party} : {act}."
        )


def _still_open(termination: Termination) -> Termination:
    locked = (
        Termination.objects.select_for_update(of=("self",))
        .select_related("convention", "act")
        .get(pk=termination.pk)
    )
    if locked.status != Termination.Status.OPEN:
        raise life.Refused(f"Cette résiliation est déjà « {locked.get_status_display()} ».")
    return locked


@contextmanager
def _writing(convention: Convention) -> Iterator[Convention]:
    """Hold the agreement: what ends it and what moves it wait for each other."""
    try:
        with transaction.atomic():
            yield Convention.objects.select_for_update(of=("self",)).get(pk=convention.pk)
    except IntegrityError as error:
        raise life.Refused(ALREADY_OPEN) from error


def _save(termination: Termination) -> None:
    try:
        termination.validate_constraints()
    except ValidationError as error:
        raise life.Refused(*error.messages) from error
    termination.save()


def _log(termination: Termination, action: str, actor: str, comment: str) -> None:
    state = termination.convention.status
    life.log(termination.convention, action, state, state, actor=actor, comment=comment)
