"""What is still to call at the end of an exercice: « produits à rattacher », with their basis.

A school year begun is due in full [D14]: the service of one that ended before 31 December is done, that
of the one begun in September is under way. Titres that bear a later exercice don't count.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from conventions.assessment import read_basis
from conventions.basis import Basis
from entsvc import school_year
from entsvc.french import euros
from invoicing.claims import issued_elsewhere
from invoicing.decisions import decisions_for
from members.models import Issuer
from tariffs import engine
from tariffs.adoption import NotAdopted
from tariffs.models import Schedule

YEARS = 4  # school years that ended before the one under way: older claims are prescribed
ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Unbilled:
    """What a debtor is still to be asked for a school year, in euros, and what it rests on.

    `to_mend` is what keeps its amount from being known whole.
    """

    schedule: str
    year: int
    is_done: bool
    siret: str
    name: str
    agreements: str
    owed: Decimal
    issued: Decimal
    basis: str
    to_mend: str

    @property
    def left(self) -> Decimal:
        """Return the euros still to call."""
        return max(self.owed - self.issued, ZERO)


def unbilled(issuer: Issuer, exercice: int) -> list[Unbilled]:
    """Return what is left to call at 31 December, by schedule, school year and SIRET.

    Computed on today's data. A debtor whose amount can't be computed whole is there, with the reason;
    a school year that no act adopted a tariff for is not: nothing can be called for it.
    """
    return [
        row
        for schedule in Schedule.objects.filter(issuer=issuer).order_by("code")
        for year in range(exercice - YEARS, exercice + 1)
        for row in _of_year(schedule, year, exercice)
    ]


def _of_year(schedule: Schedule, year: int, exercice: int) -> Iterator[Unbilled]:
    try:
        basis = read_basis(schedule, year, decisions_for(schedule, year))
    except NotAdopted:
        return
    issued = {
        debtor["siret"]: _asked(debtor) for debtor in issued_elsewhere(schedule, year, exercice=exercice)
    }
    for result in basis.assess():
        row = _row(schedule, year, exercice, result, basis, issued.get(result.member.siret, ZERO))
        if row.left or row.to_mend:
            yield row


def _asked(debtor: dict) -> Decimal:
    """Return what the titres ask of a debtor, and what staff chose not to call."""
    skipped = (Decimal(row["amount"]) for row in debtor["rows"] if not row["titre"])
    return sum(map(Decimal, debtor["due"].values()), sum(skipped, ZERO))


def _row(
    schedule: Schedule,
    year: int,
    exercice: int,
    result: engine.Result,
    basis: Basis,
    issued: Decimal,
) -> Unbilled:
    blocking = [anomaly.message for anomaly in result.anomalies if anomaly.blocking]
    sums: dict[str, Decimal] = {}
    for line in result.lines:
        sums[line.charge_label] = sums.get(line.charge_label, ZERO) + line.amount
    words = [f"{label} : {euros(amount)}" for label, amount in sums.items()]
    return Unbilled(
        schedule=schedule.code,
        year=year,
        is_done=school_year.last_day(year).year <= exercice,
        siret=result.member.siret,
        name=result.member.name,
        agreements=", ".join(agreement.reference for agreement in result.member.agreements),
        owed=result.total,
        issued=issued,
        basis=" ; ".join([*words, f"tarif {basis.facts['version']}, {basis.facts['act']}"]),
        to_mend=" ".join(blocking),
    )
