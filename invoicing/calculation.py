"""How a run is made: read the basis, compute, and keep both, in one transaction."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from conventions.assessment import Decisions, read_basis, unused, without_siret
from conventions.basis import Basis, from_json
from entsvc import journal, school_year
from entsvc.canonical import fingerprint
from entsvc.french import euros
from invoicing import apart, claims, gates, supplements
from invoicing.apart import CampaignRefused
from invoicing.decisions import decisions_for
from invoicing.models import Anomaly, Call, CallLine, Campaign, Run, Titre
from invoicing.statements import annexes_of, pools_of
from members.models import Member
from tariffs import engine
from tariffs.models import Schedule

BATCH = 2000


def compute_run(*, schedule: Schedule, year: int, actor: str, rank: int = 1, reason: str = "") -> Run:
    """Compute the calls of a schedule for a school year and keep them as a new run.

    A rank beyond 1 is a supplementary campaign: it bills the difference with what is issued, and opens
    with its `reason`. Raises tariffs.adoption.NotAdopted when no act adopted a tariff for that year,
    CampaignRefused when the campaign can't be opened: nothing is kept.
    """
    with transaction.atomic():
        return _compute(_campaign(schedule, year, rank, reason), actor)


def compute_again(*, campaign: Campaign, actor: str) -> Run:
    """Compute the calls of a campaign once more. Raises as `compute_run`, and for what is apart."""
    with transaction.atomic():
        return _compute(_locked(campaign), actor)


def _compute(campaign: Campaign, actor: str) -> Run:
    """Read, assess and keep, in the caller's transaction: the campaign is locked."""
    basis, idle = _read(campaign)
    results = assessed(basis)
    run = _keep_run(campaign, basis, results, actor)
    _keep_calls(run, results)
    _keep_notices(run, basis, results, idle)
    journal.record(
        actor=actor,
        action="compute",
        target=run,
        summary=f"{run} : {euros(run.total)}, {len(results)} appels",
    )
    return run


def _read(campaign: Campaign) -> tuple[Basis, list[engine.Anomaly]]:
    """Return the basis of a campaign, and the decisions of the year that change nothing in it."""
    if campaign.apart:
        return _frozen(campaign, apart.read_basis(campaign)), []
    schedule, year = campaign.schedule, campaign.school_year
    decisions = decisions_for(schedule, year)
    basis = _frozen(campaign, read_basis(schedule, year, decisions))
    return basis, _unused(decisions, basis, pools_of(schedule, year).keys())


def open_supplement(*, campaign: Campaign, reason: str, actor: str) -> Run:
    """Open the next supplementary campaign of the same schedule and school year, and compute it.

    Raises as `compute_run`, and for what is billed apart, which nothing completes.
    """
    if campaign.apart:
        raise CampaignRefused("Ce qui est facturé à part ne se complète pas : facturez le reste à part.")
    return compute_run(
        schedule=campaign.schedule,
        year=campaign.school_year,
        rank=campaign.together.aggregate(last=Max("rank"))["last"] + 1,
        reason=reason,
        actor=actor,
    )


def recompute(run: Run) -> list[engine.Result]:
    """Return what the frozen basis of a run gives today: the same, to the cent, or a bug."""
    return assessed(from_json(run.basis))


def assessed(basis: Basis) -> list[engine.Result]:
    """Return what a frozen basis gives: the year's calls, what of them is not issued, what is held."""
    results = basis.assess()
    gates.check_year(basis, results)
    if claims.FROZEN in basis.facts:
        results = supplements.differences(basis, results)
    gates.check_size(basis, results)
    return results


def _campaign(schedule: Schedule, year: int, rank: int, reason: str) -> Campaign:
    """Return the campaign, opened if need be, locked: two runs at once take their numbers in turn."""
    campaigns = Campaign.objects.of_year(schedule, year)
    if rank < 1:
        raise CampaignRefused("Le rang d'une campagne commence à 1, celui de la principale.")
    if rank > 1 and not campaigns.filter(rank=rank).exists():
        _check_supplement(campaigns, rank, reason)
    defaults = {"reason": " ".join(reason.split())} if rank > 1 else {}
    campaign, _ = Campaign.objects.get_or_create(
        schedule=schedule, school_year=year, rank=rank, apart=False, defaults=defaults
    )
    return _locked(campaign)


def _locked(campaign: Campaign) -> Campaign:
    locked = Campaign.objects.select_for_update(of=("self",)).select_related("schedule__issuer")
    return locked.get(pk=campaign.pk)


def _check_supplement(campaigns: QuerySet[Campaign], rank: int, reason: str) -> None:
    if not Titre.objects.filter(campaign__in=campaigns.filter(rank=1)).exists():
        raise CampaignRefused(
            "La campagne principale n'a encore aucun titre : émettez-la, une campagne complémentaire "
            "n'appelle que ce qui ne l'est pas encore."
        )
    if campaigns.count() != rank - 1:
        raise CampaignRefused(
            f"La prochaine campagne complémentaire est de rang {campaigns.count() + 1}, pas {rank}."
        )
    if not reason.strip():
        raise CampaignRefused(
            "Donnez le motif de la campagne complémentaire : école oubliée, membre tardif…"
        )


def _frozen(campaign: Campaign, basis: Basis) -> Basis:
    """Add to a basis all else that its calls rest on."""
    schedule, year = campaign.schedule, campaign.school_year
    facts = {
        **basis.facts,
        gates.FROZEN: gates.frozen(campaign, basis, timezone.localdate()),
        "annexes": _annexes(schedule, year, basis),
    }
    if campaign.rank > 1 and not campaign.apart:
        facts[claims.FROZEN] = claims.issued_elsewhere(schedule, year, rank=campaign.rank)
        facts["supplement"] = f"Campagne complémentaire n° {campaign.rank - 1} : {campaign.reason}"
    return replace(basis, facts=facts)


def _annexes(schedule: Schedule, year: int, basis: Basis) -> dict[str, Any]:
    """Return what the closed statements say that feed a pool of this basis."""
    fed = {charge.code for charge in basis.charges if charge.pool_reference}
    return {code: facts for code, facts in annexes_of(schedule, year).items() if code in fed}


def _unused(decisions: Decisions, basis: Basis, proved: Iterable[str]) -> list[engine.Anomaly]:
    """Return the decisions that changed nothing; a statement may prove a charge that shares nothing."""
    priced = {charge.code for charge in basis.charges if charge.model != engine.ALLOCATION}
    read = priced.intersection(proved)
    pools = {code: pool for code, pool in decisions.pools.items() if code not in read}
    return unused(replace(decisions, pools=pools), basis)


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
    found = engine.notices(basis.charges, results) + gates.notices(basis)
    found += idle + without_siret(basis)
    if not basis.members:
        message = f"Aucune convention en vigueur ne couvre {school_year.label(basis.school_year)}."
        found.append(engine.Anomaly("no_agreement", message))
    Anomaly.objects.bulk_create(Anomaly(run=run, **vars(anomaly)) for anomaly in found)


def _keep_calls(run: Run, results: list[engine.Result]) -> None:
    debtors = Member.objects.in_bulk([r.member.siret for r in results], field_name="siret")
    # Of one whose SIRET is no longer a member's, only a titre tells who it was.
    issued = {d["siret"]: d["debtor"] for d in run.basis["facts"].get(claims.FROZEN, ())}
    lost = {result.member.siret for result in results} - debtors.keys()
    debtors |= {siret: Member(pk=issued[siret]) for siret in lost}
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
