"""How a row of a list of local bodies becomes a member."""

from collections.abc import Callable
from dataclasses import dataclass

from django.core.exceptions import ValidationError

from entsvc.importing import Importer, Report, RowError, checked, plan_changes, write
from entsvc.tabular import Row
from members import identifiers
from members.models import Member

FIELDS = ["name", "kind", "commune_code", "address", "postal_code", "city", "email"]


@dataclass(frozen=True)
class Record:
    """A checked row."""

    line: int
    member: Member


def parse(row: Row, flag: Callable[[str, str, str], None]) -> Record:
    """Read a member; raise RowError for what can't be kept."""
    values = row.values
    kind = values["type"].lower()
    if kind not in Member.Kind.values:
        expected = ", ".join(Member.Kind.values)
        raise RowError("type", values["type"], f"Type inconnu ; types possibles : {expected}.")
    if not values["nom"]:
        raise RowError("nom", "", "Le nom est obligatoire.")
    member = Member(
        siret=checked("siret", values["siret"], identifiers.check_siret),
        name=values["nom"][:200],
        kind=kind,
        commune_code=_commune_code(values.get("code_insee", "")),
        address=values.get("adresse", ""),
        postal_code=values.get("code_postal", ""),
        city=values.get("ville", "")[:100],
        email=_email(values.get("courriel", "")),
    )
    if member.postal_code and not (member.postal_code.isdigit() and len(member.postal_code) == 5):
        raise RowError("code_postal", member.postal_code, "Un code postal compte cinq chiffres.")
    if not (member.address and member.postal_code and member.city):
        flag("adresse", member.address, "Adresse incomplète : aucun titre ne pourra être émis.")
    return Record(row.line, member)


def apply(records: list[Record], report: Report) -> None:
    """Create or update members by SIRET."""
    plan = plan_changes(Member, ("siret",), (record.member for record in records), FIELDS)
    plan.count_in(report)
    write(plan, Member, FIELDS)


IMPORTER = Importer(
    name="membres",
    columns=("siret", "nom", "type"),
    aliases={},
    parse=parse,
    key=lambda record: record.member.siret,
    key_column="siret",
    apply=apply,
)


def _commune_code(text: str) -> str:
    return checked("code_insee", text, identifiers.check_commune_code) if text else ""


def _email(text: str) -> str:
    try:
        Member._meta.get_field("email").clean(text, None)
    except ValidationError as error:
        raise RowError("courriel", text, "Adresse électronique invalide.") from error
    return text
