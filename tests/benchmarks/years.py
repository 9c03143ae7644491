"""Two years of a region: computed, issued with a document each, paid in part, and computed again.

All by the real commands' functions; only the drawing of documents is replaced, by a few bytes each.
"""

from datetime import date
from decimal import Decimal

from conventions.models import Enrolment
from entsvc import school_year
from invoicing import bordereau_pdf, calculation, rendering
from invoicing.issuing import issue
from invoicing.models import Titre
from invoicing.payments import record_payment
from members.models import Act, Signatory
from tariffs.models import Adoption, Charge, Schedule, Version
from tests.benchmarks.datasets import FORMER, YEAR

ACTOR = "bench"
FORMER_PRICE = Decimal("42.00")
JOINS_LATE = 20  # one school in so many is enrolled from the second year on
UNPAID = 3  # one titre in so many stays unpaid, the first year


def live(schedule: Schedule) -> int:
    """Live two years of a schedule; return how many titres were issued."""
    _adopt_former(schedule)
    late = Enrolment.objects.order_by("school__uai").values_list("pk", flat=True)[::JOINS_LATE]
    Enrolment.objects.filter(pk__in=list(late)).update(first_year=school_year.parse(YEAR))
    rendering.draw = lambda titre: f"%PDF-1.7 {titre.reference}".encode()
    bordereau_pdf.draw_bordereau = lambda bordereau: f"%PDF-1.7 {bordereau}".encode()
    titres = [*_issue(schedule, FORMER, date(2024, 3, 4)), *_issue(schedule, YEAR, date(2025, 3, 3))]
    for rank, titre in enumerate(titres[: len(titres) // 2]):
        if rank % UNPAID:
            record_payment(
                titre=titre,
                amount=titre.total,
                received_on=date(2024, 4, 2 + rank % 28),
                reference=f"R{rank}",
                actor=ACTOR,
            )
    calculation.compute_run(schedule=schedule, year=school_year.parse(YEAR), actor=ACTOR)
    return len(titres)


def _issue(schedule: Schedule, year: str, on: date) -> list[Titre]:
    run = calculation.compute_run(schedule=schedule, year=school_year.parse(year), actor=ACTOR)
    issued = issue(run=run, on=on, signatory=Signatory.objects.get(issuer=schedule.issuer), actor=ACTOR)
    for _ in rendering.render_missing(issued.bordereau.titres.all()):
        pass
    return issued.titres


def _adopt_former(schedule: Schedule) -> None:
    """Adopt another price for the first of both years."""
    adopted = Adoption.objects.get(schedule=schedule, school_year=school_year.parse(YEAR))
    model = Charge.objects.get(version=adopted.version)
    version = Version.objects.create(schedule=schedule, label=FORMER)
    model.pk, model.version, model.unit_price = None, version, FORMER_PRICE
    model.save()
    act = Act.objects.create(
        issuer=schedule.issuer, kind="modele", authority="banc d'essai", subject="Tarif d'essai"
    )
    Adoption.objects.create(
        schedule=schedule, school_year=school_year.parse(FORMER), version=version, act=act
    )
