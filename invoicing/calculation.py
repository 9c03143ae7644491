"""How a run is made: read the basis, compute, and keep both, in one transaction."""

from decimal import Decimal

from django.db import transaction
from django.db.models import Max

from conventions.assessment import read_basis, unused, without_siret
from conventions.basis import Basis, fingerprint, from_json
from entsvc import journal, school_year
from entsvc.french import euros
from invoicing.decisions import decisions_for
from invoicing.models import Anomaly, Call, CallLine, Campaign, Run
from members.models import Member
from tariffs import engine
from tariffs.models import Schedule

BATCH = 2000


class SupplementaryRefused(Exception):
    """Computed like the principal campaign, a supplementary one would bill everyone twice."""


def compute_run(*, schedule: Schedule, year: int, actor: str, rank: int = 1) -> Run:
    """Compute the calls of a schedule for a school year and keep them as a new run.

    Raises tariffs.adoption.NotAdopted when no act adopted a tariff for that year, SupplementaryRefused
    for a rank beyond 1: nothing is kept.
    """
    if rank != 1:
        raise SupplementaryRefused(
            "Une campagne complémentaire n'appelle que ce qui ne l'est pas encore : elle ne sait pas "
            "encore se calculer."
        )
    with transaction.atomic():
        campaign, _ = Campaign.objects.get_or_create(schedule=schedule, school_year=year, rank=rank)
        # Two runs asked for at once take their numbers one after the other.
        campaign = Campaign.objects.select_for_update(of=("self",)).get(pk=campaign.pk)
        decisions = decisions_for(schedule, year)
        basis = read_basis(schedule, year, decisions)
        results = basis.assess()
        run = _keep_run(campaign, basis, results, actor)
        _keep_calls(run, results)
        _keep_notices(run, basis, results, unused(decisions, basis))
        journal.record(
            actor=actor,
            action="compute",
            target=run,
            summary=f"{run} : {euros(run.total)}, {len(results)} appels",
        )
    return run


def recompute(run: Run) -> list[engine.Result]:
    """Return what the frozen basis of a run gives today: the same, to the cent, or a bug."""
    return from_json(run.basis).assess()


def _keep_run(campaign: Campaign, basis: Basis, results: list[engine.Result], actor: str) -> Run:
    frozen = basis.as_json()
    last = campaign.runs.aggregate(last=Max("number"))["last"] or 0
    return Run.objects.create(
        campaign=campaign,
        adoption_id=basis.facts["adoption_id"],
        number=last + 1,
        computed_by=actor,
        total=sum((result.total for result in results), start=Decimal("0.00")),
        basis=frozen,
        basis_sha256=fingerprint(frozen),
    )


def _keep_notices(
    run: Run, basis: Basis, results: list[engine.Result], idle: list[engine.Anomaly]
) -> None:
    """Keep what concerns the whole run: the notices of its charges, or the absence of agreements."""
    found = engine.notices(basis.charges, results) + idle + without_siret(basis)
    if not basis.members:
        message = f"Aucune convention en vigueur ne couvre {school_year.label(basis.school_year)}."
        found.append(engine.Anomaly("no_agreement", message))
    Anomaly.objects.bulk_create(Anomaly(run=run, **vars(anomaly)) for anomaly in found)


def _keep_calls(run: Run, results: list[engine.Result]) -> None:
    debtors = Member.objects.in_bulk([r.member.siret for r in results], field_name="siret")
    calls = [
        Call(
            run=run,
            debtor=debtors[result.member.siret],
            siret=result.member.siret,
            name=result.member.name,
            total=result.total,
        )
        for result in results
    ]
    Call.objects.bulk_create(calls)
    keys = dict(run.calls.order_by("siret").values_list("siret", "pk"))
    for start in range(0, len(results), BATCH):
        _keep_details(run, keys, results[start : start + BATCH])


def _keep_details(run: Run, keys: dict[str, int], results: list[engine.Result]) -> None:
    """Keep the lines and anomalies of some results: a few at a time, for the sake of memory."""
    lines, anomalies = [], []
    for result in results:
        key = keys[result.member.siret]
        lines += [
            CallLine(call_id=key, position=position, **vars(line))
            for position, line in enumerate(result.lines, start=1)
        ]
        anomalies += [
            Anomaly(run_id=run.pk, call_id=key, **vars(anomaly)) for anomaly in result.anomalies
        ]
    CallLine.objects.bulk_create(lines)
    Anomaly.objects.bulk_create(anomalies)
