"""The frozen basis of a calculation: all that was read, in a form that can be kept and replayed."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, is_dataclass
from decimal import Decimal
from typing import Any

from tariffs import engine

WITHOUT_SIRET = "sans SIRET"


@dataclass(frozen=True)
class Basis:
    """Everything an assessment reads. `facts` names the schedule, version, act and sources in words.

    A debtor that has no SIRET yet stands in it under « sans SIRET » and its key: it is not called, but
    it weighs on the pools it shares, so that its SIRET once known moves no one else's part.
    """

    school_year: int
    facts: dict[str, Any]
    charges: tuple[engine.Charge, ...]
    members: tuple[engine.Member, ...]
    acceptances: tuple[engine.Acceptance, ...] = ()

    def assess(self) -> list[engine.Result]:
        """Return what each member owes, by SIRET."""
        results = engine.compute(self.charges, self.members, self.school_year, self.acceptances)
        return [result for result in results if WITHOUT_SIRET not in result.member.siret]

    @property
    def without_siret(self) -> tuple[engine.Member, ...]:
        """Return the debtors that can't be called for want of a SIRET."""
        return tuple(m for m in self.members if WITHOUT_SIRET in m.siret)

    def as_json(self) -> dict:
        """Return the basis as JSON types; amounts and prices are strings."""
        return json.loads(json.dumps(self, default=_plain))


def from_json(data: dict) -> Basis:
    """Rebuild a basis from what `as_json` returned."""
    return Basis(
        school_year=data["school_year"],
        facts=data["facts"],
        charges=frozen_charges(data["charges"]),
        members=tuple(_member(item) for item in data["members"]),
        acceptances=tuple(engine.Acceptance(**item) for item in data["acceptances"]),
    )


def frozen_charges(items: Iterable[dict]) -> tuple[engine.Charge, ...]:
    """Rebuild the charges of a basis alone."""
    return tuple(_charge(item) for item in items)


def _plain(value: Any) -> Any:
    """Return what JSON has no word for: the fields of a dataclass, or the text of a price."""
    return vars(value) if is_dataclass(value) else str(value)


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _charge(item: dict) -> engine.Charge:
    bands = tuple(engine.Band(**{**band, "price": Decimal(band["price"])}) for band in item["bands"])
    prices = {name: _decimal(item[name]) for name in ("unit_price", "pool")}
    return engine.Charge(**{**item, **prices, "bands": bands})


def _member(item: dict) -> engine.Member:
    deductions = tuple(
        engine.Deduction(**{**d, "amount": Decimal(d["amount"])}) for d in item["deductions"]
    )
    adjustments = tuple(
        # Bases frozen before there were adjustments name none.
        engine.Adjustment(**{**a, "amount": Decimal(a["amount"])})
        for a in item.get("adjustments", ())
    )
    agreements = tuple(_agreement(agreement) for agreement in item["agreements"])
    return engine.Member(
        **{
            **item,
            "agreements": agreements,
            "deductions": deductions,
            "adjustments": adjustments,
        }
    )


def _agreement(item: dict) -> engine.Agreement:
    return engine.Agreement(
        **{
            **item,
            "schools": tuple(engine.School(**school) for school in item["schools"]),
            "subscriptions": tuple(item["subscriptions"]),
            "units": tuple((code, quantity) for code, quantity in item["units"]),
        }
    )
