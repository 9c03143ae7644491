"""How a list made by hand becomes RPI and syndicats, with their communes and schools.

Unlike the other lists, it names communes and schools that must be known: a row that names another is
refused, the rest is kept.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from entsvc.cells import RowError, checked, parse_date, required
from entsvc.changes import Plan, fill, write
from entsvc.importing import Flag, Importer, Job, Layout, Options, register
from entsvc.tabular import Row
from members import identifiers
from members.geography import communes_of_today
from members.groupings import commune_members
from members.importers.bodies import Tally
from members.memberships import apply_moves
from members.models import GroupedSchool, Member, Membership, School

RPI, SYNDICAT = Member.Kind.RPI, Member.Kind.SYNDICAT
FIELDS = ["name", "kind", "group_code", "siret", "siret_to_verify", "legal_form", "representative"]
MAY_REPRESENT = (Member.Kind.COMMUNE, Member.Kind.SYNDICAT, Member.Kind.EPCI)


@dataclass(frozen=True, slots=True)
class Record:
    """A checked row; communes and schools are looked for when it is applied."""

    line: int
    kind: str
    code: str
    name: str
    siret: str
    legal_form: str
    representative: str
    communes: tuple[str, ...]
    schools: tuple[str, ...]
    since: date

    @property
    def key(self) -> str:
        """Return what tells a grouping: the code of a RPI, the SIRET of a syndicat."""
        return self.code if self.kind == RPI else self.siret


def parse(row: Row, flag: Flag, options: Options) -> Record:
    """Read a RPI or a syndicat; raise RowError for what can't be kept."""
    values = row.values
    kind = values["type"].lower()
    if kind not in (RPI, SYNDICAT):
        raise RowError("type", values["type"], "Type attendu : rpi ou syndicat.")
    name = required("nom", values["nom"])
    since = parse_date("depuis", values["depuis"])
    if since is None:
        raise RowError("depuis", "", "La date est obligatoire, comme 01/09/2024.")
    _check_identity(kind, values)
    representative = values.get("representant", "")
    return Record(
        line=row.line,
        kind=kind,
        code=values["code"].upper() if kind == RPI else "",
        name=name,
        siret=checked("siret", values["siret"], identifiers.check_siret) if kind == SYNDICAT else "",
        legal_form=values.get("forme_juridique", "")[:100],
        representative=(
            checked("representant", representative, identifiers.check_siret) if representative else ""
        ),
        communes=_codes("communes", values["communes"], identifiers.check_commune_code),
        schools=_codes("ecoles", values["ecoles"], identifiers.check_uai),
        since=since,
    )


def apply(records: list[Record], job: Job) -> None:
    """Create or update syndicats, then RPI that they may represent, then their communes and schools.

    A list of communes or schools that is not empty replaces the former one on the day of the row.
    """
    tally = Tally()
    kept: list[tuple[Record, Member, Known]] = []
    records = _with_own_schools(records, job)
    for kind in (SYNDICAT, RPI):
        rows = [record for record in records if record.kind == kind]
        known = _known(rows)
        kept += _keep_members(kind, _naming_known(rows, known, job), known, tally, job)
    _date(
        Membership,
        kept,
        lambda record, known: [known.communes[c].pk for c in record.communes],
        tally,
        job,
    )
    _date(
        GroupedSchool, kept, lambda record, known: [known.schools[u] for u in record.schools], tally, job
    )
    tally.count((record.line for record, _, _ in kept), job.report)


IMPORTER = register(
    Importer(
        name="regroupements",
        title="RPI et syndicats",
        layouts=(
            Layout(
                name="regroupements",
                columns=("type", "code", "nom", "siret", "communes", "ecoles", "depuis"),
                parse=parse,
            ),
        ),
        key=lambda record: (record.kind, record.key),
        key_column="code",
        apply=apply,
        permissions=(
            "members.add_member",
            "members.change_member",
            "members.add_membership",
            "members.add_groupedschool",
        ),
    )
)


def _check_identity(kind: str, values: dict[str, str]) -> None:
    if kind == SYNDICAT:
        if values["ecoles"]:
            raise RowError("ecoles", values["ecoles"][:50], "Les écoles se rattachent à un RPI.")
        return
    if values["siret"]:
        message = "Un RPI n'a pas de SIRET : donnez celui de son représentant."
        raise RowError("siret", values["siret"], message)
    if not values["code"]:
        raise RowError("code", "", "Le code du RPI est obligatoire, comme 031037.")
    if len(values["code"]) > 20:
        raise RowError("code", values["code"][:50], "Le code d'un RPI compte au plus vingt caractères.")


def _codes(column: str, text: str, check: Callable[[str], str]) -> tuple[str, ...]:
    codes = [checked(column, code, check) for code in text.split()]
    twice = sorted({code for code in codes if codes.count(code) > 1})
    if twice:
        raise RowError(column, " ".join(twice), "Nommé deux fois dans la même ligne.")
    return tuple(codes)


@dataclass(frozen=True)
class Known:
    """What the rows name and the database knows: by INSEE code as written, by UAI, by SIRET."""

    communes: dict[str, Member]
    schools: dict[str, int]
    representatives: dict[str, Member]


