"""The opening of schools: a project, its validation by the IEN, then accounts after the next holidays.

The framework agreement of 2010 gates openings, never a call; a school is due from its opening on.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.utils import timezone

from conventions import states
from conventions.models import Convention, Enrolment, Transition
from conventions.policies import DUE_FROM_OPENING, GATING
from conventions.school_calendar import CalendarUnknown, opening_after
from entsvc import journal, school_year
from entsvc.french import long_date, lower_first
from members.models import Issuer, School

STEPS = {
    "project_submitted_on": "dépôt du projet",
    "project_validated_on": "validation de l'IEN",
    "opened_on": "ouverture",
}


class OpeningRefused(Exception):
    """A step of an opening can't be recorded; the message says what to do, in French."""


@dataclass(frozen=True)
class Gate:
    """From which day a school may open, None while it can't be told, and why (a French sentence)."""

    day: date | None
    reason: str


def gate(enrolment: Enrolment) -> Gate:
    """Return from which day its project lets a school open: reads the row and its school only."""
    if enrolment.project_submitted_on is None:
        return Gate(None, "Aucun projet n'est déposé.")
    if enrolment.project_validated_on is None:
        submitted = long_date(enrolment.project_submitted_on)
        return Gate(None, f"Projet déposé le {submitted}, pas encore validé par l'IEN.")
    try:
        opening = opening_after(enrolment.project_validated_on, enrolment.school.academy_code)
    except CalendarUnknown as error:
        return Gate(None, str(error))
    return Gate(opening.day, opening.reason)


def first_exercice(opened_on: date) -> int:
    """Return the first exercice due, a calendar year: that in which effective access begins.

    Source: charte ENT of 2014 of Somme Numérique, article 4.
    """
    return opened_on.year


def presumed_open() -> Q:
    """Match the enrolments billed as in service already, though nothing is known of their opening.

    Their text makes them due from their opening (charte ENT of 2014, article 4). That an agreement taken
    over from paper names schools in service is presumed of those it named then; these came later.
    """
    unknown = Q(project_submitted_on=None, opened_on=None, convention__policy__in=DUE_FROM_OPENING)
    steps = Transition.objects.order_by().filter(convention=OuterRef("convention"))
    taken_over = Transition.objects.filter(convention=OuterRef(OuterRef("convention")), action="reprise")
    named_then = Enrolment.history.order_by().filter(
        convention=OuterRef("convention"),
        school=OuterRef("school"),
        history_date__lte=Subquery(taken_over.order_by("-at").values("at")[:1]),
    )
    added = Exists(steps.filter(action="reprise")) & ~Exists(named_then)
    unlogged = ~Exists(steps.filter(action__in=("reprise", "mettre_en_vigueur")))
    return unknown & (added | (unlogged & Q(first_year__gt=F("convention__first_year"))))


def due_from(opened_on: date) -> str:
    """Return in French from when a school is due: its first exercice and its first school year."""
    year = school_year.label(school_year.containing(opened_on))
    return f"dû à partir de l'exercice {first_exercice(opened_on)}, année scolaire {year}"


def frameworks(issuer: Issuer) -> list[Convention]:
    """Return the framework agreements of an issuer that are not abandoned, whatever their state."""
    found = Convention.objects.filter(schedule__issuer=issuer, policy__in=GATING)
    found = found.exclude(status=states.ABANDONED).select_related("act", "committee_act")
    return list(found.order_by("signed_on", "reference"))


def framework_obstacle(recorded: Iterable[Convention], on: date) -> str:
    """Return why no framework agreement lets schools open on a day, empty when one does or none exists.

    It holds from its start to the end of its text, or to the day it was ended; a state that never was in
    force opens nothing.
    """
    recorded = list(recorded)
    if not recorded or any(_holds(framework, on) for framework in recorded):
        return ""
    told = " ; ".join(_span(framework) for framework in recorded)
    return f"Aucune convention cadre n'est en vigueur le {long_date(on)} ({told}) : renouvelez-la."


@transaction.atomic
def submit_project(*, enrolment: Enrolment, on: date, actor: str) -> Enrolment:
    """Record the day a school gave its project; raise OpeningRefused."""
    enrolment = _locked(enrolment)
    _refuse_opened(enrolment)
    _refuse_future(on)
    if enrolment.project_validated_on:
        raise OpeningRefused("Le projet est déjà validé : retirez d'abord sa validation.")
    return _record(enrolment, "project_submitted_on", on, actor)


@transaction.atomic
def validate_project(*, enrolment: Enrolment, on: date, actor: str) -> Enrolment:
    """Record the day the IEN validated the project of a school; raise OpeningRefused."""
    enrolment = _locked(enrolment)
    _refuse_opened(enrolment)
    _refuse_future(on)
    submitted = enrolment.project_submitted_on
    if submitted is None:
        raise OpeningRefused("Aucun projet n'est déposé : enregistrez d'abord son dépôt.")
    if on < submitted:
        raise OpeningRefused(f"Le projet n'a été déposé que le {long_date(submitted)}.")
    return _record(enrolment, "project_validated_on", on, actor)


