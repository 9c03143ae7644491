"""What remains to collect at a day: what was issued, corrected and paid by then, and nothing since.

Aged by the days since the titre was due. Where the words of a titre make no day (30 days after it is
posted on Chorus Pro, until that day is known) its due date is approximate, and said to be so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any

from django.db.models import Exists, ExpressionWrapper, OuterRef, Q, Subquery, Sum, TextChoices, Value
from django.db.models.functions import Coalesce

from entsvc.fields import MoneyField
from invoicing.chorus.posting import posted_on
from invoicing.deadlines import deadline
from invoicing.models import Bordereau, BordereauEvent, MandatRequest, Payment, Titre, TitreEvent
from invoicing.payments import ZERO, remaining
from invoicing.prescription import Limit, Limits
from members.models import Issuer

APPROXIMATE_DAYS = 30


class Age(TextChoices):
    """How long a titre has been due."""

    NOT_DUE = "non-echu", "Non échu"
    TO_30 = "30", "0 à 30 jours"
    TO_60 = "60", "31 à 60 jours"
    TO_90 = "90", "61 à 90 jours"
    BEYOND = "plus", "Plus de 90 jours"


UP_TO = ((30, Age.TO_30), (60, Age.TO_60), (90, Age.TO_90))


@dataclass(frozen=True)
class Standing:
    """A titre at a day, in euros: its amount, what corrected it and what was received by then.

    `asked_by_mandat`: what mandats were asked to offset; it changes nothing to what is due.
    `is_project`: it went out under our provisional reference, the accountant's number is still awaited.
    `is_sent`: its bordereau went to the accountant, who sends the titre to its debtor, or the accountant
    answered or received something, or Chorus Pro made it available; before that, the debtor may not have
    heard of it.
    """

    key: Any
    reference: str
    external_reference: str
    debtor_name: str
    siret: str
    subject: str
    school_year: int
    issued_on: date
    due_on: date
    is_approximate: bool
    total: Decimal
    corrected: Decimal
    received: Decimal
    asked_by_mandat: Decimal
    rejected: bool
    is_project: bool
    is_sent: bool
    limit: Limit

    @property
    def due(self) -> Decimal:
        """Return the euros asked once corrected."""
        return self.total - self.corrected

    @cached_property
    def remaining(self) -> Decimal:
        """Return the euros left to pay, never less than nothing."""
        return remaining(self.due, self.received)

    @cached_property
    def overpaid(self) -> Decimal:
        """Return the euros received beyond what is due."""
        return max(self.received - self.due, ZERO)

    @property
    def to_claim(self) -> Decimal:
        """Return the euros to ask the debtor for: what is left to pay, less what mandats will offset."""
        return max(self.remaining - self.asked_by_mandat, ZERO)

    def days_late(self, on: date) -> int:
        """Return the days since it was due, negative before."""
        return (on - self.due_on).days

    def age(self, on: date) -> Age:
        """Return how long it has been due."""
        return age_of(self.days_late(on))


@dataclass
class Sums:
    """Euros added up; `ages` part what remains."""

    name: str = ""
    siret: str = ""
    titres: int = 0
    total: Decimal = ZERO
    corrected: Decimal = ZERO
    received: Decimal = ZERO
    remaining: Decimal = ZERO
    overpaid: Decimal = ZERO
    asked_by_mandat: Decimal = ZERO
    ages: dict[Age, Decimal] = field(default_factory=lambda: dict.fromkeys(Age, ZERO))

    def add(self, standing: Standing, on: date) -> None:
        """Add a titre."""
        self.titres += 1
        self.total += standing.total
        self.corrected += standing.corrected
        self.received += standing.received
        self.remaining += standing.remaining
        self.overpaid += standing.overpaid
        self.asked_by_mandat += standing.asked_by_mandat
        self.ages[standing.age(on)] += standing.remaining

    @property
    def due(self) -> Decimal:
        """Return the euros asked once corrected."""
        return self.total - self.corrected

    @property
    def by_age(self) -> list[Decimal]:
        """Return what remains of each age, in their order."""
        return [self.ages[age] for age in Age]


@dataclass(frozen=True)
class Balance:
    """What remains to collect at a day: the titres on which something is left, or paid in excess."""

    on: date
    standings: Sequence[Standing]

    @cached_property
    def sums(self) -> Sums:
        """Return the sums of all of them."""
        return summed(self.standings, self.on)

    @cached_property
    def debtors(self) -> list[Sums]:
        """Return the sums of each debtor, those who owe most first."""
        found: dict[str, list[Standing]] = {}
        for standing in self.standings:
            found.setdefault(standing.siret, []).append(standing)
        rows = [summed(group, self.on) for group in found.values()]
        return sorted(rows, key=lambda row: (-row.remaining, row.name, row.siret))

    @property
    def warned(self) -> list[Standing]:
        """Return the titres whose collection is prescribed, or will be within a year."""
        late = [s for s in self.standings if s.remaining and s.limit.warning(self.on)]
        return sorted(late, key=lambda s: (s.limit.until or date.max, s.reference))


def age_of(days: int) -> Age:
    """Return the age of a titre due since some days: due today, it is not late yet."""
    if days <= 0:
        return Age.NOT_DUE
    return next((age for most, age in UP_TO if days <= most), Age.BEYOND)


@lru_cache(maxsize=512)  # a few days and words, thousands of titres
def due_date(issued_on: date, due_text: str, posted: date | None = None) -> tuple[date, bool]:
    """Return the day on which a titre is due, and whether it is approximate.

    That of its own words, counted from the day it was posted on Chorus Pro where they say so; else 30
    days after its issue.
    """
    day = deadline(issued_on, due_text, posted).day
    return (day, False) if day else (issued_on + timedelta(days=APPROXIMATE_DAYS), True)


def summed(standings: Iterable[Standing], on: date) -> Sums:
    """Add titres up, under the debtor of the latest."""
    sums = Sums()
    latest = date.min
    for standing in standings:
        sums.add(standing, on)
        if standing.issued_on >= latest:
            latest, sums.name, sums.siret = standing.issued_on, standing.debtor_name, standing.siret
    return sums


def balance_at(issuer: Issuer, on: date) -> Balance:
    """Return what remains of an issuer's titres at a day, in three queries."""
    return Balance(on, unsettled_at(issuer, on))


