"""What each step in the life of an agreement asks for, and the years that its end leaves due.

A check answers with a French sentence saying what to do, empty when nothing is missing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from django.utils import timezone

from conventions import endings, states
from conventions.models import Convention, PaperKind, Termination
from conventions.papers import kept
from conventions.policies import POLICIES, Policy
from entsvc import school_year
from entsvc.french import long_date
from entsvc.scans import CheckedPdf
from members import votes


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


def missing(code: str, asked: Asked) -> list[str]:
    """Return what a step of `states.AGREEMENT_ACTIONS` lacks, as sentences."""
    return [text for text in (check(asked) for check in REQUIREMENTS[code]) if text]


def is_comment_required(code: str) -> bool:
    """Tell whether a step always asks for a comment."""
    return _commented in REQUIREMENTS[code]


def start_to_state(convention: Convention) -> date | None:
    """Return the day of a start still to come, that must be stated to put the agreement in force."""
    start = convention.start.day if convention.start else None
    return start if start and start > timezone.localdate() else None


def owes_a_year(convention: Convention, ended_on: date) -> bool:
    """Tell whether an agreement that ends on a day had begun a school year of its own."""
    return school_year.containing(ended_on) >= convention.first_year


def last_year_due(convention: Convention, ended_on: date) -> int:
    """Return the last school year due by an agreement ended on a day, never beyond its text."""
    policy = POLICIES.get(convention.policy)
    limits = [convention.last_year, policy.last_year if policy else None]
    last = min((year for year in limits if year is not None), default=None)
    return endings.last_year_due(day_ended(convention, ended_on), last)


def day_ended(convention: Convention, on: date) -> date:
    """Return the day an end bears: one pronounced after the term finds the agreement over already."""
    return min(on, convention.last_day or on)


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
    if act and asked.policy and asked.policy.two_thirds and act.vote is None:
        return f"Saisissez les voix pour et contre du comité : {act}."
    return _committee_not_short(asked)


def _committee_not_short(asked: Asked) -> str:
    """Refuse the voices of a committee that fall short; those of an old paper may not be known."""
    act = asked.convention.committee_act
    if act is None or act.vote is None or asked.policy is None or not asked.policy.two_thirds:
        return ""
    if not act.vote.carries_two_thirds:
        return f"{act} : {votes.in_words(act.vote)}. Il faut les deux tiers des suffrages exprimés."
    return ""


def _member_carried(asked: Asked) -> str:
    act = asked.convention.act
    if act is None or act.vote is None or act.vote.carries:
        return ""
    return (
        f"{act} : {votes.in_words(act.vote)}. Choisissez la délibération que le membre a adoptée, ou "
        "corrigez ses voix."
    )


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
        _member_carried,
        _committee_carried,
        _start_known,
        _start_come,
        _conditions_accepted,
    ),
    "reprise": (_signature_past, _paper_held, _member_carried, _committee_not_short),
    "resilier": (_pronounced, _first_year_begun, _no_open_amendment),
    "resilier_avant": (_pronounced, _first_year_to_come, _no_open_amendment),
    "echoir": (_term_passed, _last_year_known, _no_open_ending, _no_open_amendment),
    "abandonner": (_commented,),
}
