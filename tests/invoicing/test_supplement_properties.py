"""Whatever was issued, corrected and found since: a supplement and its réductions make it right."""

from copy import deepcopy
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from invoicing.supplements import ZERO, compare
from tariffs import engine

SCHOOLS = [("BASE", "0310001A"), ("BASE", "0310002B"), ("OPTION", "0310001A"), ("POOL", "")]
POOLED = {"POOL"}
cents = st.integers(1, 30000).map(lambda number: Decimal(number).scaleb(-2))


def line(charge, uai, amount):
    return engine.Line(
        charge=charge,
        charge_label=f"Ligne {charge}",
        agreement="C-1" if uai else "",
        uai=uai,
        school="",
        commune="",
        quantity=1,
        unit="élève",
        unit_price=None if charge in POOLED else Decimal("1.30"),
        amount=amount,
        explanation=f"{charge} {uai}",
    )


@st.composite
def calls(draw):
    """Return the lines of a call: some of the schools, and a deduction that it can bear."""
    lines = [line(charge, uai, draw(cents)) for charge, uai in SCHOOLS if draw(st.booleans())]
    total = sum((item.amount for item in lines), ZERO)
    if draw(st.booleans()) and total:
        lines.append(line(engine.DEDUCTION, "", -min(draw(cents), total)))
    return lines


def titre(reference, lines):
    names = ("charge", "charge_label", "agreement", "uai", "school", "commune", "unit")
    return [
        {**{n: getattr(x, n) for n in names}, "amount": str(x.amount), "titre": reference} for x in lines
    ]


def total(lines):
    return sum((item.amount for item in lines), ZERO)


def issued(lines, reference="T1", before=None):
    before = deepcopy(before) or {"due": {}, "rows": [], "off": []}
    if total(lines):
        before["due"][reference] = str(total(lines))
        before["rows"] += titre(reference, lines)
    return before


def take_off(before, reference, amount, row):
    """Take a réduction off a titre, or all of it: once annulled it counts no more."""
    left = Decimal(before["due"].pop(reference)) - amount
    if not left:
        for name in ("rows", "off"):
            before[name] = [row for row in before[name] if row["titre"] != reference]
        return
    before["due"][reference] = str(left)
    before["off"].append({**row, "amount": str(amount), "titre": reference})


def where(before, reference, draw):
    """Return where an officer says that a réduction comes off: a line, or a charge as a whole."""
    row = draw(st.sampled_from([row for row in before["rows"] if row["titre"] == reference]))
    names = ("charge", "charge_label", "agreement", "uai")
    whole = draw(st.booleans())
    return {n: "" if whole and n in ("agreement", "uai") else row[n] for n in names}


@st.composite
def pasts(draw):
    """Return what a call asked once issued, and partly reduced or not."""
    before = issued(draw(calls()))
    for reference, due in list(before["due"].items()):
        if draw(st.booleans()):
            amount = min(draw(cents), Decimal(due))
            if amount > 0:
                take_off(before, reference, amount, where(before, reference, draw))
    return before


def asked(before):
    return sum(map(Decimal, before["due"].values()), ZERO)


def supplement(before, lines, reference, draw):
    """Do what a supplementary campaign asks for, and return what is issued then."""
    found = compare(lines, before, POOLED)
    while found.annul_first:
        for titre_reference in found.annul_first:
            take_off(before, titre_reference, Decimal(before["due"][titre_reference]), {})
        found = compare(lines, before, POOLED)
    after = issued(found.lines, reference, before)
    for titre_reference, amount in found.reductions.items():
        take_off(after, titre_reference, amount, where(after, titre_reference, draw))
    return after


@given(pasts(), calls(), calls(), st.data())
def test_a_supplement_and_its_reductions_ask_what_a_full_calculation_gives(before, lines, later, data):
    after = supplement(before, lines, "T2", data.draw)
    assert asked(after) == total(lines)
    assert all(Decimal(due) > 0 for due in after["due"].values())
    again = compare(lines, after, POOLED)
    assert total(again.lines) == 0
    assert not again.reductions

    last = supplement(after, later, "T3", data.draw)
    assert asked(last) == total(later)
    assert total(compare(later, last, POOLED).lines) == 0


@given(pasts(), calls())
def test_only_what_is_missing_is_a_line(before, lines):
    found = compare(lines, before, POOLED)
    if asked(before) and not found.annul_first:
        assert all(item.amount > 0 for item in found.lines)
        left = total(lines) - asked(before)
        assert total(found.lines) - sum(found.reductions.values()) == left


@given(calls())
def test_what_was_issued_as_it_is_owed_asks_for_nothing(lines):
    found = compare(lines, issued(lines), POOLED)
    if total(lines):
        assert (found.lines, found.reductions) == ([], {})
