"""How the table of the main SIRET of départements becomes members."""

from collections import defaultdict
from dataclasses import dataclass

from django.db.models import Q

from entsvc.cells import RowError, checked
from entsvc.changes import Plan, fill, write
from entsvc.importing import Flag, Importer, Job, Layout, Options, Report, register
from entsvc.tabular import Row
from members import identifiers
from members.importers.departement_names import HELD_BY, NAMES, PARIS, PARIS_COMMUNE
from members.models import Member

FIELDS = ["name", "kind", "siret", "siret_to_verify", "insee_code"]


@dataclass(frozen=True, slots=True)
class Record:
    """A checked row."""

    line: int
    code: str
    siret: str


def parse(row: Row, flag: Flag, options: Options) -> Record:
    """Read a département; raise RowError for what is none, and for a SIRET that is not of its SIREN."""
    values = row.values
    code = checked("code_departement", values["code_departement"], identifiers.check_departement_code)
    if code in HELD_BY:
        body, siren = HELD_BY[code]
        message = f"Ici, c'est {body} (SIREN {siren}) : saisissez-la comme membre de type « autre »."
        raise RowError("code_departement", code, message)
    if code not in NAMES:
        raise RowError("code_departement", code, "Aucun département n'a ce code.")
    siret = checked("siret_principal", values["siret_principal"], identifiers.check_siret)
    if values["siren"] and not siret.startswith(values["siren"]):
        raise RowError("siren", values["siren"], f"Le SIRET {siret} n'est pas celui de ce SIREN.")
    return Record(row.line, code, siret)


def apply(records: list[Record], job: Job) -> None:
    """Create the départements, or give their SIRET to those known without one, or with a proposed one.

    A SIRET that staff verified is never replaced: another one is flagged.
    """
    stored = _stored(records)
    plan = Plan()
    for record in records:
        member = _of(record, stored[record.siret[:9]] + stored[record.code])
        if record.code == PARIS:
            message = "La Ville de Paris est commune et département : un seul membre est gardé."
            job.report.flag(record.line, "code_departement", PARIS, message)
        if member is None:
            plan.create.append(Member(**_facts(record)))
        elif _complete(member, record, job.report):
            plan.update.append(member)
        else:
            plan.unchanged += 1
    plan.count_in(job.report)
    write(plan, Member, FIELDS)


IMPORTER = register(
    Importer(
        name="departements",
        title="SIRET des départements",
        layouts=(
            Layout(
                name="départements",
                columns=("code_departement", "siren", "siret_principal"),
                parse=parse,
            ),
        ),
        key=lambda record: record.code,
        key_column="code_departement",
        apply=apply,
        permissions=("members.add_member", "members.change_member", "members.add_membership"),
    )
)


def _stored(records: list[Record]) -> dict[str, list[Member]]:
    """Return the members of each SIREN, and those of each code."""
    sirens = {record.siret[:9] for record in records}
    codes = {record.code for record in records}
    found = defaultdict(list)
    rows = Member.objects.filter(
        Q(siren__in=sirens) | Q(kind=Member.Kind.DEPARTEMENT, insee_code__in=codes)
    ).order_by("pk")
    for member in rows:
        found[member.siren].append(member)
        if member.kind == Member.Kind.DEPARTEMENT and member.siren not in sirens:
            found[member.insee_code].append(member)
    return found


def _of(record: Record, members: list[Member]) -> Member | None:
    """Return the member of that very SIRET, else the one of the right kind."""
    kind = _facts(record)["kind"]
    same = [member for member in members if member.siret == record.siret]
    alike = [member for member in members if member.kind in (kind, "")]
    return next(iter(same + alike), None)


def _complete(member: Member, record: Record, report: Report) -> bool:
    """Fill what is blank; give the sourced SIRET to a member that had none, or a proposed one."""
    news = {
        name: value
        for name, value in _facts(record).items()
        if name not in ("siret", "siret_to_verify") and not getattr(member, name)
    }
    changed = fill(member, news)
    if member.siret and not member.siret_to_verify:
        if member.siret != record.siret:
            message = f"{member} est connu avec le SIRET {member.siret} : gardé, vérifiez-le."
            report.flag(record.line, "siret_principal", record.siret, message)
        return changed
    member.siret, member.siret_to_verify = record.siret, False
    return True


def _facts(record: Record) -> dict:
    facts = {"siret": record.siret, "siret_to_verify": False}
    if record.code == PARIS:
        return {**facts, "kind": Member.Kind.COMMUNE, "insee_code": PARIS_COMMUNE, "name": "Paris"}
    return {
        **facts,
        "kind": Member.Kind.DEPARTEMENT,
        "insee_code": record.code,
        "name": f"Département {NAMES[record.code]}",
    }
