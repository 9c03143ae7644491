"""Why a member pays more or less than before: causes that add up, to the cent, to the difference.

Pure: what was billed on two sides, and the frozen bases that priced it. The order is always the same.
Line by line (a charge and a school, or a charge alone), quantities first, at the old price; then the
price, at the new quantities. A school that is on one side only explains all its lines. Of a share in a
pool: the schools gone, those come, their pupils, the weight of the others, then the pool itself; the
cents of the largest remainder go with the last of these that moved. What is left at each step is the
next one's: nothing stays unexplained.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import NamedTuple

from entsvc.french import euros, price
from entsvc.money import CENT, round_cents
from tariffs import engine
from tariffs.scope import applicable, subscribed

ZERO = Decimal("0.00")

# In the order in which they are told.
ENTERED, LEFT, UNPRICED, PUPILS, ACTIVE = "entrees", "sorties", "sans-montant", "eleves", "actifs"
OPTION, UNITS, PRICE, SHARE, POOL = "options", "unites", "tarif", "poids", "enveloppe"
DEDUCTION, ADJUSTMENT, ISSUED = "deductions", "ajustements", "deja-appele"
ORDER = (
    ENTERED, LEFT, UNPRICED, PUPILS, ACTIVE, OPTION, UNITS, PRICE, SHARE, POOL, DEDUCTION, ADJUSTMENT,
    ISSUED,
)  # fmt: skip
BY_HAND = {engine.DEDUCTION: DEDUCTION, engine.ADJUSTMENT: ADJUSTMENT}
BY_SCHOOL = (ENTERED, LEFT, UNPRICED)
COUNTED = {engine.ACTIVE_PUPILS: ACTIVE, engine.UNITS: UNITS}


class Billed(NamedTuple):
    """A line that was computed or issued, without its words."""

    charge: str
    uai: str
    quantity: int
    unit_price: Decimal | None
    amount: Decimal


class Effect(NamedTuple):
    """One cause of a difference, in euros, with the units by which it moved in all, or by school.

    `moves` is {UAI: units}: however many charges count the pupils of a school, they moved once.
    """

    cause: str
    about: str
    amount: Decimal
    units: int = 0
    moves: Mapping[str, int] = MappingProxyType({})

    @property
    def count(self) -> int:
        """Return how many schools came or went, or by how many units the quantity moved."""
        if self.cause in BY_SCHOOL:
            return len(self.moves)
        return self.units + sum(self.moves.values())


@dataclass(frozen=True)
class Account:
    """What one debtor was billed on a side. `call` is the key of its call there, None without one."""

    siret: str
    name: str
    call: int | None = None
    is_issued: bool = False
    lines: Sequence[Billed] = ()

    @cached_property
    def total(self) -> Decimal:
        """Return the sum of its lines, in euros."""
        return _sum(self.lines)


@dataclass(frozen=True)
class Side:
    """One side of a comparison: the accounts by debtor, the frozen charges by code, members by SIRET."""

    charges: Mapping[str, engine.Charge]
    members: Mapping[str, engine.Member]
    accounts: Mapping[int, Account]

    @cached_property
    def unissued(self) -> int:
        """Return how many members it computed without their having any titre."""
        return sum(not account.is_issued and bool(account.lines) for account in self.accounts.values())

    def member(self, key: int) -> engine.Member | None:
        """Return a debtor as the basis names it, None where it does not."""
        account = self.accounts.get(key)
        return self.members.get(account.siret) if account else None

    def lines(self, key: int) -> Sequence[Billed]:
        """Return what a debtor was billed here."""
        account = self.accounts.get(key)
        return account.lines if account else ()

    def listing(self, key: int) -> dict[str, list[tuple[engine.Agreement, engine.School]]]:
        """Return, by UAI, the schools that a debtor's agreements name, billed or not."""
        if key not in self._listings:
            listing: dict[str, list[tuple[engine.Agreement, engine.School]]] = {}
            member = self.member(key)
            for agreement in member.agreements if member else ():
                for school in agreement.schools:
                    listing.setdefault(school.uai, []).append((agreement, school))
            self._listings[key] = listing
        return self._listings[key]

    def pupils(self, key: int, uai: str) -> int | None:
        """Return the pupils that the basis gives a school of a debtor, None when it gives none."""
        named = self.listing(key).get(uai)
        return named[0][1].pupils if named else None

    def weight(self, code: str, key: int) -> dict[str, int]:
        """Return {UAI: weight} of a debtor in a pool; units weigh under no UAI."""
        account = self.accounts.get(key)
        return self._weights.get(code, {}).get(account.siret, {}) if account else {}

    @cached_property
    def _listings(self) -> dict[int, dict[str, list[tuple[engine.Agreement, engine.School]]]]:
        return {}

    @cached_property
    def whole(self) -> dict[str, int]:
        """Return the weight of all members in each pool, whoever is called or not."""
        return {
            code: sum(sum(weights.values()) for weights in by_member.values())
            for code, by_member in self._weights.items()
        }

    @cached_property
    def _weights(self) -> dict[str, dict[str, dict[str, int]]]:
        return {
            charge.code: {siret: _weights_of(charge, member) for siret, member in self.members.items()}
            for charge in self.charges.values()
            if charge.model == engine.ALLOCATION
        }


