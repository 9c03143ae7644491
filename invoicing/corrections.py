"""How a titre is annulled or reduced: a numbered correction, the titre itself never changing.

Only for an error of debtor, of amount, a debt called twice, a debtor that is gone, or a discharge by the
judge (instruction 11-008-M0 of 21 March 2011), and within the exercice of the titre: past it the
accountant is asked for a mandat (`invoicing.mandats`). Like an issue, a correction is one short
transaction: the titre is locked, its counters last, and nothing is drawn meanwhile.
"""

from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils import timezone

from entsvc import journal
from entsvc.french import euros, short_date
from invoicing.correction_payload import (
    PartOff,
    correction_draft,
    correction_numbered,
    lines_of,
    taken_by_line,
)
from invoicing.issuing import check_ledger, frame_for
from invoicing.models import Bordereau, Series, Titre, TitreLine
from invoicing.numbering import (
    IssueRefused,
    all_closed,
    correction_reference,
    is_external,
    take_numbers,
)
from invoicing.payload import Letterhead, letterhead
from members.models import Signatory

ZERO = Decimal("0.00")


class MandatNeeded(IssueRefused):
    """The exercice of the titre is closed: only a mandat offsets it now."""


@dataclass(frozen=True)
class Correction:
    """What to do to a titre, and the error that was made. Only a réduction has `parts`."""

    titre: Titre
    kind: Titre.Kind
    reason_code: str
    reason: str
    parts: Sequence[PartOff] = ()


@dataclass
class Corrected:
    """What was written: the corrections, in the order they were asked, on their bordereau."""

    bordereau: Bordereau
    titres: list[Titre] = field(default_factory=list)


@dataclass(frozen=True)
class _Prepared:
    """A correction ready to be numbered."""

    asked: Correction
    head: Letterhead
    lines: list[dict[str, Any]]
    payload: dict[str, Any]


def correct(
    *,
    titre: Titre,
    kind: Titre.Kind,
    reason_code: str,
    reason: str,
    on: date,
    signatory: Signatory,
    actor: str,
    parts: Sequence[PartOff] = (),
) -> Titre:
    """Annul a titre, or take `parts` off it, and return the correction (see `correct_many`)."""
    asked = Correction(titre, kind, reason_code, reason, parts)
    return correct_many(corrections=[asked], on=on, signatory=signatory, actor=actor).titres[0]


def correct_many(
    *, corrections: Sequence[Correction], on: date, signatory: Signatory, actor: str
) -> Corrected:
    """Write the corrections of titres of one issuer and exercice, on one bordereau.

    Raises IssueRefused (French messages) when one of them can't be made: nothing is written then; among
    them MandatNeeded, past the exercice of the titres.
    """
    check_ledger()
    try:
        with transaction.atomic():
            return write_corrections(corrections=corrections, on=on, signatory=signatory, actor=actor)
    except IntegrityError as error:
        raise IssueRefused(
            "Un autre poste vient de corriger ce titre : rouvrez sa page pour voir ce qui en reste dû."
        ) from error


def write_corrections(
    *, corrections: Sequence[Correction], on: date, signatory: Signatory, actor: str
) -> Corrected:
    """Do the work of `correct_many` inside the caller's transaction."""
    titres = _locked(corrections)
    _check_together(corrections, titres)
    check_exercice(titres[0], on)
    prepared = [
        _prepare(item, titre, signatory, on) for item, titre in zip(corrections, titres, strict=True)
    ]
    return _number_and_write(prepared, signatory, on, actor)


def due(titre: Titre) -> Decimal:
    """Return the euros that a titre asks once corrected, whatever was paid of it."""
    taken = (correction.total for correction in titre.corrections.order_by("pk").defer("payload"))
    return titre.total - sum(taken, ZERO)


def asked_by_mandat(titre: Titre) -> Decimal:
    """Return the euros of a titre that mandats were already asked for."""
    return titre.mandat_requests.order_by().aggregate(total=Sum("amount"))["total"] or ZERO


def why_closed(titre: Titre, on: date) -> str:
    """Say why a correction of that day can't bear the exercice of a titre; nothing when it can."""
    return all_closed([titre], on).get(titre.pk, "")


def check_exercice(titre: Titre, on: date) -> None:
    """Raise MandatNeeded when a correction of that day can't bear the exercice of a titre any more."""
    why = why_closed(titre, on)
    if why:
        raise MandatNeeded(
            f"{why} : le titre {titre.reference} ne peut plus être annulé ni réduit. Seul un "
            "mandat le compense, au compte des titres annulés sur exercices antérieurs : « Demander un "
            "mandat » sur la page du titre en prépare la demande."
        )


