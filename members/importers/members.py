"""How a row of a list of local bodies becomes a member."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q, prefetch_related_objects

from entsvc.cells import RowError, checked, parse_flag, required
from entsvc.changes import Plan, fill, in_batches, write
from entsvc.importing import Flag, Importer, Job, Layout, Options, register
from entsvc.tabular import Row
from members import identifiers
from members.models import Member
from members.portal import access, notices, reach

KINDS = [kind for kind in Member.Kind.values if kind != Member.Kind.RPI]
# The SIREN is derived: it is written anyway.
FIELDS = [
    "siret",
    "siret_to_verify",
    "name",
    "kind",
    "insee_code",
    "address",
    "postal_code",
    "city",
    "email",
    "service_code",
    "service_code_required",
    "engagement_number",
    "engagement_required",
]


@dataclass(frozen=True)
class Record:
    """A checked row: `facts` are what it says, None or empty where it says nothing."""

    line: int
    siret: str
    siren: str
    kind: str
    facts: dict[str, Any]

    @property
    def key(self) -> str:
        """Return what tells the member in the file: its SIRET, its SIREN when it has none."""
        return self.siret or self.siren


@dataclass(frozen=True)
class Stored:
    """The members that the rows may be about: by SIRET, and by SIREN those whose SIRET may be given."""

    by_siret: dict[str, Member]
    by_siren: dict[str, list[Member]]


def parse(row: Row, flag: Flag, options: Options) -> Record:
    """Read a member; raise RowError for what can't be kept."""
    values = row.values
    kind = _kind(values["type"])
    siret, siren = _identifiers(values)
    facts = {
        "siret": siret,
        "siren": siren,
        "siret_to_verify": parse_flag("a_verifier", values.get("a_verifier", "")) if siret else None,
        "name": required("nom", values["nom"]),
        "kind": kind,
        "insee_code": _insee_code(kind, values.get("code_insee", "")),
        "address": values.get("adresse", ""),
        "postal_code": values.get("code_postal", ""),
        "city": values.get("ville", "")[:100],
        "email": _email(values.get("courriel", "")),
        "service_code": _short("code_service", values, 100),
        "service_code_required": _told("code_service_exige", values),
        "engagement_number": _short("numero_engagement", values, 50),
        "engagement_required": _told("engagement_exige", values),
    }
    postal_code = facts["postal_code"]
    if postal_code:
        checked("code_postal", postal_code, identifiers.check_postal_code)
    if not (facts["address"] and postal_code and facts["city"]):
        flag("adresse", facts["address"], "Adresse incomplète : aucun titre ne pourra être émis.")
    if not siret:
        flag("siret", "", "Sans SIRET : ce membre ne peut pas payer.")
    return Record(row.line, siret, siren, kind, facts)


def apply(records: list[Record], job: Job) -> None:
    """Create or update members by SIRET, else by SIREN those that have none, or a proposed one.

    A member whose proposed SIRET is replaced stays the same member, agreements included. Which row is
    about which member is decided before any is written: their order says nothing.
    """
    plan, before = Plan(), {}
    decided = list(_decided(records, job))
    known = [member for _, member in decided if member]
    for batch in in_batches(known):
        prefetch_related_objects(batch, "contacts")
    concerned = reach.by_member(known) if job.issuers is not None else {}
    for record, member in decided:
        if member is None:
            told = {n: v for n, v in record.facts.items() if v not in ("", None)}
            plan.create.append(Member(**told))
            continue
        _say_what_is_replaced(member, record, job)
        facts = _without_refused_address(member, record, concerned.get(member.pk, frozenset()), job)
        if not _same_address(member, facts["email"]):
            before[member] = access.addresses(member)
        if fill(member, facts):
            plan.update.append(member)
        else:
            plan.unchanged += 1
    plan.count_in(job.report)
    write(plan, Member, FIELDS)
    notices.tell(before=before, actor=job.actor, issuers=job.issuers)


IMPORTER = register(
    Importer(
        name="membres",
        title="Liste de membres",
        layouts=(Layout(name="membres", columns=("siret", "nom", "type"), parse=parse),),
        key=lambda record: record.key,
        key_column="siret",
        apply=apply,
        permissions=("members.add_member", "members.change_member", "members.add_membership"),
    )
)


def _kind(text: str) -> str:
    kind = text.lower()
    if kind == Member.Kind.RPI:
        message = "Un RPI n'a pas de SIRET : importez-le avec la liste des RPI et syndicats."
        raise RowError("type", text, message)
    if kind not in KINDS:
        raise RowError("type", text, f"Type inconnu ; types possibles : {', '.join(KINDS)}.")
    return kind


