"""What stands for a school or a member named by a file before the file that describes it.

The four imports may come in any order: a valid UAI or SIRET not known yet gets an empty row, flagged,
which the annuaire or the list of members completes. Nothing can be issued on it meanwhile.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from entsvc.changes import Plan, in_batches, write
from entsvc.importing import Report
from members.models import Member, School


def pending_schools(lines: dict[str, int], report: Report) -> dict[str, School]:
    """Return the schools of {uai: line}, creating and flagging those not known yet."""
    known = School.objects.in_bulk(list(lines), field_name="uai")
    missing = [uai for uai in lines if uai not in known]
    for uai in missing:
        report.flag(lines[uai], "uai", uai, "École absente de l'annuaire importé : à compléter.")
    created = [School(uai=uai) for uai in missing]
    write(Plan(create=created), School, [])
    return {**known, **{school.uai: school for school in created}}


def pending_members(lines: dict[str, int], report: Report) -> dict[str, Member]:
    """Return the members of {siret: line}, creating and flagging those not known yet.

    A SIRET named by a signed agreement is a fact: it is sure, be it the one that was proposed. The
    only member of its SIREN, without SIRET or with another one that was only proposed, takes it: it
    stays one member.
    """
    known = {}
    for batch in in_batches(lines):
        known |= Member.objects.in_bulk(batch, field_name="siret")
    changed = [member for member in known.values() if member.siret_to_verify]
    for siret, member in _with_proposed_siret(lines, known).items():
        old = f"le SIRET proposé {member.siret}" if member.siret else "l'absence de SIRET"
        message = f"{member} : remplace {old}, d'après la convention."
        report.flag(lines[siret], "siret", siret, message)
        member.siret = siret
        known[siret] = member
        changed.append(member)
    for member in changed:
        member.siret_to_verify = False
    write(Plan(update=changed), Member, ["siret", "siret_to_verify"])
    report.moved += len(changed)
    missing = [siret for siret in lines if siret not in known]
    for siret in missing:
        report.flag(lines[siret], "siret", siret, "Membre inconnu : importez ou saisissez-le.")
    created = [Member(siret=siret) for siret in missing]
    write(Plan(create=created), Member, [])
    return {**known, **{member.siret: member for member in created}}


def _with_proposed_siret(sirets: Iterable[str], known: Mapping[str, Member]) -> dict[str, Member]:
    """Return, for each SIRET not known, the only member of its SIREN when its own SIRET is not sure.

    Two establishments of a SIREN name two members: nobody can tell which of them is the one known.
    """
    mentions = Counter(siret[:9] for siret in sirets)
    alone = [siret for siret in sirets if siret not in known and mentions[siret[:9]] == 1]
    found = defaultdict(list)
    for batch in in_batches(siret[:9] for siret in alone):
        for member in Member.objects.filter(siren__in=batch, successor=None).order_by("pk"):
            found[member.siren].append(member)
    candidates = {siret: found[siret[:9]] for siret in alone}
    return {
        siret: members[0]
        for siret, members in candidates.items()
        if len(members) == 1 and (not members[0].siret or members[0].siret_to_verify)
    }
