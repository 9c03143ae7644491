"""How an agreement is ended: a way its text opens, its dates one after the other, then the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from conventions import endings, life, requirements, states
from conventions.endings import WAYS, Letters, Step, Way
from conventions.models import Convention, Termination
from conventions.policies import POLICIES, Ending, Policy
from entsvc import school_year
from entsvc.french import long_date
from members import votes
from members.models import Act

# Where each recorded date is kept; that of a vote is the date of its act.
COLUMNS = {
    endings.NOTIFIED: "notified_on",
    endings.FORMAL_NOTICE: "formal_notice_on",
    endings.CONCILIATION_FAILED: "conciliation_failed_on",
    endings.SECOND_LETTER: "second_letter_on",
}
# What a deliberation that ends an agreement may say it approves.
ENDING_ACTS = ("", Act.Approval.ENDING, Act.Approval.OTHER)
ALREADY_OPEN = "Une résiliation de cette convention est déjà en cours."
NONE_DUE = "aucune"


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


def not_in_force(convention: Convention) -> str:
    """Return why no way out of an agreement can begin in its state, empty when one can."""
    if convention.status == states.IN_FORCE:
        return ""
    state = states.AGREEMENT_STATES[convention.status]
    return f"Seule une convention en vigueur se résilie ; elle est « {state} »."


def open_termination(
    *, convention: Convention, ending: Ending, author: str, grounds: str, actor: str
) -> Termination:
    """Begin a way out of an agreement in force; raise life.Refused where its text does not open it."""
    with _writing(convention) as locked:
        if not_in_force(locked):
            raise life.Refused(not_in_force(locked))
        policy = _policy(locked)
        if ending not in policy.endings:
            raise life.Refused(f"« {policy.name} » n'ouvre pas la voie « {ending.value} ».")
        way, grounds = WAYS[ending], grounds.strip()
        if way.member_only and author != Termination.Author.MEMBER:
            raise life.Refused(f"« {ending.value} » : seul le membre peut engager cette voie.")
        if way.grounds and not grounds:
            raise life.Refused(endings.NO_GROUNDS)
        termination = Termination(
            convention=locked, ending=ending.name.lower(), author=author, grounds=grounds
        )
        _save(termination)
        _log(termination, life.ENDING_OPENED, actor, ending.value)
    return termination


def record_step(
    *, termination: Termination, record: str, on: date | None, act: Act | None = None, actor: str
) -> Termination:
    """Date a step, or correct its date: in the order of the way, while the agreement holds, never ahead.

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
        _check_in_term(locked.convention, on)
        _save(locked)
        _log(locked, life.ENDING_STEP, actor, f"{endings.DATES[record]} : {long_date(on)}")
    return locked


def pronounce(
    *, termination: Termination, on: date, actor: str, comment: str = "", seen: str = ""
) -> Termination:
    """End the agreement on a day, from the earliest that its way allows to its term, and never ahead.

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
        _check_in_term(convention, on)
        locked.status, locked.ended_on = Termination.Status.DONE, on
        _save(locked)
        code = "resilier" if requirements.owes_a_year(convention, on) else "resilier_avant"
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
    last = last_due(convention, ended_on) if ended_on else ""
    if last == NONE_DUE:
        words.append("Aucune année scolaire de cette convention n'est commencée : rien n'est dû.")
    elif last:
        words.append(f"Une année commencée est due en entier : la dernière due est {last}.")
    else:
        words.append("Une année commencée est due en entier.")
    if not _policy(convention).refund:
        words.append("Les sommes perçues ne sont pas remboursées.")
    return words


def last_due(convention: Convention, ended_on: date) -> str:
    """Return the last school year due by an agreement ended on a day, « aucune » where none is."""
    if not requirements.owes_a_year(convention, ended_on):
        return NONE_DUE
    return school_year.label(requirements.last_year_due(convention, ended_on))


def recorded(termination: Termination) -> list[tuple[str, date]]:
    """Return the steps that were dated, in order, whatever the text of the agreement says today."""
    letters = letters_of(termination)
    days = [(endings.DATES[name], getattr(letters, name)) for name in way_of(termination).records]
    return [(name, day) for name, day in days if day]


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
    """Refuse an act that does not decide the end: of another body, rejected, or about something else."""
    if act is None or act.date is None:
        raise life.Refused("Choisissez la délibération, datée, qui décide la fin.")
    if act.member_id != termination.convention.party_id or act.kind != Act.Kind.DELIBERATION:
        raise life.Refused(
            f"Cet acte n'est pas une délibération de {termination.convention.party} : {act}."
        )
    if act.vote and not act.vote.carries:
        raise life.Refused(
            f"{act} : {votes.in_words(act.vote)}. Choisissez la délibération qui adopte la fin, ou "
            "corrigez ses voix dans « Actes »."
        )
    if act.approves not in ENDING_ACTS:
        raise life.Refused(
            f"{act} approuve « {act.get_approves_display()} », pas la fin d'une convention : choisissez "
            "un autre acte, ou corrigez ce qu'il approuve dans « Actes »."
        )


def _check_in_term(convention: Convention, on: date) -> None:
    """Refuse a day on which the agreement did not hold: nothing is left to end after its term."""
    start, last = convention.start, convention.last_day
    if start and start.day and on < start.day:
        raise life.Refused(
            f"Le {long_date(on)} précède la convention, qui ne commence que le {long_date(start.day)} : "
            "corrigez la date."
        )
    if last and on > last:
        raise life.Refused(
            f"La convention a pris fin le {long_date(last)} : corrigez la date ou, si rien n'a abouti "
            "avant, laissez la résiliation sans suite et constatez son terme."
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