def _known(records: list[Record]) -> Known:
    today = communes_of_today()
    written = {code for record in records for code in record.communes}
    communes = commune_members(today.get(code, code) for code in written)
    uais = {uai for record in records for uai in record.schools}
    sirets = {record.representative for record in records if record.representative}
    members = Member.objects.filter(siret__in=sirets, kind__in=MAY_REPRESENT).order_by("pk")
    return Known(
        communes={c: communes[today.get(c, c)] for c in written if today.get(c, c) in communes},
        schools=dict(School.objects.filter(uai__in=uais).order_by("pk").values_list("uai", "pk")),
        representatives={member.siret: member for member in members},
    )


def _naming_known(records: list[Record], known: Known, job: Job) -> list[Record]:
    """Refuse the rows that name a commune, a school or a representative that is not known."""
    kept = []
    for record in records:
        try:
            _check_known(
                "communes",
                record.communes,
                known.communes,
                "Commune inconnue : importez d'abord la table des communes.",
            )
            _check_known(
                "ecoles", record.schools, known.schools, "École inconnue : importez d'abord l'annuaire."
            )
            _check_known(
                "representant",
                filter(None, [record.representative]),
                known.representatives,
                "Représentant inconnu : donnez le SIRET d'une commune, d'un syndicat ou d'un EPCI "
                "déjà membre.",
            )
        except RowError as error:
            job.report.refuse(record.line, error.column, error.value, error.message)
        else:
            kept.append(record)
    return kept


def _check_known(column: str, codes: Iterable[str], known: Mapping[str, object], message: str) -> None:
    strangers = [code for code in codes if code not in known]
    if strangers:
        raise RowError(column, " ".join(strangers), message)


def _with_own_schools(records: list[Record], job: Job) -> list[Record]:
    """Refuse the rows that share a school: it is in one RPI at a time."""
    counts = Counter(uai for record in records for uai in record.schools)
    kept = []
    for record in records:
        shared = [uai for uai in record.schools if counts[uai] > 1]
        if shared:
            message = "École nommée par plusieurs RPI du fichier : elle n'est que dans un seul."
            job.report.refuse(record.line, "ecoles", " ".join(shared), message)
        else:
            kept.append(record)
    return kept


def _keep_members(
    kind: str, records: list[Record], known: Known, tally: Tally, job: Job
) -> list[tuple[Record, Member, Known]]:
    """Create or update the groupings of a kind."""
    field = "group_code" if kind == RPI else "siret"
    rows = Member.objects.filter(**{f"{field}__in": [r.key for r in records]}).order_by("pk")
    stored = {getattr(member, field): member for member in rows}
    plan, kept = Plan(), []
    for record in records:
        member = stored.get(record.key)
        if member is not None and member.kind not in (kind, ""):
            message = f"Ce membre existe avec un autre type : {member} ({member.get_kind_display()})."
            job.report.refuse(record.line, "type", record.kind, message)
            continue
        facts = _facts(record, known)
        if member is None:
            member = Member(**facts)
            plan.create.append(member)
            tally.created.add(record.line)
        elif fill(member, facts):
            plan.update.append(member)
            tally.changed.add(record.line)
        kept.append((record, member, known))
    write(plan, Member, FIELDS)
    return kept


def _facts(record: Record, known: Known) -> dict:
    facts = {
        "kind": record.kind,
        "name": record.name,
        "group_code": record.code,
        "siret": record.siret or None,
        "legal_form": record.legal_form,
        "representative": known.representatives.get(record.representative),
    }
    # The SIRET of a syndicat is given by hand: it is no proposal.
    return {**facts, "siret_to_verify": False} if record.kind == SYNDICAT else facts


def _date(
    model: type[Membership] | type[GroupedSchool],
    kept: list[tuple[Record, Member, Known]],
    parts: Callable[[Record, Known], list[int]],
    tally: Tally,
    job: Job,
) -> None:
    """Let the communes or schools of each grouping enter it, and leave it, on the day of its row."""
    by_day: dict[tuple[date, str], dict[tuple[int, int], Record]] = defaultdict(dict)
    for record, member, known in kept:
        for part in parts(record, known):
            by_day[record.since, record.kind][member.pk, part] = record
    for (day, kind), pairs in sorted(by_day.items(), key=lambda item: item[0]):
        lines = {body: record.line for (body, _), record in pairs.items()}
        moves = apply_moves(
            model,
            kind,
            pairs,
            day,
            exclusive=model is GroupedSchool,
            complete=frozenset(lines),
        )
        tally.changed |= {lines[body] for body, _ in moves.opened}
        tally.changed |= {lines[span.body] for span in moves.ended if span.body in lines}
        for line in sorted({lines[body] for body, _ in moves.late}):
            message = (
                "Des entrées ou sorties du même jour ou plus récentes sont déjà connues : elles sont "
                "gardées, corrigez-les sur la page du membre."
            )
            job.report.flag(line, "depuis", f"{day:%d/%m/%Y}", message)
