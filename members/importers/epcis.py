"""How the table of EPCI becomes members, and dates which communes are part of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from entsvc.cells import checked, required
from entsvc.changes import in_batches
from entsvc.french import plural
from entsvc.importing import Flag, Importer, Job, Layout, Options, register
from entsvc.tabular import Row, UnreadableFile
from members import identifiers
from members.importers.bodies import AS_OF, DEPARTEMENTS, Body, Tally, as_of, is_asked, keep
from members.importers.communes import flag_late
from members.importers.repairs import commune_code
from members.memberships import apply_moves
from members.models import Member, Membership

JSON = {
    "code": "siren",
    "nom": "raison_sociale",
    "type": "nature_juridique",
    "membres_code": "insee",
    "membres_siren": "siren_membre",
    "membres_nom": "nom_membre",
}


@dataclass(frozen=True, slots=True)
class Record:
    """A checked row: an EPCI and one of its communes, or an EPCI alone."""

    line: int
    siren: str
    name: str
    commune_code: str = ""
    commune_siren: str = ""
    commune_name: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Return what the row is about."""
        return self.siren, self.commune_code


def parse_member(row: Row, flag: Flag, options: Options) -> Record | None:
    """Read an EPCI and one of its communes; None outside of the départements asked for."""
    values = row.values
    code = _commune_code(values)
    if not is_asked(code, options):
        return None
    return Record(
        line=row.line,
        siren=checked("siren", values["siren"], identifiers.check_siren),
        name=required("raison_sociale", values["raison_sociale"]),
        commune_code=code,
        commune_siren=checked("siren_membre", values["siren_membre"], identifiers.check_siren),
        commune_name=required("nom_membre", values["nom_membre"]),
    )


def parse_alone(row: Row, flag: Flag, options: Options) -> Record:
    """Read an EPCI without its communes; the whole file is refused when départements are asked for."""
    if options.get("departements"):
        raise UnreadableFile(
            "Ce fichier ne dit pas où sont les EPCI : importez-le sans choisir de départements."
        )
    return Record(
        line=row.line,
        siren=checked("siren", row.values["siren"], identifiers.check_siren),
        name=required("nom", row.values["nom"]),
    )


def apply(records: list[Record], job: Job) -> None:
    """Keep the EPCI, then let communes enter and leave them on the day of the table.

    A row is created when it brings an EPCI alone or a commune into one, updated when it completes
    an EPCI or a commune. Nothing ends in an EPCI, nor for a commune, that a refused row names.
    """
    tally, named = Tally(), _named_by_refused(job)
    records = _in_one_epci(records, named, job)
    epcis = _keep_epcis(records, tally, job)
    with_commune = [record for record in records if record.commune_code]
    communes = _communes(with_commune, tally, job)
    pairs = {(epcis[r.siren], communes[r.commune_code]): r for r in with_commune}
    complete = _complete(with_commune, named, job)
    may_leave = _communes_that_may_leave(named, job.options)
    moves = apply_moves(
        Membership,
        Member.Kind.EPCI,
        pairs,
        as_of(job.options),
        exclusive=True,
        complete=frozenset(epcis[siren] for siren in complete),
        concerns=may_leave,
    )
    tally.created |= {pairs[pair].key for pair in moves.opened}
    flag_late(job, ((_line(pair, pairs), _label(pair, pairs)) for pair in moves.late))
    _say_who_left(moves.ended, moves.opened, job)
    tally.count((record.key for record in records), job.report)


IMPORTER = register(
    Importer(
        name="epcis",
        title="Table des EPCI",
        layouts=(
            Layout(
                name="EPCI et communes membres",
                columns=("siren", "raison_sociale", "insee", "siren_membre", "nom_membre"),
                aliases=JSON,
                parse=parse_member,
            ),
            Layout(name="EPCI", columns=("siren", "nom", "nature_juridique"), parse=parse_alone),
        ),
        key=lambda record: record.key,
        key_column="siren",
        apply=apply,
        permissions=("members.add_member", "members.change_member", "members.add_membership"),
        options=(DEPARTEMENTS, AS_OF),
    )
)


def _commune_code(values: Mapping[str, str]) -> str:
    """Return the INSEE code with the zero a spreadsheet took off, when the département tells so."""
    departement = values.get("dep_com", "")
    departement = departement and departement.zfill(2)
    return checked(
        "insee",
        values["insee"],
        lambda text: commune_code(text, departement=departement, postal_code=""),
    )


@dataclass
class Named:
    """What refused rows name all the same: EPCI, communes; `nothing` when one of them names neither."""

    epcis: set[str] = field(default_factory=set)
    communes: set[str] = field(default_factory=set)
    nothing: bool = False

    def add(self, siren: str, code: str) -> None:
        """Note what a row names; a code too short may have lost its zero."""
        siren_is_one, code_is_one = _passes(identifiers.check_siren, siren), False
        for text in (code, code.zfill(5)):
            if _passes(identifiers.check_commune_code, text):
                self.communes.add(text)
                code_is_one = True
        if siren_is_one:
            self.epcis.add(siren)
        self.nothing = self.nothing or not (siren_is_one or code_is_one)


def _passes(check: Callable[[str], str], text: str) -> bool:
    try:
        check(text)
    except ValueError:
        return False
    return True


