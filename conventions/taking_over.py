"""How an agreement already signed on paper enters the system: in force at once, with its history."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from conventions import life, states
from conventions.models import Convention, Enrolment
from entsvc.scans import CheckedPdf
from members.models import School


def take_over(
    *,
    convention: Convention,
    schools: Iterable[School],
    actor: str,
    comment: str,
    scan: CheckedPdf | None = None,
) -> Convention:
    """Put an agreement in force without going through the steps, with the schools that it names.

    `convention` is a new row, or a draft with what its paper says. It takes all these schools and no
    other, from its first year on. All in one transaction; raises life.Refused, or IllegalTransition when
    the agreement is no longer a draft.
    """
    try:
        with transaction.atomic():
            first_year = _first_year_of_draft(convention)
            _check(convention)
            convention.save()
            _enrol(convention, list(schools), first_year)
            life.move(convention, "reprise", actor=actor, comment=comment, scan=scan)
    except IntegrityError as error:
        _check(convention)
        raise life.Refused("La base refuse cette reprise : rechargez la page et recommencez.") from error
    return convention


def _first_year_of_draft(convention: Convention) -> int:
    """Return the first year that a draft had until now; hold it, and refuse anything but a draft."""
    stored = convention
    if convention.pk is not None:
        stored = Convention.objects.select_for_update(of=("self",)).get(pk=convention.pk)
    states.after(states.AGREEMENT_ACTIONS, "reprise", stored.status, states.AGREEMENT_STATES)
    return stored.first_year


def _check(convention: Convention) -> None:
    if convention.years_obstacle:
        raise life.Refused(convention.years_obstacle)
    try:
        convention.validate_unique()
        convention.validate_constraints()
    except ValidationError as error:
        raise life.Refused(*error.messages) from error


def _enrol(convention: Convention, schools: list[School], began: int) -> None:
    wanted = {school.pk for school in schools}
    there = set()
    for enrolment in convention.enrolments.all():
        if enrolment.school_id not in wanted:
            enrolment.delete()
            continue
        there.add(enrolment.school_id)
        if enrolment.first_year in (began, convention.first_year):
            enrolment.first_year = convention.first_year
            enrolment.save()
    for school in schools:
        if school.pk not in there:
            Enrolment.objects.create(
                convention=convention, school=school, first_year=convention.first_year
            )
