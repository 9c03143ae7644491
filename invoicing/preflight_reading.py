"""What is to mend before a run is issued, grouped by what mends it: of its channel and of its debtors.

As if it were issued today by the first signatory in office. Legal mentions of the debtors are told with
what the channel asks: both are written in the same forms. Calls that an anomaly holds are looked at too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst

from invoicing import preflight
from invoicing.forms import signatories_in_office
from invoicing.issuing import claims_of, head_of, unissued
from invoicing.mentions import missing_for_debtor
from invoicing.models import Call, Channel, Run
from invoicing.numbering import IssueRefused, exercice_for
from invoicing.pes.findings import Finding
from invoicing.pes.pages import PAGES
from invoicing.review_reading import many_rows

NO_SIGNATORY = "Aucun signataire n'est en fonction : enregistrez-le dans « Signataires »."
LISTS = {**PAGES, "numbering": ("invoicing_numberingpolicy", "Numérotation des séries")}


@dataclass
class Group:
    """What is to mend in one way: `calls` are those of the debtors concerned, none when all are.

    `link` is the address of the page that mends what all share, and its words.
    """

    rule: str
    element: str
    message: str
    link: tuple[str, str] | None = None
    calls: list[Call] = field(default_factory=list)


@dataclass
class Readiness:
    """Where a run stands before its issue: `refusals` and `common` hold back all of its `waiting` calls.

    `held` counts the debtors that have something of their own to mend.
    """

    channel: Channel | None
    waiting: int
    held: int = 0
    refusals: Sequence[str] = ()
    common: list[Group] = field(default_factory=list)
    debtors: list[Group] = field(default_factory=list)

    @property
    def is_ready(self) -> bool:
        """Tell whether nothing was found."""
        return not (self.refusals or self.common or self.debtors)


def readiness(run: Run, user: Any) -> Readiness:
    """Return what is to mend before the calls of a run that have no titre yet are issued.

    Links are those that the user may open. A dozen queries, whatever the number of calls.
    """
    issuer = run.campaign.schedule.issuer
    channel = Channel.objects.filter(issuer=issuer).first()
    today = timezone.localdate()
    with many_rows():
        calls = [call for call in unissued(run) if call.total]
        found = Readiness(channel, len(calls))
        if not calls:
            return found
        by_call = {call.pk: _mentions(call) for call in calls}
        signatory = signatories_in_office(issuer.pk, today).filter(valid_from__lte=today).first()
        try:
            if signatory is None:
                raise IssueRefused(NO_SIGNATORY)
            head = head_of(run, signatory, today)
        except IssueRefused as refused:
            found.refusals = refused.messages
        else:
            exercice = exercice_for(today, None, issuer.complementary_days)
            drafts = claims_of(run, calls, head)
            checked = preflight.check(
                drafts, run=run, head=head, exercice=exercice, on=today, channel=channel
            )
            found.common = [
                Group(item.rule, item.element, item.message, _link(item, run, channel, user))
                for item in checked.common
            ]
            for key, findings in checked.by_call.items():
                by_call[key] += findings
    found.held = sum(1 for findings in by_call.values() if findings)
    found.debtors = _grouped(calls, by_call)
    return found


def _mentions(call: Call) -> list[Finding]:
    return [
        Finding("mention", label, call.name, "à compléter dans « Membres ».", "member", str(call.pk))
        for label in missing_for_debtor(call.debtor)
    ]


def _grouped(calls: Iterable[Call], by_call: dict[int, list[Finding]]) -> list[Group]:
    """Return the findings of each call by rule and element, those of most debtors first."""
    groups: dict[tuple[str, str], Group] = {}
    for call in calls:
        for finding in by_call[call.pk]:
            key = finding.rule, finding.element
            if key not in groups:
                groups[key] = Group(finding.rule, finding.element, capfirst(finding.message))
            groups[key].calls.append(call)
    return sorted(groups.values(), key=lambda group: -len(group.calls))


def _link(finding: Finding, run: Run, channel: Channel | None, user: Any) -> tuple[str, str] | None:
    """Return the page that mends what all the titres share: the row itself where it is known."""
    if finding.page not in LISTS:
        return None
    page, words = LISTS[finding.page]
    app, _, model = page.partition("_")
    if not user.has_perm(f"{app}.view_{model}"):
        return None
    schedule = run.campaign.schedule
    rows = {
        "channel": channel and channel.pk,
        "issuer": schedule.issuer_id,
        "schedule": schedule.pk,
    }
    key = rows.get(finding.page)
    address = reverse(f"admin:{page}_change", args=[key]) if key else reverse(f"admin:{page}_changelist")
    return address, words
