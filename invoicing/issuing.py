"""The irrevocable step: clean calls become numbered titres in one short transaction.

Everything that can be prepared is prepared before the counter is locked; nothing is rendered while it
is. Killed anywhere, either all the titres of the bordereau exist or none does.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Max, QuerySet
from django.utils import timezone
from django.utils.text import capfirst

from entsvc import journal
from entsvc.french import euros
from entsvc.triggers import missing as missing_triggers
from invoicing import apart, claims, gates, preflight
from invoicing.called_twice import called_from_others
from invoicing.facturx.profiles import Profile, wants_facturx
from invoicing.mentions import missing_for_debtor
from invoicing.models import Bordereau, Call, CallLine, Campaign, Channel, Run, Series, Titre, TitreLine
from invoicing.models.titres import Titres
from invoicing.numbering import (
    IssueRefused,
    exercice_for,
    is_external,
    numbers_left,
    reference_of,
    take_numbers,
    why_over,
)
from invoicing.payload import Letterhead, claim, draft, letterhead, numbered
from invoicing.seals import seal
from members.models import Issuer, Signatory

Draft = tuple[Call, list[CallLine], dict[str, Any]]

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
    issued at all: wrong signatory, missing mention, date before the series, exercice wrong or over, what
    the issuer's channel would refuse of every titre. What it would refuse of one blocks that one.
    """
    issuer = run.campaign.schedule.issuer
    check_ledger()
    gates.check_duties(run, actor)
    gates.check_day(run, on)
    gates.check_objections(run)
    issued = Issued(exercice_for(on, exercice, issuer.complementary_days))
    issued.warnings = _warnings(run, on)
    head = head_of(run, signatory, on)
    _check_exercice(issued.exercice, on, head, issuer.complementary_days)
    ready, issued.blocked = _sort_calls(run)
    issued.warnings += _unverified_sirets(ready)
    drafts = _cleared(_drafts(ready, run, head), issued, run, head, on)
    try:
        with transaction.atomic():
            _number_and_write(issued, drafts, run, head, signatory, on, actor)
    except IntegrityError as error:
        raise IssueRefused(
            "Un autre poste vient d'émettre des titres de cette campagne : recommencez, "
            "seuls ceux qui restent seront émis."
        ) from error
    issued.warnings += numbers_left(issuer, issued.exercice)
    return issued


def _cleared(drafts: list[Draft], issued: Issued, run: Run, head: Letterhead, on: date) -> list[Draft]:
    """Return the drafts that their channel would take; the others are blocked."""
    refused = refused_by_channel(drafts, run, head, issued.exercice, on)
    issued.blocked += [
        Blocked(call.siret, call.name, refused[call.pk]) for call, _, _ in drafts if call.pk in refused
    ]
    return [item for item in drafts if item[0].pk not in refused]


def refused_by_channel(
    drafts: list[Draft], run: Run, head: Letterhead, exercice: int, on: date
) -> dict[int, list[str]]:
    """Return, by call, what the channel would refuse of it; raise IssueRefused for what concerns all."""
    channel = Channel.objects.filter(issuer=run.campaign.schedule.issuer_id).first()
    checked = preflight.check(drafts, run=run, channel=channel, head=head, exercice=exercice, on=on)
    if checked.common:
        raise IssueRefused(*(capfirst(finding.told) for finding in checked.common))
    return {pk: [capfirst(finding.told) for finding in found] for pk, found in checked.by_call.items()}


def head_of(run: Run, signatory: Signatory, on: date) -> Letterhead:
    """Return what the titres of a run have in common on a day; raises IssueRefused."""
    facts = run.facts
    foundations = [f"Tarif {facts['version']} : {facts['act']}"]
    if "supplement" in facts:
        foundations.append(facts["supplement"])
    return letterhead(
        schedule=run.campaign.schedule, signatory=signatory, on=on, foundations=foundations
    )


def check_ledger() -> None:
    """Never issue into tables that would let a titre be changed."""
    absent = missing_triggers(connection)
    if absent:
        raise IssueRefused(
            f"La protection des titres n'est pas installée ({', '.join(absent)}) : "
            "lancez « manage.py migrate »."
        )


