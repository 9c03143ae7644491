"""To whom what is addressed to a member is written: its own addresses, and those of who took it over."""

from collections.abc import Collection

from django.utils import timezone

from entsvc.changes import in_batches
from members import successions
from members.models import Member
from members.portal.access import addresses_of


def addressees(members: Collection[int]) -> dict[int, list[str]]:
    """Return who opens what is addressed to each of these members, by key; a few queries in all."""
    today = timezone.localdate()
    merged = Member.objects.filter(successor__isnull=False).order_by("pk")
    merged = merged.only("successor", "merged_on")
    heirs = {member.pk: member.successor_id for member in merged if successions.is_done(member, today)}
    last = {key: successions.last_successor(key, heirs) for key in members}
    known: dict[int, list[str]] = {}
    for keys in in_batches({*members, *last.values()}):
        known |= addresses_of(Member.objects.filter(pk__in=keys))
    return {key: list(dict.fromkeys([*known[key], *known[last[key]]])) for key in members}