@transaction.atomic
def open_school(*, enrolment: Enrolment, on: date, actor: str, reason: str = "") -> Enrolment:
    """Record the day accounts of a school were effectively opened; raise OpeningRefused.

    A school whose project is known, or whose issuer has a framework agreement for écoles, opens no day
    before its holidays are over, nor out of the framework. `reason` says why on that day where the
    calendar is not known; it is kept in the journal.
    """
    enrolment = _locked(enrolment)
    _refuse_opened(enrolment)
    _refuse_future(on)
    _refuse_out_of_agreement(enrolment, on)
    recorded = frameworks(enrolment.convention.schedule.issuer) if _is_ecole(enrolment) else []
    if recorded or enrolment.project_submitted_on:
        _refuse_too_early(enrolment, on, reason)
        obstacle = framework_obstacle(recorded, on)
        if obstacle:
            raise OpeningRefused(obstacle)
    return _record(enrolment, "opened_on", on, actor, reason)


@transaction.atomic
def withdraw(*, enrolment: Enrolment, actor: str, reason: str) -> str:
    """Take back the last step recorded by mistake, and return its name; raise OpeningRefused."""
    if not reason.strip():
        raise OpeningRefused("Dites pourquoi cette étape est retirée.")
    enrolment = _locked(enrolment)
    for field in reversed(STEPS):
        day = getattr(enrolment, field)
        if day:
            _record(enrolment, field, None, actor, f"{reason} (était le {long_date(day)})")
            return STEPS[field]
    raise OpeningRefused("Aucune étape n'est enregistrée pour cette école.")


def _locked(enrolment: Enrolment) -> Enrolment:
    rows = Enrolment.objects.select_for_update(of=("self",))
    return rows.select_related(
        "school", "convention__schedule__issuer", "convention__act", "convention__committee_act"
    ).get(pk=enrolment.pk)


def _record(
    enrolment: Enrolment, field: str, day: date | None, actor: str, reason: str = ""
) -> Enrolment:
    setattr(enrolment, field, day)
    enrolment.save(update_fields=[field])
    what = f"{STEPS[field]} le {long_date(day)}" if day else f"{STEPS[field]} : retirée"
    journal.record(
        actor=actor,
        action="opening",
        target=enrolment,
        summary=f"{enrolment.school.uai}, {enrolment.convention.reference} : {what}",
        data={"etape": field, "jour": day.isoformat() if day else "", "motif": reason},
    )
    return enrolment


def _is_ecole(enrolment: Enrolment) -> bool:
    return enrolment.school.degree in ("", School.Degree.FIRST)


def _refuse_opened(enrolment: Enrolment) -> None:
    if enrolment.opened_on:
        raise OpeningRefused(f"Son accès est déjà ouvert, depuis le {long_date(enrolment.opened_on)}.")


def _refuse_future(on: date) -> None:
    if on > timezone.localdate():
        raise OpeningRefused(f"Le {long_date(on)} n'est pas encore passé : enregistrez-le ce jour venu.")


def _refuse_out_of_agreement(enrolment: Enrolment, on: date) -> None:
    if enrolment.convention.status not in states.OWING:
        raise OpeningRefused(
            f"La convention {enrolment.convention.reference} n'est pas en vigueur : "
            "aucune école ne s'ouvre avant."
        )
    end = enrolment.convention.last_day
    if end and on > end:
        raise OpeningRefused(
            f"La convention {enrolment.convention.reference} a pris fin le {long_date(end)} : "
            "corrigez la date, ou inscrivez l'école à la convention qui la suit."
        )
    last = enrolment.last_year
    if last is not None and on > school_year.last_day(last):
        raise OpeningRefused(
            f"L'inscription de l'école s'arrête en {school_year.label(last)} : prolongez-la d'abord."
        )


def _refuse_too_early(enrolment: Enrolment, on: date, reason: str) -> None:
    found = gate(enrolment)
    if enrolment.project_validated_on is None:
        raise OpeningRefused(f"{found.reason} L'accès s'ouvre une fois le projet validé par l'IEN.")
    if found.day is None and not reason.strip():
        raise OpeningRefused(f"{found.reason} Donnez le motif qui fait ouvrir ce jour-là.")
    if found.day and on < found.day:
        raise OpeningRefused(f"Pas avant le {long_date(found.day)} : {lower_first(found.reason)}")


def _holds(framework: Convention, on: date) -> bool:
    start, end = framework.start.day, framework.last_day
    if framework.status not in states.OWING or start is None:
        return False
    return start <= on and (end is None or on <= end)


def _span(framework: Convention) -> str:
    state = framework.get_status_display().lower()
    start, end = framework.start, framework.last_day
    if start.day is None:
        return f"{framework.reference}, {state} : {lower_first(start.reason).rstrip('.')}"
    until = f" au {long_date(end)}" if end else ""
    return f"{framework.reference}, {state}, du {long_date(start.day)}{until}"
