"""What holds back calls beyond the anomalies of their bases: day, proof, vote, size, objections.

What a gate reads is frozen with the basis of the run, so that the run can be replayed; only the day of
issue is looked at when titres are issued. Somme (charter of 24 June 2014): called after the end of the
school year, on expenses actually paid. Nord-Pas-de-Calais (15 June 2023): the committee votes each
contribution. Local bodies: nothing is claimed under the threshold of article D. 1611-1 of the CGCT.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from conventions import objections
from conventions.basis import Basis
from conventions.etat_reading import by_siret
from conventions.models import EtatContradictoire
from entsvc import figures, school_year
from entsvc.french import euros, long_date
from invoicing import apart
from invoicing.models import Anomaly, CallRules, Campaign, Run, Titre, VotedAmount
from invoicing.numbering import IssueRefused
from invoicing.statements import pools_of
from tariffs import engine
from tariffs.models import Schedule

FROZEN = "gates"  # among the facts of a basis
THRESHOLD = "seuil-mise-en-recouvrement"
SKIPPED, DEFERRED = "small_skipped", "small_deferred"


def frozen(campaign: Campaign, basis: Basis, on: date) -> dict[str, Any]:
    """Return what the gates of a campaign read on a day, as JSON types, to freeze among the facts."""
    schedule, year = campaign.schedule, campaign.school_year
    scopes = [schedule.issuer.regime, schedule.issuer.code]
    threshold = figures.in_force(scopes, THRESHOLD, on)
    if campaign.apart:  # billed at once, and named one by one: only its size is looked at
        return _nothing_asked() | {"threshold": None if threshold is None else str(threshold)}
    rules = rules_of(schedule)
    votes = VotedAmount.objects.filter(schedule=schedule, school_year=year).order_by("debtor__siret")
    closed = set(pools_of(schedule, year))
    return {
        "by_hand": _by_hand(basis, closed) if rules.needs_statement else [],
        "unproved": _is_unproved(basis, closed),
        "needs_statement": rules.needs_statement,
        "after_year_end": rules.after_year_end,
        "threshold": None if threshold is None else str(threshold),
        "small": rules.small_amounts,
        "deferred": sorted(_deferred(campaign)),
        "voted": {
            siret: str(amount) for siret, amount in votes.values_list("debtor__siret", "amount") if siret
        },
        "objections": _objections(schedule, year, basis),
    }


def _nothing_asked() -> dict[str, Any]:
    return {
        "by_hand": [],
        "unproved": False,
        "needs_statement": False,
        "after_year_end": False,
        "small": CallRules.Small.ISSUE.value,
        "deferred": [],
        "voted": {},
        "objections": {},
    }


def rules_of(schedule: Any) -> CallRules:
    """Return the rules of a schedule; those of one that has none hold nothing back."""
    return CallRules.objects.filter(schedule=schedule).first() or CallRules(schedule=schedule)


def check_year(basis: Basis, results: Iterable[engine.Result]) -> None:
    """Report on each call the proof that its pool lacks, and how it differs from what was voted."""
    gates = basis.facts.get(FROZEN)
    if gates is None:  # frozen before there were gates
        return
    labels = {charge.code: charge.label for charge in basis.charges}
    for result in results:
        borne = {line.charge for line in result.lines}
        for code in gates["by_hand"]:
            if code in borne:
                what = f"« {labels[code]} » est répartie d'une enveloppe saisie"
                result.report(_statement_needed(what))
        if gates["needs_statement"] and gates["unproved"] and result.lines:
            result.report(_statement_needed("Les dépenses de l'année ne sont pas constatées"))
        _check_vote(result, gates["voted"], basis.acceptances)
        # Bases frozen before there were objections name none.
        for code, uai, message in gates.get("objections", {}).get(result.member.siret, ()):
            anomaly = engine.Anomaly(code, message, uai)
            result.report(engine.after_acceptance(anomaly, result.member.siret, basis.acceptances))


def check_size(basis: Basis, results: Iterable[engine.Result]) -> None:
    """Report the calls under the threshold; one blocked otherwise has no amount to judge yet."""
    gates = basis.facts.get(FROZEN)
    if gates is None or gates["threshold"] is None:
        return
    threshold = Decimal(gates["threshold"])
    for result in results:
        if 0 < result.total < threshold and not result.blocked:
            deferred = result.member.siret in gates["deferred"]
            result.report(_small(result.total, threshold, gates["small"], deferred))


def notices(basis: Basis) -> list[engine.Anomaly]:
    """Return what the gates have to say of the whole run: expenses to prove, votes without a call."""
    gates = basis.facts[FROZEN]
    found = []
    if gates["unproved"] and gates["after_year_end"] and not gates["needs_statement"]:
        found.append(
            engine.Anomaly(
                "expenses_to_check",
                "Aucun état des dépenses clos pour cette année : vérifiez que les dépenses sont payées "
                "avant d'appeler.",
                blocking=False,
            )
        )
    called = {member.siret for member in basis.members}
    found += [
        engine.Anomaly(
            "unused_decision", f"Le montant voté pour {siret} est sans appel.", blocking=False
        )
        for siret in gates["voted"]
        if siret not in called
    ]
    return found


def check_day(run: Run, on: date) -> None:
    """Raise IssueRefused on a day that comes too soon.

    That is before the 1 September that follows a year called once it is over, and, for the principal
    campaign, until the last day left to members to object.
    """
    done = apart.earliest_day(run) if run.campaign.apart else None
    if done and on < done:
        raise IssueRefused(
            f"Le service n'est fait et payé que le {long_date(done)} : le titre n'est pas daté d'avant."
        )
    year = run.campaign.school_year
    opens = school_year.last_day(year) + timedelta(days=1)
    if on < opens and not run.campaign.apart and rules_of(run.campaign.schedule).after_year_end:
        raise IssueRefused(
            f"{run.campaign.schedule.code} s'appelle une fois l'année scolaire finie : aucun titre de "
            f"{school_year.label(year)} n'est daté d'avant le {long_date(opens)}."
        )
    until = None if run.campaign.apart or run.campaign.rank > 1 else _objections_until(run.campaign)
    if until and on <= until:
        raise IssueRefused(
            f"Les membres ont jusqu'au {long_date(until)} inclus pour contester leur état "
            f"contradictoire : aucun titre de {school_year.label(year)} n'est daté de ce jour ou "
            "d'avant."
        )


def check_objections(run: Run) -> None:
    """Raise IssueRefused where an objection that is not rejected was filed or accepted since a run."""
    if run.campaign.apart:
        return
    known = objections.of_year(run.campaign.schedule, run.campaign.school_year)
    if objections.held_since(known, run.computed_at):
        raise IssueRefused(
            "Une contestation a été déposée ou acceptée depuis ce calcul : traitez-la, puis calculez de "
            "nouveau."
        )


def check_duties(run: Run, actor: str) -> None:
    """Raise IssueRefused where duties are separate and who computed the run would issue it."""
    if run.campaign.schedule.issuer.separate_duties and run.computed_by == actor:
        raise IssueRefused(
            f"{actor} a lancé ce calcul : cet émetteur sépare les tâches, une autre personne doit "
            "l'émettre."
        )


def _objections(schedule: Schedule, year: int, basis: Basis) -> dict[str, list[list[str]]]:
    """Return what objections hold back, by SIRET: the code of the anomaly, the school, the words."""
    found: dict[str, list[list[str]]] = {}
    for row in objections.pending(schedule, year, lambda: by_siret(basis)):
        code = "objection_to_mend" if row.answered else "objection_unanswered"
        found.setdefault(row.siret, []).append([code, row.uai, row.words])
    return found


def _objections_until(campaign: Campaign) -> date | None:
    """Return the last day to object before a campaign, None where members are shown nothing."""
    etat = EtatContradictoire.objects.filter(
        schedule=campaign.schedule, school_year=campaign.school_year
    )
    return etat.values_list("objections_until", flat=True).first()


def _by_hand(basis: Basis, closed: set[str]) -> list[str]:
    """Return the charges that share out a pool of the year that no closed statement feeds."""
    return [c.code for c in basis.charges if _shared(c) and c.pool_reference and c.code not in closed]


def _is_unproved(basis: Basis, closed: set[str]) -> bool:
    """Tell a tariff called as voted, that shares out no pool of the year, without a closed statement."""
    return not closed and not any(_shared(charge) for charge in basis.charges)


def _shared(charge: engine.Charge) -> bool:
    """Tell a pool of the year from one that the tariff fixes."""
    return charge.model == engine.ALLOCATION and (charge.pool is None or charge.pool_reference != "")


def _deferred(campaign: Campaign) -> set[str]:
    """Return the SIRETs whose call the latest run of a former campaign put off, and never issued."""
    former = campaign.together.filter(rank__lt=campaign.rank)
    return {call.siret for _, call in left_out(former.order_by("rank"), DEFERRED)}


def left_out(campaigns: Iterable[Campaign], code: str) -> list[tuple[Campaign, Any]]:
    """Return the calls that the latest run of each campaign left out for that reason."""
    found = []
    for campaign in campaigns:
        run = campaign.runs.defer("basis").order_by("-number").first()
        small = Anomaly.objects.filter(run=run, code=code, blocking=True).order_by("pk")
        issued = Titre.objects.filter(campaign=campaign, original__isnull=True).order_by("pk")
        issued = set(issued.values_list("debtor", flat=True))
        calls = (anomaly.call for anomaly in small.select_related("call__debtor"))
        found += [(campaign, call) for call in calls if call.debtor_id not in issued]
    return found


def _statement_needed(what: str) -> engine.Anomaly:
    return engine.Anomaly(
        "statement_needed",
        f"{what}, sans état des dépenses clos : faites viser et clore cet état, puis recalculez.",
    )


def _check_vote(
    result: engine.Result, voted: dict[str, str], acceptances: tuple[engine.Acceptance, ...]
) -> None:
    if not voted:
        return
    siret = result.member.siret
    if siret not in voted:
        message = f"Aucun montant voté pour {result.member.name}, que le tableau voté ne nomme pas."
        result.report(engine.Anomaly("voted_amount_missing", message, blocking=False))
        return
    amount = Decimal(voted[siret])
    if result.total != amount:
        message = (
            f"L'appel de l'année est de {euros(result.total)}, le montant voté de {euros(amount)} : "
            "corrigez l'un des deux, ou acceptez l'écart avec un motif."
        )
        anomaly = engine.Anomaly("voted_amount_differs", message)
        result.report(engine.after_acceptance(anomaly, siret, acceptances))


def _small(total: Decimal, threshold: Decimal, rule: str, deferred: bool) -> engine.Anomaly:
    words = f"{euros(total)}, sous le seuil de mise en recouvrement de {euros(threshold)}"
    if rule == CallRules.Small.SKIP:
        return engine.Anomaly(SKIPPED, f"{words} : n'est pas appelé.")
    if rule == CallRules.Small.DEFER and not deferred:
        return engine.Anomaly(DEFERRED, f"{words} : reporté à la prochaine campagne complémentaire.")
    return engine.Anomaly("small_amount", f"{words} : émis quand même.", blocking=False)
