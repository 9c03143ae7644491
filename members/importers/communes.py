"""How the table of communes becomes codes, members with their SIREN, and members of EPCI."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from entsvc.cells import RowError, checked, required
from entsvc.changes import Plan, in_batches, write
from entsvc.french import plural
from entsvc.importing import Flag, Importer, Job, Layout, Options, Report, register
from entsvc.tabular import Row
from members import identifiers, successions
from members.geography import communes_of_today
from members.importers import mergers
from members.importers.bodies import AS_OF, DEPARTEMENTS, Body, Tally, as_of, is_asked, keep
from members.memberships import apply_moves
from members.models import Commune, Member, Membership, School

KINDS = {
    "commune-actuelle": Commune.Kind.TODAY,
    "arrondissement-municipal": Commune.Kind.DISTRICT,
    "commune-deleguee": Commune.Kind.DELEGATED,
    "commune-associee": Commune.Kind.ASSOCIATED,
}
# The code of a merged commune is often also that of the one it is now part of: the latter wins.
PRECEDENCE = [*KINDS.values(), Commune.Kind.FORMER]
CODE_FIELDS = ["name", "kind", "today"]


@dataclass(frozen=True, slots=True)
class Record:
    """A checked row: a commune of today, with its former codes, or a part of one (`today`)."""

    line: int
    code: str
    name: str
    kind: str
    today: str = ""
    former: tuple[str, ...] = ()
    siren: str = ""
    siret: str = ""
    postal_code: str = ""
    epci_siren: str = ""
    epci_name: str = ""


def parse_json(row: Row, flag: Flag, options: Options) -> Record | None:
    """Read a row of communes.json; None outside of the départements asked for."""
    values = row.values
    code = checked("code", values["code"], identifiers.check_commune_code)
    if not is_asked(code, options):
        return None
    kind = KINDS.get(values["type"])
    if kind is None:
        raise RowError("type", values["type"], f"Type inconnu ; types possibles : {', '.join(KINDS)}.")
    siren = values.get("siren", "")
    siren = checked("siren", siren, identifiers.check_siren) if siren else ""
    today = values.get("cheflieu", "") or values.get("commune", "")
    return Record(
        line=row.line,
        code=code,
        name=required("nom", values["nom"], longest=100),
        kind=kind,
        today="" if kind == Commune.Kind.TODAY else _code_of_today(today),
        former=tuple(_former(values.get("ancienscodes", ""))),
        siren=siren,
        siret=identifiers.proposed_siret(siren) if siren else "",
        postal_code=_first(values.get("codespostaux", "")),
    )


def parse_flat(row: Row, flag: Flag, options: Options) -> Record | None:
    """Read a row of the flat table of communes with their EPCI; None outside of what was asked."""
    values = row.values
    code = checked("code_insee", values["code_insee"], identifiers.check_commune_code)
    if not is_asked(code, options):
        return None
    siren = values["siren"]
    siren = checked("siren", siren, identifiers.check_siren) if siren else ""
    epci_siren = values.get("siren_epci", "")
    return Record(
        line=row.line,
        code=code,
        name=required("nom", values["nom"], longest=100),
        kind=Commune.Kind.TODAY,
        siren=siren,
        siret=_siret(siren, values.get("siret_principal_derive_a_verifier", ""), flag),
        postal_code=_first(values.get("codes_postaux", "")),
        epci_siren=checked("siren_epci", epci_siren, identifiers.check_siren) if epci_siren else "",
        epci_name=values.get("nom_epci", ""),
    )


def apply(records: list[Record], job: Job) -> None:
    """Keep the codes, then the members, their EPCI, and what follows for schools and mergers.

    A row is created when it brings a code or a member, updated when it changes one, or an EPCI.
    """
    tally = Tally()
    told = _with_own_siren(_with_known_today(records, job), job)
    records = mergers.left_done(told, job)
    _keep_codes(records, tally, job.report)
    members = _keep_members(records, tally, job)
    _join_epci(records, members, tally, job)
    _say_those_without_siren(records, job)
    _move_schools(job)
    successions.mark_mergers(as_of(job.options), job.report, job.issuers)
    tally.count((record.line for record in told), job.report)


IMPORTER = register(
    Importer(
        name="communes",
        title="Table des communes",
        layouts=(
            Layout(
                name="communes.json",
                columns=("code", "nom", "type", "departement"),
                parse=parse_json,
            ),
            Layout(
                name="communes, SIREN et EPCI",
                columns=("code_insee", "nom", "siren"),
                parse=parse_flat,
            ),
        ),
        key=lambda record: (record.code, record.kind),
        key_column="code",
        apply=apply,
        permissions=("members.add_member", "members.change_member", "members.add_membership"),
        options=(DEPARTEMENTS, AS_OF),
    )
)


def _code_of_today(text: str) -> str:
    return checked("cheflieu", text, identifiers.check_commune_code)


def _former(text: str) -> Iterator[str]:
    for code in text.split():
        yield checked("ancienscodes", code, identifiers.check_commune_code)


def _first(postal_codes: str) -> str:
    code = postal_codes.replace("|", " ").split(" ")[0]
    return code if len(code) == 5 and code.isdigit() else ""


def _siret(siren: str, given: str, flag: Flag) -> str:
    """Return the SIRET to propose: the one of the table when it is one of this SIREN."""
    if not siren:
        return ""
    if not given:
        return identifiers.proposed_siret(siren)
    try:
        siret = identifiers.check_siret(given)
    except ValueError as error:
        flag("siret_principal_derive_a_verifier", given, str(error))
        return identifiers.proposed_siret(siren)
    if siret.startswith(siren):
        return siret
    flag("siret_principal_derive_a_verifier", given, f"Ce SIRET n'est pas celui du SIREN {siren}.")
    return identifiers.proposed_siret(siren)


def _with_known_today(records: list[Record], job: Job) -> list[Record]:
    """Refuse the parts of a commune that neither the table nor an earlier one describes."""
    told = {record.code for record in records if record.kind == Commune.Kind.TODAY}
    wanted = {record.today for record in records if record.today} - told
    stored = Commune.objects.filter(kind=Commune.Kind.TODAY, code__in=wanted).order_by("code")
    told |= set(stored.values_list("code", flat=True))
    kept = []
    for record in records:
        if record.today and record.today not in told:
            message = "Commune d'aujourd'hui absente de la table : ce code n'est pas gardé."
            job.report.refuse(record.line, "cheflieu", record.today, message)
        else:
            kept.append(record)
    return kept


def _with_own_siren(records: list[Record], job: Job) -> list[Record]:
    """Refuse the communes that share one SIREN: nobody can tell whose it is."""
    counts = Counter(record.siren for record in records if _has_member(record))
    kept = []
    for record in records:
        if counts[record.siren] > 1:
            message = f"Ce SIREN est celui de {counts[record.siren]} communes de la table."
            job.report.refuse(record.line, "siren", record.siren, message)
        else:
            kept.append(record)
    return kept


def _keep_codes(records: list[Record], tally: Tally, report: Report) -> None:
    """Write the codes of the table, each once, then send to today's those that point to a former one."""
    lines, wanted = {}, {}
    for record, commune in _codes(records):
        if commune.code not in wanted:
            wanted[commune.code], lines[commune.code] = commune, record.line
    for batch in in_batches(wanted.values()):
        stored = Commune.objects.in_bulk([commune.code for commune in batch])
        plan = Plan()
        for commune in batch:
            known = stored.get(commune.code)
            if known is None:
                plan.create.append(commune)
                # A former code does not make a new row of the commune of today that names it.
                is_former = commune.kind == Commune.Kind.FORMER
                (tally.changed if is_former else tally.created).add(lines[commune.code])
            elif _facts(known) != _facts(commune):
                plan.update.append(commune)
                tally.changed.add(lines[commune.code])
        write(plan, Commune, CODE_FIELDS)
    report.moved += _follow_chains()


