"""How an agreement may end, step by step: each with the day it may happen and why."""

import calendar
from dataclasses import dataclass, replace
from datetime import date, timedelta

from conventions.policies import Ending, Policy
from entsvc import school_year
from entsvc.french import long_date

CONCILIATION_MONTHS = 1
DAYS_AFTER_SECOND_LETTER = 15

# The dates that are recorded, in the words of the staff pages.
NOTIFIED, FORMAL_NOTICE = "notified", "formal_notice"
CONCILIATION_FAILED, SECOND_LETTER, VOTED = "conciliation_failed", "second_letter", "voted"
DATES = {
    NOTIFIED: "Lettre de dénonciation",
    FORMAL_NOTICE: "Mise en demeure",
    CONCILIATION_FAILED: "Échec de la conciliation",
    SECOND_LETTER: "Seconde lettre",
    VOTED: "Délibération du membre",
}
EARLIEST = "Résiliation possible dès le"
NO_GROUNDS = "Écrivez les motifs : ils sont exigés par cette voie."


@dataclass(frozen=True)
class Way:
    """What a way out asks for: the dates to record, in this order, and who may take it.

    `grounds` tells whether its motives are written down; `note` is what the texts leave to be checked.
    """

    records: tuple[str, ...]
    member_only: bool = False
    grounds: bool = False
    note: str = ""


WAYS = {
    Ending.NOTICE: Way((NOTIFIED,)),
    Ending.BREACH: Way((FORMAL_NOTICE, CONCILIATION_FAILED, SECOND_LETTER), grounds=True),
    Ending.BREACH_BY_MEMBER: Way(
        (VOTED,),
        member_only=True,
        grounds=True,
        note="Le texte ne fixe pas de délai ; les motifs disent le manquement et l'absence d'accord.",
    ),
    Ending.GENERAL_INTEREST_BY_MEMBER: Way(
        (VOTED,), member_only=True, grounds=True, note="Le texte ne fixe pas de délai."
    ),
    Ending.STATUTES: Way(
        (VOTED,),
        member_only=True,
        note="L'article 16 des statuts règle ce retrait et n'est pas conservé ici : "
        "vérifiez-y la procédure et le délai avant de prononcer la fin.",
    ),
}


@dataclass(frozen=True)
class Step:
    """A step of a way out; `day` is None while the step before it is not dated.

    `record` names the date that staff record there, empty for a day that is only computed; `done` tells
    whether it is recorded.
    """

    name: str
    day: date | None
    reason: str
    record: str = ""

    @property
    def done(self) -> bool:
        """Tell whether the step is a fact, and not a day still to come or to be recorded."""
        return bool(self.record and self.day)


@dataclass(frozen=True)
class Letters:
    """The dates of a way out, by the names of `DATES`; letters are dated by their sending."""

    formal_notice: date | None = None
    conciliation_failed: date | None = None
    second_letter: date | None = None
    notified: date | None = None
    voted: date | None = None


def timeline(policy: Policy, ending: Ending, letters: Letters) -> list[Step]:
    """Return the steps of a way out, the last one being the earliest day it may end the agreement.

    Raises ValueError (French) where the text of the agreement does not open this way, and where the
    dates are not in order (see `disorder`).
    """
    if ending not in policy.endings:
        raise ValueError(f"{policy.name} : ce texte n'ouvre pas la voie « {ending.value} ».")
    problem = disorder(ending, letters)
    if problem:
        raise ValueError(problem)
    if ending == Ending.NOTICE:
        sent = "Lettre de l'une des parties à l'autre."
        steps = [Step(DATES[NOTIFIED], letters.notified, sent, NOTIFIED)]
        return [*steps, replace(after_notice(policy, letters.notified), name=EARLIEST)]
    if ending == Ending.BREACH:
        return after_breach(policy, letters)
    return _after_vote(policy, ending, letters.voted)


def earliest(steps: list[Step]) -> date | None:
    """Return the earliest day a way out may end the agreement, None while a step is missing."""
    return steps[-1].day


def next_record(ending: Ending, letters: Letters) -> str:
    """Return the name of the date to record next, empty when all are there."""
    return next((name for name in WAYS[ending].records if getattr(letters, name) is None), "")


