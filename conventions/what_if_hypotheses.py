"""What is tried in a simulation: prices, bands, charges, pools and options, changed from a version.

Pure functions over the facts of the engine: what they return is never written.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from conventions.basis import Basis
from entsvc.cells import read_euros
from entsvc.french import NARROW_NO_BREAK, NO_BREAK, euros, integer, price
from members.models import Member, School
from tariffs import engine
from tariffs.bands import band_problems

# Who takes an option, besides a type of member: those that subscribed it, nobody, everybody.
SUBSCRIBED, NOBODY, EVERYBODY = "souscrite", "personne", "tous"
APPROXIMATION = engine.Acceptance("count_not_billable", "Effectifs approchés admis par la simulation.")
BAND = re.compile(r"([0-9]{1,9})\s*(?:à|a|-|–)\s*([0-9]{1,9})\s*[:=]\s*(.+)", re.IGNORECASE)
MOST_BANDS = 40  # all of them go into an address
NO_TARIFF = "Gardez au moins une ligne tarifaire : rien ne serait appelé."


class BandsWrong(ValueError):
    """Bands that can't stand; `messages` says why, in French, one sentence each."""

    def __init__(self, *messages: str) -> None:
        super().__init__(" ".join(messages))
        self.messages = list(messages)


@dataclass(frozen=True)
class Changes:
    """What a simulation changes of a version, by code of charge; `takers` by code of option.

    A pool is in euros. `approximate` counts as sure the pupils that are only approximate.
    """

    prices: Mapping[str, Decimal] = field(default_factory=dict)
    bands: Mapping[str, tuple[engine.Band, ...]] = field(default_factory=dict)
    pools: Mapping[str, Decimal] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()
    takers: Mapping[str, str] = field(default_factory=dict)
    approximate: bool = False


@dataclass(frozen=True)
class Step:
    """A charge or an option of the tariff, before and after, in words."""

    code: str
    label: str
    before: str
    after: str

    @property
    def changed(self) -> bool:
        """Tell whether the simulation changes it."""
        return self.before != self.after


def changed(charges: Iterable[engine.Charge], changes: Changes) -> tuple[engine.Charge, ...]:
    """Return the charges that a simulation prices, those of a version once changed."""
    nobody = {option for option, who in changes.takers.items() if who == NOBODY}
    return tuple(
        _changed(charge, changes)
        for charge in charges
        if charge.code not in changes.dropped and charge.subscription not in nobody
    )


def tried(
    basis: Basis, charges: tuple[engine.Charge, ...], changes: Changes, kinds: Mapping[str, str]
) -> Basis:
    """Return the basis of a simulation: the same members, priced by these charges.

    An option or a unit that today's tariff knows and the simulated one does not is no longer asked of
    anyone. `kinds`: the type of each payer, by SIRET.
    """
    options = {c.subscription for c in basis.charges} - {c.subscription for c in charges}
    units = _units(basis.charges) - _units(charges)
    takers = {o: who for o, who in changes.takers.items() if who not in (SUBSCRIBED, NOBODY)}
    members = basis.members
    if options or units or takers:
        members = tuple(
            _rearranged(member, options, units, _taken(member, takers, kinds)) for member in members
        )
    return replace(basis, charges=charges, members=members)


def admitted(basis: Basis) -> Basis:
    """Return a basis whose approximate counts are admitted, on any school of any member."""
    return replace(basis, acceptances=(*basis.acceptances, APPROXIMATION))


