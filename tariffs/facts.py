"""What a calculation reads and finds: plain frozen facts, with no database behind them.

Money is Decimal euros, counts are integers, a school year is its first calendar year.
"""

from dataclasses import dataclass, field
from decimal import Decimal

PUPILS, ACTIVE_PUPILS, SCHOOLS, UNITS = "pupils", "active_pupils", "schools", "units"  # metrics
UNIT, BANDED, ALLOCATION = "unit", "banded", "allocation"  # charge models


@dataclass(frozen=True)
class Band:
    """A price for quantities from `lower` to `upper`, both included; `note` is for `upper` itself."""

    lower: int
    upper: int
    price: Decimal
    note: str = ""


@dataclass(frozen=True)
class Charge:
    """One thing billed. `pool` is the amount shared out by an allocation, once known.

    `notice` is what a reader of any call that bears this charge should know.
    """

    code: str
    label: str
    unit_label: str
    unit_plural: str
    metric: str
    model: str
    unit_price: Decimal | None = None
    pool: Decimal | None = None
    degree: str = ""
    sector: str = ""
    subscription: str = ""
    bands: tuple[Band, ...] = ()
    notice: str = ""
    pool_reference: str = ""


@dataclass(frozen=True)
class School:
    """A school named by an agreement, with the counts retained for the year (None: unknown).

    `excluded` is why staff left it out of this year's calls. `previous_pupils` is the billable count of
    the school year before.
    """

    uai: str
    name: str
    commune: str
    degree: str
    sector: str
    pupils: int | None = None
    pupils_source: str = ""
    pupils_billable: bool = True
    active_pupils: int | None = None
    active_source: str = ""
    active_billable: bool = True
    excluded: str = ""
    previous_pupils: int | None = None

    @property
    def named(self) -> str:
        """Return how a message names it."""
        return f"{self.uai} ({self.name}, {self.commune})" if self.name else self.uai


@dataclass(frozen=True)
class Agreement:
    """What one agreement brings into the year: schools, subscribed options, delivered units.

    `title` is how documents name it; `party` who signed, when it is not the debtor.
    """

    reference: str
    title: str
    party: str = ""
    schools: tuple[School, ...] = ()
    subscriptions: tuple[str, ...] = ()
    units: tuple[tuple[str, int], ...] = ()
    private_included: bool = False

    @property
    def billed(self) -> tuple[School, ...]:
        """Return the schools that staff did not leave out."""
        return tuple(school for school in self.schools if not school.excluded)


@dataclass(frozen=True)
class Deduction:
    """A decided subsidy that comes off a member's call."""

    label: str
    amount: Decimal
    reference: str = ""


@dataclass(frozen=True)
class Adjustment:
    """What an officer adds to a member's call by hand, or takes off it when negative, and why."""

    label: str
    amount: Decimal
    reason: str


@dataclass(frozen=True)
class Member:
    """A debtor and all the agreements it pays for."""

    siret: str
    name: str
    agreements: tuple[Agreement, ...]
    deductions: tuple[Deduction, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()


@dataclass(frozen=True)
class Line:
    """A printed line: quantity × unit price = amount, and the words of it."""

    charge: str
    charge_label: str
    agreement: str
    uai: str
    school: str
    commune: str
    quantity: int
    unit: str
    unit_price: Decimal | None
    amount: Decimal
    explanation: str


@dataclass(frozen=True)
class Anomaly:
    """Why an amount can't be trusted; a blocking one keeps its member from being issued."""

    code: str
    message: str
    uai: str = ""
    blocking: bool = True
    accepted: str = ""


@dataclass(frozen=True)
class Acceptance:
    """Anomalies of one code accepted with a reason; an empty `siret` or `uai` means all of them."""

    code: str
    reason: str
    siret: str = ""
    uai: str = ""


@dataclass
class Result:
    """What one member owes, and what stands in the way."""

    member: Member
    lines: list[Line] = field(default_factory=list)
    anomalies: list[Anomaly] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        """Return the sum of the printed lines, in euros."""
        return sum((line.amount for line in self.lines), Decimal("0.00"))

    @property
    def blocked(self) -> bool:
        """Tell whether an anomaly keeps the member from being issued."""
        return any(anomaly.blocking for anomaly in self.anomalies)

    def report(self, anomaly: Anomaly) -> None:
        """Add an anomaly, once however many charges meet it."""
        if anomaly not in self.anomalies:
            self.anomalies.append(anomaly)
