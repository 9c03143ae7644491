"""Which tables of communes may undo a merger: those newer than all that is known of it."""

from collections.abc import Iterable
from datetime import date
from typing import Protocol, TypeVar

from django.utils import timezone

from entsvc.changes import in_batches
from entsvc.importing import Job
from entsvc.models import ImportRecord
from members.geography import communes_of_today
from members.importers.bodies import as_of
from members.models import Commune, Member


class Told(Protocol):
    """What a table says of a code."""

    line: int
    code: str
    name: str
    kind: str


T = TypeVar("T", bound=Told)


def left_done(records: list[T], job: Job) -> list[T]:
    """Leave out, flagged, the communes of today that an older table makes of codes known as former.

    A table is newer when its day is after that of all the tables of communes imported before, and
    after the day on which the member of this code was taken over.
    """
    today = communes_of_today()
    again = {r.code for r in records if r.kind == Commune.Kind.TODAY and r.code in today}
    if not again:
        return records
    day, last, merged = as_of(job.options), _last_table(), _merged(again)
    kept = []
    for record in records:
        if record.kind != Commune.Kind.TODAY or record.code not in again:
            kept.append(record)
            continue
        member = merged.get(record.code)
        known = [date for date in (last, member and member.merged_on) if date]
        if known and day > max(known):
            kept.append(record)
            _say_it_stands_again(record, member, job)
        else:
            message = (
                f"{record.name} est connue comme ancienne commune de {today[record.code]} : table plus "
                "ancienne ? Rien n'est changé. Si elle est plus récente, donnez sa date."
            )
            job.report.flag(record.line, "code", record.code, message)
    return kept


def _say_it_stands_again(record: Told, member: Member | None, job: Job) -> None:
    if member is not None:
        message = (
            f"{record.name} est de nouveau une commune : son membre est dit repris par "
            f"{member.successor}, corrigez sa fiche."
        )
        job.report.flag(record.line, "code", record.code, message)


def _last_table() -> date | None:
    """Return the latest day from which an imported table of communes holds, None without any."""
    rows = ImportRecord.objects.filter(importer="communes").order_by("at")
    days = [
        date.fromisoformat(options["as_of"])
        if options.get("as_of")
        else date(timezone.localdate(at).year, 1, 1)
        for options, at in rows.values_list("options", "at")
    ]
    return max(days, default=None)


def _merged(codes: Iterable[str]) -> dict[str, Member]:
    """Return the members of these codes that another took over, that of the latest day for each."""
    rows = Member.objects.filter(kind=Member.Kind.COMMUNE, successor__isnull=False).order_by("pk")
    found = [
        member
        for batch in in_batches(sorted(codes))
        for member in rows.filter(insee_code__in=batch).select_related("successor")
    ]
    found.sort(key=lambda member: member.merged_on or date.min)
    return {member.insee_code: member for member in found}
