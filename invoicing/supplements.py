"""What a supplementary campaign bills: the difference with what is already issued, and nothing else.

Everything is computed again with today's data, then compared line by line with what the titres of the
school year already ask of each debtor, net of what corrected them. A positive difference is a line. A
negative one never is: it is a réduction to make on the titre that asked too much (see `corrections`).
Pure: what is issued (see `claims`) comes frozen with the basis of the run.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from conventions.basis import Basis
from entsvc.french import euros, plural
from entsvc.money import round_cents
from invoicing.claims import CLOSED, FROZEN, SETTLED, in_force
from tariffs import engine

ZERO = Decimal("0.00")
LONGEST = 300  # characters of the words of a line
TO_REDUCE = "to_reduce"
SAID = {TO_REDUCE, SETTLED}  # what keeps a debtor of whom nothing more is called in a run
SHOWN = 10  # differences named in a message

Key = tuple[str, str, str, str]  # charge, agreement, UAI, and the label of an adjustment


@dataclass
class Comparison:
    """What a debtor still owes as lines, and what is to come off its titres, by reference.

    `annul_first` names the titres that the réductions would empty of what is still owed: once they are
    annulled, another calculation bills it again. `settled` is what is not called again: a court, or
    another titre, settled it.
    """

    lines: list[engine.Line] = field(default_factory=list)
    reductions: dict[str, Decimal] = field(default_factory=dict)
    excess: dict[Key, Decimal] = field(default_factory=dict)
    annul_first: list[str] = field(default_factory=list)
    settled: Decimal = ZERO


def differences(basis: Basis, results: Sequence[engine.Result]) -> list[engine.Result]:
    """Return what is left to bill, by SIRET: only the debtors of whom there is something to say."""
    before = {debtor["siret"]: debtor for debtor in basis.facts[FROZEN]}
    pooled = {charge.code for charge in basis.charges if charge.model == engine.ALLOCATION}
    here = {result.member.siret for result in results}
    gone = [
        engine.Result(engine.Member(siret, debtor["name"], ()))
        for siret, debtor in before.items()
        if siret not in here
    ]
    compared = [
        (result, compare(result.lines, before.get(result.member.siret), pooled))
        for result in [*results, *gone]
    ]
    billed = _billed_in_excess(compared)
    found = []
    for result, comparison in compared:
        left = replace(result, lines=comparison.lines, anomalies=list(result.anomalies))
        if not result.blocked:
            _report(left, comparison, before.get(result.member.siret))
        _report_others(left, billed)
        if left.lines or any(a.blocking or a.code in SAID for a in left.anomalies):
            found.append(left)
    return sorted(found, key=lambda result: result.member.siret)


def compare(
    lines: Sequence[engine.Line], before: Mapping[str, Any] | None, pooled: Iterable[str]
) -> Comparison:
    """Compare what a debtor owes today with what was issued to it (see `issued_elsewhere`).

    But for titres to annul first, the lines made, less the réductions to make, are to the cent what is
    owed less what is issued, and less what is settled.
    """
    if before is None or _asks_nothing(before):
        return Comparison(list(lines))
    found = _compare(lines, before, set(pooled))
    billed, whole = (sum((line.amount for line in some), ZERO) for some in (found.lines, lines))
    emptied = [r for r, amount in found.reductions.items() if amount == Decimal(before["due"][r])]
    if billed > whole:
        found.annul_first = in_force(before)
    elif emptied and compare(lines, _without(emptied, before), pooled).lines != found.lines:
        found.annul_first = emptied
    return found


def _compare(lines: Sequence[engine.Line], before: Mapping[str, Any], pooled: set[str]) -> Comparison:
    owed, asked = _sum_lines(lines, pooled), _sum_rows(before["rows"], pooled)
    final = _sum_rows(before.get(SETTLED, ()), pooled)
    excess, due, settled = {}, {}, ZERO
    for key in [*owed, *(key for key in asked if key not in owed)]:
        whole = (owed[key].amount if key in owed else ZERO) - asked.get(key, ZERO)
        left = _not_settled(whole, final.get(key, ZERO))
        settled += whole - left
        if left > 0:
            due[key] = left
        elif left < 0:
            excess[key] = -left
    room = {key: amount for key, amount in asked.items() if amount > 0}
    # What is settled comes last: what it leaves of the excess is for the others to answer.
    for row in sorted(before["off"], key=_is_settled):
        amount, key = Decimal(row["amount"]), _key(row, pooled)
        if _is_settled(row):
            settled += _answer(amount, key, excess)
        else:
            _place(amount, key, excess, due, room)
    made = [_line(key, amount, owed, asked, before, pooled) for key, amount in due.items() if amount]
    excess = {key: amount for key, amount in excess.items() if amount}
    return Comparison(made, _reductions(excess, before, pooled), excess, settled=settled)


def _is_settled(row: Mapping[str, Any]) -> bool:
    return row.get(SETTLED, False)


def _not_settled(left: Decimal, settled: Decimal) -> Decimal:
    """Return what of a difference is not settled: neither owed again nor in excess."""
    if left > 0:
        return max(left - max(settled, ZERO), ZERO)
    return min(left - min(settled, ZERO), ZERO)


def _without(references: Sequence[str], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is issued but for some titres, as once they are annulled."""
    kept = {
        name: [row for row in before[name] if row["titre"] not in references] for name in ("rows", "off")
    }
    due = {r: amount for r, amount in before["due"].items() if r not in references}
    final = [row for row in before["off"] if row["titre"] in references and _is_settled(row)]
    return {**before, **kept, "due": due, SETTLED: [*before.get(SETTLED, ()), *final]}


