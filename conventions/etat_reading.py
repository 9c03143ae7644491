"""What an état contradictoire reads of a year: what the calls read, for all its members or a few."""

from collections.abc import Iterable, Mapping

from django.db.models import QuerySet
from django.utils import timezone

from conventions import etat_facts
from conventions.assessment import enrolled_in, identity, read_basis, read_members
from conventions.basis import WITHOUT_SIRET, Basis
from conventions.estimates import decided_on_schools
from conventions.etat_facts import Days, Facts, Words
from conventions.models import EtatContradictoire, MemberEtat
from entsvc.changes import in_batches
from members.models import Headcount, Member, Usage
from tariffs import engine
from tariffs.adoption import NotAdopted, adopted, charges_of
from tariffs.models import Schedule

Current = dict[int, Facts]  # by the key of the debtor
COUNTS = ((engine.PUPILS, Headcount), (engine.ACTIVE_PUPILS, Usage))


def read_year(schedule: Schedule, year: int) -> Basis:
    """Return what the calls of a year rest on. Raises NotAdopted."""
    return read_basis(schedule, year, decided_on_schools(schedule, year))


def to_show(basis: Basis, schedule: Schedule) -> Current:
    """Return what each member of a basis is shown, in words, with the day of each count."""
    words = Words(
        sources=basis.facts["sources"],
        charges=etat_facts.charge_names(basis.charges),
        days=_days(schedule, basis),
    )
    return _facts(basis.members, basis.charges, _keys(basis.members), words)


def current(etat: EtatContradictoire, rows: Iterable[MemberEtat]) -> Current:
    """Return what the data says today of some members, nothing of those that nothing is called from.

    The rows come with their debtors.
    """
    schedule, year = etat.schedule, etat.school_year
    keys = {identity(row.debtor): row.debtor_id for row in rows}
    if not keys:
        return {}
    try:
        charges = charges_of(adopted(schedule, year).version)
    except NotAdopted:
        return {}
    decisions, usage = decided_on_schools(schedule, year), etat_facts.reads_active(charges)
    found: Current = {}
    for batch in in_batches(sorted(keys.values())):
        members = read_members(schedule, year, decisions, debtors=batch, usage=usage)
        found |= _facts(members, charges, keys, etat_facts.BARE)
    return found


def by_siret(basis: Basis) -> dict[str, Facts]:
    """Return what a basis says of each of its members, by SIRET: to compare, without any words."""
    return {member.siret: etat_facts.facts_of(member, basis.charges) for member in basis.members}


def _keys(members: Iterable[engine.Member]) -> dict[str, int]:
    """Return the key of each member that a year calls, by what stands for it there."""
    names = {member.siret for member in members}
    nameless = {name for name in names if WITHOUT_SIRET in name}
    found: dict[str, int] = {}
    for batch in in_batches(sorted(names - nameless)):
        rows = Member.objects.filter(siret__in=batch).order_by("pk")
        found |= dict(rows.values_list("siret", "pk"))
    if nameless:
        for member in Member.objects.filter(siret=None).only("siren", "siret").order_by("pk"):
            found[identity(member)] = member.pk
    return found


def _facts(
    members: Iterable[engine.Member],
    charges: tuple[engine.Charge, ...],
    keys: Mapping[str, int],
    words: Words,
) -> Current:
    return {
        keys[member.siret]: etat_facts.facts_of(member, charges, words)
        for member in members
        if member.siret in keys
    }


def _days(schedule: Schedule, basis: Basis) -> Days:
    schools = enrolled_in(schedule, basis.school_year).order_by().values("school")
    active = etat_facts.reads_active(basis.charges)
    found = {}
    for metric, model in COUNTS if active else COUNTS[:1]:
        rows: QuerySet = model.current.filter(school_year=basis.school_year, school__in=schools)
        for uai, source, at in rows.order_by("pk").values_list(
            "school__uai", "source_id", "recorded_at"
        ):
            found[metric, uai, source] = timezone.localdate(at).isoformat()
    return found
