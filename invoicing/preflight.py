"""What the channel of an issuer would refuse, found in the drafts of titres before a number is spent.

The rules are those of each channel, run on the very facts that would be frozen. The number is the only
one to come: the largest of its series takes its place, as long as any other, one less for each titre so
that no two are the same. What a channel asks of the documents waits for them to be drawn.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from invoicing.facturx.amounts import lines_of
from invoicing.facturx.profiles import frame_of
from invoicing.facturx.refusals import EXTERNAL, lacks
from invoicing.models import WIDEST, Bordereau, Call, Channel, LineFacts, Run, Series
from invoicing.numbering import is_external, reference_of
from invoicing.payload import Letterhead, numbered
from invoicing.pes import frozen, rules
from invoicing.pes.facts import Flow, Piece
from invoicing.pes.findings import Finding, Rule
from invoicing.pes.reading import cumulated
from invoicing.pes.values import is_siret, lacks_engagement

Draft = tuple[Call, Sequence[LineFacts], dict[str, Any]]

EVERY = "Tous les titres"
# Pages whose rows are those of the issuer: what is wrong there stands against every titre.
COMMON = {
    "accountant", "channel", "issuer", "numbering", "schedule", "signatory", "text",
}  # fmt: skip
NOT_OURS = Finding(
    "numero-externe",
    "Numéros",
    EVERY,
    "la chaîne du comptable numérote ces pièces, qui n'entrent donc pas dans un PES : choisissez la "
    "« Chaîne de l'État » dans « Canaux d'envoi », ou notre série dans « Numérotation des séries ».",
    "numbering",
)
CHORUS = (
    Rule(
        "engagement-etat",
        "Numéro d'engagement (BT-13)",
        lambda payload, _: lacks_engagement(
            payload["debtor"]["siret"], payload["debtor"]["engagement_number"]
        ),
        "un service de l'État exige un numéro d'engagement : donnez-le dans « Membres ».",
        "member",
    ),
)
STATE = (
    Rule(
        "siret-debiteur",
        "SIRET du débiteur",
        lambda payload, _: not is_siret(payload["debtor"]["siret"]),
        "il a quatorze chiffres et une clé juste : corrigez-le dans « Membres ».",
        "member",
    ),
    Rule(
        "siret-emetteur",
        "SIRET de l'émetteur",
        lambda payload, _: (
            not is_siret(payload["issuer"]["siret"], specimen=payload["document"]["specimen"])
        ),
        "il a quatorze chiffres et une clé juste : corrigez-le dans « Émetteurs ».",
        "issuer",
    ),
    Rule(
        "centre-de-couts",
        "Centre de coûts",
        lambda payload, _: not payload["issuer"]["cost_centre"].strip(),
        "la chaîne de l'État le demande : donnez le code gestionnaire ou centre de coûts dans "
        "« Émetteurs ».",
        "issuer",
    ),
    Rule(
        "programme",
        "Programme",
        lambda payload, _: not _imputed(payload, "Programme"),
        "la chaîne de l'État le demande : donnez le programme ou fonds de concours dans « Barèmes ».",
        "schedule",
    ),
    Rule(
        "compte",
        "Compte",
        lambda payload, _: not (_imputed(payload, "Compte") or _imputed(payload, "Nature")),
        "la chaîne de l'État le demande : donnez-le dans « Barèmes ».",
        "schedule",
    ),
)


@dataclass
class Checked:
    """What stands against some drafts: `common` against all of them, the rest by key of the call."""

    common: list[Finding] = field(default_factory=list)
    by_call: dict[int, list[Finding]] = field(default_factory=dict)


def check(
    drafts: Iterable[Draft],
    *,
    run: Run,
    channel: Channel | None,
    head: Letterhead,
    exercice: int,
    on: date,
) -> Checked:
    """Return what the issuer's channel would refuse of the titres that these drafts would become.

    Without a channel nothing is asked. A few queries, whatever their number.
    """
    issuer = run.campaign.schedule.issuer
    if channel is None:
        return Checked()
    external = is_external(issuer, issuer.budget_code, exercice, Series.TITRE)
    bordereau = Bordereau(
        issuer=issuer,
        budget=issuer.budget_code,
        exercice=exercice,
        number=WIDEST[Series.BORDEREAU],
        issued_on=on,
    )
    titres = list(_as_issued(drafts, bordereau, head, external))
    if not titres:
        return Checked()
    return _sorted_out(_found(titres, bordereau, channel, external))


def _as_issued(
    drafts: Iterable[Draft], bordereau: Bordereau, head: Letterhead, external: bool
) -> Iterator[Draft]:
    """Give the drafts under the largest numbers of the series."""
    code, budget = bordereau.issuer.code, bordereau.budget
    for rank, (call, lines, payload) in enumerate(drafts):
        number = WIDEST[Series.TITRE] - rank
        known = numbered(
            payload,
            head=head,
            number=number,
            bordereau=bordereau.number,
            reference=reference_of(code, bordereau.exercice, number, budget),
            exercice=bordereau.exercice,
            on=bordereau.issued_on,
            external=external,
        )
        yield call, lines, known


def _found(
    titres: Sequence[Draft], bordereau: Bordereau, channel: Channel, external: bool
) -> Iterator[Finding]:
    if channel.kind == Channel.Kind.HELIOS:
        yield from [NOT_OURS] if external else _of_helios(titres, bordereau, channel)
    elif channel.kind == Channel.Kind.STATE:
        yield from _broken(STATE, titres)
    elif channel.kind == Channel.Kind.CHORUS_PRO:
        yield from _broken(CHORUS, titres)
        if external:
            yield Finding("numero-externe", "Numéros", EVERY, EXTERNAL, "numbering")
    if frame_of(channel) and not external:
        yield from _of_invoices(titres)


def _of_helios(titres: Sequence[Draft], bordereau: Bordereau, channel: Channel) -> Iterator[Finding]:
    """Run the rules of the PES: on each piece, then on the bordereau of those that keep them."""
    pieces = [
        frozen.piece_of(payload, key=str(call.pk), total=call.total, debtor_kind=call.debtor.kind)
        for call, _, payload in titres
    ]
    bordereau.count, bordereau.total = len(pieces), Decimal("0.00")
    flow = frozen.flow_of(
        titres[0][2],
        bordereau,
        channel=channel,
        rank=1,
        on=bordereau.issued_on,
        cumulated=cumulated(bordereau),
    )
    found = list(rules.of_drafts(pieces, flow))
    yield from found
    refused = {finding.key for finding in found if finding.page not in COMMON}
    kept = [piece for piece in pieces if piece.key not in refused] or pieces
    yield from rules.of_whole(_with(flow, kept))


def _with(flow: Flow, pieces: Sequence[Piece]) -> Flow:
    total = sum((piece.total for piece in pieces), Decimal("0.00"))
    listed = replace(
        flow.bordereau,
        count=len(pieces),
        total=total,
        cumulated=flow.bordereau.cumulated + total,
    )
    return replace(flow, bordereau=listed, pieces=tuple(pieces))


def _of_invoices(titres: Iterable[Draft]) -> Iterator[Finding]:
    for call, lines, payload in titres:
        for lack in lacks(payload, lines_of(lines), call.total):
            yield Finding(lack.rule, lack.element, call.name, lack.message, lack.page, key=str(call.pk))


def _broken(table: Sequence[Rule], titres: Iterable[Draft]) -> Iterator[Finding]:
    for call, _, payload in titres:
        for rule in table:
            if rule.broken(payload, None):
                yield Finding(
                    rule.code, rule.element, call.name, rule.message, rule.page, key=str(call.pk)
                )


def _sorted_out(found: Iterable[Finding]) -> Checked:
    """Part what stands against every titre, told once, from what stands against one."""
    common: dict[tuple[str, str], Finding] = {}
    by_call = defaultdict(list)
    for finding in found:
        if finding.key and finding.page not in COMMON:
            by_call[int(finding.key)].append(finding)
        else:
            common.setdefault((finding.rule, finding.page), replace(finding, where=EVERY, key=""))
    return Checked(list(common.values()), dict(by_call))


def _imputed(payload: dict[str, Any], label: str) -> str:
    return next((item["value"] for item in payload["imputation"] if item["label"] == label), "")
