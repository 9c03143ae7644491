"""What staff decided about a year's calls, as the assessment reads it."""

from collections import defaultdict
from dataclasses import replace
from typing import Any

from conventions.assessment import Decisions
from invoicing.models import Acceptance, Adjustment, DecidedDeduction, Exclusion, YearPool
from invoicing.statements import pools_of
from tariffs import engine
from tariffs.models import Schedule


def decisions_for(schedule: Schedule, year: int, *, pools: bool = True) -> Decisions:
    """Gather the pools, deductions, adjustments, exclusions and acceptances of a school year.

    Without `pools` these are not read, where no charge shares one out.
    """
    scope = {"schedule": schedule, "school_year": year}
    deductions: dict[str, list[engine.Deduction]] = defaultdict(list)
    for row in DecidedDeduction.objects.filter(**scope).select_related("debtor", "act").order_by("pk"):
        reference = f"{row.reason} – {row.act}" if row.act else row.reason
        deductions[row.debtor.siret].append(engine.Deduction(row.label, row.amount, reference))
    adjustments: dict[str, list[engine.Adjustment]] = defaultdict(list)
    for row in Adjustment.objects.filter(**scope).select_related("debtor").order_by("pk"):
        adjustments[row.debtor.siret].append(engine.Adjustment(row.label, row.amount, row.reason))
    return replace(
        decisions_on_schools(schedule, year),
        pools=_pools(schedule, year) if pools else {},
        deductions={siret: tuple(items) for siret, items in deductions.items()},
        adjustments={siret: tuple(items) for siret, items in adjustments.items()},
    )


def _pools(schedule: Schedule, year: int) -> dict[str, tuple[Any, str]]:
    """Return {charge: (euros to share out, what proves them)}, decided or of a closed statement."""
    decided = YearPool.objects.filter(schedule=schedule, school_year=year).order_by("charge")
    return {row.charge: (row.amount, row.reason) for row in decided} | pools_of(schedule, year)


def decisions_on_schools(schedule: Schedule, year: int, *, counted: bool = True) -> Decisions:
    """Gather those that bear on schools: exclusions, and acceptances where counts are read."""
    scope = {"schedule": schedule, "school_year": year}
    exclusions = Exclusion.objects.filter(**scope).select_related("school").order_by("pk")
    accepted = Acceptance.objects.filter(**scope).select_related("debtor", "school").order_by("pk")
    accepted = accepted if counted else ()  # only approximate counts are accepted
    return Decisions(
        exclusions={row.school.uai: row.reason for row in exclusions},
        acceptances=tuple(
            engine.Acceptance(
                code=row.code,
                reason=row.reason,
                siret=row.debtor.siret if row.debtor else "",
                uai=row.school.uai if row.school else "",
            )
            for row in accepted
        ),
    )
