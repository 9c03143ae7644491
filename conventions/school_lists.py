"""Which schools an agreement names each school year, which it may name, and when that may change."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from operator import attrgetter

from django.db.models import Q, QuerySet, prefetch_related_objects

from conventions import states
from conventions.amendments import OpenWindow, Ruling, Window, judge, next_window
from conventions.assessment import covering
from conventions.models import AmendedCommune, Amendment, Convention
from conventions.policies import POLICIES, Policy
from entsvc import school_year
from members.models import GroupedSchool, Member, School

SHOWN_AHEAD = 1  # school years after today's that an agreement without end shows


class NoWindow(Exception):
    """The text of the agreement has no amendment of its list of schools; the message says so."""


@dataclass(frozen=True)
class Change:
    """What an amendment changes in the list of its year, whether it counts, and why.

    `counts` and `reason` are frozen once it is ruled (`ruled`), and what would be said today before.
    """

    amendment: Amendment
    added: list[School]
    removed: list[School]
    communes: list[str]
    counts: bool
    ruled: bool
    dated: date | None
    reason: str


@dataclass(frozen=True)
class ListOfYear:
    """The schools of an agreement in a school year, and the amendments that bear on it."""

    year: int
    covered: bool
    schools: list[School]
    changes: list[Change]

    @property
    def label(self) -> str:
        """Return the school year in words."""
        return school_year.label(self.year)


def enrolled(convention: Convention, year: int) -> list[School]:
    """Return the schools that an agreement names in a school year, by commune; none if not covered."""
    if not covers(convention, year):
        return []
    rows = convention.enrolments.filter(covering(year)).order_by().values("school")
    return list(in_reading_order(School.objects.filter(pk__in=rows)))


def candidates(convention: Convention, year: int, joining: Iterable[Member] = ()) -> list[School]:
    """Return the schools that may be ticked: those named, and those of the communes it is for.

    Those are the party's commune, or the communes and the schools of its RPI or of its intercommunal
    body in that year, with the communes `joining` it. A school absent from the annuaire, or a private
    one that the agreement leaves out, is offered only if it is named already.
    """
    party = convention.party
    communes = {member.insee_code for member in (party, *joining)}
    communes |= {commune.insee_code for commune in communes_of(party, year)}
    grouped = GroupedSchool.objects.filter(during(year), body=party).order_by().values("school")
    offered = Q(commune_code__in=communes - {""}) | Q(pk__in=grouped)
    offered &= Q(degree=School.Degree.FIRST, absent_since=None)
    if not convention.private_included:
        offered &= Q(sector=School.Sector.PUBLIC)
    named = convention.enrolments.filter(covering(year)).order_by().values("school")
    return list(in_reading_order(School.objects.filter(offered | Q(pk__in=named))))


def communes_of(body: Member, year: int) -> list[Member]:
    """Return the communes of a RPI or of an intercommunal body in a school year."""
    rows = body.memberships.filter(during(year)).order_by().values("commune")
    return list(Member.objects.filter(pk__in=rows).order_by("name", "pk"))


def window_of(convention: Convention, on: date) -> OpenWindow | None:
    """Return the window open on a day or the next one; None where there is none (any more)."""
    window = window_in_text(convention)
    if window is None or convention.status != states.IN_FORCE:
        return None
    limits = (convention.last_year, POLICIES[convention.policy].last_year)
    last = min((year for year in limits if year is not None), default=None)
    return next_window(window, convention.first_year, last, on)


def window_in_text(convention: Convention) -> Window | None:
    """Return when the text of an agreement lets its list change, None where it never does."""
    policy = POLICIES.get(convention.policy)
    return policy.window if policy else None


def policy_of(convention: Convention) -> Policy:
    """Return the policy of an agreement; raise NoWindow (French message) where it has no window."""
    policy = POLICIES.get(convention.policy)
    if policy is None:
        raise NoWindow(
            f"Le texte de la convention {convention.reference} n'est pas indiqué : choisissez-le dans "
            "sa fiche, il dit si la liste de ses écoles peut changer."
        )
    if policy.window is None:
        raise NoWindow(
            f"« {policy.name} » ne connaît pas d'avenant à la liste des écoles : une autre liste "
            "demande une nouvelle convention."
        )
    return policy


def judged(
    amendment: Amendment,
    on: date,
    schools: Iterable[School],
    moves_communes: bool,
    current: Iterable[School],
) -> Ruling:
    """Return what the rules say of an amendment that asks for these schools, against a current list.

    One that is not filed yet is judged as if it were received on a day. Without a window nothing counts,
    and the reason says so.
    """
    filing = amendment.filing_of(frozenset(school.uai for school in schools), moves_communes)
    try:
        window = policy_of(amendment.convention).window
    except NoWindow as error:
        return Ruling(filing, False, None, (), (), str(error))
    if amendment.status != states.FILED:
        filing = replace(filing, received_on=on, transmitted_on=None, proved=False)
    return judge(filing, frozenset(school.uai for school in current), window)


def lists_by_year(convention: Convention, today: date) -> list[ListOfYear]:
    """Return the list of each school year covered, with what each amendment changed, when and why.

    Amendments that were dropped are left out. The number of queries does not depend on the years.
    """
    kept = convention.amendments.exclude(status=states.DROPPED).select_related("convention")
    asked = list(
        kept.prefetch_related("schools__school", "communes__commune").order_by("school_year", "number")
    )
    rows = list(convention.enrolments.select_related("school").order_by("pk"))
    years = set(_covered(convention, today)) | {amendment.school_year for amendment in asked}
    named = {
        year: [row.school for row in rows if covers(convention, year) and covers(row, year)]
        for year in years
    }
    schools = _by_uai(asked, [row.school for row in rows])
    return [
        ListOfYear(
            year,
            covers(convention, year),
            sorted(named[year], key=_reading_key),
            [
                _change(amendment, named[year], schools, today)
                for amendment in asked
                if amendment.school_year == year
            ],
        )
        for year in sorted(years)
    ]


def change_of(amendment: Amendment, today: date) -> Change:
    """Return what one amendment changes in the list of its year, as `lists_by_year` says it."""
    prefetch_related_objects([amendment], "schools__school", "communes__commune")
    current = enrolled(amendment.convention, amendment.school_year)
    return _change(amendment, current, _by_uai([amendment], current), today)


def covers(row: Convention | object, year: int) -> bool:
    """Tell whether the declared years of a row hold a school year."""
    return row.first_year <= year and (row.last_year is None or year <= row.last_year)


def during(year: int) -> Q:
    """Match the spans of days that touch a school year."""
    ended = Q(valid_to__isnull=True) | Q(valid_to__gte=school_year.first_day(year))
    return ended & Q(valid_from__lte=school_year.last_day(year))


READING_ORDER = ("commune_name", "name", "uai")


def in_reading_order(schools: QuerySet[School]) -> QuerySet[School]:
    """Sort schools as a list of them is read: by commune, then by name."""
    return schools.order_by(*READING_ORDER)


def schools_of(uais: Iterable[str]) -> list[School]:
    """Return the schools of these UAIs, in the order in which they are read."""
    return list(in_reading_order(School.objects.filter(uai__in=uais)))


_reading_key = attrgetter(*READING_ORDER)


def _covered(convention: Convention, today: date) -> range:
    last = convention.last_year
    if last is None:
        last = max(convention.first_year, school_year.containing(today) + SHOWN_AHEAD)
    return range(convention.first_year, last + 1)


def _by_uai(asked: list[Amendment], named: list[School]) -> dict[str, School]:
    """Return the schools that the amendments name, with one query for those that are in no list."""
    known = {school.uai: school for school in named}
    known |= {row.school.uai: row.school for amendment in asked for row in amendment.schools.all()}
    missing = {uai for a in asked for uai in (*a.added, *a.removed)} - set(known)
    if missing:
        known |= School.objects.in_bulk(missing, field_name="uai")
    return known


def _change(
    amendment: Amendment,
    named: list[School],
    schools: dict[str, School],
    today: date,
) -> Change:
    ruled = amendment.status in (states.ACCEPTED, states.WITHOUT_EFFECT)
    if ruled:
        added, removed = amendment.added, amendment.removed
        counts, dated, reason = (
            amendment.status == states.ACCEPTED, amendment.dated, amendment.ruling,
        )  # fmt: skip
    else:
        wanted = [row.school for row in amendment.schools.all()]
        ruling = judged(amendment, today, wanted, bool(amendment.communes.all()), named)
        added, removed, counts = ruling.added, ruling.removed, ruling.counts
        dated, reason = ruling.dated, ruling.reason
    return Change(
        amendment,
        _known(added, schools),
        _known(removed, schools),
        communes_in_words(amendment.communes.all()),
        counts,
        ruled,
        dated,
        reason,
    )


def _known(uais: Iterable[str], schools: dict[str, School]) -> list[School]:
    return sorted((schools[uai] for uai in uais if uai in schools), key=_reading_key)


def communes_in_words(rows: Iterable[AmendedCommune]) -> list[str]:
    """Return « Turenne rejoint le RPI » for each commune that moves."""
    return [str(row) for row in rows]