def _identifiers(values: dict[str, str]) -> tuple[str, str]:
    """Return the SIRET and the SIREN, of which one suffices and which must agree."""
    given = values.get("siren", "")
    siren = checked("siren", given, identifiers.check_siren) if given else ""
    if siren and not values["siret"]:
        return "", siren
    siret = checked("siret", values["siret"], identifiers.check_siret)
    if siren and not siret.startswith(siren):
        raise RowError("siren", given, f"Ce SIREN n'est pas celui du SIRET {siret}.")
    return siret, siret[:9]


def _insee_code(kind: str, text: str) -> str:
    if not text:
        return ""
    if kind == Member.Kind.DEPARTEMENT and len(text) < 5:
        return checked("code_insee", text, identifiers.check_departement_code)
    return checked("code_insee", text, identifiers.check_commune_code)


def _told(column: str, values: dict[str, str]) -> bool | None:
    """Return what a cell says, None when it says nothing."""
    text = values.get(column, "")
    return parse_flag(column, text) if text else None


def _short(column: str, values: dict[str, str], longest: int) -> str:
    text = values.get(column, "")
    if len(text) > longest:
        raise RowError(column, text[:50], f"Au plus {longest} caractères.")
    return text


def _email(text: str) -> str:
    try:
        Member._meta.get_field("email").clean(text, None)
    except ValidationError as error:
        raise RowError("courriel", text, "Adresse électronique invalide.") from error
    return text


def _stored(records: list[Record]) -> Stored:
    sirets = {record.siret for record in records if record.siret}
    sirens = {record.siren for record in records}
    by_siret, by_siren = {}, defaultdict(list)
    rows = Member.objects.filter(Q(siret__in=sirets) | Q(siren__in=sirens)).order_by("pk")
    for member in rows:
        if member.siret:
            by_siret[member.siret] = member
        by_siren[member.siren or member.siret[:9]].append(member)
    return Stored(by_siret, by_siren)


def _decided(records: list[Record], job: Job) -> list[tuple[Record, Member | None]]:
    """Return each row with its member, None for a new one; refuse those of which nobody can tell."""
    claims = [
        (record, _candidates(record, stored))
        for batch in in_batches(records)
        for stored in [_stored(batch)]
        for record in batch
    ]
    claimed = Counter(member.pk for _, candidates in claims for member in candidates)
    mentions = Counter(record.siren for record in records)
    decided = []
    for record, candidates in claims:
        try:
            _check_alone(record, candidates, claimed, mentions)
        except RowError as error:
            job.report.refuse(record.line, error.column, error.value, error.message)
        else:
            decided.append((record, next(iter(candidates), None)))
    return decided


def _candidates(record: Record, stored: Stored) -> list[Member]:
    """Return the members that a row may be about: that of its SIRET, else those of its SIREN and type.

    One whose SIRET is sure is not about another SIRET.
    """
    if record.siret in stored.by_siret:
        return [stored.by_siret[record.siret]]
    alike = [m for m in stored.by_siren.get(record.siren, []) if m.kind in (record.kind, "")]
    if record.siret:
        return [member for member in alike if not member.siret or member.siret_to_verify]
    return alike


def _check_alone(record: Record, candidates: list[Member], claimed: Counter, mentions: Counter) -> None:
    """Raise RowError for a row of several members, or that is not alone to be about its own."""
    if not candidates and not record.siret and mentions[record.siren] > 1:
        raise RowError("siren", record.siren, "Présent plusieurs fois dans le fichier.")
    if any(member.siret == record.siret and not member.siret_to_verify for member in candidates):
        return
    shared = any(claimed[member.pk] > 1 for member in candidates)
    by_siren_alone = not record.siret and mentions[record.siren] > 1
    if len(candidates) > 1 or shared or by_siren_alone:
        message = (
            "Plusieurs établissements de ce SIREN : vérifiez d'abord le SIRET des membres déjà connus, "
            "ou importez-les un par un."
        )
        raise RowError("siret", record.siret or record.siren, message)


def _say_what_is_replaced(member: Member, record: Record, job: Job) -> None:
    if member.siret and record.siret and member.siret != record.siret:
        message = f"Remplace le SIRET proposé {member.siret}."
        job.report.flag(record.line, "siret", record.siret, message)


def _same_address(member: Member, email: str) -> bool:
    return not email or email.lower() == member.email.lower()


def _without_refused_address(
    member: Member, record: Record, concerned: frozenset[int], job: Job
) -> dict[str, Any]:
    """Return what a row says of a member, without the address that the account may not give it."""
    email = record.facts["email"]
    if _same_address(member, email) or reach.are_among(concerned, job.issuers):
        return record.facts
    message = f"Adresse laissée telle qu'elle est. {reach.refusal(member)}"
    job.report.flag(record.line, "courriel", email, message)
    return {**record.facts, "email": ""}
