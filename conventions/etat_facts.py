"""What a member is shown of its agreements before the bill, frozen as JSON, and what differs today.

Pure functions over the members of a basis: the same reading makes what is shown, what is compared with
it later, and what tells whether an accepted objection is mended.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from entsvc.french import plural
from tariffs import engine

Facts = dict[str, Any]
# (column of the school, its UAI, the code of the source) -> the day of that count.
Days = Mapping[tuple[str, str, str], str]
PUPILS, ACTIVE = engine.PUPILS, engine.ACTIVE_PUPILS


@dataclass(frozen=True)
class Words:
    """How codes are named: the sources of counts, the options and units of the tariff."""

    sources: Mapping[str, str]
    charges: Mapping[str, str]
    days: Days


BARE = Words({}, {}, {})


@dataclass(frozen=True)
class Line:
    """A school shown, under its agreement: `now` is the same today, None where it is gone."""

    agreement: str
    school: dict[str, Any]
    now: dict[str, Any] | None
    change: str
    is_new: bool = False


def facts_of(member: engine.Member, charges: tuple[engine.Charge, ...], words: Words = BARE) -> Facts:
    """Return what a member is shown: its agreements, schools, counts, options and units.

    `read` tells whether the tariff reads pupils: elsewhere their number is told for information.
    """
    active = reads_active(charges)
    return {
        "active": active,
        "read": any(engine.reads(charge, PUPILS) for charge in charges),
        "agreements": [_agreement(item, active, words) for item in member.agreements],
    }


def reads_active(charges: tuple[engine.Charge, ...]) -> bool:
    """Tell whether a tariff reads who used the service."""
    return any(engine.reads(charge, ACTIVE) for charge in charges)


def charge_names(charges: tuple[engine.Charge, ...]) -> dict[str, str]:
    """Return the name of each option and of each unit, by the code that agreements bear."""
    units = {c.code: c.label for c in charges if c.metric == engine.UNITS}
    return units | {c.subscription: c.label for c in charges if c.subscription}


def lines(frozen: Facts, current: Facts | None) -> list[Line]:
    """Return the schools shown, each beside what it is today, then those that came since."""
    now = dict(_schools(current)) if current is not None else {}
    found = []
    for key, school in _schools(frozen):
        today = now.pop(key, None)
        change = "" if current is None else _change(school, today)
        found.append(Line(key[0], school, today, change))
    came = [Line(key[0], school, school, "ajoutée depuis", True) for key, school in now.items()]
    return found + came


def changes(frozen: Facts, current: Facts | None) -> list[str]:
    """Return, in French, what is no longer as shown: « corrigé depuis ». None: no call any more."""
    if current is None:
        return ["Aucune convention en vigueur n'est plus à payer pour cette année."]
    found = [
        f"{line.school['name'] or line.school['uai']} : {line.change}"
        for line in lines(frozen, current)
        if line.change
    ]
    before, after = (_beside(facts) for facts in (frozen, current))
    for reference in sorted(before.keys() | after.keys()):
        found += _beside_changes(reference, before.get(reference), after.get(reference))
    return found


def schools(facts: Facts) -> dict[str, dict[str, Any]]:
    """Return the schools of a member by UAI."""
    return {school["uai"]: school for _, school in _schools(facts)}


def totals(facts: Facts) -> tuple[int, int]:
    """Return how many schools the call rests on, and how many pupils are known of them."""
    billed = [school for school in schools(facts).values() if not school["excluded"]]
    return len(billed), sum(school["pupils"] or 0 for school in billed)


def _agreement(item: engine.Agreement, active: bool, words: Words) -> dict[str, Any]:
    named = words.charges
    return {
        "reference": item.reference,
        "title": item.title,
        "party": item.party,
        "options": [
            {"code": code, "label": named.get(code, code)} for code in sorted(item.subscriptions)
        ],
        "units": [
            {"code": code, "label": named.get(code, code), "quantity": quantity}
            for code, quantity in item.units
        ],
        "schools": [_school(school, active, words) for school in item.schools],
    }


def _school(school: engine.School, active: bool, words: Words) -> dict[str, Any]:
    facts = {
        "uai": school.uai,
        "name": school.name,
        "commune": school.commune,
        "pupils": school.pupils,
        "source": words.sources.get(school.pupils_source, school.pupils_source),
        "counted_on": words.days.get((PUPILS, school.uai, school.pupils_source), ""),
        "approximate": school.pupils is not None and not school.pupils_billable,
        "excluded": school.excluded,
    }
    if active:
        facts |= {
            "active": school.active_pupils,
            "active_source": words.sources.get(school.active_source, school.active_source),
            "active_on": words.days.get((ACTIVE, school.uai, school.active_source), ""),
        }
    return facts


def _schools(facts: Facts) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    for agreement in facts["agreements"]:
        for school in agreement["schools"]:
            yield (agreement["reference"], school["uai"]), school


def _change(shown: dict[str, Any], now: dict[str, Any] | None) -> str:
    if now is None:
        return "retirée depuis"
    told = []
    for column, one, several in (
        ("pupils", "élève", "élèves"),
        ("active", "élève actif", "élèves actifs"),
    ):
        before, after = shown.get(column), now.get(column)
        if before != after:
            known = "plus aucun effectif" if after is None else plural(after, one, several)
            told.append(f"{known} aujourd'hui")
    if bool(shown["excluded"]) != bool(now["excluded"]):
        told.append("écartée de l'appel depuis" if now["excluded"] else "rétablie dans l'appel depuis")
    return ", ".join(told)


def _beside(facts: Facts) -> dict[str, tuple[list[str], list[str]]]:
    return {
        agreement["reference"]: (
            [option["label"] for option in agreement["options"]],
            [f"{unit['quantity']} × {unit['label']}" for unit in agreement["units"]],
        )
        for agreement in facts["agreements"]
    }


def _beside_changes(reference: str, before: Any, after: Any) -> Iterator[str]:
    if before is None or after is None:
        state = "ajoutée depuis" if before is None else "n'est plus à payer"
        yield f"Convention {reference} : {state}"
        return
    for what, old, new in zip(("options", "quantités"), before, after, strict=True):
        if sorted(old) != sorted(new):
            yield f"Convention {reference}, {what} : {', '.join(new) or 'aucune'} aujourd'hui"
