"""What stands for a school or a member named by a file before the file that describes it.

The four imports may come in any order: a valid UAI or SIRET not known yet gets an empty row, flagged,
which the annuaire or the list of members completes. Nothing can be issued on it meanwhile.
"""

from entsvc.importing import Report
from members.models import Member, School


def pending_schools(lines: dict[str, int], report: Report) -> dict[str, School]:
    """Return the schools of {uai: line}, creating and flagging those not known yet."""
    known = School.objects.in_bulk(list(lines), field_name="uai")
    missing = [uai for uai in lines if uai not in known]
    for uai in missing:
        report.flag(lines[uai], "uai", uai, "École absente de l'annuaire importé : à compléter.")
    created = School.objects.bulk_create([School(uai=uai) for uai in missing], batch_size=1000)
    return {**known, **{school.uai: school for school in created}}


def pending_members(lines: dict[str, int], report: Report) -> dict[str, Member]:
    """Return the members of {siret: line}, creating and flagging those not known yet."""
    known = Member.objects.in_bulk(list(lines), field_name="siret")
    missing = [siret for siret in lines if siret not in known]
    for siret in missing:
        report.flag(lines[siret], "siret", siret, "Membre inconnu : importez ou saisissez-le.")
    created = Member.objects.bulk_create([Member(siret=siret) for siret in missing])
    return {**known, **{member.siret: member for member in created}}
