"""What is still to call at the end of an exercice: « produits à rattacher », with their basis.

A school year begun is due in full [D14]: the service of one that ended before 31 December is done, that
of the one begun in September is under way. Titres that bear a later exercice don't count. What a court
or another titre settled is asked no more. What is billed apart is there once its service is done.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from conventions.assessment import read_basis
from conventions.basis import Basis
from conventions.models import Delivery
from entsvc import school_year
from entsvc.french import euros
from entsvc.money import round_cents
from invoicing import apart
from invoicing.claims import SETTLED, issued_elsewhere
from invoicing.decisions import decisions_for
from members.models import Issuer
from tariffs import engine
from tariffs.adoption import NotAdopted, adopted
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
    schedules = list(Schedule.objects.filter(issuer=issuer).order_by("code"))
    years = range(exercice - YEARS, exercice + 1)
    yearly = [
        row for schedule in schedules for year in years for row in _of_year(schedule, year, exercice)
    ]
    return yearly + [row for schedule in schedules for row in _apart(schedule, exercice)]


def _of_year(schedule: Schedule, year: int, exercice: int) -> Iterator[Unbilled]:
    try:
        basis = read_basis(schedule, year, decisions_for(schedule, year))
    except NotAdopted:
        return
    before = {debtor["siret"]: debtor for debtor in issued_elsewhere(schedule, year, exercice=exercice)}
    for result in basis.assess():
        asked = _asked(before.get(result.member.siret), result.total)
        row = _row(schedule, year, exercice, result, basis, asked)
        if row.left or row.to_mend:
            yield row


def _asked(debtor: dict | None, owed: Decimal) -> Decimal:
    """Return what the titres ask of a debtor, what staff chose not to call, and what is settled.

    What is settled fills at most what the titres don't ask of the euros `owed`.
    """
    if debtor is None:
        return ZERO
    skipped = (Decimal(row["amount"]) for row in debtor["rows"] if not row["titre"])
    issued = sum(map(Decimal, debtor["due"].values()), sum(skipped, ZERO))
    taken_off = [row for row in debtor["off"] if row.get(SETTLED)]
    settled = sum((Decimal(row["amount"]) for row in (*debtor[SETTLED], *taken_off)), ZERO)
    return issued + min(max(settled, ZERO), max(owed - issued, ZERO))


def _apart(schedule: Schedule, exercice: int) -> Iterator[Unbilled]:
    """Yield the quotes served and the deliveries left apart that no titre of the exercice bills."""
    until = date(exercice, 12, 31)
    for quote in apart.served_quotes(schedule, until):
        if not apart.is_billed(getattr(quote, "campaign", None), exercice):
            served = quote.supplier_invoices.filter(served_on__lte=until).order_by("pk")
            owed = sum((invoice.expected for invoice in served), ZERO)
            yield Unbilled(
                schedule=schedule.code,
                year=quote.school_year,
                is_done=True,
                siret=quote.debtor.siret or "",
                name=str(quote.debtor),
                agreements=quote.number,
                owed=owed,
                issued=ZERO,
                basis=f"{quote} : {quote.subject}",
                to_mend=" ".join(apart.obstacles(quote)),
            )
    waiting = Delivery.objects.filter(
        apart=True, convention__schedule=schedule, delivered_on__lte=until
    ).select_related("convention__debtor")
    deliveries = list(waiting.order_by("delivered_on", "pk"))
    billed = apart.campaigns_of(deliveries)
    for delivery in deliveries:
        if not apart.is_billed(billed.get(delivery.pk), exercice):
            yield _of_delivery(schedule, delivery)


def _of_delivery(schedule: Schedule, delivery: Delivery) -> Unbilled:
    try:
        version = adopted(schedule, delivery.school_year).version
        price = version.charges.filter(code=delivery.code, metric=engine.UNITS).first()
        to_mend = "" if price else f"La ligne {delivery.code} n'est pas dans le tarif de l'année."
    except NotAdopted as error:
        price, to_mend = None, str(error)
    debtor = delivery.convention.debtor
    return Unbilled(
        schedule=schedule.code,
        year=delivery.school_year,
        is_done=True,
        siret=debtor.siret or "",
        name=str(debtor),
        agreements=delivery.convention.reference,
        owed=round_cents((price.unit_price or ZERO) * delivery.quantity) if price else ZERO,
        issued=ZERO,
        basis=f"{delivery} : {delivery.subject}, à facturer à part",
        to_mend=to_mend,
    )


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
