"""The irrevocable step: clean calls become numbered titres in one short transaction.

Everything that can be prepared is prepared before the counter is locked; nothing is rendered while it
is. Killed anywhere, either all the titres of the bordereau exist or none does.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Max
from django.utils import timezone

from entsvc import journal
from entsvc.french import euros
from entsvc.triggers import missing as missing_triggers
from invoicing.mentions import missing_for_debtor
from invoicing.models import Bordereau, Call, CallLine, Campaign, Run, Series, Titre, TitreLine
from invoicing.numbering import IssueRefused, exercice_for, reference_of, take_numbers
from invoicing.payload import Letterhead, draft, letterhead, numbered
from members.models import Signatory

BATCH = 2000
LINE_FACTS = [f.name for f in CallLine._meta.fields if f.name not in ("id", "call")]


@dataclass(frozen=True)
class Blocked:
    """A call that was not issued, and why."""

    siret: str
    name: str
    messages: list[str]


@dataclass
class Issued:
    """What an issue did. `bordereau` is None when there was nothing left to issue."""

    exercice: int
    bordereau: Bordereau | None = None
    titres: list[Titre] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def issue(
    *, run: Run, on: date, signatory: Signatory, actor: str, exercice: int | None = None
) -> Issued:
    """Issue the clean calls of a run that have no titre yet in its campaign.

    Called again, it issues only what is left. Raises IssueRefused (French messages) when nothing can be
    issued at all: wrong signatory, missing mention, date before the series, wrong exercice.
    """
    schedule = run.campaign.schedule
    issuer = schedule.issuer
    _check_ledger()
    issued = Issued(exercice_for(on, exercice, issuer.complementary_days))
    issued.warnings = _warnings(run, on)
    tariff = f"Tarif {run.basis['facts']['version']} : {run.basis['facts']['act']}"
    head = letterhead(schedule=schedule, signatory=signatory, on=on, foundations=[tariff])
    ready, issued.blocked = _sort_calls(run)
    issued.warnings += _unverified_sirets(ready)
    drafts = _drafts(ready, run, head)
    try:
        with transaction.atomic():
            _number_and_write(issued, drafts, run, head, signatory, on, actor)
    except IntegrityError as error:
        raise IssueRefused(
            "Un autre poste vient d'émettre des titres de cette campagne : recommencez, "
            "seuls ceux qui restent seront émis."
        ) from error
    return issued


def _check_ledger() -> None:
    """Never issue into tables that would let a titre be changed."""
    absent = missing_triggers(connection)
    if absent:
        raise IssueRefused(
            f"La protection des titres n'est pas installée ({', '.join(absent)}) : "
            "lancez « manage.py migrate »."
        )


def _warnings(run: Run, on: date) -> list[str]:
    warnings = []
    latest = run.campaign.runs.aggregate(number=Max("number"))["number"]
    if latest != run.number:
        warnings.append(f"Le dernier calcul de la campagne est le n° {latest}, pas celui-ci.")
    if on > timezone.localdate():
        warnings.append("La date d'émission est dans le futur.")
    return warnings


def _unverified_sirets(calls: list[Call]) -> list[str]:
    """Name the debtors whose SIRET was only proposed: nobody confirmed it."""
    named = [f"{call.name} ({call.siret})" for call in calls if call.debtor.siret_to_verify]
    return [f"SIRET à vérifier : {', '.join(named)}."] if named else []


def _sort_calls(run: Run) -> tuple[list[Call], list[Blocked]]:
    """Part the calls not issued yet between those that are ready and those that are blocked."""
    messages = defaultdict(list)
    for anomaly in run.anomalies.filter(blocking=True, call__isnull=False).order_by("pk"):
        messages[anomaly.call_id].append(anomaly.message)
    ready, blocked = [], []
    for call in _without_titre(run):
        reasons = messages[call.pk]
        reasons += [f"À compléter – {label}." for label in missing_for_debtor(call.debtor)]
        if not call.total:
            reasons.append("Montant nul : aucun titre à émettre.")
        if reasons:
            blocked.append(Blocked(call.siret, call.name, reasons))
        else:
            ready.append(call)
    return ready, blocked


def _without_titre(run: Run) -> list[Call]:
    return list(
        run.calls.select_related("debtor")
        .exclude(debtor__in=_issued_debtors(run.campaign))
        .order_by("siret")
    )


def _issued_debtors(campaign: Campaign) -> Any:
    return Titre.objects.filter(campaign=campaign, original__isnull=True).values("debtor")


def _drafts(
    calls: list[Call], run: Run, head: Letterhead
) -> list[tuple[Call, list[CallLine], dict[str, Any]]]:
    lines = defaultdict(list)
    facts = CallLine.objects.filter(call__run=run).order_by("call_id", "position")
    # Plain rows: as model instances, the lines of a large campaign would fill the memory.
    for line in facts.values_list("call_id", *LINE_FACTS, named=True).iterator():
        lines[line.call_id].append(line)
    members = {member["siret"]: member for member in run.basis["members"]}
    return [
        (
            call,
            lines[call.pk],
            draft(
                head=head,
                call=call,
                basis=run.basis,
                member=members[call.siret],
                lines=lines[call.pk],
            ),
        )
        for call in calls
    ]


def _number_and_write(
    issued: Issued,
    drafts: list[tuple[Call, list[CallLine], dict[str, Any]]],
    run: Run,
    head: Letterhead,
    signatory: Signatory,
    on: date,
    actor: str,
) -> None:
    """Take the numbers and write lines, then titres, then the bordereau that seals them."""
    campaign = Campaign.objects.select_for_update(of=("self",)).get(pk=run.campaign_id)
    done = set(_issued_debtors(campaign).order_by("debtor").values_list("debtor", flat=True))
    drafts = [item for item in drafts if item[0].debtor_id not in done]
    if not drafts:
        return
    issuer = campaign.schedule.issuer
    series = {"issuer": issuer, "exercice": issued.exercice, "on": on}
    numbers = take_numbers(kind=Series.TITRE, count=len(drafts), **series)
    [bordereau_number] = take_numbers(kind=Series.BORDEREAU, count=1, **series)
    bordereau = Bordereau(
        issuer=issuer,
        run=run,
        budget=issuer.budget_code,
        exercice=issued.exercice,
        number=bordereau_number,
        issued_on=on,
        issued_by=actor,
        signatory=str(signatory),
        count=len(drafts),
        total=sum(call.total for call, _, _ in drafts),
    )
    issued.titres = [
        _titre(call, payload, number, bordereau, head, campaign)
        for (call, _, payload), number in zip(drafts, numbers, strict=True)
    ]
    for start in range(0, len(drafts), BATCH):  # a few at a time, for the sake of memory
        batch = zip(issued.titres[start : start + BATCH], drafts[start : start + BATCH], strict=True)
        TitreLine.objects.bulk_create(
            [_titre_line(titre, line) for titre, (_, lines, _) in batch for line in lines]
        )
    Titre.objects.bulk_create(issued.titres)
    bordereau.save(force_insert=True)
    issued.bordereau = bordereau
    journal.record(
        actor=actor,
        action="issue",
        target=bordereau,
        summary=f"{bordereau} : {bordereau.count} titres, {euros(bordereau.total)}",
    )


def _titre_line(titre: Titre, line: CallLine) -> TitreLine:
    return TitreLine(titre_id=titre.pk, **{name: getattr(line, name) for name in LINE_FACTS})


def _titre(
    call: Call,
    payload: dict[str, Any],
    number: int,
    bordereau: Bordereau,
    head: Letterhead,
    campaign: Campaign,
) -> Titre:
    reference = reference_of(bordereau.issuer.code, bordereau.exercice, number, bordereau.budget)
    return Titre(
        bordereau=bordereau,
        issuer=bordereau.issuer,
        budget=bordereau.budget,
        exercice=bordereau.exercice,
        number=number,
        reference=reference,
        issued_on=bordereau.issued_on,
        campaign=campaign,
        call=call,
        debtor=call.debtor,
        siret=call.siret,
        debtor_name=call.debtor.name,
        subject=payload["subject"],
        total=call.total,
        payload=numbered(
            payload,
            head=head,
            number=number,
            bordereau=bordereau.number,
            reference=reference,
            exercice=bordereau.exercice,
            on=bordereau.issued_on,
        ),
    )