def standings_at(issuer: Issuer, on: date, limits: Limits | None = None) -> list[Standing]:
    """Return every titre that an issuer had issued by a day, as it stood then."""
    return _standings(_rows(issuer, on), issuer, limits or Limits.load())


def unsettled_at(issuer: Issuer, on: date) -> list[Standing]:
    """Return those of which something remained to pay, or had been paid in excess."""
    rows = (row for row in _rows(issuer, on) if row["total"] - row["corrected"] != row["received"])
    found = _standings(rows, issuer, Limits.load())
    return [standing for standing in found if standing.remaining or standing.overpaid]


def _standings(rows: Iterable[dict[str, Any]], issuer: Issuer, limits: Limits) -> list[Standing]:
    said = _said(issuer)
    return [_standing(row, said[row["bordereau"]], issuer, limits) for row in rows]


def _standing(
    row: dict[str, Any], said: tuple[str | None, bool | None], issuer: Issuer, limits: Limits
) -> Standing:
    due_text, is_external = said
    due_on, is_approximate = due_date(row["issued_on"], due_text or "", row["posted"])
    answer, answered_on = row["answer"], row["answered_on"]
    taken_on = answered_on if answer == TitreEvent.Kind.TAKEN else None
    return Standing(
        key=row["pk"],
        due_on=due_on,
        is_approximate=is_approximate,
        school_year=row["campaign__school_year"],
        rejected=answer == TitreEvent.Kind.REJECTED,
        is_project=bool(is_external) and not row["external_reference"],
        is_sent=row["bordereau_sent"]
        or answer is not None
        or bool(row["received"])
        or row["posted"] is not None,
        limit=limits.to_collect(issuer, row["issued_on"], taken_on, row["debtor__kind"]),
        **{name: row[name] for name in _COPIED},
    )


_COPIED = (
    "reference", "external_reference", "debtor_name", "siret", "subject", "issued_on", "total",
    "corrected", "received", "asked_by_mandat",
)  # fmt: skip
_NOTHING = Value(ZERO, output_field=MoneyField())


def _rows(issuer: Issuer, on: date) -> Any:
    answers = TitreEvent.objects.filter(titre=OuterRef("pk"), on__lte=on).order_by("-pk")
    sent = BordereauEvent.objects.filter(
        bordereau=OuterRef("bordereau"), kind=BordereauEvent.Kind.SENT, on__lte=on
    )
    return (
        Titre.objects.filter(issuer=issuer, kind=Titre.Kind.TITRE, issued_on__lte=on)
        .annotate(
            corrected=_corrected(on),
            received=_received(on),
            asked_by_mandat=_asked_by_mandat(on),
            answer=Subquery(answers.values("kind")[:1]),
            answered_on=Subquery(answers.values("on")[:1]),
            bordereau_sent=Exists(sent),
            posted=posted_on(by=on),
        )
        .order_by("debtor_name", "issued_on", "reference")
        .values(
            "pk", "bordereau", "campaign__school_year", "debtor__kind", "answer", "answered_on",
            "bordereau_sent", "posted", *_COPIED,
        )
        .iterator()
    )  # fmt: skip


def _said(issuer: Issuer) -> dict[Any, tuple[str | None, bool | None]]:
    """Return what the titres of each bordereau say of their due day, and whether they are projects.

    Issued together, they say the same (see `payload.letterhead`): reading it in each would be to read
    all that is frozen of it.
    """
    bordereaux = Bordereau.objects.filter(issuer=issuer, kind=Bordereau.Kind.TITRES)
    said = Titre.objects.first_of(bordereaux).order_by("pk")
    rows = said.values_list("bordereau", "payload__document__due_text", "payload__document__external")
    return {key: (due_text, is_external) for key, due_text, is_external in rows}


def _corrected(on: date) -> Coalesce:
    rows = Titre.objects.filter(original=OuterRef("pk"), issued_on__lte=on).order_by()
    return Coalesce(Subquery(rows.values("original").annotate(sum=Sum("total")).values("sum")), _NOTHING)


def _asked_by_mandat(on: date) -> Coalesce:
    rows = MandatRequest.objects.filter(titre=OuterRef("pk"), requested_on__lte=on).order_by()
    return Coalesce(Subquery(rows.values("titre").annotate(sum=Sum("amount")).values("sum")), _NOTHING)


def _received(on: date) -> Coalesce:
    kinds = Payment.Kind
    rows = Payment.objects.filter(titre=OuterRef("pk"), received_on__lte=on).order_by().values("titre")
    net = ExpressionWrapper(
        Coalesce(Sum("amount", filter=Q(kind=kinds.RECEIPT)), _NOTHING)
        - Coalesce(Sum("amount", filter=Q(kind=kinds.CANCELLATION)), _NOTHING),
        output_field=MoneyField(),
    )
    return Coalesce(Subquery(rows.annotate(net=net).values("net")), _NOTHING)