def _asks_nothing(before: Mapping[str, Any]) -> bool:
    """Tell a debtor of whom nothing is asked any more, nothing being left out on purpose nor settled."""
    skipped = any(not row["titre"] for row in before["rows"])
    settled = before.get(SETTLED) or any(map(_is_settled, before["off"]))
    return not skipped and not settled and not in_force(before)


def _key(row: Any, pooled: set[str]) -> Key:
    """Return what tells a line: a share of a pool is the debtor's, whatever agreement bears it."""
    get = row.get if isinstance(row, dict) else lambda name: getattr(row, name)
    charge = get("charge")
    if charge in pooled:
        return charge, "", "", ""
    label = get("charge_label") if charge == engine.ADJUSTMENT else ""
    return charge, get("agreement"), get("uai"), label


def _sum_lines(lines: Iterable[engine.Line], pooled: set[str]) -> dict[Key, engine.Line]:
    found: dict[Key, engine.Line] = {}
    for line in lines:
        key = _key(line, pooled)
        same = found.get(key)
        found[key] = line if same is None else _joined(same, line)
    return found


def _joined(one: engine.Line, other: engine.Line) -> engine.Line:
    words = f"{one.explanation} ; {other.explanation}"
    return replace(one, amount=one.amount + other.amount, unit_price=None, explanation=words[:LONGEST])


def _sum_rows(rows: Iterable[Mapping[str, Any]], pooled: set[str]) -> dict[Key, Decimal]:
    found: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    for row in rows:
        found[_key(row, pooled)] += Decimal(row["amount"])
    return dict(found)


def _place(
    left: Decimal,
    own: Key,
    excess: dict[Key, Decimal],
    due: dict[Key, Decimal],
    room: dict[Key, Decimal],
) -> None:
    """Let a réduction made already answer what is in excess: its own line, its charge, then any.

    What of it answers nothing is owed again, on its line, on its charge, then on any, where there is
    `room` for it in what the titres asked.
    """

    left = _answer(left, own, excess)
    for key in _nearest(room, own):
        again = min(left, room[key])
        room[key] -= again
        due[key] = due.get(key, ZERO) + again
        left -= again


def _answer(left: Decimal, own: Key, excess: dict[Key, Decimal]) -> Decimal:
    """Take an amount off what is in excess, the nearest first; return what of it answers nothing."""
    for key in _nearest(excess, own):
        taken = min(left, excess[key])
        excess[key] -= taken
        left -= taken
    return left


def _nearest(keys: Iterable[Key], own: Key) -> list[Key]:
    return sorted(keys, key=lambda key: (key != own, key[0] != own[0], key))


def _line(
    key: Key,
    amount: Decimal,
    owed: Mapping[Key, engine.Line],
    asked: Mapping[Key, Decimal],
    before: Mapping[str, Any],
    pooled: set[str],
) -> engine.Line:
    """Return the line of a difference, as so many units where that is exactly what it is."""
    if key not in owed:
        row = next(row for row in before["rows"] if _key(row, pooled) == key)
        return _told(_from_row(row), amount)
    line = owed[key]
    if key not in asked:
        return line
    return _told(line, amount)


def _from_row(row: Mapping[str, Any]) -> engine.Line:
    facts = {name: value for name, value in row.items() if name not in ("amount", "titre")}
    words = f"{row['charge_label']} : {euros(ZERO)}"
    return engine.Line(**facts, quantity=1, unit_price=None, amount=ZERO, explanation=words)


def _told(line: engine.Line, amount: Decimal) -> engine.Line:
    """Return a line brought to what is left of it, with the words of the difference."""
    if amount == line.amount:
        return line
    tail = f" ; déjà appelé {euros(line.amount - amount)} ; reste {euros(amount)}"
    words = line.explanation[: LONGEST - len(tail)] + tail
    units = _units(line.unit_price, amount)
    if units is None:
        return replace(line, unit_price=None, amount=amount, explanation=words)
    return replace(line, quantity=units, amount=amount, explanation=words)


