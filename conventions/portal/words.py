"""Where an agreement or an amendment stands, as one says it to who signs it."""

from dataclasses import dataclass
from datetime import date

from conventions import on_file, states
from conventions.models import Convention, Paper, PaperKind
from conventions.papers import kept
from conventions.policies import POLICIES
from entsvc import school_year
from entsvc.french import long_date

# How the style sheet calls them.
WAITING, GOOD, OVER = "warn", "good", ""


@dataclass(frozen=True)
class State:
    """A state in a word and in a sentence; `tone` is how it is shown."""

    label: str
    sentence: str
    tone: str


def state_of(convention: Convention, deposited_on: date | None, on: date) -> State:
    """Return where an agreement stands on a day; `deposited_on` is when its signed scan came."""
    label = states.AGREEMENT_STATES[convention.status]
    if convention.status == states.SENT and deposited_on:
        return State("Déposée", f"Vous l'avez déposée signée le {long_date(deposited_on)} : nous la "
                     "vérifions.", GOOD)  # fmt: skip
    if convention.status == states.SENT:
        return State(label, "Nous attendons votre signature.", WAITING)
    if convention.status == states.SIGNED:
        return State(label, _not_yet(convention), GOOD)
    if convention.status == states.IN_FORCE:
        is_over = convention.last_day is not None and convention.last_day < on
        # Staff have not noted its term yet: the calendar has.
        shown = (states.AGREEMENT_STATES[states.EXPIRED], OVER) if is_over else (label, GOOD)
        return State(shown[0], _in_force(convention, on), shown[1])
    return State(label, _over(convention), OVER)


def kind_of(convention: Convention) -> str:
    """Return what kind of agreement it is."""
    policy = POLICIES.get(convention.policy)
    return policy.name if policy else convention.schedule.name


def years_of(convention: Convention) -> str:
    """Return the school years an agreement covers, in words."""
    first, last = school_year.label(convention.first_year), convention.last_year
    if last is None:
        return f"à partir de {first}"
    return first if last == convention.first_year else f"de {first} à {school_year.label(last)}"


def begins(convention: Convention) -> str:
    """Return what makes an agreement take effect: the fact once it is known, else the rule."""
    policy = POLICIES.get(convention.policy)
    if policy is None:
        return ""
    if convention.start.day is None:
        return f"D'après {policy.effect.value}."
    return convention.start.reason


def deposit(papers: list[Paper]) -> Paper | None:
    """Return the signed agreement received since it was last sent, the latest."""
    return kept.signed_since(
        p for p in papers if p.amendment_id is None and p.kind == PaperKind.AGREEMENT
    )


def without_paper(convention: Convention, papers: list[Paper]) -> str:
    """Tell why the signed document of an agreement is not to be had here; nothing where it is."""
    if not on_file.lacks_scan(convention, papers):
        return ""
    if convention.succeeds_id:
        return (
            f"Cette convention prend la suite de la convention {convention.succeeds.reference} par un "
            "avenant : elle n'a pas d'autre document signé."
        )
    return "La convention signée est conservée sur papier : elle ne peut pas être téléchargée ici."


def _in_force(convention: Convention, on: date) -> str:
    start = convention.start.day if convention.start else None
    last = convention.last_day
    until = f"jusqu'au {long_date(last)}" if last else "sans terme"
    if start is None:
        return f"Elle court {until}." if last else f"Elle court {_for_years(convention)}."
    if start > on:
        return f"Elle prend effet le {long_date(start)}, {until}."
    if last and last < on:
        return f"Elle a couru du {long_date(start)} au {long_date(last)}."
    return f"Elle court depuis le {long_date(start)}, {until}."


def _for_years(convention: Convention) -> str:
    years = years_of(convention)
    return f"pour {years}" if years[0].isdigit() else years


def _not_yet(convention: Convention) -> str:
    start = convention.start
    if start is None or start.day is None:
        return "Elle n'est pas encore en vigueur."
    return f"Elle prend effet le {long_date(start.day)}."


def _over(convention: Convention) -> str:
    last = convention.last_day
    return f"Elle a pris fin le {long_date(last)}." if last else "Elle a pris fin."
