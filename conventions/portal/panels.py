"""What the home page of a member shows of its agreements: what is expected, the papers, the schools."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from conventions import filings, openings, states
from conventions.assessment import covering
from conventions.models import Amendment, Convention, Enrolment, Paper, PaperKind
from conventions.papers import kept
from conventions.portal import etats, own, words
from conventions.portal.forecasts import forecasts_panel
from entsvc import school_year
from entsvc.french import long_date
from entsvc.once import asked_once
from members import counts
from members.models import Headcount, Member, School
from members.portal import expectations, panels, reach
from members.portal.expectations import Expectation
from members.portal.panels import Panel

AHEAD = timedelta(days=62)  # a window is announced two months before it opens


@dataclass(frozen=True)
class Row:
    """An agreement of the list: its state, and the paper to download where there is one."""

    convention: Convention
    kind: str
    years: str
    state: words.State
    paper: Paper | None
    is_signed: bool
    without_paper: str


@dataclass(frozen=True)
class SchoolRow:
    """An enrolled school: its pupils once counted, and its access where it opens by a project."""

    school: School
    pupils: int | None
    access: str


def conventions_panel(request: HttpRequest, member: Member) -> str:
    """Draw the agreements that a member signs or pays for, the latest first."""
    today = timezone.localdate()
    rows = [_row(convention, today) for convention in _read(request, member)]
    context = {"rows": rows, "member": member}
    return render_to_string("espace/conventions/panel.html", context)


def schools_panel(request: HttpRequest, member: Member) -> str:
    """Draw the schools enrolled in the school year of today."""
    year = school_year.containing(timezone.localdate())
    enrolments = _enrolled(member, year)
    rows = _school_rows(enrolments, year)
    certified = {row.convention_id: row.convention for row in enrolments}
    context = {
        "rows": rows,
        "year": school_year.label(year),
        "first": year,
        "conventions": list(certified.values()),
        "counted": any(row.pupils is not None for row in rows),
        "opens": any(row.access for row in rows),
    }
    return render_to_string("espace/conventions/schools.html", context)


def expected(request: HttpRequest, member: Member) -> Iterable[Expectation]:
    """Tell what is expected of a member for its agreements: of who signs, not of who only pays."""
    today = timezone.localdate()
    for convention in _read(request, member):
        if convention.party_id != member.pk:
            continue
        if convention.status == states.SENT and not words.deposit(convention.kept):
            yield _to_sign(convention)
        yield from _of_amendments(convention, today)
        yield from _of_projects(convention, today)


def _read(request: HttpRequest, member: Member) -> list[Convention]:
    """Return the agreements of a member, read once for the parts of a page."""
    return asked_once(request, ("conventions", member.pk), lambda: list(_with_papers(member)))


def _with_papers(member: Member) -> QuerySet[Convention]:
    """Return the agreements of a member with what these parts read, in a constant number of queries."""
    kinds = Paper.objects.filter(kind=PaperKind.AGREEMENT, amendment=None).order_by("at", "pk")
    current = Amendment.objects.exclude(status=states.DROPPED).order_by("number")
    enrolments = Enrolment.objects.select_related("school").order_by("school__uai", "pk")
    return (
        own.conventions_of(Member.objects.filter(pk=member.pk))
        .prefetch_related(
            Prefetch("papers", kinds, to_attr="kept"),
            Prefetch("amendments", current, to_attr="asked"),
            Prefetch("enrolments", enrolments, to_attr="named"),
        )
        .order_by("-first_year", "reference")
    )


def _row(convention: Convention, today: date) -> Row:
    deposited = words.deposit(convention.kept)
    signed = deposited if convention.status != states.SENT else None
    return Row(
        convention=convention,
        kind=words.kind_of(convention),
        years=words.years_of(convention),
        state=words.state_of(convention, deposited and timezone.localdate(deposited.at), today),
        paper=signed or kept.last_sent(convention.kept),
        is_signed=signed is not None,
        without_paper=words.without_paper(convention, convention.kept),
    )


def _enrolled(member: Member, year: int) -> list[Enrolment]:
    return list(
        Enrolment.objects.filter(
            covering(year),
            covering(year, "convention__"),
            Q(convention__party=member) | Q(convention__debtor=member),
            convention__status__in=states.OWING,
        )
        .select_related("school", "convention__schedule")
        .order_by("school__commune_name", "school__name", "school__uai", "pk")
    )


def _school_rows(enrolments: list[Enrolment], year: int) -> list[SchoolRow]:
    """Return each school once, even named by several agreements."""
    by_school: dict[int, list[Enrolment]] = {}
    for enrolment in enrolments:
        by_school.setdefault(enrolment.school_id, []).append(enrolment)
    known = counts.retained(Headcount, year, list(by_school))
    found = []
    for rows in by_school.values():
        school = rows[0].school
        pupils = known.get(school.uai)
        access = next(filter(None, map(_access, rows)), "")
        found.append(SchoolRow(school, pupils.number if pupils else None, access))
    return found


def _access(enrolment: Enrolment) -> str:
    """Tell where the opening of a school stands; nothing where it opens without a project."""
    if enrolment.opened_on:
        return f"ouvert le {long_date(enrolment.opened_on)}"
    if enrolment.project_submitted_on is None:
        return ""
    gate = openings.gate(enrolment)
    return f"ouverture possible dès le {long_date(gate.day)}" if gate.day else gate.reason


def _to_sign(convention: Convention) -> Expectation:
    return Expectation(
        title=f"Signer et renvoyer la convention {convention.reference}",
        url=reverse("espace-conventions:convention", args=[convention.pk]),
        action=f"Ouvrir la convention {convention.reference}",
        words="Téléchargez-la, faites-la signer, puis déposez ici le document signé.",
        when="Dès que possible : elle ne prend effet qu'une fois signée.",
    )


def _of_amendments(convention: Convention, today: date) -> Iterable[Expectation]:
    window = filings.window_of(convention, today)
    open_ones = [row for row in convention.asked if row.status in states.OPEN_AMENDMENT]
    for amendment in open_ones:
        yield from _to_do(amendment, convention, today)
    done = window and any(
        row.status == states.ACCEPTED and row.school_year == window.year for row in convention.asked
    )
    if window is None or open_ones or done:
        return
    year = school_year.label(window.year)
    span = f"du {long_date(window.first)} au {long_date(window.last)}"
    if window.open:
        yield Expectation(
            title=f"Confirmer la liste de vos écoles pour {year}",
            url=reverse("espace-conventions:ask", args=[convention.pk]),
            action="Voir la liste et la changer",
            words="Si elle ne change pas, vous n'avez rien à faire : elle est reconduite. Sinon, "
            "demandez un avenant.",
            when=f"{span[:1].upper()}{span[1:]}.",
            by=window.last,
            optional=True,
        )
    elif window.first - today <= AHEAD:
        yield Expectation(
            title=f"Bientôt : la liste de vos écoles pour {year}",
            url=reverse("espace-conventions:ask", args=[convention.pk]),
            action="Voir la liste d'aujourd'hui",
            words="Vous pourrez la confirmer ou demander un avenant.",
            when=f"{span[:1].upper()}{span[1:]}.",
            by=window.last,
            optional=True,
        )


def _to_do(amendment: Amendment, convention: Convention, today: date) -> Iterable[Expectation]:
    todo = {
        states.DRAFT: ("Terminer votre demande d'avenant", "Produisez l'avenant à signer."),
        states.TO_SIGN: ("Signer et déposer", "Téléchargez-le, faites-le signer, puis déposez-le ici."),
        states.SENT_BACK: ("Reprendre", "Il vous est renvoyé avec un commentaire."),
    }
    if amendment.status not in todo:
        return
    title, told = todo[amendment.status]
    if amendment.status != states.DRAFT:
        title = f"{title} l'avenant n° {amendment.number} à la convention {convention.reference}"
    closes = _closes(convention, amendment)
    when = ""
    if closes:
        over = today > closes
        when = (
            f"Le délai a pris fin le {long_date(closes)}."
            if over
            else f"Jusqu'au {long_date(closes)} inclus."
        )
    yield Expectation(
        title=title,
        url=reverse("espace-conventions:amendment", args=[amendment.pk]),
        action=f"Ouvrir l'avenant n° {amendment.number}",
        words=told,
        when=when,
        by=closes,
    )


def _closes(convention: Convention, amendment: Amendment) -> date | None:
    try:
        return filings.policy_of(convention).window.closes(amendment.school_year)
    except filings.NoWindow:
        return None


def _of_projects(convention: Convention, today: date) -> Iterable[Expectation]:
    """Tell the projects submitted that still wait for the IEN, whose schools are not open."""
    if convention.status != states.IN_FORCE:
        return
    for row in convention.named:
        if row.opened_on or not row.project_validated_on:
            continue
        gate = openings.gate(row)
        if gate.day and gate.day >= today:
            yield Expectation(
                title=f"Bientôt : {row.school.name or row.school.uai}",
                url=reverse("espace-conventions:convention", args=[convention.pk]),
                action="Voir la convention et ses écoles",
                words=gate.reason,
                when=f"Son accès peut s'ouvrir dès le {long_date(gate.day)}.",
                by=gate.day,
                optional=True,
            )


def register() -> None:
    """Give these parts to the home page."""
    expectations.register("conventions", expected)
    expectations.register("etats", etats.expected)
    reach.register("conventions", own.issuers_of)
    reach.register("etats", own.etat_issuers_of)
    panels.register(Panel("conventions", 20, conventions_panel))
    panels.register(Panel("etats", 25, etats.panel))
    panels.register(Panel("schools", 30, schools_panel))
    panels.register(Panel("forecasts", 35, forecasts_panel))