def _facts(commune: Commune) -> tuple:
    return commune.name, commune.kind, commune.today_id


def _codes(records: list[Record]) -> Iterator[tuple[Record, Commune]]:
    """Give the codes of the table, communes of today first: the first word on a code is the good one.

    A part of a commune that is itself known as former is one of that of today.
    """
    told = {record.code for record in records if record.kind == Commune.Kind.TODAY}
    former = {code: today for code, today in communes_of_today().items() if code not in told}
    for record in sorted(records, key=lambda record: PRECEDENCE.index(record.kind)):
        commune = Commune(code=record.code, name=record.name, kind=record.kind)
        commune.today_id = successions.last_successor(record.today, former) if record.today else None
        yield record, commune
    for record in records:
        for code in record.former:
            name = f"{record.name[:80]} (ancien code)"
            yield record, Commune(code=code, name=name, kind=Commune.Kind.FORMER, today_id=record.code)


def _follow_chains() -> int:
    """Send to the commune of today the codes whose own commune became part of another; count them."""
    today = communes_of_today()
    late = Commune.objects.filter(today__today__isnull=False).order_by("code")
    rows = list(late)
    for commune in rows:
        commune.today_id = successions.last_successor(commune.today_id, today)
    write(Plan(update=rows), Commune, CODE_FIELDS)
    return len(rows)


