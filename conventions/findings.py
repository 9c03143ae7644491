"""What a line of the data-quality page is, and the rows that its lines are about.

Nothing here is stored: a finding is a condition on rows, which counts them and lists them alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any

from django.db.models import F, Q, QuerySet

from conventions import states
from conventions.assessment import covering
from conventions.models import Convention, Enrolment
from conventions.policies import GATING
from entsvc import school_year
from members.models import Issuer, Member, School
from tariffs.models import Adoption, Charge

BLOCKING, TO_CHECK = "bloque", "à vérifier"


@dataclass(frozen=True)
class Scope:
    """An issuer and a school year (2024 for 2024-2025)."""

    issuer: Issuer
    year: int

    def __str__(self) -> str:
        return f"{self.issuer.code} {school_year.label(self.year)}"

    @property
    def departements(self) -> list[str]:
        """Return the codes of the issuer's territory."""
        return self.issuer.departements.split()

    @cached_property
    def degrees(self) -> frozenset[str]:
        """Return the degrees that the tariff of the year bills; of any year while none is adopted."""
        found = {charge["degree"] for charge in self.charges}
        if not found:
            charges = Charge.objects.filter(version__schedule__issuer=self.issuer)
            found = set(charges.order_by().values_list("degree", flat=True).distinct())
        return frozenset(School.Degree.values) if "" in found else frozenset(found)

    @property
    def charges(self) -> list[dict[str, Any]]:
        """Return what the charges adopted for the year bill, and by what, each kind once."""
        return [row for row in self._tariffs if row["metric"] is not None]

    @property
    def adopted(self) -> set[int]:
        """Return the keys of the issuer's schedules that have a tariff for the year."""
        return {row["schedule"] for row in self._tariffs}

    @cached_property
    def _tariffs(self) -> list[dict[str, Any]]:
        """Return the charges of the tariffs of the year, and a row without any for one that has none."""
        names = ("metric", "model", "degree", "sector", "subscription")
        rows = Adoption.objects.filter(schedule__issuer=self.issuer, school_year=self.year)
        charges = {name: F(f"version__charges__{name}") for name in names}
        return list(
            rows.order_by("schedule", *charges.values()).values("schedule", **charges).distinct()
        )


def _once(read: Callable[[Scope], QuerySet]) -> Callable[[Scope], QuerySet]:
    """Build a query of a scope once: a page asks thirty questions of the same rows."""

    @wraps(read)
    def kept(scope: Scope) -> QuerySet:
        known = vars(scope).setdefault("_queries", {})
        if read.__name__ not in known:
            known[read.__name__] = read(scope)
        return known[read.__name__].all()

    return kept


@dataclass(frozen=True)
class Finding:
    """One line of the page: which rows are concerned among `base`, how bad it is, what mends it."""

    code: str
    label: str
    advice: str
    severity: str
    base: Callable[[Scope], QuerySet]
    condition: Callable[[Scope], Q]

    def rows(self, scope: Scope) -> QuerySet:
        """Return the rows that the line counts."""
        return self.base(scope).filter(self.condition(scope))


def territory_schools(scope: Scope) -> QuerySet[School]:
    """Return the public schools of the territory whose degree is billed and that are still there."""
    return School.objects.filter(
        departement_code__in=scope.departements,
        sector=School.Sector.PUBLIC,
        degree__in=scope.degrees,
    ).exclude(absent(scope))


def absent(scope: Scope) -> Q:
    """Match the schools that the annuaire no longer named before the year was over."""
    return Q(absent_since__lte=school_year.last_day(scope.year))


@_once
def unagreed_schools(scope: Scope) -> QuerySet[School]:
    """Return the schools of the territory that no agreement in force names for the year."""
    return territory_schools(scope).exclude(pk__in=enrolments(scope).values("school"))


@_once
def enrolled_schools(scope: Scope) -> QuerySet[School]:
    """Return the schools that agreements in force name for the year."""
    return School.objects.filter(pk__in=enrolments(scope).values("school"))


@_once
def agreements(scope: Scope) -> QuerySet[Convention]:
    """Return the issuer's agreements that cover the year and may be called, drafts included."""
    return all_agreements(scope).exclude(policy__in=GATING)


@_once
def all_agreements(scope: Scope) -> QuerySet[Convention]:
    """Return the issuer's agreements that cover the year but those abandoned, frameworks included."""
    found = Convention.objects.filter(covering(scope.year), schedule__issuer=scope.issuer)
    return found.exclude(status=states.ABANDONED)


@_once
def parties(scope: Scope) -> QuerySet[Member]:
    """Return who signs or pays under the agreements that cover the year."""
    return Member.objects.filter(signs_or_pays(agreements(scope)))


def first_degree_communes(scope: Scope) -> QuerySet[Member]:
    """Return the communes that have a public école which no agreement names, when écoles are billed."""
    if School.Degree.FIRST not in scope.degrees:
        return Member.objects.none()
    schools = unagreed_schools(scope).filter(degree=School.Degree.FIRST)
    return Member.objects.filter(
        kind=Member.Kind.COMMUNE,
        successor__isnull=True,
        insee_code__in=schools.order_by().values("commune_code"),
    )


def earlier_parties(scope: Scope) -> QuerySet[Member]:
    """Return who signed or paid in an earlier year, and was not taken over since."""
    before = Convention.objects.filter(
        schedule__issuer=scope.issuer,
        status__in=states.OWING,
        first_year__lt=scope.year,
    ).exclude(policy__in=GATING)
    return Member.objects.filter(signs_or_pays(before), successor__isnull=True)


@_once
def in_force(scope: Scope) -> QuerySet[Convention]:
    """Return the agreements that owe something of the year."""
    return agreements(scope).filter(status__in=states.OWING)


def signs_or_pays(conventions: QuerySet[Convention]) -> Q:
    """Match the members that sign or pay for some agreements."""
    conventions = conventions.order_by()
    return Q(pk__in=conventions.values("debtor").union(conventions.values("party")))


@_once
def enrolments(scope: Scope) -> QuerySet[Enrolment]:
    """Return what agreements in force name for the year, opened or not."""
    return (
        Enrolment.objects.order_by()
        .filter(
            covering(scope.year),
            covering(scope.year, "convention__"),
            convention__schedule__issuer=scope.issuer,
            convention__status__in=states.OWING,
        )
        .exclude(convention__policy__in=GATING)
    )
