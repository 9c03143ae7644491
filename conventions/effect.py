"""From which day, and until which, an agreement holds: computed, with its reason in words."""

from dataclasses import dataclass
from datetime import date, timedelta

from conventions.policies import Effect, Policy
from entsvc.french import long_date


@dataclass(frozen=True)
class Facts:
    """The dates known of an agreement.

    `vote_transmitted_on` and `text_transmitted_on` are those of the member's deliberation and of the
    signed text; `fixed_by_vote` the day its deliberation asks for, `votes` the two concordant ones.
    `carried` is whether the committee's vote reached the majority its text asks for, None while its
    voices are not recorded.
    """

    signed_on: date | None = None
    vote_transmitted_on: date | None = None
    text_transmitted_on: date | None = None
    fixed_by_vote: date | None = None
    votes: tuple[date, ...] = ()
    carried: bool | None = None


@dataclass(frozen=True)
class Day:
    """A day of the life of an agreement, None while it can't be told, and why (a French sentence)."""

    day: date | None
    reason: str


def starts(policy: Policy, facts: Facts) -> Day:
    """Return the day an agreement takes effect under its policy."""
    rule = {
        Effect.SIGNATURE: _on_signature,
        Effect.LATER_TRANSMISSION: _on_later_transmission,
        Effect.DAY_FIXED_BY_VOTE: _on_day_fixed,
    }[policy.effect]
    return rule(facts)


def ends(policy: Policy, facts: Facts) -> Day:
    """Return the last day an agreement holds; no day and a reason when nothing ends it."""
    if policy.last_day:
        return Day(policy.last_day, f"Fin fixée au {long_date(policy.last_day)}.")
    if not policy.years:
        return Day(None, "Sans terme : elle dure jusqu'à ce que l'on y mette fin.")
    start = starts(policy, facts)
    if start.day is None:
        return Day(None, f"{policy.years} ans à compter de son début, qui n'est pas établi.")
    last = _years_after(start.day, policy.years) - timedelta(days=1)
    return Day(last, f"{policy.years} ans à compter du {long_date(start.day)}.")


def _on_signature(facts: Facts) -> Day:
    if facts.signed_on is None:
        return Day(None, "La date de la dernière signature manque : saisissez-la.")
    return Day(facts.signed_on, f"Signée le {long_date(facts.signed_on)}.")


def _on_later_transmission(facts: Facts) -> Day:
    """Both papers must have been transmitted: the later day counts (charte 2014, article 3)."""
    vote, text = facts.vote_transmitted_on, facts.text_transmitted_on
    if vote is None or text is None:
        missing = "de la délibération" if vote is None else "de la charte signée"
        return Day(None, f"La transmission {missing} au contrôle de légalité n'est pas datée.")
    day = max(vote, text)
    which = "la délibération" if day == vote else "la charte signée"
    return Day(day, f"Dernière transmission, celle de {which}, le {long_date(day)}.")


def _on_day_fixed(facts: Facts) -> Day:
    """The day the deliberation fixes, never before the second concordant vote (decision D19).

    The committee adopts by two thirds of the votes cast; a vote whose voices are unknown is trusted.
    """
    if len(facts.votes) < 2:
        return Day(None, "Il faut les deux votes concordants, celui du membre et celui du comité.")
    if facts.carried is False:
        return Day(None, "Le comité ne l'a pas adopté aux deux tiers des suffrages exprimés.")
    if facts.fixed_by_vote is None:
        return Day(None, "La délibération du membre ne fixe pas la date d'effet : saisissez-la.")
    second = max(facts.votes)
    if facts.fixed_by_vote < second:
        asked = long_date(facts.fixed_by_vote)
        return Day(
            second, f"Second vote, le {long_date(second)} : la date demandée ({asked}) le précède."
        )
    return Day(facts.fixed_by_vote, f"Fixé par la délibération au {long_date(facts.fixed_by_vote)}.")


def _years_after(day: date, years: int) -> date:
    """Return the same day some years later; 1 March for a 29 February without one."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)