def _keep_members(records: list[Record], tally: Tally, job: Job) -> dict[str, int]:
    lines = {record.siren: record.line for record in records if _has_member(record)}
    bodies = (
        Body(
            line=record.line,
            siren=record.siren,
            name=record.name,
            insee_code=record.code,
            siret=record.siret,
            postal_code=record.postal_code,
            city=record.name,
        )
        for record in records
        if _has_member(record)
    )
    brought = Tally()
    keys = keep(Member.Kind.COMMUNE, bodies, job.report, brought)
    tally.created |= {lines[siren] for siren in brought.created}
    tally.changed |= {lines[siren] for siren in brought.changed}
    return keys


def _has_member(record: Record) -> bool:
    return record.kind == Commune.Kind.TODAY and bool(record.siren)


def _join_epci(records: list[Record], members: dict[str, int], tally: Tally, job: Job) -> None:
    """Create the EPCI of the table, and let each commune enter its own, leaving another."""
    joining = [record for record in records if record.epci_siren and record.siren in members]
    bodies = {r.epci_siren: Body(line=None, siren=r.epci_siren, name=r.epci_name) for r in joining}
    brought = Tally()
    epcis = keep(Member.Kind.EPCI, bodies.values(), job.report, brought)
    first = {r.epci_siren: r.line for r in reversed(joining)}
    tally.changed |= {first[siren] for siren in brought.created | brought.changed}
    pairs = {(epcis[r.epci_siren], members[r.siren]): r for r in joining}
    moves = apply_moves(Membership, Member.Kind.EPCI, pairs, as_of(job.options), exclusive=True)
    tally.changed |= {pairs[pair].line for pair in moves.opened}
    flag_late(job, ((pairs[pair].line, pairs[pair].name) for pair in moves.late))


def flag_late(job: Job, late: Iterable[tuple[int | None, str]]) -> None:
    """Flag the communes of which something more recent than the table is known."""
    for line, name in late:
        message = (
            f"Un changement du {as_of(job.options):%d/%m/%Y} ou plus récent est déjà connu : rien n'est "
            "changé. Donnez la date de la table si elle est plus récente."
        )
        job.report.flag(line, "siren_epci", name, message)


def _say_those_without_siren(records: list[Record], job: Job) -> None:
    count = sum(r.kind == Commune.Kind.TODAY and not r.siren for r in records)
    if count:
        message = f"{plural(count, 'commune')} sans SIREN dans la table : code gardé, sans membre."
        job.report.flag(None, "siren", "", message)


def _move_schools(job: Job) -> None:
    """Give the schools known under a former code the code and the name of the commune of today."""
    today = communes_of_today()
    names = dict(Commune.objects.filter(today=None).order_by("code").values_list("code", "name"))
    moved = 0
    for batch in in_batches(sorted(today)):
        schools = list(School.objects.filter(commune_code__in=batch).order_by("pk"))
        for school in schools:
            school.commune_code = today[school.commune_code]
            school.commune_name = names[school.commune_code]
        write(Plan(update=schools), School, ["commune_code", "commune_name"])
        moved += len(schools)
    if moved:
        job.report.moved += moved
        count = plural(
            moved,
            "école ramenée au code de sa commune d'aujourd'hui",
            "écoles ramenées au code de leur commune d'aujourd'hui",
        )
        job.report.flag(None, "code_commune", "", f"{count}.")