def _named_by_refused(job: Job) -> Named:
    """Return what the rows refused so far name: those that can't be read, those given twice."""
    named = Named()
    for values in job.refused_rows:
        named.add(values.get("siren", ""), values.get("insee", ""))
    for key in job.refused_keys:
        siren, _, code = key.partition(" ")
        if code:
            named.add(siren, code)
    return named


def _in_one_epci(records: list[Record], named: Named, job: Job) -> list[Record]:
    """Refuse the communes that the table puts in several EPCI: none of them may silently win.

    A commune that a refused row names too is refused: nobody can tell which row is right.
    """
    counts = Counter(record.commune_code for record in records if record.commune_code)
    elsewhere = frozenset(named.communes)
    kept = []
    for record in records:
        if counts[record.commune_code] > 1:
            message = f"Cette commune est dans {counts[record.commune_code]} EPCI de la table."
        elif record.commune_code in elsewhere:
            message = "Une autre ligne de cette commune est refusée : corrigez-la d'abord."
        else:
            kept.append(record)
            continue
        job.report.refuse(record.line, "insee", record.commune_code, message)
        named.add(record.siren, record.commune_code)
    return kept


def _complete(records: list[Record], named: Named, job: Job) -> set[str]:
    """Return the SIREN of the EPCI that the table gives whole: a refused row makes its EPCI doubtful."""
    listed = {record.siren for record in records}
    if listed and named.nothing:
        message = (
            "Une ligne refusée ne dit ni son EPCI ni sa commune : aucune commune ne quitte son EPCI."
        )
        job.report.flag(None, "siren", "", message)
        return set()
    doubtful = sorted(listed & named.epcis)
    if doubtful:
        count = plural(len(doubtful), "EPCI", "EPCI")
        shown = ", ".join(doubtful[:10]) + (" …" if len(doubtful) > 10 else "")
        message = f"{count} avec une ligne refusée : aucune commune n'en sort ({shown})."
        job.report.flag(None, "siren", "", message)
    return listed - named.epcis


def _keep_epcis(records: list[Record], tally: Tally, job: Job) -> dict[str, int]:
    """Keep each EPCI once, and count it on its first row."""
    first = {}
    for record in records:
        first.setdefault(record.siren, record)
    bodies = (Body(line=r.line, siren=r.siren, name=r.name) for r in first.values())
    brought = Tally()
    keys = keep(Member.Kind.EPCI, bodies, job.report, brought)
    for record in first.values():
        if record.siren in brought.created and not record.commune_code:
            tally.created.add(record.key)
        elif record.siren in brought.created | brought.changed:
            tally.changed.add(record.key)
    return keys


def _communes(records: list[Record], tally: Tally, job: Job) -> dict[str, int]:
    """Return {code: member}; a commune not known yet is created with its SIREN and no SIRET."""
    bodies = {
        r.commune_siren: Body(
            line=r.line, siren=r.commune_siren, name=r.commune_name, insee_code=r.commune_code
        )
        for r in records
    }
    brought = Tally()
    keys = keep(Member.Kind.COMMUNE, bodies.values(), job.report, brought)
    told = brought.created | brought.changed
    tally.changed |= {record.key for record in records if record.commune_siren in told}
    if brought.created:
        count = plural(
            len(brought.created),
            "commune sans SIRET, connue par cette seule table",
            "communes sans SIRET, connues par cette seule table",
        )
        message = f"{count} : importez la table des communes."
        job.report.flag(None, "siren_membre", "", message)
    return {record.commune_code: keys[record.commune_siren] for record in records}


def _communes_that_may_leave(named: Named, options: Options) -> Callable[[int], bool]:
    """Tell the communes of the départements asked for, but those that a refused row names."""
    held = {
        key
        for batch in in_batches(sorted(named.communes))
        for key in Member.objects.filter(kind=Member.Kind.COMMUNE, insee_code__in=batch)
        .order_by("pk")
        .values_list("pk", flat=True)
    }
    if not options.get("departements"):
        return lambda commune: commune not in held
    rows = Member.objects.filter(kind=Member.Kind.COMMUNE).order_by("pk").values_list("pk", "insee_code")
    asked = {key for key, code in rows.iterator() if is_asked(code, options)} - held
    return lambda commune: commune in asked


def _line(pair: tuple[int, int], pairs: dict[tuple[int, int], Record]) -> int | None:
    return pairs[pair].line if pair in pairs else None


def _label(pair: tuple[int, int], pairs: dict[tuple[int, int], Record]) -> str:
    return pairs[pair].commune_name if pair in pairs else str(Member.objects.get(pk=pair[1]))


def _say_who_left(ended: list, opened: Iterable[tuple[int, int]], job: Job) -> None:
    """Tell and count the communes that left without entering another EPCI: no row counts them."""
    moved = {commune for _, commune in opened}
    left = [span.part for span in ended if span.part not in moved]
    job.report.moved += len(left)
    names = [
        member.name
        for batch in in_batches(left)
        for member in Member.objects.filter(pk__in=batch).order_by("name", "pk")
    ]
    if names:
        shown = ", ".join(names[:10]) + (" …" if len(names) > 10 else "")
        count = plural(
            len(names),
            "commune que la table ne met plus dans son EPCI",
            "communes que la table ne met plus dans leur EPCI",
        )
        job.report.flag(None, "insee", "", f"{count} : {shown}.")
