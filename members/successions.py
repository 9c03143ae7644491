"""Which member took over another: a merged commune keeps its agreements, with its SIRET."""

from collections.abc import Iterable, Mapping
from datetime import date

from django.db.models import Q

from entsvc.changes import Plan, in_batches, write
from entsvc.importing import Report
from members.geography import communes_of_today
from members.memberships import end
from members.models import Member, Membership
from members.portal import reach


def last_successor(member: int, successors: Mapping[int, int]) -> int:
    """Return who stands today for a member, along {member: who took it over}.

    A chain that comes back on itself names nobody: the member itself is returned.
    """
    seen, current = {member}, member
    while current in successors:
        current = successors[current]
        if current in seen:
            return member
        seen.add(current)
    return current


def is_circular(member: int, successor: int, successors: Mapping[int, int]) -> bool:
    """Tell whether naming this successor would make a member succeed to itself."""
    return last_successor(member, {**successors, member: successor}) == member


def known_successors() -> dict[int, int]:
    """Return {member: who took it over}, of all members."""
    rows = Member.objects.filter(successor__isnull=False).order_by("pk")
    return dict(rows.values_list("pk", "successor_id"))


def taken_over_by(members: Iterable[int], on: date | None = None) -> dict[int, int]:
    """Return {member: which of `members` stands for it}, of all those they took over, one after another.

    With a day, those taken over by then: a succession of unknown day is done.
    """
    stands = {key: key for key in members}
    given, last = frozenset(stands), set(stands)
    done = Q() if on is None else Q(merged_on__isnull=True) | Q(merged_on__lte=on)
    while last:
        rows = [
            row
            for batch in in_batches(sorted(last))
            for row in Member.objects.filter(done, successor__in=batch)
            .order_by("pk")
            .values_list("pk", "successor_id")
        ]
        last = {member for member, _ in rows if member not in stands}
        stands |= {member: stands[by] for member, by in rows if member in last}
    return {member: by for member, by in stands.items() if member not in given}


def is_done(member: Member, on: date) -> bool:
    """Tell whether another stands for a member on a day: a succession of unknown day is done."""
    return member.successor_id is not None and (member.merged_on is None or member.merged_on <= on)


def mark_mergers(on: date, report: Report, issuers: frozenset[int] | None = None) -> None:
    """Name the successor of the communes whose code is now part of another's.

    What staff said of a succession stays. The commune leaves its EPCI the day before; what began
    that day or later is left, and flagged. A successor reads the titres of whom it took over: an account
    limited to `issuers` names none for a member that only other issuers deal with.
    """
    today = communes_of_today()
    merged = [
        member
        for batch in in_batches(sorted(today))
        for member in Member.objects.filter(
            kind=Member.Kind.COMMUNE, insee_code__in=batch, successor=None
        ).order_by("pk")
    ]
    successors = _members_of({today[member.insee_code] for member in merged})
    plan = Plan()
    for member in merged:
        successor = successors.get(today[member.insee_code])
        if successor is None or successor.pk == member.pk:
            continue
        if not reach.may_write(member, issuers):
            message = f"{member} fait partie de {successor} : rien n'est changé. {reach.refusal(member)}"
            report.flag(None, "code_insee", member.insee_code, message)
            continue
        member.successor, member.merged_on = successor, member.merged_on or on
        plan.update.append(member)
        message = f"{member} fait partie de {successor} : ses conventions restent à son nom."
        report.flag(None, "code_insee", member.insee_code, message)
    write(plan, Member, ["successor", "merged_on"])
    report.moved += len(plan.update)
    _leave_epci([member.pk for member in plan.update], on, report)


def _members_of(codes: set[str]) -> dict[str, Member]:
    rows = Member.objects.filter(kind=Member.Kind.COMMUNE, successor=None).order_by("-pk")
    return {
        m.insee_code: m for batch in in_batches(sorted(codes)) for m in rows.filter(insee_code__in=batch)
    }


def _leave_epci(members: list[int], on: date, report: Report) -> None:
    for batch in in_batches(members):
        rows = Membership.objects.filter(
            commune__in=batch, body__kind=Member.Kind.EPCI, valid_to=None
        ).order_by("pk")
        ended = list(rows.filter(valid_from__lt=on).values_list("pk", flat=True))
        end(Membership, ended, on)
        report.moved += len(ended)
        for row in rows.filter(valid_from__gte=on).select_related("body", "commune"):
            message = (
                f"Cette commune fusionnée est entrée dans {row.body} le {row.valid_from:%d/%m/%Y}, le "
                "jour de la table ou plus tard : rien n'est changé, corrigez-le sur la page du membre."
            )
            report.flag(None, "siren_epci", str(row.commune), message)