def read_bands(text: str, former: Iterable[engine.Band] = ()) -> tuple[engine.Band, ...]:
    """Read one band per line, « 1 à 200 : 187,62 »; raise BandsWrong.

    A band of `former` that keeps its bounds keeps its note.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise BandsWrong("Donnez au moins une tranche, comme : 1 à 200 : 187,62")
    if len(lines) > MOST_BANDS:
        raise BandsWrong(f"Plus de {MOST_BANDS} tranches : regroupez-les.")
    notes = {(band.lower, band.upper): band.note for band in former}
    bands = [_band(number, line, notes) for number, line in enumerate(lines, start=1)]
    problems = band_problems([(band.lower, band.upper) for band in bands])
    if problems:
        raise BandsWrong(*(f"Ligne {index + 1} : {problems[index]}" for index in sorted(problems)))
    return tuple(sorted(bands, key=lambda band: band.lower))


def bands_text(bands: Iterable[engine.Band]) -> str:
    """Return bands as `read_bands` reads them."""
    return "\n".join(f"{b.lower} à {b.upper} : {amount_text(b.price)}" for b in bands)


def amount_text(amount: Decimal | None) -> str:
    """Return an amount or a price as a field shows it, 1234,50 or 0,3333."""
    return "" if amount is None else "".join(price(amount).removesuffix("€").split())


def steps(
    before: Iterable[engine.Charge], after: Iterable[engine.Charge], changes: Changes
) -> list[Step]:
    """Return each charge and option of two tariffs, before and after, in words."""
    former = {charge.code: charge for charge in before}
    latter = {charge.code: charge for charge in after}
    found = [
        Step(code, (latter.get(code) or former[code]).label, *_both(former.get(code), latter.get(code)))
        for code in dict.fromkeys([*former, *latter])
    ]
    for option, who in changes.takers.items():
        if who not in (SUBSCRIBED, NOBODY):
            words = (takers_words(SUBSCRIBED), takers_words(who))
            found.append(Step(option, f"Option {option}", *words))
    return found


def takers_words(who: str) -> str:
    """Return who pays an option that is offered."""
    if who == SUBSCRIBED:
        return "payée par ceux qui l'ont souscrite"
    if who == EVERYBODY:
        return "payée par tous les membres"
    return f"payée aussi par tous les membres du type {Member.Kind(who).label}"


def charge_words(charge: engine.Charge) -> str:
    """Return how a charge is priced and what it is for, in words."""
    if charge.bands:
        words = f"{NARROW_NO_BREAK}; ".join(
            f"{integer(b.lower)} à {integer(b.upper)}{NO_BREAK}: {euros(b.price)}" for b in charge.bands
        )
    elif charge.model == engine.ALLOCATION:
        words = "enveloppe non saisie" if charge.pool is None else euros(charge.pool)
        words += f" à répartir par {charge.unit_label}"
    elif charge.unit_price is None:
        words = "sans prix"
    else:
        words = f"{price(charge.unit_price)} par {charge.unit_label}"
    scope = [
        str(School.Degree(charge.degree).label) if charge.degree else "",
        str(School.Sector(charge.sector).label) if charge.sector else "",
        f"option {charge.subscription}" if charge.subscription else "",
    ]
    named = ", ".join(word for word in scope if word)
    return f"{words} ({named})" if named else words


def _both(before: engine.Charge | None, after: engine.Charge | None) -> tuple[str, str]:
    first = charge_words(before) if before else "n'existe pas"
    second = charge_words(after) if after else "retirée"
    if before and after and first == second and before.metric != after.metric:
        second += ", autrement comptée"
    return first, second


def _changed(charge: engine.Charge, changes: Changes) -> engine.Charge:
    values = {
        "unit_price": changes.prices.get(charge.code),
        "bands": changes.bands.get(charge.code),
        "pool": changes.pools.get(charge.code),
    }
    given = {name: value for name, value in values.items() if value is not None}
    return replace(charge, **given) if given else charge


def _units(charges: Iterable[engine.Charge]) -> set[str]:
    return {charge.code for charge in charges if charge.metric == engine.UNITS}


def _taken(
    member: engine.Member, takers: Mapping[str, str], kinds: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the options that the simulation gives to a member."""
    kind = kinds.get(member.siret, "")
    return tuple(option for option, who in takers.items() if who in (EVERYBODY, kind))


def _rearranged(
    member: engine.Member, options: set[str], units: set[str], taken: tuple[str, ...]
) -> engine.Member:
    """Return a member without these options and units, and with the options that it takes."""
    agreements = []
    for agreement in member.agreements:
        kept = [code for code in agreement.subscriptions if code not in options]
        held = tuple(unit for unit in agreement.units if unit[0] not in units)
        if agreement.units and not held and not agreement.schools:
            continue  # it only ordered what is no longer asked
        codes = tuple(sorted({*kept, *taken}))
        agreements.append(replace(agreement, subscriptions=codes, units=held))
    return replace(member, agreements=tuple(agreements))


def _band(number: int, line: str, notes: Mapping[tuple[int, int], str]) -> engine.Band:
    found = BAND.fullmatch(line)
    if not found:
        shown = line if len(line) <= 40 else f"{line[:40]}…"
        raise BandsWrong(f"Ligne {number}, « {shown} » : écrivez-la comme 1 à 200 : 187,62")
    lower, upper = int(found[1]), int(found[2])
    try:
        amount = read_euros(found[3])
    except ValueError as error:
        raise BandsWrong(f"Ligne {number} : {error}") from error
    if amount < 0:
        raise BandsWrong(f"Ligne {number} : un prix ne peut pas être négatif.")
    return engine.Band(lower, upper, amount, notes.get((lower, upper), ""))
