"""What Chorus Pro says of what was deposited: first of the file, then of each invoice, and when.

Reading asks for nothing to be done: it may be repeated, by several at once, and stopped anywhere.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import DataError, IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from entsvc import journal
from invoicing.chorus.answers import Found, Report, first_day
from invoicing.chorus.client import ChorusClient, ChorusError, NotSent
from invoicing.chorus.depositing import DepositRefused, search
from invoicing.chorus.statuses import (
    BEFORE_AVAILABLE,
    INTEGRATED,
    OVER,
    TO_DO,
    FlowState,
    InvoiceStatus,
    label_of_invoice,
)
from invoicing.models import Deposit, DepositedPiece, Sending

State = Deposit.State
NO_REASON = "Rejetée, sans motif donné."


@dataclass
class Followed:
    """What a reading changed: {reference: its new status}, and what could not be read."""

    read: list[Deposit] = field(default_factory=list)
    changed: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    left: int = 0


def to_follow() -> QuerySet[Deposit]:
    """Return the deposits of which something is still to be learnt, the least recently read first."""
    open_pieces = DepositedPiece.objects.filter(sending=OuterRef("sending"), closed=False).exclude(
        status__in=OVER
    )
    expected = Q(state__in=[State.ASKED, State.UNKNOWN]) | Q(
        Q(state=State.DEPOSITED), Q(Exists(open_pieces)) | ~Q(flow_state__in=_JUDGED)
    )
    expected |= Q(Q(state=State.GIVEN_UP), Q(Exists(open_pieces)))  # entered by hand on the portal
    rows = Deposit.objects.filter(expected)
    first = F("read_at").asc(nulls_first=True)
    return rows.select_related("sending__bordereau__issuer").order_by(first, "pk")


def follow_all(
    deposits: Iterable[Deposit], *, client: ChorusClient, actor: str, seconds: float | None = None
) -> Followed:
    """Read where deposits stand, searching first for those that nobody knows to have arrived.

    Past `seconds`, no other is begun: they are counted, the next call begins with them. One that can't
    be read stops no other, but for what would stop them all.
    """
    done, limit = Followed(), None if seconds is None else time.monotonic() + seconds
    waiting = list(deposits)
    for place, deposit in enumerate(waiting):
        if limit is not None and place and time.monotonic() >= limit:
            done.left = len(waiting) - place
            break
        try:
            if deposit.is_adrift(timezone.now()):
                deposit = search(deposit, client=client, actor=actor)
            if deposit.state in (State.DEPOSITED, State.GIVEN_UP):
                done.changed |= follow(deposit, client=client, actor=actor)
            done.read.append(deposit)
        except NotSent as error:
            done.failed.append(f"{deposit.sending} : {error}")
            done.left = len(waiting) - place - 1
            break
        except (ChorusError, DepositRefused) as error:
            done.failed.append(f"{deposit.sending} : {error}")
    return done


def follow(deposit: Deposit, *, client: ChorusClient, actor: str) -> dict[str, str]:
    """Write where a deposit and each of its pieces stand; return {reference: what changed of it}.

    Raises ChorusError; what was read until then is kept.
    """
    report = client.report(deposit.flow) if deposit.flow and not _is_known(deposit) else None
    was = deposit.flow_state
    if report:
        _write_report(deposit, report)
    pieces = list(deposit.pieces.select_related("titre").defer("titre__payload").order_by("pk"))
    before = {piece.pk: (piece.told_status, piece.made_available_on) for piece in pieces}
    try:
        if report:
            _reject(pieces, report)
        if deposit.flow_state in INTEGRATED:
            _read_invoices(pieces, client.invoices_of(deposit.flow), client)
        elif not deposit.flow:
            _read_invoices(pieces, _by_hand(pieces, client), client)
        deposit.read_at = timezone.now()
        deposit.save(update_fields=["read_at"])
    finally:
        changed = {
            piece.titre.reference: piece.told_status
            for piece in pieces
            if before[piece.pk] != (piece.told_status, piece.made_available_on)
        }
        if changed or deposit.flow_state != was:
            _journal(deposit, changed, actor)
    return changed


_JUDGED = (*INTEGRATED, FlowState.REJECTED)


def _is_known(deposit: Deposit) -> bool:
    """Tell whether the report has nothing more to say."""
    return deposit.is_judged and deposit.read_at is not None


def _write_report(deposit: Deposit, report: Report) -> None:
    deposit.flow_state, deposit.report = report.state, report.words
    deposit.save(update_fields=["flow_state", "report"])


def _reject(pieces: list[DepositedPiece], report: Report) -> None:
    """Close the pieces that Chorus Pro rejected before making invoices of them."""
    whole = " ; ".join(report.errors) or NO_REASON
    for piece in pieces:
        why = report.rejected.get(piece.titre.reference)
        if why is None and report.state == FlowState.REJECTED:
            why = whole
        if why is not None and report.state in _JUDGED:
            _write(piece, status=InvoiceStatus.REJECTED, reason=why, closed=True)


def _by_hand(pieces: list[DepositedPiece], client: ChorusClient) -> Iterator[Found]:
    """Give the invoices that someone entered on the portal: no flow brought them."""
    for piece in pieces:
        if piece.identifier and not piece.closed:
            rows = client.invoices_numbered(piece.titre.reference)
            yield from (row for row in rows if row.identifier == piece.identifier)


def _read_invoices(pieces: list[DepositedPiece], rows: Iterable[Found], client: ChorusClient) -> None:
    """Write the statuses of the invoices, asking for the history of those that moved on."""
    found = {row.number: row for row in rows}
    for piece in pieces:
        row = found.get(piece.titre.reference)
        if row and not piece.closed:
            _read_invoice(piece, row, client)


def _read_invoice(piece: DepositedPiece, row: Found, client: ChorusClient) -> None:
    day = piece.made_available_on
    if day is None and row.status not in BEFORE_AVAILABLE:
        day = first_day(client.passages(row.identifier), InvoiceStatus.AVAILABLE)
    rejected = row.status == InvoiceStatus.REJECTED
    reason = row.comment or (NO_REASON if rejected else "")
    _write(
        piece,
        identifier=row.identifier,
        status=row.status,
        status_at=row.status_at,
        reason=reason,
        made_available_on=day,
        closed=rejected,
    )


def _write(piece: DepositedPiece, **facts: Any) -> None:
    for name, value in facts.items():
        setattr(piece, name, value)
    piece.read_at = timezone.now()
    try:
        with transaction.atomic():
            piece.save(update_fields=[*facts, "read_at"])
    except (DataError, IntegrityError) as error:
        raise ChorusError(
            f"Chorus Pro dit de {piece.titre.reference} ce qui ne peut pas être gardé ({facts})."
        ) from error


def _journal(deposit: Deposit, changed: dict[str, str], actor: str) -> None:
    sending: Sending = deposit.sending
    journal.record(
        actor=actor,
        action="chorus-suivi",
        target=sending.bordereau,
        summary=f"{sending.file_name} : {deposit.told_state.lower()}",
        data={"flow": deposit.flow, "state": deposit.flow_state, "changed": changed},
    )


def to_handle(piece: DepositedPiece) -> str:
    """Return what someone has to do of a piece on the portal of Chorus Pro; nothing when nothing is."""
    why = TO_DO.get(piece.status)
    if not why or piece.closed:
        return ""
    said = f" ({piece.reason})" if piece.reason else ""
    return (
        f"{piece.titre.reference} : {label_of_invoice(piece.status).lower()}, {why}{said}. "
        "Cela se fait sur le portail de Chorus Pro."
    )