def disorder(ending: Ending, letters: Letters) -> str:
    """Return what is wrong in the order of the dates (a French sentence), empty when nothing is."""
    previous, day_before = "", None
    for name in WAYS[ending].records:
        day = getattr(letters, name)
        if day is not None and previous and day_before is None:
            return f"« {DATES[name]} » vient après « {DATES[previous]} » : datez d'abord cette étape."
        if day is not None and day_before is not None and day < day_before:
            return (
                f"« {DATES[name]} », le {long_date(day)}, ne peut pas précéder "
                f"« {DATES[previous]} », le {long_date(day_before)}."
            )
        previous, day_before = name, day
    return ""


def last_year_due(ended_on: date, last_year: int | None) -> int:
    """Return the last school year due by an agreement that ends on a day (its first calendar year).

    A year begun is due in full (decision D14); the end never adds a year.
    """
    ending_year = school_year.containing(ended_on)
    return ending_year if last_year is None else min(last_year, ending_year)


def after_notice(policy: Policy, notified_on: date | None) -> Step:
    """Return when an agreement ends after a notice by letter; raise ValueError where none is open."""
    if policy.notice_months is None:
        raise ValueError(f"{policy.name} : ce texte n'ouvre pas de dénonciation avec préavis.")
    if notified_on is None:
        return Step("Fin après préavis", None, "La lettre n'est pas datée.")
    day = months_after(notified_on, policy.notice_months)
    months = f"{policy.notice_months} mois après la lettre du {long_date(notified_on)}"
    return Step("Fin après préavis", day, _with_refund(policy, f"{months}."))


def after_breach(policy: Policy, letters: Letters) -> list[Step]:
    """Return the timeline of a breach: formal notice, conciliation, second letter, earliest end.

    Source: Montpellier 2020-2021, article 10, and its twin of Occitanie 2024-2025: conciliation within a
    month of the formal notice; if it fails, the aggrieved party may end the agreement 15 days after
    sending a second registered letter with its grounds. A conciliation that failed before its month is
    over has no term any more.
    """
    notice, failed, second = letters.formal_notice, letters.conciliation_failed, letters.second_letter
    reason = "Lettre recommandée exposant les griefs."
    steps = [Step(DATES[FORMAL_NOTICE], notice, reason, FORMAL_NOTICE)]
    limit = notice and months_after(notice, CONCILIATION_MONTHS)
    if not (limit and failed and failed < limit):
        steps.append(Step("Conciliation au plus tard", limit, "Un mois après la mise en demeure."))
    reason = f"Constaté le {long_date(failed)}." if failed else "À constater si elle n'aboutit pas."
    steps.append(Step(DATES[CONCILIATION_FAILED], failed, reason, CONCILIATION_FAILED))
    reason = "Nouvelle lettre recommandée, avec les motifs, une fois la conciliation échouée."
    steps.append(Step(DATES[SECOND_LETTER], second, reason, SECOND_LETTER))
    end = second and second + timedelta(days=DAYS_AFTER_SECOND_LETTER)
    reason = f"{DAYS_AFTER_SECOND_LETTER} jours après l'envoi de la seconde lettre."
    steps.append(Step(EARLIEST, end, _with_refund(policy, reason)))
    return steps


def months_after(day: date, months: int) -> date:
    """Return the same day some months later, or the last of a month too short."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


def _after_vote(policy: Policy, ending: Ending, voted: date | None) -> list[Step]:
    """Return the timeline of a way that the member's assembly decides alone.

    Sources: charte of the Somme 2014, article 6; conditions of Nord-Pas-de-Calais Numérique 2023.
    """
    reason = "L'assemblée du membre décide la fin."
    end = "Dès cette délibération." if voted else "La délibération du membre n'est pas enregistrée."
    return [
        Step(DATES[VOTED], voted, reason, VOTED),
        Step(EARLIEST, voted, _with_refund(policy, f"{end} {WAYS[ending].note}")),
    ]


def _with_refund(policy: Policy, reason: str) -> str:
    return reason if policy.refund else f"{reason} Les sommes perçues ne sont pas remboursées."