def effects_of(key: int, then: Side, now: Side) -> tuple[Effect, ...]:
    """Return why the total of a debtor changed, in the order of ORDER.

    The amounts add up to the difference of its totals on both sides, to the cent.
    """
    old, new = _grouped(then.lines(key)), _grouped(now.lines(key))
    tally = _Tally()
    for code, uai in {**old, **new}:
        pair = _Pair(code, uai, key, then, now, old.get((code, uai), []), new.get((code, uai), []))
        for effect in _explained(pair):
            tally.add(effect)
    return tally.effects()


@dataclass
class _Pair:
    """The lines of a charge and a school on both sides, and what priced them."""

    code: str
    uai: str
    key: int
    then: Side
    now: Side
    old: Sequence[Billed]
    new: Sequence[Billed]

    @property
    def before(self) -> engine.Charge | None:
        return self.then.charges.get(self.code)

    @property
    def after(self) -> engine.Charge | None:
        return self.now.charges.get(self.code)

    @property
    def label(self) -> str:
        charge = self.after or self.before
        return charge.label if charge else self.code

    @property
    def gap(self) -> Decimal:
        return _sum(self.new) - _sum(self.old)

    @property
    def moved(self) -> int:
        return sum(line.quantity for line in self.new) - sum(line.quantity for line in self.old)

    def whole(self, cause: str, *, about: str = "", units: int = 0) -> Effect:
        """Return the effect that explains all of the difference."""
        schools = [self.uai] if self.uai else [*self.weights[0], *self.weights[1]]
        return Effect(cause, about, self.gap, units, dict.fromkeys(schools, 0))

    @property
    def weights(self) -> tuple[dict[str, int], dict[str, int]]:
        return self.then.weight(self.code, self.key), self.now.weight(self.code, self.key)