def check_reason(reason_code: str, reason: str) -> str:
    """Return the error committed, tidied; raise IssueRefused when its code or its words are missing."""
    reason = " ".join(reason.split())
    if reason_code not in Titre.Reason.values:
        raise IssueRefused("Choisissez le motif de la correction.")
    if not reason:
        raise IssueRefused(
            "Décrivez l'erreur commise : le comptable en demande l'état, titre par titre."
        )
    return reason


def _locked(corrections: Sequence[Correction]) -> list[Titre]:
    """Lock the titres to correct, always in the same order, and return them as they were asked."""
    keys = [item.titre.pk for item in corrections]
    rows = Titre.objects.select_for_update(of=("self",)).filter(pk__in=keys).order_by("pk")
    found = {titre.pk: titre for titre in rows.select_related("issuer", "campaign__schedule__issuer")}
    return [found[key] for key in keys]


def _check_together(corrections: Sequence[Correction], titres: Sequence[Titre]) -> None:
    """Check what a bordereau asks of all its corrections."""
    if not titres:
        raise IssueRefused("Choisissez au moins un titre.")
    twice = [pk for pk, times in Tally(titre.pk for titre in titres).items() if times > 1]
    if twice:
        reference = next(titre.reference for titre in titres if titre.pk == twice[0])
        raise IssueRefused(f"Le titre {reference} est demandé deux fois : une seule correction suffit.")
    if len({(titre.issuer_id, titre.budget, titre.exercice) for titre in titres}) > 1:
        raise IssueRefused(
            "Un bordereau ne porte que des titres d'un même émetteur, d'un même budget et d'un même "
            "exercice : corrigez les autres à part."
        )


def _prepare(asked: Correction, titre: Titre, signatory: Signatory, on: date) -> _Prepared:
    """Check a correction against its locked titre and write all that it says but its numbers."""
    if titre.kind != Titre.Kind.TITRE:
        raise IssueRefused(
            f"{titre.reference} n'est pas un titre mais une correction : corrigez le titre d'origine."
        )
    reason = check_reason(asked.reason_code, asked.reason)
    check_date(titre, on)
    left = due(titre)
    if not left:
        raise IssueRefused(f"Le titre {titre.reference} est déjà annulé : il n'en reste rien à retirer.")
    earlier = list(titre.corrections.order_by("number"))
    _check_parts(asked, titre, left, earlier)
    _check_mandats(asked, titre, left)
    head = letterhead(
        schedule=titre.campaign.schedule,
        signatory=signatory,
        on=on,
        foundations=titre.payload["foundations"],
    )
    lines = lines_of(titre, asked.parts, earlier)
    payload = correction_draft(
        head=head,
        original=titre,
        kind=asked.kind,
        reason_code=asked.reason_code,
        reason=reason,
        lines=lines,
        due=left,
        parts=asked.parts,
    )
    return _Prepared(
        Correction(titre, asked.kind, asked.reason_code, reason, asked.parts), head, lines, payload
    )


def check_date(titre: Titre, on: date) -> None:
    """Raise IssueRefused for a day before a titre, or to come."""
    if on < titre.issued_on:
        raise IssueRefused(
            f"Le titre {titre.reference} est du {short_date(titre.issued_on)} : donnez cette date ou "
            "une date postérieure."
        )
    if on > max(timezone.localdate(), titre.issued_on):
        raise IssueRefused("Cette date est à venir : donnez celle d'aujourd'hui.")


def _check_parts(asked: Correction, titre: Titre, left: Decimal, earlier: Sequence[Titre]) -> None:
    """Check that an annulation takes all and a réduction less than that, line by line."""
    if asked.kind == Titre.Kind.ANNULATION:
        if asked.parts:
            raise IssueRefused("Une annulation retire tout : pour une partie, réduisez le titre.")
        return
    if asked.kind != Titre.Kind.REDUCTION:
        raise IssueRefused("Un titre se corrige par une annulation ou par une réduction.")
    if not asked.parts:
        raise IssueRefused("Donnez ce qui est retiré : une ligne ou une rubrique, et son montant.")
    taken = taken_by_line(earlier)
    rows = list(titre.lines.order_by("position"))
    for part in asked.parts:
        _check_part(part, rows, taken)
        if part.line is not None:
            taken[part.line.position] += part.amount
    total = sum((part.amount for part in asked.parts), ZERO)
    if total > left:
        raise IssueRefused(
            f"{euros(total)} à retirer, pour {euros(left)} restant dus sur le titre "
            f"{titre.reference} : une réduction ne dépasse pas ce reste."
        )
    if total == left:
        raise IssueRefused(
            f"Cette réduction retirerait tout ce qui reste dû du titre {titre.reference} : annulez-le."
        )


