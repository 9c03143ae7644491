"""How communes enter and leave EPCI, and schools RPI: dated, the past is never rewritten."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.db.models import Q

from entsvc import history
from entsvc.changes import Plan, in_batches, write
from members.models import GroupedSchool, Member, Membership

PART = {Membership: "commune", GroupedSchool: "school"}
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Span:
    """A stored row: a part (a commune, a school) in a body since a day, until another or still."""

    pk: int
    body: int
    part: int
    since: date
    until: date | None


@dataclass
class Moves:
    """What a list changes: pairs to open, spans to end, pairs that what is known later contradicts."""

    opened: list[Pair] = field(default_factory=list)
    ended: list[Span] = field(default_factory=list)
    late: list[Pair] = field(default_factory=list)


def plan_moves(
    spans: Iterable[Span],
    wanted: Iterable[Pair],
    on: date,
    *,
    complete: frozenset[int] = frozenset(),
    exclusive: bool = False,
    concerns: Callable[[int], bool] = lambda part: True,
) -> Moves:
    """Compare the (body, part) of a list that holds from `on` with what is stored.

    `complete` are the bodies whose parts are all in the list: those of its parts that `concerns` accepts
    and the list does not name leave it. With `exclusive` a part is in one body at a time: entering
    one leaves the other. What began on that day or later contradicts the list: it is left as it is.
    """
    wanted = list(dict.fromkeys(wanted))
    by_part: dict[int, list[Span]] = {}
    for span in spans:
        if span.until is None or span.until >= on:
            by_part.setdefault(span.part, []).append(span)
    moves = Moves()
    for body, part in wanted:
        _enter(body, part, by_part.get(part, []), on, exclusive, moves)
    named, gone = set(wanted), {span.pk for span in moves.ended}
    for span in (span for held in by_part.values() for span in held):
        stays = span.body not in complete or (span.body, span.part) in named or not concerns(span.part)
        if stays or span.until or span.pk in gone:
            continue
        if span.since < on:
            moves.ended.append(span)
        else:
            moves.late.append((span.body, span.part))
    return moves


def _enter(body: int, part: int, held: list[Span], on: date, exclusive: bool, moves: Moves) -> None:
    if any(span.body == body and span.until is None for span in held):
        return
    if any(span.body == body for span in held):
        moves.late.append((body, part))
        return
    others = [span for span in held if span.until is None] if exclusive else []
    if any(span.since >= on for span in others):
        moves.late.append((body, part))
        return
    moves.ended += others
    moves.opened.append((body, part))


def apply_moves(
    model: type[Membership] | type[GroupedSchool],
    kind: str,
    wanted: Iterable[Pair],
    on: date,
    **rule: object,
) -> Moves:
    """Bring the stored rows of bodies of a kind to a list; see `plan_moves` for the rule."""
    part = PART[model]
    rows = model.objects.filter(Q(valid_to=None) | Q(valid_to__gte=on), body__kind=kind).order_by("pk")
    spans = rows.values_list("pk", "body_id", f"{part}_id", "valid_from", "valid_to")
    moves = plan_moves((Span(*row) for row in spans.iterator()), wanted, on, **rule)
    end(model, (span.pk for span in moves.ended), on)
    for pairs in in_batches(moves.opened):
        rows = [model(body_id=body, valid_from=on, **{f"{part}_id": key}) for body, key in pairs]
        write(Plan(create=rows), model, [])
    return moves


def other_epci(
    membership: Membership, commune: Member, start: date | None, stop: date | None
) -> Member | None:
    """Return another EPCI of which a commune is part between these days, None when there is none."""
    if start is None or membership.body_id is None or membership.body.kind != Member.Kind.EPCI:
        return None
    others = Membership.objects.filter(commune=commune, body__kind=Member.Kind.EPCI).exclude(
        body=membership.body_id
    )
    others = others.filter(Q(valid_to=None) | Q(valid_to__gte=start)).select_related("body")
    if stop is not None:
        others = others.filter(valid_from__lte=stop)
    found = others.order_by("valid_from", "pk").first()
    return found.body if found else None


def end(model: type[Membership] | type[GroupedSchool], keys: Iterable[int], on: date) -> None:
    """End rows the day before `on`."""
    history.update(model, keys, valid_to=on - timedelta(days=1))