@dataclass
class _Tally:
    """The effects found so far, by cause and what they are about."""

    amounts: dict[tuple[str, str], Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    units: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    moves: dict[tuple[str, str], dict[str, int]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, effect: Effect) -> None:
        name = effect.cause, effect.about
        self.amounts[name] += effect.amount
        self.units[name] += effect.units
        self.moves[name] |= effect.moves

    def effects(self) -> tuple[Effect, ...]:
        found = [
            Effect(*name, amount, self.units[name], self.moves[name])
            for name, amount in self.amounts.items()
            if amount
        ]
        return tuple(sorted(found, key=lambda effect: (ORDER.index(effect.cause), effect.about)))


def _explained(pair: _Pair) -> Iterator[Effect]:
    if list(pair.old) == list(pair.new):
        return
    if pair.code in BY_HAND:
        yield pair.whole(BY_HAND[pair.code])
    elif any(charge and charge.model == engine.ALLOCATION for charge in (pair.before, pair.after)):
        yield from _share(pair)
    elif pair.old and pair.new:
        yield from _quantity_then_price(pair)
    else:
        yield _one_sided(pair)


# --- A price by the unit, or by band --------------------------------------------------------


def _one_sided(pair: _Pair) -> Effect:
    """Explain lines that stand on one side only, of a school or of units."""
    without = pair.then if pair.new else pair.now
    charge, other = (pair.after, pair.before) if pair.new else (pair.before, pair.after)
    if not pair.uai:
        return pair.whole(UNITS, about=pair.label, units=pair.moved)
    listed = without.listing(pair.key).get(pair.uai)
    if not listed:
        return pair.whole(ENTERED if pair.new else LEFT)
    if charge is None or other is None:
        return pair.whole(PRICE, about=pair.label)
    if charge.subscription and not any(subscribed(charge, agreement) for agreement, _ in listed):
        return pair.whole(OPTION, about=pair.label)
    if _reach(charge) != _reach(other):
        return pair.whole(PRICE, about=pair.label)
    return pair.whole(UNPRICED)


def _quantity_then_price(pair: _Pair) -> Iterator[Effect]:
    before, after = pair.before, pair.after
    pupils = pair.now.pupils(pair.key, pair.uai) if _by_band(before) or _by_band(after) else None
    if after is None or not all(_is_plain(line, after, pupils) for line in pair.new):
        yield pair.whole(ISSUED)
        return
    at_old_price = sum((_value(line, before, pupils, pair.old) for line in pair.new), ZERO)
    asked, former = _sum(pair.new), _sum(pair.old)
    by_quantity = at_old_price - former
    if by_quantity:
        yield _by_quantity(pair, after, by_quantity, pupils)
    by_price = asked - at_old_price
    if by_price:
        prices = [charge.unit_price if charge else None for charge in (before, after)]
        about = pair.label if None in prices else _from_to(pair.label, price, *prices)
        yield Effect(PRICE, about, by_price)


@lru_cache(maxsize=512)  # a few prices, thousands of lines
def _from_to(label: str, words: Callable[[Decimal], str], before: Decimal, after: Decimal) -> str:
    return f"{label}, de {words(before)} à {words(after)}"


def _by_quantity(pair: _Pair, after: engine.Charge, amount: Decimal, pupils: int | None) -> Effect:
    if after.metric == engine.UNITS:
        return Effect(UNITS, pair.label, amount, pair.moved)
    if after.metric != engine.SCHOOLS:
        return Effect(COUNTED.get(after.metric, PUPILS), "", amount, 0, {pair.uai: pair.moved})
    if after.model == engine.BANDED:
        former = pair.then.pupils(pair.key, pair.uai)
        return Effect(PUPILS, "", amount, 0, {pair.uai: (pupils or 0) - (former or 0)})
    return Effect(ISSUED, "", amount, 0)


def _is_plain(line: Billed, charge: engine.Charge, pupils: int | None) -> bool:
    """Tell a line priced by its charge from what is left of one already called in part."""
    return line.amount == _value(line, charge, pupils, ())


def _value(
    line: Billed, charge: engine.Charge | None, pupils: int | None, former: Sequence[Billed]
) -> Decimal | None:
    """Return what a charge asks for the quantity of a line, or else the price of the former lines."""
    asked = charge.unit_price if charge else None
    if charge and charge.model == engine.BANDED:
        counted = pupils if charge.metric == engine.SCHOOLS else line.quantity
        band = engine.band_for(charge.bands, counted) if counted is not None else None
        asked = band.price if band else None
    if asked is None:
        asked = next((f.unit_price for f in former if f.unit_price is not None), None)
    if asked is None:
        return _sum(former) if former else None
    return round_cents(asked * line.quantity)


# --- A share in a pool ----------------------------------------------------------------------


def _share(pair: _Pair) -> Iterator[Effect]:
    before, after = pair.before, pair.after
    if before is None or after is None or before.model != after.model:
        yield pair.whole(PRICE, about=pair.label)
        return
    old, new = pair.weights
    lacking = before.pool is None or after.pool is None
    if lacking or bool(old) != bool(pair.old) or bool(new) != bool(pair.new):
        yield _unshared(pair, bool(old), bool(new))
        return
    there, here = pair.then.whole[pair.code], pair.now.whole[pair.code]
    if pair.new and abs(_sum(pair.new) - _part(after.pool, sum(new.values()), here)) > CENT:
        yield pair.whole(ISSUED)
        return
    others, level = there - sum(old.values()), _sum(pair.old)
    held = dict(old)
    for cause, weights in _weights_in_turn(old, new, after.metric):
        own = sum(weights.values())
        reached = _part(before.pool, own, others + own)
        yield Effect(cause, *_moved(cause, pair.label, reached - level, held, weights))
        held, level = weights, reached
    pooled = before.pool != after.pool
    if here - sum(new.values()) != others or not pooled:
        reached = _part(before.pool, sum(new.values()), here) if pooled else _sum(pair.new)
        yield Effect(SHARE, "", reached - level, 0)
        level = reached
    about = _from_to(pair.label, euros, before.pool, after.pool)
    yield Effect(POOL, about, _sum(pair.new) - level, 0)


def _unshared(pair: _Pair, weighed: bool, weighs: bool) -> Effect:
    """Explain a share that one side did not compute: its pool or a weight was unknown there."""
    if pair.new and not weighed:
        return pair.whole(ENTERED)
    if pair.old and not weighs:
        return pair.whole(LEFT)
    return pair.whole(UNPRICED)


def _weights_in_turn(
    old: Mapping[str, int], new: Mapping[str, int], metric: str
) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield the steps from the former weights to the new ones: schools gone, come, then their counts."""
    kept = {uai: number for uai, number in old.items() if uai in new}
    if kept != old:
        yield LEFT, kept
    joined = {**kept, **{uai: number for uai, number in new.items() if uai not in old}}
    if joined != kept:
        yield ENTERED, joined
    if joined != new:
        yield COUNTED.get(metric, PUPILS), dict(new)


def _moved(
    cause: str, label: str, amount: Decimal, held: Mapping[str, int], weights: Mapping[str, int]
) -> tuple[str, Decimal, int, dict[str, int]]:
    """Return what an effect says of a step: units have a label and no school."""
    if cause == UNITS:
        return label, amount, sum(weights.values()) - sum(held.values()), {}
    moves = {uai: weights.get(uai, 0) - held.get(uai, 0) for uai in {**held, **weights}}
    changed = {uai: moved for uai, moved in moves.items() if moved or (uai in held) != (uai in weights)}
    return "", amount, 0, changed


def _part(pool: Decimal, weight: int, whole: int) -> Decimal:
    return round_cents(pool * weight / whole) if whole else ZERO


def _weights_of(charge: engine.Charge, member: engine.Member) -> dict[str, int]:
    if charge.metric == engine.UNITS:
        taken = [dict(a.units).get(charge.code) for a in member.agreements if subscribed(charge, a)]
        known = [quantity for quantity in taken if quantity is not None]
        return {"": sum(known)} if known else {}
    weights: dict[str, int] = defaultdict(int)
    for _, school in applicable(charge, member):
        weights[school.uai] += _metric(charge, school) or 0
    return dict(weights)


# --- What both read -------------------------------------------------------------------------


def _metric(charge: engine.Charge, school: engine.School) -> int | None:
    if charge.metric == engine.SCHOOLS:
        return 1
    return school.pupils if charge.metric == engine.PUPILS else school.active_pupils


def _grouped(lines: Iterable[Billed]) -> dict[tuple[str, str], list[Billed]]:
    groups: dict[tuple[str, str], list[Billed]] = {}
    for line in lines:
        groups.setdefault((line.charge, line.uai), []).append(line)
    return groups


def _by_band(charge: engine.Charge | None) -> bool:
    """Tell whether the pupils of a school choose its price."""
    return charge is not None and charge.model == engine.BANDED


def _reach(charge: engine.Charge) -> tuple[str, ...]:
    return charge.degree, charge.sector, charge.subscription, charge.metric


def _sum(lines: Sequence[Billed]) -> Decimal:
    if len(lines) == 1:  # nearly always
        return lines[0].amount
    return sum((line.amount for line in lines), ZERO)