def _check_mandats(asked: Correction, titre: Titre, left: Decimal) -> None:
    """Check that a correction leaves what mandats were asked for: the same euros never go back twice."""
    free = left - asked_by_mandat(titre)
    taken = sum((part.amount for part in asked.parts), ZERO) if asked.parts else left
    if taken <= free:
        return
    requests = titre.mandat_requests.order_by("requested_on", "pk")
    told = " ; ".join(
        f"{euros(item.amount)} le {short_date(item.requested_on)}, compte {item.account}"
        for item in requests
    )
    raise IssueRefused(
        f"Un mandat est déjà demandé pour le titre {titre.reference} ({told}) : {euros(taken)} à "
        f"retirer, pour {euros(max(free, ZERO))} dus et pas encore demandés. Voyez avec le comptable la "
        "suite de cette demande : la même somme n'est pas rendue deux fois."
    )


def _check_part(part: PartOff, rows: Sequence[TitreLine], taken: dict[int, Decimal]) -> None:
    if part.amount <= 0:
        raise IssueRefused("Le montant à retirer est positif.")
    if part.amount != round(part.amount, 2):
        raise IssueRefused("Le montant à retirer s'arrête au centime.")
    if part.line is None:
        if part.charge not in {row.charge for row in rows}:
            raise IssueRefused("Choisissez une ligne ou une rubrique du titre.")
        return
    if part.line.pk not in {row.pk for row in rows}:
        raise IssueRefused("Cette ligne n'est pas de ce titre : choisissez-en une des siennes.")
    left = part.line.amount - taken[part.line.position]
    if part.amount > left:
        raise IssueRefused(
            f"{euros(part.amount)} à retirer de « {part.line.explanation} », où il reste "
            f"{euros(max(left, ZERO))} : retirez moins, ou un montant libre sur sa rubrique."
        )


def _number_and_write(
    prepared: Sequence[_Prepared], signatory: Signatory, on: date, actor: str
) -> Corrected:
    """Take the numbers, then write lines, corrections, and the bordereau that seals them."""
    first = prepared[0].asked.titre
    issuer, exercice = first.issuer, first.exercice
    series = {"issuer": issuer, "exercice": exercice, "on": on, "budget": first.budget}
    numbers = list(take_numbers(kind=Series.CORRECTION, count=len(prepared), **series))
    [bordereau_number] = take_numbers(kind=Series.CORRECTION_BORDEREAU, count=1, **series)
    external = is_external(issuer, first.budget, exercice, Series.CORRECTION)
    bordereau = Bordereau(
        issuer=issuer,
        kind=Bordereau.Kind.CORRECTIONS,
        budget=first.budget,
        exercice=exercice,
        number=bordereau_number,
        issued_on=on,
        issued_by=actor,
        signatory=str(signatory),
        count=len(prepared),
        total=sum(Decimal(item.payload["total"]) for item in prepared),
        invoice_frame=frame_for(issuer, external=external),
    )
    rows = [
        _titre(item, number, bordereau, external) for item, number in zip(prepared, numbers, strict=True)
    ]
    TitreLine.objects.bulk_create(
        [
            TitreLine(titre_id=row.pk, **facts)
            for row, item in zip(rows, prepared, strict=True)
            for facts in item.lines
        ]
    )
    Titre.objects.bulk_create(rows)
    bordereau.save(force_insert=True)
    for row, item in zip(rows, prepared, strict=True):
        _journal(row, item, bordereau, actor)
    return Corrected(bordereau, rows)


def _titre(item: _Prepared, number: int, bordereau: Bordereau, external: bool) -> Titre:
    original = item.asked.titre
    reference = correction_reference(bordereau.issuer.code, bordereau.exercice, number, bordereau.budget)
    return Titre(
        bordereau=bordereau,
        issuer=bordereau.issuer,
        budget=bordereau.budget,
        exercice=bordereau.exercice,
        kind=item.asked.kind,
        number=number,
        reference=reference,
        issued_on=bordereau.issued_on,
        campaign=original.campaign,
        debtor_id=original.debtor_id,
        siret=original.siret,
        debtor_name=original.debtor_name,
        subject=item.payload["subject"],
        total=Decimal(item.payload["total"]),
        original=original,
        reason_code=item.asked.reason_code,
        reason=item.asked.reason,
        payload=correction_numbered(
            item.payload,
            head=item.head,
            kind=item.asked.kind,
            number=number,
            bordereau=bordereau.number,
            reference=reference,
            exercice=bordereau.exercice,
            on=bordereau.issued_on,
            external=external,
        ),
    )


def _journal(row: Titre, item: _Prepared, bordereau: Bordereau, actor: str) -> None:
    original = item.asked.titre
    journal.record(
        actor=actor,
        action="correct",
        target=original,
        summary=f"{original.reference} : {row.get_kind_display().lower()} {row.reference} de "
        f"{euros(row.total)}, {bordereau}",
        data={
            "correction": str(row.pk),
            "bordereau": str(bordereau.pk),
            "amount": str(row.total),
            "reason": item.asked.reason_code,
            "sha256": row.sha256,
        },
    )