def _units(price: Decimal | None, amount: Decimal) -> int | None:
    """Return how many units make that amount, to the cent, or None."""
    if price is None or price <= 0:
        return None
    units = int((amount / price).to_integral_value(ROUND_HALF_UP))
    return units if units and round_cents(price * units) == amount else None


# --- What is to come off --------------------------------------------------------------------


def _reductions(
    excess: Mapping[Key, Decimal], before: Mapping[str, Any], pooled: set[str]
) -> dict[str, Decimal]:
    """Return what to take off each titre: the one that bears the line, the latest first, then any."""
    due = {reference: Decimal(amount) for reference, amount in before["due"].items()}
    off: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for key, amount in excess.items():
        bearing = {row["titre"]: None for row in before["rows"] if _key(row, pooled) == key}
        latest = [reference for reference in reversed(due) if reference in bearing]
        for reference in [*latest, *(r for r in reversed(due) if r not in bearing)]:
            taken = min(amount, due[reference])
            due[reference] -= taken
            amount -= taken
            off[reference] += taken
    return {reference: amount for reference, amount in off.items() if amount}


def _report(result: engine.Result, compared: Comparison, before: Mapping[str, Any] | None) -> None:
    """Report what is to come off the titres of a debtor, and what stands in the way of its call."""
    if before is None:
        return
    if compared.annul_first:
        message = (
            f"Ce qui est à retirer ne laisse rien de {', '.join(compared.annul_first)} : annulez "
            "d'abord, puis recalculez. Ce qui reste dû sera appelé de nouveau."
        )
        result.report(engine.Anomaly("annul_first", message))
    elif compared.reductions:
        result.report(engine.Anomaly(TO_REDUCE, _to_reduce(compared, before), blocking=False))
    if compared.settled > 0:
        rows = [*before.get(SETTLED, ()), *filter(_is_settled, before["off"])]
        references = ", ".join(dict.fromkeys(row["titre"] for row in rows))
        message = (
            f"{euros(compared.settled)} retirés pour de bon de {references} (décharge prononcée par le "
            "juge, ou créance déjà appelée) : ce montant n'est pas appelé de nouveau."
        )
        result.report(engine.Anomaly(SETTLED, message, blocking=False))


def _to_reduce(compared: Comparison, before: Mapping[str, Any]) -> str:
    steps = [
        _step(reference, amount, Decimal(before["due"][reference]), before.get(CLOSED, ()))
        for reference, amount in compared.reductions.items()
    ]
    named = [f"{_named(key, before)} {euros(amount)}" for key, amount in compared.excess.items()]
    more = len(named) - SHOWN
    if more > 0:
        named = [*named[:SHOWN], f"et {plural(more, 'autre')}"]
    return f"À réduire : {' ; '.join(steps)}. Appelé en trop : {' ; '.join(named)}."


def _step(reference: str, amount: Decimal, due: Decimal, closed: Iterable[str]) -> str:
    """Say how an amount comes off a titre; past its exercice, neither réduction nor annulation can."""
    if reference in closed:
        return (
            f"{euros(amount)} à rendre sur le titre {reference}, dont l'exercice est clos, par "
            "« Demander un mandat »"
        )
    if amount < due:
        return f"{euros(amount)} à retirer du titre {reference}, par « Réduire »"
    return f"le titre {reference}, où {euros(amount)} restent dus, par « Annuler »"


def _named(key: Key, before: Mapping[str, Any]) -> str:
    charge, _, uai, label = key
    labels = {row["charge"]: row["charge_label"] for row in before["rows"]}
    if charge == engine.DEDUCTION:
        return "déductions"
    what = label or labels[charge]
    return f"{uai}, {what}" if uai else what


def _billed_in_excess(
    compared: Iterable[tuple[engine.Result, Comparison]],
) -> dict[tuple[str, str], list[tuple[engine.Member, str]]]:
    """Return who was billed for a school or an agreement that it does not owe: {(charge, which): …}."""
    found: dict[tuple[str, str], list[tuple[engine.Member, str]]] = defaultdict(list)
    for result, comparison in compared:
        references = ", ".join(comparison.reductions)
        for charge, agreement, uai, _ in comparison.excess:
            if references and (uai or agreement):
                found[charge, uai or agreement].append((result.member, references))
    return found


def _report_others(
    result: engine.Result,
    billed: Mapping[tuple[str, str], Sequence[tuple[engine.Member, str]]],
) -> None:
    """Report what the titre of another debtor asks already: merged, dissolved, or wrongly named."""
    for line in result.lines:
        which = line.uai or line.agreement
        for member, references in billed.get((line.charge, which), ()):
            if member.siret != result.member.siret:
                message = (
                    f"{which}, « {line.charge_label} » : déjà appelé de {member.name} ({references}). "
                    "Annulez ce titre et ré-émettez-le, ou réduisez-le, puis recalculez."
                )
                result.report(engine.Anomaly("called_from_another", message, line.uai))
