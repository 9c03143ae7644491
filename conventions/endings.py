"""How an agreement may end, step by step: each with the day it may happen and why."""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

from conventions.policies import Policy
from entsvc.french import long_date

CONCILIATION_MONTHS = 1
DAYS_AFTER_SECOND_LETTER = 15


@dataclass(frozen=True)
class Step:
    """A step of a way out; `day` is None while the step before it is not dated."""

    name: str
    day: date | None
    reason: str


@dataclass(frozen=True)
class Letters:
    """The dates of a breach: formal notice, failure of the conciliation, second letter (its sending)."""

    formal_notice: date | None = None
    conciliation_failed: date | None = None
    second_letter: date | None = None


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
    sending a second registered letter with its grounds.
    """
    steps = [Step("Mise en demeure", letters.formal_notice, "Lettre recommandée exposant les griefs.")]
    limit = letters.formal_notice and months_after(letters.formal_notice, CONCILIATION_MONTHS)
    steps.append(Step("Conciliation au plus tard", limit, "Un mois après la mise en demeure."))
    if letters.conciliation_failed:
        failed = f"Constaté le {long_date(letters.conciliation_failed)}."
        steps.append(Step("Échec de la conciliation", letters.conciliation_failed, failed))
    reason = "Nouvelle lettre recommandée, avec les motifs, une fois la conciliation échouée."
    steps.append(Step("Seconde lettre", letters.second_letter, reason))
    end = letters.second_letter and letters.second_letter + timedelta(days=DAYS_AFTER_SECOND_LETTER)
    reason = f"{DAYS_AFTER_SECOND_LETTER} jours après l'envoi de la seconde lettre."
    steps.append(Step("Résiliation possible dès le", end, _with_refund(policy, reason)))
    return steps


def months_after(day: date, months: int) -> date:
    """Return the same day some months later, or the last of a month too short."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


def _with_refund(policy: Policy, reason: str) -> str:
    return reason if policy.refund else f"{reason} Les sommes perçues ne sont pas remboursées."
