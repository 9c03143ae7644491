"""Which communes an agreement is for: two agreements for a same one, and schools of another commune."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date

from django.db.models import CharField, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from conventions import states
from conventions.assessment import covering
from conventions.models import Convention, Enrolment
from conventions.policies import GATING
from conventions.school_lists import covers, during
from entsvc import school_year
from members.models import Commune, GroupedSchool, Member, Membership

SHOWN = 5  # schools named in a warning
# Whose schools lie in communes that are known; a département has those of all its communes.
BODIES = (Member.Kind.EPCI, Member.Kind.SYNDICAT, Member.Kind.RPI)


def doubled(conventions: QuerySet[Convention], year: int) -> dict[int, set[int]]:
    """Return, by agreement, the others of its schedule that are for a same member in a school year.

    An agreement is for who signs it, and for the communes of the RPI or of the intercommunal body that
    signs it. A school that two of them name is another matter: its calls are blocked.
    """
    rows = list(conventions.order_by("pk").values_list("pk", "schedule", "party"))
    spans = Membership.objects.filter(during(year), body__in=conventions.order_by().values("party"))
    communes = defaultdict(set)
    for body, commune in spans.order_by("pk").values_list("body", "commune"):
        communes[body].add(commune)
    by_member: dict[tuple[int, int], set[int]] = defaultdict(set)
    for key, schedule, party in rows:
        for member in {party} | communes[party]:
            by_member[schedule, member].add(key)
    found: dict[int, set[int]] = defaultdict(set)
    for keys in by_member.values():
        for key in keys if len(keys) > 1 else ():
            found[key] |= keys - {key}
    return dict(found)


def strangers(enrolments: QuerySet[Enrolment], year: int) -> QuerySet[Enrolment]:
    """Leave the enrolments of schools that lie in no commune that their agreement is for.

    Those are the signatory's, with those of the RPI that it is part of or stands for; or those of the
    body that signs. Codes are compared as of today. Where the commune of the school, that of the
    signatory or those of the body are not known, nothing is said.
    """
    party = "convention__party"
    own = Q(**{f"{party}__kind": Member.Kind.COMMUNE}) & ~Q(**{f"{party}__insee_code": ""})
    spans = Membership.objects.order_by().filter(during(year))
    body = Q(**{f"{party}__kind__in": BODIES}) & Exists(spans.filter(body=OuterRef(party)))
    there = Q(commune__insee_code=OuterRef("place")) | Q(
        commune__insee_code=OuterRef("school__commune_code")
    )
    rpis = Member.objects.order_by().filter(
        Q(representative=OuterRef(OuterRef(party)))
        | Q(pk__in=spans.filter(commune=OuterRef(OuterRef(OuterRef(party)))).values("body")),
        kind=Member.Kind.RPI,
    )
    reached = Q(body=OuterRef(party)) | Q(body__in=rpis.values("pk"))
    grouped = GroupedSchool.objects.order_by().filter(during(year), school=OuterRef("school"))
    return (
        enrolments.annotate(place=_today("school__commune_code"), seat=_today(f"{party}__insee_code"))
        .filter(own | body)
        .exclude(school__commune_code="")
        # Most schools: the same code then makes the same one today, which need not be looked for.
        .exclude(own & Q(school__commune_code=F(f"{party}__insee_code")))
        .exclude(own & Q(place=F("seat")))
        .exclude(Exists(spans.filter(reached, there)))
        .exclude(Exists(grouped.filter(reached)))
    )


def warnings(convention: Convention, today: date) -> list[str]:
    """Return, in French, what is to be checked of the communes of an agreement in its current year."""
    if convention.status == states.ABANDONED or convention.policy in GATING:
        return []
    year = _year_shown(convention, today)
    return [*_doubles(convention, year), *_strangers(convention, year)]


def _doubles(convention: Convention, year: int) -> Iterable[str]:
    others = Convention.objects.filter(covering(year), schedule=convention.schedule_id)
    others = others.exclude(status=states.ABANDONED).exclude(policy__in=GATING)
    keys = doubled(others, year).get(convention.pk, ())
    for other in Convention.objects.filter(pk__in=keys).select_related("party").order_by("reference"):
        yield (
            f"La convention {other.reference} ({other.party}) porte déjà sur ce signataire, ou une de "
            f"ses communes, en {school_year.label(year)}, pour le même barème : vérifiez qu'il en faut "
            "deux."
        )


def _strangers(convention: Convention, year: int) -> Iterable[str]:
    rows = strangers(convention.enrolments.filter(covering(year)), year).select_related("school")
    schools = [row.school for row in rows.order_by("school__uai")]
    if schools:
        named = ", ".join(f"{school} ({school.commune_name})" for school in schools[:SHOWN])
        more = f", et {len(schools) - SHOWN} autres" if len(schools) > SHOWN else ""
        yield (
            f"D'une commune qui n'est ni celle du signataire ni une de son groupement : {named}{more}. "
            "Vérifiez ces écoles, ou complétez les communes du groupement dans sa fiche."
        )


def _year_shown(convention: Convention, today: date) -> int:
    """Return today's school year, or the nearest one that an agreement covers."""
    year = max(school_year.containing(today), convention.first_year)
    return year if covers(convention, year) else convention.last_year


def _today(field: str) -> Coalesce:
    """Return the code that a commune has today, from the one it had when it was written."""
    became = Commune.objects.filter(code=OuterRef(field), today__isnull=False)
    return Coalesce(Subquery(became.values("today")[:1], output_field=CharField()), F(field))
