"""What a year to come rests on, read from the year of today by the code of the simulations.

Members, schools, counts, options and quantities are those of the year that is read. What was decided
for that year alone (deductions, manual adjustments) is not carried to another one; neither are the
agreements that will be over by then.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from conventions import states, what_if
from conventions.assessment import covering
from conventions.models import Convention
from conventions.policies import GATING
from conventions.what_if import NO_SIRET, TODAY_ONLY, TRIED_ONLY, Comparison, Reading, pupils_of
from conventions.what_if_forms import HypothesisForm
from conventions.what_if_simulation import Simulation, simulate
from entsvc import school_year
from entsvc.money import rate_of
from tariffs import engine
from tariffs.adoption import NotAdopted
from tariffs.models import Adoption, Schedule, Version

NOTHING_DUE = "Montant nul : aucune lettre."


class ForecastRefused(Exception):
    """Nothing can be prepared, sent or dropped so; the message says why, in French."""


@dataclass(frozen=True)
class Provision:
    """What a member will probably owe; `today` is None where the tariff of today gives nothing sure."""

    result: engine.Result
    kind: str
    pupils: int | None
    today: Decimal | None = None

    @property
    def difference(self) -> Decimal | None:
        """Return what it pays more than with the tariff of today, None where that is unknown."""
        return None if self.today is None else self.result.total - self.today

    @property
    def rate(self) -> Decimal | None:
        """Return the same as a part of what is paid today."""
        return None if self.today is None else rate_of(self.today, self.result.total)


@dataclass(frozen=True)
class Provisions:
    """The amounts told to members, those that are told nothing and why, and what all rests on.

    `renewed` are the titles of the agreements that must be renewed to reach the year announced, by
    reference. `adoption` is the act that adopted the very tariff that is announced, for that year or,
    where none did, for another one; None for a draft or for prices that were changed.
    """

    simulation: Simulation
    year: int
    rows: tuple[Provision, ...]
    apart: tuple[dict[str, Any], ...]
    renewed: Mapping[str, str]
    adoption: Adoption | None

    @property
    def schedule(self) -> Schedule:
        """Return the schedule announced."""
        return self.simulation.reading.schedule

    @property
    def read_year(self) -> int:
        """Return the school year whose members and counts are taken."""
        return self.simulation.reading.basis.school_year

    @property
    def is_adopted(self) -> bool:
        """Tell whether the tariff is voted for the year announced."""
        return self.adoption is not None and self.adoption.school_year == self.year


def provisions(
    *, version: Version, read_year: int, year: int, given: Mapping[str, str]
) -> tuple[Provisions, dict[str, str]]:
    """Return what each member will probably owe for `year`, and the hypothesis as an address says it.

    `given` is the hypothesis, as the address of a simulation gives it. Raises ForecastRefused.
    """
    try:
        reading = what_if.read(version, read_year)
    except NotAdopted as error:
        raise ForecastRefused(str(error)) from error
    form = HypothesisForm(given, charges=reading.charges)
    if not form.is_valid():
        raise ForecastRefused("L'hypothèse ne peut pas être lue : corrigez-la dans la simulation.")
    reading, over = _carried(reading, year)
    simulation = simulate(reading, form.changes())
    rows, apart = _parted(simulation.comparison)
    if not rows:
        raise ForecastRefused(
            f"Aucun montant sûr à annoncer : vérifiez les conventions et les effectifs de "
            f"{school_year.label(read_year)}, ou admettez les effectifs approchés."
        )
    apart += [*over, *_beginning(reading, year)]
    found = Provisions(
        simulation,
        year,
        tuple(rows),
        tuple(sorted(apart, key=lambda row: (row["name"], row["siret"]))),
        _to_renew(reading, year),
        _adoption_of(simulation, year),
    )
    return found, form.query()


def _parted(comparison: Comparison) -> tuple[list[Provision], list[dict[str, Any]]]:
    """Part the members whose amount is sure from the others, with the reasons of the tariff tried."""
    rows = [
        Provision(row.after, row.kind, row.pupils, row.today) for row in comparison.rows if row.simulated
    ]
    apart = [_told(row.siret, row.name, [NOTHING_DUE]) for row in comparison.rows if not row.simulated]
    for row in comparison.apart:
        if row.after is not None and row.simulated:
            # Only the tariff of today is in doubt.
            rows.append(Provision(row.after, row.kind, pupils_of(row.after.member)))
        else:
            apart.append(_told(row.siret, row.name, _of_the_tariff_tried(row.reasons)))
    return sorted(rows, key=lambda row: row.result.member.siret), apart


def _carried(reading: Reading, year: int) -> tuple[Reading, list[dict[str, Any]]]:
    """Return a reading without what ends before the year announced, and the members that it leaves."""
    if year == reading.basis.school_year:
        return reading, []
    over = _over(reading, year)
    members, left = [], []
    for member in reading.basis.members:
        kept = tuple(a for a in member.agreements if a.reference not in over)
        if member.agreements and not kept:
            left.append(_told(member.siret, member.name, [_ended(member, over, year)]))
            continue
        members.append(replace(member, agreements=kept, deductions=(), adjustments=()))
    basis = replace(reading.basis, members=tuple(members))
    return replace(reading, basis=basis), left


def _over(reading: Reading, year: int) -> Mapping[str, str]:
    """Return the agreements read that were put an end to before the year announced."""
    rows = _read(reading).filter(status=states.TERMINATED).exclude(covering(year))
    return {row.reference: row.title for row in rows}


def _to_renew(reading: Reading, year: int) -> Mapping[str, str]:
    """Return the agreements read that their last year leaves short of the year announced."""
    rows = _read(reading).exclude(status=states.TERMINATED).exclude(covering(year))
    return {row.reference: row.title for row in rows}


def _read(reading: Reading) -> QuerySet[Convention]:
    rows = Convention.objects.filter(
        covering(reading.basis.school_year), schedule=reading.schedule, status__in=states.OWING
    )
    return rows.exclude(policy__in=GATING).select_related("act", "party").order_by("reference")


def _beginning(reading: Reading, year: int) -> list[dict[str, Any]]:
    """Return, apart, the payers whose first agreement begins after the year that is read."""
    known = Convention.objects.filter(
        covering(reading.basis.school_year), schedule=reading.schedule, status__in=states.OWING
    )
    rows = (
        Convention.objects.filter(covering(year), schedule=reading.schedule, status__in=states.OWING)
        .exclude(policy__in=GATING)
        .exclude(debtor__in=known.order_by().values("debtor"))
        .select_related("debtor")
        .order_by("reference")
    )
    told = {row.debtor_id: row for row in rows}
    return [
        _told(
            row.debtor.siret or "",
            str(row.debtor),
            [
                f"Sa convention {row.reference} ne commence qu'en {school_year.label(row.first_year)} : "
                f"elle n'est pas lue en {school_year.label(reading.basis.school_year)}."
            ],
        )
        for row in told.values()
    ]


def _adoption_of(simulation: Simulation, year: int) -> Adoption | None:
    """Return the act behind the tariff tried, that of the year announced first; None when changed."""
    if simulation.is_changed:
        return None
    rows = Adoption.objects.filter(version=simulation.version).select_related("act")
    found = list(rows.order_by("-school_year"))
    return next((row for row in found if row.school_year == year), found[0] if found else None)


def _ended(member: engine.Member, over: Mapping[str, str], year: int) -> str:
    named = ", ".join(a.reference for a in member.agreements if a.reference in over)
    return f"Convention résiliée ({named}) : rien n'est dû pour {school_year.label(year)}."


def _of_the_tariff_tried(reasons: Iterable[str]) -> list[str]:
    """Return the reasons that hold the amount announced back, without saying of which side they are."""
    kept = (reason for reason in reasons if not reason.startswith(TODAY_ONLY))
    return [reason.removeprefix(TRIED_ONLY) for reason in kept]


def _told(siret: str, name: str, reasons: list[str]) -> dict[str, Any]:
    siret = siret if siret.isdigit() and len(siret) == 14 else ""
    if reasons == [NO_SIRET]:
        reasons = ["Sans SIRET : saisissez-le dans sa fiche, puis préparez de nouveau."]
    return {"siret": siret, "name": name, "reasons": reasons}