def _check_exercice(exercice: int, on: date, head: Letterhead, complementary_days: int) -> None:
    """Raise IssueRefused for an exercice that is over today; a specimen, which binds nobody, may be."""
    why = why_over(exercice, on, complementary_days)
    if why and not head.specimen:
        raise IssueRefused(
            f"{why} : aucun titre n'y est plus émis, quelle que soit la date saisie. Émettez-le à la "
            "date d'aujourd'hui, sur l'exercice en cours."
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
    calls = list(unissued(run))
    reasons = blocking_reasons(run, calls)
    for siret, message in claims.outdated(run).items():
        for call in (call for call in calls if call.siret == siret and call.total):
            reasons[call.pk].append(message)
    for pk, messages in called_from_others(run, calls).items():
        reasons[pk] += messages
    ready = [call for call in calls if not reasons[call.pk]]
    blocked = [Blocked(call.siret, call.name, reasons[call.pk]) for call in calls if reasons[call.pk]]
    return ready, blocked + _to_issue_again(run)


def unissued(run: Run) -> QuerySet[Call]:
    """Return the calls of a run, with their debtors, that have no titre in its campaign."""
    done = _principals(run.campaign).values("debtor")
    return run.calls.select_related("debtor").exclude(debtor__in=done).order_by("siret")


def blocking_reasons(run: Run, calls: Iterable[Call]) -> dict[int, list[str]]:
    """Return, by call, why no titre can be made of it: its anomalies, its debtor, its amount."""
    messages = defaultdict(list)
    for anomaly in run.anomalies.filter(blocking=True, call__isnull=False).order_by("pk"):
        messages[anomaly.call_id].append(anomaly.message)
    reasons = {}
    for call in calls:
        found = [*messages[call.pk]]
        found += [f"À compléter – {label}." for label in missing_for_debtor(call.debtor)]
        if not call.total:
            found.append("Montant nul : aucun titre à émettre.")
        reasons[call.pk] = found
    return reasons


def _to_issue_again(run: Run) -> list[Blocked]:
    """Name the debtors whose titre was annulled and not replaced: only a re-issue bills them again."""
    annulled = {
        titre.debtor_id: titre.reference
        for titre in _principals(run.campaign)
        .annulled()
        .filter(replaced_by__isnull=True)
        .defer("payload")
        .order_by("pk")
    }
    same = Campaign.objects.filter(pk=run.campaign_id).order_by("pk")
    done = set(in_force(same).order_by("pk").values_list("debtor", flat=True))
    calls = run.calls.filter(debtor__in=annulled.keys() - done, total__gt=0).order_by("siret")
    return [
        Blocked(
            call.siret,
            call.name,
            [
                f"Le titre {annulled[call.debtor_id]} est annulé : un nouveau titre s'émet depuis sa "
                "page, par « Annuler et ré-émettre »."
            ],
        )
        for call in calls
    ]


def _principals(campaign: Campaign) -> Titres:
    """Return the titres of a campaign, annulled ones included: their debtors had theirs."""
    return Titre.objects.filter(campaign=campaign, original__isnull=True)


def in_force(campaigns: QuerySet[Campaign]) -> QuerySet[Titre]:
    """Return the titres of some campaigns that still ask for something."""
    return Titre.objects.in_force().filter(campaign__in=campaigns)


def lock(campaign: Campaign) -> Campaign:
    """Let one issue of a campaign go on at a time, in the caller's transaction.

    With it go the others of its school year, whose titres a supplementary one must know. Rows that only
    name the campaign are not held up: a correction takes its numbers before the database checks what it
    names, and each would otherwise wait for the other.
    """
    same = campaign.together.select_for_update(of=("self",), no_key=True).order_by("rank")
    locked = {row.pk: row for row in same}[campaign.pk]
    if locked.apart:
        apart.lock(locked)
    return locked


def draft_of(call: Call, run: Run, head: Letterhead) -> Draft:
    """Return a call with its lines and the payload of its titre, but for its numbers."""
    [only] = _drafts([call], run, head)
    return only


def claims_of(run: Run, calls: list[Call], head: Letterhead) -> list[Draft]:
    """Return calls with their lines and what channels look at of their drafts; see `draft_of`."""
    basis = {"facts": run.facts, "charges": run.charges}
    lines = _lines(calls, run)
    return [
        (call, lines[call.pk], claim(head=head, call=call, basis=basis, lines=lines[call.pk]))
        for call in calls
    ]


def _drafts(calls: list[Call], run: Run, head: Letterhead) -> list[Draft]:
    lines = _lines(calls, run)
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


def _lines(calls: list[Call], run: Run) -> dict[int, list[Any]]:
    """Return the lines of calls of a run, by call, in the order in which they are printed."""
    lines = defaultdict(list)
    facts = CallLine.objects.filter(call__run=run).order_by("call_id", "position")
    if len(calls) == 1:
        facts = facts.filter(call=calls[0])
    # Plain rows: as model instances, the lines of a large campaign would fill the memory.
    for line in facts.values_list("call_id", *LINE_FACTS, named=True).iterator():
        lines[line.call_id].append(line)
    return lines


def _number_and_write(
    issued: Issued,
    drafts: list[Draft],
    run: Run,
    head: Letterhead,
    signatory: Signatory,
    on: date,
    actor: str,
) -> None:
    """Write what nobody else issued meanwhile."""
    campaign = lock(run.campaign)
    done = set(_principals(campaign).order_by("debtor").values_list("debtor", flat=True))
    outdated = claims.outdated(run) if drafts else {}
    drafts = [d for d in drafts if d[0].debtor_id not in done and d[0].siret not in outdated]
    twice = called_from_others(run, [call for call, _, _ in drafts])
    drafts = [d for d in drafts if d[0].pk not in twice]
    if drafts:
        issued.bordereau, issued.titres = write_titres(
            drafts=drafts,
            run=run,
            head=head,
            exercice=issued.exercice,
            signatory=signatory,
            on=on,
            actor=actor,
        )


def write_titres(
    *,
    drafts: list[Draft],
    run: Run,
    head: Letterhead,
    exercice: int,
    signatory: Signatory,
    on: date,
    actor: str,
    replaces: Titre | None = None,
) -> tuple[Bordereau, list[Titre]]:
    """Take the numbers and write lines, then titres, then the bordereau that seals them.

    Inside the caller's transaction, its campaign locked (see `lock`).
    """
    campaign = run.campaign
    issuer = campaign.schedule.issuer
    series = {"issuer": issuer, "exercice": exercice, "on": on}
    numbers = take_numbers(kind=Series.TITRE, count=len(drafts), **series)
    external = is_external(issuer, issuer.budget_code, exercice, Series.TITRE)
    [bordereau_number] = take_numbers(kind=Series.BORDEREAU, count=1, **series)
    bordereau = Bordereau(
        issuer=issuer,
        run=run,
        budget=issuer.budget_code,
        exercice=exercice,
        number=bordereau_number,
        issued_on=on,
        issued_by=actor,
        signatory=str(signatory),
        count=len(drafts),
        total=sum(call.total for call, _, _ in drafts),
        invoice_frame=frame_for(issuer, external=external),
    )
    titres = [
        _titre(call, payload, number, bordereau, head, campaign, replaces, external)
        for (call, _, payload), number in zip(drafts, numbers, strict=True)
    ]
    for start in range(0, len(drafts), BATCH):  # a few at a time, for the sake of memory
        batch = zip(titres[start : start + BATCH], drafts[start : start + BATCH], strict=True)
        TitreLine.objects.bulk_create(
            [_titre_line(titre, line) for titre, (_, lines, _) in batch for line in lines]
        )
    Titre.objects.bulk_create(titres)
    bordereau.save(force_insert=True)
    journal.record(
        actor=actor,
        action="issue",
        target=bordereau,
        summary=f"{bordereau} : {bordereau.count} titres, {euros(bordereau.total)}",
        data=seal((titre.reference, titre.sha256) for titre in titres),
    )
    return bordereau, titres


def frame_for(issuer: Issuer, *, external: bool) -> Profile | str:
    """Return the frame of the invoices that the pieces of a bordereau get by themselves, if any.

    Under the accountant's numbers there is none: its chain deposits the invoice itself.
    """
    return "" if external else wants_facturx(issuer) or ""


def _titre_line(titre: Titre, line: CallLine) -> TitreLine:
    return TitreLine(titre_id=titre.pk, **{name: getattr(line, name) for name in LINE_FACTS})


def _titre(
    call: Call,
    payload: dict[str, Any],
    number: int,
    bordereau: Bordereau,
    head: Letterhead,
    campaign: Campaign,
    replaces: Titre | None,
    external: bool,
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
        replaces=replaces,
        payload=numbered(
            payload,
            head=head,
            number=number,
            bordereau=bordereau.number,
            reference=reference,
            exercice=bordereau.exercice,
            on=bordereau.issued_on,
            external=external,
        ),
    )
