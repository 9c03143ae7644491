"""All that a paper reads of an agreement, of an amendment or of a blank form, read once."""

from dataclasses import dataclass, field
from datetime import date

from django.db.models import Q
from django.utils import timezone

from conventions import conditions
from conventions.models import AmendedCommune, Amendment, Conditions, Convention, PaperKind
from conventions.papers import costs
from conventions.papers.costs import Cost
from conventions.policies import POLICIES, Policy
from conventions.school_lists import communes_of, covers, enrolled, in_reading_order
from entsvc import school_year
from members.models import Issuer, Member, School, Signatory
from tariffs.models import Schedule


class PaperRefused(Exception):
    """The paper can't be drawn; the message says what to enter first."""


@dataclass(frozen=True)
class Source:
    """What a paper is drawn from; no `convention` in a blank form.

    `schools` is the list of the year, or the whole list that the amendment asks for; `moves` the
    communes that it makes join or leave the RPI.
    """

    kind: str
    issuer: Issuer
    on: date
    policy: Policy | None = None
    convention: Convention | None = None
    amendment: Amendment | None = None
    year: int | None = None
    signatory: Signatory | None = None
    schools: tuple[School, ...] = ()
    added: tuple[School, ...] = ()
    removed: tuple[School, ...] = ()
    communes: tuple[Member, ...] = ()
    moves: tuple[AmendedCommune, ...] = ()
    cost: Cost = field(default_factory=Cost)
    latest_conditions: Conditions | None = None

    @property
    def blank(self) -> bool:
        """Tell whether it is a form that nothing fills yet."""
        return self.convention is None

    @property
    def specimen(self) -> bool:
        """Tell whether its signatory is a fictitious one."""
        return bool(self.signatory and self.signatory.is_fictitious)


def of_agreement(
    kind: str,
    convention: Convention,
    amendment: Amendment | None = None,
    *,
    year: int | None = None,
    on: date | None = None,
) -> Source:
    """Read an agreement and its amendment for a school year.

    The year is that of the amendment, else the first one covered; a certificate is of the current one.
    Raises PaperRefused (French message) for a year not covered, a certificate of a year to come, and an
    amendment paper without amendment.
    """
    on = on or timezone.localdate()
    if kind == PaperKind.AMENDMENT and amendment is None:
        raise PaperRefused("Un avenant se produit depuis la demande d'avenant : ouvrez-la d'abord.")
    if amendment is not None and amendment.convention_id != convention.pk:
        raise PaperRefused("Cet avenant est celui d'une autre convention.")
    if year is None:
        year = amendment.school_year if amendment else _default_year(kind, convention, on)
    if not covers(convention, year):
        raise PaperRefused(
            f"La convention {convention.reference} ne couvre pas {school_year.label(year)} : "
            "choisissez une des années qu'elle déclare."
        )
    if kind == PaperKind.CERTIFICATE and year > school_year.containing(on):
        raise PaperRefused(
            f"L'année {school_year.label(year)} n'a pas commencé : attestez d'une année commencée."
        )
    issuer = convention.schedule.issuer
    policy = POLICIES.get(convention.policy)
    schools, added, removed = _schools(convention, amendment, year)
    rpi = convention.party.kind == Member.Kind.RPI
    return Source(
        kind=kind,
        issuer=issuer,
        on=on,
        policy=policy,
        convention=convention,
        amendment=amendment,
        year=year,
        signatory=signatory_of(issuer, on),
        schools=schools,
        added=added,
        removed=removed,
        communes=tuple(communes_of(convention.party, year)) if rpi else (),
        moves=_moves(amendment) if amendment else (),
        cost=costs.of_agreement(convention, policy, year, schools),
        latest_conditions=conditions.current(issuer) if policy and policy.conditions else None,
    )


def of_blank(
    kind: str,
    policy: Policy | None,
    issuer: Issuer,
    *,
    schedule: Schedule | None = None,
    year: int | None = None,
    on: date | None = None,
) -> Source:
    """Read what a blank form may print: the issuer, the policy, and the tariff of a year given."""
    on = on or timezone.localdate()
    cost = costs.of_tariff(schedule, year) if schedule and year is not None else Cost()
    return Source(
        kind=kind,
        issuer=issuer,
        on=on,
        policy=policy,
        year=year,
        signatory=signatory_of(issuer, on),
        cost=cost,
        latest_conditions=conditions.current(issuer) if policy and policy.conditions else None,
    )


def signatory_of(issuer: Issuer, on: date) -> Signatory | None:
    """Return who signs for an issuer on a day: the last one named."""
    in_office = Q(valid_to__isnull=True) | Q(valid_to__gte=on)
    rows = Signatory.objects.filter(in_office, issuer=issuer, valid_from__lte=on)
    return rows.order_by("-valid_from", "-pk").first()


def _moves(amendment: Amendment) -> tuple[AmendedCommune, ...]:
    return tuple(amendment.communes.select_related("commune").order_by("commune__name"))


def _default_year(kind: str, convention: Convention, on: date) -> int:
    current = school_year.containing(on)
    if kind == PaperKind.CERTIFICATE and covers(convention, current):
        return current
    if kind == PaperKind.CERTIFICATE and convention.last_year is not None:
        return convention.last_year if current > convention.last_year else convention.first_year
    return convention.first_year


def _schools(
    convention: Convention, amendment: Amendment | None, year: int
) -> tuple[tuple[School, ...], tuple[School, ...], tuple[School, ...]]:
    """Return the list of the paper, what the amendment adds and what it removes.

    Once an amendment is ruled, what it changed is what was frozen then: the list has moved since.
    """
    if amendment is None:
        return tuple(enrolled(convention, year)), (), ()
    keys = amendment.schools.order_by().values("school")
    wanted = tuple(in_reading_order(School.objects.filter(pk__in=keys)))
    if amendment.ruling:
        found = School.objects.in_bulk([*amendment.added, *amendment.removed], field_name="uai")
        added = tuple(found[uai] for uai in amendment.added if uai in found)
        return wanted, added, tuple(found[uai] for uai in amendment.removed if uai in found)
    current = enrolled(convention, year)
    added = tuple(school for school in wanted if school not in current)
    return wanted, added, tuple(school for school in current if school not in wanted)
